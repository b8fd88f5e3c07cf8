"""F30: a crash between an effect and the completion, at named points of the handler and of every statement's way."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

from ..fault import fault
from ..passage import MOMENTS, Passage, Trap, passage
from ..rough_handlers import POINTS
from ..stage import DATABASE, Stage
from ..witness import read

STATEMENTS = ("claim", "settle", "handler", "keep", "heartbeat")
CAUGHT_SECONDS = 8.0
OUTSIDE = "create table faults.outside (key uuid primary key)"


def in_handlers(dice: random.Random) -> tuple[str, dict[str, Any]]:
    """Now and then a job that dies at some point, among those that are usual."""
    if dice.random() < 0.04:
        return dice.choice(["f.crashing", "f.crashing_effect"]), {"point": dice.choice(POINTS)}
    kind = dice.choice(["f.nap", "f.steps", "f.effect", "f.quick"])
    return kind, {"seconds": round(dice.uniform(0.05, 0.3), 2), "steps": 3}


@fault("F30", "crashes at named points of handlers", seconds=45, daemons_may_end=True)
async def crashes_in_handlers(stage: Stage) -> None:
    await stage.sql(OUTSIDE)
    await stage.daemons(3, modules=["faults.rough_handlers"])
    async with stage.clients(25, choose=in_handlers):
        await asyncio.sleep(stage.seconds / 2)
        client = stage.client()
        for point in POINTS:  # each at least once
            for kind in ("f.crashing", "f.crashing_effect"):
                await client.enqueue(kind, {"point": point})
        client.drop()
        await asyncio.sleep(stage.seconds / 2)
    await _nothing_left(stage)
    calls = [event["job"] for event in read(stage.fleet.journal) if event["f"] == "outside"]
    outside = await stage.value("select count(*) from faults.outside")
    stage.figures |= {"outside_calls": len(calls), "outside_effects": outside}
    stage.must(outside == len(set(calls)), "outside_effect_not_once", (outside, len(set(calls))))


async def _nothing_left(stage: Stage) -> None:
    async def nothing() -> bool:
        return not await stage.value("select count(*) from bellhand.jobs where kind = 'f.crashing'")

    await stage.until(nothing, stage.fault.drain_seconds, "the crashing jobs are over")


@fault("F30-wire", "killed, or cut off, at each moment of each statement's way", seconds=60)
async def crashes_on_the_wire(stage: Stage) -> None:
    dsn = stage.server.dsn_for(DATABASE, tcp=True)
    ways: list[Passage] = []
    for _ in range(3):
        ways.append(await stage.at_end.enter_async_context(passage(dsn)))
        stage.daemon(dsn=ways[-1].dsn)
    await stage.ready()
    points = list(itertools.product(STATEMENTS, MOMENTS, ("kill", "cut")))
    stage.dice.shuffle(points)
    sprung = 0
    async with stage.clients(30):
        for role, moment, how in itertools.islice(itertools.cycle(points), stage.many(90)):
            place = stage.dice.randrange(len(ways))
            way, daemon = ways[place], stage.fleet.daemons[place]
            trap = way.trap = Trap(role, moment, daemon.kill if how == "kill" else way.cut)
            try:
                async with asyncio.timeout(CAUGHT_SECONDS):
                    await trap.sprung.wait()
                    sprung += 1
            except TimeoutError:
                way.trap = None
            await asyncio.sleep(stage.dice.uniform(0.1, 0.4))
    stage.figures |= {"points": len(points), "sprung": sprung}
    stage.must(sprung >= stage.many(90) * 0.7, "traps_not_sprung", sprung)
