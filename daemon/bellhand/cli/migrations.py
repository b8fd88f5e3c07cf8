"""Bringing the schema up to date, and what that would mean for whoever works meanwhile."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from bellhand.cli.context import Cli, Database, Given
from bellhand.cli.errors import unreadable_dsn
from bellhand.cli.output import duration, paint, plain, say, say_json, tell

READ_BYTES_PER_SECOND = 50e6  # of a table that is read as a whole; a slow disk
MOMENT_SECONDS = 1.0  # who waits for so long has not noticed

migrate = App(name="migrate", help="Bring the schema up to date.")


@migrate.default
async def bring_up_to_date(
    *,
    print_: Annotated[
        bool, Parameter(name="--print", negative=(), help="Print the SQL; change nothing.")
    ] = False,
    dry_run: Annotated[
        bool, Parameter(negative=(), help="List what is missing; change nothing.")
    ] = False,
    cli: Given,
) -> int:
    """Bring the schema up to date."""
    from bellhand import migrate as migrations

    if print_:
        say(migrations.script())
        return 0
    if dry_run:
        async with cli.database() as database:
            names = await migrations.pending(database.connection)
    else:
        try:
            names = await migrations.migrate(cli.configured.dsn)
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
            say(plain(f"  {lock['table']}  {lock['level']}  {lock['rows']:,} rows, {lock['bytes'] / 1e6:,.1f} MB: {who}"))  # fmt: skip
        if not step["locks"]:
            say("  locks no table that exists")
        if sql:
            say(step["sql"].rstrip())
    if functions:
        say(f"{functions} functions replaced, those of a part in one transaction: nobody waits")
    for worker in workers:
        word = "goes on" if worker["goes_on"] else "must be stopped before, and upgraded"
        say(plain(f"{worker['worker']} on {worker['host']} ({worker['version']}): {word}"))
    if steps and not cli.quiet:
        tell(f"programs from {tolerates} on work with this schema; tables do not go back to the one before")  # fmt: skip
    elif not cli.quiet:
        tell("the schema is up to date")
