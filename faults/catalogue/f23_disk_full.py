"""F23: the disk under the data of the server is full for a while."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

from ..crashes import answers
from ..fault import Skip, fault
from ..returns import Returns
from ..stage import Stage
from .f01_killed import longer

ROOM_BYTES = 48_000_000  # beyond what the fresh data take
CHUNK = bytes(64 * 1024)
FILL_SECONDS = 0.2
BUSY_SECONDS = 5.0
COMMAND_SECONDS = 60.0
FULL = "No space left on device"


@fault("F23", "the server's disk is full for a while (a tmpfs of its own)", seconds=20, durable=True)  # fmt: skip
async def disk_full(stage: Stage) -> None:
    await _onto_a_small_disk(stage)
    daemons = await stage.daemons(3)
    log = stage.server.home / "log"
    returns = Returns(stage)
    filler = stage.server.data / "filler"
    stage.at_heal.callback(filler.unlink, missing_ok=True)
    crashes = 0
    async with stage.clients(40, choose=longer):
        await asyncio.sleep(BUSY_SECONDS)
        returns.went()
        end = time.monotonic() + stage.seconds
        while time.monotonic() < end:
            # Again and again: what the server gives back it must not keep.
            await asyncio.to_thread(_fill, filler)
            panics = (await asyncio.to_thread(log.read_bytes)).count(b"PANIC")
            if panics > crashes:
                stage.nemesis.saw("server_panicked", server="crash")
                crashes = panics
            await asyncio.sleep(FILL_SECONDS)
        filler.unlink()
        if not await asyncio.to_thread(_runs, stage):
            await asyncio.to_thread(stage.server.stop)
            await asyncio.to_thread(stage.server.start)
        if await answers(stage):
            returns.came()
        await asyncio.sleep(BUSY_SECONDS)
    said = (await asyncio.to_thread(log.read_text, errors="replace")).count(FULL)
    stage.must(said > 0, "the_disk_was_never_full")
    stage.must(not any(daemon.codes for daemon in daemons), "a_daemon_ended")
    stage.figures |= {"refused_for_space": said, "server_panics": crashes} | returns.figures()


def _runs(stage: Stage) -> bool:
    """Whether the postmaster lives; one that could not recover on a full disk has ended."""
    pid = stage.server.pid
    return pid is not None and Path(f"/proc/{pid}").exists()


def _fill(filler: Path) -> None:
    try:
        with filler.open("ab", buffering=0) as file:
            while file.write(CHUNK) == len(CHUNK):
                pass
    except OSError:
        pass  # full


async def _onto_a_small_disk(stage: Stage) -> None:
    """Move the data of the stage's server to a tmpfs that is a little larger."""
    if os.geteuid() != 0:
        raise Skip("mounting a small disk needs root")
    data = stage.server.data
    await asyncio.to_thread(stage.server.stop)
    aside = data.with_name("data.aside")
    data.rename(aside)
    data.mkdir(mode=0o700)
    size = ROOM_BYTES + int((await _run("du", "-sb", str(aside))).split()[0])
    try:
        await _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(data))
    except Skip:
        data.rmdir()
        aside.rename(data)
        raise
    stage.at_end.push_async_callback(_off, stage)
    shutil.chown(data, aside.owner(), aside.group())
    await _run("cp", "-a", f"{aside}/.", str(data))
    shutil.rmtree(aside)
    await asyncio.to_thread(stage.server.start)


async def _off(stage: Stage) -> None:
    data = stage.server.data
    await asyncio.to_thread(stage.server.stop)
    await _run("umount", str(data))


async def _run(*command: str) -> str:
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(COMMAND_SECONDS):
        said, _ = await child.communicate()
    if child.returncode:
        raise Skip(f"{' '.join(command)}: {said.decode(errors='replace').strip()}")
    return said.decode(errors="replace")
