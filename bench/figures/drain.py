"""How fast a queue that is full runs dry."""

from __future__ import annotations

from ..dry import run_dry
from ..meter import left_behind
from ..stage import Stage, Values

ONE, TWO = "one worker", "two workers"
VARIANTS = {"": (ONE, TWO)}


async def measure(stage: Stage) -> Values:
    jobs = stage.jobs(stage.peer.drain_jobs)
    with stage.together():
        await stage.peer.fill(stage.place, jobs)
        await stage.place.settle_down()
    with stage.alone():
        with stage.peer.crew(stage.place, 2 if stage.variant == TWO else 1) as crew:
            values = await run_dry(stage, crew, jobs)
        return {**values, **await left_behind(stage.place, jobs)}
