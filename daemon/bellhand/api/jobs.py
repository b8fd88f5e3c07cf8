"""Jobs: lists of them, one as it stands, its steps and attempts."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

from aiohttp import hdrs, web
from asyncpg import Record

from bellhand.api import told
from bellhand.api.etags import etag, matches
from bellhand.api.given import JobQuery, ListQuery
from bellhand.api.listing import counted, link, page, wanted_of
from bellhand.api.naming import job_row
from bellhand.api.operations import OWN, answer, operation
from bellhand.api.parts import step_told
from bellhand.api.veil import hidden, masked, masked_all, seen, veiled, veils
from bellhand.api.waiting import Waiting
from bellhand.callers import caller_of
from bellhand.look import Look
from bellhand.problems import HttpProblem
from bellhand.resource import rfc3339
from bellhand.states import OVER

ATTEMPTS_SHOWN = 200
SEVERAL_SECONDS = 65.0
STILL_SECONDS, AGAIN_SECONDS_MAX = 5.0, 60
CONDITIONAL = {"If-None-Match": "The ETag that is known already: 304 if the job still has it."}
JOB = ("bad-job-id", "not-found")


class Jobs:
    """What is to be read under /v1/jobs."""

    def __init__(self, look: Look, waiting: Waiting) -> None:
        self.look = look
        self.waiting = waiting

    @operation("GET", "/v1/jobs", "read", answers={200: told.JobPage}, problems=("bad-cursor",))
    async def list_jobs(self, request: web.Request, query: ListQuery) -> web.StreamResponse:
        """List jobs, the newest first; those that are not over come before those that are.

        `state` takes any word that people have for a state (`queued`, `done`, `error`, `live`, `over`), several with commas or repeated.
        `tag.NAME=value` picks jobs with that tag, `payload.a.b=value` those whose payload holds that. With `kind`, or only states that went
        wrong, jobs that are over come by the time they ended, unless `sort` says otherwise. A page costs the same whatever is asked for,
        so it may hold fewer than `limit` jobs while has_more is true; `warnings` then names what no index knows. Payloads and results are
        left out. How many fit is not counted unless `count=estimated` asks for it, which costs as much as a page that finds nothing.
        """
        more = {n: v for n, v in request.query.items() if n.startswith(ListQuery.open_prefix)}
        wanted = await wanted_of(self.look, query, caller_of(request), more)
        found = await page(self.look, wanted, query.cursor, query.limit)
        if query.count:
            found["count"] = await counted(self.look, wanted)
        cursor = found["next_cursor"]
        return answer(found, headers={"Link": link(request, cursor)} if cursor else {})

    @operation(
        "GET", "/v1/jobs/{job}", OWN, answers={200: told.Job, 304: None}, problems=JOB, headers=CONDITIONAL,
        seconds=SEVERAL_SECONDS,
    )  # fmt: skip
    async def get_job(self, request: web.Request, query: JobQuery) -> web.StreamResponse:
        """Get a job by its id or its key.

        With `wait=30&since=ETAG` the answer comes once the job is not as that ETag had it, or 304 when nothing changed in so many
        seconds. Retry-After says when it is worth asking again. A caller with `enqueue` alone gets what he enqueued himself; from one
        with `read` alone values are hidden that are secret by their name.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + query.wait
        known = query.since or request.headers.get(hdrs.IF_NONE_MATCH)
        row = await job_row(self.look, request)
        waits = bool(known) and query.wait > 0
        while True:
            # The version first: what happens after it ends the wait below.
            version = await self.waiting.version(row["id"]) if waits else None
            row = await job_row(self.look, request) if waits else row
            position = await self.look.row("status_position", row["id"])
            foretold = await self.look.row("eta", [row["id"]]) if row["state"] not in OVER else None
            job = veiled(seen(row, position, foretold), caller_of(request))
            tag = etag(job)
            headers = {"ETag": tag} | _again(row)
            if known is None or not matches(known, tag):
                return answer(job, headers=headers)
            left = deadline - loop.time()
            if version is None or left <= 0:
                return web.Response(status=304, headers=headers)
            await self.waiting.change(row["id"], version, left)

    @operation("GET", "/v1/jobs/{job}/steps", OWN, answers={200: told.Steps}, problems=JOB)
    async def get_steps(self, request: web.Request) -> web.StreamResponse:
        """The steps of a job in their order."""
        row = await job_row(self.look, request, "api_jobs")
        veil = veils(caller_of(request), row["source"])
        steps = [step_told(dict(step), veil) for step in await self.look.fetch("steps", row["id"])]
        return answer({"data": steps})

    @operation("GET", "/v1/jobs/{job}/attempts", OWN, answers={200: told.Attempts}, problems=JOB)
    async def get_attempts(self, request: web.Request) -> web.StreamResponse:
        """How the attempts of a job ended, the last 200, in order; one that ended well is in the job itself."""
        row = await job_row(self.look, request, "api_jobs")
        events = await self.look.fetch("api_attempts", row["id"], ATTEMPTS_SHOWN)
        shown = [
            {"at": rfc3339(e["at"]), "type": e["type"], "data": masked_all(_loads(e["data"]))}
            for e in events
        ]
        return answer({"data": shown})

    @operation(
        "GET", "/v1/jobs/{job}/result", OWN, answers={200: Any}, problems=(*JOB, "no-result")
    )
    async def get_result(self, request: web.Request) -> web.StreamResponse:
        """The result of a completed job, and nothing else."""
        row = await job_row(self.look, request)
        if row["state"] != "completed":
            extra = masked({"state": row["state"], "error": row["error"]}, "error")
            raise HttpProblem(
                "no-result",
                detail=f"job {row['id']} is {row['state']}",
                extra=extra,
                headers=_again(row),
            )
        result = _loads(row["result"])
        return answer(hidden(result) if veils(caller_of(request), row["source"]) else result)


def _again(row: Record) -> dict[str, str]:
    """When it is worth asking again: a job that runs may be over in a second, one that is due tomorrow will not."""
    if row["state"] in OVER:
        return {}
    seconds = 1.0
    if row["state"] in ("scheduled", "retrying"):
        seconds = (row["run_at"] - row["now"]).total_seconds()
    elif row["state"] in ("paused", "blocked"):
        seconds = STILL_SECONDS
    return {"Retry-After": str(max(1, min(AGAIN_SECONDS_MAX, math.ceil(seconds))))}


def _loads(text: str | None) -> Any:
    return None if text is None else json.loads(text)
