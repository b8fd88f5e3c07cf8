"""Lanes, kinds and workers: what there is, and what may be changed while all runs."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Any

from aiohttp import web
from asyncpg import Record

from bellhand.api import control_told
from bellhand.api.given import LaneLimits, Pausing, Why
from bellhand.api.operations import OWN, answer, operation
from bellhand.callers import caller_of
from bellhand.kind_figures import kinds_told
from bellhand.look import Look
from bellhand.problems import not_found
from bellhand.resource import rfc3339
from bellhand.stats import waits_told

THING = ("not-found",)
WINDOW_SECONDS = 3600.0


class Control:
    """/v1/lanes, /v1/kinds, /v1/workers."""

    def __init__(self, look: Look) -> None:
        self.look = look

    # Lanes

    @operation("GET", "/v1/lanes", "read", answers={200: control_told.Lanes})
    async def list_lanes(self, request: web.Request) -> web.StreamResponse:
        """List the lanes with their limits, what they hold (counted to 100,000) and within which time half, and 95 %, of what began in the last hour did."""
        return answer({"data": await self._lanes()})

    @operation("GET", "/v1/lanes/{lane}", "read", answers={200: control_told.Lane}, problems=THING)
    async def get_lane(self, request: web.Request) -> web.StreamResponse:
        """Get one lane."""
        return answer(await self._lane(request))

    @operation(
        "PATCH", "/v1/lanes/{lane}", "operate", answers={200: control_told.Lane}, problems=(*THING, "in-configuration")
    )  # fmt: skip
    async def limit_lane(self, request: web.Request, body: LaneLimits) -> web.StreamResponse:
        """Change the limits of a lane at once, for all daemons; what is left out stays, null is no limit.

        A lane whose limits stand in the configuration is changed there (409), since they come back with every start.
        """
        limits = json.dumps(body.model_dump(exclude_unset=True))
        actor = caller_of(request).actor
        await self.look.fetch("api_limit_lane", request.match_info["lane"], limits, actor=actor)
        return answer(await self._lane(request))

    @operation(
        "POST", "/v1/lanes/{lane}/pause", "operate", answers={200: control_told.Lane}, problems=(*THING, "invalid-value")
    )  # fmt: skip
    async def pause_lane(self, request: web.Request, body: Pausing | None) -> web.StreamResponse:
        """Start nothing more from a lane until it is resumed, or goes on by itself; what runs goes on.

        The reason is shown wherever the lane is. A lane that is paused already is from now on paused for this one, and this long.
        """
        asked, actor = body or Pausing(), caller_of(request).actor
        await self.look.fetch("cli_pause_lane", request.match_info["lane"], asked.reason, asked.until, actor=actor)  # fmt: skip
        return answer(await self._lane(request))

    @operation(
        "POST",
        "/v1/lanes/{lane}/resume",
        "operate",
        answers={200: control_told.Lane},
        problems=THING,
    )
    async def resume_lane(self, request: web.Request) -> web.StreamResponse:
        """Let a lane go on."""
        actor = caller_of(request).actor
        await self.look.fetch("cli_resume_lane", request.match_info["lane"], actor=actor)
        return answer(await self._lane(request))

    async def _lanes(self) -> list[dict[str, Any]]:
        rows = await self.look.fetch("status_lanes")
        waits = {w["lane"]: w["waits"] for w in await self.look.fetch("lane_waits", WINDOW_SECONDS)}
        return [
            {**row, "paused_until": rfc3339(row["paused_until"])}
            | waits_told(waits.get(row["lane"]))
            for row in rows
        ]

    async def _lane(self, request: web.Request) -> dict[str, Any]:
        name, lanes = request.match_info["lane"], await self._lanes()
        return one_of("lane", name, {lane["lane"]: lane for lane in lanes})

    # Kinds

    @operation("GET", "/v1/kinds", OWN, answers={200: control_told.Kinds})
    async def list_kinds(self, request: web.Request) -> web.StreamResponse:
        """List the kinds that daemons have published, each with how many live workers handle it."""
        kinds = await self._kinds()
        return answer({"data": [_without_schema(kind) for kind in kinds.values()]})

    @operation("GET", "/v1/kinds/{kind}", OWN, answers={200: control_told.Kind}, problems=THING)
    async def get_kind(self, request: web.Request) -> web.StreamResponse:
        """Get one kind."""
        return answer(_without_schema(await self._kind(request)))

    @operation("GET", "/v1/kinds/{kind}/schema", OWN, answers={200: dict[str, Any]}, problems=THING)
    async def get_schema(self, request: web.Request) -> web.StreamResponse:
        """The JSON Schema of the payload of a kind; an empty one when anything is taken."""
        return answer((await self._kind(request))["schema"] or {})

    @operation(
        "POST",
        "/v1/kinds/{kind}/pause",
        "operate",
        answers={200: control_told.Kind},
        problems=THING,
    )
    async def pause_kind(self, request: web.Request, body: Why | None) -> web.StreamResponse:
        """Start no more jobs of a kind; what runs goes on."""
        await self._kind(request)
        reason, actor = body.reason if body else None, caller_of(request).actor
        await self.look.fetch("cli_pause_kind", request.match_info["kind"], reason, actor=actor)
        return answer(_without_schema(await self._kind(request)))

    @operation(
        "POST",
        "/v1/kinds/{kind}/resume",
        "operate",
        answers={200: control_told.Kind},
        problems=THING,
    )
    async def resume_kind(self, request: web.Request) -> web.StreamResponse:
        """Let a kind go on, and put back what was kept aside for it."""
        await self._kind(request)
        actor = caller_of(request).actor
        await self.look.fetch("cli_resume_kind", request.match_info["kind"], actor=actor)
        return answer(_without_schema(await self._kind(request)))

    async def _kinds(self) -> dict[str, dict[str, Any]]:
        found = {}
        rows = await self.look.fetch("cli_kinds", None)
        for kind in kinds_told(rows, await self.look.fetch("kind_stages", None)):
            kind["schema"] = json.loads(kind["schema"]) if kind["schema"] else None
            kind["published_at"] = rfc3339(kind["published_at"])
            found[kind["name"]] = kind
        return found

    async def _kind(self, request: web.Request) -> dict[str, Any]:
        return one_of("kind", request.match_info["kind"], await self._kinds())

    # Workers

    @operation("GET", "/v1/workers", "read", answers={200: control_told.Workers})
    async def list_workers(self, request: web.Request) -> web.StreamResponse:
        """List the workers that live, with what they have in hand and when they last gave a sign."""
        rows = await self.look.fetch("status_workers")
        return answer({"data": [worker_told(row) for row in rows]})

    @operation(
        "POST", "/v1/workers/{worker}/drain", "operate", answers={200: control_told.Worker}, problems=(*THING, "invalid-value")
    )  # fmt: skip
    async def drain_worker(self, request: web.Request, body: Why | None) -> web.StreamResponse:
        """Tell a worker, by its id or name, to claim nothing more; what runs hands itself back at its next step, or ends.

        Its daemon stays, answers 503 on `/readyz` and goes on when told to; another process, as after a restart, is not drained.
        """
        reason, actor = body.reason if body else None, caller_of(request).actor
        return await self._worker("drain_worker", request.match_info["worker"], reason, actor=actor)

    @operation(
        "POST", "/v1/workers/{worker}/undrain", "operate", answers={200: control_told.Worker}, problems=(*THING, "invalid-value")
    )  # fmt: skip
    async def undrain_worker(self, request: web.Request) -> web.StreamResponse:
        """Let a worker that was drained claim again."""
        actor = caller_of(request).actor
        return await self._worker("undrain_worker", request.match_info["worker"], actor=actor)

    async def _worker(self, act: str, *arguments: Any, actor: str) -> web.StreamResponse:
        (done,) = await self.look.fetch(act, *arguments, actor=actor)
        for row in await self.look.fetch("status_workers"):
            if row["id"] == done["id"]:
                return answer(worker_told(row))
        raise not_found(f"worker {arguments[0][:100]!r} ended meanwhile", "see /v1/workers")


def worker_told(row: Record) -> dict[str, Any]:
    """A row of status_workers.sql as it is answered."""
    moments = {name: rfc3339(row[name]) for name in ("started_at", "drain_asked_at")}
    return {**row, **moments}


def one_of(sort: str, name: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The thing of that name; the problem 404 names the nearest."""
    if name in known:
        return known[name]
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"see /v1/{sort}s"
    raise not_found(f"there is no {sort} {name[:100]!r}", hint)


def _without_schema(kind: dict[str, Any]) -> dict[str, Any]:
    links = {"self": f"/v1/kinds/{kind['name']}", "schema": f"/v1/kinds/{kind['name']}/schema"}
    return {name: value for name, value in kind.items() if name != "schema"} | {"links": links}
