"""F51 and F24: what the daemon says goes nowhere; its standard output is a full pipe, or a file on a full disk."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

from ..fault import fault
from ..figures import percentile
from ..stage import Stage
from ..witness import read
from .f38_blocked import GAPS

HELD_BYTES_MAX = 5_000_000  # more than the pipe and the daemon's own buffer hold
LINES, LINE_BYTES = 500, 600
# A line costs 0.2 ms of CPU: so many talk at once as a busy machine gets done, not so many a second.
TALKING_AT_ONCE = 5
PATIENCE_SECONDS = 120.0  # until enough was said
UNREAD_SECONDS = 20.0  # until what was dropped must be told, once somebody reads


@fault("F51", "standard output is a pipe that nobody reads", seconds=20)
async def unread(stage: Stage) -> None:
    out, into = os.pipe()
    stage.at_end.callback(os.close, into)
    stage.at_end.callback(os.close, out)
    await _talking(stage, into)
    end = time.monotonic() + UNREAD_SECONDS
    os.set_blocking(out, False)
    dropped = b""
    while True:  # read at last: it says what it dropped
        try:
            dropped += os.read(out, 65536)
        except BlockingIOError:
            if b"dropped" in dropped or time.monotonic() > end:
                break
            await asyncio.sleep(0.1)
    stage.must(b"dropped" in dropped, "dropped_lines_not_told")


@fault("F24", "the disk that the daemon's log goes to is full", seconds=20)
async def own_disk_full(stage: Stage) -> None:
    into = os.open("/dev/full", os.O_WRONLY)  # every write to it finds no space left
    stage.at_end.callback(os.close, into)
    await _talking(stage, into)


async def _talking(stage: Stage, into: int) -> None:
    """A daemon with much to say, all of it into that file, must work on and keep its leases."""
    daemon = stage.daemon(
        options={"stdout": into, "stderr": into}, modules=["faults.rough_handlers"]
    )

    async def registered() -> bool:
        return bool(await stage.value("select count(*) from bellhand.workers"))

    await stage.until(registered, 40, "the daemon works")
    client = stage.client()
    begun = time.monotonic()
    said = asked = 0
    async with stage.clients(20):
        while time.monotonic() < begun + (
            stage.seconds if said > HELD_BYTES_MAX else PATIENCE_SECONDS
        ):
            done = _talked(stage)
            said = done * LINES * LINE_BYTES
            for _ in range(done + TALKING_AT_ONCE - asked):
                asked += await client.enqueue("f.chatty", {"lines": LINES}) is not None
            await asyncio.sleep(0.2)
    client.drop()
    ran, waited = _cpu_seconds(daemon.pid)
    stage.must(daemon.starts == 1, "the_daemon_ended", daemon.codes)
    events = read(stage.fleet.journal)
    inserted = {
        event["token"]: event["t1"]
        for event in read(stage.said.path)
        if event["f"] == "enqueue" and event["res"] == "ok"
    }
    waits = [
        event["t"] - inserted[event["token"]]
        for event in events
        if event["f"] == "start" and event["token"] in inserted
    ]
    stage.figures |= {
        "bytes_said": said, "pickup_p50_ms": round(percentile(waits, 0.5) * 1000, 1), "pickup_p99_ms": round(percentile(waits, 0.99) * 1000, 1),
        "beat_gap_max_s": round(await stage.value(GAPS), 2), "cpu_s": round(ran, 1), "waited_for_cpu_s": round(waited, 1),
    }  # fmt: skip
    stage.must(said > HELD_BYTES_MAX, "too_little_said", said)
    stage.must(stage.figures["beat_gap_max_s"] < stage.lease_seconds, "heartbeat_held_up")


def _talked(stage: Stage) -> int:
    """How many of the chatty jobs have ended."""
    events = read(stage.fleet.journal)
    chatty = {event["job"] for event in events if event["f"] == "start" and event["kind"] == "f.chatty"}  # fmt: skip
    return len(chatty & {event["job"] for event in events if event["f"] == "stop"})


def _cpu_seconds(pid: int) -> tuple[float, float]:
    """For how long the threads of a process ran, and for how long they could have run and had no core."""
    ran = waited = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # it has just ended, or the kernel does not count
            now, queued, _ = map(int, (thread / "schedstat").read_text().split())
            ran, waited = ran + now, waited + queued
    return ran / 1e9, waited / 1e9
