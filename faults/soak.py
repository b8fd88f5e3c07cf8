"""The soak: random small faults for hours, in chapters; each chapter ends drained and judged, and memory must stay flat.

The daemons and the server live on from chapter to chapter. The first daemon is never killed: it is the one whose memory
and file descriptors are watched.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from bellhand.dev.postgres import DevPostgres
from bellhand.dev.programs import Preference
from bellhand.migrate import migrate

from . import audit
from .fault import Fault
from .havoc import ACTIONS
from .history import check
from .play import drained, roll_call, stop_all
from .stage import DATABASE, Stage
from .witness import Event, read, write

CHAPTER_SECONDS = 240.0
APART_SECONDS = (2.0, 15.0)
SAMPLE_SECONDS = 5.0
JOBS_PER_SECOND = 30.0
GROWTH_BYTES_MAX = 4_000_000  # of the median of the last quarter over that of the second one
DESCRIPTORS_GROWTH_MAX = 8
SUMS = ("live", "over", "counted")  # of the final row, which count from the beginning
ADDED = ("faults", "jobs", "acked", "indeterminate", "lost", "settled_twice", "reruns", "zombies", "undone", "recoveries")  # fmt: skip
SHOWN = (*ADDED, "recovery_p99_s", "recovery_max_s")
FORGET = """
truncate faults.jobs, faults.leases, faults.effects;
delete from faults.workers a where not exists (select from bellhand.workers w where w.id = a.worker)
  or a.seq < (select max(b.seq) from faults.workers b where b.worker = a.worker and b.op <> 'D');
"""


@dataclass
class Curve:
    """How much memory and how many descriptors the spared daemon has, over time."""

    bytes: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def sample(self, stage: Stage) -> None:
        daemon = stage.fleet.daemons[0]
        with suppress(OSError):
            self.descriptors.append(len(os.listdir(f"/proc/{daemon.pid}/fd")))
            self.bytes.append(daemon.rss_bytes())

    def growth(self) -> tuple[float, float]:
        """Bytes and descriptors: the median of the last quarter less that of the second."""
        memory, descriptors = _quarters(self.bytes), _quarters(self.descriptors)
        return memory[3] - memory[1], descriptors[3] - descriptors[1]


@dataclass
class Soak:
    """What goes on from chapter to chapter."""

    stage: Stage
    jobs_per_second: float
    curve: Curve = field(default_factory=Curve)
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SUMS, 0))
    total: Counter[str] = field(default_factory=Counter)  # of what the chapters print


def _quarters(values: list[int]) -> list[float]:
    """The median of each quarter."""
    at = [len(values) * n // 4 for n in range(5)]
    return [median(values[a : max(a + 1, b)] or [0]) for a, b in pairwise(at)]


async def soak(
    hours: float,
    folder: Path,
    *,
    seed: int,
    postgres: Preference,
    chapter_seconds: float = CHAPTER_SECONDS,
    jobs_per_second: float = JOBS_PER_SECOND,
) -> bool:
    """Run for so many hours, printing a line a chapter; whether everything held."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    end = time.monotonic() + hours * 3600
    fault = Fault(
        "soak", "random small faults", _no_body, seconds=chapter_seconds, drain_seconds=120
    )
    server = DevPostgres(
        prefer=postgres, durable=True, tcp=True, settings={"max_connections": "300"}
    )
    held = True
    try:
        await asyncio.to_thread(server.start)
        await migrate(await asyncio.to_thread(server.create_database, DATABASE))
        stage = Stage(fault, server, folder, seed)
        try:
            await audit.install(await stage.oracle())
            await stage.daemons(4)
            going = Soak(stage, jobs_per_second)
            number = 0
            while time.monotonic() < end or number == 0:
                number += 1
                seconds = min(chapter_seconds, end - time.monotonic())
                held = await _chapter(going, number, seconds) and held
            await stop_all(stage)
            print(f"in all: chapters {number}  {_shown(going.total)}", flush=True)
            held = _flat(going.curve) and not stage.breaches and held
            if stage.breaches:
                print(f"BROKEN: {stage.breaches}")
        finally:
            await stage.close()
            shutil.copy(server.home / "log", folder / "postgres.log")
    finally:
        await asyncio.to_thread(server.close)
    return held


async def _no_body(_stage: Stage) -> None:
    """A soak has chapters instead."""


async def _chapter(going: Soak, number: int, seconds: float) -> bool:
    stage, curve = going.stage, going.curve
    done: list[str] = []
    async with stage.clients(going.jobs_per_second):
        sampling = asyncio.create_task(_sample(stage, curve))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            name = stage.dice.choice(list(ACTIONS))
            stage.nemesis.saw(f"havoc_{name}")
            done.append(name)
            await ACTIONS[name](stage)
            await asyncio.sleep(stage.dice.uniform(*APART_SECONDS))
        sampling.cancel()
    for daemon in stage.fleet.daemons:
        daemon.resume()
    await drained(stage)
    await roll_call(stage)
    await drained(stage)
    events = await _events(stage, going.sums)
    verdict = check(events)
    figures = verdict["figures"] | {"faults": len(done)}
    for name in ADDED:
        going.total[name] += figures[name]
    memory = "unknown"
    if curve.bytes:
        memory = f"{curve.bytes[-1] / 1e6:.1f} MB, {curve.descriptors[-1]} descriptors"
    how = "held" if verdict["valid"] else "BROKEN"
    print(f"chapter {number}: {how}  |  {_shown(figures)}  |  memory {memory}", flush=True)
    if not verdict["valid"]:
        print(f"  {verdict['violations']}  after {' '.join(done)}", flush=True)
        _keep(stage, number, events)
    await _forget(stage)
    return bool(verdict["valid"])


def _shown(figures: Mapping[str, Any]) -> str:
    return "  ".join(f"{name} {figures[name]}" for name in SHOWN if name in figures)


async def _sample(stage: Stage, curve: Curve) -> None:
    while True:
        await asyncio.sleep(SAMPLE_SECONDS)
        curve.sample(stage)


async def _events(stage: Stage, sums: dict[str, int]) -> list[Event]:
    """This chapter's events; sums that count from the beginning are made its own."""
    run: Event = {
        "src": "run",
        "fault": "soak",
        "seed": stage.seed,
        "lease_seconds": stage.lease_seconds,
    } | stage.settings
    found = await audit.collect(await stage.oracle())
    final = found[-1]
    for name in SUMS:
        final[name], sums[name] = final[name] - sums[name], final[name]
    return [
        run,
        *read(stage.said.path),
        *read(stage.fleet.journal),
        *read(stage.nemesis.path),
        *found,
    ]


def _keep(stage: Stage, number: int, events: list[Event]) -> None:
    write(stage.folder / f"chapter{number}.jsonl", events)


async def _forget(stage: Stage) -> None:
    """Everything of this chapter has ended: its events are not needed any more."""
    await (await stage.oracle()).execute(FORGET, timeout=60)
    for file in (stage.said.path, stage.fleet.journal, stage.nemesis.path):
        os.truncate(file, 0)  # those who write append
    for daemon in stage.fleet.daemons:
        os.truncate(daemon.log, 0)


def _flat(curve: Curve) -> bool:
    grown, descriptors = curve.growth()
    flat = grown <= GROWTH_BYTES_MAX and descriptors <= DESCRIPTORS_GROWTH_MAX
    steps = max(1, len(curve.bytes) // 12)
    print(
        "memory of the spared daemon (MB): "
        + " ".join(f"{value / 1e6:.1f}" for value in curve.bytes[::steps])
    )
    quarters = " ".join(f"{value / 1e6:.1f}" for value in _quarters(curve.bytes))
    print(f"median of each quarter (MB): {quarters}")
    print(
        f"{'flat' if flat else 'NOT FLAT'}: grown by {grown / 1e6:.2f} MB and {descriptors:.0f} descriptors"
    )
    return flat
