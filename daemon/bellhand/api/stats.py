"""How the whole stands: lanes, workers, how jobs ended, and how that went over time."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from bellhand.api import told
from bellhand.api.control import worker_told
from bellhand.api.given import SeriesQuery
from bellhand.api.operations import answer, operation
from bellhand.api.told import Told
from bellhand.look import Look
from bellhand.problems import HttpProblem
from bellhand.resource import rfc3339

FRESH_SECONDS = 1.0
WINDOW_SECONDS = 3600.0
COUNTED_MAX = 100_000  # lane_stats counts no further
BUCKETS_MAX = 1500


class Series(Told):
    bucket_seconds: int
    data: list[told.Bucket]


class Stats:
    """/v1/stats."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self._last: tuple[float, dict[str, Any]] | None = None
        self._counting = asyncio.Lock()

    @operation("GET", "/v1/stats", "read", answers={200: told.Stats})
    async def get_stats(self, request: web.Request) -> web.StreamResponse:
        """What waits and runs, by lane; the workers; how attempts ended in the last hour. Up to a second old."""
        clock = asyncio.get_running_loop().time
        async with self._counting:  # however many ask, one counts
            if self._last is None or clock() - self._last[0] > FRESH_SECONDS:
                self._last = clock(), await self._count()
        return answer(self._last[1])

    @operation("GET", "/v1/stats/series", "read", answers={200: Series})
    async def get_series(self, request: web.Request, query: SeriesQuery) -> web.StreamResponse:
        """How attempts ended over time, in buckets, by outcome: of all kinds together, or of one.

        Outcomes are completed, partial, failed, cancelled, and retry, snooze, crash for attempts that were not the last. The seconds
        that these attempts waited and ran are sums.
        """
        if query.seconds / query.bucket_seconds > BUCKETS_MAX:
            least = -(-query.seconds // BUCKETS_MAX)
            raise HttpProblem(
                "invalid-request",
                detail=f"{query.seconds} seconds in buckets of {query.bucket_seconds} are more than {BUCKETS_MAX}",
                hint=f"take buckets of at least {least} seconds",
                errors=[("bucket_seconds", f"must be at least {least}")],
            )
        asked = (float(query.seconds), query.bucket_seconds, query.kind)
        rows = [dict(row) for row in await self.look.fetch("api_series", *asked)]
        data = [{**row, "at": rfc3339(row["at"])} for row in rows]
        return answer({"bucket_seconds": query.bucket_seconds, "data": data})

    async def _count(self) -> dict[str, Any]:
        rows = await self.look.fetch("status_lanes")
        lanes = [{**row, "paused_until": rfc3339(row["paused_until"])} for row in rows]
        workers = await self.look.fetch("status_workers")
        outcomes = await self.look.fetch("status_outcomes", WINDOW_SECONDS)
        clock = (await self.look.fetch("status_clock"))[0]
        for lane in lanes:
            ended = [row for row in outcomes if row["lane"] == lane["lane"]]
            lane["last_hour"] = {row["outcome"]: row["jobs"] for row in ended}
        places = ("pending", "scheduled", "running", "parked")
        totals: dict[str, int] = {}
        for row in outcomes:
            totals[row["outcome"]] = totals.get(row["outcome"], 0) + row["jobs"]
        return {
            "as_of": rfc3339(clock["now"]),
            "jobs": {place: sum(lane[place] for lane in lanes) for place in places},
            "counted_max": COUNTED_MAX,
            "last_hour": totals,
            "lanes": lanes,
            "workers": [worker_told(row) for row in workers],
            "next_schedule": {"name": clock["schedule"], "in_seconds": clock["schedule_seconds"]}
            if clock["schedule"]
            else None,
        }
