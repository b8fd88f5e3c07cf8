"""What callers send, as models: checked for type, bounds and unknown names before anything is done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from bellhand.resource import ID_MAX, number_and_key
from bellhand.states import PARTIAL, STATES, nearest_state, states_named

WORDS = (*STATES, PARTIAL, "live", "over", "any")
EARLIEST, LATEST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)


def _moment(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a time is text, such as 2026-01-31T12:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("a time is written as 2026-01-31T12:00:00Z (RFC 3339)") from None
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone: 2026-01-31T12:00:00Z, or +01:00 at its end")
    # Compared without the zone first: at the ends of the calendar it cannot be taken off.
    if not 1 < moment.year < 9999 or not EARLIEST <= moment <= LATEST:
        raise ValueError("a time lies in the years 2 to 9998")
    return moment


def _text(value: str) -> str:
    if "\0" in value:
        raise ValueError("no text holds the character NUL")
    return value


def _whole(value: Any) -> Any:
    """To JSON 5.0 is an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _job(value: int | str) -> int | str:
    try:
        number_and_key(str(value))
    except ValueError:
        raise ValueError("is neither the id nor the key of a job") from None
    return value


def _states(words: str) -> str:
    for word in words.split(","):
        try:
            states_named(word)
        except ValueError:
            near = nearest_state(word)
            meant = f"did you mean {near}?" if near else f"there is {', '.join((*STATES, PARTIAL))}"
            raise ValueError(f"{word[:50]!r} is no state; {meant}") from None
    return words


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Plain = AfterValidator(_text)
Whole = BeforeValidator(_whole)
KindName = Annotated[str, Field(min_length=1, max_length=100), Plain]
Owner = Annotated[str, Field(max_length=500), Plain]
Reason = Annotated[str, Field(max_length=500), Plain]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Tag = str | int | float | bool
Tags = dict[Annotated[str, Field(max_length=200), Plain], Tag]
JOB_WORD = {
    "type": "string",
    "pattern": "^([1-9][0-9]{0,17}|[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$",
}
JobWord = Annotated[str, AfterValidator(_job), WithJsonSchema(JOB_WORD)]
JobName = Annotated[
    int | str,
    Whole,
    AfterValidator(_job),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": ID_MAX}, JOB_WORD]}),
]
Priority = Annotated[int, Field(ge=1, le=10), Whole]
Attempts = Annotated[int, Field(ge=1, le=32767), Whole]
State = Annotated[
    str,
    AfterValidator(_states),
    WithJsonSchema(
        {
            "type": "string",
            "examples": list(STATES),
            "pattern": f"^({'|'.join(WORDS)})(,({'|'.join(WORDS)}))*$",
        }
    ),
]


class Query(BaseModel):
    """Parameters of an address: text that is read as what is wanted. Unknown names are refused: a typo must not do nothing."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True
    )
    open_prefix: ClassVar[str | tuple[str, ...]] = ""  # names that begin so are left to the handler


class Body(BaseModel):
    """A JSON body: types as they are written, unknown names refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True,
        defer_build=True,
    )  # fmt: skip


class NewJob(Body):
    """A job to enqueue."""

    kind: KindName
    """What sort of work it is; /v1/kinds lists those there are."""
    payload: dict[str, Any] = {}
    """What the handler gets; /v1/kinds/{kind}/schema says what it takes."""
    priority: Priority | None = None
    """10 first, 1 last; else the kind's."""
    run_at: Moment | None = None
    """Not before then; else at once."""
    attempts_max: Attempts | None = None
    """How many attempts in all; else the kind's."""
    timeout_seconds: Annotated[float, Field(ge=0.001, le=1e9)] | None = None
    """How long one attempt may take; else the kind's."""
    unique_key: Annotated[str, Field(min_length=1, max_length=500), Plain] | None = None
    """While a job of the kind with this key is not over, that one is answered instead of a new one."""
    owner: Owner | None = None
    """Whose job it is; a label."""
    tags: Tags | None = None
    """Labels of yours."""
    depends_on: Annotated[list[JobName], Field(max_length=1000)] | None = None
    """Jobs (ids or keys) that must be over first."""
    depends_policy: Literal["cancel", "fail", "release"] = "cancel"
    """What becomes of this job when one of those fails."""
    notify: Annotated[list[dict[str, Any]], Field(max_length=50)] | None = None
    """Who is told how it ends: [{"on": ["failed"], "to": "ops"}]."""


class NewJobs(Body):
    """Jobs to enqueue, all or none. As application/x-ndjson: one job a line."""

    jobs: Annotated[list[NewJob], Field(min_length=1, max_length=1000)]

    @model_validator(mode="before")
    @classmethod
    def _lines(cls, given: Any) -> Any:
        return {"jobs": given} if isinstance(given, list) else given


class JobChanges(Body):
    """What to change of a job (RFC 7396: what is left out stays, null takes the default of the kind, of tags and payload the key)."""

    priority: Priority | None = None
    run_at: Moment | None = None
    attempts_max: Attempts | None = None
    tags: dict[Annotated[str, Field(max_length=200), Plain], Tag | None] | None = None
    payload: dict[str, Any] = {}
    """A merge patch of the payload, while no attempt of the job has begun; a key that is null goes."""


class Why(Body):
    """Why it is done; kept in the audit log."""

    reason: Reason | None = None


class Pausing(Why):
    """Why a lane is paused, and for how long."""

    until: Moment | None = None
    """When it goes on by itself; else when somebody resumes it."""


class Retrying(Body):
    """What a retry runs again."""

    scope: Literal["failed_steps", "all"] = "failed_steps"
    """`all` forgets what completed steps kept, and begins at the first."""


class LaneLimits(Body):
    """Limits of a lane; what is left out stays, null is no limit."""

    concurrency: Annotated[int, Field(ge=1, le=1_000_000), Whole] | None = None
    rate_per_second: Annotated[float, Field(ge=1e-6, le=1e6)] | None = None
    rate_burst: Annotated[int, Field(ge=1, le=1_000_000), Whole] = 1


class NewSchedule(Body):
    """What comes again and again, and when."""

    cron: Annotated[str, Field(min_length=1, max_length=200), Plain]
    """Minute, hour, day of month, month, day of week, as `0 3 * * *`; or @hourly, @daily, @weekly, @monthly."""
    kind: KindName
    """What sort of work it is; /v1/kinds lists those there are."""
    payload: dict[str, Any] = {}
    """What the handler gets each time."""
    timezone: Annotated[str, Field(min_length=1, max_length=100), Plain] = "UTC"
    """Whose clock it goes by, as Europe/Berlin."""
    priority: Priority | None = None
    """10 first, 1 last; else the kind's."""
    missed: Literal["skip", "latest", "all"] = "latest"
    """Ticks that no daemon was there for: none of them, the latest, or all up to missed_max."""
    missed_max: Annotated[int, Field(ge=1, le=1_000_000), Whole] = 10
    notify: Annotated[list[dict[str, Any]], Field(max_length=20)] | None = None
    """Who is told how its jobs end: [{"on": ["failed"], "to": "ops"}]."""


class MakeQuery(Query):
    """Whether to do it."""

    dry_run: bool = False
    """Only say what would become of the job; nothing is stored."""


class ListQuery(Query):
    """Which jobs, from where."""

    open_prefix: ClassVar[str | tuple[str, ...]] = ("tag.", "payload.")

    state: list[State] = []
    """In any of these, by any word that people have for a state; several with commas, or repeated."""
    kind: KindName | None = None
    lane: Name | None = None
    owner: Owner | None = None
    error: Annotated[str, Field(max_length=200), Plain] | None = None
    """Whose error holds this text, in any case; what is hidden in it is found only by who may operate."""
    q: Annotated[str, Field(min_length=1, max_length=200), Plain] | None = None
    """The same; for who may operate also whose payload does."""
    sort: Literal["-id", "id", "-finished_at", "finished_at"] | None = None
    """`-id`: the newest first, `id`: the oldest. `-finished_at`: those that ended last first, `finished_at`: first; for one kind, or states that went wrong, all of them over."""
    created_after: Moment | None = None
    created_before: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=400)] | None = None
    """next_cursor of the page before."""
    count: Literal["estimated"] | None = None
    """`estimated`: say about how many jobs fit the question in all."""


class JobQuery(Query):
    """How long to wait for a change, and from what."""

    wait: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0
    """So many seconds for a change from `since`."""
    since: Annotated[str, Field(max_length=100)] | None = None
    """The ETag that is known already, with or without its quotes."""


class LogQuery(Query):
    """Which lines, from where, and how long to wait for them."""

    level: Literal["debug", "info", "warning", "error", "critical"] = "debug"
    """This serious, or more."""
    step: Annotated[str, Field(max_length=500), Plain] | None = None
    attempt: Annotated[int, Field(ge=1, le=32767)] | None = None
    since: Moment | None = None
    q: Annotated[str, Field(max_length=200), Plain] | None = None
    """Whose message or fields hold this text, in any case."""
    tail: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Begin so many lines before the end."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 500
    wait: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0
    """So many seconds for a line after the cursor."""
    cursor: Annotated[str, Field(max_length=40)] | None = None
    """next_cursor of the answer before."""


class PurgeQuery(Query):
    """Whether what is over is deleted."""

    purge: bool = False
    """Delete a job that is over, with all that is kept of it, instead of cancelling one that is not."""
    reason: Reason | None = None
    """Why; kept with what is left."""


class LeadsQuery(Query):
    """Which leads."""

    q: Annotated[str, Field(max_length=200), Plain] | None = None
    """In whose name, domain, address or category this text is, in any case."""
    excluded: Literal["no", "only", "too"] = "no"
    """Those that an exclusion rule or somebody excluded: none of them, only them, or they too."""
    job: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    """Only what this job found; its id."""
    since: Moment | None = None
    """Only what was seen since then."""


class NoQuery(Query):
    """No parameters."""


class AuditQuery(Query):
    """Which events, from where."""

    job: JobWord | None = None
    """Its id or its key."""
    type: Annotated[str, Field(max_length=100), Plain] | None = None
    actor: Annotated[str, Field(max_length=200), Plain] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None


class SeriesQuery(Query):
    """How far back, in buckets of how long."""

    seconds: Annotated[int, Field(ge=60, le=604_800)] = 3600
    bucket_seconds: Annotated[int, Field(ge=60, le=86_400)] = 60
    kind: KindName | None = None


class NewChannel(Body):
    """Where notifications go."""

    kind: Literal["email", "slack", "discord", "webhook"]
    address: Annotated[str, Field(min_length=1, max_length=2000), Plain]
    digest_seconds: Annotated[int, Field(ge=1, le=86_400), Whole] = 300
    """More than digest_max messages in so many seconds become one."""
    digest_max: Annotated[int, Field(ge=0, le=1000), Whole] = 10


class NewSubscription(Body):
    """Of what a channel is told from now on, whoever enqueues it."""

    channel: Name
    """Where it is told; /v1/channels lists those there are."""
    on: Annotated[
        list[Literal["completed", "partial", "failed", "cancelled", "late", "disabled"]],
        Field(min_length=1, max_length=6),
    ]
    """How a job ends, or `late`; `disabled`: that another channel was given up."""
    kinds: Annotated[str, Field(pattern=r"^[a-z0-9_.:*-]{1,100}$")] = "*"
    """Of jobs of this kind; a star stands for anything: `sites.*`."""
    late_seconds: Annotated[float, Field(gt=0, le=316_224_000)] | None = None
    """After how long `late` is told; with that word, and only with it."""


class Rotating(Body):
    """How long the old secret signs beside the new one."""

    keep_seconds: Annotated[float, Field(ge=0, le=31_536_000)] = 86_400


class Replaying(Body):
    """What failed in how many seconds until now is sent again."""

    seconds: Annotated[float, Field(gt=0, le=31_536_000)] = 86_400


class NewToken(Body):
    """A token for somebody."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,80}$")]
    scopes: Annotated[
        list[Literal["read", "enqueue", "operate", "admin"]], Field(min_length=1, max_length=4)
    ]
    expires_seconds: Annotated[float, Field(gt=0, le=3_153_600_000)] | None = None


class Cleanup(Body):
    """How many days are kept; at least as many as the configuration keeps nothing changes."""

    history_days: Annotated[int, Field(ge=1, le=36_500), Whole]
    events_days: Annotated[int, Field(ge=1, le=36_500), Whole] = 36_500
    stats_days: Annotated[int, Field(ge=1, le=36_500), Whole] = 36_500
