"""I8: in a lane, a job that came later and matters no more is not claimed while one that was there before it goes on waiting.

Rigorous where both are in their first life and the older one was acknowledged before the younger one was inserted: whoever
sees the younger one sees both. Of all jobs some are taken by age, but a younger one never is, before the older one. What is left is a
queue row that somebody holds locked, a moment long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .history import NEVER, History

LOCKED_SECONDS_MAX = 1.0  # by a claim or a cancel under way, on a slow machine; a play may say more


@dataclass(slots=True)
class Wait:
    """A job's first wait in the queue: inserted, visible to all, over with its next change, which may be a claim."""

    job: int
    lane: int
    priority: int
    born: float
    visible: float
    left: float
    claimed: bool


def claims_are_in_order(h: History) -> Iterator[tuple[str, Any]]:
    """I8: one pass over the claimed jobs by birth; of those visible before, only the longest waiting of each priority matters."""
    waits = list(_waits(h))
    visible = sorted(waits, key=lambda wait: wait.visible)
    longest: dict[tuple[int, int], Wait] = {}
    locked_seconds = h.settings.get("locked_seconds_max", LOCKED_SECONDS_MAX)
    at = 0
    for young in sorted((wait for wait in waits if wait.claimed), key=lambda wait: wait.born):
        while at < len(visible) and visible[at].visible < young.born:
            old, at = visible[at], at + 1
            before = longest.get((old.lane, old.priority))
            if before is None or before.left < old.left:
                longest[old.lane, old.priority] = old
        for (lane, priority), old in longest.items():
            later = old.left - young.left
            if lane == young.lane and priority >= young.priority and later > locked_seconds:
                yield "passed_over", (old.job, young.job, round(later, 2))


def _waits(h: History) -> Iterator[Wait]:
    acknowledged = {
        event["token"]: event["t1"]
        for event in h.client
        if event["f"] == "enqueue" and event["res"] == "ok"
    }
    for job, changes in h.of_job.items():
        first = changes[0]
        if first["op"] != "I" or first["state"] != "pending" or not first.get("due"):
            continue
        after = changes[1] if len(changes) > 1 else None
        yield Wait(
            job, first["lane"], first["priority"], first["t"], acknowledged.get(first["token"], NEVER),
            after["t"] if after else NEVER, after is not None and after["op"] == "C",
        )  # fmt: skip
