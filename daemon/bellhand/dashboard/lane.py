"""A lane: who has its slots, what is next, how long jobs waited, and what other limits would do before they are set."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from asyncpg import Record

from bellhand.callers import caller_of
from bellhand.dashboard.kinds import switch
from bellhand.dashboard.nearest import no_such
from bellhand.dashboard.overview import lanes_of
from bellhand.dashboard.search import duration_seconds
from bellhand.dashboard.site import Site
from bellhand.dashboard.trouble import late_lanes, slo_of
from bellhand.dashboard.words import rough, took
from bellhand.problems import HttpProblem

ROWS = 20
# Upper bounds in seconds; what waited longer comes last.
WAITS = (0.1, 1.0, 10.0, 60.0, 300.0, 900.0, 3600.0)
LIMITS = ("concurrency", "rate_per_second")
LIMIT_MAX = 1e6


@dataclass(frozen=True, slots=True)
class Pace:
    """What decides how fast a lane empties: jobs that wait, the seconds that one runs (None: nobody knows), the hands of its workers, and
    how many of those other lanes have now."""

    pending: int
    run_seconds: float | None
    hands: int
    elsewhere: int

    def slots(self, concurrency: int | None) -> int:
        """How many can run at once: a limited lane gets its slots soon, since the others' jobs end too; another has what they leave."""
        if concurrency is not None:
            return min(concurrency, self.hands)
        return max(min(1, self.hands), self.hands - self.elsewhere)

    def empty_seconds(self, concurrency: int | None, rate_per_second: float | None) -> float | None:
        """Until what waits now is done, if nothing more comes; None when that cannot be said."""
        slots = self.slots(concurrency)
        if not slots or self.run_seconds is None:
            return None
        by_slots = self.pending * self.run_seconds / slots
        return max(by_slots, self.pending / rate_per_second if rate_per_second else 0.0)


class Lanes:
    """GET /lanes, /lanes/{lane} and its forecast; and what a lane can be told."""

    def __init__(self, site: Site, settings: dict[str, Any]) -> None:
        self.site = site
        self.slo_seconds = slo_of(settings)

    async def show(self, request: web.Request) -> web.Response:
        """Limits, pauses, who holds the slots, and when each lane is empty at this pace."""
        lanes = await lanes_of(self.site)
        return await self.site.page(request, "lanes.html", title="Lanes", lanes=lanes)

    async def one(self, request: web.Request) -> web.Response:
        """One lane, and what the limits in the address would do to it."""
        lane, row = await self._lane(request)
        now = (await self.site.frame()).now
        late = [] if lane["paused"] else late_lanes([lane], self.slo_seconds, now)
        asked = limits_of(request.query) if any(name in request.query for name in LIMITS) else None
        return await self.site.page(
            request, "lane.html", title=f"Lane {lane['lane']}", lane=lane | {"rate_burst": row["rate_burst"], "tokens": row["tokens"], "paused_at": row["paused_at"], "paused_by": row["paused_by"]}, hands=row["hands"], workers=row["workers"],
            next=json.loads(row["next"] or "[]"), occupants=json.loads(row["occupants"] or "[]"), waits=histogram(row["waits"]), waited=len(row["waits"]),
            forecast=forecast(lane, pace(lane, row), asked), asked=asked, late=late,
            may_seconds=self.slo_seconds(lane["lane"]), owners=json.loads(row["owners"] or "[]"), looked_at=row["looked_at"],
        )  # fmt: skip

    async def foretell(self, request: web.Request) -> web.Response:
        """GET /lanes/{lane}/forecast: the same for a script, while somebody types."""
        lane, row = await self._lane(request)
        try:
            said = forecast(lane, pace(lane, row), limits_of(request.query))
        except HttpProblem as problem:
            said = {"problem": problem.detail}
        return await self.site.part("forecast.html", forecast=said)

    async def limit(self, request: web.Request) -> web.Response:
        """POST /lanes/{lane}/limits: how many at once and how many a second; empty is no limit."""
        limits = json.dumps(limits_of(await request.post()))
        name, actor = request.match_info["lane"], caller_of(request).actor
        await self.site.look.fetch("api_limit_lane", name, limits, actor=actor)
        self.site.forget("page_lanes")
        return self.site.done(f"/lanes/{name}", "limit_lane")

    async def switch(self, request: web.Request) -> web.Response:
        """POST /lanes/{lane}/pause, for a while if one is given, or resume."""
        name = request.match_info["lane"]
        length, until = str((await request.post()).get("for", "")).strip(), None
        if length:
            try:
                seconds = duration_seconds(length)
            except ValueError as error:
                raise HttpProblem("invalid-value", detail=str(error)) from None
            until = (await self.site.look.fetch("cli_ago", -seconds))[0][0]
        done = await switch(self.site, request, "lane", name, f"/lanes/{name}", until)
        self.site.forget("page_lanes")
        return done

    async def _lane(self, request: web.Request) -> tuple[dict[str, Any], Record]:
        name = request.match_info["lane"]
        lanes = await lanes_of(self.site)
        lane = next((one for one in lanes if one["lane"] == name), None)
        row = await self.site.look.row("page_lane", name, ROWS) if lane else None
        if lane is None or row is None:
            known = [one["lane"] for one in lanes]
            raise no_such(f"there is no lane {name[:100]!r}", "/lanes", name, known)
        return lane, row


def limits_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The limits of a form; what is empty is no limit."""
    found: dict[str, Any] = {}
    for name in LIMITS:
        text = str(given.get(name, "")).strip()
        try:
            value = (int if name == "concurrency" else float)(text) if text else None
        except ValueError:
            raise HttpProblem("invalid-value", detail=f"{text[:50]!r} is no number") from None
        if value is not None and not 0 < value <= LIMIT_MAX:
            raise HttpProblem("invalid-value", detail=f"{text[:50]} is no limit: it is a number above 0, or empty for none")  # fmt: skip
        found[name] = value
    return found


def pace(lane: dict[str, Any], row: Record) -> Pace:
    """Of a lane as lanes_of() has it and a row of page_lane.sql."""
    elsewhere = max(0, row["busy"] - lane["running"])
    return Pace(lane["pending"], lane["run_seconds"], row["hands"], elsewhere)


def forecast(lane: dict[str, Any], now: Pace, asked: dict[str, Any] | None) -> dict[str, Any]:
    """In which time the lane is empty as it is limited, and as it would be; what that stands on, or why it cannot be said."""
    here = {name: lane[name] for name in LIMITS}
    if not lane["pending"]:
        return {"problem": "Nothing waits, so nothing would change now."}
    if not now.hands:
        return {"problem": "No worker serves this lane: by no limit would anything begin sooner."}
    is_now = now.empty_seconds(**here)
    if is_now is None:
        return {"problem": "No job of this lane ended in the last hour, so nobody knows how long one takes."}  # fmt: skip
    wanted = here if asked is None else asked
    would = now.empty_seconds(**wanted)
    assert would is not None
    return {
        "paused": lane["paused"], "now": rough(is_now), "would": rough(would) if asked is not None else None, "slots": now.slots(wanted["concurrency"]),
        "basis": f"{lane['pending']:,} wait, one ran {took(now.run_seconds)} on average in the last hour, and its workers have {now.hands} hands",
        "elsewhere": now.elsewhere if now.slots(wanted["concurrency"]) > now.hands - now.elsewhere else 0,
    }  # fmt: skip


def histogram(waits: list[float]) -> list[dict[str, Any]]:
    """How many waited how long: a phrase, a count, and its share of the most frequent one; no buckets beyond the longest wait."""
    counts = [0] * (len(WAITS) + 1)
    for seconds in waits:
        counts[bisect_left(WAITS, seconds)] += 1
    while len(counts) > 1 and not counts[-1]:
        counts.pop()
    words = [*(f"up to {took(bound)}" for bound in WAITS), "longer"]
    most = max(*counts, 1)
    return [
        {"said": word, "jobs": count, "share": round(100 * count / most, 1)}
        for word, count in zip(words, counts, strict=False)
    ]
