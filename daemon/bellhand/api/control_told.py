"""What callers are answered about lanes, kinds, schedules and workers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bellhand.api.told import Links, Told


class Lane(Told):
    lane: str
    paused: bool
    paused_reason: str | None
    paused_until: datetime | None
    concurrency: int | None
    rate_per_second: float | None
    pending: int
    scheduled: int
    parked: int
    running: int
    oldest_due_seconds: float | None


class Lanes(Told):
    data: list[Lane]


class Kind(Told):
    name: str
    lane: str
    priority: int
    attempts_max: int
    timeout_seconds: float | None
    summary: str | None
    paused: bool
    paused_reason: str | None
    published_at: datetime
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
    next_at: datetime | None
    last_at: datetime | None
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
    drain_asked_at: datetime | None
    drain_reason: str | None
    lanes: list[str]
    started_at: datetime
    beat_seconds: float
    up_seconds: float


class Workers(Told):
    data: list[Worker]
