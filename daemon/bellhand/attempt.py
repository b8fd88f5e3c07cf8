"""Run one handler once, and say how the attempt ended. All policy about failures is here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from .blocking import in_thread
from .isolate import Crashed, in_process
from .job import Job
from .kinds import Kind
from .outcomes import (
    DONE,
    LOST,
    Cancelled,
    Completed,
    Ended,
    Failed,
    LeaseLost,
    Retry,
    Snooze,
    described,
    encode,
    for_good,
    meant,
    storable,
)

log = structlog.get_logger()

# What somebody wanted, as the outcome of an attempt that was stopped for it; `timeout` is a failure.
STOPPED = {
    "cancel": Ended("cancel", "cancelled while it ran"),
    "pause": Ended("pause"),
    "drain": Ended("release"),
    "silence": Ended("release"),
    "lost": LOST,
}


async def attempt(job: Job, kind: Kind, random: Callable[[], float]) -> Completed | Ended:
    """Run the handler of `job`; never raises."""
    job.begun = True
    if job.stopping is not None:  # before it began
        return stopped(job, kind, random)
    try:
        args = kind.arguments(job.payload)
    except Exception as error:  # a boundary: the model is somebody else's code
        return Ended("fail", storable(f"bad_payload: {error}"))
    try:
        value = await _call(job, kind, args)
        if value is None and job.plain:
            return DONE
        return _returned(job, kind, value, random)
    except BaseException as error:  # the boundary: so is the handler
        return _raised(job, kind, meant(error), random)


def _raised(
    job: Job, kind: Kind, error: BaseException, random: Callable[[], float]
) -> Completed | Ended:
    match error:
        case asyncio.CancelledError():
            return stopped(job, kind, random)
        case LeaseLost():
            return LOST
        case Snooze():
            return Ended("snooze", storable(str(error)), error.seconds)
        case Cancelled():
            return Ended("cancel", storable(str(error) or "the handler cancelled it"))
        case Failed():
            return Ended("fail", storable(str(error) or "the handler failed it"))
        case Retry():
            return failure(job, kind, storable(str(error)), random, error.after_seconds)
        case Crashed():
            return failure(job, kind, storable(str(error)), random, outcome="crash")
    if for_good(error):
        return Ended("fail", described(error))
    return failure(job, kind, described(error), random)


async def _call(job: Job, kind: Kind, args: Any) -> Any:
    given = ([args] if kind.takes_args else []) + ([job] if kind.takes_job else [])
    if kind.isolate:
        return await in_process(job, kind)
    if not kind.is_async:
        return await in_thread(job, kind, args)
    return await kind.handler(*given)


def _returned(job: Job, kind: Kind, value: Any, random: Callable[[], float]) -> Completed | Ended:
    if job.settled:
        return Completed()
    if job.stopping == "lost":
        return LOST
    if job.refused:
        return stopped(job, kind, random)
    failed, completed, error = job.steps_failed()
    said = f"{failed} of {failed + completed} steps failed; the last one:\n{error}"
    if job.comes_back:
        return failure(job, kind, said, random)
    if failed and not completed:
        return Ended("fail", said)
    try:
        return Completed(encode(value), partial=failed > 0)
    except ValueError as unstorable:
        return Ended("fail", storable(str(unstorable)))


def stopped(job: Job, kind: Kind, random: Callable[[], float]) -> Completed | Ended:
    """How an attempt ended that was cancelled: by whom says job.stopping."""
    if job.settled:
        return Completed()
    if job.stopping == "timeout":
        return failure(job, kind, f"timed out after {job.timeout_seconds:g} s", random)
    if job.stopping is None:
        return failure(job, kind, "the handler cancelled its own task", random)
    return STOPPED[job.stopping]


def failure(
    job: Job,
    kind: Kind,
    error: str,
    random: Callable[[], float],
    after_seconds: float | None = None,
    outcome: str = "retry",
) -> Ended:
    """A failed attempt: again after a while, or for good when the attempts are used up."""
    if job.attempt >= job.attempts_max:
        return Ended("fail", error)
    wait = kind.backoff_seconds(job.attempt, random) if after_seconds is None else after_seconds
    return Ended(outcome, error, wait)
