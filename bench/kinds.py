"""The jobs of the benchmark as a Bellhand user would write them; they take their payload, as the peers' handlers do."""

from __future__ import annotations

import random
from typing import Any

from bellhand import Job, job_kind

from .witness import witness

seen = witness()
TEN_KILOBYTES = {"text": random.Random(1).randbytes(5_000).hex()}  # hardly compressible


@job_kind("bench.nothing")
async def nothing(payload: dict[str, Any]) -> None:
    """Does nothing."""
    seen.called()


@job_kind("bench.timed")
async def timed(payload: dict[str, Any]) -> None:
    """Notes when it began."""
    seen.began(payload["n"])


@job_kind("bench.limited", lane="limited")
async def limited(payload: dict[str, Any]) -> None:
    """Does nothing, in a lane of its own."""
    seen.called()


@job_kind("bench.one_step")
async def one_step(payload: dict[str, Any], job: Job) -> None:
    """Does nothing in a step."""
    seen.called()
    await job.step("only", _nothing)


@job_kind("bench.ten_steps")
async def ten_steps(payload: dict[str, Any], job: Job) -> None:
    """Does nothing in ten steps."""
    seen.called()
    for number in range(10):
        await job.step(f"step {number}", _nothing)


@job_kind("bench.large_result")
async def large_result(payload: dict[str, Any]) -> dict[str, str]:
    """Returns ten kilobytes."""
    seen.called()
    return TEN_KILOBYTES


async def _nothing() -> None:
    pass
