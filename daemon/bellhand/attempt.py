"""Run one handler once, and turn whatever happens into how the attempt ended. All policy about failures is here."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import structlog

from .blocking import in_thread
from .isolate import Crashed, in_process
from .job import Job, encode
from .kinds import Kind
from .outcomes import LOST, Cancelled, Completed, Ended, Failed, LeaseLost, Retry, Snooze, storable

log = structlog.get_logger()

# What an operator, the clock or the daemon wanted, as the outcome of an attempt that was stopped for it.
STOPPED = {
    "cancel": Ended("cancel", "cancelled while it ran"),
    "pause": Ended("pause"),
    "drain": Ended("release"),
    "silence": Ended("release"),
    "lost": LOST,
}


async def attempt(job: Job, kind: Kind, random: Callable[[], float]) -> Completed | Ended:
    """Run the handler of `job`; never raises. The outcome's words are those of settle_others.sql."""
    try:
        args = kind.arguments(job.payload)
    except (ValueError, RecursionError) as error:
        return Ended("fail", storable(f"bad_payload: {error}"))
    try:
        value = await _call(job, kind, args)
        return _returned(job, kind, value, random)
    except asyncio.CancelledError:
        return stopped(job, kind, random)
    except LeaseLost:
        return LOST
    except Snooze as snooze:
        return Ended("snooze", storable(str(snooze)), max(0.0, snooze.seconds))
    except Cancelled as cancelled:
        return Ended("cancel", storable(str(cancelled) or "the handler cancelled it"))
    except Failed as failed:
        return Ended("fail", storable(str(failed) or "the handler failed it"))
    except Retry as retry:
        return failure(job, kind, storable(str(retry)), random, retry.after_seconds)
    except Crashed as crash:
        return failure(job, kind, storable(str(crash)), random, outcome="crash")
    except (Exception, SystemExit, KeyboardInterrupt):  # the boundary: the handler is somebody else's code
        return failure(job, kind, storable(traceback.format_exc(limit=-20)), random)


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
    failed, completed, error = job.steps_failed() if "_steps" in job.__dict__ else (0, 0, None)
    if failed and (job.attempt < job.attempts_max or not completed):
        return failure(job, kind, f"{failed} of {failed + completed} steps failed; the last one:\n{error}", random)
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
    job: Job, kind: Kind, error: str, random: Callable[[], float], after_seconds: float | None = None, outcome: str = "retry"
) -> Ended:
    """A failed attempt: again after a while, or for good when the attempts are used up."""
    if job.attempt >= job.attempts_max:
        return Ended("fail", error)
    wait = kind.backoff_seconds(job.attempt, random) if after_seconds is None else max(0.0, after_seconds)
    return Ended(outcome, error, wait)
