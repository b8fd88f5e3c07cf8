"""What stopping a worker costs: how long it takes at most, what may be cut, and what cutting all of it now would repeat."""

from __future__ import annotations

import math
from typing import Any


def cost(jobs: list[dict[str, Any]], grace_seconds: float, kill_grace_seconds: float) -> dict[str, Any]:  # fmt: skip
    """What a stop takes at most, how many jobs may be cut by it, and what cutting all of them now would repeat; rows are of drain_plan.sql."""
    left = [math.inf if job["left_seconds"] is None else job["left_seconds"] for job in jobs]
    longest = min(grace_seconds, max(left, default=0.0))
    return {
        "running": len(jobs),
        "seconds_max": longest + kill_grace_seconds if jobs else 0.0,
        "may_be_cut": sum(seconds > grace_seconds for seconds in left),
        "repeated_seconds_max": sum(job["repeated_seconds"] for job in jobs),
        "steps_kept": sum(job["steps"] for job in jobs),
    }
