"""Bringing the schema up to date, and what that would mean for whoever works meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bellhand.cli.context import Cli, Database, Given
from bellhand.cli.errors import FAILED, OK, unreadable_dsn
from bellhand.cli.output import duration, paint, plain, say, say_json, tell
from bellhand.cli.panels import group
from bellhand.counted import counted
from bellhand.resource import rfc3339

if TYPE_CHECKING:
    from bellhand.migrate import Standing

READ_BYTES_PER_SECOND = 50e6  # of a table that is read as a whole; a slow disk
MOMENT_SECONDS = 1.0  # who waits for so long has not noticed
STATES = {
    "applied": ("applied", "green"), "pending": ("pending", "yellow"), "changed": ("changed", "red"),
    "newer": ("newer", "red"), "gone": ("not shipped", "dim"),
}  # fmt: skip
FIXES = {
    "pending": "what it would mean: bellhand migrate plan; apply it: bellhand migrate, or bellhand migrate sql for psql",
    "changed": "changed: a migration runs once, so what was changed in its file never happens; restore the file",
    "newer": "newer: applied by a newer bellhand than this one; run that, or what its tolerates allows",
}

migrate = group("migrate", "Bring the schema up to date.")


@migrate.default
async def bring_up_to_date(
    *,
    dry_run: Annotated[
        bool, Parameter(negative=(), help="List what is missing; change nothing.")
    ] = False,
    cli: Given,
) -> int:
    """Bring the schema up to date."""
    from bellhand import migrate as migrations

    if dry_run:
        async with cli.database() as database:
            names = await migrations.pending(database.connection)
    else:
        try:
            names = await migrations.migrate(cli.settings.dsn)
        except ValueError as error:
            raise unreadable_dsn(error) from error
    if cli.json:
        say_json({"pending" if dry_run else "applied": names})
        return 0
    for name in names:
        say(name)
    if not cli.quiet:
        left = f"{len(names)} to apply" if dry_run else f"{len(names)} applied"
        tell(left if names else "the schema is up to date")
    return 0


@migrate.command
async def status(*, cli: Given) -> int:
    """Say what of the schema is applied, what is pending and what does not match; exits 1 unless all of it is as this program has it.

    Changes nothing. Functions that are as they should be are only counted; --json lists them all.
    """
    from bellhand import migrate as migrations

    async with cli.database() as database:
        found = await migrations.standings(database.connection)
    fits = all(one.state in ("applied", "gone") for one in found)
    if cli.json:
        said = [{"name": one.name, "state": one.state, "version": one.note and one.note.version, "tolerates": one.note and one.note.tolerates,
                 "applied_at": rfc3339(one.note.at if one.note else None)} for one in found]  # fmt: skip
        say_json(said)
        return OK if fits else FAILED
    _show_standings(found)
    counts = Counter(one.state for one in found)
    if not cli.quiet:
        tell("the schema is up to date" if fits else ", ".join(f"{n} {STATES[state][0]}" for state, n in counts.items()))  # fmt: skip
        for state in counts.keys() & FIXES.keys():
            tell(FIXES[state])
    return OK if fits else FAILED


def _show_standings(found: Sequence[Standing]) -> None:
    functions = [one for one in found if one.name.rpartition("/")[0].endswith("functions")]
    quiet = [one for one in functions if one.state == "applied"]
    for one in found:
        if one not in quiet:
            word, style = STATES[one.state]
            by = f"  by {one.note.version}, {one.note.at:%Y-%m-%d %H:%M %Z}" if one.note and one.note.at else ""  # fmt: skip
            say(f"{paint(f'{word:<11}', style)}{plain(one.name + by)}")
    if quiet:
        say(f"{paint('applied    ', 'green')}{counted(len(quiet), 'function')}")


@migrate.command(name="sql")
async def print_sql(
    *,
    all_: Annotated[
        bool, Parameter(name="--all", negative=(), help="Of the whole schema, for an empty database; none is asked.")
    ] = False,
    cli: Given,
) -> int:  # fmt: skip
    """Print the SQL of what is missing, for psql: bellhand migrate sql | psql -v ON_ERROR_STOP=1 ...; changes nothing.

    The same database and program give the same text. What it applies it notes as `bellhand migrate` would; a step runs only after the one before it.
    """
    from bellhand import migrate as migrations

    if all_:
        text = migrations.script()
    else:
        async with cli.database() as database:
            text = await migrations.missing_script(database.connection)
    if text:
        say(text)
    elif not cli.quiet:
        tell("the schema is up to date")
    return OK


@migrate.command
async def plan(
    *,
    sql: Annotated[bool, Parameter(negative=(), help="With the SQL of each migration.")] = False,
    cli: Given,
) -> int:
    """Say what `migrate` would do to whoever works meanwhile: locks, for how long, and which daemons go on. Changes nothing."""
    from bellhand import migrate as migrations
    from bellhand.sql import scripts

    async with cli.database() as database:
        pending = set(await migrations.pending(database.connection))
        texts = {name: text for name, text in scripts() if name in pending}
        steps = await _steps(database, texts)
        workers = await _workers(database) if steps else []
    if cli.json:
        say_json({"steps": steps, "tolerates": migrations.TOLERATES, "workers": workers})
    else:
        _show(cli, steps, workers, migrations.TOLERATES, sql=sql)
    return 0


async def _steps(database: Database, texts: dict[str, str]) -> list[dict[str, Any]]:
    """The migrations among them, in order, each with its locks of tables that exist and their sizes; functions lock nobody out."""
    from bellhand.migration_locks import locks_of, makes

    steps, made = [], frozenset[str]()
    for name, text in texts.items():
        function = name.rpartition("/")[0].endswith("functions")
        locks = [] if function else locks_of(text, made)
        made |= makes(text)
        tables = {row["name"]: row for row in await database.rows("migration_tables", sorted({lock.table for lock in locks}))}  # fmt: skip
        told = [{"table": lock.table, "level": lock.level, "rows": max(0, row["rows"]), "bytes": row["bytes"],
                 "seconds": row["bytes"] / READ_BYTES_PER_SECOND if lock.scans else 0.0, "others_go_on": lock.shared}
                for lock in locks if (row := tables.get(lock.table))]  # fmt: skip
        online = all(lock["others_go_on"] or lock["seconds"] <= MOMENT_SECONDS for lock in told)
        steps.append({"name": name, "locks": told, "online": online, "reversible": function, "sql": text})  # fmt: skip
    return steps


async def _workers(database: Database) -> list[dict[str, Any]]:
    """Who works now, and whether its version goes on with the schema as it will be."""
    from bellhand.migrate import suits

    if not (await database.rows("cli_environment"))[0]["migrated"]:
        return []
    rows = await database.rows("status_workers")
    return [{"worker": row["name"], "host": row["host"], "version": row["version"], "goes_on": suits(row["version"])} for row in rows]  # fmt: skip


def _show(
    cli: Cli, steps: list[dict[str, Any]], workers: list[dict[str, Any]], tolerates: str, *, sql: bool
) -> None:  # fmt: skip
    functions = sum(step["reversible"] for step in steps)
    for step in steps:
        if step["reversible"]:
            continue
        word = paint("online", "green") if step["online"] else paint("not online", "red")
        say(f"{plain(step['name'])}  {word}")
        for lock in step["locks"]:
            long = f"about {duration(lock['seconds'])}" if lock["seconds"] > MOMENT_SECONDS else "a moment"  # fmt: skip
            who = "readers and writers go on" if lock["others_go_on"] else f"others wait {long}"
            say(plain(f"  {lock['table']}  {lock['level']}  {counted(lock['rows'], 'row')}, {lock['bytes'] / 1e6:,.1f} MB: {who}"))  # fmt: skip
        if not step["locks"]:
            say("  locks no table that exists")
        if sql:
            say(step["sql"].rstrip())
    if functions:
        say(
            f"{counted(functions, 'function')} replaced, those of a part in one transaction: nobody waits"
        )
    for worker in workers:
        word = "goes on" if worker["goes_on"] else "must be stopped before, and upgraded"
        say(plain(f"{worker['worker']} on {worker['host']} ({worker['version']}): {word}"))
    if steps and not cli.quiet:
        tell(f"programs from {tolerates} on work with this schema; tables do not go back to the one before")  # fmt: skip
    elif not cli.quiet:
        tell("the schema is up to date")
