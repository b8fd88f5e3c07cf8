"""A real daemon inside the test's loop, and its jobs seen from outside."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from bellhand.app import Daemon
from bellhand.kinds import ATTRIBUTE, Kind
from bellhand.settings import Settings
from support import eventually

QUICK = {
    "lease_seconds": 6.0,  # a busy machine may keep a thread waiting for two
    "heartbeat_seconds": 0.5,
    "poll_seconds": 300.0,
    "grace_seconds": 5.0,
    "kill_grace_seconds": 0.5,
}


def kinds_of(*handlers: Callable[..., Any]) -> dict[str, Kind]:
    found: list[Kind] = [getattr(handler, ATTRIBUTE) for handler in handlers]
    return {kind.name: kind for kind in found}


def settings_for(dsn: str, worker: dict[str, Any] | None = None, **sections: Any) -> Settings:
    """Short leases, and a poll so slow that only the bell can explain a quick start; a status port of its own, no canaries."""
    given = {"status": {"port": 0}, "metrics": {"canary_seconds": 0}} | sections
    return Settings(dsn=dsn, worker=QUICK | (worker or {}), **given)


def chance() -> float:
    """As random as it may be where a retry that comes at once would be over before anybody saw it wait."""
    return 0.25 + 0.75 * random.random()


@asynccontextmanager
async def at_work(
    dsn: str, *handlers: Callable[..., Any], worker: dict[str, Any] | None = None, **sections: Any
) -> AsyncIterator[Daemon]:
    """A daemon that is ready; on leaving it drains, and must end with exit code 0."""
    daemon = Daemon(settings_for(dsn, worker, **sections), kinds=kinds_of(*handlers), random=chance)
    running = asyncio.create_task(daemon.run())
    ready = asyncio.create_task(daemon.ready.wait())
    try:
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=60)
        if running.done():
            raise AssertionError(f"the daemon ended at once: {running.result()}")
        assert ready.done(), "the daemon was not ready within 60 s"
        yield daemon
    finally:
        ready.cancel()
        daemon.stop()
        async with asyncio.timeout(60):
            code = await running
    assert code == 0


async def state(conn: asyncpg.Connection, job: int) -> str | None:
    found: str | None = await conn.fetchval(
        "select state from bellhand.all_jobs where id = $1", job
    )
    return found


async def until(
    conn: asyncpg.Connection, job: int, wanted: str, seconds: float = 30.0
) -> asyncpg.Record:
    """The job once it has reached a state."""

    async def there() -> bool:
        return await state(conn, job) == wanted

    await eventually(
        there, seconds, because=f"job {job} should be {wanted}, it is {await state(conn, job)}"
    )
    row = await conn.fetchrow("select * from bellhand.all_jobs where id = $1", job)
    assert row is not None
    return row


async def insert(conn: asyncpg.Connection, kind: str, payload: str = "{}", **columns: Any) -> int:
    columns = {"kind": kind, "payload": payload} | columns
    places = ", ".join(f"${i + 1}" for i in range(len(columns)))
    sql = f"insert into bellhand.jobs ({', '.join(columns)}) values ({places}) returning id"
    return int(await conn.fetchval(sql, *columns.values()))
