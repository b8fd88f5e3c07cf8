"""How many NOTIFYs a job costs, heard by a listener of our own: in a drain, and while 16 producers insert."""

from __future__ import annotations

import asyncio

import asyncpg

from ..dry import until_finished
from ..pgbench import pgbench
from ..producer import ready
from ..stage import Stage, Values

DRAIN, SINGLE = "drain", "16 producers"
VARIANTS = {"": (DRAIN, SINGLE)}
JOBS = 4_000
PRODUCERS = 16
DONE_SECONDS = 120
HEAR_SECONDS = 0.5


async def measure(stage: Stage) -> Values:
    heard = 0

    def hear(*_: object) -> None:
        nonlocal heard
        heard += 1

    jobs = stage.jobs(JOBS)
    listener = await asyncpg.connect(stage.place.dsn)
    try:
        for channel in stage.peer.channels:
            await listener.add_listener(channel, hear)
        with stage.alone():
            if stage.variant == DRAIN:
                await stage.peer.fill(stage.place, jobs)
                await asyncio.sleep(HEAR_SECONDS)
                heard = 0
                with stage.peer.crew(stage.place) as crew:
                    await crew.until_called(jobs, DONE_SECONDS)
                    await until_finished(stage)
            else:
                with stage.peer.crew(stage.place) as crew:
                    already = await ready(stage, crew)
                    await asyncio.sleep(HEAR_SECONDS)
                    heard = 0
                    each = jobs // PRODUCERS
                    script = stage.peer.insert_one.replace("$1", "1") + ";\n"
                    ran = await pgbench(stage.place, script, clients=PRODUCERS, transactions=each)
                    await crew.until_called(already + ran.transactions, DONE_SECONDS)
                    await until_finished(stage)
                    jobs = ran.transactions
            await asyncio.sleep(HEAR_SECONDS)
    finally:
        await listener.close()
    return {"per_1000": heard / jobs * 1000}
