"""The overview: what runs, how each lane stands, what failed, what comes next."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from asyncpg import Record

from bellhand.dashboard.site import Site
from bellhand.dashboard.trouble import COUNTED_MAX, late_lanes, late_of, slo_of, troubles
from bellhand.dashboard.words import shown
from bellhand.resource import eta, resource
from bellhand.stats import WAITS, within

WINDOW_SECONDS = 3600.0
PARTS = 12
PART_SECONDS = 300
ENDS = ("done", "failed", "again", "cancelled")  # in the order of page_lanes.sql
FAILURES_SHOWN = 5
LISTS = ("minutes", "deploys", "schedules", "failures")


class Overview:
    """One page, from what the workers counted and from the lanes' positions."""

    def __init__(self, site: Site, settings: dict[str, Any]) -> None:
        self.site = site
        self.slo_seconds = slo_of(settings)
        self.late_seconds = late_of(settings)
        site.filters |= {"counted": counted, "clock": clock}

    async def show(self, request: web.Request) -> web.Response:
        """GET /."""
        row = (
            await self.site.often(
                "page_overview", WINDOW_SECONDS, FAILURES_SHOWN, self.late_seconds
            )
        )[0]
        lanes = await lanes_of(self.site)
        ids = row["running"]
        found = [
            resource(job) for job in (await self.site.look.fetch("status_jobs", ids) if ids else [])
        ]
        times = {row["job"]: row for row in (await self.site.look.fetch("eta", ids) if ids else [])}
        running = [job | {"shown": shown(job), "eta": eta(times.get(job["id"]))} for job in found if job["state"] == "running"]  # fmt: skip
        totals = {name: sum(lane[name] for lane in lanes) for name in ("running", "pending", "scheduled", "done", "failed")}  # fmt: skip
        frame = await self.site.frame()
        late = late_lanes(lanes, self.slo_seconds, frame.now)
        return await self.site.page(
            request, "overview.html", title="Overview", lanes=lanes, running=running, troubles=troubles(json.loads(row["troubles"] or "[]"), late), totals=totals | {"capacity": row["capacity"]},
            base=f"{request.scheme}://{request.host}", first=first_job(frame.kinds), **{name: json.loads(row[name] or "[]") for name in LISTS},
        )  # fmt: skip


def first_job(kinds: list[str]) -> tuple[str, str, str]:
    """A job to try first, of the kinds that there are: the kind, a field of its payload, and what to put into it."""
    known = (("demo.greet", "name", "you"), ("sites.validate", "url", "https://example.com/"))
    return next(
        (one for one in known if one[0] in kinds), (kinds[0] if kinds else "demo.greet", "", "")
    )


async def lanes_of(site: Site) -> list[dict[str, Any]]:
    """Each lane with its last hour: what ended every five minutes, how long jobs waited and ran, when it is empty at the pace of the last ten."""
    return [_lane(row) for row in await site.often("page_lanes", WINDOW_SECONDS)]


def _lane(row: Record) -> dict[str, Any]:
    found = {part: counts for part, *counts in json.loads(row["parts"])}
    hour = [dict(zip(ENDS, found.get(part, (0, 0, 0, 0)), strict=True)) for part in reversed(range(PARTS))]  # fmt: skip
    parts = [part["done"] + part["failed"] for part in hour]
    recent = sum(parts[-2:]) / (2 * PART_SECONDS)
    attempts = row["attempts"]
    waits = [jobs or 0 for jobs in row["waits"] or [0] * (len(WAITS) + 1)]
    return dict(row) | {
        "parts": parts, "hour": hour,
        "wait_half": within(waits, 0.5, WAITS), "wait_most": within(waits, 0.95, WAITS),
        "wait_seconds": row["wait_seconds"] / attempts if attempts else None,
        "run_seconds": row["run_seconds"] / attempts if attempts else None,
        "drain_seconds": row["pending"] / recent if row["pending"] and recent and not row["paused"] else None,
    }  # fmt: skip


def counted(count: int) -> str:
    """A count that stops counting at 100,000 for one lane."""
    return f"{COUNTED_MAX:,}+" if count > COUNTED_MAX else f"{count:,}"


def clock(seconds: int) -> str:
    """Seconds since 1970 as `12:05` in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M}"
