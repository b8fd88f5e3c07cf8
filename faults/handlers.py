"""What the daemons of the faults run: every run writes its start and its stop into the journal.

A kind whose payload has a `token` is known to the client that enqueued it. `witnessed` is all that a new kind needs.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from bellhand import Job, job_kind

from .witness import JOURNAL, Witness

LIMITED = "limited"
LIMIT = 3  # jobs at once in that lane, over all daemons
Args = dict[str, Any]


@cache
def journal() -> Witness:
    """Where this process writes what it runs."""
    return Witness(os.environ[JOURNAL], "handler")


@contextmanager
def witnessed(args: Args, job: Job, **traits: Any) -> Iterator[None]:
    """Around the whole of a handler.

    Traits: `stubborn` for one that may go on after it was told to stop, `settles` for one that completes the job itself.
    """
    # An isolated handler is not told its epoch; the audit rows know it.
    who = {
        "job": job.id,
        "epoch": getattr(job, "epoch", None),
        "pid": os.getpid(),
        "token": args.get("token"),
    }
    journal().saw("start", kind=job.kind, lane=job.lane, attempt=job.attempt, **who, **traits)
    out = "ok"
    try:
        yield
    except asyncio.CancelledError:
        out = "cancelled"
        raise
    except BaseException:
        out = "err"
        raise
    finally:
        journal().saw("stop", out=out, **who)


def saw(what: str, job: Job, **details: Any) -> None:
    """Write down a moment in the middle of a handler."""
    journal().saw(what, job=job.id, pid=os.getpid(), **details)


@job_kind("f.quick", attempts_max=1000, timeout_seconds=None)
async def quick(args: Args, job: Job) -> None:
    with witnessed(args, job):
        pass


@job_kind("f.nap", attempts_max=1000, timeout_seconds=None)
async def nap(args: Args, job: Job) -> None:
    """Sleeps `seconds` in `parts` (5), saying how far it is."""
    parts = args.get("parts", 5)
    with witnessed(args, job):
        for part in range(parts):
            job.progress(done=part, total=parts)
            await asyncio.sleep(args["seconds"] / parts)


@job_kind("f.limited", lane=LIMITED, attempts_max=1000, timeout_seconds=None)
async def limited(args: Args, job: Job) -> None:
    """A nap in the lane that has a limit."""
    with witnessed(args, job):
        await asyncio.sleep(args["seconds"])


@job_kind("f.steps", attempts_max=1000, timeout_seconds=None)
async def steps(args: Args, job: Job) -> dict[str, Any]:
    """`steps` steps of `seconds` each."""

    async def one(name: str) -> str:
        saw("step", job, name=name)
        await asyncio.sleep(args["seconds"])
        return name

    with witnessed(args, job):
        return {"steps": await job.each([f"s{n}" for n in range(args["steps"])], one)}


@job_kind("f.effect", attempts_max=1000, timeout_seconds=None)
async def effect(args: Args, job: Job) -> None:
    """One row, in the transaction that completes the job."""
    with witnessed(args, job, settles=True):
        async with job.transaction() as conn:
            await conn.execute(
                "insert into faults.effects (job, epoch, token) values ($1, $2, $3)",
                job.id,
                job.epoch,
                args["token"],
            )
            await asyncio.sleep(args["seconds"])


@job_kind(
    "f.flaky",
    attempts_max=1000,
    timeout_seconds=None,
    backoff_base_seconds=0.2,
    backoff_max_seconds=0.5,
)
async def flaky(args: Args, job: Job) -> None:
    """Fails as long as its attempt is below `until`."""
    with witnessed(args, job):
        await asyncio.sleep(args["seconds"])
        if job.attempt < args["until"]:
            raise RuntimeError(f"attempt {job.attempt} fails on purpose")


@job_kind("f.isolated", isolate=True, attempts_max=1000, timeout_seconds=None)
async def isolated(args: Args, job: Job) -> None:
    """A nap in a process of its own, which says twenty times a second that it lives."""
    with witnessed(args, job, daemon=os.getppid()):
        end = time.monotonic() + args["seconds"]
        while time.monotonic() < end:
            saw("tick", job)
            await asyncio.sleep(0.05)
