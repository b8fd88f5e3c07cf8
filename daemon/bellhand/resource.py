"""A job as the outside world sees it: one shape for HTTP, for --json, for every caller."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

FIELDS = (
    "id", "key", "kind", "lane", "state", "partial", "stopping", "priority", "owner", "tags",
    "payload", "progress", "position", "eta", "attempt", "attempts_max", "crashes", "timeout_seconds",
    "next_attempt_at", "unique_key", "depends_on", "source", "created_at", "run_at", "started_at",
    "finished_at", "heartbeat_at", "worker", "result", "error", "allowed_actions", "links",
)  # fmt: skip
KEY_VERSION = 8
ID_MAX = 2**63 - 1
NEVER = "it was never committed, or retention has removed it"  # a job that is not there
NEAR_MAX = 5
LONGER_DIGITS = 3


def id_of_key(key: UUID) -> int | None:
    """The id inside a job's key (see 0001_core.sql); None if it is no such key."""
    digits = key.hex
    if int(digits[12], 16) != KEY_VERSION:
        return None
    return int(digits[:12] + digits[13:16], 16)


def number_and_key(word: str) -> tuple[int, UUID | None]:
    """The id of the job that somebody named, and the key if it was named by that; ValueError if it is neither."""
    if word.isascii() and word.isdigit() and 0 < int(word[:20]) <= ID_MAX:
        return int(word), None
    key = UUID(word)
    number = id_of_key(key)
    if number is None:
        raise ValueError("no job has a key of this version")
    return number, key


def ranges_near(number: int) -> tuple[list[int], list[int]]:
    """The least and greatest ids of those that begin with these digits, and of the one without its last."""
    found = [(number // 10, number // 10)] if number >= 10 else []
    for size in (10**digits for digits in range(1, LONGER_DIGITS + 1)):
        if number * size <= ID_MAX:
            found.append((number * size, min(ID_MAX, number * size + size - 1)))
    return [low for low, _ in found], [high for _, high in found]


def rfc3339(moment: datetime | None) -> str | None:
    """The moment in UTC as `2026-01-31T12:00:00.000000Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def resource(
    row: Record, position: Record | None = None, foretold: Record | None = None
) -> dict[str, Any]:
    """The job of a row of status_jobs.sql; `position` is a row of status_position.sql, `foretold` one of eta.sql."""
    state = row["state"]
    times = {
        name: rfc3339(row[name])
        for name in ("created_at", "run_at", "started_at", "finished_at", "heartbeat_at")
    }
    # An attempt that ended badly has been counted; one that runs, or that ended well, has not.
    attempt = row["attempts"] + (state in ("running", "completed"))
    made: dict[str, Any] = {
        "id": row["id"],
        "key": str(row["key"]),
        "stopping": row["stop"],
        "tags": _json(row["tags"]) or {},
        "payload": _json(row["payload"]),
        "progress": progress(row),
        "position": _position(position),
        "eta": eta(foretold),
        "attempt": attempt,
        "next_attempt_at": times["run_at"] if state == "retrying" else None,
        "result": _json(row["result"]),
        "depends_on": list(row["depends_on"] or ()),
        "allowed_actions": list(row["allowed_actions"]),
        "links": links(row["id"], str(row["key"])),
        **times,
    }
    return {name: made[name] if name in made else row[name] for name in FIELDS}


def links(number: int, key: str) -> dict[str, str]:
    """Where a job is found: itself, what happens to it, its lines of log, and its page for people."""
    own = f"/v1/jobs/{key}"
    return {
        "self": own,
        "events": f"{own}/events",
        "logs": f"{own}/logs",
        "page": f"/jobs/{number}",
    }


def progress(row: Record) -> dict[str, Any]:
    """How far the job is: what its handler said last, and its steps as they were counted."""
    said = _json(row["progress"]) or {}
    running = row["state"] == "running"
    # A total that grows with each step is none: see progressed().
    growing = running and "percent" in said and said["percent"] is None
    total = 0 if growing else max(int(said.get("steps_total") or 0), row["steps_total"])
    counted = total or growing
    shown = {
        "percent": None if growing else _percent(row, said, total),
        "steps_done": row["steps_done"] if counted else None,
        "steps_failed": row["steps_failed"] if counted else None,
        "steps_total": total or None,
        "items_done": said.get("done"),
        "items_total": said.get("total"),
        "stage": said.get("stage"),
        "step": said.get("step") if running else None,
        "message": said.get("message"),
        "counters": said.get("counters") or {},
    }
    return shown | {"ending": _ending(shown) if running else None}


def _percent(row: Record, said: dict[str, Any], total: int) -> float | None:
    """What the handler says, else by the steps; 100 only once the job is over."""
    if row["state"] == "completed":
        return 100.0
    if row["state"] == "running" and "percent" in said:
        percent = float(said["percent"])
    elif said.get("total"):
        percent = 100.0 * float(said.get("done") or 0) / float(said["total"])
    elif total:
        # Steps that failed are behind us, unless they will be tried again.
        behind = row["steps_failed"] if row["attempts"] == 0 else 0
        percent = 100.0 * (row["steps_done"] + behind) / total
    else:
        return None
    return round(min(99.0, max(0.0, percent)), 1)


def _ending(progress: dict[str, Any]) -> str | None:
    """What a running job does once all that was counted is behind it, where 99 % would say nothing; None before that.

    A handler that counts its items has no more of them; one that only takes steps may begin another that nobody knows of yet.
    """
    if progress["items_total"]:
        return "finishing" if (progress["items_done"] or 0) >= progress["items_total"] else None
    behind = (progress["steps_done"] or 0) + (progress["steps_failed"] or 0)
    all_behind = progress["steps_total"] and behind >= progress["steps_total"]
    return "after its last known step" if all_behind else None


def eta(row: Record | None) -> dict[str, Any] | None:
    """When a job starts and finishes, of a row of eta.sql: bands and their middles, what they stand on, how far to trust them;
    None for a job that is over."""
    if row is None:
        return None
    moments = ("starts_low", "starts_at", "starts_high", "finishes_low", "finishes_at", "finishes_high")  # fmt: skip
    times: dict[str, Any] = {name: rfc3339(row[name]) for name in moments}
    return times | {name: row[name] for name in ("basis", "confidence", "reason")}


def _position(row: Record | None) -> dict[str, Any] | None:
    if row is None:
        return None
    counts = {n: "1000+" if row[n] is None else row[n] for n in ("ahead", "queue_length")}
    return counts | {"as_of": rfc3339(row["as_of"])}


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
