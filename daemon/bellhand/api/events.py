"""What happens, as it happens: streams of one job or of the log, and tickets for browsers that may see one job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from aiohttp import web
from asyncpg import Record
from pydantic import BaseModel, ConfigDict, Field

from bellhand.api.cursor import BEGINNING, Cursor
from bellhand.api.given import Body, JobName
from bellhand.api.included import Included
from bellhand.api.live import JOBS_PER_FOLLOWER_MAX, PAGE_ROWS, Follower, Page, Sight, Watch
from bellhand.api.naming import job_row, named
from bellhand.api.operations import answer, operation, routes_of
from bellhand.api.stream import Stream, wants_stream
from bellhand.api.veil import veiled, veils
from bellhand.api.waiting import Waiting
from bellhand.callers import caller_of, require
from bellhand.look import Look
from bellhand.problems import HttpProblem, not_found
from bellhand.resource import rfc3339
from bellhand.tickets import SECONDS, SECONDS_MAX, SECONDS_MIN, make_ticket

LAST = {"Last-Event-ID": "The id of the event that was read last; the answer goes on after it."}


class Asked(BaseModel):
    """What is asked; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class After(Asked):
    """Where to go on."""

    after: str | None = Field(
        default=None,
        description="The cursor of an answer before, or the id of an event that was read; Last-Event-ID, where there is one, comes first.",
    )


class OfJob(After):
    """Of one job: where to go on, and what to tell besides."""

    include: str | None = Field(
        default=None, pattern="^(steps|logs)(,(steps|logs))?$",
        description="`steps`, `logs` or `steps,logs`: a stream tells these too, as job.step and job.log.",
    )  # fmt: skip


class Filter(After):
    """Of what to hear; without lane and kind of everything in the log."""

    lane: list[str] = Field(
        default=[], max_length=20, description="Only of this lane; may be repeated."
    )
    kind: list[str] = Field(
        default=[], max_length=20, description="Only of this kind; may be repeated."
    )
    job: list[str] = Field(
        default=[], max_length=JOBS_PER_FOLLOWER_MAX,
        description="Ids or keys of jobs whose progress is told too; may be repeated. Jobs alone: nothing else is told.",
    )  # fmt: skip


class Wanted(Body):
    """For which job, what its holder may do, and for how long."""

    job: JobName = Field(description="The id or the key.")
    cancel: bool = Field(default=False, description="Whether the holder may cancel the job.")
    expires_seconds: float = Field(default=SECONDS, ge=SECONDS_MIN, le=SECONDS_MAX)


class Event(BaseModel):
    """A row of the log."""

    seq: int
    at: str
    type: str
    job: int | None
    kind: str | None
    lane: str | None
    actor: str
    data: dict[str, Any] | None


class Log(BaseModel):
    """Rows of the log in the order they were written, and where to go on."""

    data: list[Event]
    has_more: bool
    cursor: str


class Made(BaseModel):
    """A ticket; it is shown this once."""

    ticket: str
    job: UUID
    cancel: bool
    expires_at: str
    page: str
    events: str


class Events:
    """/v1/events, /v1/jobs/{job}/events and /v1/tickets."""

    def __init__(self, look: Look, watch: Watch, lines: Waiting) -> None:
        self.look = look
        self.watch = watch
        self.lines = lines  # who waits for what handlers log

    def routes(self) -> list[web.RouteDef]:
        return routes_of(self)

    @operation(
        "GET", "/v1/jobs/{job}/events", None, seconds=None, answers={200: Log, 204: None}, headers=LAST,
        problems=("bad-job-id", "bad-cursor", "not-found", "too-many-streams", "cursor-too-old"),
    )  # fmt: skip
    async def of_job(self, request: web.Request, query: OfJob) -> web.StreamResponse:
        """What happens to one job.

        With Accept: text/event-stream a stream of job.snapshot, job.started, job.progress, job.position, job.retrying, job.paused,
        job.completed, job.partial, job.failed, job.cancelled (their data is the job as GET has it) and event (a row of the log).
        With `include` also job.step (a step that ended, as /steps has it) and job.log (a line, as /logs has it). It
        ends with the job; who comes back with Last-Event-ID to a job that is over, and has read all, gets 204. Else the job's rows of the
        log as JSON.
        """
        _require_some_scope(request)
        row = await job_row(self.look, request)
        if not wants_stream(request):
            cursor = _cursor(query.after) or BEGINNING
            return await self._log("watch_job", cursor, row["id"], *cursor.arguments)
        follower = Follower(frozenset({row["id"]}))
        stream = Stream(
            self.watch,
            self.look,
            follower,
            _shown_to(request),
            f"/v1/jobs/{row['key']}",
            job=row["id"],
            included=self._included(request, query.include, row),
        )
        return await stream.answer(request, query.after)

    def _included(self, request: web.Request, words: str | None, row: Record) -> Included | None:
        if not words:
            return None
        veil = veils(caller_of(request), row["source"])
        return Included(
            self.look,
            self.lines,
            row["id"],
            steps="steps" in words,
            logs="logs" in words,
            veil=veil,
        )

    @operation(
        "GET", "/v1/events", "read", seconds=None, answers={200: Log}, headers=LAST,
        problems=("bad-job-id", "bad-cursor", "too-many-streams", "cursor-too-old"),
    )  # fmt: skip
    async def of_all(self, request: web.Request, query: Filter) -> web.StreamResponse:
        """What happens anywhere.

        With Accept: text/event-stream a stream of event (a row of the log: failures, retries, and what people did; jobs that simply
        succeed are not in it), of lane.paused, lane.resumed, lane.limited, worker.started, worker.draining, worker.resumed, worker.stopped,
        worker.lost (rows of the log too), and of the progress of the jobs that are named. Else rows of the log as JSON: none without `after`, but
        the cursor to go on from. A reset tells that what came after the Last-Event-ID is not known any more.
        """
        jobs = frozenset(named(word)[0] for word in query.job)
        lanes, kinds = frozenset(query.lane), frozenset(query.kind)
        only_jobs = bool(jobs) and not lanes and not kinds

        def wanted(event: dict[str, Any]) -> bool:
            fits = (not lanes or event["lane"] in lanes) and (not kinds or event["kind"] in kinds)
            return fits and not only_jobs

        if wants_stream(request):
            follower = Follower(jobs, wanted)
            stream = Stream(self.watch, self.look, follower, _shown_to(request), "/v1/jobs")
            return await stream.answer(request, query.after)
        cursor = _cursor(query.after)
        if cursor is None:
            row = await self.look.row("watch", None, None, "0", 0, [], [], 0, False)
            assert row
            return answer(
                {"data": [], "has_more": False, "cursor": str(Cursor(Page.of(row).until))}
            )
        follower = Follower(jobs, wanted)
        return await self._log("watch_since", cursor, *cursor.arguments, follower=follower)

    @operation(
        "POST", "/v1/tickets", None, answers={201: Made}, problems=("not-found", "forbidden"),
    )  # fmt: skip
    async def ticket(self, request: web.Request, body: Wanted) -> web.Response:
        """Make a ticket: what a browser may show instead of a token, to see one job (and cancel it) for a while.

        Who may see the job may make one; one that cancels needs operate, or a job that the caller enqueued.
        """
        _require_some_scope(request)
        number, key = named(str(body.job))
        caller = caller_of(request)
        rows = await self.look.fetch("status_jobs", [number])
        found = next(
            (r for r in rows if (key is None or r["key"] == key) and caller.sees(r["source"])), None
        )
        if found is None:
            raise not_found(f"there is no job {body.job}")
        if body.cancel and found["source"] != caller.actor:
            require(request, "operate")
        text, expires_at = await make_ticket(
            self.look, found["id"], found["key"], cancel=body.cancel, seconds=body.expires_seconds,
            by=caller.actor,
        )  # fmt: skip
        made = {
            "ticket": text, "job": str(found["key"]), "cancel": body.cancel, "expires_at": rfc3339(expires_at),
            "page": f"/p/{text}", "events": f"/p/{text}/events",
        }  # fmt: skip
        return answer(made, status=201)

    async def _log(
        self,
        statement: str,
        cursor: Cursor,
        *arguments: Any,
        follower: Follower | None = None,
    ) -> web.Response:
        row = await self.look.row(statement, *arguments, PAGE_ROWS)
        assert row
        if row["lost"]:
            raise HttpProblem("cursor-too-old")
        page = Page.of(row)
        rows = [event for _, event in page.rows if follower is None or follower.concerns(event)]
        place = str(page.after(cursor))
        return answer({"data": rows, "has_more": not page.whole, "cursor": place})


def _shown_to(request: web.Request) -> Callable[[Sight], dict[str, Any]]:
    """A job as GET has it for this caller."""
    caller = caller_of(request)
    return lambda sight: veiled(sight.resource, caller)


def _require_some_scope(request: web.Request) -> None:
    """Who enqueues may look at his own, so `read` is not asked of him."""
    if not caller_of(request).may("enqueue"):
        require(request, "read")


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        return Cursor.parse(text.partition("~")[0])
    except ValueError as error:
        raise HttpProblem("bad-cursor", detail=str(error)) from None
