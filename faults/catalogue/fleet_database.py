"""The database's side of a fleet: a primary that dies or vanishes, a replica that takes over, and poolers in between."""

from __future__ import annotations

import asyncio
import time

import asyncpg

from ..client import LOST
from ..crashes import kill_postmaster
from ..fault import fault
from ..hosts import hosts
from ..load import steady
from ..noticed import pickups, spread
from ..pooler import pooler
from ..replica import replica
from ..returns import Returns
from ..stage import Stage
from ..witness import read
from .f01_killed import longer

PER_SECOND = 100
PROMOTED_AFTER_SECONDS = 5.0  # as if somebody, or Patroni, had to be sure first
UNKNOWN = """
insert into bellhand.jobs (kind, payload) select 'f.nap', '{"seconds": 0.02}' from generate_series(1, 5) returning key::text
"""
THERE = "select count(*) from bellhand.all_jobs where key::text = any($1::text[])"


@fault("fleet-failover", "the primary of three machines vanishes without a word, its synchronous replica is promoted", seconds=30, durable=True)  # fmt: skip
async def vanished(stage: Stage) -> None:
    """Its address answers nothing, as when a machine loses its power: nobody is told, and it stands first in the DSN."""
    machines = await stage.at_end.enter_async_context(hosts(3))
    await machines.let_in(stage)
    follower = await stage.at_end.enter_async_context(replica(stage, listen=f"127.0.0.1,{machines.second}"))  # fmt: skip
    await stage.sql("alter system set synchronous_standby_names = '*'")
    await stage.sql("select pg_reload_conf()")
    dsn = machines.at_bridge(follower.dsn, machines.address, machines.second)
    for host in machines.all:
        stage.daemon(dsn=dsn, options={"prefix": host.prefix})
    await stage.ready()
    returns = Returns(stage)
    async with stage.clients(40, choose=longer, dsn=follower.dsn):
        await asyncio.sleep(stage.seconds / 3)
        returns.went()
        for host in machines.all:
            await machines.cut(host, "questions")
        await kill_postmaster(stage)
        await asyncio.sleep(PROMOTED_AFTER_SECONDS)
        await follower.promote()
        returns.came()
        await asyncio.sleep(2 * stage.seconds / 3)
    stage.figures |= returns.figures()


@fault(
    "fleet-failover-async",
    "the primary is killed under load, its asynchronous replica promoted",
    seconds=24,
    durable=True,
)
async def asynchronous(stage: Stage) -> None:
    """What was acknowledged and had not been streamed is lost, as Postgres says; how much that is without any lag."""
    machines = await stage.at_end.enter_async_context(hosts(3))
    await machines.let_in(stage)
    follower = await stage.at_end.enter_async_context(replica(stage, listen=f"127.0.0.1,{machines.second}"))  # fmt: skip
    dsn = machines.at_bridge(follower.dsn, machines.address, machines.second)
    for host in machines.all:
        stage.daemon(dsn=dsn, options={"prefix": host.prefix})
    await stage.ready()
    returns = Returns(stage)
    keys: list[str] = []
    inserting = asyncio.create_task(_insert_until_it_dies(stage.dsn, keys))
    await asyncio.sleep(stage.seconds / 3)
    returns.went()
    await kill_postmaster(stage)
    await inserting
    await follower.promote()
    returns.came()
    async with stage.clients(40, choose=longer, dsn=follower.dsn):
        await asyncio.sleep(stage.seconds / 3)
    kept = await stage.value(THERE, keys)
    stage.figures |= {"acked_before": len(keys), "lost_by_promotion": len(keys) - kept} | returns.figures()  # fmt: skip


async def _insert_until_it_dies(dsn: str, keys: list[str]) -> None:
    """Jobs of nobody's, as fast as one connection goes; the keys of those that were acknowledged."""
    conn = await asyncpg.connect(dsn, timeout=10)
    try:
        while True:
            keys += [row[0] for row in await conn.fetch(UNKNOWN, timeout=20)]
            await asyncio.sleep(0.02)
    except LOST:
        return
    finally:
        conn.terminate()


@fault("fleet-session", "three machines work through PgBouncer that pools by session", seconds=20)
async def session_pooler(stage: Stage) -> None:
    await _through_a_pooler(stage, "session", {})


@fault(
    "fleet-transaction",
    "three machines work through PgBouncer that pools by transaction, and know it",
    seconds=20,
)
async def transaction_pooler(stage: Stage) -> None:
    await _through_a_pooler(stage, "transaction", {"database": {"pooler": "transaction"}})


async def _through_a_pooler(stage: Stage, mode: str, sections: dict[str, dict[str, str]]) -> None:
    machines = await stage.at_end.enter_async_context(hosts(3))
    way = await stage.at_end.enter_async_context(pooler(stage, mode=mode, address=machines.address))
    daemons = [stage.daemon(dsn=way.dsn, options={"prefix": host.prefix}, **sections) for host in machines.all]  # fmt: skip
    await stage.ready()
    listening = [daemon.said("ready")[-1]["listening"] for daemon in daemons]
    stage.must(listening == [mode == "session"] * 3, "listens", listening)
    async with steady(stage, PER_SECOND):
        await asyncio.sleep(2.0)
        begun = time.monotonic()
        await asyncio.sleep(stage.seconds / 2)
        ended = time.monotonic()
    async with stage.clients(40, choose=longer, dsn=way.dsn):
        await asyncio.sleep(stage.seconds / 2)
    waits = pickups(read(stage.said.path), read(stage.fleet.journal), begun, ended)
    stage.figures |= spread("pickup", waits, digits=3)
