"""What a worker believes of the server must not outlive it: a crash undoes claims and gives transactions' ids anew."""

import asyncio
from collections import Counter

import asyncpg
import pytest

from bellhand import Job, job_kind
from bellhand.db import Database, HandlerPool
from bellhand.dev.postgres import DevPostgres
from bellhand.store import Store
from daemons import at_work, insert, state, until
from support import eventually

NEWEST = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
WAITS = "select count(*) from bellhand.queue where id = $1"
# Whether a crash undoes a claim depends on when the server writes its log: it does so here mostly on 18, seldom on 15.
CRASHES_MAX = 6


@pytest.mark.slow
async def test_a_job_whose_claim_a_crash_of_the_server_undid_is_found_behind_the_position(
    private_server: DevPostgres, private_dsn: str
) -> None:
    """It stood in the queue again, and the workers that had seen it taken passed by it until they were restarted."""
    runs: Counter[int] = Counter()

    @job_kind("t.hangs")
    async def hangs(job: Job) -> None:
        runs[job.id] += 1
        await asyncio.sleep(0 if runs[job.id] > 1 else 60)

    # What nobody waits for reaches the disk late, and nobody writes what would take it along.
    await asyncio.to_thread(private_server.stop)
    private_server.settings = {"wal_writer_delay": "10s"}
    await asyncio.to_thread(private_server.start)
    rare = {"lease_seconds": 60, "heartbeat_seconds": 15}
    async with at_work(private_dsn, hangs, worker=rare) as daemon:
        for _ in range(CRASHES_MAX):
            conn = await asyncpg.connect(private_dsn, timeout=10)
            undone = await insert(conn, "t.hangs")
            newest = await conn.fetchval(NEWEST)

            def passed(job: int = undone, newest: int = newest) -> bool:
                daemon.bell.ring()
                known = daemon.worker.positions.known.values()
                return runs[job] == 1 and any(xid > newest for xid, _ in known)

            await eventually(passed)
            conn.terminate()
            await asyncio.to_thread(private_server.stop, immediate=True)
            await asyncio.to_thread(private_server.start)
            conn = await asyncpg.connect(private_dsn, timeout=10)
            try:
                waits = await conn.fetchval(WAITS, undone)
                if waits or runs[undone] == 2:
                    await until(conn, undone, "completed")
                    return
            finally:
                await conn.close()  # uvloop's loop does not close while a connection is open
        raise AssertionError(f"none of {CRASHES_MAX} crashes undid a claim")


async def test_after_a_new_connection_dependencies_of_old_transactions_are_looked_at_again(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """A crash of the server gives transactions' ids anew, below what was looked at: a child could have waited for ever."""
    database = Database(dsn)
    store = Store(database, HandlerPool(database, 1))
    await conn.execute("insert into bellhand.kinds (name, lane) values ('t.any', 1)")
    parent = await insert(conn, "t.any")
    child = await insert(conn, "t.any", depends_on=[parent])
    try:
        for _ in range(3):
            await store.look_around([])
        await conn.execute(
            """with gone as (delete from bellhand.jobs where id = $1 returning *)
            insert into bellhand.history (id, key, kind, payload, priority, run_at, depends_policy, source, created_at, state, epoch,
              attempts, crashes, partial, finished_at)
            select id, key, kind, payload, priority, run_at, depends_policy, source, created_at, 'completed', epoch, 0, 0, false, now() from gone""",
            parent,
        )
        await store.look_around([])
        assert await state(conn, child) == "blocked", "nothing tells that its parent went"
        for link in database.links:
            link.drop()
        for _ in range(2):
            await store.look_around([])
        assert await state(conn, child) != "blocked"
    finally:
        for link in database.links:
            link.drop()
