"""What every command is given: the global options, the settings and a way to the database."""

from __future__ import annotations

import getpass
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import asyncpg
from cyclopts import Parameter

from bellhand.cli.errors import Unreachable, unreadable_dsn
from bellhand.cli.form import Form
from bellhand.db import describe
from bellhand.dev.state import running_dsn
from bellhand.reach import reach
from bellhand.sql import query

if TYPE_CHECKING:
    from bellhand.settings import Settings

CLOSE_SECONDS = 2
APPLICATION = "bellhand:cli"


@dataclass(frozen=True)
class Options:
    """The options that every command takes."""

    config: Path | None = None
    dsn: str | None = None
    form: Form | None = None  # of data for programs; None: for people
    quiet: bool = False


@dataclass
class Cli:
    """One run of one command."""

    options: Options = field(default_factory=Options)

    @property
    def json(self) -> bool:
        """Whether the output is for programs."""
        return self.options.form is not None

    def prints(self, *fields: str) -> bool:
        """Whether any of these is printed, so that what costs a statement is only asked for then."""
        return self.options.form is None or self.options.form.has(*fields)

    @property
    def quiet(self) -> bool:
        """Whether to leave out everything but the data."""
        return self.options.quiet

    @cached_property
    def configured(self) -> Settings:
        """The settings as they are configured; a Problem if they are not fit."""
        # Only here: commands that need none should not wait for pydantic.
        from bellhand.settings import load

        arguments = {} if self.options.dsn is None else {"dsn": self.options.dsn}
        return load(self.options.config, **arguments)

    @cached_property
    def settings(self) -> Settings:
        """The same, but while `bellhand dev` runs and no dsn was configured, with its database."""
        if "dsn" not in self.configured.model_fields_set and (dsn := running_dsn()):
            return self.configured.model_copy(update={"dsn": dsn})
        return self.configured

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """A connection for this command alone; raises what `translated` knows if there is none."""
        try:
            connection = await connect(self.settings)
        except OSError as error:
            if self.settings.dsn != self.configured.dsn or "dsn" in self.configured.model_fields_set:  # fmt: skip
                raise
            raise Unreachable(
                "there is no database to ask",
                why=f"none is configured, bellhand dev does not run, and at the default address: {describe(error)}",
                fix="bellhand dev; or name one: --dsn, $BELLHAND_DSN, or dsn in config.toml",
            ) from error
        try:
            yield Database(connection, self.settings.database.statement_seconds)
        finally:
            await close(connection)


# Cyclopts leaves this parameter to the one who calls the command.
Given = Annotated[Cli, Parameter(parse=False)]


async def connect(settings: Settings) -> asyncpg.Connection[Any]:
    """Opens a connection, in bounded time, that works behind any pooler: no session state."""
    bounds = settings.database
    try:
        connection, _ = await reach(
            settings.dsn,
            bounds.connect_seconds,
            command_timeout=bounds.statement_seconds,
            statement_cache_size=0,
            server_settings={"application_name": APPLICATION},
        )
        return connection
    except ValueError as error:
        raise unreadable_dsn(error) from error


async def close(connection: asyncpg.Connection[Any]) -> None:
    """Closes it politely, or at once if that takes too long."""
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.close(timeout=CLOSE_SECONDS)


class Database:
    """Statements by their name in sql/queries; raises what the database raises."""

    def __init__(self, connection: asyncpg.Connection[Any], statement_seconds: float) -> None:
        self.connection = connection
        self.statement_seconds = statement_seconds

    async def rows(self, name: str, *arguments: Any) -> list[asyncpg.Record]:
        """All rows."""
        return await self.connection.fetch(query(name), *arguments, timeout=self.statement_seconds)

    async def row(self, name: str, *arguments: Any) -> asyncpg.Record | None:
        """The first row."""
        rows = await self.rows(name, *arguments)
        return rows[0] if rows else None

    async def value(self, name: str, *arguments: Any) -> Any:
        """The first column of the first row."""
        row = await self.row(name, *arguments)
        return row[0] if row else None


def actor() -> str:
    """Who does it, as the audit log has it."""
    with suppress(OSError, KeyError):
        return f"cli:{getpass.getuser()}"
    return "cli"


def loads(text: str | None) -> Any:
    """JSON text of the database as a value."""
    return None if text is None else json.loads(text)
