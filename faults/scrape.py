"""What the daemons themselves count, read off their status ports."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections import Counter

from .fleet import Daemon
from .stage import Stage
from .witness import Event

ANSWER_SECONDS = 5
TRIES = 20
TRIES_APART_SECONDS = 0.1
FINISHED = re.compile(r'^bellhand_jobs_finished_total\{.*outcome="(\w+)".*\} (\S+)$', re.MULTILINE)


async def counted(stage: Stage) -> list[Event]:
    """How many jobs all daemons together say they finished, by outcome; nothing if one died, whose counts are lost, or runs elsewhere.

    They count a job when they hear that it was accepted, so they may lag a moment behind the database.
    """
    daemons = stage.fleet.daemons
    if not daemons or any(
        daemon.prefix or daemon.codes or not daemon.said("ready") for daemon in daemons
    ):
        return []
    over = await stage.value("select count(*) from bellhand.history where worker is not null")
    total: Counter[str] = Counter()
    for _ in range(TRIES):
        total = Counter()
        for daemon in daemons:
            total += await asyncio.to_thread(_finished, daemon)
        if total.total() >= over:
            break
        await asyncio.sleep(TRIES_APART_SECONDS)
    return [{"src": "metrics", "finished": dict(total)}]


def _finished(daemon: Daemon) -> Counter[str]:
    port = daemon.said("ready")[-1]["status_port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=ANSWER_SECONDS) as said:
        text = said.read().decode()
    found: Counter[str] = Counter()
    for outcome, count in FINISHED.findall(text):
        found[outcome] += int(float(count))
    return found
