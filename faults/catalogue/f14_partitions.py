"""F14 and F15: packets vanish, or only the answers do, or they come when nobody waits any more."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ..client import Client
from ..fault import fault
from ..network import daemons as of_daemons
from ..network import every, named, network
from ..noticed import noticed, spread
from ..partition import partition
from ..returns import Returns
from ..stage import DATABASE, Stage
from ..witness import read
from .f01_killed import longer

BUSY_SECONDS = 4.0
SIGNS = {"beat": "heartbeat_late", "claim": "database_away"}
HELD_JOBS = 48  # as many as three daemons run at once
UNHEARD = """
select coalesce(max(extract(epoch from l.at - (select max(w.beat) from faults.workers w where w.worker = l.worker and w.seq < l.seq))), 0)::float8
from faults.leases l where l.op = 'I'
"""
PARTITION_SECONDS = 18.0  # an idle claim comes after 6 s at the most, and the kernel gives a connection up after 10 s


@fault("F14", "packets between one of three daemons and the database vanish", seconds=72, drain_seconds=90)  # fmt: skip
async def silent_partition(stage: Stage) -> None:
    place = {name: values[0] for name, values in parse_qs(urlsplit(stage.dsn).query).items()}
    socket = Path(place["host"]) / f".s.PGSQL.{place['port']}"
    link = await stage.at_end.enter_async_context(partition(socket))
    far = stage.daemon(dsn=link.dsn(place["user"], DATABASE))
    await stage.daemons(2)
    stage.at_heal.push_async_callback(link.up)
    client = stage.client()
    returns = Returns(stage)
    seen: dict[str, list[float]] = {sign: [] for sign in SIGNS}
    async with stage.clients(30, choose=longer):
        async for _ in stage.moments(BUSY_SECONDS, BUSY_SECONDS + 2, times=stage.many(3)):
            await _queue(client, HELD_JOBS, stage.dice.uniform(2.0, 5.0))
            await asyncio.sleep(0.5)
            stage.nemesis.saw("partition", gone=far.pid)
            await link.down()
            returns.went()
            await asyncio.sleep(PARTITION_SECONDS)
            now = time.monotonic()
            for sign, event in SIGNS.items():
                seen[sign] += noticed([far], event, returns.gone[-1], now)
            await link.up()
            returns.came()
        await asyncio.sleep(2 * BUSY_SECONDS)
    client.drop()
    stage.figures["partitions"] = len(returns.gone)
    for sign, seconds in seen.items():
        stage.must(len(seconds) == len(returns.gone), "not_noticed", (sign, seconds))
        stage.figures |= spread(f"noticed_by_{sign}", seconds)
    back = [_first_start(stage, far.pid, moment) for moment in returns.back]
    stage.must(None not in back, "did_not_work_again", back)
    stage.figures |= spread("back", [seconds for seconds in back if seconds is not None])


def _first_start(stage: Stage, pid: int, since: float) -> float | None:
    starts = (
        event["t"] - since
        for event in read(stage.fleet.journal)
        if event["f"] == "start" and event["pid"] == pid and event["t"] > since
    )
    return min(starts, default=None)


@fault("F15", "answers get lost for 1 to 8 s, then the connections end", seconds=60)
async def answers_lost(stage: Stage) -> None:
    way = await stage.at_end.enter_async_context(network(stage.server.dsn_for(DATABASE, tcp=True)))
    stage.at_heal.callback(way.heal)
    await stage.daemons(3, dsn=way.dsn)
    returns = Returns(stage)
    async with stage.clients(40, choose=longer):
        async for _ in stage.moments(2.0, 4.0):
            way.muting = of_daemons
            returns.went()
            await asyncio.sleep(stage.dice.choice([1.0, 2.5, 4.0, 8.0]))
            way.heal()
            returns.came()
        await asyncio.sleep(BUSY_SECONDS)
    stage.figures |= {"bytes_lost": way.swallowed} | returns.figures()


@fault("F15-commits", "answers get lost for 50 to 300 ms, those to clients' commits too", seconds=45)  # fmt: skip
async def commits_unanswered(stage: Stage) -> None:
    way = await stage.at_end.enter_async_context(network(stage.server.dsn_for(DATABASE, tcp=True)))
    stage.at_heal.callback(way.heal)
    await stage.daemons(3, dsn=way.dsn)
    windows = 0
    choices = [every, named("faults:client"), named("bellhand:settle"), named("bellhand:claim"), named("bellhand:handler", "bellhand:heartbeat")]  # fmt: skip
    async with stage.clients(60, count=4, choose=longer, dsn=way.dsn):
        async for _ in stage.moments(0.1, 0.5):
            stage.nemesis.saw("answers_lost")
            way.muting = stage.dice.choice(choices)
            await asyncio.sleep(stage.dice.uniform(0.05, 0.3))
            way.heal()
            windows += 1
    stage.figures |= {"windows": windows, "bytes_lost": way.swallowed}
    unknown = sum(
        event["f"] == "enqueue" and event["res"] == "info" for event in read(stage.said.path)
    )
    stage.must(unknown > 0, "no_commit_was_left_open")


@fault("F15-beats", "heartbeats alone are held up, for a third of a lease up to two; all else arrives", seconds=60)  # fmt: skip
async def beats_held(stage: Stage) -> None:
    """Who has not beaten for half a lease claims nothing, and what it runs ends before others run it."""
    way = await stage.at_end.enter_async_context(network(stage.server.dsn_for(DATABASE, tcp=True)))
    stage.at_heal.callback(way.heal)
    await stage.daemons(2, dsn=way.dsn)
    await stage.daemons(1)  # it takes over what the others lose
    async with stage.clients(40, choose=longer):
        async for _ in stage.moments(1.0, 3.0):
            stage.nemesis.saw("beats_held")
            way.holding = named("bellhand:heartbeat")
            await asyncio.sleep(stage.lease_seconds * stage.dice.choice([0.35, 0.7, 1.0, 1.5, 2.0]))
            way.heal()
    unheard = await stage.value(UNHEARD)
    stage.must(unheard < 0.8 * stage.lease_seconds, "claimed_without_a_beat", unheard)
    stage.figures["claimed_unheard_max_s"] = round(unheard, 2)


@fault("F15-late", "claims are held up by a middlebox and arrive when their daemon has long given them up", seconds=56, drain_seconds=30)  # fmt: skip
async def claims_arrive_late(stage: Stage) -> None:
    """A late claim leases jobs to a worker that lives, beats, and does not know of them."""
    way = await stage.at_end.enter_async_context(network(stage.server.dsn_for(DATABASE, tcp=True)))
    stage.at_heal.callback(way.heal)
    await stage.daemons(2, dsn=way.dsn, database={"statement_seconds": 4.0, "lock_seconds": 2.0})
    client = stage.client()
    async with stage.clients(30, choose=longer):
        await asyncio.sleep(BUSY_SECONDS)
        stage.nemesis.saw("claims_held")
        held = way.hold_those_that_are(named("bellhand:claim"))
        await asyncio.sleep(stage.seconds - BUSY_SECONDS)
    await _queue(client, 100, 0.5)  # for the late claims to find
    for wire in held:
        wire.held = False
    await _queue(client, 100, 0.5)
    client.drop()
    stage.figures["held"] = len(held)
    stage.must(bool(held), "nothing_was_held")


async def _queue(client: Client, count: int, seconds: float) -> None:
    for _ in range(count):
        await client.enqueue("f.nap", {"seconds": round(seconds, 2)})
