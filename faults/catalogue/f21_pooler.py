"""F21 and F22: a transaction pooler that nobody told the daemons about; one that restarts or pauses."""

from __future__ import annotations

import asyncio
import time

from ..fault import fault
from ..noticed import pickups, spread
from ..pooler import pooler
from ..returns import Returns
from ..stage import Stage
from ..witness import read
from .f01_killed import longer

DEAF_PICKUP_SECONDS_MAX = 4.0  # they poll every second, and the machine may be slow


@fault("F21", "PgBouncer pools by transaction, and the daemons find out by themselves", seconds=30)
async def transaction_pooler(stage: Stage) -> None:
    way = await stage.at_end.enter_async_context(pooler(stage))
    daemons = await stage.daemons(3, dsn=way.dsn)
    for event in ("pooler_found", "bell_is_deaf"):
        stage.must(all(daemon.said(event) for daemon in daemons), "not_said", event)
    began = time.monotonic()
    async with stage.clients(20, plain=True):
        await asyncio.sleep(stage.seconds / 2)
    calm = time.monotonic()
    async with stage.clients(40, choose=longer):
        await asyncio.sleep(stage.seconds / 2)
    waits = pickups(read(stage.said.path), read(stage.fleet.journal), began, calm)
    stage.figures |= spread("pickup", waits, digits=3)
    stage.must(max(waits) <= DEAF_PICKUP_SECONDS_MAX, "picked_up_late", max(waits))


@fault("F22", "PgBouncer is killed and comes back, or pauses for 2 to 8 s", seconds=60)
async def pooler_restarts(stage: Stage) -> None:
    way = await stage.at_end.enter_async_context(pooler(stage))
    stage.at_heal.callback(way.resume)
    daemons = await stage.daemons(3, dsn=way.dsn)
    returns = Returns(stage)
    kills = pauses = 0
    async with stage.clients(30, choose=longer):
        async for number in stage.moments(2.5, 4.0):
            returns.went()
            if number % 2:
                await way.kill()
                await asyncio.sleep(stage.dice.uniform(0.0, 3.0))
                await way.start()
                kills += 1
            else:
                way.pause()
                await asyncio.sleep(stage.dice.choice([2.0, 4.0, 8.0]))
                way.resume()
                pauses += 1
            returns.came()
        await asyncio.sleep(4.0)
    lost = sum(len(daemon.said("leases_lost")) for daemon in daemons)
    stage.figures |= {"kills": kills, "pauses": pauses, "workers_given_up": lost} | returns.figures()  # fmt: skip
