"""F11 to F13: the primary dies and a replica is promoted, synchronous or lagging; a synchronous one stands still."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from ..crashes import kill_postmaster
from ..fault import fault
from ..replica import Replica, replica
from ..returns import Returns
from ..stage import Stage
from .f01_killed import longer

DOOMED = 100
AFTER_SECONDS = 3.0  # for work to come after the last return
INSERT = """
insert into bellhand.jobs (kind, payload) select 'f.nap', '{"seconds": 0.05}' from generate_series(1, $1::int) returning id, key::text
"""
# The wait ends at once, and what was to be committed is: here, and on the replica later.
GIVE_UP_WAITING = """
select count(pg_cancel_backend(pid)) from pg_stat_activity where datname = current_database() and wait_event = 'SyncRep'
"""
THERE = "select count(*) from bellhand.all_jobs where key::text = any($1::text[])"


@fault("F11", "the primary is killed, its synchronous replica promoted; daemons know both hosts", seconds=20, durable=True)  # fmt: skip
async def promotion(stage: Stage) -> None:
    follower = await _synchronous(stage)
    await stage.daemons(3, dsn=follower.dsn)
    returns = Returns(stage)
    async with stage.clients(40, choose=longer, dsn=follower.dsn):
        await asyncio.sleep(stage.seconds / 2)
        returns.went()
        await kill_postmaster(stage)
        await asyncio.sleep(stage.dice.uniform(0.0, 3.0))
        await follower.promote()
        returns.came()
        await asyncio.sleep(stage.seconds / 2)
    stage.figures |= returns.figures()


@fault("F12", "the primary is killed, a replica that lags is promoted", seconds=20, durable=True)
async def lagging_promotion(stage: Stage) -> None:
    """What was acknowledged within the lag is lost, and its ids are given out again; the keys never are."""
    follower = await stage.at_end.enter_async_context(replica(stage))
    await stage.daemons(3, dsn=follower.dsn)
    returns = Returns(stage)
    async with stage.clients(40, choose=longer, dsn=follower.dsn):
        await asyncio.sleep(stage.seconds / 2)
    # Clients' jobs are over and safe before the lag begins: only jobs of nobody's are at stake.
    await stage.until(lambda: _idle(stage), 30, "nothing is left before the lag")
    await follower.caught_up()
    follower.freeze()
    doomed = await _insert(stage.dsn)
    returns.went()
    await kill_postmaster(stage)
    await follower.promote()
    returns.came()
    async with stage.clients(40, choose=longer, dsn=follower.dsn):
        later = await _insert(stage.dsn)
        await asyncio.sleep(stage.seconds / 2)
    kept = await stage.value(THERE, list(doomed.values()))
    again = set(doomed) & set(later)
    stage.must(not set(doomed.values()) & set(later.values()), "key_given_out_twice")
    stage.figures |= {"acked_in_the_lag": len(doomed), "lost_by_the_lag": len(doomed) - kept, "ids_given_out_again": len(again)}  # fmt: skip
    stage.figures |= returns.figures()


@fault("F13", "the synchronous replica stands still for 1 to 12 s: commits hang, and whoever gives up does not know", seconds=60, durable=True)  # fmt: skip
async def commits_hang(stage: Stage) -> None:
    """A commit that is given up, by its client or by pg_cancel_backend, has happened all the same."""
    follower = await _synchronous(stage)
    stage.at_heal.callback(follower.thaw)
    await stage.daemons(3)
    returns = Returns(stage)
    given_up = 0
    longest = 0.0
    async with stage.clients(30, choose=longer):
        async for number in stage.moments(1.0, 3.0):
            seconds = stage.dice.choice([1.0, 3.0, 8.0, 12.0]) * stage.dice.uniform(0.8, 1.0)
            longest = max(longest, seconds)
            returns.went()
            follower.freeze()
            await asyncio.sleep(seconds / 2)
            if number % 2:
                given_up += await stage.value(GIVE_UP_WAITING)
            await asyncio.sleep(seconds / 2)
            follower.thaw()
            returns.came()
        await asyncio.sleep(AFTER_SECONDS)
    stage.figures |= {"longest_s": round(longest, 1), "commits_given_up": given_up}
    stage.figures |= returns.figures()


async def _synchronous(stage: Stage) -> Replica:
    """A replica that every commit waits for."""
    follower = await stage.at_end.enter_async_context(replica(stage))
    await stage.sql("alter system set synchronous_standby_names = '*'")
    await stage.sql("select pg_reload_conf()")
    return follower


async def _idle(stage: Stage) -> bool:
    return not await stage.value("select count(*) from bellhand.jobs")


async def _insert(dsn: str) -> dict[int, Any]:
    """Jobs of nobody's, acknowledged; their keys by id."""
    conn = await asyncpg.connect(dsn, timeout=10)
    try:
        rows = await conn.fetch(INSERT, DOOMED, timeout=20)
    finally:
        conn.terminate()
    return {row["id"]: row["key"] for row in rows}
