"""A process for an isolated handler, without what could open the database."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE
from asyncio.subprocess import Process as Child
from functools import cache

import structlog

from .hide import can_hide

log = structlog.get_logger()

LINE_BYTES_MAX = 16 * 1024 * 1024

# What could open the database, or speak for the daemon to systemd, stays here.
_PRIVATE_STARTS = (
    "BELLHAND_",
    "PG",
    "NOTIFY_SOCKET",
    "WATCHDOG_",
    "LISTEN_",
    "CREDENTIALS_DIRECTORY",
)
_PRIVATE_ENDS = ("DATABASE_URL", "DSN", "POSTGRES_URL")
_PRIVATE_VALUES = ("postgres://", "postgresql://")


def _secrets() -> str:
    """The folder that systemd handed over to this user alone; "" where there is none, or it cannot be hidden."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return folder if folder and _can_hide() else ""


@cache
def _can_hide() -> bool:
    can = can_hide()
    if not can:
        log.warning("isolated_handlers_can_read_secrets",
                    why="the kernel has no Landlock (5.19 or newer), or the unit does not allow its system calls")  # fmt: skip
    return can


async def spawn() -> tuple[Child, asyncio.StreamReader, asyncio.StreamWriter]:
    """A process that waits to be told what to run, and the conversation with it."""
    ours, theirs = socket.socketpair()
    with theirs:
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LINE_BYTES_MAX)
        environment = {
            name: value for name, value in os.environ.items() if not _private(name, value)
        }
        # The handler's module is found where this process found it; one arena, or every thread
        # takes 64 MB of the cap.
        environment |= {
            "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path),
            "MALLOC_ARENA_MAX": "1",
        }
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bellhand.isolate",
                str(theirs.fileno()),
                str(os.getpid()),
                _secrets(),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except BaseException:
            writer.transport.abort()
            raise
    return process, reader, writer


def _private(name: str, value: str) -> bool:
    return (
        name.startswith(_PRIVATE_STARTS)
        or name.endswith(_PRIVATE_ENDS)
        or value.startswith(_PRIVATE_VALUES)
    )
