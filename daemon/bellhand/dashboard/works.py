"""What jobs run on: lanes, schedules, workers, the database."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from itertools import islice
from typing import Any

from aiohttp import web

from bellhand.callers import caller_of
from bellhand.cron import in_words, ticks_after
from bellhand.dashboard.kinds import switch
from bellhand.dashboard.overview import WINDOW_SECONDS, lanes_of
from bellhand.dashboard.site import Site
from bellhand.problems import HttpProblem

TICKS_SHOWN = 5
LATE_SECONDS = 15.0  # a beat so old is worth a look


class Works:
    """GET /lanes, /schedules, /workers, /system; and what can be changed there."""

    def __init__(self, site: Site, settings: dict[str, Any]) -> None:
        self.site = site
        self.settings = settings

    async def lanes(self, request: web.Request) -> web.Response:
        """Limits, pauses, who holds the slots, and when each lane is empty at this pace."""
        outcomes = await self.site.often("status_outcomes", WINDOW_SECONDS)
        lanes = lanes_of(await self.site.often("status_lanes"), outcomes)
        holders: dict[str, list[str]] = defaultdict(list)
        for row in await self.site.look.fetch("page_slots"):
            holders[row["lane"]].append(f"{row['worker'] or 'a lost worker'}: {row['slots']}")
        pulses = {row["lane"]: row for row in await self.site.often("page_pulses")}
        return await self.site.page(
            request, "lanes.html", title="Lanes", lanes=lanes, holders=holders, pulses=pulses
        )

    async def switch_lane(self, request: web.Request) -> web.Response:
        """POST /lanes/{lane}/pause or resume."""
        return await switch(self.site, request, "lane", request.match_info["lane"], "/lanes")

    async def limit_lane(self, request: web.Request) -> web.Response:
        """POST /lanes/{lane}/limits: how many at once and how many a second; empty is no limit."""
        form = await request.post()
        limits: dict[str, float | None] = {}
        for name in ("concurrency", "rate_per_second"):
            text = str(form.get(name, "")).strip()
            try:
                limits[name] = (int if name == "concurrency" else float)(text) if text else None
            except ValueError:
                raise HttpProblem("invalid-value", detail=f"{text[:50]!r} is no number") from None
        lane, actor = request.match_info["lane"], caller_of(request).actor
        await self.site.look.fetch("api_limit_lane", lane, json.dumps(limits), actor=actor)
        return self.site.done("/lanes", "limit_lane")

    async def schedules(self, request: web.Request) -> web.Response:
        """Each in words, with its next ticks, or why it has none."""
        rows = []
        for row in await self.site.look.fetch("cli_schedules"):
            words, ticks, wrong = told(row["cron"], row["timezone"], row["now"])
            more = {"words": words, "ticks": ticks, "error": row["error"] or wrong}
            rows.append(dict(row) | more)
        return await self.site.page(request, "schedules.html", title="Schedules", schedules=rows)

    async def run_schedule(self, request: web.Request) -> web.Response:
        """POST /schedules/{schedule}/run: what it would enqueue, now, beside its ticks."""
        name, actor = request.match_info["schedule"], caller_of(request).actor
        made = await self.site.look.row("api_run_schedule", name, actor=actor)
        assert made
        return self.site.done(f"/jobs/{made['id']}", "schedule")

    async def switch_schedule(self, request: web.Request) -> web.Response:
        """POST /schedules/{schedule}/pause or resume."""
        name, action = request.match_info["schedule"], request.match_info["action"]
        actor = caller_of(request).actor
        await self.site.look.fetch("api_pause_schedule", name, action == "pause", None, actor=actor)
        return self.site.done("/schedules", f"{action}_schedule")

    async def workers(self, request: web.Request) -> web.Response:
        """Who works, on what, and when each was heard last."""
        rows = [
            dict(row)
            | {"jobs": json.loads(row["jobs"]), "late": row["beat_seconds"] > LATE_SECONDS}
            for row in await self.site.look.fetch("page_workers")
        ]
        versions = sorted({row["version"] for row in rows})
        return await self.site.page(
            request, "workers.html", title="Workers", workers=rows, versions=versions
        )

    async def system(self, request: web.Request) -> web.Response:
        """The database and the configuration as this daemon has it, without secrets; what was done and by whom."""
        row = await self.site.look.row("page_system")
        assert row
        told = {
            name: json.loads(row[name] or "null") for name in ("connections", "tables", "audit")
        }
        return await self.site.page(
            request, "system.html", title="System", system=dict(row) | told, settings=self.settings
        )


def told(cron: str, zone: str, now: datetime) -> tuple[str, list[datetime], str | None]:
    """A schedule in words, its next few ticks, and what is wrong with it if there are none."""
    try:
        return in_words(cron), list(islice(ticks_after(cron, zone, now), TICKS_SHOWN)), None
    except ValueError as error:
        return cron, [], str(error)
