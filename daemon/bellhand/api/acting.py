"""Telling jobs what to do: change, cancel, pause, resume, retry, run now. Each act is in the audit log with who did it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from aiohttp import hdrs, web
from asyncpg import PostgresError, Record

from bellhand.api import told
from bellhand.api.etags import etag, matches
from bellhand.api.given import JobChanges, NewJob, PurgeQuery, Retrying, Why
from bellhand.api.making import unfit, where_refused
from bellhand.api.naming import job_row
from bellhand.api.operations import JSON, answer, operation
from bellhand.api.payloads import Payloads
from bellhand.api.veil import seen
from bellhand.callers import caller_of, require
from bellhand.look import Look
from bellhand.problems import HttpProblem, of_error
from bellhand.resource import rfc3339

MERGE_PATCH = "application/merge-patch+json"
JOB = ("bad-job-id", "not-found", "wrong-state")
LIVE = frozenset({"pending", "scheduled", "retrying", "blocked", "running"})


class Acting:
    """What changes jobs under /v1/jobs."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.payloads = Payloads(look)

    @operation(
        "PATCH", "/v1/jobs/{job}", "operate", answers={200: told.Job}, problems=(*JOB, "precondition-failed", "invalid-value", "invalid-payload", "payload-too-large"),
        headers={"If-Match": "The ETag of the job as it was seen: if it has changed, nothing is done."},
        body_types=(JSON, MERGE_PATCH),
    )  # fmt: skip
    async def change_job(self, request: web.Request, body: JobChanges) -> web.StreamResponse:
        """Change priority, run_at, attempts_max, tags or payload of a job that is not over (RFC 7396).

        What is left out stays; null takes the default of the kind, and runs a scheduled job at once; a tag or a key of the payload that
        is null goes. A new priority of a running job counts from its next attempt on, and its run_at cannot be changed. The payload
        can be until the first attempt begins, and is checked as when it was enqueued.
        """
        row = await job_row(self.look, request)
        version = None
        if known := request.headers.get(hdrs.IF_MATCH):
            # The version first: what is written after it makes the change fail below.
            version = (await self.look.row("api_version", row["id"]) or {"version": "none"})[
                "version"
            ]
            row = await job_row(self.look, request)
            if not matches(known, etag(seen(row))):
                raise HttpProblem("precondition-failed")
        changes = body.model_dump(exclude_unset=True)
        if "payload" in changes:
            whole = merged(json.loads(row["payload"]), changes["payload"])
            job = NewJob.model_construct(kind=row["kind"], payload=whole)
            # SQL checks again what it will be then, by the first level of the schema.
            if wrong := await self.payloads.problems([job], ""):
                raise unfit(wrong, [job])
        if isinstance(changes.get("run_at"), datetime):
            changes["run_at"] = rfc3339(changes["run_at"])
        if changes:
            await self._act(request, row, "api_change", json.dumps(changes), version)
        return await self._shown(request)

    @operation("POST", "/v1/jobs/{job}/cancel", "enqueue", answers={200: told.Job}, problems=JOB)
    async def cancel_job(self, request: web.Request, body: Why | None) -> web.StreamResponse:
        """Cancel a job: at once, or at its next await if it runs (`stopping` says so). Cancelled ones stay so.

        A caller with `enqueue` alone may cancel what he enqueued himself.
        """
        row = await job_row(self.look, request, "api_jobs")
        await self._act(request, row, "cli_cancel", body.reason if body else None)
        return await self._shown(request)

    @operation(
        "DELETE", "/v1/jobs/{job}", "enqueue", answers={200: told.Job, 204: None}, problems=JOB
    )
    async def delete_job(self, request: web.Request, query: PurgeQuery) -> web.StreamResponse:
        """The same as cancel; with `purge=true` deletes a job that is over.

        A cancelled job is history, and retention removes it. Purging needs `admin`, answers 204 and takes the job's payload, result,
        errors, steps and log with it; who asks for it then gets 410, which says what it was and who purged it. What a family wrote into tables
        of its own stays. Purged twice is purged.
        """
        if query.purge:
            require(request, "admin")
            try:
                row = await job_row(self.look, request, "api_jobs")
            except HttpProblem as problem:
                if problem.slug != "purged":
                    raise
                return web.Response(status=204)
            await self._act(request, row, "cli_purge", query.reason)
            return web.Response(status=204)
        row = await job_row(self.look, request, "api_jobs")
        await self._act(request, row, "cli_cancel", None)
        return await self._shown(request)

    @operation("POST", "/v1/jobs/{job}/pause", "operate", answers={200: told.Job}, problems=JOB)
    async def pause_job(self, request: web.Request) -> web.StreamResponse:
        """Hold a job: at once, or at its next step if it runs, which keeps what is done."""
        row = await job_row(self.look, request, "api_jobs")
        await self._act(request, row, "cli_pause")
        return await self._shown(request)

    @operation("POST", "/v1/jobs/{job}/resume", "operate", answers={200: told.Job}, problems=JOB)
    async def resume_job(self, request: web.Request) -> web.StreamResponse:
        """Let a paused job go on where it stopped; one that goes on already is left alone."""
        row = await job_row(self.look, request, "api_jobs")
        if row["state"] not in LIVE or row["stop"] == "pause":
            await self._act(request, row, "cli_resume")
        return await self._shown(request)

    @operation("POST", "/v1/jobs/{job}/retry", "operate", answers={200: told.Job}, problems=JOB)
    async def retry_job(self, request: web.Request, body: Retrying | None) -> web.StreamResponse:
        """Run a failed, cancelled or partly completed job again, or one that waits for its next attempt at once.

        Steps that completed are skipped, unless `scope` is `all`.
        """
        row = await job_row(self.look, request, "api_jobs")
        again = body is not None and body.scope == "all"
        await self._act(request, row, "api_start_over" if again else "cli_retry")
        return await self._shown(request)

    @operation("POST", "/v1/jobs/{job}/run-now", "operate", answers={200: told.Job}, problems=JOB)
    async def run_job_now(self, request: web.Request) -> web.StreamResponse:
        """Make a scheduled or retrying job ready at once; one that is ready already is left alone."""
        row = await job_row(self.look, request, "api_jobs")
        await self._act(request, row, "cli_run_now")
        return await self._shown(request)

    async def _act(
        self, request: web.Request, row: Record, statement: str, *arguments: Any
    ) -> None:
        """Runs the statement on the job; a refusal because of its state says what it does allow."""
        actor = caller_of(request).actor
        try:
            await self.look.fetch(statement, row["id"], *arguments, actor=actor)
        except PostgresError as error:
            problem = of_error(error)
            if problem is None:
                raise
            if problem.slug != "wrong-state":
                said = str(getattr(error, "message", None) or error)
                detail = str(getattr(error, "detail", None) or "")
                if where := where_refused(problem.slug, said, detail):
                    problem.errors = [(f"#{where}", detail or said)]
                raise problem from error
            now = await job_row(self.look, request, "api_jobs")
            problem.extra = {"state": now["state"], "allowed_actions": list(now["allowed_actions"])}
            raise problem from error

    async def _shown(self, request: web.Request) -> web.Response:
        row = await job_row(self.look, request)
        job = seen(row, await self.look.row("status_position", row["id"]))
        return answer(job, headers={"ETag": etag(job)})


def merged(target: Any, patch: Any) -> Any:
    """A JSON value with a merge patch applied, as merge_patch.sql does it (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    made = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made
