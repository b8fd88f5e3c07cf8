"""Crashes of a server that we own, and its return."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import asyncpg

from .client import LOST
from .stage import Stage

GONE_SECONDS = 20.0
ANSWER_SECONDS = 40.0
TRIES_APART_SECONDS = 0.02


def children(pid: int) -> list[int]:
    """The processes whose parent that is."""
    found = []
    for place in Path("/proc").iterdir():
        with suppress(OSError, IndexError, ValueError):
            if (
                place.name.isdigit()
                and int((place / "stat").read_text().rpartition(")")[2].split()[1]) == pid
            ):
                found.append(int(place.name))
    return found


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def crash(stage: Stage) -> None:
    """pg_ctl stop -m immediate: no checkpoint, what was not yet durable is lost."""
    await asyncio.to_thread(stage.server.stop, immediate=True)
    stage.nemesis.saw("immediate_stop", server="crash")


async def kill_postmaster(stage: Stage) -> None:
    """kill -9 of the postmaster; returns when its children have ended too, as a new server demands."""
    pid = stage.server.pid
    assert pid is not None, "the server does not run"
    orphans = children(pid)
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + GONE_SECONDS
    while any(_exists(orphan) for orphan in orphans):
        if time.monotonic() > deadline:
            raise TimeoutError("the backends of a killed postmaster go on")
        await asyncio.sleep(TRIES_APART_SECONDS)
    stage.nemesis.saw("postmaster_killed", server="crash")
    await asyncio.to_thread(stage.server.stop)


async def answers(stage: Stage) -> bool:
    """Wait until the server takes a new connection and a statement; False if it does not in time."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        try:
            conn = await asyncpg.connect(
                stage.dsn, timeout=5, server_settings={"application_name": "faults:look"}
            )
        except (*LOST, asyncpg.PostgresError):
            await asyncio.sleep(TRIES_APART_SECONDS)
            continue
        try:
            await conn.fetchval("select 1", timeout=5)
            return True
        except (*LOST, asyncpg.PostgresError):
            await asyncio.sleep(TRIES_APART_SECONDS)
        finally:
            conn.terminate()
    stage.must(False, "server_did_not_return", f"within {ANSWER_SECONDS:g} s")
    return False
