"""What callers are told, and say, of what is known beyond how a job stands: models for OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from bellhand.api.given import (
    Body,
    JobName,
    KindName,
    Moment,
    Owner,
    Plain,
    Priority,
    Query,
    Reason,
)
from bellhand.api.told import Eta, Told, UtcMoment
from bellhand.resource import ID_MAX

Fingerprint = Annotated[str, Field(min_length=1, max_length=12)]
Action = Literal["cancel", "pause", "resume", "retry", "run_now", "reprioritize"]


class Gate(Told):
    """One reason why a job stands where it stands, and the command that changes it."""

    gate: str
    detail: str
    fix: str | None


class JobWhy(Told):
    id: int
    state: str
    gates: list[Gate]


class JobEta(Told):
    id: int
    state: str
    eta: Eta | None


class Calibration(Told):
    """How often bands held in the last seven days, and how far off their middles were."""

    kind: str
    what: Literal["start", "finish"]
    judged: int
    held: int
    early: int
    late: int
    held_ratio: float
    error_ratio: float


class Calibrations(Told):
    data: list[Calibration]


class Failure(Told):
    """What fails alike: the same kind, class of error and message, less what varies."""

    fingerprint: str
    kind: str
    error_class: str
    message: str
    example: str
    jobs: int
    open: int
    trend: list[int]
    first_at: UtcMoment
    last_at: UtcMoment
    muted: bool
    muted_until: str | None
    muted_by: str | None
    muted_reason: str | None


class Failures(Told):
    data: list[Failure]


class Fact(Told):
    """What the failures have in common that completed jobs of the kind have not."""

    fact: str
    failures: int
    failures_of: int
    successes: int
    successes_of: int


class FailureShown(Failure):
    contrast: list[Fact]
    examples: list[dict[str, Any]]


class BulkPreview(Told):
    """What a bulk action would reach; 10,000 jobs are done at once, and `more` says that there are others.

    `side_effects` counts them by what a second run of their kinds does outside.
    """

    jobs: int
    more: bool
    kinds: dict[str, int]
    states: dict[str, int]
    side_effects: dict[Literal["none", "keyed", "external", "unknown"], int]
    examples: list[int]
    steps_done: int | None
    steps_total: int | None
    dependents: int | None
    adds_seconds: float | None
    undo_seconds: float


class BulkOperation(Told):
    """A bulk action: who did what to how many, and until when it can be undone."""

    id: int
    at: UtcMoment
    actor: str
    action: Action
    filter: dict[str, Any]
    arguments: dict[str, Any]
    reason: str | None
    jobs: int
    undo_until: UtcMoment
    undone_at: UtcMoment | None
    undone_by: str | None
    undone: int | None
    undoable: bool


class BulkOperations(Told):
    data: list[BulkOperation]


class BulkUndone(Told):
    operation: int
    undone: int
    kept: int


class FailureQuery(Query):
    kind: KindName | None = None
    """Only of this kind."""
    muted: bool = False
    """Muted groups too."""
    limit: Annotated[int, Field(ge=1, le=200)] = 20


class OperationQuery(Query):
    before: Annotated[int, Field(ge=1, le=ID_MAX)] | None = None
    """Only those made before this one."""
    limit: Annotated[int, Field(ge=1, le=200)] = 20


class Muting(Body):
    """For how long a group is left out of what is shown first."""

    seconds: Annotated[float, Field(ge=0, le=1e9)] | None = None
    """0: not any more; left out: until it is unmuted."""
    until_deploy: bool = False
    """Until the next deploy is noted, whatever `seconds` says."""
    reason: Reason | None = None


class BulkFilter(Body):
    """Which jobs: all that fit everything that is said. At least one thing is."""

    ids: Annotated[list[JobName], Field(max_length=10_000)] | None = None
    """Ids or keys."""
    states: Annotated[list[Annotated[str, Field(max_length=50)]], Field(max_length=20)] | None = None  # fmt: skip
    """Any word that people have for a state; else the usual ones of the action. What runs is reached only if it is named."""
    kind: KindName | None = None
    owner: Owner | None = None
    lane: Annotated[str, Field(max_length=100), Plain] | None = None
    failure: Fingerprint | None = None
    """The jobs of a group of failures."""
    since: Moment | None = None
    """Made, or for a retry over, since then."""
    until: Moment | None = None
    tags: dict[str, Any] | None = None


class Bulk(Body):
    """What many jobs are told."""

    filter: BulkFilter
    action: Action
    expected_count: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """How many must match, as a dry run counted them; needed unless dry_run."""
    dry_run: bool = False
    priority: Priority | None = None
    """For reprioritize."""
    hold_seconds: Annotated[float, Field(ge=0, le=3600)] | None = None
    """So long a retry begins nothing, and can be undone; else 10."""
    reason: Reason | None = None
