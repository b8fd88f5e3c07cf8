"""Two sessions in each other's way, brought about on purpose: one has done its part and not committed when the other comes."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from bellhand.db import Database, HandlerPool
from bellhand.store import Store
from desk import Desk, desk

__all__ = ["desk"]  # a fixture


@pytest.fixture
async def other(dsn: str, desk: Desk) -> AsyncIterator[Desk]:
    """The second session, at the same desk."""
    conn = await asyncpg.connect(dsn)
    made = Desk(conn)
    made.positions, made.held = desk.positions, desk.held
    await made.at("2030-01-07 09:00Z")
    yield made
    await conn.close()


async def after_each_other(first: Desk, then: Desk, statement: str, *args: object) -> object:
    """What a statement of the second session says that comes before the first one's transaction commits."""
    task = asyncio.create_task(then.conn.fetchval(statement, *args))
    await asyncio.wait({task}, timeout=0.3)  # it is through, or waits for the first
    await first.conn.execute("commit")
    async with asyncio.timeout(60):
        return await task


CANCEL = "select bellhand.cancel($1)"


async def test_two_parents_that_end_at_the_same_moment_let_their_child_go(
    desk: Desk, other: Desk
) -> None:
    one, two = await desk.insert(), await desk.insert()
    child = await desk.insert(depends_on=[one, two], depends_policy="release")
    await desk.conn.execute("begin")
    await desk.conn.fetchval(CANCEL, one)
    await after_each_other(desk, other, CANCEL, two)
    assert await desk.ids(await desk.worker()) == [child]


async def test_a_child_that_is_paused_as_its_parent_ends_stays_paused(
    desk: Desk, other: Desk
) -> None:
    parent = await desk.insert()
    child = await desk.insert(depends_on=[parent], depends_policy="release")
    await desk.conn.execute("begin")
    assert await desk.conn.fetchval("select bellhand.pause($1)", child) == "paused"
    await after_each_other(desk, other, CANCEL, parent)
    assert await desk.state(child) == "paused"
    assert await desk.conn.fetchval("select bellhand.resume($1)", child) == "pending"
    assert await desk.ids(await desk.worker()) == [child]


@pytest.mark.parametrize("parent_first", [True, False])
async def test_a_child_that_is_resumed_as_its_parent_ends_runs(
    desk: Desk, other: Desk, parent_first: bool
) -> None:
    parent = await desk.insert()
    child = await desk.insert(depends_on=[parent], depends_policy="release")
    await desk.conn.fetchval("select bellhand.pause($1)", child)
    acts = [(CANCEL, parent), ("select bellhand.resume($1)", child)]
    first, then = acts if parent_first else acts[::-1]
    await desk.conn.execute("begin")
    await desk.conn.fetchval(*first)
    await after_each_other(desk, other, *then)
    assert await desk.ids(await desk.worker()) == [child]


@pytest.mark.parametrize("parent_first", [True, False])
async def test_a_child_that_is_cancelled_as_its_parent_ends_is_cancelled(
    desk: Desk, other: Desk, parent_first: bool
) -> None:
    """Each held what the other waited for: the parent's end the dependency, the cancel the child's row."""
    parent = await desk.insert()
    child = await desk.insert(depends_on=[parent], depends_policy="release")
    acts = [(CANCEL, parent), ("select bellhand.cancel($1)", child)]
    first, then = acts if parent_first else acts[::-1]
    await desk.conn.execute("begin")
    await desk.conn.fetchval(*first)
    await after_each_other(desk, other, *then)
    assert (await desk.state(parent), await desk.state(child)) == ("cancelled", "cancelled")
    assert await desk.ids(await desk.worker()) == []


async def test_of_two_retries_at_once_the_second_is_told_that_the_job_waits(
    desk: Desk, other: Desk
) -> None:
    job = await desk.insert()
    await desk.conn.fetchval(CANCEL, job)
    await desk.conn.execute("begin")
    assert await desk.conn.fetchval("select bellhand.retry($1)", job) == "pending"
    with pytest.raises(asyncpg.PostgresError) as refused:
        await after_each_other(desk, other, "select bellhand.retry($1)", job)
    assert refused.value.sqlstate == "BH007", refused.value


async def test_a_child_that_is_inserted_as_its_parent_ends_runs_though_a_look_comes_between(
    desk: Desk, other: Desk, dsn: str
) -> None:
    """The parent's end does not see the child, the child sees its parent, and so does a look before the end commits."""
    database = Database(dsn, settings={"bellhand.now": "2030-01-07 09:00Z"})
    store = Store(database, HandlerPool(database, 1))
    ends = await asyncpg.connect(dsn)
    parent = await desk.insert()
    for _ in range(3):
        await store.look_around(["a"])
    await other.conn.execute("begin")
    child = await other.insert(depends_on=[parent], depends_policy="release")
    await ends.execute("begin")
    await ends.fetchval(CANCEL, parent)
    await other.conn.execute("commit")
    for _ in range(3):
        await store.look_around(["a"])
    assert await desk.state(child) == "blocked"
    await ends.execute("commit")
    await store.look_around(["a"])
    assert await desk.state(child) == "pending"
    store.chores.drop()
    await ends.close()
