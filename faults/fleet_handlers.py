"""What the daemons of a fleet run in lanes that they share."""

from __future__ import annotations

import asyncio

from bellhand import Job, job_kind

from .handlers import Args, witnessed

LIMITS = {"one": 1, "two": 2, "seven": 7}
PACE = {"rate_per_second": 40, "rate_burst": 5}


async def _nap(args: Args, job: Job) -> None:
    with witnessed(args, job):
        await asyncio.sleep(args["seconds"])


@job_kind("fleet.one", lane="one", attempts_max=1000, timeout_seconds=None)
async def one(args: Args, job: Job) -> None:
    """In a lane that runs one at once."""
    await _nap(args, job)


@job_kind("fleet.two", lane="two", attempts_max=1000, timeout_seconds=None)
async def two(args: Args, job: Job) -> None:
    """In a lane that runs two at once."""
    await _nap(args, job)


@job_kind("fleet.seven", lane="seven", attempts_max=1000, timeout_seconds=None)
async def seven(args: Args, job: Job) -> None:
    """In a lane that runs seven at once."""
    await _nap(args, job)


@job_kind("fleet.paced", lane="paced", attempts_max=1000, timeout_seconds=None)
async def paced(args: Args, job: Job) -> None:
    """In a lane that starts so many a second."""
    await _nap(args, job)
