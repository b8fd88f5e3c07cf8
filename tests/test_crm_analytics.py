"""Figures of customers: the same as a plain count, however the orders came about, and never without one that commits late."""

import asyncio
import csv
import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bellhand.families import crm
from crm import ask
from daemons import at_work, until

FIGURES = ("customer_months", "customer_figures", "cohort_months")
START = datetime(2026, 1, 1, tzinfo=UTC)
Order = tuple[str, datetime, Decimal, int]


async def update(conn: asyncpg.Connection, **payload: Any) -> dict[str, Any]:
    done = await until(conn, await ask(conn, "update_analytics", **payload), "completed", 50)
    return json.loads(done["result"])


async def enter(conn: asyncpg.Connection, orders: list[Order], first_id: int = 0) -> None:
    """Customers and orders as an app would copy them."""
    people = sorted({(order[0],) for order in orders})
    await conn.executemany(
        "insert into bellhand_crm.customers (id) values ($1) on conflict do nothing", people
    )
    await conn.copy_records_to_table(
        "orders", schema_name="bellhand_crm", columns=("id", "customer_id", "ordered_at", "amount", "quantity"),
        records=[(str(first_id + n), *order) for n, order in enumerate(orders)],
    )  # fmt: skip


async def figures(conn: asyncpg.Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {
        name: [tuple(row) for row in await conn.fetch(f"select * from bellhand_crm.{name} order by 1, 2")]
        for name in FIGURES
    }  # fmt: skip


def counted(orders: list[Order]) -> dict[str, Any]:
    """The same figures, counted in plain Python."""
    months: dict[tuple[str, date], list[Order]] = defaultdict(list)
    for order in orders:
        months[order[0], order[1].date().replace(day=1)].append(order)
    people: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        people[order[0]].append(order)
    cohort_of = {who: min(o[1] for o in own).date().replace(day=1) for who, own in people.items()}
    cohorts: dict[tuple[date, date], list[list[Order]]] = defaultdict(list)
    for (who, month), own in months.items():
        cohorts[cohort_of[who], month].append(own)
    return {
        "people": {
            who: (cohort_of[who], len(own), sum(o[2] for o in own), sum(o[3] for o in own), min(o[1] for o in own), max(o[1] for o in own))
            for who, own in people.items()
        },
        "cohorts": {
            key: (len(owns), sum(map(len, owns)), sum(o[2] for own in owns for o in own), sum(o[3] for own in owns for o in own))
            for key, owns in cohorts.items()
        },
        "months": len(months),
    }  # fmt: skip


async def assert_as_counted(conn: asyncpg.Connection, orders: list[Order]) -> None:
    expected, found = counted(orders), await figures(conn)
    assert {row[0]: row[1:7] for row in found["customer_figures"]} == expected["people"]
    assert {row[:2]: row[2:] for row in found["cohort_months"]} == expected["cohorts"]
    assert len(found["customer_months"]) == expected["months"]


async def assert_fifths(conn: asyncpg.Connection) -> None:
    """Scores by the definition: how many fifths of all customers lie below."""
    rows = await conn.fetch(
        "select last_at, orders, amount, recency, frequency, monetary from bellhand_crm.customer_figures"
    )
    for measure, score in (("last_at", "recency"), ("orders", "frequency"), ("amount", "monetary")):
        values = sorted(row[measure] for row in rows)
        below = {value: place for place, value in reversed(list(enumerate(values)))}
        for row in rows:
            assert row[score] == 1 + 5 * below[row[measure]] // len(rows), (measure, dict(row))


def cdnow(test_data: Path) -> list[Order]:
    lines = (test_data / "crm" / "CDNOW_master.txt").read_text().splitlines()[1:]
    return [
        (who, datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC), Decimal(amount), int(count))
        for who, day, count, amount in csv.reader((" ".join(line.split()) for line in lines), delimiter=" ")
    ]  # fmt: skip


async def test_real_purchases_are_counted_right_at_once_and_bit_by_bit(
    dsn: str, conn: asyncpg.Connection, test_data: Path
) -> None:
    """S4-11 updateAnalytics on every fourth customer of CDNOW over its 18 months."""
    orders = [order for order in cdnow(test_data) if int(order[0]) % 4 == 0]
    assert len(orders) > 15_000
    early = [order for order in orders if order[1] < datetime(1998, 5, 1, tzinfo=UTC)]
    late = [order for order in orders if order[1] >= datetime(1998, 5, 1, tzinfo=UTC)]
    await enter(conn, early)
    async with at_work(dsn, crm.update_analytics):
        first = await update(conn)
        assert (first["rebuilt"], first["customers"]) == (True, len({o[0] for o in orders}))
        await assert_as_counted(conn, early)
        await enter(conn, late, len(early))
        second = await update(conn, batch_customers=500)
        assert (second["rebuilt"], second["customers_counted"]) == (
            False,
            len({o[0] for o in late}),
        )
        await assert_as_counted(conn, orders)
        third = await update(conn)
        assert (third["customers_counted"], third["ranks_changed"]) == (0, 0)
    await assert_fifths(conn)
    assert await conn.fetchval("select sum(amount) from bellhand_crm.cohort_months") == sum(o[2] for o in orders)  # fmt: skip


PEOPLE = ("a", "b", "c", "d")
people = st.sampled_from(PEOPLE)
moments = st.integers(0, 4000).map(lambda hours: START + timedelta(hours=hours))
amounts = st.decimals(0, 100, places=2)
places = st.integers(0, 30)
changes = st.one_of(
    st.tuples(st.just("insert"), people, moments, amounts, st.integers(0, 3)),
    st.tuples(st.just("amount"), places, amounts),
    st.tuples(st.just("owner"), places, people),
    st.tuples(st.just("moment"), places, moments),
    st.tuples(st.just("delete"), places),
    st.tuples(st.just("delete all of"), people),
    st.tuples(st.just("roll up"), st.integers(1, 3)),
    st.tuples(st.just("rebuild")),
    st.tuples(st.just("truncate")),
)
STATEMENTS = {
    "insert": "insert into bellhand_crm.orders (customer_id, ordered_at, amount, quantity) values ($1, $2, $3, $4)",
    "amount": "update bellhand_crm.orders set amount = $2 where id = (select id from bellhand_crm.orders order by ordered_at, id offset $1 limit 1)",
    "owner": "update bellhand_crm.orders set customer_id = $2 where id = (select id from bellhand_crm.orders order by ordered_at, id offset $1 limit 1)",
    "moment": "update bellhand_crm.orders set ordered_at = $2 where id = (select id from bellhand_crm.orders order by ordered_at, id offset $1 limit 1)",
    "delete": "delete from bellhand_crm.orders where id = (select id from bellhand_crm.orders order by ordered_at, id offset $1 limit 1)",
    "delete all of": "delete from bellhand_crm.orders where customer_id = $1",
    "rebuild": "select counted from bellhand_crm.rebuild_analytics()",
    "truncate": "truncate bellhand_crm.orders",
}


def test_figures_that_are_kept_up_to_date_are_those_of_a_count_from_nothing(dsn: str) -> None:
    """Any orders, corrections, moves and deletions, with counts in between: in the end a rebuild changes nothing."""

    @settings(max_examples=40, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.lists(changes, max_size=25))
    def story(steps: list[tuple[Any, ...]]) -> None:
        asyncio.run(tell(dsn, steps))

    story()


async def tell(dsn: str, steps: list[tuple[Any, ...]]) -> None:
    conn = await asyncpg.connect(dsn, timeout=10)
    try:
        await conn.execute(
            "insert into bellhand_crm.customers (id) select unnest($1::text[]) on conflict do nothing",
            list(PEOPLE),
        )
        await conn.execute("delete from bellhand_crm.orders")
        await conn.execute(STATEMENTS["rebuild"])
        for what, *values in steps:
            if what == "roll up":
                await roll_up(conn, values[0])
            else:
                await conn.execute(STATEMENTS[what], *values)
        await roll_up(conn, 2)
        kept = await figures(conn)
        orders = await conn.fetch("select customer_id, ordered_at, amount, quantity from bellhand_crm.orders")  # fmt: skip
        await assert_as_counted(conn, [tuple(row) for row in orders])
        await conn.execute(STATEMENTS["rebuild"])
        assert await figures(conn) == kept
    finally:
        await conn.close(timeout=5)


async def roll_up(conn: asyncpg.Connection, batch: int) -> None:
    last = ""
    while last is not None:
        row = await conn.fetchrow("select * from bellhand_crm.roll_up($1, $2)", last, batch)
        last = row["last_customer"]


async def test_an_order_that_commits_late_is_counted_by_the_next_run(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """Its time lies before the run's, its transaction began before, and the run saw nothing of it."""
    await enter(conn, [("ann", START, Decimal(5), 1), ("ben", START, Decimal(7), 1)])
    async with at_work(dsn, crm.update_analytics):
        await update(conn)
        slow = await asyncpg.connect(dsn, timeout=10)
        try:
            late = slow.transaction()
            await late.start()
            await slow.execute(STATEMENTS["insert"], "ann", START, Decimal(1), 1)
            await enter(conn, [("ben", START, Decimal(2), 1)], 10)
            assert (await update(conn))["customers_counted"] == 1
            await late.commit()
        finally:
            await slow.close(timeout=5)
        assert (await update(conn))["customers_counted"] == 1
        assert (await update(conn))["customers_counted"] == 0
    amounts = await conn.fetch("select customer_id, amount from bellhand_crm.customer_figures order by 1")  # fmt: skip
    assert [tuple(row) for row in amounts] == [("ann", 6), ("ben", 9)]


async def test_months_are_those_of_the_policy_and_a_new_time_zone_counts_anew(
    dsn: str, conn: asyncpg.Connection
) -> None:
    await enter(conn, [("ann", datetime(2026, 1, 31, 23, 30, tzinfo=UTC), Decimal(5), 1)])
    async with at_work(dsn, crm.update_analytics):
        await update(conn)
        assert (await figures(conn))["cohort_months"][0][:2] == (date(2026, 1, 1),) * 2
        await conn.execute("update bellhand_crm.policy set months_time_zone = 'Europe/Berlin'")
        assert (await update(conn))["rebuilt"] is True
        assert (await figures(conn))["cohort_months"][0][:2] == (date(2026, 2, 1),) * 2
        assert (await update(conn))["rebuilt"] is False
        assert (await update(conn, rebuild=True))["rebuilt"] is True


async def test_who_is_deleted_has_no_segment_but_stays_in_the_sums(
    dsn: str, conn: asyncpg.Connection
) -> None:
    await enter(conn, [(who, START, Decimal(5), 1) for who in "abcde"])
    async with at_work(dsn, crm.update_analytics):
        await update(conn)
        await conn.execute(
            "update bellhand_crm.customers set deleted_at = bellhand.now() where id = 'a'"
        )
        assert (await update(conn))["customers"] == 4
    rows = await conn.fetch(
        "select customer_id, segment, recency from bellhand_crm.customer_figures order by 1"
    )
    assert [tuple(row) for row in rows] == [("a", None, None)] + [(who, "lost", 1) for who in "bcde"]  # fmt: skip
    assert await conn.fetchval("select sum(amount) from bellhand_crm.cohort_months") == 25


async def test_while_somebody_else_counts_the_job_waits_without_burning_an_attempt(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with at_work(dsn, crm.update_analytics):
        async with conn.transaction():
            await conn.execute("select from bellhand_crm.analytics for update")
            other = await asyncpg.connect(dsn, timeout=10)
            try:
                waits = await until(other, await ask(other, "update_analytics"), "scheduled")
            finally:
                await other.close(timeout=5)
        assert (waits["attempts"], waits["error"]) == (0, "another job is counting")


@pytest.mark.parametrize(
    ("scores", "segment"),
    [
        ((5, 5, 5), "champions"), ((4, 3, 5), "champions"), ((4, 3, 4), "growing"), ((5, 1, 1), "new"),
        ((3, 4, 4), "loyal"), ((3, 1, 3), "need attention"), ((3, 1, 2), "about to sleep"),
        ((1, 5, 5), "at risk"), ((2, 3, 3), "sleeping"), ((1, 1, 1), "lost"), ((None, None, None), None),
    ],
)  # fmt: skip
async def test_segments_have_names(
    conn: asyncpg.Connection, scores: tuple[int, int, int], segment: str
) -> None:
    assert await conn.fetchval("select bellhand_crm.segment($1, $2, $3)", *scores) == segment
