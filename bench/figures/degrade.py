"""Whether the pace holds when the database is not young and empty; every other run is a clean one, to compare with."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg

from ..dry import paces, until_finished
from ..place import Place
from ..stage import Stage, Values

CLEAN = "clean"
SCHEDULED, FINISHED = "1M scheduled", "1M finished"
BACKLOG, PINNED = "deep backlog", "horizon pinned"
# Graphile Worker keeps nothing of what is finished, and for the rest the other peers would need hours.
VARIANTS = {
    "bellhand": (CLEAN, SCHEDULED, CLEAN, FINISHED, CLEAN, PINNED, CLEAN, BACKLOG),
    "graphile": (CLEAN, SCHEDULED, CLEAN, PINNED),
    "pgqueuer": (CLEAN, SCHEDULED, CLEAN, PINNED),
}
MILLION = 1_000_000
CHUNK = 250_000
DRAINS = 3  # so many times what the peer's plain drain passes
PARTS = 6
FINISH_SECONDS = 120


async def measure(stage: Stage) -> Values:
    """The pace over all jobs that pass, and of each sixth of them, by handler calls."""
    jobs = stage.jobs(DRAINS * stage.peer.drain_jobs)
    await _prepare(stage, jobs)
    with stage.alone():
        async with _pinned(stage.place, stage.variant == PINNED):
            with stage.peer.crew(stage.place) as crew:
                await crew.until_all_began(jobs)
                began, started = crew.calls, time.monotonic()
                marks = [began + (jobs - began) * part // PARTS for part in range(PARTS + 1)]
                parts = await paces(crew, marks)
                seconds = time.monotonic() - started
    return {"per_second": (jobs - began) / seconds, "parts": parts}


async def _prepare(stage: Stage, jobs: int) -> None:
    fill, place = stage.peer.fill, stage.place
    if stage.variant == SCHEDULED:
        await _in_chunks(stage, stage.jobs(MILLION), stage.peer.fill_later)
    elif stage.variant == FINISHED:
        finished = stage.jobs(MILLION)
        await _in_chunks(stage, finished, fill)
        with stage.together(), stage.peer.crew(place) as crew:
            await crew.until_called(finished, FINISH_SECONDS)
            await until_finished(stage)
    await _in_chunks(stage, stage.jobs(stage.backlog) if stage.variant == BACKLOG else jobs, fill)
    with stage.together():
        await place.settle_down()


async def _in_chunks(
    stage: Stage, jobs: int, fill: Callable[[Place, int], Awaitable[object]]
) -> None:
    """Lets others have the machine in between."""
    for done in range(0, jobs, CHUNK):
        with stage.together():
            await fill(stage.place, min(CHUNK, jobs - done))


@asynccontextmanager
async def _pinned(place: Place, pinned: bool) -> AsyncIterator[None]:
    """A transaction with a snapshot, as a forgotten session or a long report has it: vacuum may remove nothing."""
    if not pinned:
        yield
        return
    foreign = await asyncpg.connect(place.dsn)
    try:
        await foreign.execute("begin isolation level repeatable read")
        await foreign.fetchval("select count(*) from pg_class")
        yield
    finally:
        await foreign.close()
