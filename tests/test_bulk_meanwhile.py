"""Bulk actions and their undoing while somebody else does the same to a job: each job is one's, and what it was is told."""

import asyncio
import json

import asyncpg
import pytest

from bellhand.sql import query
from desk import Desk, desk
from support import eventually

__all__ = ["desk"]  # a fixture

WAITING = (
    "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
)


async def meanwhile(
    desk: Desk, dsn: str, theirs: str, job: int, statement: str, *ours: object
) -> asyncpg.Record:
    """What `statement` answers that begins while another transaction has done `theirs` and not committed."""
    other = await asyncpg.connect(dsn)
    try:
        act = other.transaction()
        await act.start()
        await other.execute(theirs, *([job] if "$1" in theirs else []))
        done = asyncio.create_task(desk.conn.fetchrow(query(statement), *ours))

        async def waits() -> bool:
            return bool(await other.fetchval(WAITING))

        await eventually(waits)
        await act.commit()
        row = await done
        assert row is not None
        return row
    finally:
        await other.close()


TAKES_KEY = "insert into bellhand.jobs (kind, unique_key) values ('a', 'k')"


@pytest.mark.parametrize("theirs", ["select bellhand.retry($1)", TAKES_KEY])
async def test_an_undone_cancel_leaves_a_job_that_was_retried_or_replaced_meanwhile(
    desk: Desk, dsn: str, theirs: str
) -> None:
    job, other = await desk.insert(unique_key="k"), await desk.insert()
    chosen = json.dumps({"ids": [job, other]})
    act = await desk.conn.fetchrow(query("bulk_act"), chosen, "cancel", 2, "a test", "{}", "ann")
    assert act is not None
    row = await meanwhile(desk, dsn, theirs, job, "undo", act["operation"], "ann")
    assert (row["undone"], row["kept"]) == (1, 1)
    assert [await desk.state(one) for one in (job, other)] == [
        "cancelled" if theirs == TAKES_KEY else "pending", "pending",
    ]  # fmt: skip
    undone = "select array_agg(job) from bellhand.events where type = 'undone'"
    assert await desk.conn.fetchval(undone) == [other]


@pytest.mark.parametrize("theirs", ["select bellhand.retry($1)", TAKES_KEY])
async def test_a_retry_of_many_leaves_a_job_that_was_retried_or_replaced_meanwhile(
    desk: Desk, dsn: str, theirs: str
) -> None:
    job, other = await desk.insert(unique_key="k"), await desk.insert()
    for row in await desk.claim(await desk.worker()):
        await desk.end(row, "fail", error="ValueError: no")
    row = await meanwhile(
        desk, dsn, theirs, job, "bulk_act", '{"kind": "a"}', "retry", 2, "a test", "{}", "ann"
    )
    assert row["jobs"] == 1
    assert await desk.state(other) == "scheduled"
    assert await desk.state(job) == ("failed" if theirs == TAKES_KEY else "pending")
    kept = "select array_agg(job) from bellhand.operation_jobs"
    assert await desk.conn.fetchval(kept) == [other]
