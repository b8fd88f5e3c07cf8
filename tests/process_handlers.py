"""Handlers of the daemons that run as processes: what they do is written to the journal, line by line."""

import asyncio
import os
import signal
from typing import Any

from bellhand import Job, job_kind

JOURNAL = "BELLHAND_TEST_JOURNAL"


def note(*words: object) -> None:
    """One line that survives whatever happens next."""
    line = " ".join(map(str, (*words, os.getpid()))) + "\n"
    file = os.open(os.environ[JOURNAL], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)


@job_kind("p.steps", attempts_max=20, timeout_seconds=None)
async def steps(args: dict[str, Any], job: Job) -> dict[str, Any]:
    async def one(name: str) -> str:
        note("start", job.id, name)
        await asyncio.sleep(args["seconds"])
        note("done", job.id, name)
        return name

    return {"steps": await job.each([f"s{n}" for n in range(args["steps"])], one)}


@job_kind("p.nap", attempts_max=5, timeout_seconds=None)
async def nap(args: dict[str, Any], job: Job) -> None:
    note("nap", job.id)
    await asyncio.sleep(args.get("seconds", 0.0))
    note("woke", job.id)


@job_kind("p.kills", attempts_max=20)
async def kills(job: Job) -> None:
    note("kills", job.id)
    os.kill(os.getpid(), signal.SIGKILL)


@job_kind("p.chatty")
async def chatty(job: Job) -> None:
    for _ in range(200):
        job.log.info("chatter", text="x" * 500)
    note("chatted", job.id)
