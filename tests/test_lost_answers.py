"""What Postgres did, and the daemon never heard of: the answer to a COMMIT is lost on the way."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from bellhand import job_kind
from bellhand.dev.postgres import DevPostgres
from daemons import at_work, insert, state, until
from processes import Fleet, fleet
from proxy import proxy
from support import eventually

NEVER_SECONDS = 1000.0


@pytest.fixture
async def private_conn(private_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(private_dsn, timeout=10)
    yield connection
    await connection.close(timeout=5)


async def test_jobs_of_a_claim_whose_answer_was_lost_run_soon(
    private_server: DevPostgres, private_dsn: str, private_conn: asyncpg.Connection
) -> None:
    """They are leased to a worker that lives and beats, so nobody would ever rescue them."""

    @job_kind("t.once", attempts_max=1)
    async def once() -> None: ...

    conn = private_conn
    worker = {"poll_seconds": 0.4, "lease_seconds": 20.0, "heartbeat_seconds": 0.5}
    async with (
        proxy(private_server.dsn_for("bellhand", tcp=True)) as way,
        at_work(way.dsn, once, worker=worker) as daemon,
    ):
        await until(conn, await insert(conn, "t.once"), "completed")
        await conn.execute("select bellhand.pause_lane('default')")
        lanes = daemon.worker.positions.lanes
        await eventually(lambda: all(use.lane.paused for use in lanes.values()))
        job = await insert(conn, "t.once")
        lock = await asyncpg.connect(private_dsn, timeout=10)
        async with lock.transaction():
            await lock.execute("lock table bellhand.leases in share mode")
            await conn.execute("select bellhand.resume_lane('default')")
            await eventually(
                lambda: conn.fetchval(
                    "select count(*) from pg_stat_activity where application_name = 'bellhand:claim' and wait_event_type = 'Lock'"
                )
            )  # the claim waits for the lock; once it is let go, it commits
            way.mute = True
        await lock.close(timeout=5)
        await until(conn, job, "running")
        assert job not in daemon.worker.running, "it does not know"
        way.cut()
        way.mute = False
        row = await until(conn, job, "completed")
        assert (row["attempts"], row["crashes"]) == (0, 0)


@pytest.mark.parametrize("fails", [False, True])
async def test_an_outcome_whose_acceptance_was_lost_counts_once(
    private_server: DevPostgres, private_conn: asyncpg.Connection, fails: bool
) -> None:
    go = asyncio.Event()
    ran = 0

    @job_kind("t.ends", attempts_max=1, timeout_seconds=NEVER_SECONDS)
    async def ends() -> None:
        nonlocal ran
        ran += 1
        await go.wait()
        if fails:
            raise ValueError("boom")

    conn = private_conn
    over = "failed" if fails else "completed"
    async with (
        proxy(private_server.dsn_for("bellhand", tcp=True)) as way,
        at_work(way.dsn, ends, worker={"lease_seconds": 20.0}) as daemon,
    ):
        go.set()
        await until(conn, await insert(conn, "t.ends"), over)  # its connections are open now
        go.clear()
        job = await insert(conn, "t.ends")
        await eventually(lambda: ran == 2)
        way.mute = True
        go.set()
        await until(conn, job, over)
        assert daemon.settler.backlog, "it does not know"
        way.cut()
        way.mute = False
        await eventually(lambda: not daemon.settler.backlog)
        await until(conn, await insert(conn, "t.ends"), over)
    assert await state(conn, job) == over
    assert ran == 3
    assert await conn.fetchval("select count(*) from bellhand.history") == 3


@pytest.mark.timeout(120)
async def test_a_row_held_by_a_machine_that_vanished_is_let_go_and_its_job_runs_elsewhere(
    private_server: DevPostgres, private_conn: asyncpg.Connection, fleet: Fleet
) -> None:
    """Its silence ends its sessions; until then every rescue of it would wait for the row, and be undone."""
    dsn = private_server.dsn_for("bellhand", tcp=True)
    database = {"silent_seconds": 1, "lock_seconds": 0.2, "statement_seconds": 5}
    gone = fleet.start(dsn, database=database)
    await gone.until("ready")
    job = await insert(private_conn, "p.vanishes")
    await eventually(lambda: fleet.lines("holds", job))
    fleet.start(dsn, database=database)
    # Without the limits Postgres waits for it as long as a transaction may be idle: a minute.
    row = await until(private_conn, job, "completed", 40)
    assert (row["crashes"], len(fleet.lines("holds", job))) == (1, 2)
    held = await private_conn.fetchval(
        "select count(*) from pg_stat_activity where application_name like 'bellhand:%' and state = 'idle in transaction'"
    )
    assert held == 0
