"""F4: handlers in processes of their own whose daemon is killed: none may go on without it."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..fault import fault
from ..stage import Stage
from ..witness import read
from .f01_killed import kills

ORPHAN_SECONDS_MAX = 1.0


def alone(dice: random.Random) -> tuple[str, dict[str, Any]]:
    """Isolated jobs and some naps."""
    return dice.choice(["f.isolated", "f.isolated", "f.nap"]), {
        "seconds": round(dice.uniform(0.2, 1.5), 2)
    }


@fault("F4", "SIGKILL of daemons whose handlers are processes of their own", seconds=50)
async def orphans(stage: Stage) -> None:
    await stage.daemons(3, worker={"concurrency": 6})
    async with stage.clients(4, choose=alone):
        await kills(stage, stage.many(25), (1.0, 2.5))
    events = read(stage.fleet.journal)
    children = {
        event["pid"]: event["daemon"]
        for event in events
        if event["f"] == "start" and event.get("daemon")
    }
    deaths = {
        event["pid"]: event["t"] for event in read(stage.nemesis.path) if event["f"] == "death"
    }
    after = [
        event["t"] - deaths[children[event["pid"]]]
        for event in events
        if children.get(event["pid"]) in deaths and event["t"] > deaths[children[event["pid"]]]
    ]
    stage.figures |= {
        "children": len(children),
        "outlived_max_s": round(max(after, default=0.0), 3),
    }
    stage.must(
        max(after, default=0.0) < ORPHAN_SECONDS_MAX, "orphan_went_on", max(after, default=0.0)
    )

    def left() -> list[int]:
        return [pid for pid, daemon in children.items() if daemon in deaths and _is_ours(pid)]

    await stage.until(lambda: not left(), 10, f"orphans are gone: {left()}")


def _is_ours(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        return b"bellhand.isolate" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
