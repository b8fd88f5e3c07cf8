"""Databases for tests: a server for the session, a migrated template, a copy of it for each test."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from ..db import Database
from ..dev.postgres import DevPostgres
from ..migrate import migrate

T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own, so that plain tests need none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="bellhand-testing", daemon=True
        )
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it over there and wait for what it returns; interrupting the wait cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


class Server:
    """Where the tests' databases are: the server of `dsn`, or one of our own while this is open."""

    def __init__(self, loop: Loop, dsn: str | None, prepare: Callable[[str], None] | None) -> None:
        self._loop = loop
        self._own = None if dsn else DevPostgres(durable=False)
        if self._own is not None:
            self._own.start()
        self._dsn = dsn or (self._own.dsn if self._own is not None else "")
        self._template = f"bellhand_template_{uuid.uuid4().hex[:12]}"
        try:
            self._administer(f"create database {self._template}")
            loop.run(migrate(self.dsn_for(self._template)))
            if prepare is not None:
                prepare(self.dsn_for(self._template))
        except BaseException:
            self.close()
            raise

    def dsn_for(self, name: str) -> str:
        """How to reach one database of this server."""
        return urlunsplit(urlsplit(self._dsn)._replace(path=f"/{name}"))

    def create(self) -> str:
        """A fresh database, with everything that the template has; its name."""
        name = f"bellhand_{uuid.uuid4().hex[:12]}"
        self._administer(f"create database {name} template {self._template} strategy file_copy")
        return name

    def drop(self, name: str) -> None:
        """Throw it away, whoever is connected."""
        self._administer(f"drop database if exists {name} with (force)")

    def freeze(self, name: str, moment: str | None) -> None:
        """What bellhand.now() says to everybody who connects to a database from now on."""
        quoted = (moment or "").replace("'", "''")
        self._administer(f"alter database {name} set bellhand.now = '{quoted}'")

    def close(self) -> None:
        """Drop the template, and stop the server if it is ours."""
        try:
            self.drop(self._template)
        finally:
            if self._own is not None:
                self._own.close()

    def _administer(self, statement: str) -> None:
        self._loop.run(_administer(self._dsn, statement))


async def _administer(dsn: str, statement: str) -> None:
    connection: asyncpg.Connection = await Database(dsn, lock_seconds=25).connect("testing")
    try:
        await connection.execute(statement, timeout=30)
    finally:
        await connection.close(timeout=5)
