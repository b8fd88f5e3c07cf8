"""A job that is not there: what is known of it, and what somebody may have meant."""

from __future__ import annotations

from uuid import UUID

from .look import Look
from .problems import HttpProblem, not_found
from .resource import NEAR_MAX, NEVER, ranges_near


async def gone(
    look: Look, word: str, number: int, key: UUID | None, *, tells: bool = True
) -> HttpProblem:
    """The problem for a job that was named by `word` and is not there: 410 if it was purged, else 404. `tells`: to somebody who may
    see all jobs; others learn nothing of those that are not theirs."""
    what = f"there is no job {word}"
    if not tells:
        return not_found(what, NEVER)
    # Whoever brings a key means that job and no other.
    lows, highs = ranges_near(number) if key is None else ([], [])
    row = await look.row("gone", number, key, lows, highs, NEAR_MAX)
    assert row
    near = f"there are {', '.join(row['near'])}" if row["near"] else ""
    if row["purged"]:
        return HttpProblem("purged", detail=f"{what} any more: {row['tombstone']}", hint=near)
    if row["tombstone"]:
        return not_found(f"{what}; {row['tombstone']}", near)
    return not_found(what, f"{NEVER}; {near}" if near else NEVER)
