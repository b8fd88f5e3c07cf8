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
from ..witness import read
from .f01_killed import longer

BUSY_SECONDS = 4.0
SPARE = 2  # machines that nobody cuts off
HELD_JOBS = 20  # for each of them
HANDS = 64
JOB_SECONDS = 50.0  # so long that the cut finds them at work, and the lease ends before they do
AWAY_SECONDS = 50.0
BEAT_SECONDS = 5.0
GOT_THROUGH_SECONDS = 0.5  # what ended in the moment of the cut may have been settled
# One more beat of it arrives, and nobody can know that its answer did not; one that was idle beats every third of a lease.
RESUMED_SECONDS_MAX = {way: 35.0 for way in WAYS} | {"answers": 35.0 + 10.0}
LEASE = {"lease_seconds": 30.0, "heartbeat_seconds": BEAT_SECONDS, "concurrency": HANDS}


@fault("fleet-cut", "four of six machines are cut off for 50 s: link down, packets lost, answers lost, questions lost", seconds=60, drain_seconds=120)  # fmt: skip
async def cut(stage: Stage) -> None:
    machines = await stage.at_end.enter_async_context(hosts(len(WAYS) + SPARE))
    dsn = await machines.let_in(stage)
    for host in machines.all:
        stage.daemon(dsn=dsn, worker=LEASE, options={"prefix": host.prefix})
    stage.settings["recovery_seconds_max"] = max(RESUMED_SECONDS_MAX.values())
    await stage.ready()
    client = stage.client()
    async with stage.clients(20, choose=longer):
        for _ in range(HELD_JOBS * len(machines.all)):
            await client.enqueue("f.nap", {"seconds": JOB_SECONDS})
        await asyncio.sleep(1.0)
        await asyncio.gather(*map(partial(_away, stage, machines), range(len(WAYS)), WAYS))
        await asyncio.sleep(BUSY_SECONDS)
    client.drop()


async def _away(stage: Stage, machines: Hosts, number: int, way: str) -> None:
    daemon, host = stage.fleet.daemons[number], machines.all[number]
    held = _at_work(stage, daemon.pid)
    stage.must(bool(held), "held_nothing", way)
    stage.nemesis.saw("cut", way=way, gone=daemon.pid)
    gone = time.monotonic()
    stage.at_heal.push_async_callback(_heal, machines, host, way)
    await machines.cut(host, way)
    await asyncio.sleep(AWAY_SECONDS)
    held -= _ended(stage, daemon.pid, before=gone + GOT_THROUGH_SECONDS)
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


def _at_work(stage: Stage, pid: int) -> set[int]:
    """The jobs of a process that have begun and not ended, by its journal."""
    found: set[int] = set()
    for event in read(stage.fleet.journal):
        if event.get("pid") == pid and event["f"] in ("start", "stop"):
            (found.add if event["f"] == "start" else found.discard)(event["job"])
    return found


def _ended(stage: Stage, pid: int, before: float) -> set[int]:
    """What a process was done with by then: whether that was written down before the cut, only the history knows."""
    return {e["job"] for e in read(stage.fleet.journal) if e["f"] == "stop" and e["pid"] == pid and e["t"] < before}  # fmt: skip


def _started_again(stage: Stage, jobs: set[int], pid: int, since: float) -> list[float]:
    """The seconds from `since` to the first start of each of these elsewhere."""
    first: dict[int, float] = {}
    for event in read(stage.fleet.journal):
        if (
            event["f"] == "start"
            and event["job"] in jobs
            and event["pid"] != pid
            and event["t"] > since
        ):
            first.setdefault(event["job"], event["t"] - since)
    return list(first.values())


def _starts_of(stage: Stage, pid: int, since: float) -> list[float]:
    return [e["t"] for e in read(stage.fleet.journal) if e["f"] == "start" and e["pid"] == pid and e["t"] > since]  # fmt: skip
