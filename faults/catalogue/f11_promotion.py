"""F11 and F12: the primary dies and a replica is promoted, synchronous or lagging."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from ..crashes import kill_postmaster
from ..fault import fault
from ..replica import replica
from ..returns import Returns
from ..stage import Stage
from .f01_killed import longer

DOOMED = 100
INSERT = """
insert into bellhand.jobs (kind, payload) select 'f.nap', '{"seconds": 0.05}' from generate_series(1, $1::int) returning id, key::text
"""
THERE = "select count(*) from bellhand.all_jobs where key::text = any($1::text[])"


@fault("F11", "the primary is killed, its synchronous replica promoted; daemons know both hosts", seconds=20, durable=True)  # fmt: skip
async def promotion(stage: Stage) -> None:
    follower = await stage.at_end.enter_async_context(replica(stage))
    await stage.sql("alter system set synchronous_standby_names = '*'")
    await stage.sql("select pg_reload_conf()")
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
