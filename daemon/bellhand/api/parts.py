"""Parts of a job as callers are told them: its steps and the lines of its log."""

from __future__ import annotations

import json
from typing import Any

from asyncpg import Record

from bellhand.api.veil import hidden, masked
from bellhand.resource import rfc3339


def step_told(row: dict[str, Any], veil: bool) -> dict[str, Any]:
    """A row of steps.sql as callers are told it; with a `veil` what is secret by its name is hidden in its result."""
    step = masked(row, "error")
    for name in ("result", "counters"):
        step[name] = None if step[name] is None else json.loads(step[name])
    if veil:
        step["result"] = hidden(step["result"])
    for name in ("started_at", "finished_at"):
        step[name] = rfc3339(step[name])
    return step


def line(row: Record) -> dict[str, Any]:
    """A row of job_log.sql as callers are told it."""
    return {
        "number": row["number"], "attempt": row["attempt"], "at": rfc3339(row["at"]), "level": row["level"],
        "step": row["step"], "message": row["message"], "fields": json.loads(row["fields"]),
    }  # fmt: skip
