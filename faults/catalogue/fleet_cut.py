"""Machines are cut off, in every way that a network has, and come back."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial

from ..fault import fault
from ..hosts import WAYS, CommandFailed, Host, Hosts, hosts
from ..noticed import noticed
from ..stage import Stage
from ..witness import Event, read
from .f01_killed import longer

BUSY_SECONDS = 4.0
SPARE = 2  # machines that nobody cuts off
HELD_JOBS = 20  # for each of the others
HANDS = 24  # little more than that, so that no machine takes what others are to hold
SPARE_HANDS = 72  # enough for what the others held
JOB_SECONDS = 50.0  # so long that the cut finds them at work, and the lease ends before they do
AWAY_SECONDS = 50.0
BEAT_SECONDS = 5.0
# One more beat of it arrives, and nobody can know that its answer did not; one that was idle beats every third of a lease.
RESUMED_SECONDS_MAX = {way: 35.0 for way in WAYS} | {"answers": 35.0 + 10.0}
LEASE = {"lease_seconds": 30.0, "heartbeat_seconds": BEAT_SECONDS}


@fault("fleet-cut", "four of six machines are cut off for 50 s: link down, packets lost, answers lost, questions lost", seconds=60, drain_seconds=120)  # fmt: skip
async def cut(stage: Stage) -> None:
    machines = await stage.at_end.enter_async_context(hosts(len(WAYS) + SPARE))
    dsn = await machines.let_in(stage)
    for number, host in enumerate(machines.all):
        hands = {"concurrency": HANDS if number < len(WAYS) else SPARE_HANDS}
        stage.daemon(dsn=dsn, worker=LEASE | hands, options={"prefix": host.prefix})
    stage.settings["recovery_seconds_max"] = max(RESUMED_SECONDS_MAX.values())
    await stage.ready()
    client = stage.client()
    spare = [daemon.name for daemon in stage.fleet.daemons[len(WAYS) :]]
    for name in spare:
        await stage.value("select bellhand.drain_worker($1)", name)
    async with stage.clients(20, choose=longer):
        nap = partial(client.enqueue, "f.nap", {"seconds": JOB_SECONDS})
        # What ends in the moment of the cut, or is cancelled behind it, need not run again; these do.
        long = {await nap() or 0 for _ in range(HELD_JOBS * len(WAYS))}
        await asyncio.sleep(1.0)
        for name in spare:
            await stage.value("select bellhand.undrain_worker($1)", name)
        away = partial(_away, stage, machines, long)
        await asyncio.gather(*map(away, range(len(WAYS)), WAYS))
        await asyncio.sleep(BUSY_SECONDS)
    client.drop()


async def _away(stage: Stage, machines: Hosts, long: set[int], number: int, way: str) -> None:
    daemon, host = stage.fleet.daemons[number], machines.all[number]
    held = {start["job"] for start in _starts(stage) if start["pid"] == daemon.pid} & long
    stage.must(bool(held), "held_nothing", way)
    stage.nemesis.saw("cut", way=way, gone=daemon.pid)
    gone = time.monotonic()
    stage.at_heal.push_async_callback(_heal, machines, host, way)
    await machines.cut(host, way)
    await asyncio.sleep(AWAY_SECONDS)
    stopped = noticed([daemon], "lease_running_out", gone, time.monotonic())
    stage.must(bool(stopped), "went_on_after_its_lease", way)
    await machines.heal(host, way)
    back = time.monotonic()
    again = _started_again(stage, held, daemon.pid, gone)
    stage.must(len(again) == len(held), "not_resumed_elsewhere", (way, len(held), len(again)))
    stage.must(max(again, default=0) <= RESUMED_SECONDS_MAX[way], "resumed_late", (way, max(again, default=0)))  # fmt: skip
    working = await stage.until(lambda: _starts_of(stage, daemon.pid, back), 30, f"{daemon.name} works again")  # fmt: skip
    stage.figures |= {
        f"{way}_stopped_s": round(min(stopped, default=0), 1), f"{way}_held": len(held), f"{way}_resumed_max_s": round(max(again, default=0), 1),
        f"{way}_back_s": round(min(working or [0]) - back, 1),
    }  # fmt: skip


async def _heal(machines: Hosts, host: Host, way: str) -> None:
    with suppress(CommandFailed):  # it was healed before: what is not there cannot be taken away
        await machines.heal(host, way)


def _started_again(stage: Stage, jobs: set[int], pid: int, since: float) -> list[float]:
    """The seconds from `since` to the first start of each of these elsewhere."""
    first: dict[int, float] = {}
    for event in _starts(stage, since):
        if event["job"] in jobs and event["pid"] != pid:
            first.setdefault(event["job"], event["t"] - since)
    return list(first.values())


def _starts_of(stage: Stage, pid: int, since: float) -> list[float]:
    return [event["t"] for event in _starts(stage, since) if event["pid"] == pid]


def _starts(stage: Stage, since: float = 0.0) -> list[Event]:
    return [e for e in read(stage.fleet.journal) if e["f"] == "start" and e["t"] > since]
