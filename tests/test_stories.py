"""The life of a job, told with dates: every transition, on a real Postgres with a frozen clock."""

import asyncpg
import pytest

from desk import Desk, desk

__all__ = ["desk"]  # a fixture

pytestmark = pytest.mark.usefixtures("server")


async def test_an_inserted_job_runs_once_and_moves_to_history(desk: Desk) -> None:
    job = await desk.insert(payload='{"n": 1}')
    assert await desk.state(job) == "pending"
    w = await desk.worker()
    (row,) = await desk.claim(w)
    assert (row["id"], row["epoch"], row["payload"]) == (job, 1, '{"n": 1}')
    assert await desk.state(job) == "running"
    await desk.at("2030-01-07 09:05Z")
    assert await desk.complete(row, result='{"ok": true}') == [job]
    seen = await desk.see(job)
    assert (seen["state"], seen["result"], str(seen["finished_at"])) == (
        "completed",
        '{"ok": true}',
        "2030-01-07 09:05:00+00:00",
    )
    assert await desk.ids(w) == []


async def test_a_rolled_back_insert_never_existed(desk: Desk) -> None:
    w = await desk.worker()
    transaction = desk.conn.transaction()
    await transaction.start()
    await desk.insert()
    await transaction.rollback()
    assert await desk.ids(w) == []


async def test_higher_priority_first_then_arrival(desk: Desk) -> None:
    low, first, second, high = [await desk.insert(priority=p) for p in (1, 5, 5, 9)]
    w = await desk.worker()
    assert [(await desk.ids(w, 1))[0] for _ in range(4)] == [high, first, second, low]


async def test_a_scheduled_job_waits_for_its_time(desk: Desk) -> None:
    moment = await desk.conn.fetchval("select timestamptz '2030-01-07 10:00Z'")
    job = await desk.insert(run_at=moment)
    w = await desk.worker()
    assert (await desk.state(job), await desk.promote(), await desk.ids(w)) == ("scheduled", 0, [])
    await desk.at("2030-01-07 09:59:59Z")
    assert await desk.promote() == 0
    await desk.at("2030-01-07 10:00Z")
    assert await desk.promote() == 1
    assert await desk.ids(w) == [job]


async def test_a_failed_attempt_is_retried_after_its_wait_and_fails_for_good_when_told_so(
    desk: Desk,
) -> None:
    job = await desk.insert()
    w = await desk.worker()
    (row,) = await desk.claim(w)
    assert await desk.end(row, "retry", wait=120, error="boom") == "retry"
    seen = await desk.see(job)
    assert (seen["state"], seen["attempts"], seen["error"]) == ("retrying", 1, "boom")
    assert await desk.ids(w) == []
    await desk.at("2030-01-07 09:02Z")
    await desk.promote()
    first = row["epoch"]
    (row,) = await desk.claim(w)
    assert row["epoch"] > first
    assert row["attempts"] == 1
    assert await desk.end(row, "fail", error="boom again") == "fail"
    seen = await desk.see(job)
    assert (seen["state"], seen["attempts"], seen["error"]) == ("failed", 2, "boom again")


async def test_a_snooze_and_a_hand_back_burn_no_attempt(desk: Desk) -> None:
    job = await desk.insert()
    w = await desk.worker()
    (row,) = await desk.claim(w)
    await desk.end(row, "snooze", wait=60)
    await desk.at("2030-01-07 09:01Z")
    await desk.promote()
    (row,) = await desk.claim(w)
    await desk.end(row, "release")
    (row,) = await desk.claim(w)
    assert (row["id"], row["attempts"]) == (job, 0)


async def test_a_job_that_failed_and_was_then_put_off_is_scheduled(desk: Desk) -> None:
    """It waits because it asked to, not to be tried again; the next failure makes it so."""
    job = await desk.insert()
    w = await desk.worker()
    states = []
    for outcome, moment in (
        ("retry", "09:01"),
        ("snooze", "09:02"),
        ("release", "09:03"),
        ("retry", "09:04"),
    ):
        (row,) = await desk.claim(w)
        await desk.end(row, outcome, wait=30, error=outcome)
        states.append((await desk.see(job))["state"])
        gate = await desk.conn.fetchval("select gate from bellhand.why($1)", job)
        assert gate == states[-1] if outcome != "release" else gate != "scheduled"
        await desk.at(f"2030-01-07 {moment}Z")
        await desk.promote()
    assert states == ["retrying", "scheduled", "pending", "retrying"]


async def test_cancel_ends_a_waiting_job_at_once_and_tells_a_running_one(desk: Desk) -> None:
    waiting, running = await desk.insert(), await desk.insert()
    w = await desk.worker()
    assert (
        await desk.conn.fetchval("select bellhand.cancel($1, 'no longer needed')", waiting)
        == "cancelled"
    )
    (row,) = await desk.claim(w)
    assert row["id"] == running
    assert await desk.conn.fetchval("select bellhand.cancel($1)", running) == "cancelling"
    beat = await desk.beat(w, row)
    assert tuple(beat[1])[:3] == (running, row["epoch"], "cancel")
    # Whatever the attempt makes of it, it is not run again.
    assert await desk.end(row, "retry", error="interrupted") == "cancel"
    assert (await desk.state(running), await desk.state(waiting)) == ("cancelled", "cancelled")
    assert (await desk.see(waiting))["error"] == "no longer needed"


async def test_a_paused_job_keeps_its_place_until_it_is_resumed(desk: Desk) -> None:
    job, other = await desk.insert(), await desk.insert()
    w = await desk.worker()
    assert await desk.conn.fetchval("select bellhand.pause($1)", job) == "paused"
    assert await desk.ids(w) == [other]
    assert await desk.conn.fetchval("select bellhand.resume($1)", job) == "pending"
    assert await desk.ids(w) == [job]


async def test_a_stale_queue_row_never_starts_a_job_before_its_time(desk: Desk) -> None:
    job = await desk.insert()
    # Paused and resumed while its first queue row is still there: two rows stand for it.
    await desk.conn.execute("select bellhand.pause($1)", job)
    await desk.conn.execute("select bellhand.resume($1)", job)
    w = await desk.worker()
    (row,) = await desk.claim(w)
    await desk.end(row, "retry", wait=3600)
    assert await desk.ids(w) == [], "the second row must be dropped, the job is due in an hour"
    assert await desk.conn.fetchval("select count(*) from bellhand.queue") == 0


async def test_pausing_a_running_job_stops_it_without_burning_an_attempt(desk: Desk) -> None:
    job = await desk.insert()
    w = await desk.worker()
    (row,) = await desk.claim(w)
    assert await desk.conn.fetchval("select bellhand.pause($1)", job) == "pausing"
    assert await desk.end(row, "pause") == "pause"
    seen = await desk.see(job)
    assert (seen["state"], seen["attempts"]) == ("paused", 0)
    await desk.conn.execute("select bellhand.resume($1)", job)
    assert await desk.ids(w) == [job]


async def test_a_paused_lane_gives_nothing(desk: Desk) -> None:
    job = await desk.insert()
    w = await desk.worker()
    await desk.conn.execute("select bellhand.pause_lane('default', 'maintenance')")
    assert await desk.ids(w) == []
    (why,) = [
        row["gate"]
        for row in await desk.conn.fetch("select * from bellhand.why($1)", job)
        if row["gate"] == "lane_paused"
    ]
    assert why == "lane_paused"
    await desk.conn.execute("select bellhand.resume_lane('default')")
    assert await desk.ids(w) == [job]


async def test_jobs_of_a_paused_kind_are_parked_and_come_back(desk: Desk) -> None:
    job = await desk.insert()
    w = await desk.worker()
    await desk.conn.execute("select bellhand.pause_kind('a')")
    (row,) = await desk.claim(w)
    assert await desk.end(row, "park", error="kind_paused") == "park"
    assert await desk.ids(w) == []
    assert await desk.conn.fetchval("select bellhand.resume_kind('a')") == 1
    (row,) = await desk.claim(w)
    assert (row["id"], row["attempts"]) == (job, 0)


async def test_a_job_waits_for_the_jobs_it_depends_on(desk: Desk) -> None:
    first, second = await desk.insert(), await desk.insert()
    child = await desk.insert(depends_on=[first, second])
    w = await desk.worker()
    rows = await desk.claim(w)
    assert sorted(row["id"] for row in rows) == [first, second]
    assert await desk.state(child) == "blocked"
    await desk.complete(rows[0])
    assert await desk.state(child) == "blocked"
    await desk.complete(rows[1])
    assert await desk.ids(w) == [child]


@pytest.mark.parametrize(
    ("policy", "becomes"), [("cancel", "cancelled"), ("fail", "failed"), ("release", "pending")]
)
async def test_a_failed_parent_takes_its_child_along_by_policy(
    desk: Desk, policy: str, becomes: str
) -> None:
    parent = await desk.insert()
    child = await desk.insert(depends_on=[parent], depends_policy=policy)
    grandchild = await desk.insert(depends_on=[child])
    w = await desk.worker()
    (row,) = await desk.claim(w)
    await desk.end(row, "fail", error="boom")
    assert await desk.state(child) == becomes
    assert await desk.state(grandchild) == ("blocked" if policy == "release" else "cancelled")


async def test_depending_on_a_job_that_is_over_counts_at_once(desk: Desk) -> None:
    parent = await desk.insert()
    w = await desk.worker()
    (row,) = await desk.claim(w)
    await desk.complete(row)
    child = await desk.insert(depends_on=[parent])
    assert await desk.ids(w) == [child]


async def test_retry_brings_a_failed_job_back_with_its_id_and_a_higher_epoch(desk: Desk) -> None:
    job = await desk.insert(unique_key="k")
    w = await desk.worker()
    (row,) = await desk.claim(w)
    await desk.end(row, "fail", error="boom")
    key = (await desk.see(job))["key"]
    assert await desk.conn.fetchval("select bellhand.retry($1)", job) == "pending"
    (again,) = await desk.claim(w)
    assert (again["id"], again["key"], again["attempts"]) == (job, key, 0)
    assert again["epoch"] > row["epoch"]
    assert await desk.complete(row) == [], "the old epoch stays fenced"
    assert await desk.complete(again) == [job]


async def test_retry_refuses_a_second_live_job_of_one_unique_key(desk: Desk) -> None:
    job = await desk.insert(unique_key="k")
    w = await desk.worker()
    (row,) = await desk.claim(w)
    await desk.end(row, "fail", error="boom")
    await desk.insert(unique_key="k")
    with pytest.raises(asyncpg.PostgresError) as refused:
        await desk.conn.execute("select bellhand.retry($1)", job)
    assert refused.value.sqlstate == "BH007"
    assert await desk.state(job) == "failed"


async def test_run_now_does_not_wait_for_the_time(desk: Desk) -> None:
    moment = await desk.conn.fetchval("select timestamptz '2031-01-01Z'")
    job = await desk.insert(run_at=moment)
    w = await desk.worker()
    await desk.conn.execute("select bellhand.run_now($1)", job)
    assert await desk.ids(w) == [job]
    await desk.at("2031-01-02Z")
    assert await desk.promote() == 0, "it was taken out of the schedule"
    assert await desk.ids(w) == []


async def test_a_tick_is_enqueued_once_whatever_the_number_of_daemons(desk: Desk) -> None:
    await desk.conn.execute(
        "insert into bellhand.schedules (name, cron, kind, next_at) values ('s', '* * * * *', 'a', '2030-01-07 09:00Z')"
    )
    tick, after = await desk.conn.fetchrow(
        "select timestamptz '2030-01-07 09:00Z', timestamptz '2030-01-07 09:01Z'"
    )
    fire = "select bellhand.fire_schedule('s', $1, $2, $3)"
    assert await desk.conn.fetchval(fire, tick, [tick], after) == 1
    assert await desk.conn.fetchval(fire, tick, [tick], after) == 0, "the second daemon is late"
    await desk.conn.execute("update bellhand.schedules set next_at = $1", tick)  # edited, restored
    assert await desk.conn.fetchval(fire, tick, [tick], after) == 0, "a tick is unique for ever"
    assert (
        await desk.conn.fetchval("select count(*) from bellhand.jobs where source = 'schedule'")
        == 1
    )


async def test_retention_drops_whole_days_with_their_steps(desk: Desk) -> None:
    await desk.conn.execute("select bellhand.prepare_history(3)")
    job = await desk.insert()
    w = await desk.worker()
    (row,) = await desk.claim(w)
    await desk.conn.execute(
        "insert into bellhand.steps (job, name, position, state) values ($1, 's', 0, 'completed')",
        job,
    )
    await desk.complete(row)
    assert (
        await desk.conn.fetchval("select tableoid::regclass::text from bellhand.history")
        == "bellhand.history_20300107"
    )
    await desk.at("2030-02-06 00:00Z")
    assert await desk.conn.fetchval("select bellhand.drop_history(30)") is None
    await desk.at("2030-02-07 00:00Z")
    assert await desk.conn.fetchval("select bellhand.drop_history(30)") == "history_20300107"
    assert await desk.conn.fetchval("select count(*) from bellhand.all_jobs") == 0
    assert await desk.conn.fetchval("select count(*) from bellhand.steps") == 0


async def test_a_restored_database_gets_its_queue_rebuilt(desk: Desk) -> None:
    jobs = [await desk.insert() for _ in range(3)]
    later = await desk.conn.fetchval("select timestamptz '2030-01-08Z'")
    scheduled = await desk.insert(run_at=later)
    w = await desk.worker()
    (running,) = await desk.claim(w, 1)
    # As a logical dump restores it elsewhere: other transaction ids, another cluster.
    await desk.conn.execute("update bellhand.queue set xid = '99999999999'")
    await desk.conn.execute("update bellhand.meta set value = '1' where name = 'system_identifier'")
    assert await desk.conn.fetchval("select bellhand.rebuild_queue()") == 4
    assert await desk.conn.fetchval("select bellhand.rebuild_queue()") is None
    assert await desk.complete(running) == [], "whoever ran it ran it in another world"
    w = await desk.worker("new")
    assert await desk.ids(w) == jobs
    await desk.at("2030-01-08Z")
    await desk.promote()
    assert await desk.ids(w) == [scheduled]


async def test_a_pause_that_was_taken_back_does_not_hold_the_job(desk: Desk) -> None:
    job = await desk.insert()
    w = await desk.worker()
    (row,) = await desk.claim(w)
    assert await desk.conn.fetchval("select bellhand.pause($1)", job) == "pausing"
    # The worker has heard of the pause; the operator thinks better of it before the step ends.
    assert await desk.conn.fetchval("select bellhand.resume($1)", job) == "running"
    assert await desk.end(row, "pause") == "release"
    assert await desk.ids(w) == [job]


async def test_a_limited_lane_gives_no_more_by_age_than_by_rank(desk: Desk) -> None:
    await desk.lane("narrow", concurrency=1)
    await desk.publish("n", lane="narrow")
    jobs = [await desk.insert("n", priority=p) for p in (1, 5, 9)]
    w = await desk.worker()
    assert await desk.ids(w, oldest=3) == jobs[:1]
