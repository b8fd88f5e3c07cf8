"""How the whole stands: lanes, workers, how jobs ended."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from bellhand.api.operations import answer
from bellhand.look import Look
from bellhand.resource import rfc3339

FRESH_SECONDS = 1.0
WINDOW_SECONDS = 3600.0
COUNTED_MAX = 100_000  # lane_stats counts no further


class Stats:
    """/v1/stats."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self._last: tuple[float, dict[str, Any]] | None = None
        self._counting = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/v1/stats", self._get)]

    async def _get(self, request: web.Request) -> web.Response:
        clock = asyncio.get_running_loop().time
        async with self._counting:  # however many ask, one counts
            if self._last is None or clock() - self._last[0] > FRESH_SECONDS:
                self._last = clock(), await self._count()
        return answer(self._last[1])

    async def _count(self) -> dict[str, Any]:
        lanes = [dict(row) for row in await self.look.fetch("status_lanes")]
        workers = [dict(row) for row in await self.look.fetch("status_workers")]
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
            "workers": [{**w, "started_at": rfc3339(w["started_at"])} for w in workers],
            "next_schedule": {"name": clock["schedule"], "in_seconds": clock["schedule_seconds"]}
            if clock["schedule"]
            else None,
        }
