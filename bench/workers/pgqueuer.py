"""PgQueuer in a process of its own: `install`, `fill N`, or `work CONSUMERS BATCH`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from bench.witness import witness

FILL_BATCH = 5000
FILLER = "x" * 80


async def queries() -> Queries:
    return Queries(AsyncpgDriver(await asyncpg.connect()))


async def install() -> None:
    store = await queries()
    await store.install()
    await store.optimize_autovacuum()


async def fill(jobs: int) -> None:
    """Its enqueue with lists; prints the seconds."""
    store = await queries()
    payloads = [json.dumps({"n": n, "text": FILLER}).encode() for n in range(jobs)]
    started = time.perf_counter()
    for first in range(0, jobs, FILL_BATCH):
        some = payloads[first : first + FILL_BATCH]
        await store.enqueue(["nothing"] * len(some), some, [0] * len(some))
    print(time.perf_counter() - started)


async def work(consumers: int, batch: int) -> None:
    seen = witness()
    queues = [PgQueuer(AsyncpgDriver(await asyncpg.connect())) for _ in range(consumers)]
    for queue in queues:

        @queue.entrypoint("nothing")
        async def nothing(job: Job) -> None:
            seen.called()

        @queue.entrypoint("timed")
        async def timed(job: Job) -> None:
            seen.began(int(job.payload or b"0"))

    def stop() -> None:
        for queue in queues:
            queue.shutdown.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    await asyncio.gather(*(queue.run(batch_size=batch) for queue in queues))


if __name__ == "__main__":
    verb, *numbers = sys.argv[1:]
    uvloop.run({"install": install, "fill": fill, "work": work}[verb](*map(int, numbers)))
