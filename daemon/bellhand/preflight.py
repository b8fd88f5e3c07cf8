"""Before the first claim: is this a database we can work with? What a person must put right is a Problem; a database that
is merely away is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from . import systemd
from .db import Away, Backoff, Database, describe
from .errors import Problem
from .migrate import pending
from .sql import query

log = structlog.get_logger()

POSTGRES_MIN = 150000
SWAPS, SWAPPED_SECONDS = 3, 5.0


async def wait_for_database(database: Database, random: Callable[[], float]) -> None:
    """Return once the database answers and is fit; raises Problem where waiting cannot help."""
    backoff = Backoff(random, max_seconds=5.0)
    while True:
        try:
            await check_database(database)
            return
        except Away as error:
            if "unsupported startup parameter" in str(error) and not database.pooled:
                await _find_out(database, str(error))
                continue
            wait = backoff.next_seconds()
            systemd.notify(f"STATUS=database away, trying: {error}")
            if backoff.tries in (1, 10) or backoff.tries % 60 == 0:
                log.warning(
                    "database_away", error=str(error), wait_seconds=round(wait, 2), fix=_fix(error)
                )
            await asyncio.sleep(wait)


def _fix(error: Away) -> str:
    """What a person can do while we wait."""
    if isinstance(error.__cause__, asyncpg.InvalidCatalogNameError):
        return "create the database (createdb), or correct dsn and restart"
    if isinstance(error.__cause__, asyncpg.PostgresError):
        return "bellhand check says what the database wants; a role, a password or a right that is put right there needs no restart"
    return "start Postgres or mend the way to it, which needs no restart; bellhand check shows where it is looked for"


async def _find_out(database: Database, why: str) -> None:
    """A pooler stands in between: one that keeps sessions, or one that pools transactions?"""
    database.pooled = True  # until it is known
    if await keeps_sessions(database):
        database.pooled, database.session_pooled = False, True
        log.info("pooler_found", pools="session", why=why, fix='pooler = "session" says so beforehand')  # fmt: skip
    else:
        log.warning("pooler_found", pools="transaction", why=why, fix='give the daemon a direct connection, or pooler = "transaction"')  # fmt: skip


async def keeps_sessions(database: Database) -> bool:
    """Whether each connection keeps a server process to itself: one that pools transactions gives ours to whoever asks next."""
    try:
        ours, other = await database.connect("preflight"), await database.connect("preflight")
    except Away:
        return False
    try:
        async with asyncio.timeout(SWAPPED_SECONDS):
            for _ in range(SWAPS):  # by chance it may come back once
                before = await ours.fetchval(query("backend"))
                async with other.transaction():
                    await other.fetchval(query("backend"))
                    if await ours.fetchval(query("backend")) != before:
                        return False
        return True
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError):
        return False
    finally:
        ours.terminate()
        other.terminate()


async def check_database(database: Database) -> None:
    """One look; Away when it cannot be reached now, Problem when a person must act."""
    connection = await database.connect("preflight")
    try:
        async with asyncio.timeout(database.statement_seconds):
            await _look(connection)
    except (
        OSError,
        TimeoutError,
        asyncpg.InterfaceError,
        asyncpg.PostgresConnectionError,
    ) as error:
        raise Away(describe(error)) from error
    finally:
        connection.terminate()


async def _look(connection: asyncpg.Connection) -> None:
    server = (await connection.fetch(query("preflight")))[0]
    if server["version"] < POSTGRES_MIN:
        raise Problem(
            f"Postgres {server['version_text']} is too old",
            why="Bellhand needs 15 or newer (unlogged sequences)",
            fix="upgrade the server, or point the DSN at a newer one",
        )
    if server["in_recovery"]:
        raise Problem(
            "this database is a replica",
            why="it is in recovery, so nothing can be claimed or written there",
            fix="point the DSN at the primary, or name all hosts with target_session_attrs=read-write",
        )
    missing = await pending(connection)
    if missing:
        raise Problem(
            "the schema is not up to date"
            if server["has_schema"]
            else "there is no Bellhand schema in this database",
            why=f"not applied: {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}",
            fix="run: bellhand migrate",
        )
    forbidden = [row["name"] for row in await connection.fetch(query("preflight_rights"))]
    if forbidden:
        raise Problem(
            f"role {server['role']} may not work with bellhand.{forbidden[0]}"
            + (f" and {len(forbidden) - 1} more" if len(forbidden) > 1 else ""),
            why="the daemon selects, inserts, updates and deletes in every table of the schema",
            fix=f"as the schema's owner: grant bellhand_worker to {server['role']}",
        )
    for setting in ("fsync", "full_page_writes"):
        if server[setting] == "off":
            log.warning(
                "postgres_not_durable",
                setting=setting,
                why="a crash of the server may lose acknowledged jobs",
            )
