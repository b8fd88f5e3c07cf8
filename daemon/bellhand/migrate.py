"""Brings the schema up to date: forward-only migrations, then functions wherever they changed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import asyncpg
import structlog

from bellhand import __version__
from bellhand.errors import Problem
from bellhand.reach import reach
from bellhand.sql import query, scripts

CONNECT_SECONDS = 10
CLOSE_SECONDS = 5
READ_SECONDS = 10
MIGRATION_SECONDS_MAX = 3600  # a large table may need its time
LOCK_TRIES_MAX = 24  # each waits for lock_timeout (5 s), then lets the others through
LOCK_TRIES_APART_SECONDS = 0.5
PASSING = ("08", "57P", "55P03", "40P01")  # connection lost, shut down, lock not had, deadlock
ALREADY_THERE = {"42P06", "42P07"}  # notices of `if not exists`

# The oldest program that works on the schema as it is here: the last release. Daemons of that one go on, and start, beside
# ours during an upgrade. A migration or function that it could not work with raises this, which makes the upgrade one with a stop.
TOLERATES = "0.1.0"

log = structlog.get_logger()


class Applied(NamedTuple):
    """One entry of the ledger: what was applied, by which program, the oldest program that works with it, and when."""

    checksum: str
    version: str
    tolerates: str | None = None
    at: datetime | None = None

    def suits(self, version: str) -> bool:
        """Whether a program of that version works with it, although it is not what that program has."""
        return self.tolerates is not None and _number(self.tolerates) <= _number(version)


def suits(version: str) -> bool:
    """Whether a program of that version works with the schema of this one."""
    return Applied("", __version__, TOLERATES).suits(version)


Ledger = Mapping[str, Applied]  # by name
NOT_APPLIED = Applied("", "")


class MigrationFailed(Problem):
    """The schema could not be brought up to date; the step that failed left no trace."""


class SchemaTooNew(Problem):
    """The database was migrated by a newer program than this one."""


class MigrationChanged(Problem):
    """A migration is no longer the one that was applied under its name."""


@dataclass(frozen=True)
class Script:
    """One file of the schema: a migration, run once, or a function, run whenever it changed."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def home(self) -> str:
        """`migrations`, `functions`, `families/sites/migrations`: what it is, and whose."""
        return self.name.rpartition("/")[0]

    @property
    def once(self) -> bool:
        return self.home.endswith("migrations")


async def migrate(dsn: str) -> list[str]:
    """Applies what is missing and returns its names; may run in several places at once.

    Raises a Problem, or what asyncpg raises when the database cannot be reached.
    """
    connection, _ = await reach(
        dsn,
        CONNECT_SECONDS,
        statement_cache_size=0,  # it may stand behind a pooler
        server_settings={"application_name": "bellhand:migrate"},
    )
    try:
        connection.add_log_listener(_report)
        async with asyncio.timeout(MIGRATION_SECONDS_MAX):
            if not await pending(connection):
                return []  # nothing to lock, and no rights needed
            return [name for step in _steps() for name in await _apply(connection, step)]
    finally:
        await _close(connection)


async def pending(connection: asyncpg.Connection[Any]) -> list[str]:
    """Names of what `migrate` would apply; MigrationChanged if it would refuse, SchemaTooNew if this program cannot work with it.

    A newer schema that tolerates this program is fine, and said in the log: it is how daemons of two versions run side by side.
    """
    ledger = await _ledger_or_none(connection)
    ours = {one.name: one.checksum for one in _shipped()}
    newer = [one for name, one in ledger.items() if _is_newer(one) and one.checksum != ours.get(name)]  # fmt: skip
    if newer and all(one.suits(__version__) for one in newer):
        by = max((one.version for one in newer), key=_number)
        log.warning("schema_is_newer", by=by, this=__version__, note="it tolerates this program; upgrade it next")  # fmt: skip
        return [name for name in ours if name not in ledger]
    return [script.name for script in _missing(_shipped(), ledger)]


async def missing_script(connection: asyncpg.Connection[Any]) -> str:
    """What `migrate` would do now, as one text for psql; empty if that is nothing. Raises as `pending` does."""
    if not await pending(connection):
        return ""
    return script(await _ledger_or_none(connection))


def script(ledger: Ledger | None = None) -> str:
    """All that makes the schema as one text for psql, less what `ledger` says is applied.

    The same for the same program and ledger. It notes what it applies as `migrate` does, and a step runs only after the one before it.
    """
    parts, before = [], Script("", "")
    for step in _steps():
        if missing := _missing(step, ledger or {}):
            parts += [f"-- {step[0].home}", "begin;", query("migration_begin")]
            once = missing[0].name if missing[0].once else ""
            parts.append(_filled("migration_guard", before.name, before.checksum, once))
            for one in missing:
                noted = _filled("migration_record", *map(_quoted, _note(one)))
                parts += [noted, one.text]
            parts += ["commit;\n"]
            before = missing[-1]
    return "\n".join(parts)


def _note(one: Script) -> tuple[str, str, str, str]:
    return one.name, one.checksum, __version__, TOLERATES


def _quoted(value: str) -> str:
    return f"'{value}'"


def _filled(name: str, *values: str) -> str:
    """A statement with its parameters written out; none of ours needs more than quotes."""
    text = query(name)
    for number, value in enumerate(values, start=1):
        text = text.replace(f"${number}", value)
    return text


class Standing(NamedTuple):
    """How a script of the schema stands in a database: applied, pending, changed, newer, or gone from the program."""

    name: str
    state: str
    note: Applied | None


async def standings(connection: asyncpg.Connection[Any]) -> list[Standing]:
    """Every script that is shipped, in order, then those that were applied and are not shipped; raises nothing for what does not match."""
    ledger = await _ledger_or_none(connection)
    shipped = _shipped()
    found = [
        Standing(one.name, _state(one, ledger.get(one.name)), ledger.get(one.name))
        for one in shipped
    ]
    known = {one.name for one in shipped}
    homes = {one.home for one in shipped}
    for name, note in sorted(ledger.items()):
        if name not in known:
            newer = Script(name, "").once and (Script(name, "").home in homes or _is_newer(note))
            found.append(Standing(name, "newer" if newer else "gone", note))
    return found


def _state(one: Script, note: Applied | None) -> str:
    if note is None:
        return "pending"
    if note.checksum == one.checksum:
        return "applied"
    if _is_newer(note):
        return "newer"
    return "changed" if one.once else "pending"


def _is_newer(note: Applied) -> bool:
    return _number(note.version) > _number(__version__)


async def _ledger_or_none(connection: asyncpg.Connection[Any]) -> Ledger:
    """What is applied; nothing where there is no ledger yet."""
    try:
        async with connection.transaction():  # a savepoint, where there is one to lose
            return await _ledger(connection)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return {}


def _shipped() -> list[Script]:
    return [Script(name, text) for name, text in scripts()]


def _steps() -> Iterator[list[Script]]:
    """What shares a transaction: a migration has its own, the functions of a home go together."""
    for _, group in groupby(_shipped(), key=lambda s: s.name if s.once else s.home):
        yield list(group)


async def _ledger(connection: asyncpg.Connection[Any]) -> dict[str, Applied]:
    rows = await connection.fetch(query("migrations_applied"), timeout=READ_SECONDS)
    return {name: Applied(*columns) for name, *columns in rows}


def _missing(wanted: Sequence[Script], ledger: Ledger) -> list[Script]:
    """Those of `wanted` that are not applied as they are; refuses to go backwards."""
    _refuse_newer(ledger)
    missing = []
    for one in wanted:
        checksum, version, *_ = ledger.get(one.name, NOT_APPLIED)
        if checksum != one.checksum and _number(version) > _number(__version__):
            raise _too_new(one.name, version)
        if checksum and checksum != one.checksum and one.once:
            raise MigrationChanged(
                f"{one.name} was changed after it was applied",
                why="a migration runs once, so what was changed in it would never happen here",
                fix="restore the file and put the change into a new migration; "
                "a development database can be dropped and made anew",
            )
        if checksum != one.checksum:
            missing.append(one)
    return missing


def _refuse_newer(ledger: Ledger) -> None:
    shipped = {one.name: one for one in _shipped()}
    homes = {one.home for one in shipped.values()}
    for name, (_, version, *_) in ledger.items():
        gone = Script(name, "")
        # A family that was taken out leaves its tables behind; that is no newer schema.
        newer = gone.home in homes or _number(version) > _number(__version__)
        if name not in shipped and gone.once and newer:
            raise _too_new(name, version)


def _too_new(name: str, version: str) -> SchemaTooNew:
    return SchemaTooNew(
        f"the schema is newer than this program ({__version__})",
        why=f"{version} applied {name}, which this program does not know as it is there",
        fix=f"run bellhand {version} or newer; a schema does not go backwards",
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


async def _apply(connection: asyncpg.Connection[Any], step: list[Script]) -> list[str]:
    """Applies what is missing of one step, all or nothing, and returns its names."""
    for _ in range(LOCK_TRIES_MAX):
        try:
            async with connection.transaction():
                return await _apply_locked(connection, step)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            log.warning("migration_waits", step=step[0].home, error=str(error))
            await asyncio.sleep(LOCK_TRIES_APART_SECONDS)
    raise MigrationFailed(
        f"{step[0].name} could not be applied",
        why="other sessions held locks on its tables, or another migration ran, all the while",
        fix="see who: select pid, state, query from pg_stat_activity where state <> 'idle'; "
        "then run it again",
    )


async def _apply_locked(connection: asyncpg.Connection[Any], step: list[Script]) -> list[str]:
    name = step[0].name
    try:
        await connection.execute(query("migration_begin"))
        ledger = await _ledger(connection)
        missing = _missing(step, ledger)
        for one in missing:
            name = one.name
            await connection.execute(query("migration_record"), *_note(one))
            await connection.execute(one.text)
            log.info("migration_applied", name=one.name)
        await _forget_functions(connection, ledger)
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "").startswith(PASSING):
            raise
        raise _failed(name, error) from error
    return [one.name for one in missing]


async def _forget_functions(connection: asyncpg.Connection[Any], ledger: Ledger) -> None:
    """A function file that was taken out must run again if it comes back."""
    shipped = {one.name for one in _shipped()}
    gone = [n for n in ledger if n not in shipped and not Script(n, "").once]
    if gone:
        await connection.execute(query("migrations_forget"), gone)


def _failed(name: str, error: asyncpg.PostgresError) -> MigrationFailed:
    fixes = {
        "42501": "run it as the owner of the database, or hand its administrator the output of "
        "`bellhand migrate sql`",
        "25006": "point dsn at the primary: this server is a replica, or is read-only",
    }
    where = f" ({error.context})" if getattr(error, "context", None) else ""
    return MigrationFailed(
        f"{name} could not be applied",
        why=f"{error}{where}",
        fix=fixes.get(error.sqlstate or "", "nothing of it was kept; run it again once mended"),
    )


def _report(_: object, message: asyncpg.PostgresLogMessage) -> None:
    if message.sqlstate not in ALREADY_THERE:
        log.info("database_notice", message=message.message)


async def _close(connection: asyncpg.Connection[Any]) -> None:
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.close(timeout=CLOSE_SECONDS)
