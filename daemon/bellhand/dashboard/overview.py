"""The overview: what runs, how each lane stands, what failed, what comes next."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from bellhand.dashboard.site import Site
from bellhand.dashboard.words import shown
from bellhand.resource import resource

WINDOW_SECONDS = 3600.0
PARTS = 12  # five minutes each
FAILURES_SHOWN = 5
COUNTED_MAX = 100_000  # lane_stats counts no further


class Overview:
    """One page, from what the workers counted and from the lanes' positions."""

    def __init__(self, site: Site) -> None:
        self.site = site
        site.environment.filters |= {"counted": counted, "clock": clock}

    async def show(self, request: web.Request) -> web.Response:
        """GET /."""
        row = (await self.site.often("page_overview", WINDOW_SECONDS))[0]
        lanes = lanes_of(await self.site.often("status_lanes"), await self.outcomes(), row["lanes"])
        failures = await self.site.often("page_failures", WINDOW_SECONDS, FAILURES_SHOWN, False)
        found = [resource(job) for job in await self.site.look.fetch("status_jobs", row["running"])]
        running = [job | {"shown": shown(job)} for job in found if job["state"] == "running"]
        totals = {name: sum(lane[name] for lane in lanes) for name in ("running", "pending", "scheduled", "done", "failed")}  # fmt: skip
        workers = await self.site.often("status_workers")
        pulses = {row["lane"]: row for row in await self.site.often("page_pulses")}
        return await self.site.page(
            request, "overview.html", title="Overview", lanes=lanes, running=running,
            pulses=pulses, totals=totals | {"capacity": sum(worker["capacity"] for worker in workers)},
            minutes=json.loads(row["minutes"] or "[]"), schedules=json.loads(row["schedules"] or "[]"),
            failures=failures, base=f"{request.scheme}://{request.host}",
        )  # fmt: skip

    async def outcomes(self) -> list[Any]:
        """How the last hour's attempts ended, by lane."""
        return await self.site.often("status_outcomes", WINDOW_SECONDS)


def lanes_of(
    rows: list[Any], outcomes: list[Any], parts: str | None = None
) -> list[dict[str, Any]]:
    """Each lane with its last hour: done, failed, the mean wait, when it is empty at this pace."""
    ended: dict[str, dict[str, int]] = defaultdict(dict)
    waits: dict[str, float] = defaultdict(float)
    for row in outcomes:
        ended[row["lane"]][row["outcome"]] = row["jobs"]
        waits[row["lane"]] += row["wait_seconds"]
    by_part: dict[str, list[int]] = defaultdict(lambda: [0] * PARTS)
    for lane, part, jobs in json.loads(parts or "[]"):
        if 0 <= part < PARTS:
            by_part[lane][PARTS - 1 - part] = jobs
    lanes = []
    for row in rows:
        of = ended[row["lane"]]
        attempts, over = (
            sum(of.values()),
            sum(of.get(o, 0) for o in ("completed", "partial", "failed")),
        )
        recent = (
            sum(by_part[row["lane"]][-2:]) / 600 if parts is not None else over / WINDOW_SECONDS
        )
        lanes.append(dict(row) | {
            "done": of.get("completed", 0) + of.get("partial", 0), "failed": of.get("failed", 0),
            "wait_seconds": waits[row["lane"]] / attempts if attempts else None, "parts": by_part[row["lane"]],
            "drain_seconds": row["pending"] / recent if row["pending"] and recent else None,
        })  # fmt: skip
    return lanes


def counted(count: int) -> str:
    """A count that stops counting at 100,000 for one lane."""
    return f"{COUNTED_MAX:,}+" if count > COUNTED_MAX else f"{count:,}"


def clock(seconds: int) -> str:
    """Seconds since 1970 as `12:05` in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M}"
