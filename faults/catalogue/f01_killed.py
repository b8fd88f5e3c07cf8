"""F1: kill -9 at random moments."""

from __future__ import annotations

import asyncio
from typing import Any

from ..fault import fault
from ..stage import Stage

AWAKE_SECONDS = 1.0  # a daemon that has just started holds nothing yet


async def kills(stage: Stage, count: int, apart: tuple[float, float]) -> None:
    """Kill one that works, again and again."""
    done = 0
    while done < count:
        await asyncio.sleep(stage.dice.uniform(*apart))
        victim = stage.fleet.any(AWAKE_SECONDS)
        done += bool(victim and victim.kill())
    stage.figures["kills"] = done


@fault("F1", "SIGKILL at 200 random moments", seconds=110)
async def killed(stage: Stage) -> None:
    await stage.daemons(5)
    async with stage.clients(40, choose=longer):
        await kills(stage, stage.many(200), (0.3, 0.7))


@fault("F1-default", "SIGKILL with the default lease of 30 s", seconds=60, drain_seconds=120)
async def killed_with_the_default_lease(stage: Stage) -> None:
    await stage.daemons(
        3, worker={"lease_seconds": 30.0, "heartbeat_seconds": 5.0, "concurrency": 64}
    )
    async with stage.clients(15, choose=longer):
        await kills(stage, stage.many(20), (2.0, 4.0))


def longer(dice: Any) -> tuple[str, dict[str, Any]]:
    """Jobs that a kill finds at work; few and short ones in the limited lane, whose dead hold its slots for a lease."""
    kinds = ["f.quick", "f.nap", "f.limited", "f.steps", "f.effect", "f.flaky"]
    kind = dice.choices(kinds, [20, 30, 5, 20, 15, 10])[0]
    seconds = dice.uniform(0.05, 0.1) if kind == "f.limited" else dice.uniform(0.1, 0.6)
    return kind, {"seconds": round(seconds, 2), "steps": 4, "until": 2}
