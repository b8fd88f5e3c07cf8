"""What callers are answered about lanes, kinds, schedules and workers."""

from __future__ import annotations

from typing import Any, Literal

from bellhand.api.told import Links, Told, UtcMoment


class Lane(Told):
    lane: str
    paused: bool
    paused_reason: str | None
    paused_until: UtcMoment | None
    concurrency: int | None
    rate_per_second: float | None
    pending: int
    scheduled: int
    parked: int
    running: int
    oldest_due_seconds: float | None
    wait_p50_seconds: float | Literal["3600+"] | None
    wait_p95_seconds: float | Literal["3600+"] | None


class Lanes(Told):
    data: list[Lane]


class Took(Told):
    """How long runs that completed took, or one step of theirs, from a sample of the last seven days."""

    samples: int
    p50_seconds: float
    p95_seconds: float


class Stage(Took):
    """A step that nearly all jobs of a kind have."""

    name: str


class Defaults(Told):
    """What a job of the kind has that says nothing else."""

    lane: str
    priority: int
    attempts_max: int
    timeout_seconds: float | None
    step_timeout_seconds: float | None
    backoff_base_seconds: float | None
    backoff_max_seconds: float | None


class Kind(Told):
    """A kind; `side_effects` says what a second run does outside: nothing, nothing more (`keyed`), or all of it again; null: nobody said.

    Of a kind whose jobs have steps or items, `each_step` is a run's share of one.
    """

    name: str
    lane: str
    priority: int
    attempts_max: int
    timeout_seconds: float | None
    defaults: Defaults
    side_effects: Literal["none", "keyed", "external"] | None
    run: Took | None
    each_step: Took | None
    stages: list[Stage]
    summary: str | None
    paused: bool
    paused_reason: str | None
    published_at: UtcMoment
    workers: int


class Kinds(Told):
    data: list[Kind]


class Schedule(Told):
    name: str
    cron: str
    timezone: str
    kind: str
    payload: dict[str, Any]
    priority: int
    missed: str
    missed_max: int
    notify: list[dict[str, Any]] | None
    paused: bool
    source: str
    next_at: UtcMoment | None
    last_at: UtcMoment | None
    last_job: int | None
    error: str | None


class Schedules(Told):
    data: list[Schedule]


class NamedJob(Told):
    id: int
    key: str
    links: Links


class Worker(Told):
    id: str
    name: str
    host: str
    pid: int
    version: str
    code: str | None
    capacity: int
    busy: int
    draining: bool
    drain_asked_at: UtcMoment | None
    drain_reason: str | None
    lanes: list[str]
    started_at: UtcMoment
    beat_seconds: float
    up_seconds: float


class Workers(Told):
    data: list[Worker]
