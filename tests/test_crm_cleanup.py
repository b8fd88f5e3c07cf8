"""Old data of customers: erased in batches, counted without being touched, and no mail goes out again for it."""

import json
from pathlib import Path

import asyncpg
import pytest

from crm import ask, customer, ledger, mailing, no_quiet, promote, promotion
from daemons import until
from mailserver import mail_server

OLD_MAILS = (
    "insert into bellhand_crm.messages (customer_id, purpose, key, promotional, address, subject, state, said, job_id, begun_at)"
    " select 'ann', 'promotion', 'p' || n, true, 'ann@example.com', 'Hello', 'sent', '250 ok', 1,"
    " bellhand.now() - make_interval(days => case when n <= 25 then 31 else 29 end) from generate_series(1, 28) n"
)

REPORTS = (
    "insert into bellhand_crm.reports (job_id, format, body_bytes, created_at)"
    " select n, 'html', 0, bellhand.now() - make_interval(days => n) from generate_series(29, 31, 2) n"
)

# The old one goes with its bad row; the last of a source stays, however old.
PASSES = (
    "insert into bellhand_crm.sources (name, url, fields) values ('shop', 'https://shop.example.com', '{\"id\": \"id\"}');"
    "insert into bellhand_crm.syncs (source, job_id, state, ended_at)"
    " select 'shop', n, 'completed', bellhand.now() - interval '31 days' from generate_series(1, 2) n;"
    "insert into bellhand_crm.sync_problems (sync_id, page, position, reason) select id, 1, 1, 'x' from bellhand_crm.syncs"
)


async def test_old_data_is_erased_in_batches_and_a_dry_run_counts_it(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """S4-31: {days: 30}, priority 3; and S4-28: what was sent once is not sent again for having been erased."""
    await no_quiet(conn)
    moment = "select bellhand.now() - interval '{} days'"
    await customer(conn, "ann", name="Ann")
    await customer(conn, "gone", name="G", deleted_at=await conn.fetchval(moment.format(31)))
    await customer(conn, "going", name="G", deleted_at=await conn.fetchval(moment.format(29)))
    await conn.execute(OLD_MAILS)
    await conn.execute(REPORTS)
    await conn.execute(PASSES)
    await promotion(conn, "p1")
    await promotion(conn, "p26")
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            dry_run = await conn.fetchval(
                "select id from bellhand.enqueue('crm.cleanup_old_data', '{\"days\": 30, \"dryRun\": true}')"
            )
            dry = await until(conn, dry_run, "completed")
            assert dry["priority"] == 3
            assert dry["attempts_max"] == 3
            assert json.loads(dry["result"]) == {
                "dry_run": True,
                "messages": 25,
                "customers": 1,
                "reports": 1,
                "syncs": 1,
            }
            assert all(row["address"] for row in await ledger(conn))
            done = await until(
                conn, await ask(conn, "cleanup_old_data", batch_rows=10), "completed"
            )
            assert json.loads(done["result"]) == {
                "dry_run": False,
                "messages": 25,
                "customers": 1,
                "reports": 1,
                "syncs": 1,
            }
            again = await until(conn, await ask(conn, "cleanup_old_data"), "completed")
            assert json.loads(again["result"]) == {
                "dry_run": False,
                "messages": 0,
                "customers": 0,
                "reports": 0,
                "syncs": 0,
            }
            for what in ("p1", "p26"):
                row = await until(conn, await promote(conn, "ann", what), "completed")
                assert json.loads(row["result"])["sent"] is False
        assert server.mails() == []
    assert await conn.fetchval("select array_agg(sync_id) from bellhand_crm.sync_problems") == [2]
    rows = await ledger(conn)
    assert [bool(row["address"]) for row in rows] == [False] * 25 + [True] * 3
    assert {row["said"] for row in rows if not row["address"]} == {"erased"}
    assert await conn.fetchval("select array_agg(job_id) from bellhand_crm.reports") == [29]
    left = await conn.fetch("select id, name, email from bellhand_crm.customers order by id")
    assert [tuple(row) for row in left] == [
        ("ann", "Ann", "ann@example.com"), ("going", "G", "going@example.com"), ("gone", None, None),
    ]  # fmt: skip


async def test_less_than_a_day_is_refused(
    dsn: str, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """The limits of a day count what lies in the ledger."""
    with mail_server(tmp_path) as server:
        async with mailing(dsn, server):
            with pytest.raises(asyncpg.PostgresError, match="days"):
                await ask(conn, "cleanup_old_data", days=0)
