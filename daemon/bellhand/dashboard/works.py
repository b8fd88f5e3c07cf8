"""What jobs run on: schedules and the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from aiohttp import web

from bellhand.callers import caller_of
from bellhand.cron import in_words, ticks_after
from bellhand.dashboard.site import Site
from bellhand.dashboard.words import shown
from bellhand.resource import resource

TICKS_SHOWN = 5
DAYS_LOOKED_AT = 7


class Works:
    """GET /schedules, /system; and what can be changed there."""

    def __init__(self, site: Site, settings: dict[str, Any], origins: Sequence[tuple[str, str, str]]) -> None:  # fmt: skip
        self.site = site
        self.settings = settings
        self.origins = origins

    async def schedules(self, request: web.Request) -> web.Response:
        """Each in words, with its next ticks, or why it has none."""
        rows = []
        found = await self.site.look.fetch("cli_schedules")
        last = [row["last_job"] for row in found if row["last_job"]]
        jobs = [
            resource(row)
            for row in (await self.site.look.fetch("status_jobs", last) if last else [])
        ]
        states = {job["id"]: shown(job) for job in jobs}
        for row in found:
            words, ticks, wrong = told(row["cron"], row["timezone"], row["now"])
            more = {"words": words, "ticks": ticks, "error": row["error"] or wrong, "ended": states.get(row["last_job"])}  # fmt: skip
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

    async def system(self, request: web.Request) -> web.Response:
        """The database and the configuration as this daemon has it, without secrets; what was done and by whom."""
        row = await self.site.look.row("page_system")
        assert row
        told = {name: json.loads(row[name] or "null") for name in ("connections", "tables", "audit", "days")}  # fmt: skip
        days = self.settings.get("retention", {}).get("history_days", 0)
        return await self.site.page(
            request, "system.html", title="System", system=dict(row) | told, settings=self.settings, origins=self.origins,
            kept=kept(told["days"] or [], days), kept_days=days, pooled=self.settings.get("database", {}).get("pooler") == "transaction",
        )  # fmt: skip


def kept(days: list[dict[str, Any]], history_days: int) -> dict[str, Any] | None:
    """What history will hold at the pace of its newest days: bytes a day, bytes in all, and what that stands on; None with nothing to go by.

    `days` are its partitions, the newest first, each with its bytes, its rows, and what part of the day is over.
    """
    whole = [day for day in days if day["part"] >= 1 and day["rows"]][:DAYS_LOOKED_AT]
    if whole:
        a_day = sum(day["bytes"] for day in whole) / len(whole)
        basis = f"{len(whole)} whole days" if len(whole) > 1 else "one whole day"
    else:
        today = next((day for day in days if 0 < day["part"] < 1 and day["rows"]), None)
        if today is None:
            return None
        a_day, basis = today["bytes"] / today["part"], "today so far"
    return {"a_day": round(a_day), "in_all": round(a_day * history_days), "basis": basis}


def told(cron: str, zone: str, now: datetime) -> tuple[str, list[datetime], str | None]:
    """A schedule in words, its next few ticks, and what is wrong with it if there are none."""
    try:
        return in_words(cron), list(islice(ticks_after(cron, zone, now), TICKS_SHOWN)), None
    except ValueError as error:
        return cron, [], str(error)
