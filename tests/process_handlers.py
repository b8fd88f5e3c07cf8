"""Handlers of the daemons that run as processes: what they do is written to the journal, line by line."""

import asyncio
import ctypes
import os
import signal
import socket
import struct
from contextlib import suppress
from typing import Any

from bellhand import Job, job_kind

JOURNAL = "BELLHAND_TEST_JOURNAL"
SO_ATTACH_FILTER, BPF_RETURN = 26, 6  # Linux


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


@job_kind("p.vanishes", attempts_max=5, timeout_seconds=None)
async def vanishes(job: Job) -> None:
    """Its machine is gone while it holds the row of its own job; the second time it is not."""
    async with job.transaction() as connection:
        await connection.execute("select from bellhand.jobs where id = $1 for update", job.id)
        note("holds", job.id)
        if job.epoch == 1:
            vanish()


def vanish() -> None:
    """As a machine whose power went: it answers nothing, no packet of TCP either, and says no good-bye."""
    nothing = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, 0))
    drop = struct.pack("HL", 1, ctypes.addressof(nothing))
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError), socket.socket(fileno=os.dup(int(name))) as one:
            if one.family == socket.AF_INET:
                one.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, drop)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)
    os.kill(os.getpid(), signal.SIGSTOP)


@job_kind("p.chatty")
async def chatty(job: Job) -> None:
    for _ in range(200):
        job.log.info("chatter", text="x" * 500)
    note("chatted", job.id)
