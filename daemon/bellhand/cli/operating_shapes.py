"""What the commands print that look after an installation: findings, services, files, reports of families."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bellhand.api.told import Told


class Finding(Told):
    """`temporary`: it may pass by itself, as a database that is away."""

    layer: str
    what: str
    level: str
    why: str
    fix: str
    docs: str
    temporary: bool


class Setting(Told):
    value: str
    origin: str


class InstallStep(Told):
    what: str
    needed: bool
    why_not: str | None


class Undrained(Told):
    id: str
    worker: str


class Running(Told):
    worker: str
    host: str
    id: int
    kind: str
    running_seconds: float
    left_seconds: float | None
    repeated_seconds: float
    steps: int


class Drain(Told):
    """What a stop of this machine's daemons costs; of workers that were named only what runs, for how long, and which they are."""

    running: int
    seconds_max: float | None
    may_be_cut: int | None = None
    repeated_seconds_max: float | None = None
    steps_kept: int | None = None
    jobs: list[Running]
    others: int
    workers: list[Undrained] | None = None


class Bundle(Told):
    output: str | None
    files: dict[str, int]


class RestoredJob(Told):
    id: int
    kind: str
    side_effects: str | None
    worker: str | None
    claimed_at: datetime
    attempts: int
    steps_done: int
    step: str | None


class RestoredKind(Told):
    """Jobs that are not over; `begun` are those that do not run and have been tried before, `held` paused ones."""

    kind: str
    paused: bool
    side_effects: str | None
    running: int
    begun: int
    due: int
    scheduled: int
    blocked: int
    held: int
    oldest: datetime
    newest: datetime


class RestoredSchedule(Told):
    name: str
    kind: str
    due_since: datetime
    missed: str
    jobs: int


class RestoreReview(Told):
    """`backup_at` is the last sign of life in the database, `held` how what --hold paused is resumed."""

    now: datetime
    backup_at: datetime | None
    moved: bool
    workers: int
    running: list[RestoredJob]
    kinds: list[RestoredKind]
    schedules: list[RestoredSchedule]
    held: list[str]


class Health(Told):
    ok: bool
    status: int | None
    said: str


class Crawl(Told):
    id: int
    url: str
    state: str
    pages: int | None
    links: int | None
    errors: int | None
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    score: float | None
    issues: Any
    reports: str | None


class CrmReport(Told):
    job: int
    created_at: datetime
    body_bytes: int
    formats: list[str]


class OldDay(Told):
    name: str
    rows: int
    bytes: int


class Cleaned(Told):
    """Days of history and logs that are older than so many; `done`: they are gone, and so many events and counts with them."""

    history_days: int
    days: list[OldDay]
    done: bool
    deleted: int
