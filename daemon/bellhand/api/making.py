"""POST /v1/jobs and /v1/jobs/batch: enqueuing over HTTP, once even if the answer is lost."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import structlog
from aiohttp import web
from asyncpg import PostgresError, Record

from bellhand.api import told
from bellhand.api.etags import etag
from bellhand.api.given import MakeQuery, NewJob, NewJobs
from bellhand.api.naming import named
from bellhand.api.operations import JSON, NDJSON, answer, operation
from bellhand.api.payloads import Payloads
from bellhand.api.veil import seen
from bellhand.api.waiting import Waiting
from bellhand.callers import Caller, caller_of
from bellhand.db import Again, Away
from bellhand.look import Look
from bellhand.problems import HttpProblem, of_error
from bellhand.resource import rfc3339
from bellhand.states import OVER

log = structlog.get_logger()

KEY_CHARS_MAX = 255
WAIT_SECONDS_MAX = 60.0
BATCH_SECONDS = 20.0
KINDS_SHOWN = 100
_KEY = re.compile(r'"[\x20-\x21\x23-\x5b\x5d-\x7e]+"|[\x21\x23-\x7e]+')
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])")
_QUOTED = re.compile(r'^(?:unknown key )?("(?:[^"\\]|\\.)*")')
IDEMPOTENCY = {
    "Idempotency-Key": "Makes the request happen once: sent again within 24 hours, it gets the jobs of the first time."
}
PREFER = {"Prefer": "`wait=30`: answer once the job is over, or after so many seconds."}


class Making:
    """Jobs that come over HTTP; batches of them over the links of `patient`."""

    def __init__(self, look: Look, patient: Look, waiting: Waiting) -> None:
        self.look = look
        self.patient = patient
        self.waiting = waiting
        self.payloads = Payloads(look)

    @operation(
        "POST", "/v1/jobs", "enqueue",
        answers={200: told.MadeJob | told.Quote, 202: told.MadeJob}, headers=IDEMPOTENCY | PREFER,
        problems=("unknown-kind", "invalid-payload", "payload-too-large", "unknown-parent", "invalid-value",
                  "bad-idempotency-key", "idempotency-in-progress", "idempotency-mismatch"),
        seconds=WAIT_SECONDS_MAX + 5,
    )  # fmt: skip
    async def create(
        self, request: web.Request, query: MakeQuery, body: NewJob
    ) -> web.StreamResponse:
        """Enqueue a job, or with `dry_run=true` say what would become of it.

        202 with the job and its address in Location; 200 with `deduplicated: true` if a job with this unique_key is
        there already. `warnings` say why it may wait for ever: no live worker, or a pause.
        """
        if query.dry_run:
            if wrong := await self.payloads.problems([body], ""):
                raise unfit(wrong, [body])
            return answer(await self._quote(caller_of(request), _row(body)))
        (made,) = await self._enqueue(self.look, request, [body], "")
        seconds, over = min(WAIT_SECONDS_MAX, _wait_of(request)), False
        job, warnings = _named_only(made), []
        with _unanswered():
            over = seconds > 0 and await self.waiting.over(made["id"], seconds)
            job = await self._job(made, caller_of(request))
            warnings = await self._warnings([body.kind]) if job.get("state") not in OVER else []
        job |= {"deduplicated": not made["created"], "warnings": warnings}
        headers = {"Location": f"/v1/jobs/{made['key']}", "ETag": etag(job)}
        headers |= {"Idempotency-Replayed": "true"} if made["replayed"] else {}
        headers |= {"Preference-Applied": f"wait={seconds:.0f}"} if seconds else {}
        return answer(job, 200 if over or not made["created"] else 202, headers)

    @operation(
        "POST", "/v1/jobs/batch", "enqueue",
        answers={202: told.MadeJobs}, headers=IDEMPOTENCY, body_types=(JSON, NDJSON),
        problems=("unknown-kind", "invalid-payload", "payload-too-large", "unknown-parent", "invalid-value",
                  "bad-idempotency-key", "idempotency-in-progress", "idempotency-mismatch"),
        seconds=BATCH_SECONDS + 10,
    )  # fmt: skip
    async def create_many(self, request: web.Request, body: NewJobs) -> web.StreamResponse:
        """Enqueue up to 1,000 jobs, all or none.

        The ids come in the order of the jobs. What does not fit is named as #/jobs/3/payload/url, and nothing is enqueued.
        """
        rows = await self._enqueue(self.patient, request, body.jobs, "/jobs/{}")
        data = [
            {"id": row["id"], "key": str(row["key"]), "kind": one.kind, "deduplicated": not row["created"]}
            for row, one in zip(rows, body.jobs, strict=True)
        ]  # fmt: skip
        warnings: list[dict[str, str]] = []
        with _unanswered():
            warnings = await self._warnings(sorted({one.kind for one in body.jobs}))
        headers = {"Idempotency-Replayed": "true"} if rows[0]["replayed"] else {}
        return answer({"data": data, "warnings": warnings}, 202, headers)

    async def _enqueue(
        self, look: Look, request: web.Request, jobs: list[NewJob], place: str
    ) -> list[Record]:
        caller = caller_of(request)
        rows = [_row(job) for job in jobs]
        text = json.dumps(rows, sort_keys=True, ensure_ascii=False)
        key = _key_of(request)
        wrong = await self.payloads.problems(jobs, place)
        # What was taken once is answered again, whatever its kind has become since.
        if wrong and (key is None or not await look.row("api_idempotent", caller.name, key)):
            raise unfit(wrong, jobs)
        fingerprint = hashlib.sha256(f"{request.path}\n{text}".encode()).digest()
        try:
            return await look.fetch(
                "api_enqueue", text, caller.actor, caller.name, key, fingerprint
            )
        except PostgresError as error:
            raise await self._explained(error, place) from error

    async def _quote(self, caller: Caller, row: dict[str, Any]) -> dict[str, Any]:
        """What would become of a job; refused as the job itself would be."""
        moment = datetime.fromisoformat(row["run_at"]) if row.get("run_at") else None
        tags, notify = (json.dumps(row[n]) if row.get(n) else None for n in ("tags", "notify"))
        try:
            found = await self.look.row(
                "quote", row["kind"], json.dumps(row.get("payload", {})), row.get("unique_key"), moment, row.get("priority"),
                row.get("attempts_max"), row.get("timeout_seconds"), tags, row.get("owner"), row.get("depends_on"),
                row.get("depends_policy", "cancel"), notify,
            )  # fmt: skip
        except PostgresError as error:
            raise await self._explained(error, "") from error
        assert found
        quote: dict[str, Any] = json.loads(found["quote"])
        if not caller.may("read"):
            quote["same_payload_as"] = None
        return quote

    async def _explained(self, error: PostgresError, place: str) -> Exception:
        """The problem with a pointer to what was refused, and for an unknown kind those there are."""
        problem = of_error(error)
        if problem is None:
            return error
        if problem.slug == "idempotency-in-progress":
            problem.headers["Retry-After"] = "1"
        ordinal = int(getattr(error, "column_name", None) or 1)
        said = str(getattr(error, "message", None) or error)
        detail = str(getattr(error, "detail", None) or "")
        where = where_refused(problem.slug, said, detail)
        if where is not None:
            pointer = f"#{place.format(ordinal - 1)}{where}"
            problem.errors = [(pointer, detail or said)]
        if problem.slug == "unknown-kind":
            kinds = await self.look.fetch("cli_kinds", None)
            problem.extra["kinds"] = [row["name"] for row in kinds[:KINDS_SHOWN]]
        return problem

    async def _job(self, made: Record, caller: Caller) -> dict[str, Any]:
        """The job as it stands; no more than its name to who may not see it, or when it is gone already."""
        for row in await self.look.fetch("status_jobs", [made["id"]]):
            if row["key"] == made["key"] and caller.sees(row["source"]):
                position = await self.look.row("status_position", made["id"])
                return seen(row, position)
        return _named_only(made)

    async def _warnings(self, kinds: list[str]) -> list[dict[str, str]]:
        found = []
        for row in await self.look.fetch("api_unhandled", kinds):
            because = row["paused_reason"] if row["code"] == "kind_paused" else row["lane_reason"]
            text = {
                "no_worker": f"no live worker handles {row['name']}: the job waits until one does",
                "kind_paused": f"kind {row['name']} is paused",
                "lane_paused": f"lane {row['lane']} is paused"
                + (f" until {rfc3339(row['lane_until'])}" if row["lane_until"] else ""),
            }[row["code"]]
            found.append({"code": row["code"], "detail": f"{text}: {because}" if because else text})
        return found


def unfit(wrong: list[tuple[str, str]], jobs: list[NewJob]) -> HttpProblem:
    """The problem for payloads with something wrong in them."""
    (place, what), more = wrong[0], len(wrong) - 1
    ordinal = place.split("/")[2] if place.startswith("#/jobs/") else "0"
    kind = jobs[int(ordinal)].kind
    detail = f"{place} {what}" + (f", and {more} more" if more else "")
    hint = f"see what {kind} takes: /v1/kinds/{kind}/schema"
    return HttpProblem("invalid-payload", detail=detail, hint=hint, errors=wrong)


def _named_only(made: Record) -> dict[str, Any]:
    """As much of a job as is known without asking again."""
    key = str(made["key"])
    return {"id": made["id"], "key": key, "links": {"self": f"/v1/jobs/{key}"}}


@contextmanager
def _unanswered() -> Iterator[None]:
    """The job is committed: that it cannot be looked at now must not read as if it were not, or it is enqueued twice."""
    try:
        yield
    except (Away, Again, PostgresError) as error:
        log.warning("job_made_and_not_seen", error=str(error))


def _row(job: NewJob) -> dict[str, Any]:
    """The job as bellhand.enqueue_many takes it."""
    row = job.model_dump(exclude_unset=True)
    if isinstance(row.get("run_at"), datetime):
        row["run_at"] = rfc3339(row["run_at"])
    if job.depends_on:
        row["depends_on"] = [named(str(one))[0] for one in job.depends_on]
    return row


def _key_of(request: web.Request) -> str | None:
    given = request.headers.getall("Idempotency-Key", [])
    if not given:
        return None
    key = given[0].strip()
    if len(given) > 1 or not _KEY.fullmatch(key) or len(key.strip('"')) > KEY_CHARS_MAX:
        raise HttpProblem("bad-idempotency-key", detail=f"it is {key[:50]!r}")
    return key.strip('"')


def _wait_of(request: web.Request) -> float:
    """The seconds of Prefer: wait (RFC 7240); who prefers what we do not know gets what he would get anyhow."""
    found = _WAIT.search(", ".join(request.headers.getall("Prefer", [])).lower())
    return float(found.group(1)) if found else 0.0


def where_refused(slug: str, said: str, detail: str) -> str | None:
    """A JSON pointer to what our SQL refused, by the words it refused it with."""
    if slug == "unknown-kind":
        return "/kind"
    if slug == "unknown-parent":
        return "/depends_on"
    if slug in ("invalid-payload", "payload-too-large"):
        quoted = _QUOTED.match(detail) if slug == "invalid-payload" else None
        key = json.loads(quoted.group(1)) if quoted else None
        return "/payload" + (f"/{key.replace('~', '~0').replace('/', '~1')}" if key else "")
    word = said.partition(" ")[0]
    return f"/{word}" if word in NewJob.model_fields else None
