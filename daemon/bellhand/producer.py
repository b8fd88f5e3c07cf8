"""Enqueueing from any Python program, in the transaction that is open on a connection it has.

The connection is the program's own, of asyncpg, psycopg, SQLAlchemy, Django or another driver of the DB-API: nothing here
connects, begins or commits, so a job exists if the transaction commits. What Postgres refuses is raised as the driver's own error, since
only that tells the driver's transaction.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack
from uuid import UUID

from .kinds import ATTRIBUTE
from .outcomes import encode
from .sql import query

SOURCE = "python"
_STATEMENT = query("enqueue_from_python")


class Options(TypedDict, total=False):
    """What may be said of a job besides its kind and payload; what is left out is the kind's."""

    unique_key: str | None
    run_at: datetime | None
    priority: int | None
    attempts_max: int | None
    timeout_seconds: float | None
    tags: Mapping[str, Any] | None
    owner: str | None
    depends_on: Sequence[int] | None
    depends_policy: Literal["cancel", "fail", "release"] | None
    notify: Sequence[Mapping[str, Any]] | None


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to enqueue: its kind (a name, or a handler), its payload (whatever pydantic can write) and its options."""

    kind: str | Callable[..., Any]
    payload: Any = None
    unique_key: str | None = None
    run_at: datetime | None = None
    priority: int | None = None
    attempts_max: int | None = None
    timeout_seconds: float | None = None
    tags: Mapping[str, Any] | None = None
    owner: str | None = None
    depends_on: Sequence[int] | None = None
    depends_policy: Literal["cancel", "fail", "release"] | None = None
    notify: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A job that is queued once the transaction commits; created is false for one that a live unique key already had."""

    id: int
    key: UUID
    created: bool


async def enqueue(
    conn: Any, kind: str | Callable[..., Any], payload: Any = None, **options: Unpack[Options]
) -> Enqueued:
    """Enqueue one job by an asynchronous connection: of asyncpg (or its pool), psycopg or SQLAlchemy.

    Raises ValueError for what JSON cannot hold, TypeError for a connection that is none of these.
    """
    (one,) = await enqueue_many(conn, [NewJob(kind, payload, **options)])
    return one


async def enqueue_many(conn: Any, jobs: Iterable[NewJob]) -> list[Enqueued]:
    """Enqueue jobs by an asynchronous connection, all or none, in one statement; in their order."""
    document = _document(jobs)
    if hasattr(conn, "fetchrow"):  # asyncpg
        return _enqueued(await conn.fetch(_STATEMENT, document, SOURCE))
    if not _is_awaited(conn):  # before anything is sent: what blocks would have enqueued by now
        raise TypeError(f"{_named(conn)} blocks; bellhand.enqueue_sync(...) takes it")
    if _is_sqlalchemy(conn):
        return _enqueued((await conn.execute(*_for_sqlalchemy(document))).all())
    cursor = await conn.execute(_for_dbapi(), (document, SOURCE))
    return _enqueued(await cursor.fetchall())


def enqueue_sync(
    conn: Any, kind: str | Callable[..., Any], payload: Any = None, **options: Unpack[Options]
) -> Enqueued:
    """Enqueue one job by a connection, session or cursor that blocks: of psycopg, SQLAlchemy, Django, or another of the DB-API.

    Raises ValueError for what JSON cannot hold, TypeError for a connection that is none of these.
    """
    (one,) = enqueue_many_sync(conn, [NewJob(kind, payload, **options)])
    return one


def enqueue_many_sync(conn: Any, jobs: Iterable[NewJob]) -> list[Enqueued]:
    """Enqueue jobs by a connection that blocks, all or none, in one statement; in their order."""
    document = _document(jobs)
    if _is_awaited(conn):
        raise TypeError(f"{_named(conn)} has to be awaited; await bellhand.enqueue(...) takes it")
    if _is_sqlalchemy(conn):
        return _enqueued(conn.execute(*_for_sqlalchemy(document)).all())
    if hasattr(conn, "fetchall"):  # a cursor of the caller's
        conn.execute(_for_dbapi(), (document, SOURCE))
        return _enqueued(conn.fetchall())
    with closing(conn.cursor()) as cursor:
        cursor.execute(_for_dbapi(), (document, SOURCE))
        return _enqueued(cursor.fetchall())


def _is_awaited(conn: Any) -> bool:
    """Whether the connection is an asynchronous one; raises TypeError for what is no connection."""
    if hasattr(conn, "fetchrow"):
        return True
    if not hasattr(conn, "execute") and not hasattr(conn, "cursor"):
        raise TypeError(
            f"cannot enqueue by {_named(conn)}; enqueue() takes a connection of asyncpg, psycopg or SQLAlchemy that is awaited, "
            "enqueue_sync() one of psycopg, SQLAlchemy, Django or another driver of the DB-API that blocks"
        )
    return inspect.iscoroutinefunction(getattr(conn, "execute", None))


def _document(jobs: Iterable[NewJob]) -> str:
    """The jobs as the JSON that bellhand.enqueue_many() takes."""
    return f"[{','.join(map(_one, jobs))}]"


def _one(job: NewJob) -> str:
    if job.run_at is not None and job.run_at.tzinfo is None:
        raise ValueError(
            f"run_at {job.run_at.isoformat()} has no time zone, so nobody can say when that is; "
            "give it one, as datetime.now(UTC) has"
        )
    said = {one.name: getattr(job, one.name) for one in fields(job)}
    said["kind"] = _name(job.kind)
    parts = []
    for name, value in said.items():
        if (text := encode(value, name)) is not None:
            parts.append(f"{json.dumps(name)}:{text}")
    return "{" + ",".join(parts) + "}"


def _name(kind: str | Callable[..., Any]) -> str:
    if isinstance(kind, str):
        return kind
    known = getattr(kind, ATTRIBUTE, None)
    if known is None:
        raise TypeError(
            f"{kind!r} is no handler; give the kind's name, or a function that @job_kind made one"
        )
    return str(known.name)


def _named(conn: object) -> str:
    return f"a {type(conn).__module__}.{type(conn).__qualname__}"


def _is_sqlalchemy(conn: object) -> bool:
    return any(one.__module__.partition(".")[0] == "sqlalchemy" for one in type(conn).__mro__)


def _for_sqlalchemy(document: str) -> tuple[Any, dict[str, str]]:
    from sqlalchemy import text

    named = _STATEMENT.replace("$1", ":jobs").replace("$2", ":source")
    return text(named), {"jobs": document, "source": SOURCE}


def _for_dbapi() -> str:
    return _STATEMENT.replace("$1", "%s").replace("$2", "%s")


def _enqueued(rows: Iterable[Any]) -> list[Enqueued]:
    found = []
    for row in rows:
        job, key, created = row.values() if isinstance(row, Mapping) else row
        found.append(Enqueued(job, key if isinstance(key, UUID) else UUID(str(key)), created))
    return found
