"""How well starts and finishes are foretold: a daemon with a mix of kinds, asked at random moments, judged by what happened.

`make bench-eta` (MINUTES=12) prints a line a kind. The first third only measures. Nothing of it depends on the machine's
speed but the daemon's own delays: the handlers sleep.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog

from bellhand import Job, job_kind
from bellhand.app import Daemon
from bellhand.dev.postgres import DevPostgres
from bellhand.kinds import ATTRIBUTE
from bellhand.migrate import migrate
from bellhand.settings import Settings
from bellhand.sql import query

ASKED = """
select j.id as job, j.epoch, e.* from (
  (select r.id from bellhand.running r order by random() limit 2)
  union (select q.id from bellhand.queue q order by random() limit 2)) x
join bellhand.jobs j on j.id = x.id cross join lateral bellhand.eta(x.id) e
"""
FACTS = "select id, kind, epoch, started_at, finished_at from bellhand.history where state <> 'cancelled'"
dice = random.Random(7)
CONCURRENCY = 8


def around(middle: float, spread: float) -> float:
    """A log-normal number of seconds."""
    return middle * math.exp(dice.gauss(0, spread))


@job_kind("mix.quick")
async def quick() -> None:
    await asyncio.sleep(around(0.2, 0.3))


@job_kind("mix.even")
async def even() -> None:
    await asyncio.sleep(around(2, 0.05))


@job_kind("mix.wild")
async def wild() -> None:
    await asyncio.sleep(min(60, around(3, 1)))


@job_kind("mix.either")
async def either() -> None:
    await asyncio.sleep(around(dice.choice((1, 10)), 0.2))


@job_kind("mix.retried", backoff_base_seconds=3)
async def retried() -> None:
    await asyncio.sleep(around(1, 0.3))
    if dice.random() < 0.1:
        raise ValueError("one in ten")


@job_kind("mix.steps", timeout_seconds=None)
async def steps(payload: dict[str, int], job: Job) -> None:
    pace = around(0.5, 0.4)  # of this job: a slow site, a slow service

    async def one(_item: int) -> None:
        await asyncio.sleep(around(pace, 0.5))

    await job.each(range(payload["steps"]), one)


@job_kind("mix.named")
async def named(job: Job) -> None:
    for name, middle in (("look", 0.2), ("read", 0.6), ("think", 4.0), ("write", 1.0)):
        await job.step(name, asyncio.sleep, around(middle, 0.3))


@job_kind("mix.items")
async def items(payload: dict[str, int], job: Job) -> None:
    total = payload["steps"]
    for done in range(total):
        job.progress(done=done, total=total)
        await asyncio.sleep(around(0.25, 0.4))


@job_kind("mix.limited", lane="limited")
async def limited() -> None:
    await asyncio.sleep(around(1.5, 0.4))


# How many of each arrive in a second; together they keep the daemon about as busy as it can be without drowning.
ARRIVALS: dict[Callable[..., Any], float] = {
    quick: 2, even: 0.3, wild: 0.12, either: 0.1, retried: 0.3, steps: 0.08, named: 0.1, items: 0.1, limited: 1.1,
}  # fmt: skip
BURST_SECONDS, BURST = 60.0, 25
SIZED = (steps, items)


@dataclass
class Tally:
    """How often the bands of one kind held."""

    judged: int = 0
    held: int = 0
    early: int = 0
    unsaid: int = 0
    widths: list[float] = field(default_factory=list)


@asynccontextmanager
async def at_work(dsn: str) -> AsyncIterator[None]:
    """A daemon with these kinds."""
    kinds = {getattr(one, ATTRIBUTE).name: getattr(one, ATTRIBUTE) for one in ARRIVALS}
    worker = {"concurrency": CONCURRENCY}
    lanes = {"limited": {"concurrency": 2}}
    settings = Settings.model_validate(
        {"dsn": dsn, "worker": worker, "lanes": lanes, "status": {"port": 0}, "log": {"level": "error"}}
    )  # fmt: skip
    daemon = Daemon(settings, kinds=kinds)
    running = asyncio.create_task(daemon.run())
    await daemon.ready.wait()
    try:
        yield
    finally:
        daemon.stop()
        await running


async def arrive(conn: asyncpg.Connection, seconds: float) -> None:
    """Jobs come one by one, and now and then many at once."""
    loop = asyncio.get_running_loop()
    end, burst_at = loop.time() + seconds, loop.time() + BURST_SECONDS
    names = list(ARRIVALS)
    while loop.time() < end:
        await asyncio.sleep(dice.expovariate(sum(ARRIVALS.values())))
        count = 1
        if loop.time() > burst_at:
            burst_at, count = burst_at + BURST_SECONDS, BURST
        for one in dice.choices(names, weights=list(ARRIVALS.values()), k=count):
            payload = f'{{"steps": {dice.randint(5, 40)}}}' if one in SIZED else "{}"
            await conn.execute(
                "insert into bellhand.jobs (kind, payload) values ($1, $2)",
                getattr(one, ATTRIBUTE).name,
                payload,
                timeout=10,
            )


async def ask(conn: asyncpg.Connection, seconds: float) -> list[dict[str, Any]]:
    """What is said at random moments of some jobs that are there."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    said: list[dict[str, Any]] = []
    while loop.time() < end:
        await asyncio.sleep(0.3 + dice.random() * 0.4)
        said += [dict(row) for row in await conn.fetch(ASKED, timeout=10)]
    return said


def judge(said: list[dict[str, Any]], facts: dict[int, Any]) -> dict[tuple[str, str], Tally]:
    """Bands against what happened, by kind and what was foretold."""
    tallies: defaultdict[tuple[str, str], Tally] = defaultdict(Tally)
    for one in said:
        fact = facts.get(one["job"])
        if fact is None:
            continue
        for what, happened in (("finish", fact["finished_at"]), ("start", fact["started_at"])):
            name = "finishes" if what == "finish" else "starts"
            moved = what == "start" and (one["state"] == "running" or fact["epoch"] != one["epoch"])
            if moved:
                continue
            tally = tallies[fact["kind"], what if what == "start" else f"{what}, {one['state']}"]
            low, high = one[f"{name}_low"], one[f"{name}_high"]
            if low is None:
                tally.unsaid += 1
                continue
            # A second is as near as anybody asks; keep_score.sql has the same.
            early = (low - happened).total_seconds() > 1
            late = (happened - high).total_seconds() > 1
            tally.judged += 1
            tally.held += not early and not late
            tally.early += early
            tally.widths.append((high - low).total_seconds())
    return tallies


async def measure(minutes: float) -> None:
    """Run the mix and print how it was foretold."""
    seconds = minutes * 60
    with DevPostgres(durable=False) as server:
        dsn = server.create_database("eta")
        await migrate(dsn)
        producer, asker = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
        async with at_work(dsn):
            arriving = asyncio.create_task(arrive(producer, seconds))
            await asyncio.sleep(seconds / 3)
            said = await ask(asker, seconds * 2 / 3)
            await arriving
            while not await asker.fetchval("select not exists (select from bellhand.jobs)"):
                await asyncio.sleep(1)
        facts = {row["id"]: row for row in await asker.fetch(FACTS)}
        kept = await asker.fetch(query("calibration"))
        await producer.close()
        await asker.close()
    show(judge(said, facts), len(facts))
    for what in ("start", "finish"):
        rows = [row for row in kept if row["what"] == what]
        judged, held = (sum(row[name] for row in rows) for name in ("judged", "held"))
        print(f"the daemon's own score: {what} held {held} of {judged}")


def show(tallies: dict[tuple[str, str], Tally], jobs: int) -> None:
    """A line a kind, and one for all."""
    print(f"{jobs} jobs in {CONCURRENCY} hands")
    print(f"{'kind':<14}{'what':<20}{'judged':>8}{'held':>7}{'early':>7}{'unsaid':>8}{'width':>9}")
    for (kind, what), one in sorted(tallies.items()):
        share = f"{one.held / one.judged:.0%}" if one.judged else "-"
        early = f"{one.early / one.judged:.0%}" if one.judged else "-"
        width = f"{sum(one.widths) / len(one.widths):.1f} s" if one.widths else "-"
        print(f"{kind:<14}{what:<20}{one.judged:>8}{share:>7}{early:>7}{one.unsaid:>8}{width:>9}")
    for word in ("start", "finish"):
        chosen = [one for (_, what), one in tallies.items() if what.startswith(word)]
        judged, held = sum(one.judged for one in chosen), sum(one.held for one in chosen)
        print(f"{word}: {held / max(1, judged):.1%} of {judged} bands held")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=12.0)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("warning"))
    asyncio.run(measure(parser.parse_args().minutes))


if __name__ == "__main__":
    main()
