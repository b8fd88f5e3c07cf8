"""Workers that are lost, silent or late: who takes over, what they may still say, and who is blamed."""

import asyncio
import uuid

import asyncpg
import pytest

from bellhand.dev.postgres import DevPostgres
from bellhand.positions import Positions
from bellhand.sql import query
from desk import Desk, desk

__all__ = ["desk"]  # a fixture


async def test_a_lost_worker_s_jobs_run_again_and_what_it_still_says_is_refused(desk: Desk) -> None:
    job = await desk.insert()
    lost, other = await desk.worker("lost"), await desk.worker("other")
    (old,) = await desk.claim(lost)
    await desk.at("2030-01-07 09:00:31Z")
    await desk.beat(other)
    (told,) = await desk.conn.fetch(query("rescue"), 30.0, 3, None)
    assert (told["name"], told["jobs"], told["failed"]) == ("lost", 1, 0)
    seen = await desk.see(job)
    assert (seen["attempts"], seen["crashes"], seen["error"]) == (
        1,
        1,
        "worker_lost: lost (pid 1 on host) stopped beating",
    )
    assert await desk.beat(lost, old) == []
    await desk.promote()
    (new,) = await desk.claim(other)
    assert new["id"] == job
    assert new["epoch"] > old["epoch"]
    assert await desk.complete(old) == []
    assert await desk.end(old, "fail", error="too late") is None
    assert await desk.complete(new) == [job]


async def test_a_job_that_killed_its_worker_three_times_fails_as_worker_lost(desk: Desk) -> None:
    job = await desk.insert(attempts_max=10)
    for crash in range(3):
        w = await desk.worker(f"w{crash}")
        assert await desk.ids(w) == [job]
        await desk.at(f"2030-01-07 10:0{crash}Z")
        await desk.conn.fetch(query("rescue"), 30.0, 3, None)
        await desk.promote()
    seen = await desk.see(job)
    assert (seen["state"], seen["crashes"]) == ("failed", 3)
    assert seen["error"].startswith("worker_lost")


async def test_the_heartbeat_keeps_the_lease(desk: Desk) -> None:
    await desk.insert()
    w = await desk.worker()
    (row,) = await desk.claim(w)
    for minute in range(1, 5):
        await desk.at(f"2030-01-07 09:0{minute}Z")
        beat = await desk.beat(w, row, lease_seconds=90.0)
        assert [b["said"] for b in beat] == ["ok"]
        assert await desk.conn.fetch(query("rescue"), 90.0, 3, None) == []


async def test_a_worker_that_was_given_up_claims_nothing(desk: Desk) -> None:
    job = await desk.insert()
    lost, other = await desk.worker("lost"), await desk.worker("other")
    await desk.at("2030-01-07 09:01Z")
    await desk.beat(other)
    await desk.conn.fetch(query("rescue"), 30.0, 3, None)
    assert await desk.ids(lost) == [], "its lease would name nobody, and the job count as crashed"
    assert await desk.ids(other) == [job]


async def test_a_claim_that_arrives_after_things_were_set_right_gets_nothing(desk: Desk) -> None:
    job = await desk.insert()
    w = await desk.worker()
    await desk.look(w)
    (row,) = await desk.conn.fetch(query("hand_back_unknown"), w, [], [], [])
    late = await desk.conn.fetch(query("claim"), w, 0, 10, 0, *desk.positions[w].where(10))
    assert [found["id"] for found in late] == [None], "nobody would hear its answer"
    there = await desk.conn.fetch(
        query("claim"), w, row["generation"], 10, 0, *desk.positions[w].where(10)
    )
    assert [found["id"] for found in there] == [None, job]


async def test_a_suspect_is_blamed_alone_and_who_waited_for_its_turn_not_at_all(desk: Desk) -> None:
    jobs = [await desk.insert(attempts_max=10) for _ in range(3)]
    w, other = await desk.worker(), await desk.worker("other")
    rows = {row["id"]: row for row in await desk.claim(w)}
    assert sorted(rows) == jobs
    await desk.conn.fetch(query("suspects"), w, jobs[0], [jobs[1]])
    await desk.at("2030-01-07 09:01Z")
    await desk.beat(other)
    await desk.conn.fetch(query("rescue"), 30.0, 3, None)
    crashes = [(await desk.see(job))["crashes"] for job in jobs]
    assert crashes == [1, 0, 0]
    await desk.conn.fetch(query("suspects"), other, None, [jobs[1]])
    assert await desk.ids(other) == jobs
    await desk.at("2030-01-07 09:03Z")
    await desk.conn.fetch(query("rescue"), 30.0, 3, None)
    crashes = [(await desk.see(job))["crashes"] for job in jobs]
    assert crashes == [2, 0, 1], "it had not begun"


async def test_after_an_outage_nobody_is_given_up_who_is_about_to_beat_too(desk: Desk) -> None:
    job = await desk.insert()
    first, second = await desk.worker("first"), await desk.worker("second")
    assert await desk.ids(second) == [job]
    await desk.at("2030-01-07 09:02Z")
    (said,) = await desk.beat(first)
    assert said["said"] == "rescue"
    assert await desk.conn.fetch(query("rescue"), 30.0, 3, first) == [], "it was silent itself"
    await desk.at("2030-01-07 09:02:20Z")
    await desk.beat(first)
    await desk.at("2030-01-07 09:02:31Z")
    (given_up,) = await desk.conn.fetch(query("rescue"), 30.0, 3, first)
    assert given_up["name"] == "second", "it has not come back within another lease"


async def test_the_lease_of_a_claim_that_a_crash_of_the_server_undid_is_no_other_claim_s(
    private_server: DevPostgres, private_dsn: str
) -> None:
    """Its worker, which heard of both, lets go of the first; the second must stay."""
    job, worker, leases = 0, uuid.uuid4(), []
    for settings in ({"wal_writer_delay": "10s"}, {}):
        await asyncio.to_thread(private_server.stop, immediate=True)
        private_server.settings = settings
        await asyncio.to_thread(private_server.start)
        conn = await asyncpg.connect(private_dsn, timeout=10)
        try:
            desk = Desk(conn)
            if not leases:
                await desk.publish("a")
                job, worker = await desk.insert(), await desk.worker()
            desk.positions[worker] = Positions()
            await conn.execute("set synchronous_commit = off")
            (got,) = await desk.claim(worker)
            assert got["id"] == job
            leases.append(desk.held[job, got["epoch"]])
        finally:
            conn.terminate()
    first, second = leases
    assert first != second


async def test_a_claim_that_stands_still_holds_up_setting_right_and_no_beat(
    desk: Desk, dsn: str
) -> None:
    await desk.insert()
    w = await desk.worker()
    other = await asyncpg.connect(dsn, timeout=10, server_settings={"lock_timeout": "300"})
    try:
        async with desk.conn.transaction():
            assert await desk.claim(w)
            assert await other.fetch(query("beat"), w, 0, False, 30.0)
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.fetch(query("hand_back_unknown"), w, [], [], [])
    finally:
        await other.close(timeout=5)
