"""A queue run dry, watched from outside, the same way for every peer."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

from .crew import LOOK_SECONDS, Crew
from .meter import Meter, spent
from .stage import Stage, Values

DRAIN_SECONDS = 300
FINISH_SECONDS = 60


async def run_dry(stage: Stage, crew: Crew, jobs: int) -> Values:
    """From the first handler call (two processes: from when both have begun) to no unfinished job left."""
    meter = Meter(stage.place, crew)
    await crew.until_all_began(jobs)
    if crew.size == 1:
        started, earlier = crew.witnesses[0].first_ns / 1e9, 0
    else:
        started, earlier = time.monotonic(), crew.calls
    unmetered = crew.calls
    before = await meter.read()
    await crew.until_called(jobs, DRAIN_SECONDS)
    ended = await until_finished(stage)
    after = await meter.read()
    return {
        "per_second": (jobs - earlier) / (ended - started),
        **spent(before, after, max(1, jobs - unmetered)),
    }


async def until_finished(stage: Stage) -> float:
    """When no job was unfinished any more: the moment before the look that found none, on the monotonic clock."""
    deadline = time.monotonic() + FINISH_SECONDS
    while (look := time.monotonic()) < deadline:
        if await stage.place.value(stage.peer.unfinished) is None:
            return look
        await asyncio.sleep(LOOK_SECONDS)
    raise TimeoutError(
        f"{stage.peer.name}: jobs are left {FINISH_SECONDS} s after the last handler call"
    )


async def paces(crew: Crew, marks: list[int]) -> list[float]:
    """Handler calls a second between one mark and the next, as the count passes them."""
    passed = []
    for mark in marks:
        await crew.until_called(mark, DRAIN_SECONDS)
        passed.append((crew.calls, time.monotonic()))
    return [
        (calls - calls_before) / (at - before)
        for (calls_before, before), (calls, at) in pairwise(passed)
    ]
