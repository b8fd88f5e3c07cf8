"""What customers are expected to spend: against purchases that the model has not seen, and against customers made by its own rules."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest

from bellhand.families import crm
from bellhand.families.crm import lifetime
from bellhand.families.crm.report import EXPECTED_WEEKS
from crm import ask
from daemons import at_work, until
from test_crm_analytics import Order, cdnow, enter

WEEK = timedelta(weeks=1)


def group_of(own: list[datetime], now: datetime) -> tuple[int, int, int]:
    first, last = min(own), max(own)
    return len(own) - 1, round((last - first) / WEEK), round((now - first) / WEEK)


def test_half_a_year_of_real_purchases_is_foreseen_better_than_by_repeating_the_last(
    test_data: Path,
) -> None:
    """CDNOW: learned from 1997 alone, tried on the first half of 1998."""
    now, end = datetime(1998, 1, 1, tzinfo=UTC), datetime(1998, 7, 1, tzinfo=UTC)
    orders = cdnow(test_data)
    own: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        if order[1] < now:
            own[order[0]].append(order)
    spent: Counter[str] = Counter()
    before: Counter[str] = Counter()
    for who, at, amount, _ in orders:
        if at >= now:
            spent[who] += float(amount)
        elif at >= now - (end - now):
            before[who] += float(amount)
    groups = Counter(group_of([order[1] for order in bought], now) for bought in own.values())
    rows = [(*group, customers) for group, customers in groups.items()]
    weeks = (end - now) / WEEK
    expected = dict(zip(groups, lifetime.expected(lifetime.fit(rows), rows, weeks), strict=True))
    mean = sum(float(o[2]) for bought in own.values() for o in bought) / sum(map(len, own.values()))
    foreseen = {
        who: expected[group_of([o[1] for o in bought], now)] * (sum(float(o[2]) for o in bought) + 2 * mean) / (len(bought) + 2)
        for who, bought in own.items()
    }  # fmt: skip

    def off(guess: Any) -> float:
        return sum(abs(guess(who) - spent[who]) for who in own) / len(own)

    assert sum(foreseen.values()) == pytest.approx(sum(spent.values()), rel=0.15)
    everybody = sum(spent.values()) / len(own)
    assert off(foreseen.__getitem__) < 0.95 * off(before.__getitem__)
    assert off(foreseen.__getitem__) < 0.7 * off(lambda _: everybody)
    best = sorted(own, key=foreseen.__getitem__)[-len(own) // 10 :]
    assert sum(spent[who] for who in best) > 0.5 * sum(spent.values())


def test_customers_made_by_the_models_rules_are_foreseen() -> None:
    draw, now, weeks = np.random.default_rng(5), 60.0, 26.0
    groups: Counter[tuple[int, int, int]] = Counter()
    later = 0
    for _ in range(6000):
        rate, leaving = draw.gamma(0.6, 1 / 5.0), draw.beta(0.9, 2.6)
        at = first = float(draw.uniform(0, 30))
        bought = [first]
        while draw.random() >= (leaving if len(bought) > 1 else 0):
            at += float(draw.exponential(1 / rate))
            if at > now + weeks:
                break
            bought.append(at)
        seen = [one for one in bought if one <= now]
        later += len(bought) - len(seen)
        groups[len(seen) - 1, round(seen[-1] - first), round(now - first)] += 1
    rows = [(*group, customers) for group, customers in groups.items()]
    orders = lifetime.expected(lifetime.fit(rows), rows, weeks)
    foreseen = sum(one * row[3] for one, row in zip(orders, rows, strict=True))
    assert foreseen == pytest.approx(later, rel=0.1)


async def test_what_is_expected_is_kept_with_the_figures_and_told_in_reports(
    dsn: str, conn: asyncpg.Connection
) -> None:
    now = await conn.fetchval("select bellhand.now()")
    draw = np.random.default_rng(1)
    orders: list[Order] = [
        (f"c{n}", now - timedelta(days=int(day)), Decimal(20), 1)
        for n in range(300) for day in draw.integers(1, 700, 1 + n % 5)
    ]  # fmt: skip
    orders += [("here", now - timedelta(days=day), Decimal(20), 1) for day in range(5, 300, 20)]
    orders += [("left", now - timedelta(days=day), Decimal(20), 1) for day in range(505, 700, 13)]
    await enter(conn, orders)
    await conn.execute("insert into bellhand_crm.customers (id, deleted_at) values ('gone', bellhand.now())")  # fmt: skip
    await enter(conn, [("gone", now, Decimal(20), 1)], len(orders))
    async with at_work(dsn, crm.update_analytics):
        job = await until(conn, await ask(conn, "update_analytics"), "completed", 50)
        told_at = await conn.fetchval("select expected_at from bellhand_crm.analytics")
        await until(conn, await ask(conn, "update_analytics"), "completed", 50)
        assert await conn.fetchval("select expected_at from bellhand_crm.analytics") == told_at, (
            "nobody bought anything"
        )
    assert json.loads(job["result"])["not_expected"] is None
    rows = await conn.fetch("select customer_id, expected_amount from bellhand_crm.customer_figures")  # fmt: skip
    expected = {row["customer_id"]: row["expected_amount"] for row in rows}
    assert expected.pop("gone") is None
    assert all(amount >= 0 for amount in expected.values())
    assert expected["here"] == max(expected.values()) > 20
    assert expected["left"] < expected["here"] / 5
    head = await conn.fetchval("select sum(expected_amount) from bellhand_crm.customer_figures")
    assert 0 < head < 20 * len(orders) * EXPECTED_WEEKS / 50


async def test_why_nothing_is_expected_is_said(
    dsn: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(dsn, crm.update_analytics):
        few = await until(conn, await ask(conn, "update_analytics"), "completed")
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        bare = await until(conn, await ask(conn, "update_analytics"), "completed")
    assert json.loads(few["result"])["not_expected"] == "needs 200 customers to learn from"
    assert "pip install 'bellhand[analytics]'" in json.loads(bare["result"])["not_expected"]
