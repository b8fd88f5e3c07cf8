"""What runs in the process of an isolated handler: `python -m bellhand.isolate SOCKET PARENT SECRETS`,
started by spawn.py; SECRETS is a folder to hide, or empty.

It knows no credentials and has no connection to the database; whatever its job needs it asks the
daemon for. It ends with the handler, with the daemon, or when it is killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, cast

import structlog

from ..blocking import in_thread
from ..job import Job
from ..kinds import Kind, find_kinds
from ..outcomes import Failed, encode
from .hide import hide
from .job import IsolatedJob
from .parent import Parent, told_of

PR_SET_PDEATHSIG = 1
OOM_SCORE = "500"  # the kernel takes this process before the daemon
BYTES_MAX = 2**40  # of one message from the daemon, whom we trust


async def handle(parent: Parent, told: dict[str, Any]) -> dict[str, Any]:
    """Run the handler; how it ended, as the daemon is told."""
    job = IsolatedJob(parent, told)

    def take_back(counts: dict[str, float]) -> None:
        for name, n in counts.items():
            job.counters[name] -= n

    parent.take_back = take_back
    parent.asked = told["asked"]
    try:
        kind = _kind(told)
        try:
            args = kind.arguments(job.payload)
        except ValueError as error:
            raise Failed(f"bad_payload: {error}") from error
        _limit_memory(told["memory_bytes_max"])
        if kind.is_async:
            given = ([args] if kind.takes_args else []) + ([job] if kind.takes_job else [])
            value = await kind.handler(*given)
        else:
            value = await in_thread(cast(Job, job), kind, args)
        if job.stopping is not None:
            raise asyncio.CancelledError(job.stopping)
        return {"returned": encode(value) or "null"}
    except BaseException as error:  # the boundary: the daemon decides what it means
        return told_of(error)


def _kind(told: dict[str, Any]) -> Kind:
    kind = find_kinds([told["module"]]).get(told["kind"])
    if kind is None:
        raise RuntimeError(
            f"no handler of {told['kind']} at the top level of {told['module']}, where an isolated "
            "one must stand"
        )
    return kind


def _limit_memory(bytes_max: int | None) -> None:
    """Cap what the handler may take on top of what Python and its modules have already."""
    if bytes_max is None or sys.platform != "linux":
        return
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = taken + bytes_max if hard == resource.RLIM_INFINITY else min(taken + bytes_max, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def _close_all_but(fd: int) -> None:
    """The daemon's descriptors are its own; uvloop passes some on."""
    for name in os.listdir("/dev/fd"):
        if int(name) not in (0, 1, 2, fd):
            with suppress(OSError):  # the one that listed them is gone already
                os.close(int(name))


def _end_with(parent: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write(OOM_SCORE)
    if os.getppid() != parent:
        os._exit(1)


async def run(fd: int) -> None:
    """Run what the daemon says, tell it the end, and exit, whatever threads still run."""
    reader, writer = await asyncio.open_unix_connection(
        sock=socket.socket(fileno=fd), limit=BYTES_MAX
    )
    parent = Parent(reader, writer)
    told = json.loads(await reader.readline() or b"null")
    if told is None:
        os._exit(1)
    os.environ.pop("PYTHONPATH", None)
    if told["python_path"] is not None:
        os.environ["PYTHONPATH"] = told["python_path"]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            parent.log,
        ],
        cache_logger_on_first_use=True,
    )
    listening = asyncio.create_task(parent.listen())
    task = asyncio.create_task(handle(parent, told))
    parent.loop.add_signal_handler(signal.SIGTERM, task.cancel)
    end = await task
    await asyncio.sleep(0)  # what threads noted last
    parent.flush()
    parent.send(**end)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    listening.cancel()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    os._exit(0)


def main() -> None:
    """The entry point."""
    fd, parent, secrets = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _close_all_but(fd)
    _end_with(parent)
    if secrets:
        try:
            hide(secrets)
        except OSError as error:  # the daemon logs it, with the job
            print(f"the secrets in {secrets} are not hidden: {error}", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with asyncio.Runner() as runner:
        runner.run(run(fd))


if __name__ == "__main__":
    main()
