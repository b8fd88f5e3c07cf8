"""Moments so short that no fault hits them by chance: each is brought about here on purpose."""

import asyncio

import asyncpg
import pytest

from bellhand import job_kind, store
from bellhand.app import Daemon
from bellhand.sql import query
from daemons import at_work, insert, settings_for, state, until
from desk import Desk, desk
from support import eventually

__all__ = ["desk"]  # a fixture


@pytest.mark.parametrize("suspect", [False, True], ids=["one of many", "a suspect"])
async def test_a_job_that_is_told_to_stop_before_its_task_began_is_handed_back(
    dsn: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, suspect: bool
) -> None:
    """A task that is cancelled before its first step runs no line: the job was never settled, and its slot was gone."""

    @job_kind("t.any")
    async def any_job() -> None:
        pass

    async with at_work(dsn, any_job) as daemon:
        count, told = daemon.metrics.claimed, False

        def stop_soon(jobs: int) -> None:
            nonlocal told
            count(jobs)
            if (
                jobs and not told
            ):  # before the tasks are made, so it is called before their first steps
                told = True
                asyncio.get_running_loop().call_soon(daemon.worker.stop_all, "silence")

        monkeypatch.setattr(daemon.metrics, "claimed", stop_soon)
        async with conn.transaction():
            job = await insert(conn, "t.any")
            if suspect:
                await conn.execute("update bellhand.jobs set crashes = 2 where id = $1", job)
        await until(conn, job, "completed")
        assert told
        await eventually(lambda: not daemon.worker.running)


async def test_a_claim_whose_answer_got_lost_is_handed_back_though_one_of_its_jobs_still_runs_here(
    desk: Desk,
) -> None:
    """The old run of a job that was lost, and given to the same worker again: the others in that lease would have been leased for ever."""
    jobs = [await desk.insert() for _ in range(3)]
    w, other = await desk.worker("given up"), await desk.worker("other")
    (old,) = await desk.claim(w, 1)
    await desk.at("2030-01-07 09:01Z")
    await desk.beat(other)
    await desk.conn.fetch(query("rescue"), 30.0, 3, None)
    await desk.promote()
    again = await desk.worker("the same daemon under its next name")
    assert await desk.ids(again) == jobs, "and the answer gets lost"
    (said,) = await desk.conn.fetch(query("hand_back_unknown"), again, [old["id"]], [old["epoch"]], [desk.held[old["id"], old["epoch"]][1]])  # fmt: skip
    assert (said["handed_back"], said["lost"]) == (3, [old["id"]])
    assert await desk.ids(other) == jobs


@pytest.mark.parametrize("ends_well", [True, False], ids=["it succeeded", "it failed"])
async def test_an_error_of_the_server_s_own_is_no_fault_of_the_outcome(
    dsn: str, conn: asyncpg.Connection, ends_well: bool
) -> None:
    """A disk that cannot be read for a moment: what had succeeded was written down as failed, or nothing was, and where
    its neighbours' end took the lease along, the job was nowhere any more."""
    runs = 0

    @job_kind("t.ends", attempts_max=1)
    async def ends() -> None:
        nonlocal runs
        runs += 1
        if not ends_well:
            raise ValueError("its own")

    await conn.execute("""
        create function public.broken() returns trigger language plpgsql as
          $$ begin raise exception 'could not read block 7: Input/output error' using errcode = '58030'; end $$;
        create trigger broken before insert on bellhand.history for each row when (new.owner = 'the bad block') execute function public.broken()""")
    async with at_work(dsn, ends) as daemon:
        async with conn.transaction():  # so that one claim gets all of them
            jobs = [await insert(conn, "t.ends", owner=who) for who in ("a", "the bad block", "b")]
        bad = jobs.pop(1)
        over = "completed" if ends_well else "failed"
        for job in jobs:
            await until(conn, job, over)
        assert await state(conn, bad) == "running"
        assert daemon.settler.backlog, "it is written again until it is taken"
        await conn.execute("drop function public.broken cascade")
        await until(conn, bad, over)
        await eventually(lambda: not daemon.settler.leases)
    assert runs == 3
    assert not await conn.fetchval("select count(*) from bellhand.leases")


async def test_behind_a_pooler_what_a_crash_made_wrong_is_soon_forgotten(
    dsn: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PgBouncer keeps the daemon's connection through a crash of the server, which gives transactions' ids anew, below the positions."""

    @job_kind("t.any")
    async def any_job() -> None:
        pass

    monkeypatch.setattr(store, "POOLED_SECONDS", 0.3)
    async with at_work(dsn, any_job, database={"pooler": "transaction"}) as daemon:
        await until(conn, await insert(conn, "t.any"), "completed")
        known = daemon.worker.positions.known
        daemon.worker.positions.known = dict.fromkeys(known, (2**40, 0))
        await until(conn, await insert(conn, "t.any"), "completed")
        assert daemon.store.claims.opened == 1


async def test_a_worker_that_cannot_beat_claims_nothing_though_its_claims_would_get_through(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """Between 0.8 and 1.0 of a lease it still claimed, and what it claimed was not told to stop before others ran it."""
    runs = 0

    @job_kind("t.long")
    async def long() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            await asyncio.sleep(30.0)

    @job_kind("t.any")
    async def any_job() -> None:
        pass

    operator = await asyncpg.connect(dsn)
    async with at_work(dsn, long, any_job, worker={"lease_seconds": 3.0}) as daemon:
        held = await insert(conn, "t.long")
        await eventually(lambda: bool(daemon.worker.running))
        async with operator.transaction():
            await operator.execute("select from bellhand.workers for no key update")
            await eventually(lambda: daemon.heartbeat.unheard_seconds() > 1.6)
            job = await insert(conn, "t.any")
            await eventually(lambda: not daemon.worker.running)
            assert await state(conn, job) == "pending"
        await until(conn, job, "completed")
        await until(conn, held, "completed")
    await operator.close()


@pytest.mark.parametrize("table", ["leases", "workers"], ids=["a claim", "a beat"])
async def test_trouble_of_the_server_s_own_in_a_claim_or_a_beat_is_waited_for(
    dsn: str, conn: asyncpg.Connection, table: str
) -> None:
    """In a claim it ended the daemon with code 1, and all that ran with it; in a beat only the heartbeat's thread, and nobody heard."""

    @job_kind("t.any")
    async def any_job() -> None:
        pass

    async with at_work(dsn, any_job, worker={"lease_seconds": 3.0}) as daemon:
        await conn.execute(f"""
            create function public.broken() returns trigger language plpgsql as
              $$ begin raise exception 'missing chunk number 0 for toast value 7' using errcode = 'XX001'; end $$;
            create trigger broken before insert or update on bellhand.{table} for each row execute function public.broken()""")
        job = await insert(conn, "t.any")
        if table == "leases":
            await eventually(lambda: not daemon.worker.up)
            assert await state(conn, job) == "pending"
        else:
            await eventually(lambda: daemon.heartbeat.unheard_seconds() > 1.3)
        await conn.execute("drop function public.broken cascade")
        await until(conn, job, "completed")
        await eventually(lambda: daemon.heartbeat.unheard_seconds() < 1.0)


async def test_a_daemon_whose_heartbeat_fails_ends(
    dsn: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread ended in silence: the daemon lived on, and whatever it ran was taken from it."""
    daemon = Daemon(settings_for(dsn), kinds={})
    running = asyncio.create_task(daemon.run())
    await eventually(daemon.ready.is_set)
    monkeypatch.setattr(daemon.heartbeat, "held", lambda: 1 / 0)
    async with asyncio.timeout(30):
        assert await running == 1


async def test_a_limit_that_was_lower_for_a_while_is_still_a_limit(desk: Desk) -> None:
    """Who ran more than the lower limit allowed had its slots written down as so few, and when the limit rose others took the rest."""
    await desk.lane("l", concurrency=4)
    await desk.publish("b", lane="l")
    a, b = await desk.worker("a", kinds=["b"]), await desk.worker("b", kinds=["b"])
    jobs = [await desk.insert("b") for _ in range(9)]
    held = await desk.claim(a, 4)
    assert [row["id"] for row in held] == jobs[:4]
    for limit, workers in (1, (a, b)), (4, (b, a)):
        await desk.lane("l", concurrency=limit)
        for worker in workers:
            assert await desk.ids(worker) == [], f"{limit=}"
    await desk.complete(held[0])
    assert await desk.ids(a) + await desk.ids(b) == jobs[4:5]
