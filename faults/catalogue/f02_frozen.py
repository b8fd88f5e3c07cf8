"""F2: a daemon stands still for longer than its lease, then goes on as if nothing had been."""

from __future__ import annotations

import asyncio
import random
import signal
from typing import Any

from ..fault import fault
from ..fleet import Daemon
from ..stage import Stage
from .f01_killed import AWAKE_SECONDS, longer

SURE_SECONDS = 2.0  # beyond the lease, so that others have surely taken over


@fault("F2", "SIGSTOP for 0.5 to 9 s (the lease is 3 s), then SIGCONT", seconds=60)
async def frozen(stage: Stage) -> None:
    await stage.daemons(4, worker={"concurrency": 40})
    thaws: set[asyncio.Task[None]] = set()
    longest = stops = 0.0
    async with stage.clients(30, choose=outlasting):
        async for _ in stage.moments(0.3, 1.5):
            awake = [d for d in stage.fleet.daemons if d.pid and d.pid not in d.stopped]
            victim = stage.fleet.any(AWAKE_SECONDS)
            if victim is None or len(awake) < 2:
                continue
            at_most = max(6.0, stage.seconds / 4)
            able = [seconds for seconds in (0.5, 2.5, 3.5, 6.0, 9.0) if seconds <= at_most]
            seconds = stage.dice.choice(able) * stage.dice.uniform(0.9, 1.1)
            victim.signal(signal.SIGSTOP, gone=seconds > stage.lease_seconds + SURE_SECONDS)
            stops, longest = stops + 1, max(longest, seconds)
            thaws.add(asyncio.create_task(_thaw(victim, seconds)))
        await asyncio.gather(*thaws)
    stage.figures |= {"stops": int(stops), "longest_s": round(longest, 1)}


def outlasting(dice: random.Random) -> tuple[str, dict[str, Any]]:
    """Some sleep so long that they are over in the thawed daemon while they run in another one."""
    if dice.random() < 0.3:
        return "f.nap", {"seconds": round(dice.uniform(1.0, 4.0), 1), "parts": 1}
    return longer(dice)


async def _thaw(daemon: Daemon, seconds: float) -> None:
    pid = daemon.pid
    await asyncio.sleep(seconds)
    if daemon.pid == pid:
        daemon.resume()
