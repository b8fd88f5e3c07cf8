"""Any Python program enqueues in its own transaction, by the connection it has."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import BaseModel
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

import bellhand
from bellhand import NewJob, job_kind

JOBS = "select kind, payload, priority, unique_key, tags, owner, source, run_at, depends_on from bellhand.jobs order by id"
LATER = datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)


@job_kind("t.greet")
async def greet(args: dict[str, str]) -> None:
    """A handler that never runs here: kinds may be given as what handles them."""


class Order(BaseModel):
    number: int
    total: Decimal


@pytest.fixture(autouse=True)
async def kind(conn: asyncpg.Connection) -> None:
    await conn.execute(
        "insert into bellhand.kinds (name, lane, priority) values ('t.greet', 1, 8), ('notify.webhook', 1, 5)"
    )


@asynccontextmanager
async def by_asyncpg(dsn: str) -> AsyncIterator[Any]:
    conn = await asyncpg.connect(dsn, timeout=10)
    try:
        async with conn.transaction():
            yield conn
    finally:
        await conn.close(timeout=5)


@asynccontextmanager
async def by_asyncpg_pool(dsn: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        yield pool


@asynccontextmanager
async def by_psycopg(dsn: str) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(dsn) as conn:
        yield conn


@asynccontextmanager
async def by_sqlalchemy(dsn: str) -> AsyncIterator[Any]:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(dsn, timeout=10),
        poolclass=NullPool,
    )
    async with AsyncSession(engine) as session, session.begin():
        yield session


@asynccontextmanager
async def by_sqlalchemy_core(dsn: str) -> AsyncIterator[Any]:
    engine = create_async_engine(
        "postgresql+psycopg://",
        async_creator=lambda: psycopg.AsyncConnection.connect(dsn),
        poolclass=NullPool,
    )
    async with engine.begin() as conn:
        yield conn


WAYS: list[Callable[[str], Any]] = [
    by_asyncpg,
    by_asyncpg_pool,
    by_psycopg,
    by_sqlalchemy,
    by_sqlalchemy_core,
]


@contextmanager
def psycopg_blocks(dsn: str) -> Iterator[Any]:
    with psycopg.connect(dsn) as conn:
        yield conn


@contextmanager
def psycopg_dicts(dsn: str) -> Iterator[Any]:
    with psycopg.connect(dsn, row_factory=dict_row) as conn:
        yield conn


@contextmanager
def a_cursor(dsn: str) -> Iterator[Any]:
    with psycopg.connect(dsn) as conn, conn.cursor() as cursor:
        yield cursor


@contextmanager
def a_session(dsn: str) -> Iterator[Any]:
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool
    )
    with Session(engine) as session, session.begin():
        yield session


@dataclass
class DjangoLike:
    """What `django.db.connection` offers of the DB-API: cursors, and no execute of its own."""

    conn: psycopg.Connection[Any]

    def cursor(self) -> Any:
        return self.conn.cursor()


@contextmanager
def django_like(dsn: str) -> Iterator[Any]:
    with psycopg.connect(dsn) as conn:
        yield DjangoLike(conn)


WAYS_THAT_BLOCK: list[Callable[[str], Any]] = [
    psycopg_blocks,
    psycopg_dicts,
    a_cursor,
    a_session,
    django_like,
]


@pytest.mark.parametrize("way", WAYS)
async def test_a_job_of_any_connection_that_is_awaited(
    way: Any, dsn: str, conn: asyncpg.Connection
) -> None:
    async with way(dsn) as mine:
        first = await bellhand.enqueue(
            mine, "t.greet", {"name": "Ada: 50 % %s :jobs $1"}, unique_key="customer:17"
        )
        again = await bellhand.enqueue(mine, greet, unique_key="customer:17")
    assert first.created
    assert again == bellhand.Enqueued(first.id, first.key, False)
    (row,) = await conn.fetch(JOBS)
    assert (row["payload"], row["priority"], row["source"]) == (
        '{"name": "Ada: 50 % %s :jobs $1"}',
        8,
        "python",
    )


@pytest.mark.parametrize("way", WAYS_THAT_BLOCK)
async def test_a_job_of_any_connection_that_blocks(
    way: Any, dsn: str, conn: asyncpg.Connection
) -> None:
    with way(dsn) as mine:
        one = bellhand.enqueue_sync(mine, greet, {"name": "Ada: 50 % %s"})
        two, three = bellhand.enqueue_many_sync(
            mine, [NewJob("t.greet"), NewJob("t.greet", priority=2)]
        )
    assert [row["id"] for row in await conn.fetch("select id from bellhand.jobs order by id")] == [
        one.id,
        two.id,
        three.id,
    ]
    assert [row["priority"] for row in await conn.fetch(JOBS)] == [8, 8, 2]


async def test_a_job_is_there_when_the_transaction_commits_and_never_was_when_it_does_not(
    dsn: str, conn: asyncpg.Connection
) -> None:
    with closing(psycopg.connect(dsn)) as mine:
        bellhand.enqueue_sync(mine, "t.greet")
        assert await conn.fetch(JOBS) == []
        mine.rollback()
        bellhand.enqueue_sync(mine, "t.greet", {"name": "kept"})
        mine.commit()
    assert [row["payload"] for row in await conn.fetch(JOBS)] == ['{"name": "kept"}']


async def test_every_option_arrives(conn: asyncpg.Connection) -> None:
    await conn.execute(
        "insert into bellhand.channels (name, kind, address) values ('ops', 'webhook', 'https://ops.example.org/')"
    )
    parent = await bellhand.enqueue(conn, "t.greet")
    await bellhand.enqueue(
        conn, "t.greet", Order(number=17, total=Decimal("9.50")), unique_key="k", run_at=LATER, priority=3, attempts_max=7, timeout_seconds=1.5,
        tags={"campaign": "spring"}, owner="u_17", depends_on=[parent.id], depends_policy="release",
        notify=[{"on": ["failed"], "to": "ops"}],
    )  # fmt: skip
    row = await conn.fetchrow(f"select * from ({JOBS}) j offset 1")
    assert dict(row) == {
        "kind": "t.greet", "payload": '{"total": "9.50", "number": 17}', "priority": 3, "unique_key": "k", "tags": '{"campaign": "spring"}',
        "owner": "u_17", "source": "python", "run_at": LATER, "depends_on": [parent.id],
    }  # fmt: skip
    rest = await conn.fetchrow(
        "select attempts_max, timeout_seconds, depends_policy, notify is not null as told from bellhand.jobs offset 1"
    )
    assert tuple(rest) == (7, 1.5, "release", True)


async def test_many_are_all_or_none(conn: asyncpg.Connection) -> None:
    made = await bellhand.enqueue_many(conn, (NewJob("t.greet", {"n": str(n)}) for n in range(500)))
    assert len({one.id for one in made}) == 500
    with pytest.raises(asyncpg.PostgresError, match=r"t\.gret") as refused:
        await bellhand.enqueue_many(conn, [NewJob("t.greet"), NewJob("t.gret")])
    assert "t.greet" in (refused.value.hint or "")
    assert await bellhand.enqueue_many(conn, []) == []
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 500


async def test_what_cannot_be_is_said_before_anything_is_asked(
    dsn: str, conn: asyncpg.Connection
) -> None:
    with pytest.raises(ValueError, match="time zone"):
        await bellhand.enqueue(conn, "t.greet", run_at=datetime(2099, 1, 1))
    with pytest.raises(ValueError, match="payload cannot be stored as JSON"):
        await bellhand.enqueue(conn, "t.greet", {"x": float("nan")})
    with pytest.raises(TypeError, match="no handler"):
        await bellhand.enqueue(conn, print)
    with pytest.raises(TypeError, match="has to be awaited"):
        bellhand.enqueue_sync(conn, "t.greet")
    with pytest.raises(TypeError, match="takes a connection of asyncpg"):
        await bellhand.enqueue(dsn, "t.greet")
    with pytest.raises(TypeError, match="takes a connection of asyncpg"):
        bellhand.enqueue_sync(dsn, "t.greet")
    with (
        psycopg.connect(dsn) as blocks,
        pytest.raises(TypeError, match=r"enqueue_sync\(\.\.\.\) takes it"),
    ):
        await bellhand.enqueue(blocks, "t.greet")
    assert await conn.fetch(JOBS) == []
