"""Single INSERTs from this process, each at its moment, and how long after it the handler began."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import asyncpg

from .crew import START_SECONDS, Crew
from .dry import until_finished
from .stage import Stage

PROBE = 0  # the number of the job that says a worker works
ARRIVE_SECONDS = 30


async def ready(stage: Stage, crew: Crew) -> int:
    """Returns when every part of a new worker works: it was given a job and has finished it. Handler calls so far."""
    await stage.place.conn.execute(stage.peer.insert_one, PROBE)
    await crew.until_called(1, START_SECONDS)
    await until_finished(stage)
    return crew.calls


async def insert_at(
    stage: Stage, moments: Sequence[float], connections: int
) -> tuple[list[int], list[float]]:
    """Inserts job n (from 1) at `moments[n - 1]` seconds from now; when each call began, in monotonic nanoseconds, and how many
    milliseconds it took, commit included: nobody can pick a job up sooner."""
    clients = [await asyncpg.connect(stage.place.dsn) for _ in range(connections)]
    began, took_ms = [0] * len(moments), [0.0] * len(moments)
    try:
        statements = [await client.prepare(stage.peer.insert_one) for client in clients]
        for client in clients:
            # prepare() leaves a transaction open until the next statement.
            await client.execute("select")
        start = time.monotonic()

        async def produce(
            first: int, statement: asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]
        ) -> None:
            for index in range(first, len(moments), connections):
                await asyncio.sleep(start + moments[index] - time.monotonic())
                began[index] = time.monotonic_ns()
                await statement.fetch(index + 1)
                took_ms[index] = (time.monotonic_ns() - began[index]) / 1e6

        await asyncio.gather(
            *(produce(first, statement) for first, statement in enumerate(statements))
        )
    finally:
        for client in clients:
            await client.close()
    return began, took_ms


async def delays_ms(crew: Crew, began: Sequence[int], already: int) -> list[float]:
    """From the start of each INSERT to the start of its handler, once all have been called."""
    await crew.until_called(already + len(began), ARRIVE_SECONDS)
    return [(crew.began_ns(index + 1) - at) / 1e6 for index, at in enumerate(began)]
