"""What is known beyond how a job stands: why, when, what fails alike; and bulk actions with their undoing."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from asyncpg import Record

from bellhand.api.insight_told import (
    Bulk,
    BulkFilter,
    BulkOperation,
    BulkOperations,
    BulkPreview,
    BulkUndone,
    Calibrations,
    Failure,
    FailureQuery,
    Failures,
    FailureShown,
    JobEta,
    JobWhy,
    Muting,
    OperationQuery,
)
from bellhand.api.naming import job_row, named
from bellhand.api.operations import OWN, answer, operation
from bellhand.api.veil import masked
from bellhand.callers import caller_of
from bellhand.look import Look
from bellhand.problems import HttpProblem, not_found
from bellhand.resource import ID_MAX, eta, rfc3339
from bellhand.states import states_named

JOB = ("bad-job-id", "not-found")
EXAMPLES = 10
BULK_SECONDS = 20.0


class Insight:
    """/v1/eta, /v1/failures, /v1/operations, /v1/jobs:bulk and what a job's why and eta say."""

    def __init__(self, look: Look, patient: Look) -> None:
        self.look = look
        self.patient = patient  # for what may touch ten thousand jobs

    @operation("GET", "/v1/jobs/{job}/why", OWN, answers={200: JobWhy}, problems=JOB)
    async def why(self, request: web.Request) -> web.StreamResponse:
        """Say why a job stands where it stands: the nearest reason first, each with the command that changes it."""
        row = await job_row(self.look, request)
        gates = [
            masked(dict(gate), "detail") for gate in await self.look.fetch("cli_why", row["id"])
        ]
        return answer({"id": row["id"], "state": row["state"], "gates": gates})

    @operation("GET", "/v1/jobs/{job}/eta", OWN, answers={200: JobEta}, problems=JOB)
    async def eta_of(self, request: web.Request) -> web.StreamResponse:
        """Say when a job starts and finishes; null for one that is over. What is said here is judged once it is over."""
        row = await job_row(self.look, request)
        foretold = await self.look.row("eta", [row["id"]])
        if foretold is not None:
            await self.look.fetch("foretell", [row["id"]])
        return answer({"id": row["id"], "state": row["state"], "eta": eta(foretold)})

    @operation("GET", "/v1/eta/calibration", "read", answers={200: Calibrations})
    async def calibration(self, request: web.Request) -> web.StreamResponse:
        """Say how often the bands of the last seven days held, by kind."""
        return answer({"data": [dict(row) for row in await self.look.fetch("calibration")]})

    @operation("GET", "/v1/failures", "read", answers={200: Failures})
    async def failures(self, request: web.Request, query: FailureQuery) -> web.StreamResponse:
        """List what fails alike, the last first; `trend` counts the failures of each of the last 24 hours, `open` up to 101 jobs."""
        rows = await self.look.fetch("failures", query.muted, query.kind, query.limit)
        return answer({"data": [_failure(row) for row in rows]})

    @operation("GET", "/v1/failures/{failure}", "read", answers={200: FailureShown}, problems=("not-found",))  # fmt: skip
    async def failure(self, request: web.Request) -> web.StreamResponse:
        """Show a group of failures by its fingerprint, with what sets it apart from jobs that completed."""
        row = await self._group(request)
        contrast = await self.look.fetch("failure_contrast", row["fingerprint"])
        jobs = await self.look.fetch("failure_jobs", row["fingerprint"], EXAMPLES)
        examples = [masked(dict(job), "error") | {"finished_at": rfc3339(job["finished_at"])} for job in jobs]  # fmt: skip
        shown = {"contrast": [dict(fact) for fact in contrast], "examples": examples}
        return answer(_failure(row) | shown)

    @operation("POST", "/v1/failures/{failure}/mute", "operate", answers={200: Failure}, problems=("not-found",))  # fmt: skip
    async def mute(self, request: web.Request, body: Muting | None) -> web.StreamResponse:
        """Leave a group out of what is shown first, for a while, until the next deploy or for good; with `seconds: 0` no longer."""
        row = await self._group(request)
        given = body or Muting()
        await self.look.fetch("mute_failure", row["fingerprint"], given.seconds, given.reason, given.until_deploy, actor=caller_of(request).actor)  # fmt: skip
        return answer(_failure(await self._group(request)))

    @operation(
        "POST", "/v1/jobs:bulk", "operate", answers={200: BulkPreview, 202: BulkOperation}, seconds=BULK_SECONDS,
        problems=("unconfirmed", "invalid-value"),
    )  # fmt: skip
    async def bulk(self, request: web.Request, body: Bulk) -> web.StreamResponse:
        """Tell many jobs at once what to do.

        With `dry_run` nothing happens and the answer says how many it would reach; that count, as `expected_count`, is what makes it
        happen. 202 with the operation, which can be undone for a while.
        """
        arguments = json.dumps(
            {
                name: value
                for name in ("priority", "hold_seconds")
                if (value := getattr(body, name)) is not None
            }
        )
        chosen = json.dumps(_filter(body.filter))
        if body.dry_run:
            row = await self.patient.row("bulk_preview", chosen, body.action, arguments)
            assert row
            counts = {name: json.loads(row[name]) for name in ("kinds", "states", "side_effects")}
            return answer({**dict(row), **counts})
        row = await self.patient.row(
            "bulk_act", chosen, body.action, body.expected_count, body.reason, arguments,
            actor=caller_of(request).actor,
        )  # fmt: skip
        assert row
        made = await self._operation(row["operation"])
        return answer(made, 202, {"Location": f"/v1/operations/{row['operation']}"})

    @operation("GET", "/v1/operations", "read", answers={200: BulkOperations})
    async def operations_listed(
        self, request: web.Request, query: OperationQuery
    ) -> web.StreamResponse:
        """List the bulk actions, the newest first."""
        rows = await self.look.fetch("operations", query.before, query.limit)
        return answer({"data": [_operation(row) for row in rows]})

    @operation("GET", "/v1/operations/{operation}", "read", answers={200: BulkOperation}, problems=("not-found",))  # fmt: skip
    async def operation_shown(self, request: web.Request) -> web.StreamResponse:
        """Show a bulk action, with the first hundred jobs that it reached."""
        return answer(await self._operation(_number(request)))

    @operation(
        "POST", "/v1/operations/{operation}/undo", "operate", answers={200: BulkUndone}, seconds=BULK_SECONDS,
        problems=("not-found", "wrong-state"),
    )  # fmt: skip
    async def undo(self, request: web.Request) -> web.StreamResponse:
        """Undo a bulk action where nothing else has touched a job since; `kept` counts those that stay as they are."""
        number = _number(request)
        row = await self.patient.row("undo", number, actor=caller_of(request).actor)
        assert row
        return answer({"operation": number, **dict(row)})

    async def _group(self, request: web.Request) -> Record:
        word = request.match_info["failure"]
        rows = await self.look.fetch("failure", word) if "\0" not in word else []
        if len(rows) != 1:
            raise not_found(
                f"there is {'more than one' if rows else 'no'} group of failures {word[:20]!r}",
                "see /v1/failures; new failures are grouped within half a minute",
            )
        return rows[0]

    async def _operation(self, number: int) -> dict[str, Any]:
        row = await self.look.row("operation", number)
        if row is None:
            raise not_found(f"there is no operation {number}", "see /v1/operations")
        return _operation(row) | {"job_ids": row["job_ids"]}


def _filter(given: BulkFilter) -> dict[str, Any]:
    """As bulk_matching.sql takes it."""
    found = given.model_dump(exclude_none=True, mode="json")
    for name in ("since", "until"):
        if name in found:
            found[name] = rfc3339(getattr(given, name))
    if given.ids is not None:
        found["ids"] = [named(str(one))[0] for one in given.ids]
    if given.states is not None:
        try:
            found["states"] = sorted(set[str]().union(*(states_named(one) for one in given.states)))
        except ValueError as error:
            place = ("#/filter/states", str(error))
            raise HttpProblem("invalid-request", errors=[place]) from error
    return found


def _failure(row: Record) -> dict[str, Any]:
    found = masked(dict(row), "message", "example")
    del found["now"]
    until, until_deploy = found["muted_until"], found.pop("muted_until_deploy")
    # A group that is muted for good has no moment that a calendar knows.
    found["muted_until"] = "deploy" if until_deploy else None if until is None else rfc3339(until) if until.year < 9999 else "forever"  # fmt: skip
    return found | {name: rfc3339(row[name]) for name in ("first_at", "last_at")}


def _operation(row: Record) -> dict[str, Any]:
    found = {name: row[name] for name in ("id", "actor", "action", "reason", "jobs", "undone_by", "undone", "undoable")}  # fmt: skip
    found |= {name: json.loads(row[name]) for name in ("filter", "arguments")}
    return found | {name: rfc3339(row[name]) for name in ("at", "undo_until", "undone_at")}


def _number(request: web.Request) -> int:
    word = request.match_info["operation"]
    if not (word.isascii() and word.isdigit() and 0 < int(word[:20]) <= ID_MAX):
        raise not_found(f"there is no operation {word[:20]!r}", "see /v1/operations")
    return int(word)
