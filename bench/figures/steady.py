"""500 jobs a second for 20 seconds: how late they begin, and the CPU it takes."""

from __future__ import annotations

import asyncio

from ..arithmetic import percentiles
from ..dry import until_finished
from ..meter import Meter
from ..producer import delays_ms, insert_at, ready
from ..stage import Stage, Values

VARIANTS = {"": ("500 jobs/s",)}
PER_SECOND = 500
SECONDS = 20
PRODUCERS = 8
REST_SECONDS = 1


async def measure(stage: Stage) -> Values:
    moments = [index / PER_SECOND for index in range(stage.seconds(SECONDS) * PER_SECOND)]
    with stage.alone(), stage.peer.crew(stage.place) as crew:
        already = await ready(stage, crew)
        await asyncio.sleep(REST_SECONDS)
        meter = Meter(stage.place, crew)
        before = await meter.read()
        began, _ = await insert_at(stage, moments, PRODUCERS)
        delays = await delays_ms(crew, began, already)
        await until_finished(stage)
        after = await meter.read()
    due = (began[0] + moment * 1e9 for moment in moments)
    fell_behind = max(at - due_at for at, due_at in zip(began, due, strict=True)) / 1e6
    return percentiles(delays, 50, 99) | {
        "max": max(delays),
        "worker_cpu": after.worker_cpu - before.worker_cpu,
        "postgres_cpu": after.postgres_cpu - before.postgres_cpu,
        "producers_late_ms": fell_behind,
    }
