"""What callers are answered, as models: for OpenAPI, and for tests that hold the answers against it.

The answers themselves are made of the rows; nothing is parsed into these on the way out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

State = Literal[
    "pending", "scheduled", "retrying", "blocked", "paused", "running", "completed", "failed", "cancelled"
]  # fmt: skip
Action = Literal["cancel", "pause", "resume", "retry", "run_now"]
UtcMoment = Annotated[
    datetime, WithJsonSchema({"type": "string", "format": "date-time", "pattern": "Z$"})
]


class Told(BaseModel):
    # Built when first asked for: a daemon starts sooner, and most never tell most of it.
    model_config = ConfigDict(extra="allow", defer_build=True)


class Progress(Told):
    """How far a job is: what its handler said last, and its steps as they were counted."""

    percent: float | None = Field(
        description="Null where nobody knows how much there is. Within a stage it never goes back."
    )
    ending: Literal["finishing", "after its last known step"] | None = Field(
        description="What it does where all that was counted is behind it."
    )
    steps_done: int | None
    steps_failed: int | None
    steps_total: int | None = Field(description="Null while it may still grow with each step.")
    items_done: float | None
    items_total: float | None
    stage: Any
    step: Any
    message: str | None
    counters: dict[str, float]


class Position(Told):
    """How many ready jobs of its lane stand before a job, and how many there are with it; `1000+` when it is more."""

    ahead: int | Literal["1000+"]
    queue_length: int | Literal["1000+"]
    as_of: UtcMoment


class Eta(Told):
    """A band that is meant to hold nine times in ten, its middle, what it stands on; or why nothing can be said."""

    starts_low: UtcMoment | None
    starts_at: UtcMoment | None
    starts_high: UtcMoment | None
    finishes_low: UtcMoment | None
    finishes_at: UtcMoment | None
    finishes_high: UtcMoment | None
    basis: str | None
    confidence: Literal["good", "fair", "poor"] | None
    reason: str | None


class Links(Told):
    self: str


class JobSummary(Told):
    """A job without payload and result."""

    id: int
    key: str
    kind: str
    lane: str | None
    state: State
    partial: bool
    stopping: Literal["cancel", "pause"] | None
    priority: int
    owner: str | None
    tags: dict[str, Any]
    progress: Progress
    position: Position | None
    eta: Eta | None
    attempt: int
    attempts_max: int | None
    crashes: int
    timeout_seconds: float | None
    next_attempt_at: UtcMoment | None
    unique_key: str | None
    depends_on: list[int]
    source: str
    created_at: UtcMoment
    run_at: UtcMoment
    started_at: UtcMoment | None
    finished_at: UtcMoment | None
    heartbeat_at: UtcMoment | None
    worker: str | None
    error: str | None
    allowed_actions: list[Action]
    links: Links


class Job(JobSummary):
    """A job as it stands."""

    payload: dict[str, Any]
    result: Any


class Waits(Told):
    """Why a job may wait, or a page may be short."""

    code: Literal["no_worker", "kind_paused", "lane_paused", "no_index"]
    detail: str


# Only the first three of these to a caller who may not see the job that has the unique key.
MadeJob = create_model(
    "MadeJob", __base__=Told, __doc__="The job, new or the one that was there.",
    id=(int, ...), key=(str, ...), links=(Links, ...), deduplicated=(bool, ...), warnings=(list[Waits], ...),
)  # fmt: skip


class Quote(Told):
    """What would become of a job if it were enqueued now."""

    kind: str
    lane: str | None
    duplicate_of: int | None
    same_payload_as: int | None
    state: str | None
    ahead: int | None
    eta: Eta
    lane_adds_seconds: float | None
    estimate: Any
    warnings: list[str]


class MadeJobOfMany(Told):
    id: int
    key: str
    kind: str
    deduplicated: bool


class MadeJobs(Told):
    data: list[MadeJobOfMany]
    warnings: list[Waits]


class Count(Told):
    """How many jobs fit the question; unless it is exact, by the share of the newest 10,000 that do."""

    estimated: int
    exact: bool


class JobPage(Told):
    """A page; it may hold fewer than `limit`, or none, while has_more is true."""

    data: list[JobSummary]
    has_more: bool
    next_cursor: str | None
    warnings: list[Waits] | None = None
    count: Count | None = None


class Step(Told):
    name: str
    position: int
    state: Literal["running", "completed", "failed"]
    attempts: int
    result: Any
    counters: dict[str, Any] | None
    error: str | None
    started_at: UtcMoment
    finished_at: UtcMoment | None


class Steps(Told):
    data: list[Step]


class Attempt(Told):
    """Something that ended or began an attempt."""

    at: UtcMoment
    type: str
    data: dict[str, Any] | None


class Attempts(Told):
    data: list[Attempt]


class LogLine(Told):
    """Something that the handler of a job logged; numbers that are missing were dropped."""

    number: int
    attempt: int
    at: UtcMoment
    level: Literal["debug", "info", "warning", "error", "critical"]
    step: str | None
    message: str
    fields: dict[str, Any]


class JobLog(Told):
    """Lines; `over` once the job is over and these were its last."""

    data: list[LogLine]
    has_more: bool
    next_cursor: str
    dropped: int
    over: bool


class Channel(Told):
    """Where notifications go; of an address that is a URL only the host is told."""

    name: str
    kind: str
    source: str
    address: str | None
    digest_seconds: int
    digest_max: int
    disabled_at: UtcMoment | None
    disabled_reason: str | None
    failing_since: UtcMoment | None
    failures: int
    last_error: str | None
    retry_at: UtcMoment | None
    waiting: int
    told: list[str]


class Channels(Told):
    data: list[Channel]


class Subscription(Told):
    """Of what a channel is told, whoever enqueued it."""

    name: str
    channel: str
    on: list[str]
    kinds: str
    late_seconds: float | None
    source: str = Field(description="`config` where the configuration has it, else `sql`.")


class Subscriptions(Told):
    data: list[Subscription]


class Secret(Told):
    """What a webhook is signed with. It is told here and never again."""

    channel: str
    secret: str | None


class AuditEvent(Told):
    """What happened to whom, and who did it."""

    seq: int
    at: UtcMoment
    type: str
    job: int | None
    kind: str | None
    actor: str
    data: dict[str, Any] | None


class AuditPage(Told):
    data: list[AuditEvent]
    has_more: bool
    next_cursor: str | None


class Said(Told):
    """What came of it."""


class Stats(Told):
    as_of: UtcMoment
    jobs: dict[str, int]
    counted_max: int
    last_hour: dict[str, int]
    lanes: list[dict[str, Any]]
    workers: list[dict[str, Any]]
    next_schedule: dict[str, Any] | None


class Bucket(Told):
    at: UtcMoment
    kind: str | None
    outcome: str
    jobs: int
    wait_seconds: float
    run_seconds: float


class Token(Told):
    """A token without what opens anything."""

    name: str
    scopes: list[str]
    state: Literal["good", "expired", "revoked"]
    made_at: UtcMoment
    made_by: str
    expires_at: UtcMoment | None
    revoked_at: UtcMoment | None
    last_used_at: UtcMoment | None
    sessions: int


class Tokens(Told):
    data: list[Token]


class Pointed(Told):
    pointer: str
    detail: str


class Problem(Told):
    """What went wrong, why, and what to do (RFC 9457); `type` is served by this daemon."""

    type: str
    title: str
    status: int
    code: str
    instance: str
    request_id: str | None = None
    detail: str | None = None
    hint: str | None = None
    errors: list[Pointed] | None = None
