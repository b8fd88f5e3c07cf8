"""When a job will start and be done: bands from what was measured, and the score that is kept of them."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from bellhand import job_kind
from bellhand.sql import query
from daemons import at_work, insert
from desk import Desk, desk
from support import eventually

NINE = datetime.fromisoformat("2030-01-07T09:00+00:00")


async def past(
    desk: Desk,
    kind: str,
    runs: list[float],
    *,
    units: int | None = None,
    names: list[str] | None = None,
) -> None:
    """Jobs that took so many seconds each, in the last hours; with steps where `units` or their `names` are given."""
    for n, seconds in enumerate(runs):
        finished = NINE - timedelta(minutes=n + 1)
        progress = (
            None if units is None else json.dumps({"steps_done": units, "steps_total": units})
        )
        job = await desk.conn.fetchval(
            "insert into bellhand.history (id, key, kind, payload, priority, run_at, depends_policy, source, created_at, state, epoch, attempts,"
            " crashes, started_at, progress, partial, finished_at) values (nextval('bellhand.jobs_id_seq'), gen_random_uuid(), $1, '{}', 5, $3, 'cancel',"
            " 'sql', $3, 'completed', 1, 0, 0, $3, $4, false, $2) returning id", kind, finished, finished - timedelta(seconds=seconds), progress,
        )  # fmt: skip
        if units is None:
            continue
        each = [str(n) for n in range(units)] if names is None else names
        # The first half of the names takes a tenth of the run, the rest the rest.
        quick = len(each) // 2
        began = finished - timedelta(seconds=seconds)
        for place, name in enumerate(each):
            share = (
                1 / len(each)
                if names is None
                else 0.1 / quick
                if place < quick
                else 0.9 / (len(each) - quick)
            )
            ended = began + timedelta(seconds=seconds * share)
            await desk.conn.execute(
                "insert into bellhand.steps (job, name, position, state, started_at, finished_at) values ($1, $2, $3, 'completed', $4, $5)",
                job, f"{name} of {job}" if names is None else name, place, began, ended,
            )  # fmt: skip
            began = ended
    await desk.conn.execute("select bellhand.measure_kind($1)", kind)


async def eta(desk: Desk, job: int) -> dict[str, Any]:
    """What is foretold, moments as seconds from nine o'clock."""
    (row,) = await desk.conn.fetch(query("eta"), [job])
    return {
        name: round((value - NINE).total_seconds(), 1) if isinstance(value, datetime) else value
        for name, value in dict(row).items()
    }


async def test_a_kind_that_was_never_measured_has_no_eta_and_says_so(desk: Desk) -> None:
    job = await desk.insert()
    assert (await eta(desk, job))["reason"] == "no live worker handles it"
    await desk.worker()
    said = await eta(desk, job)
    assert (said["finishes_at"], said["reason"]) == (
        None,
        "fewer than 3 runs of its kind were measured",
    )
    assert said["starts_at"] is not None
    await desk.conn.execute("select bellhand.pause($1)", job)
    assert (await eta(desk, job))["reason"] == "it is paused"
    await desk.conn.execute("select bellhand.cancel($1)", job)
    assert await desk.conn.fetch(query("eta"), [job, 999]) == []


async def test_a_run_is_foretold_by_the_runs_that_took_longer(desk: Desk) -> None:
    await past(desk, "a", [10.0 + n for n in range(100)])
    job = await desk.insert()
    await desk.claim(await desk.worker())
    said = await eta(desk, job)
    assert (said["state"], said["confidence"], said["starts_at"]) == ("running", "good", None)
    assert (said["finishes_low"], said["finishes_at"], said["finishes_high"]) == pytest.approx(
        (15, 59.5, 104), abs=0.2
    )
    assert said["basis"] == "100 runs of its kind"
    await desk.at("2030-01-07 09:01:20Z")
    later = await eta(desk, job)
    assert later["finishes_low"] > 80
    assert 93 < later["finishes_at"] < 97, "the middle of those between 80 and 109 seconds"
    await desk.at("2030-01-07 09:03Z")
    assert (await eta(desk, job))[
        "reason"
    ] == "it has run longer than all of the 100 that were measured"


async def test_few_runs_make_a_wide_band_and_poor_confidence(desk: Desk) -> None:
    await past(desk, "a", [10, 20, 30])
    job = await desk.insert()
    await desk.claim(await desk.worker())
    few = await eta(desk, job)
    assert few["confidence"] == "poor"
    assert few["finishes_low"] < 5
    assert few["finishes_high"] > 50
    await past(desk, "a", [10, 20, 30] * 10)
    many = await eta(desk, job)
    assert many["confidence"] == "fair"
    assert many["finishes_low"] > few["finishes_low"]
    assert many["finishes_high"] < few["finishes_high"]


async def progress(desk: Desk, job: int, done: int, total: int) -> None:
    await desk.conn.execute(
        "update bellhand.jobs set progress = $2 where id = $1",
        job,
        json.dumps({"steps_done": done, "steps_total": total}),
    )
    for n in range(done):
        await desk.conn.execute(
            "insert into bellhand.steps (job, name, position, state, finished_at) values ($1, $2, $3, 'completed', bellhand.now()) on conflict do nothing",
            job, f"s{n}", n,
        )  # fmt: skip


async def test_steps_left_and_the_jobs_own_pace_make_it(desk: Desk) -> None:
    await past(desk, "a", [50.0, 100.0, 150.0] * 10, units=10)
    slow, fast = await desk.insert(), await desk.insert()
    await desk.claim(await desk.worker())
    await progress(desk, slow, 0, 20)
    start = await eta(desk, slow)
    assert 170 < start["finishes_at"] < 210, "20 steps at 10 s each, whatever the others had"
    await desk.at("2030-01-07 09:03:20Z")  # 200 s: 10 steps of 20 s, and of 5 s
    await progress(desk, slow, 10, 20)
    await progress(desk, fast, 38, 58)
    a, b = await eta(desk, slow), await eta(desk, fast)
    assert a["basis"].startswith("10 of 20 parts left")
    assert 340 < a["finishes_at"] < 400, "ten more at about 18 s"
    assert 290 < b["finishes_at"] < 320, "twenty more at about 5 s"
    assert a["finishes_low"] < 350 < a["finishes_high"]
    assert a["finishes_high"] - a["finishes_low"] < 2 * (
        start["finishes_high"] - start["finishes_low"]
    )


async def test_steps_by_name_count_by_what_each_takes(desk: Desk) -> None:
    await past(
        desk, "a", [90.0, 100.0, 110.0] * 10, units=4, names=["look", "read", "think", "write"]
    )
    job = await desk.insert()
    await desk.claim(await desk.worker())
    assert 85 < (await eta(desk, job))["finishes_at"] < 105
    for place, name in enumerate(("look", "read")):
        await desk.conn.execute(
            "insert into bellhand.steps (job, name, position, state, finished_at) values ($1, $2, $3, 'completed', bellhand.now())",
            job,
            name,
            place,
        )
    said = await eta(desk, job)
    assert said["basis"].startswith("2 of 4 steps left")
    assert 80 < said["finishes_at"] < 97, "half of the steps are done, and a tenth of the work"
    await desk.at("2030-01-07 09:00:43Z")
    await desk.conn.execute(
        'update bellhand.jobs set progress = \'{"step": "think"}\' where id = $1', job
    )
    said = await eta(desk, job)
    assert 85 < said["finishes_at"] < 97, (
        "two or three seconds of the third step are left, and the fourth"
    )
    await desk.at("2030-01-07 09:01:40Z")
    said = await eta(desk, job)
    assert said["finishes_at"] > 170, "longer than all: half as long again, and the fourth"


async def test_numbered_steps_are_no_plan_for_a_job_with_another_number_of_them(desk: Desk) -> None:
    await past(desk, "a", [60.0] * 30, units=6, names=[str(n) for n in range(6)])
    more, last = await desk.insert(), await desk.insert()
    await desk.claim(await desk.worker())
    await progress(desk, more, 0, 20)
    said = await eta(desk, more)
    assert said["basis"].startswith("20 of 20 parts left")
    assert 180 < said["finishes_at"] < 220
    await desk.at("2030-01-07 09:03:10Z")
    for n in range(6):
        await desk.conn.execute(
            "insert into bellhand.steps (job, name, position, state, finished_at) values ($1, $2::integer::text, $2, 'completed', bellhand.now() - interval '1 minute')",
            last, n,
        )  # fmt: skip
    await progress(desk, last, 19, 20)
    said = await eta(desk, last)
    assert said["basis"].startswith("1 of 20 parts left"), "none of the names it knows is left"
    assert said["finishes_high"] > said["finishes_low"] > 190


async def test_a_waiting_job_starts_when_the_work_before_it_is_done(desk: Desk) -> None:
    await desk.lane("one", concurrency=1)
    await desk.publish("a", lane="one")
    await past(desk, "a", [60.0] * 30)
    jobs = [await desk.insert() for _ in range(4)]
    worker = await desk.worker()
    assert await desk.ids(worker) == jobs[:1]
    await desk.at("2030-01-07 09:00:20Z")
    first, _, third = [await eta(desk, job) for job in jobs[1:]]
    assert (first["ahead"], third["ahead"]) == (0, 2)
    assert 55 < first["starts_at"] < 65
    assert 170 < third["starts_at"] < 190
    assert third["starts_low"] < 180 < third["starts_high"]
    assert 230 < third["finishes_at"] < 250
    assert third["basis"] == "2 before it, 1 running in 1 slot; 30 runs of its kind"


async def test_a_free_slot_starts_at_once_and_a_rate_counts(desk: Desk) -> None:
    await past(desk, "a", [60.0] * 30)
    job = await desk.insert()
    await desk.worker()
    said = await eta(desk, job)
    assert said["starts_high"] < 2
    await desk.lane("slow", rate_per_second=0.1)
    await desk.publish("a", lane="slow")
    jobs = [await desk.insert() for _ in range(5)]
    last = await eta(desk, jobs[-1])
    assert 30 < last["starts_at"] < 60
    assert last["basis"].startswith("4 before it, 0.1 a second")


async def test_what_is_scheduled_or_blocked_is_foretold_too(desk: Desk) -> None:
    await past(desk, "a", [60.0] * 30)
    await desk.worker()
    later = await desk.insert(run_at=NINE + timedelta(minutes=10))
    assert (await eta(desk, later))["starts_low"] == 600
    assert 655 < (await eta(desk, later))["finishes_at"] < 665
    child = await desk.insert(depends_on=[later])
    assert 655 < (await eta(desk, child))["starts_at"] < 665
    assert 710 < (await eta(desk, child))["finishes_at"] < 730
    await desk.conn.execute("select bellhand.pause($1)", later)
    assert "waits for other jobs" in (await eta(desk, child))["reason"]


async def test_score_is_kept_of_what_was_foretold(desk: Desk) -> None:
    await past(desk, "a", [10.0 + n for n in range(100)])
    worker = await desk.worker()
    jobs = [await desk.insert() for _ in range(4)]
    rows = await desk.claim(worker)
    await desk.conn.execute("select bellhand.keep_score(10)")
    assert await desk.conn.fetchval("select count(*) from bellhand.eta_predictions") == 4
    for at, row in zip(("09:00:12", "09:00:30", "09:03:00"), rows, strict=False):
        await desk.at(f"2030-01-07 {at}Z")
        await desk.complete(row)
    await desk.conn.execute("select bellhand.cancel($1)", rows[3]["id"])
    await desk.end(rows[3], "cancel")
    await desk.conn.execute("select bellhand.keep_score(10)")
    (row,) = await desk.conn.fetch(query("calibration"))
    assert (row["what"], row["judged"], row["held"], row["early"], row["late"]) == (
        "finish",
        3,
        1,
        1,
        1,
    )
    assert row["held_ratio"] == pytest.approx(1 / 3)
    assert await desk.conn.fetchval("select count(*) from bellhand.eta_predictions") == 0
    (kept,) = await desk.conn.fetch(query("keep_score"))
    assert (kept["what"], kept["held_ratio"]) == ("finish", pytest.approx(1 / 3))
    assert await desk.state(jobs[0]) == "completed"


async def test_a_daemon_measures_keeps_score_and_groups_beside_its_work(
    dsn: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bellhand.keeper.LEARN_SECONDS", 0.2)
    monkeypatch.setattr("bellhand.keeper.LEARN_QUIET_SECONDS", 0.2)

    @job_kind("t.work", attempts_max=1)
    async def work(payload: dict[str, int]) -> None:
        await asyncio.sleep(0.3)
        if payload["n"] % 5 == 0:
            raise ValueError(f"row {payload['n']}")

    async def known() -> bool:
        await conn.execute("update bellhand.looks set at = '-infinity'")
        await insert(conn, "t.work", json.dumps({"n": 1}))
        await asyncio.sleep(0.2)  # else what is asked is all that the daemon has time for
        judged = await conn.fetchval("select sum(judged) from bellhand.eta_scores")
        grouped = await conn.fetchval("select sum(jobs) from bellhand.failures")
        return bool(judged and grouped == 4)

    async with at_work(dsn, work) as daemon:
        for n in range(20):
            await insert(conn, "t.work", json.dumps({"n": n}))
        await eventually(known, 60)

        def told() -> bool:
            text = daemon.metrics.render()
            return (
                b'bellhand_eta_error_ratio{what="finish"}' in text
                and b'bellhand_eta_judged{what="finish"}' in text
            )

        await eventually(told)


async def test_starts_are_judged_whether_seen_running_or_over_at_once(desk: Desk) -> None:
    await past(desk, "a", [10.0 + n for n in range(100)])
    worker = await desk.worker()
    [await desk.insert() for _ in range(2)]
    await desk.conn.execute("select bellhand.keep_score(10)")
    first, second = await desk.claim(worker)
    await desk.complete(first)
    await desk.at("2030-01-07 09:00:30Z")
    await desk.conn.execute("select bellhand.keep_score(0)")
    await desk.complete(second)
    await desk.at("2030-01-07 09:01Z")
    await desk.conn.execute("select bellhand.keep_score(0)")
    rows = {row["what"]: row for row in await desk.conn.fetch(query("calibration"))}
    assert (rows["start"]["judged"], rows["start"]["held"]) == (2, 2)
    assert rows["finish"]["judged"] == 2


async def test_what_never_ends_is_late_and_makes_room(desk: Desk) -> None:
    await past(desk, "a", [10.0 + n for n in range(100)])
    await desk.worker()
    job = await desk.insert()
    await desk.conn.execute("select bellhand.foretell(array[$1::bigint])", job)
    await desk.conn.execute("select bellhand.pause($1)", job)
    await desk.at("2030-01-08 09:00Z")
    await desk.conn.execute("select bellhand.keep_score(0)")
    assert await desk.conn.fetch(query("calibration")) == []
    await desk.at("2030-01-09 10:00Z")
    await desk.conn.execute("select bellhand.keep_score(0)")
    (row,) = await desk.conn.fetch(query("calibration"))
    assert (row["what"], row["judged"], row["late"]) == ("finish", 1, 1)
    assert await desk.conn.fetchval("select count(*) from bellhand.eta_predictions") == 0


async def test_keeping_score_is_bounded(desk: Desk) -> None:
    await past(desk, "a", [10.0 + n for n in range(100)])
    await desk.worker()
    jobs = [await desk.insert() for _ in range(120)]
    told = [
        await desk.conn.fetchval(query("foretell"), jobs[n : n + 10]) for n in range(0, 120, 10)
    ]
    assert told == [10] * 5 + [0] * 7, "the hour has had its share of the kind"
    assert await desk.conn.fetchval(query("foretell"), jobs[:10]) == 0


async def test_the_position_behind_a_hundred_thousand_is_bounded(desk: Desk) -> None:
    await past(desk, "a", [10.0] * 30)
    await desk.worker()
    await desk.conn.execute(
        "insert into bellhand.jobs (kind) select 'a' from generate_series(1, 21000)"
    )
    last = await desk.conn.fetchval("select max(id) from bellhand.jobs")
    said = await eta(desk, last)
    assert (said["ahead"], said["reason"]) == (None, "more than 20,000 jobs stand before it")
