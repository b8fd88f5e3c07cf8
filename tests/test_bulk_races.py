"""Bulk actions and their undoing while workers claim and settle: every job runs once, and none is lost."""

import asyncio
import json
from collections import Counter

import asyncpg

from bellhand import job_kind
from bellhand.sql import query
from daemons import at_work
from support import eventually

JOBS = 600
ROUNDS = 25


async def tell(conn: asyncpg.Connection, action: str, told: dict[str, int]) -> None:
    """Whoever waits, a random part of them; what the look counted may be other jobs by then."""
    chosen = await conn.fetch("select id from bellhand.jobs order by random() limit 40")
    given = json.dumps({"ids": [row["id"] for row in chosen], "kind": "t.race"} | told)
    more = json.dumps({"priority": 7} if action == "reprioritize" else {})
    row = await conn.fetchrow(query("bulk_preview"), given, action, more)
    assert row
    try:
        done = await conn.fetchrow(
            query("bulk_act"), given, action, row["jobs"], "a race", more, "t"
        )
    except asyncpg.DeadlockDetectedError:
        return
    except asyncpg.PostgresError as error:
        if error.sqlstate != "BH013":
            raise
        return
    assert done
    if action in ("cancel", "pause") or done["operation"] % 2:
        await conn.fetchrow(query("undo"), done["operation"], "t")


async def test_nothing_is_lost_and_nothing_runs_twice_while_jobs_are_told_and_untold(
    dsn: str, conn: asyncpg.Connection
) -> None:
    ran: Counter[int] = Counter()

    @job_kind("t.race")
    async def race(payload: dict[str, int]) -> None:
        ran[payload["n"]] += 1
        await asyncio.sleep(0.1)

    async with at_work(dsn, race, worker={"concurrency": 20}):
        await conn.execute(
            "insert into bellhand.jobs (kind, payload) select 't.race', jsonb_build_object('n', n) from generate_series(1, $1::integer) n", JOBS
        )  # fmt: skip
        waiting = {"states": ["pending", "paused"]}
        for _ in range(ROUNDS):
            for action in ("pause", "cancel", "reprioritize"):
                await tell(conn, action, waiting if action == "cancel" else {})
            await tell(conn, "resume", {})

        async def over() -> bool:
            await conn.execute(
                "select bellhand.resume(j.id) from bellhand.jobs j where j.state = 'paused'"
            )
            return not await conn.fetchval("select count(*) from bellhand.jobs")

        await eventually(over, 30)
    undone = await conn.fetchval("select sum(undone) from bellhand.operations where jobs > 0")
    assert undone > 100, "the race never was one"
    states = dict(await conn.fetch("select state, count(*) from bellhand.history group by 1"))
    assert sum(states.values()) == JOBS
    assert set(states) <= {"completed", "cancelled"}
    completed = await conn.fetch(
        "select (payload ->> 'n')::integer as n from bellhand.history where state = 'completed'"
    )
    assert {n for n, times in ran.items() if times > 1} == set(), (
        "nobody crashed, so none runs twice"
    )
    assert {row["n"] for row in completed} <= set(ran)
    for table in ("queue", "scheduled", "parked", "leases"):
        assert not await conn.fetchval(f"select count(*) from bellhand.{table}"), table
