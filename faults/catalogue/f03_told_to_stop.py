"""F3: SIGTERM at every moment of a daemon's life, start-up included, and a second one soon after."""

from __future__ import annotations

import asyncio
import signal
import time

from ..fault import fault
from ..figures import percentile
from ..fleet import Daemon
from ..stage import Stage
from .f01_killed import longer

STEP_SECONDS = 0.02
STEPS = 100  # 0 to 2 s after its start
EXIT_SECONDS = 20.0
# Before the program is loaded the signal ends it by itself; systemd takes that for a clean end too.
CLEAN = {0, -signal.SIGTERM}


@fault(
    "F3", "SIGTERM in 20 ms steps over the first 2 s of a life, every third time twice", seconds=50
)
async def told_to_stop(stage: Stage) -> None:
    steady = await stage.daemons(1)
    swept = await stage.daemons(3, worker={"grace_seconds": 1.5, "kill_grace_seconds": 0.5})
    moments = list(range(0, STEPS, max(1, STEPS // stage.many(STEPS))))
    stage.dice.shuffle(moments)
    stops: list[float] = []
    async with stage.clients(30, choose=longer):
        await asyncio.gather(*(_sweep(stage, daemon, moments, stops) for daemon in swept))
    stage.must(not steady[0].codes, "the_other_daemon_ended", steady[0].codes)
    codes = [code for daemon in swept for code, _ in daemon.codes]
    stage.must(set(codes) <= CLEAN, "exit_code", sorted(set(codes)))
    stage.figures |= {
        "stops": len(stops),
        "stop_p50_s": round(percentile(stops, 0.5), 2),
        "stop_max_s": round(max(stops), 2),
    }
    crashed = await stage.value("select count(*) from faults.jobs where op <> 'D' and crashes > 0")
    stage.must(not crashed, "charged_for_a_graceful_stop", crashed)


async def _sweep(stage: Stage, daemon: Daemon, moments: list[int], stops: list[float]) -> None:
    while moments:
        moment = moments.pop() * STEP_SECONDS
        lives = daemon.starts
        await asyncio.sleep(max(0.0, daemon.since + moment - time.monotonic()))
        begun = time.monotonic()
        daemon.signal(signal.SIGTERM)
        if len(moments) % 3 == 0:
            await asyncio.sleep(stage.dice.uniform(0.0, 0.5))
            if daemon.starts == lives:
                daemon.signal(signal.SIGTERM)
        if not await _ended(stage, daemon, lives):
            daemon.kill()
        stops.append(time.monotonic() - begun)
        await _born(stage, daemon, lives)


async def _ended(stage: Stage, daemon: Daemon, lives: int) -> bool:
    what = f"{daemon.name} ends"
    return bool(await stage.until(lambda: len(daemon.codes) >= lives, EXIT_SECONDS, what))


async def _born(stage: Stage, daemon: Daemon, lives: int) -> None:
    what = f"{daemon.name} starts again"
    await stage.until(lambda: daemon.starts > lives and daemon.pid, EXIT_SECONDS, what)
