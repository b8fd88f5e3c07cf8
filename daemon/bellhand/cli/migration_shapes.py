"""What `bellhand migrate`, `migrate status` and `migrate plan` print with --json, as models."""

from __future__ import annotations

from datetime import datetime

from bellhand.api.told import Told


class Migrated(Told):
    applied: list[str] | None = None
    pending: list[str] | None = None


class MigrationStanding(Told):
    """A script of the schema: applied, pending, changed since, newer than this program, or gone from it; by which version and when."""

    name: str
    state: str
    version: str | None
    tolerates: str | None
    applied_at: datetime | None


class MigrationLock(Told):
    """A table that exists, how it is locked, and for how long others wait who do not go on."""

    table: str
    level: str
    rows: int
    bytes: int
    seconds: float
    others_go_on: bool


class MigrationStep(Told):
    name: str
    locks: list[MigrationLock]
    online: bool
    reversible: bool
    sql: str


class WorkerVersion(Told):
    """Whether a worker's program goes on with the schema as it will be."""

    worker: str
    host: str
    version: str
    goes_on: bool


class MigrationPlan(Told):
    """What applying the pending steps means; `tolerates` is the oldest program that works with the schema afterwards."""

    steps: list[MigrationStep]
    tolerates: str
    workers: list[WorkerVersion]
