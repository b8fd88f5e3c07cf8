"""What commands print with --json, as models: published as JSON Schema, held against the output by the tests, and only ever added to."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from bellhand.api.control_told import Kind, Lane, Schedule, Worker
from bellhand.api.told import (  # fmt: skip
    Action,
    AuditEvent,
    Bucket,
    Channel,
    Eta,
    Job,
    LogLine,
    Quote,
    Step,
    Token,
    Told,
)
from bellhand.cli.migration_shapes import Migrated, MigrationPlan, MigrationStanding
from bellhand.cli.operating_shapes import (
    Bundle,
    Cleaned,
    Crawl,
    CrmReport,
    Drain,
    Finding,
    Health,
    InstallStep,
    RestoreReview,
    Setting,
    Undrained,
)


class Event(Told):
    """What happened to a job, and who did it."""

    at: datetime
    type: str
    actor: str
    data: dict[str, Any] | None


class JobTold(Told):
    """A job as it stands after a change."""

    id: int
    key: str
    kind: str
    state: str
    priority: int
    run_at: datetime
    attempts_max: int | None
    tags: dict[str, Any]
    payload: dict[str, Any]


class WatchedJob(Job):
    steps: list[Step]


class ShownJob(WatchedJob):
    events: list[Event]


class Gate(Told):
    gate: str
    detail: str
    fix: str | None


class Why(Told):
    id: int
    kind: str
    state: str
    gates: list[Gate]


class Warned(Told):
    code: str


class Enqueued(Told):
    id: int
    key: str
    kind: str
    created: bool
    run_at: datetime | None
    warnings: list[Warned]


class JobEta(Told):
    id: int
    state: str
    eta: Eta | None


class Calibration(Told):
    kind: str
    what: str
    judged: int
    held: int
    early: int
    late: int
    held_ratio: float
    error_ratio: float | None


class TellJob(Told):
    """What became of telling one job: its state then, or an error and what to do about it."""

    id: int | None
    job: str
    state: str | None = None
    error: str | None = None
    fix: str | None = None


class TellGroup(Told):
    state: str
    lane: str | None = None
    kind: str | None = None


class BulkLook(Told):
    """What a bulk action would reach; nothing was done."""

    action: Action | str
    jobs: int
    more: bool
    kinds: dict[str, int]
    states: dict[str, int]
    side_effects: dict[str, int]
    examples: list[int]
    steps_done: int | None
    steps_total: int | None
    dependents: int
    adds_seconds: float | None
    undo_seconds: float | None


class BulkDone(Told):
    operation: int | None
    jobs: int
    undo_until: datetime | None


class Operation(Told):
    id: int
    at: datetime
    actor: str
    action: str
    filter: dict[str, Any]
    arguments: dict[str, Any]
    reason: str | None
    jobs: int
    undo_until: datetime | None
    undone_at: datetime | None
    undone_by: str | None
    undone: int | None
    undoable: bool


class Undone(Told):
    operation: int
    undone: int
    kept: int


class LaneStatus(Lane):
    sampled_at: float
    last_hour: dict[str, int]
    wait_seconds_mean: float | None


class NextSchedule(Told):
    name: str
    seconds: float


class Status(Told):
    now: datetime
    workers: list[Worker]
    lanes: list[LaneStatus]
    channels: list[NameAndState]
    paused_kinds: list[str]
    next_schedule: NextSchedule | None


class ScheduleInFull(Schedule):
    missed_max: int
    notify: list[Any] | None


class KindInFull(Kind):
    payload_schema: Any = Field(alias="schema")  # called so in the output; the name itself is taken


class Failure(Told):
    """Jobs that failed alike."""

    fingerprint: str
    kind: str
    error_class: str
    message: str
    example: str
    jobs: int
    open: int
    first_at: datetime
    last_at: datetime
    muted: bool
    muted_until: datetime | None
    muted_until_deploy: bool
    muted_by: str | None
    muted_reason: str | None
    trend: list[int]


class Fact(Told):
    fact: str
    failures: int
    failures_of: int
    successes: int
    successes_of: int


class FailedJob(Told):
    id: int
    key: str
    owner: str | None
    finished_at: datetime
    attempts: int
    error: str | None


class FailureInFull(Failure):
    contrast: list[Fact]
    examples: list[FailedJob]


class Muted(Told):
    failure: str
    muted_until: datetime | None


class Delivery(Told):
    job: int


class ChannelSecret(Told):
    """A webhook's new secret, told this once; null where nothing is signed, or the old one stays."""

    channel: str
    secret: str | None


class ChannelTold(Told):
    channel: str
    state: str


class Replayed(Told):
    channel: str
    jobs: int


class LaneTold(Told):
    """What a lane was told: a state, or limits of which null is none."""

    lane: str
    state: str | None = None
    concurrency: int | None = None
    rate_per_second: float | None = None
    rate_burst: int | None = None
    until: datetime | None = None


class ScheduleTold(Told):
    schedule: str
    state: str | None = None
    next_at: datetime | None = None
    id: int | None = None
    key: str | None = None


class NewToken(Told):
    name: str
    scopes: list[str]
    token: str


class NameAndState(Told):
    name: str
    state: str


class Topic(Told):
    topic: str
    text: str


class ExecStep(Told):
    name: str
    state: str
    attempts: int
    error: str | None


class Tried(Told):
    """A kind that was tested: of each part `ok`, `failed`, or why it was not tried."""

    kind: str
    holds: bool
    schema_: Annotated[str, Field(alias="schema")]
    example: str
    crash: str
    payloads: list[Any]
    problems: list[str]


class Executed(Told):
    kind: str
    state: str
    partial: bool
    result: Any
    error: str | None
    counters: dict[str, float]
    steps: list[ExecStep]


class Written(Told):
    kind: str
    files: list[str]


class Reproduced(Told):
    folder: str
    files: list[str]
    redacted: list[str]
    left_out: list[str]


Variables = dict[str, str]
Names = list[str]
# By the words of the command. What prints one thing or another by what it is asked is told of with both.
SHAPES: dict[str, Any] = {
    "enqueue": Enqueued, "quote": Quote, "eta": list[Calibration] | JobEta, "list": list[Job],
    "show": ShownJob | list[ShownJob], "why": Why, "watch": WatchedJob | list[WatchedJob], "wait": WatchedJob | list[WatchedJob],
    "cancel": list[TellJob], "pause": list[TellJob] | TellGroup, "resume": list[TellJob] | TellGroup,
    "edit": JobTold, "purge": list[TellJob], "retry": list[TellJob] | BulkLook | BulkDone, "run-now": list[TellJob], "bulk": BulkLook | BulkDone,
    "undo": list[Operation] | Undone, "status": Status, "schedules": list[ScheduleInFull], "schedule": list[ScheduleInFull],
    "schedule run": ScheduleTold, "schedule pause": ScheduleTold, "schedule resume": ScheduleTold, "schedule add": ScheduleTold, "schedule rm": ScheduleTold,
    "kinds": list[KindInFull] | KindInFull, "kinds publish": Names, "failures": list[Failure] | FailureInFull | Muted,
    "logs": list[LogLine] | LogLine, "channels": list[Channel], "channels list": list[Channel], "channels add": ChannelSecret, "channels rotate-secret": ChannelSecret, "channels test": Delivery, "channels rm": ChannelTold, "channels enable": ChannelTold, "channels disable": ChannelTold,
    "channels replay": Replayed, "lane limit": LaneTold, "lane pause": LaneTold, "lane resume": LaneTold,
    "token create": NewToken, "token list": list[Token], "token revoke": NameAndState, "migrate": Migrated, "migrate plan": MigrationPlan, "migrate status": list[MigrationStanding],
    "check": list[Finding] | dict[str, Setting], "doctor": list[Finding], "env": Variables, "version": Variables,
    "install": list[InstallStep], "uninstall": list[InstallStep], "drain": Drain, "undrain": list[Undrained], "support-bundle": Bundle, "health": Health,
    "seo crawls": list[Crawl], "crm reports": list[CrmReport], "lanes": list[LaneStatus], "workers": list[Worker],
    "stats": list[Bucket], "audit": list[AuditEvent], "reprioritize": list[TellJob], "exec": Executed, "test": list[Tried], "restore review": RestoreReview, "cleanup": Cleaned, "repro": Reproduced, "new handler": Written, "init": dict[str, str], "help": list[Topic] | Topic,
}  # fmt: skip
