"""F27, F28 and F31: what other people's transactions do to us: they lock the table, lock rows in another order, stay open."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from ..client import LOST
from ..fault import fault
from ..fleet import Daemon
from ..noticed import pickups, spread
from ..returns import Returns
from ..stage import Stage
from ..witness import read
from .f01_killed import longer
from .f38_blocked import GAPS

LOCK = "lock table bellhand.jobs in access exclusive mode"
PIN = "select pg_current_xact_id()"
# Jobs without a token belong to no client, so the actors may cancel them.
FODDER = "insert into bellhand.jobs (kind, payload) select 'f.nap', '{\"seconds\": 0.2}' from generate_series(1, $1::int)"
# Each in one transaction, in the order of the ids or against it; what a job does not allow now is passed over.
BULK = """
create function faults.bulk(p_act text, p_down boolean) returns integer language plpgsql as $$
declare
  n integer := 0; i bigint;
begin
  for i in select j.id from bellhand.jobs j
      where case p_act when 'cancel' then j.payload ->> 'token' is null when 'resume' then j.state = 'paused' else true end
      order by j.id * case when p_down then -1 else 1 end limit 60 loop
    begin
      execute format('select bellhand.%I($1)', p_act) using i;
      n := n + 1;
    exception
      when deadlock_detected then raise;
      when others then null;
    end;
  end loop;
  return n;
end $$
"""
ACTS = ("cancel", "pause", "resume")
RESUME_ALL = "select bellhand.resume(id) from bellhand.jobs where state = 'paused'"
ACTORS = 3  # for each act and each order
ACT_SECONDS_MAX = (
    10.0  # that one of their transactions holds places in the queue locked, on a busy machine
)
CLAIM_SECONDS = re.compile(r"^bellhand_claim_seconds_(sum|count) (\S+)$", re.MULTILINE)


@asynccontextmanager
async def _somebody(stage: Stage, sql: str) -> AsyncIterator[None]:
    """A transaction of somebody else's that has run `sql` and stays open for as long as the block takes."""
    conn = await asyncpg.connect(
        stage.dsn, timeout=10, server_settings={"application_name": "faults:somebody"}
    )
    try:
        await conn.execute("begin", timeout=10)
        await conn.execute(sql, timeout=30)
        yield
    finally:
        conn.terminate()


@fault("F27", "somebody locks bellhand.jobs for 1 to 8 s (the lease is 3 s)", seconds=60)
async def table_locked(stage: Stage) -> None:
    await stage.daemons(3)
    returns = Returns(stage)
    longest = 0.0
    async with stage.clients(30, choose=longer):
        async for _ in stage.moments(2.0, 4.0):
            async with _somebody(stage, LOCK):
                returns.went()
                seconds = stage.dice.choice([1.0, 2.0, 5.0, 8.0]) * stage.dice.uniform(0.8, 1.0)
                longest = max(longest, seconds)
                await asyncio.sleep(seconds)
            returns.came()
        await asyncio.sleep(4.0)
    stage.figures |= {"locks": len(returns.gone), "longest_s": round(longest, 1), "beat_gap_max_s": round(await stage.value(GAPS), 2)}  # fmt: skip
    stage.figures |= returns.figures()


@fault("F28", "bulk cancels, pauses and resumes in opposite orders against each other and live settles", seconds=45, postgres={"deadlock_timeout": "100ms"})  # fmt: skip
async def deadlocks(stage: Stage) -> None:
    stage.settings["locked_seconds_max"] = ACT_SECONDS_MAX
    await stage.sql(BULK)
    await stage.daemons(3)
    stop = asyncio.Event()
    done = {act: 0 for act in ACTS}
    actors = [
        asyncio.create_task(_act(stage, act, down, stop, done))
        for act in ACTS for down in (False, True) for _ in range(ACTORS)
    ]  # fmt: skip
    async with stage.clients(30, choose=longer, plain=True):
        async for _ in stage.moments(0.3, 0.6):
            await stage.sql(FODDER, 120)
    stop.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*actors)
    stage.figures |= {f"{act}s": count for act, count in done.items()}
    log = await asyncio.to_thread((stage.server.home / "log").read_text, errors="replace")
    stage.figures["deadlocks"] = log.count("deadlock detected")
    stage.must(stage.figures["deadlocks"] > 0, "no_deadlock_came_about")

    async def resumed() -> bool:
        await stage.sql(RESUME_ALL)
        return not await stage.value("select count(*) from bellhand.jobs where state = 'paused'")

    await asyncio.sleep(2.0)  # a running job that was told to pause does so by then
    await stage.until(resumed, 30, "everything is resumed")


async def _act(
    stage: Stage, act: str, down: bool, stop: asyncio.Event, done: dict[str, int]
) -> None:
    """One bulk action after the other; a deadlock is the end of one."""
    conn = await asyncpg.connect(
        stage.dsn, timeout=10, server_settings={"application_name": f"faults:{act}"}
    )
    try:
        while not stop.is_set():
            with suppress(asyncpg.DeadlockDetectedError, *LOST):
                done[act] += await conn.fetchval(
                    "select faults.bulk($1, $2)", act, down, timeout=20
                )
            await asyncio.sleep(0.1)
    finally:
        conn.terminate()


@fault("F31", "somebody's transaction stays open while jobs pass", seconds=60)
async def horizon_pinned(stage: Stage) -> None:
    daemons = await stage.daemons(2)
    spans: dict[str, tuple[float, float]] = {}
    stop = asyncio.Event()
    flood = asyncio.create_task(_flood(stage, stop))
    async with stage.clients(20, plain=True):
        await asyncio.sleep(3.0)  # plans and caches are made
        claims = [await _claim_cost(daemons)]
        begun = time.monotonic()
        await asyncio.sleep(stage.seconds / 6)
        claims.append(await _claim_cost(daemons))
        spans["before"] = (begun, time.monotonic())
        async with _somebody(stage, PIN):
            pinned = time.monotonic()
            await asyncio.sleep(stage.seconds * 2 / 3)
            claims.append(await _claim_cost(daemons))
            begun = time.monotonic()
            await asyncio.sleep(stage.seconds / 6)
            claims.append(await _claim_cost(daemons))
            spans["pinned"] = (begun, time.monotonic())
            dead = await stage.value("select coalesce(sum(n_dead_tup), 0)::bigint from pg_stat_user_tables where schemaname = 'bellhand'")  # fmt: skip
            stage.figures["pinned_s"] = round(time.monotonic() - pinned, 1)
    stop.set()
    stage.figures |= {"flood_jobs": await flood, "dead_tuples": dead}
    for name, (before, after) in {"before": (0, 1), "pinned": (2, 3)}.items():
        seconds = claims[after][0] - claims[before][0]
        count = claims[after][1] - claims[before][1]
        stage.figures[f"claim_{name}_mean_ms"] = round(1000 * seconds / max(count, 1.0), 2)
        waits = pickups(read(stage.said.path), read(stage.fleet.journal), *spans[name])
        stage.figures |= spread(f"pickup_{name}", waits, digits=4)


async def _flood(stage: Stage, stop: asyncio.Event) -> int:
    """About 200 jobs a second of nobody's; how many."""
    conn = await asyncpg.connect(stage.dsn, timeout=10)
    many = 0
    try:
        while not stop.is_set():
            await conn.execute("insert into bellhand.jobs (kind, payload) select 'f.quick', '{}' from generate_series(1, 40)")  # fmt: skip
            many += 40
            await asyncio.sleep(0.2)
    finally:
        conn.terminate()
    return many


async def _claim_cost(daemons: list[Daemon]) -> tuple[float, float]:
    """Seconds that all claims took so far, and how many there were, over all daemons."""
    total = {"sum": 0.0, "count": 0.0}
    for daemon in daemons:
        for what, value in CLAIM_SECONDS.findall(await asyncio.to_thread(_metrics, daemon)):
            total[what] += float(value)
    return total["sum"], total["count"]


def _metrics(daemon: Daemon) -> str:
    port = daemon.said("ready")[-1]["status_port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as said:
        return str(said.read(), errors="replace")
