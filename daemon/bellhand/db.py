"""Connections to Postgres that are lost and come back.

House rules (docs/decisions.md): every await on the database is bounded; a connection whose statement timed out or was
cancelled is terminated, never reused (asyncpg would wait for it without bound); sockets carry keepalive and a user
timeout, because a silent partition is otherwise noticed after a quarter of an hour.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
import structlog

from .errors import Problem
from .reach import reach
from .sql import query

log = structlog.get_logger()
T = TypeVar("T")

# The server or the way to it is gone, or it cannot serve now: the same statement may work later.
_AWAY = (
    OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError, asyncpg.OperatorInterventionError, asyncpg.ReadOnlySQLTransactionError,
)  # fmt: skip
_AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)
# Somebody must change something at the server, which can happen while we wait: a password rotated, a grant given back.
_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError, asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
)  # fmt: skip
# The statement is fine and the server is there, and yet: a block that cannot be read, a file that is gone, a mistake of its own.
TROUBLE = (asyncpg.InternalServerError, asyncpg.PostgresSystemError)


def _no_room_for_bells(error: BaseException) -> bool:
    """Whether it is said at the commit of whatever rings: somebody listens and does not read. A row that is too long has the same SQLSTATE."""
    full = isinstance(error, asyncpg.ProgramLimitExceededError)
    return full and error.server_source_filename == "async.c"  # type: ignore[attr-defined]


class Away(Exception):
    """The database cannot be reached or cannot serve now; try again, with patience."""


class Trouble(Away):
    """The server has trouble of its own with this statement, perhaps with this alone; it may pass."""


class Again(Exception):
    """The statement lost against another one (deadlock, lock timeout); try again soon."""


@dataclass(slots=True)
class Database:
    """How to connect: one per process, shared by everything that opens connections.

    `statement_seconds` bounds every statement, on the server and here. The start-up self-test finds poolers between us and
    Postgres: `session_pooled` is one that keeps sessions, but takes no settings as a connection opens; `pooled` one that pools
    transactions, where no session state survives.
    """

    dsn: str
    connect_seconds: float = 10.0
    statement_seconds: float = 30.0
    lock_seconds: float = 5.0
    answer_seconds: float = 2.0  # how much later than its statement timeout an answer may come
    silent_seconds: int = 20  # after which Postgres ends a session of whose client it hears nothing
    pooled: bool = False
    session_pooled: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    host: int = 0  # which of the DSN's hosts answered last: the next connection asks it first

    async def connect(self, role: str, **settings: str) -> asyncpg.Connection:
        """A new connection named `bellhand:<role>`; raises Away, or Problem for a DSN that makes no sense."""
        session = {
            "application_name": f"bellhand:{role}",
            "statement_timeout": str(int(self.statement_seconds * 1000)),
            "lock_timeout": str(int(self.lock_seconds * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            "client_connection_check_interval": "2000",
            # A machine that vanishes inside a handler's transaction would hold its job's row, and with it the rescue of all that it ran,
            # for as long as the server waits for it: two hours, or an idle transaction's minute.
            "tcp_user_timeout": str(self.silent_seconds * 1000),
            "tcp_keepalives_idle": str(max(1, self.silent_seconds // 2)),
            "tcp_keepalives_interval": str(max(1, self.silent_seconds // 4)),
            "tcp_keepalives_count": "2",
            # Compiling costs tens of milliseconds, and what we run reads a few rows whatever the planner believes.
            "jit": "off",
        }
        own = session | self.settings | settings
        direct = not self.pooled and not self.session_pooled
        named = {} if self.pooled else {"application_name": session["application_name"]}
        connection: asyncpg.Connection | None = None
        usable = False
        try:
            async with asyncio.timeout(self.connect_seconds):
                connection, self.host = await reach(
                    self.dsn,
                    self.connect_seconds,
                    first=self.host,
                    command_timeout=self.statement_seconds + 5,
                    statement_cache_size=0 if self.pooled else 200,
                    server_settings=own if direct else named,
                )
                if self.session_pooled:
                    await _set(connection, own)
            usable = True
        except (asyncpg.ClientConfigurationError, ValueError) as error:
            raise Problem(
                "the DSN cannot be used",
                why=unfit_dsn(error),
                fix="write it as postgresql://user@host:5432/database, in `dsn` or BELLHAND_DSN",
            ) from error
        except (*_AWAY, *_REFUSED) as error:
            raise Away(describe(error)) from error
        finally:
            # The time was over in the moment it was there: nobody else would close it.
            if connection is not None and not usable:
                connection.terminate()
        _keep_alive(connection)
        return connection

    def link(self, role: str, **settings: str) -> Link:
        """A connection for one user that reopens itself."""
        made = Link(self, role, settings)
        self.links.append(made)
        return made


def unfit_dsn(error: Exception) -> str:
    """Why a DSN cannot be used, without a piece of it: the driver repeats what it cannot read."""
    if isinstance(error, asyncpg.ClientConfigurationError):
        return describe(error)
    return "it cannot be read; in a password / ? # : @ are written as %2F %3F %23 %3A %40"


def describe(error: BaseException) -> str:
    """One line about a connection error, without a DSN or a password in it."""
    text = str(error).splitlines()[0] if str(error) else ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


async def _set(connection: asyncpg.Connection, settings: dict[str, str]) -> None:
    try:
        await connection.fetch(query("set_session"), [*settings], [*settings.values()])
    except BaseException:
        connection.terminate()
        raise


def _keep_alive(connection: asyncpg.Connection) -> None:
    # The transport is private to asyncpg; it has no public way to the socket (checked with 0.32).
    transport = connection._transport  # type: ignore[attr-defined]
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family == socket.AF_UNIX:
        return
    options = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in options.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Link:
    """One connection for one user at a time, opened when needed and dropped when in doubt."""

    def __init__(self, database: Database, role: str, settings: dict[str, str]) -> None:
        self.database = database
        self.role = role
        self.settings = settings
        self.connection: asyncpg.Connection | None = None
        self.opened = 0
        self._turn = asyncio.Lock()

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """Run one statement; raises Away (Trouble is one), Again, or what else Postgres says."""
        async with self.held() as connection:
            return await _fetch(self.database, connection, sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """The first column of the first row, or None."""
        rows = await self.fetch(sql, *args)
        return rows[0][0] if rows else None

    @asynccontextmanager
    async def held(self) -> AsyncIterator[asyncpg.Connection]:
        """The connection, for several statements in one transaction; the errors are those of fetch."""
        async with self._turn:
            if self.connection is None or self.connection.is_closed():
                self.connection = await self.database.connect(self.role, **self.settings)
                self.opened += 1
            with _translated(self.drop):
                yield self.connection

    def drop(self) -> None:
        """Forget the connection at once; the next statement opens another."""
        if self.connection is not None:
            self.connection.terminate()
            self.connection = None


async def _fetch(
    database: Database, connection: asyncpg.Connection, sql: str, *args: Any
) -> list[asyncpg.Record]:
    """Run a statement of ours; handlers' own get the errors of TROUBLE as they are."""
    try:
        return await connection.fetch(
            sql, *args, timeout=database.statement_seconds + database.answer_seconds
        )
    except TROUBLE as error:
        connection.terminate()  # what only this session has wrong passes with it
        raise Trouble(describe(error)) from error


class _translated:
    """Turns what asyncpg raises into Away and Again, dropping the connection where its state is unknown."""

    def __init__(self, drop: Callable[[], None]) -> None:
        self.drop = drop

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        if not isinstance(error, Exception):  # cancelled: asyncpg would wait for the server
            self.drop()
            return
        if isinstance(error, _AGAIN):
            raise Again(describe(error)) from error
        if isinstance(error, _AWAY):
            self.drop()
            raise Away(describe(error)) from error
        if isinstance(error, asyncpg.InsufficientPrivilegeError) or _no_room_for_bells(error):
            raise Away(describe(error)) from error


class Backoff:
    """Waits between tries: doubling from `first_seconds` to `max_seconds`, each a random part of that, so that a fleet
    does not come back in step."""

    def __init__(
        self, random: Callable[[], float], *, first_seconds: float = 0.1, max_seconds: float = 2.0
    ) -> None:
        self.random = random
        self.first_seconds = first_seconds
        self.max_seconds = max_seconds
        self.tries = 0

    def next_seconds(self) -> float:
        """How long to wait now."""
        ceiling = min(self.first_seconds * 2.0 ** min(self.tries, 20), self.max_seconds)
        self.tries += 1
        return ceiling * (0.5 + 0.5 * self.random())

    def reset(self) -> None:
        """It worked: start small again."""
        self.tries = 0


async def patiently(random: Callable[[], float], ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the database answers: an attempt outlives a short absence of it, and its lease bounds a long one."""
    backoff = Backoff(random)
    while True:
        try:
            return await ask()
        except (Away, Again) as error:
            wait = backoff.next_seconds()
            # It may be this job's alone, which nothing else tells.
            if isinstance(error, Trouble) and backoff.tries == 1:
                note = "it is tried again until it passes, or the job is told to stop"
                log.warning("database_trouble", error=str(error), note=note)
            await asyncio.sleep(wait)


class NoConnection(Exception):
    """A handler that holds a connection waits for another one, and so do all who hold the others: none would ever get it."""

    def __init__(self, loans: int, seconds: float) -> None:
        super().__init__(
            f"no connection was free within {seconds:g} s: handlers hold all {loans}, and this one waits for another while it holds one. Use the "
            "one that it has, or let it go first; or give more with handler_connections under [database]: one more than twice the jobs that do so at once"
        )  # fmt: skip


# Whether a task, or one that it was started by, has a loan: only then can its waiting for another have no end.
_holds: ContextVar[bool] = ContextVar("holds", default=False)


class HandlerPool:
    """Connections that handlers' own statements and steps use: at most `size` (2 or more), opened when first needed."""

    def __init__(self, database: Database, size: int) -> None:
        self.database = database
        self.free: list[Link] = []
        self.turns = asyncio.Semaphore(max(2, size))
        # One is never lent: a handler that holds a connection waits for its steps, and those would wait for connections.
        self.lends = max(2, size) - 1
        self.loans = asyncio.Semaphore(self.lends)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection; what the block leaves open in it (a transaction, a lock) does not outlive the block."""
        async with self.turns:
            link = self.free.pop() if self.free else self.database.link("handler")
            try:
                async with link.held() as connection:
                    try:
                        yield connection
                    finally:
                        if connection.is_closed() or connection.is_in_transaction():
                            link.drop()
            finally:
                self.free.append(link)

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for somebody's own statements, which is cleaned before others get it. Raises NoConnection."""
        async with self._loan(), self.connection() as connection:
            try:
                yield connection
            except Exception:
                await give_back(connection, self.database.statement_seconds)
                raise
            except BaseException:
                connection.terminate()
                raise
            await give_back(connection, self.database.statement_seconds)

    @asynccontextmanager
    async def _loan(self) -> AsyncIterator[None]:
        held, seconds = _holds.get(), self.database.statement_seconds
        try:
            async with asyncio.timeout(seconds if held else None):
                await self.loans.acquire()
        except TimeoutError:
            raise NoConnection(self.lends, seconds) from None
        _holds.set(True)
        try:
            yield
        finally:
            _holds.set(held)
            self.loans.release()

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """Run one statement on any free connection; the errors are those of Link.fetch."""
        async with self.connection() as connection:
            return await _fetch(self.database, connection, sql, *args)


async def give_back(connection: asyncpg.Connection, seconds: float) -> None:
    """Its next user must not find what is left of this one: a transaction, locks, settings."""
    if connection.is_in_transaction():
        connection.terminate()
    elif not connection.is_closed():
        try:
            await connection.reset(timeout=seconds)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            connection.terminate()
