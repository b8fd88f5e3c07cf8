"""Handlers that run in a process of their own, seen from the daemon: it can be killed, and it knows
no credentials.

The process (__main__.py) asks for everything over a socket, one JSON object a line; steps are
looked up, timed and recorded here, by the real job, and only their bodies run over there. The
process may be compromised by what it parses: whatever it says is checked, and it can ask for
nothing but what its handler may do.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ..job import Job
from ..kinds import Kind
from .process import Crashed, Process, error_of
from .spawn import spawn

__all__ = ["Crashed", "in_process"]


async def in_process(job: Job, kind: Kind) -> Any:
    """Run the handler in a new process and return what it returned; raises what it raised, or
    Crashed.

    Cancelling this ends the process: SIGTERM, and SIGKILL two seconds later. It is always reaped
    before this returns.
    """
    await job.know_steps()
    process = Process(job, kind, *await spawn())
    answered = False
    try:
        process.start()
        answer = await process.talk()
        answered = True
    finally:
        await process.end(politely=not answered)
    if "returned" in answer:
        return json.loads(answer["returned"])
    if answer["raised"] == "stopped":
        job.check()  # says so if it was asked to
        raise asyncio.CancelledError
    raise error_of(answer)
