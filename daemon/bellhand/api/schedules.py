"""Schedules: what comes again and again, made, changed, run, paused and taken out while all runs."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

from aiohttp import web
from asyncpg import PostgresError

from bellhand.api import control_told
from bellhand.api.control import THING, one_of
from bellhand.api.given import NewSchedule, Why
from bellhand.api.making import where_refused
from bellhand.api.naming import fit_name
from bellhand.api.operations import answer, operation
from bellhand.api.veil import masked
from bellhand.callers import caller_of
from bellhand.cron import ticks_after
from bellhand.look import Look
from bellhand.problems import HttpProblem, of_error
from bellhand.resource import rfc3339


class Schedules:
    """/v1/schedules."""

    def __init__(self, look: Look) -> None:
        self.look = look

    @operation("GET", "/v1/schedules", "read", answers={200: control_told.Schedules})
    async def list_schedules(self, request: web.Request) -> web.StreamResponse:
        """List the schedules, the next one due first."""
        return answer({"data": list((await self._schedules()).values())})

    @operation(
        "GET",
        "/v1/schedules/{schedule}",
        "read",
        answers={200: control_told.Schedule},
        problems=THING,
    )
    async def get_schedule(self, request: web.Request) -> web.StreamResponse:
        """Get one schedule."""
        return answer(await self._schedule(request))

    @operation(
        "PUT", "/v1/schedules/{schedule}", "operate", answers={200: control_told.Schedule},
        problems=("invalid-value", "unknown-kind", "invalid-payload", "in-configuration"),
    )  # fmt: skip
    async def set_schedule(self, request: web.Request, body: NewSchedule) -> web.StreamResponse:
        """Make a schedule that all daemons keep at once, or change it; what is left out gets its default, and a pause stays.

        What its jobs would be refused for, it is refused for now. One of the configuration is changed there (409).
        """
        name = fit_name("schedule", request.match_info["schedule"])
        (now,) = await self.look.fetch("cli_ago", 0.0)
        # In a thread: for a day that seldom comes it looks through decades.
        due = await asyncio.to_thread(_due, body, now[0])
        notify = json.dumps(body.notify) if body.notify else None
        try:
            await self.look.fetch(
                "cli_add_schedule", name, body.cron, body.timezone, body.kind, json.dumps(body.payload), body.priority,
                body.missed, body.missed_max, notify, due, True, actor=caller_of(request).actor,
            )  # fmt: skip
        except PostgresError as error:
            raise _refused(error) from error
        return answer(await self._schedule(request))

    @operation(
        "DELETE", "/v1/schedules/{schedule}", "operate", answers={204: None}, problems=(*THING, "in-configuration")
    )  # fmt: skip
    async def remove_schedule(self, request: web.Request) -> web.StreamResponse:
        """Take a schedule out; jobs that it enqueued stay. One of the configuration is taken out there (409)."""
        actor = caller_of(request).actor
        await self.look.fetch("cli_remove_schedule", request.match_info["schedule"], actor=actor)
        return web.Response(status=204)

    @operation(
        "POST", "/v1/schedules/{schedule}/run", "operate", answers={202: control_told.NamedJob},
        problems=(*THING, "unknown-kind", "invalid-payload"),
    )  # fmt: skip
    async def run_schedule(self, request: web.Request) -> web.StreamResponse:
        """Enqueue the job of a schedule now, beside its ticks."""
        name, actor = request.match_info["schedule"], caller_of(request).actor
        (made,) = await self.look.fetch("api_run_schedule", name, actor=actor)
        where = f"/v1/jobs/{made['key']}"
        named = {"id": made["id"], "key": str(made["key"]), "links": {"self": where}}
        return answer(named, 202, {"Location": where})

    @operation(
        "POST",
        "/v1/schedules/{schedule}/pause",
        "operate",
        answers={200: control_told.Schedule},
        problems=THING,
    )
    async def pause_schedule(self, request: web.Request, body: Why | None) -> web.StreamResponse:
        """Enqueue nothing more from a schedule."""
        return await self._pause(request, True, body.reason if body else None)

    @operation(
        "POST",
        "/v1/schedules/{schedule}/resume",
        "operate",
        answers={200: control_told.Schedule},
        problems=THING,
    )
    async def resume_schedule(self, request: web.Request) -> web.StreamResponse:
        """Let a schedule go on; ticks of the pause are not made up for."""
        return await self._pause(request, False, None)

    async def _pause(
        self, request: web.Request, paused: bool, reason: str | None
    ) -> web.StreamResponse:
        name, actor = request.match_info["schedule"], caller_of(request).actor
        await self.look.fetch("api_pause_schedule", name, paused, reason, actor=actor)
        return answer(await self._schedule(request))

    async def _schedules(self) -> dict[str, dict[str, Any]]:
        found = {}
        for row in await self.look.fetch("cli_schedules"):
            one = {name: value for name, value in row.items() if name != "now"}
            one = masked(one, "error") | {"payload": json.loads(row["payload"])}
            one["notify"] = json.loads(row["notify"]) if row["notify"] else None
            one |= {name: rfc3339(row[name]) for name in ("next_at", "last_at")}
            found[row["name"]] = one
        return found

    async def _schedule(self, request: web.Request) -> dict[str, Any]:
        return one_of("schedule", request.match_info["schedule"], await self._schedules())


def _due(asked: NewSchedule, now: datetime) -> datetime:
    """The first tick after now; the problem 422 if the expression or the zone is none, or there never is one."""
    due = None
    for place, cron in (("#/timezone", "@hourly"), ("#/cron", asked.cron)):
        try:
            due = next(ticks_after(cron, asked.timezone, now), None)
        except ValueError as error:
            said = str(error)
            raise HttpProblem("invalid-value", detail=said, errors=[(place, said)]) from None
    if due is None:
        said = f"cron expression {asked.cron!r} is never due: no day fits it"
        raise HttpProblem("invalid-value", detail=said, errors=[("#/cron", said)])
    return due


def _refused(error: PostgresError) -> Exception:
    """The problem with a pointer to what add_schedule.sql refused."""
    problem = of_error(error)
    if problem is None:
        return error
    said = str(getattr(error, "message", None) or "")
    detail = str(getattr(error, "detail", None) or "")
    where = "/notify" if error.sqlstate == "BH005" else where_refused(problem.slug, said, detail)
    if where is not None:
        problem.errors = [(f"#{where}", detail or said)]
    return problem
