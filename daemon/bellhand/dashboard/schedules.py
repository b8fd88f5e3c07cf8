"""Schedules: when each is due, in words and in its own zone, and what its last runs came to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from statistics import median
from typing import Any

from aiohttp import web
from asyncpg import Record

from bellhand.callers import caller_of
from bellhand.cron import in_words, ticks_after
from bellhand.dashboard.site import Site
from bellhand.dashboard.words import shown, took
from bellhand.resource import resource

TICKS_SHOWN = 5
RUNS_SHOWN = 20
LATE_SECONDS = 60.0  # a tick so long due was missed
TRENDS_MAX = 25  # schedule_runs.sql looks at no more
LOWEST = 0.04  # of the longest: a run of no time is seen too


class Schedules:
    """GET /schedules; running one now, pausing, resuming."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def show(self, request: web.Request) -> web.Response:
        """Each in words, with its next ticks, or why it has none, how the last one ended, and how long the last runs took."""
        found = await self.site.look.fetch("cli_schedules")
        last = [row["last_job"] for row in found if row["last_job"]]
        jobs = await self.site.look.fetch("status_jobs", last) if last else []
        states = {job["id"]: shown(job) for job in map(resource, jobs)}
        names = [row["name"] for row in found if row["last_at"]]
        runs = (
            await self.site.look.fetch("page_schedule_runs", names[:TRENDS_MAX], RUNS_SHOWN)
            if names
            else []
        )
        rows = []
        for row in found:
            words, ticks, wrong = told(row["cron"], row["timezone"], row["now"])
            late = row["next_at"] is not None and (row["now"] - row["next_at"]).total_seconds() > LATE_SECONDS  # fmt: skip
            more = {"late": late, "words": words, "ticks": ticks, "error": row["error"] or wrong, "ended": states.get(row["last_job"])}  # fmt: skip
            rows.append(dict(row) | more)
        return await self.site.page(
            request,
            "schedules.html",
            title="Schedules",
            schedules=rows,
            trends=trends(runs),
            more=max(0, len(names) - TRENDS_MAX),
        )

    async def run(self, request: web.Request) -> web.Response:
        """POST /schedules/{schedule}/run: what it would enqueue, now, beside its ticks."""
        name, actor = request.match_info["schedule"], caller_of(request).actor
        made = await self.site.look.row("api_run_schedule", name, actor=actor)
        assert made
        return self.site.done(f"/jobs/{made['id']}", "schedule")

    async def switch(self, request: web.Request) -> web.Response:
        """POST /schedules/{schedule}/pause or resume."""
        name, action = request.match_info["schedule"], request.match_info["action"]
        actor = caller_of(request).actor
        await self.site.look.fetch("api_pause_schedule", name, action == "pause", None, actor=actor)
        return self.site.done("/schedules", f"{action}_schedule")


def told(cron: str, zone: str, now: datetime) -> tuple[str, list[dict[str, Any]], str | None]:
    """A schedule in words, its next few ticks, and what is wrong with it if there are none.

    A tick says its moment, what the clock of the schedule's zone shows then, and whether it shows that twice on the day.
    """
    try:
        ticks = list(islice(ticks_after(cron, zone, now), TICKS_SHOWN))
        words = in_words(cron)
    except ValueError as error:
        return cron, [], str(error)
    return words, [{"at": tick, "there": f"{tick:%a %d %b, %H:%M %Z}", "twice": twice(tick)} for tick in ticks], None  # fmt: skip


def twice(tick: datetime) -> bool:
    """Whether its wall-clock time comes twice on that day, since clocks are put back; a schedule runs in the first pass."""
    first, second = tick.replace(fold=0).utcoffset(), tick.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second


def trends(rows: Sequence[Record | dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs of each schedule, the oldest first, with how high its bar stands beside the longest; and a sentence about them.

    Schedules none of whose runs is over are left out.
    """
    of_schedule: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        of_schedule[row["schedule"]].append(dict(row))
    return [
        {"schedule": name, "runs": drawn(runs), "said": said(runs)}
        for name, runs in of_schedule.items()
        if any(run["state"] for run in runs)
    ]


def drawn(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each run with its height, in parts of the longest; 0 where nothing is known of it."""
    longest = max((run["seconds"] or 0.0 for run in runs), default=0.0)
    return [
        run
        | {
            "height": max(LOWEST, (run["seconds"] or 0.0) / longest if longest else 0.0)
            if run["state"]
            else 0.0
        }
        for run in runs
    ]


def said(runs: list[dict[str, Any]]) -> str:
    """`18 of 20 completed, half within 12 s, the longest 40 s, the last 13 s`."""
    over = [run for run in runs if run["state"]]
    completed = sum(1 for run in over if run["state"] == "completed")
    parts = [f"{completed} of {len(over)} completed"]
    seconds = [run["seconds"] for run in over if run["seconds"] is not None]
    if len(seconds) > 1:
        parts += [f"half within {took(median(seconds))}", f"the longest {took(max(seconds))}"]
    if seconds:
        parts.append(f"the last {took(seconds[-1])}")
    return ", ".join(parts)
