"""The jobs of bench.sizing: each holds what a running job holds, for as long as it is told."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bellhand import Job, job_kind


@job_kind("sizing.wait", timeout_seconds=None)
async def wait(payload: dict[str, Any]) -> None:
    """Waits, as for an answer."""
    await asyncio.sleep(payload["seconds"])


@job_kind("sizing.thread", timeout_seconds=None)
def thread(payload: dict[str, Any]) -> None:
    """The same in a thread."""
    time.sleep(payload["seconds"])


@job_kind("sizing.process", timeout_seconds=None, isolate=True)
def process(payload: dict[str, Any]) -> None:
    """The same in a process."""
    time.sleep(payload["seconds"])


@job_kind("sizing.nothing")
async def nothing() -> None:
    """Does nothing."""


@job_kind("sizing.steps")
async def steps(job: Job) -> None:
    """Ten steps that do nothing."""
    for number in range(10):
        await job.step(f"step {number}", nothing)
