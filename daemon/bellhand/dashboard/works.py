"""What jobs run on: schedules, workers, the database."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import islice
from typing import Any

from aiohttp import web

from bellhand.callers import caller_of
from bellhand.cron import in_words, ticks_after
from bellhand.dashboard.site import Site

TICKS_SHOWN = 5
LATE_SECONDS = 15.0  # a beat so old is worth a look


class Works:
    """GET /schedules, /workers, /system; and what can be changed there."""

    def __init__(self, site: Site, settings: dict[str, Any]) -> None:
        self.site = site
        self.settings = settings

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
