"""How soon an idle worker begins a job: from the start of its INSERT to the start of its handler."""

from __future__ import annotations

import asyncio
import random

from ..arithmetic import percentiles
from ..producer import delays_ms, insert_at, ready
from ..stage import Stage, Values

VARIANTS = {"": ("idle worker",)}
JOBS = 300
GAP_SECONDS = (0.02, 0.08)
REST_SECONDS = 2


async def measure(stage: Stage) -> Values:
    chance = random.Random(stage.place.name)  # other moments in each run
    moments, at = [], 0.0
    for _ in range(stage.jobs(JOBS)):
        at += chance.uniform(*GAP_SECONDS)
        moments.append(at)
    with stage.alone(), stage.peer.crew(stage.place) as crew:
        already = await ready(stage, crew)
        await asyncio.sleep(REST_SECONDS)
        began, took = await insert_at(stage, moments, connections=1)
        delays = await delays_ms(crew, began, already)
    return percentiles(delays, 50, 95, 99) | {
        "max": max(delays),
        "insert_p50": percentiles(took, 50)["p50"],
    }
