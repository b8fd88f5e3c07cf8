"""F1: kill -9 at random moments."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from ..fault import fault
from ..stage import Stage

AWAKE_SECONDS = 1.0  # a daemon that has just started holds nothing yet
SLOW = 2.5  # so many times as long as planned may the kills take


async def kills(stage: Stage, count: int, apart: tuple[float, float]) -> None:
    """Kill one that works, again and again, but never the last one: who is left takes over. Adds to the figure `kills`.

    On a machine on which daemons take long to start there are fewer kills than wished for.
    """
    done = 0
    end = time.monotonic() + SLOW * count * sum(apart) / 2
    while done < count and time.monotonic() < end:
        await asyncio.sleep(stage.dice.uniform(*apart))
        working = [daemon for daemon in stage.fleet.daemons if daemon.at_work()]
        if len(working) > 1:
            done += bool(stage.dice.choice(working).kill())
    stage.figures["kills"] = stage.figures.get("kills", 0) + done


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
