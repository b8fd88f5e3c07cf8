"""Procrastinate in a process of its own: `install`, `fill N`, or `work CONCURRENCY POOL`."""

from __future__ import annotations

import sys
import time
from typing import Any

import uvloop
from procrastinate import App, PsycopgConnector

from bench.witness import witness

FILL_BATCH = 5000
FILLER = "x" * 80


def app_with(pool: int) -> App:
    return App(connector=PsycopgConnector(min_size=pool, max_size=pool))


async def install() -> None:
    app = app_with(1)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def fill(jobs: int) -> None:
    """Its batch_defer; prints the seconds."""
    app = app_with(1)
    deferred = app.configure_task("nothing", queue="default")
    arguments: list[dict[str, Any]] = [{"n": n, "text": FILLER} for n in range(jobs)]
    async with app.open_async():
        started = time.perf_counter()
        for first in range(0, jobs, FILL_BATCH):
            await deferred.batch_defer_async(*arguments[first : first + FILL_BATCH])
        print(time.perf_counter() - started)


async def work(concurrency: int, pool: int) -> None:
    seen = witness()
    app = app_with(pool)

    @app.task(name="nothing", queue="default")
    async def nothing(n: int, text: str) -> None:
        seen.called()

    @app.task(name="timed", queue="default")
    async def timed(n: int) -> None:
        seen.began(n)

    async with app.open_async():
        await app.run_worker_async(concurrency=concurrency)


if __name__ == "__main__":
    verb, *numbers = sys.argv[1:]
    uvloop.run({"install": install, "fill": fill, "work": work}[verb](*map(int, numbers)))
