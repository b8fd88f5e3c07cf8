"""A job beside others of its kind: how long it took and how long they take, and how those ended that are most like it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import datetime
from typing import Any

from aiohttp import web
from asyncpg import Record

from bellhand.api.naming import job_row
from bellhand.api.operations import answer, operation
from bellhand.api.told import Links, Told
from bellhand.api.veil import masked
from bellhand.look import Look
from bellhand.resource import rfc3339

SHOWN = 10
# Among the 41 quantiles that bellhand.run_times has, one each 2.5 %.
SHARES = {"p05": 2, "p25": 10, "p50": 20, "p75": 30, "p95": 38}
BEGUN = frozenset({"running", "completed", "failed", "cancelled"})


class Measured(Told):
    """How long runs of a kind take, in seconds: quantiles of a sample of the last seven days."""

    samples: int
    since: datetime
    p05: float
    p25: float
    p50: float
    p75: float
    p95: float


class Alike(Told):
    """A job that is over, of the same kind."""

    id: int
    key: str
    state: str
    partial: bool
    owner: str | None
    same_payload: bool
    attempts_failed: int
    run_seconds: float | None
    finished_at: datetime
    error: str | None
    links: Links


class Similar(Told):
    """`longer_than` is the share of measured runs that took less time than this one; null where nothing was measured, or it has not begun."""

    kind: str
    run_seconds: float | None
    longer_than: float | None
    measured: Measured | None
    data: list[Alike]


class Beside:
    """/v1/jobs/{job}/similar."""

    def __init__(self, look: Look) -> None:
        self.look = look

    @operation(
        "GET", "/v1/jobs/{job}/similar", "read", answers={200: Similar}, problems=("bad-job-id", "not-found")
    )  # fmt: skip
    async def get_similar(self, request: web.Request) -> web.StreamResponse:
        """Set a job beside others of its kind.

        How long its last attempt ran, so far if it runs, and how long such runs take; and ten jobs of the kind that are over: of the last
        50 those with the same payload first.
        """
        row = await job_row(self.look, request)
        rows = await self.look.fetch("api_similar", row["id"], row["kind"], row["payload"], SHOWN)
        quantiles = rows[0]["quantiles"]
        seconds = _ran(row, row["finished_at"] or row["now"]) if row["state"] in BEGUN else None
        measured: dict[str, Any] | None = None
        if quantiles:
            measured = {"samples": rows[0]["samples"], "since": rfc3339(rows[0]["since"])}
            measured |= {name: quantiles[at] for name, at in SHARES.items()}
        return answer(
            {
                "kind": row["kind"], "run_seconds": seconds, "longer_than": _share(quantiles, seconds), "measured": measured,
                "data": [_alike(one) for one in rows if one["id"] is not None],
            }
        )  # fmt: skip


def _ran(row: Record, until: datetime) -> float | None:
    if row["started_at"] is None:
        return None
    return max(0.0, round(float((until - row["started_at"]).total_seconds()), 3))


def _share(quantiles: list[float] | None, seconds: float | None) -> float | None:
    """Of runs that took the same to the digit half count as shorter."""
    if not quantiles or seconds is None:
        return None
    shorter = (bisect_left(quantiles, seconds) + bisect_right(quantiles, seconds)) / 2
    return round(shorter / len(quantiles), 3)


def _alike(row: Record) -> dict[str, Any]:
    shown = {n: row[n] for n in ("id", "state", "partial", "owner", "same_payload", "error")}
    return masked(shown, "error") | {
        "key": str(row["key"]), "attempts_failed": row["attempts"], "run_seconds": _ran(row, row["finished_at"]),
        "finished_at": rfc3339(row["finished_at"]), "links": {"self": f"/v1/jobs/{row['key']}"},
    }  # fmt: skip
