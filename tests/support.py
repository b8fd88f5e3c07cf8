"""What tests share: waiting for a condition, databases, a server that may be stopped."""

import asyncio
import inspect
import random
import shutil
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import asyncpg

ROOT = Path(__file__).parents[1]
TRIES_APART_SECONDS = 0.01
T = TypeVar("T")


async def eventually(
    condition: Callable[[], T | Awaitable[T]], seconds: float = 30, *, because: str = ""
) -> T:
    """Waits until `condition` (plain or async) is true and returns what it said; else fails.

    An AssertionError inside the condition counts as "not yet", and is the one that is reported.
    """
    deadline = time.monotonic() + seconds
    said: Any = None
    while True:
        late = time.monotonic() > deadline
        try:
            said = condition()
            if inspect.isawaitable(said):
                said = await said
            if said:
                return said
        except AssertionError:
            if late:
                raise
        if late:
            raise AssertionError(
                f"not within {seconds} s: {because or 'condition'}; last: {said!r}"
            )
        await asyncio.sleep(TRIES_APART_SECONDS)


def quiet_port() -> int:
    """A port that is free now and stays so until it is bound: below those that the system gives to whoever asks for any,
    so that nobody gets it between the end of one daemon and the start of the next."""
    while True:
        port = random.SystemRandom().randrange(
            15_000, 30_000
        )  # plugins give all processes one seed
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def cpu_at_most(seconds: float) -> Iterator[None]:
    """Fails if more than so many seconds of CPU were used here; the clock says little where others work too."""
    before = time.process_time()
    yield
    used = time.process_time() - before
    assert used <= seconds, f"{used:.1f} s of CPU"


class Server(Protocol):
    """Where the tests' databases are: our own DevPostgres, or the one of $BELLHAND_TEST_DSN."""

    @property
    def dsn(self) -> str: ...
    @property
    def psql(self) -> Path: ...
    def dsn_for(self, database: str) -> str: ...


class GivenServer:
    """A server that somebody else runs."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.psql = Path(shutil.which("psql") or "psql")

    def dsn_for(self, database: str) -> str:
        return urlunsplit(urlsplit(self.dsn)._replace(path="/" + database))


def administer(dsn: str, *statements: str) -> None:
    """Runs statements that no transaction may hold, each for itself; not from inside a loop."""

    async def run() -> None:
        connection = await asyncpg.connect(dsn, timeout=10, statement_cache_size=0)
        try:
            for statement in statements:
                await connection.execute(statement, timeout=30)
        finally:
            await connection.close(timeout=5)

    asyncio.run(run())


class Administrator:
    """The same over one connection that stays, for what every test asks twice; not from inside a loop."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._loop = asyncio.new_event_loop()
        self._conn: asyncpg.Connection | None = None

    def __call__(self, *statements: str) -> None:
        self._loop.run_until_complete(self._run(statements))

    async def _run(self, statements: tuple[str, ...]) -> None:
        # A test may end what is connected to the server.
        if self._conn is None or self._conn.is_closed():
            self._conn = await asyncpg.connect(self._dsn, timeout=10, statement_cache_size=0)
        for statement in statements:
            await self._conn.execute(statement, timeout=60)

    def close(self) -> None:
        if self._conn is not None:
            self._loop.run_until_complete(self._conn.close(timeout=5))
        self._loop.close()


def database_of(dsn: str) -> str:
    return urlsplit(dsn).path.removeprefix("/")


def as_role(dsn: str, role: str, password: str = "x") -> str:
    """The same database as somebody else (who needs a password where the socket does not trust)."""
    parts = urlsplit(dsn)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if host := parts.netloc.rpartition("@")[2]:
        return urlunsplit(parts._replace(netloc=f"{role}:{password}@{host}"))
    return urlunsplit(parts._replace(query=urlencode({**options, "user": role}, safe="/")))
