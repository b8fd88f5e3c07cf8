"""Opportunities: which are worth an offer, in what order, and that each gets one."""

import json
import tomllib
from itertools import product
from pathlib import Path

import asyncpg

from bellhand import priority
from bellhand.settings import Settings
from crm import KINDS, ask, customer, ledger, mailing, no_quiet, put
from daemons import at_work, until
from mailserver import mail_server
from support import ROOT, eventually

OFFERS = "select payload ->> 'opportunityId' as id, priority from bellhand.jobs where kind = 'crm.process_opportunity_offer' order by jobs.id"


async def opportunity(conn: asyncpg.Connection, id: str, who: str, **columns: object) -> str:
    given = {"id": id, "customer_id": who, "title": "Carpet", "offer": "{{ opportunity.value }}"}
    return await put(conn, "opportunities", **(given | columns))


async def test_priority_is_the_same_in_python_and_sql(conn: asyncpg.Connection) -> None:
    """S4-05, from base 5 (C6): urgency, tier and value, within 1 to 10."""
    assert priority("high", "vip", 15_000) == 10
    assert priority() == 5
    assert priority("low") == 3
    assert priority("low", "premium", 5_000) == 6
    assert priority(None, None, None) == 5
    urgencies = ["critical", "high", "medium", "low", "HIGH", "odd"]
    values = [-1, 0, 1000, 1000.5, 5000, 5001, 10000, 10001]
    for urgency, tier, value in product(urgencies, ["vip", "premium", "standard", "x"], values):
        told = await conn.fetchval("select bellhand.priority($1, $2, $3)", urgency, tier, value)
        assert told == priority(urgency, tier, value), (urgency, tier, value)


async def test_the_scan_enqueues_open_opportunities_the_most_valuable_first(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """S4-12, S4-13, S4-25: status, order by value, limit, priority; once each however often it is asked."""
    await no_quiet(conn)
    await conn.execute("update bellhand_crm.policy set promotional_per_day_max = 100")
    await customer(conn, "vip", tier="vip")
    await customer(conn, "ann", tier="premium")
    await customer(conn, "private", consent=False)
    await customer(conn, "held", email="Held@example.com")
    await conn.execute(
        "insert into bellhand_crm.suppressions values ('held@example.com', 'promotional', 'x')"
    )
    await opportunity(conn, "a", "ann", estimated_value=6000, urgency="low", status="new")
    await opportunity(conn, "b", "vip", estimated_value=20_000, status="qualified")
    await opportunity(conn, "c", "ann", estimated_value=500, status="proposal")
    for id, who, status in (("w", "vip", "won"), ("l", "vip", "lost"), ("p", "private", "new"), ("h", "held", "new")):  # fmt: skip
        await opportunity(conn, id, who, estimated_value=90_000, status=status)
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            pass  # so that the kinds are known
        scan = "select bellhand_crm.enqueue_offers($1)"
        assert await conn.fetchval(scan, 2) == 2
        assert await conn.fetchval(scan, 2) == 0
        assert [tuple(row) for row in await conn.fetch(OFFERS)] == [("b", 10), ("a", 7)]
        async with mailing(dsn, server):
            row = await until(conn, await ask(conn, "process_opportunities"), "completed")
            assert json.loads(row["result"])["queued"] == 1

            async def sent() -> bool:
                return [m["state"] for m in await ledger(conn)] == ["sent"] * 3

            await eventually(sent)
            again = await until(conn, await ask(conn, "process_opportunities"), "completed")
            assert json.loads(again["result"]) == {"queued": 0}
            await conn.execute(
                "update bellhand_crm.opportunities set status = 'won' where id = 'a'"
            )
            late = await ask(conn, "process_opportunity_offer", opportunityId="a")
            assert "opportunity a is won" in (await until(conn, late, "cancelled"))["error"]
            none = await ask(conn, "process_opportunity_offer", opportunityId="z")
            assert "there is no opportunity z" in (await until(conn, none, "failed"))["error"]
        texts = [next(iter(m.iter_parts())).get_content() for _, m in server.mails()]
    assert len(texts) == 3
    assert any("20,000" in text for text in texts)


async def test_five_hundred_of_a_thousand_by_default(conn: asyncpg.Connection, dsn: str) -> None:
    """S4-13: limit 500, one statement; S4-04: many jobs at once."""
    async with at_work(dsn, *KINDS):
        pass
    await customer(conn, "ann")
    await conn.execute(
        "insert into bellhand_crm.opportunities (id, customer_id, title, offer, estimated_value)"
        " select 'o' || n, 'ann', 't', 'o', n from generate_series(1, 1000) n"
    )
    assert await conn.fetchval("select bellhand_crm.enqueue_offers()") == 500
    least = await conn.fetchval(
        "select min(o.estimated_value) from bellhand.jobs j join bellhand_crm.opportunities o on o.id = j.payload ->> 'opportunityId'"
    )
    assert least == 501


def test_the_sample_configuration_scans_every_hour() -> None:
    """S4-12: `0 */1 * * *`."""
    lines = (ROOT / "config.example.toml").read_text().splitlines()
    start = lines.index("# [schedules.crm_opportunities]")
    given = [line.removeprefix("# ") for line in lines[start : start + 7] if "=" in line or "[" in line]  # fmt: skip
    settings = Settings(dsn="postgresql:///x", **tomllib.loads("\n".join(given)))
    schedule = settings.schedules["crm_opportunities"]
    assert (schedule.cron, schedule.kind) == ("0 */1 * * *", "crm.process_opportunities")
