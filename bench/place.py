"""Where one run happens: a private Postgres for the session, a fresh database for each run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from bellhand.dev.postgres import DevPostgres
from bellhand.dev.programs import Preference

SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "min_wal_size": "2GB",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "none",  # only the figure that counts statements turns it on, in its own database
}
SHOWN = [
    "server_version",
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
    "min_wal_size",
    "wal_level",
    "wal_compression",
    "autovacuum",
    "jit",
]
STATEMENT_SECONDS = 600
WARM_UP = """
    create table warm_up as select g, repeat('x', 900) as filler from generate_series(1, {rows}) g;
    drop table warm_up; checkpoint"""


def private_server(prefer: Preference) -> DevPostgres:
    """A server with the settings that every peer is measured on."""
    return DevPostgres(prefer=prefer, durable=True, settings=SETTINGS)


@dataclass(frozen=True)
class Place:
    """One database, the programs of its server, and a folder for the files of a run."""

    name: str
    server: DevPostgres
    conn: asyncpg.Connection
    folder: Path

    @property
    def dsn(self) -> str:
        return self.server.dsn_for(self.name)

    @property
    def environment(self) -> dict[str, str]:
        """How any client finds the database."""
        where = {name: values[0] for name, values in parse_qs(urlsplit(self.dsn).query).items()}
        return {
            "PGHOST": where["host"],
            "PGPORT": where["port"],
            "PGUSER": where["user"],
            "PGDATABASE": self.name,
        }

    async def script(self, sql: str) -> None:
        await self.conn.execute(sql, timeout=STATEMENT_SECONDS)

    async def value(self, sql: str, *args: object) -> object:
        return await self.conn.fetchval(sql, *args, timeout=STATEMENT_SECONDS)

    async def row(self, sql: str) -> asyncpg.Record:
        """The only row that a statement finds."""
        (row,) = await self.conn.fetch(sql, timeout=STATEMENT_SECONDS)
        return row

    async def settle_down(self) -> None:
        """Vacuums, analyses and writes out what was loaded, so that no run pays for its preparation."""
        await self.script("vacuum analyze")
        await self.script("checkpoint")


@asynccontextmanager
async def fresh_place(
    server: DevPostgres, admin: asyncpg.Connection, name: str
) -> AsyncIterator[Place]:
    """A new database, dropped afterwards."""
    await admin.execute(f'drop database if exists "{name}" with (force)')
    await admin.execute(f'create database "{name}"')
    folder = Path(tempfile.mkdtemp(prefix="bellhand-bench-"))
    conn = await asyncpg.connect(server.dsn_for(name))
    try:
        yield Place(name, server, conn, folder)
    finally:
        await conn.close()
        await admin.execute(f'drop database "{name}" with (force)', timeout=STATEMENT_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


async def warm_up(admin: asyncpg.Connection, rows: int) -> None:
    """Writes WAL until its files are recycled and no longer made: the first run would pay for that alone."""
    for statement in WARM_UP.format(rows=rows).split(";"):
        await admin.execute(statement, timeout=STATEMENT_SECONDS)


async def settings_of(admin: asyncpg.Connection) -> dict[str, str]:
    """What the report says of the server."""
    return {name: await admin.fetchval("select current_setting($1)", name) for name in SHOWN}
