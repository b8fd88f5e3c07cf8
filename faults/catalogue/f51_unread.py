"""F51 and F24: what the daemon says goes nowhere; its standard output is a full pipe, or a file on a full disk."""

from __future__ import annotations

import asyncio
import os
import time

from ..fault import fault
from ..figures import percentile
from ..stage import Stage
from ..witness import read
from .f38_blocked import GAPS

HELD_BYTES_MAX = 5_000_000  # more than the pipe and the daemon's own buffer hold
LINES, LINE_BYTES = 500, 600
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
    end = time.monotonic() + stage.seconds
    said = 0
    async with stage.clients(20):
        while time.monotonic() < end:
            for _ in range(5):
                await client.enqueue("f.chatty", {"lines": LINES})
                said += LINES * LINE_BYTES
            await asyncio.sleep(1.0)
    client.drop()
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
        "beat_gap_max_s": round(await stage.value(GAPS), 2),
    }  # fmt: skip
    stage.must(said > HELD_BYTES_MAX, "too_little_said", said)
    stage.must(stage.figures["beat_gap_max_s"] < stage.lease_seconds, "heartbeat_held_up")
