"""The kinds of job: how they fare, and a form that queues one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from asyncpg import PostgresError

from bellhand.callers import caller_of
from bellhand.dashboard.forms import fields, filled, payload_of
from bellhand.dashboard.nearest import no_such
from bellhand.dashboard.search import duration_seconds, is_number
from bellhand.dashboard.site import Site
from bellhand.dashboard.tree import loads
from bellhand.dashboard.usage import by_kind, used
from bellhand.kind_figures import SECOND_RUN
from bellhand.problems import HttpProblem, of_error
from bellhand.stats import within

WINDOW_SECONDS = 3600.0
REASON_CHARS_MAX = 500


class Kinds:
    """GET /kinds, GET and POST /kinds/{kind}."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def show(self, request: web.Request) -> web.Response:
        """All kinds."""
        rows = [dict(row) for row in await self.site.look.fetch("cli_kinds", None)]
        fared = {row["kind"]: row for row in await self.site.often("page_kinds", WINDOW_SECONDS)}
        outside = await by_kind(self.site)
        for row in rows:
            row |= how(fared.get(row["name"])) | {"used": outside.get(row["name"], [])}
        return await self.site.page(
            request, "kinds.html", title="Kinds", kinds=rows, outside=bool(outside)
        )

    async def form(self, request: web.Request) -> web.Response:
        """One kind with its form, filled in like job `like` if one is named."""
        given: dict[str, str] = {}
        like = request.query.get("like", "")
        if is_number(like):
            row = await self.site.look.row("status_jobs", [int(like)])
            given = filled(json.loads(row["payload"])) if row else {}
        return await self._form(request, given)

    async def _form(
        self, request: web.Request, given: Mapping[str, str], *, wrong: dict[str, str] | None = None,
        problem: HttpProblem | None = None,
    ) -> web.Response:  # fmt: skip
        kind = await self._kind(request)
        fared = {row["kind"]: row for row in await self.site.often("page_kinds", WINDOW_SECONDS)}
        more = (await self.site.look.fetch("page_kind", kind["name"]))[0]
        return await self.site.page(
            request, "kind.html", title=kind["name"], live=False, status=problem.status if problem else 422 if wrong else 200,
            kind=kind | how(fared.get(kind["name"])), fields=fields(kind["schema"], given), given=given, wrong=wrong or {}, problem=problem,
            times=json.loads(more["times"] or "[]"), codes=json.loads(more["codes"] or "[]"), unfit=more["unfit"], second_run=SECOND_RUN[kind["side_effects"]], used=used(json.loads(more["usage"] or "[]")), schema=loads(kind["schema_text"]), has_properties=bool((kind["schema"] or {}).get("properties")),
        )  # fmt: skip

    async def _kind(self, request: web.Request) -> dict[str, Any]:
        name = request.match_info["kind"]
        row = await self.site.look.row("cli_kinds", name)
        if row is None:
            known = (await self.site.frame()).kinds
            raise no_such(f"there is no kind {name[:100]!r}", "/kinds", name, known, "no daemon has published it to this database; see /kinds")  # fmt: skip
        return dict(row) | {
            "schema_text": row["schema"],
            "schema": json.loads(row["schema"] or "null"),
        }

    async def enqueue(self, request: web.Request) -> web.Response:
        """Queues what was filled in and goes to the job; what is wrong is said at its field."""
        given = {name: str(value) for name, value in (await request.post()).items()}
        kind = await self._kind(request)
        payload, wrong = payload_of(kind["schema"], given)
        wait = _wait(given, wrong)
        if wrong:
            return await self._form(request, given, wrong=wrong)
        look = self.site.look
        try:
            moment = (await look.fetch("cli_ago", -wait))[0][0] if wait else None
            row = await look.row(
                "enqueue", kind["name"], json.dumps(payload), given.get("unique_key") or None, moment, _priority(given), None, None, None,
                given.get("owner") or None, None, "cancel", None, caller_of(request).actor,
            )  # fmt: skip
        except Exception as error:
            problem = of_error(error)
            if problem is None or problem.status >= 500:
                raise
            return await self._form(request, given, problem=problem)
        assert row
        return self.site.done(f"/jobs/{row['id']}", "enqueue" if row["created"] else "same")

    async def quote(self, request: web.Request) -> web.Response:
        """GET /kinds/{kind}/quote: what would become of the job that is filled in; nothing is stored."""
        given = dict(request.query)
        kind = await self._kind(request)
        payload, wrong = payload_of(kind["schema"], given)
        wait = _wait(given, wrong)
        said, problem, frame = None, None, await self.site.frame()
        if not wrong:
            moment = (await self.site.look.fetch("cli_ago", -wait))[0][0] if wait else None
            try:
                row = await self.site.look.row(
                    "quote", kind["name"], json.dumps(payload), given.get("unique_key") or None, moment, _priority(given), None, None, None,
                    given.get("owner") or None, None, "cancel", None,
                )  # fmt: skip
                assert row
                said = json.loads(row["quote"])
            except PostgresError as error:
                problem = of_error(error)
        return await self.site.part(
            "quote.html", quote=said, problem=problem, wrong=wrong, now=frame.now
        )

    async def pause(self, request: web.Request) -> web.Response:
        """POST /kinds/{kind}/pause or resume."""
        return await switch(self.site, request, "kind", request.match_info["kind"], "/kinds")


async def switch(
    site: Site, request: web.Request, sort: str, name: str, back: str, *more: Any
) -> web.Response:
    """Pauses a lane or a kind for a reason, with what `more` its statement takes, or lets it go on."""
    action = request.match_info["action"]
    form = await request.post()
    reason = str(form.get("reason", ""))[:REASON_CHARS_MAX] or None
    said = (reason, *more) if action == "pause" else ()
    await site.look.fetch(f"cli_{action}_{sort}", name, *said, actor=caller_of(request).actor)
    return site.done(back, f"{action}_{sort}")


def how(row: Any) -> dict[str, Any]:
    """How a kind fared: jobs done and failed, and within which time half and nearly all ran."""
    if row is None:
        return {"done": 0, "failed": 0, "again": 0, "half": None, "most": None, "run_seconds": None}
    counts = list(row["histogram"])
    return {
        "done": row["done"], "failed": row["failed"], "again": row["again"], "run_seconds": row["run_seconds"],
        "half": within(counts, 0.5), "most": within(counts, 0.95),
    }  # fmt: skip


def _priority(given: Mapping[str, str]) -> int | None:
    text = given.get("priority", "")
    return int(text) if text in {str(n) for n in range(1, 11)} else None


def _wait(given: Mapping[str, str], wrong: dict[str, str]) -> float:
    text = given.get("wait", "").strip()
    try:
        return duration_seconds(text) if text else 0.0
    except ValueError as error:
        wrong["wait"] = str(error)
        return 0.0
