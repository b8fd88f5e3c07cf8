"""Stages that ask somebody else: in chunks, each with its own timeout, several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from bellhand.clients.errors import ServiceError
from bellhand.outcomes import Failed, LeaseLost

from .run import Run

T = TypeVar("T")
Undecided = dict[int, str]  # why, by the item


# What the same question would meet again; a person may change the budget, the price or the item, and retry.
FOR_GOOD = ("bad_request", "blocked", "budget_spent", "no_price", "refused", "too_long")


class ItemsFailed(Exception):
    """Some items of a chunk could not be decided; which and why is in bellhand_matching.run_items."""

    def __init__(self, chunk: int, failed: Undecided) -> None:
        super().__init__(f"{len(failed)} items of chunk {chunk}: {next(iter(failed.values()))}")
        self.retryable = any(why.partition(":")[0] not in FOR_GOOD for why in failed.values())


async def in_chunks(
    run: Run,
    stage: int,
    ask: Callable[[int], Awaitable[Undecided]],
    *,
    last: bool,
    size: int,
    at_once: int,
    seconds: float,
    least: float | None,
) -> None:
    """Ask about everything that waits, in chunks of `size`; `least` leaves out items without a candidate as likely.

    `ask` decides what is left of one chunk and returns its failures by item. A chunk that fails or
    takes longer than `seconds` does not stop the others; when all fail, the attempt fails.
    """
    job = run.job

    async def one(chunk: int) -> int:
        bound = asyncio.timeout(seconds)
        try:
            async with bound:
                failed = await ask(chunk)
        except TimeoutError as error:
            if not bound.expired():
                raise
            await note_all(chunk, f"the chunk timed out after {seconds:g} s")
            raise TimeoutError(f"chunk {chunk} timed out after {seconds:g} s") from error
        if failed:
            raise ItemsFailed(chunk, failed)
        return chunk

    async def note_all(chunk: int, error: str) -> None:
        rows = await run.fetch("chunk_items", stage, chunk)
        await run.note_failed([row["id"] for row in rows], error)

    (row,) = await run.fetch("plan_chunks", job.epoch, stage, size, least)
    chunks = row[0]
    if chunks is None:
        raise LeaseLost
    (row,) = await run.fetch("planned_items", stage)
    await run.begin_stage(stage, row["items"], last=last)
    done: list[Any] = await job.each(
        range(1, chunks + 1), one, name=lambda n: f"stage {stage} chunk {n}", concurrency=at_once
    )
    if chunks and not any(done):
        counted = (await run.fetch("run"))[0]["failed_items"]
        kind = RuntimeError if job.comes_back else Failed
        raise kind(f"not one chunk of stage {stage} succeeded; {counted} items say why in bellhand_matching.run_items")  # fmt: skip


async def side_by_side(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of all; the first that raises ends the others, and none outlives the chunk."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def reason(error: ServiceError) -> str:
    """Why a call failed, as an item remembers it."""
    return f"{error.code}: {error}"
