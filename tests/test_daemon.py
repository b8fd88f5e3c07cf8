"""A whole daemon at work: bell, retries, timeouts, cancel, pause, drain, in one loop with a real Postgres."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from bellhand import Cancelled, Failed, Job, Retry, Snooze, job_kind
from daemons import at_work, insert, state, until
from support import eventually


async def test_an_insert_rings_the_bell_of_a_sleeping_daemon(
    dsn: str, conn: asyncpg.Connection
) -> None:
    started = asyncio.Event()

    @job_kind("t.quick")
    async def quick() -> dict[str, Any]:
        started.set()
        return {"ok": True}

    async with at_work(dsn, quick) as daemon:
        await eventually(lambda: daemon.sleep.sound, because="an idle daemon falls asleep")
        before = time.monotonic()
        job = await insert(conn, "t.quick")
        async with asyncio.timeout(60):
            await started.wait()
        assert time.monotonic() - before < 15, (
            "it polls every 5 min: only the bell can have woken it"
        )
        row = await until(conn, job, "completed")
        assert (row["result"], row["attempts"], row["partial"]) == ('{"ok": true}', 0, False)


async def test_runs_a_burst_and_never_more_than_its_concurrency_at_once(
    dsn: str, conn: asyncpg.Connection
) -> None:
    now = peak = done = 0

    @job_kind("t.burst")
    async def burst(job: Job) -> None:
        nonlocal now, peak, done
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0.002)
        now -= 1
        done += 1

    async with at_work(dsn, burst, worker={"concurrency": 8}):
        await conn.execute(
            "insert into bellhand.jobs (kind) select 't.burst' from generate_series(1, 1000)"
        )
        await eventually(lambda: done == 1000, 30)
    assert peak == 8
    assert (
        await conn.fetchval("select count(*) from bellhand.history where state = 'completed'")
        == 1000
    )


async def test_every_way_an_attempt_can_end(dsn: str, conn: asyncpg.Connection) -> None:
    seen: dict[str, list[int]] = {}

    @job_kind("t.ends", attempts_max=2, backoff_base_seconds=0.01)
    async def ends(args: dict[str, str], job: Job) -> Any:
        seen.setdefault(args["how"], []).append(job.attempt)
        match args["how"]:
            case "raise":
                raise ValueError("boom \x00 \ud800")
            case "retry" if job.attempt == 1:
                raise Retry("once more", after_seconds=0.01)
            case "snooze" if len(seen["snooze"]) == 1:
                raise Snooze(0.01, "not yet")
            case "failed":
                raise Failed("no such lead")
            case "cancelled":
                raise Cancelled("not wanted")
            case "exit":
                raise SystemExit(3)
            case "unstorable":
                return {"x": object()}
            case "nan":
                return {"x": float("nan")}
            case "nul":
                return {"x": "a\x00b\ud800"}
        return None

    expected = {
        "raise": ("failed", 2), "retry": ("completed", 1), "snooze": ("completed", 0), "failed": ("failed", 1), "cancelled": ("cancelled", 0),
        "exit": ("failed", 2), "unstorable": ("failed", 1), "nan": ("failed", 1), "nul": ("completed", 0),
    }  # fmt: skip
    async with at_work(dsn, ends):
        jobs = {how: await insert(conn, "t.ends", f'{{"how": "{how}"}}') for how in expected}
        for how, (wanted, attempts) in expected.items():
            row = await until(conn, jobs[how], wanted)
            assert row["attempts"] == attempts, how
        row = await until(conn, jobs["raise"], "failed")
        assert "ValueError: boom \\x00 \\ud800" in row["error"]
        assert seen["raise"] == [1, 2]
        assert seen["snooze"] == [1, 1]
        assert "NaN" not in str((await until(conn, jobs["nul"], "completed"))["result"])


async def test_a_job_that_takes_too_long_is_a_failed_attempt(
    dsn: str, conn: asyncpg.Connection
) -> None:
    @job_kind("t.slow", timeout_seconds=0.2, attempts_max=1)
    async def slow() -> None:
        await asyncio.sleep(60)

    async with at_work(dsn, slow) as daemon:
        row = await until(conn, await insert(conn, "t.slow"), "failed")
        assert row["error"] == "timed out after 0.2 s"
        row = await until(conn, await insert(conn, "t.slow", timeout_seconds=0.1), "failed")
        assert row["error"] == "timed out after 0.1 s", "the job's own timeout wins"
        counted = daemon.metrics.registry.get_sample_value
        how = {"lane": "default", "kind": "t.slow", "result": "timeout"}
        await eventually(lambda: _is_two(counted("bellhand_job_attempts_total", how)))


async def _is_two(value: float | None) -> bool:
    return value == 2


async def test_a_handler_that_ignores_cancel_loses_its_slot_not_the_daemon(
    dsn: str, conn: asyncpg.Connection
) -> None:
    release = asyncio.Event()

    @job_kind("t.deaf", timeout_seconds=0.1, attempts_max=1)
    async def deaf() -> str:
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
        return "too late"

    @job_kind("t.next")
    async def following() -> None: ...

    async with at_work(dsn, deaf, following, worker={"concurrency": 1}) as daemon:
        job, after = await insert(conn, "t.deaf"), await insert(conn, "t.next")
        row = await until(conn, job, "failed")
        assert "timed out" in row["error"]
        await until(conn, after, "completed")
        release.set()
        for task in list(daemon.worker.zombies):
            task.cancel()
        await eventually(lambda: not daemon.worker.zombies)
        assert await state(conn, job) == "failed"


async def test_cancel_reaches_a_running_job_at_once(dsn: str, conn: asyncpg.Connection) -> None:
    cleaned = asyncio.Event()

    @job_kind("t.long")
    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    async with at_work(dsn, long, worker={"heartbeat_seconds": 60.0, "lease_seconds": 180.0}):
        job = await insert(conn, "t.long")
        await until(conn, job, "running")
        before = time.monotonic()
        await conn.execute("select bellhand.cancel($1)", job)
        await until(conn, job, "cancelled")
        assert cleaned.is_set()
        assert time.monotonic() - before < 15, "a heartbeat comes only every minute"


async def test_pause_takes_effect_at_the_next_step_and_resume_goes_on_there(
    dsn: str, conn: asyncpg.Connection
) -> None:
    ran: list[str] = []
    go = asyncio.Event()

    @job_kind("t.steps", timeout_seconds=None)
    async def steps(job: Job) -> dict[str, float]:
        async def one(name: str) -> str:
            ran.append(name)
            job.count("done")
            if name == "b":
                await go.wait()
            return name.upper()

        results = await job.each(["a", "b", "c"], one)
        return {"results": results, "done": job.counters["done"]}

    async with at_work(dsn, steps) as daemon:
        job = await insert(conn, "t.steps")
        await eventually(lambda: ran == ["a", "b"])
        assert await conn.fetchval("select bellhand.pause($1)", job) == "pausing"
        running = daemon.worker.running[job]
        await eventually(lambda: running._asked == "pause")
        go.set()
        await until(conn, job, "paused")
        assert not daemon.worker.running
        assert ran == ["a", "b"]
        assert await conn.fetchval("select bellhand.resume($1)", job) == "pending"
        row = await until(conn, job, "completed")
        assert ran == ["a", "b", "c"]
        assert row["result"] == '{"done": 3, "results": ["A", "B", "C"]}'
        assert row["attempts"] == 0


async def test_a_bad_payload_hurts_nobody_else(dsn: str, conn: asyncpg.Connection) -> None:
    ran: list[int] = []

    @job_kind("t.payload", attempts_max=1)
    async def payload(args: dict[str, Any]) -> None:
        ran.append(args["n"])

    digits = "9" * 5000
    nested = "[" * 6000 + "]" * 6000
    async with at_work(dsn, payload):
        bad = [
            await insert(conn, "t.payload", f'{{"n": {digits}}}'),
            await insert(conn, "t.payload", f'{{"n": {nested}}}'),
        ]
        await conn.execute(
            "insert into bellhand.jobs (kind, payload) select 't.payload', jsonb_build_object('n', g) from generate_series(1, 20) g"
        )
        await eventually(lambda: len(ran) >= 20)
        for job in bad[:1]:
            row = await until(conn, job, "failed")
            assert row["error"].startswith("bad_payload")
    assert set(range(1, 21)) <= {n for n in ran if isinstance(n, int)}


async def test_stopping_hands_back_what_outlives_the_grace_without_burning_an_attempt(
    dsn: str, conn: asyncpg.Connection
) -> None:
    @job_kind("t.forever", attempts_max=1)
    async def forever() -> None:
        await asyncio.sleep(3600)

    async with at_work(dsn, forever, worker={"grace_seconds": 0.3}):
        job = await insert(conn, "t.forever")
        await until(conn, job, "running")
    row = await conn.fetchrow(
        "select state, attempts, worker from bellhand.all_jobs where id = $1", job
    )
    assert tuple(row) == ("pending", 0, None)
    assert await conn.fetchval("select count(*) from bellhand.workers") == 0
    assert await conn.fetchval("select count(*) from bellhand.leases") == 0


async def test_stopping_lets_a_short_job_finish(dsn: str, conn: asyncpg.Connection) -> None:
    @job_kind("t.short")
    async def short() -> None:
        await eventually(lambda: daemon.worker.stopping)

    async with at_work(dsn, short) as daemon:
        job = await insert(conn, "t.short")
        await until(conn, job, "running")
    assert await state(conn, job) == "completed"


async def test_two_daemons_keep_a_lane_s_limit_between_them(
    dsn: str, conn: asyncpg.Connection
) -> None:
    now = peak = done = 0

    @job_kind("t.limited", lane="narrow")
    async def limited() -> None:
        nonlocal now, peak, done
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0.01)
        now -= 1
        done += 1

    lanes = {"narrow": {"concurrency": 3}}
    async with at_work(dsn, limited, lanes=lanes), at_work(dsn, limited, lanes=lanes):
        await conn.execute(
            "insert into bellhand.jobs (kind) select 't.limited' from generate_series(1, 200)"
        )
        await eventually(lambda: done == 200, 30)
    assert peak == 3, "exact over both, and fully used"


async def test_a_lane_s_rate_limit_holds(dsn: str, conn: asyncpg.Connection) -> None:
    starts: list[float] = []

    @job_kind("t.paced", lane="paced")
    async def paced() -> None:
        starts.append(time.monotonic())

    async with at_work(dsn, paced, lanes={"paced": {"rate_per_second": 20.0, "rate_burst": 2}}):
        await conn.execute(
            "insert into bellhand.jobs (kind) select 't.paced' from generate_series(1, 22)"
        )
        await eventually(lambda: len(starts) == 22)
    # A burst of two, then twenty at twenty a second.
    assert starts[-1] - starts[0] >= 0.95


async def test_a_schedule_fires_and_a_broken_one_says_so(
    dsn: str, conn: asyncpg.Connection
) -> None:
    fired = asyncio.Event()

    @job_kind("t.tick")
    async def tick(job: Job) -> None:
        if job.tags["schedule"] == "s":
            fired.set()

    async with at_work(dsn, tick):
        await conn.execute(
            "insert into bellhand.schedules (name, cron, kind, next_at) values ('s', '* * * * *', 't.tick', now() - interval '1 minute')"
        )
        await conn.execute(
            "insert into bellhand.schedules (name, cron, timezone, kind) values ('bad', 'nonsense', 'UTC', 't.tick')"
        )
        await conn.execute("select bellhand.call_workers()")
        async with asyncio.timeout(60):
            await fired.wait()

        async def said() -> bool:
            return "nonsense" in (
                await conn.fetchval("select error from bellhand.schedules where name = 'bad'") or ""
            )

        await eventually(said)


@pytest.mark.parametrize("handler_blocks_seconds", [2.5])
async def test_a_handler_that_blocks_the_loop_does_not_lose_its_lease(
    dsn: str, conn: asyncpg.Connection, handler_blocks_seconds: float
) -> None:
    @job_kind("t.blocks")
    async def blocks() -> None:
        time.sleep(handler_blocks_seconds)  # noqa: ASYNC251 - what must not be done is the point

    async with at_work(
        dsn, blocks, worker={"lease_seconds": 1.5, "heartbeat_seconds": 0.3}
    ) as daemon:
        job = await insert(conn, "t.blocks")
        row = await until(conn, job, "completed")
        assert row["attempts"] == 0
        assert row["crashes"] == 0
        assert daemon.worker.registered.is_set()


async def test_a_job_that_was_due_before_its_commit_is_not_waited_for(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """The look for due jobs starts where the last one ended; this one lands behind that."""

    @job_kind("t.late", backoff_base_seconds=0.01, attempts_max=50)
    async def late(args: dict[str, Any]) -> None:
        if "n" in args:
            raise ValueError("keeps the looks coming")

    async with at_work(dsn, late):
        await insert(conn, "t.late", '{"n": 1}')
        due = await conn.fetchval("select now() + interval '0.2 seconds'")
        async with conn.transaction():
            job = await insert(conn, "t.late", run_at=due)
            await conn.execute("select pg_sleep(0.6)")
        before = time.monotonic()
        await until(conn, job, "completed")
        assert time.monotonic() - before < 15


async def test_nothing_begins_beside_a_suspect_before_it_is_written_down_that_it_waits(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """Else whatever kills the worker at once takes the suspect with it, which had not even begun."""
    began: list[str] = []

    @job_kind("t.beside")
    async def beside(args: dict[str, str]) -> None:
        began.append(args["name"])

    async with at_work(dsn, beside, worker={"crashes_max": 3}) as daemon:
        locker = await asyncpg.connect(dsn, timeout=10)
        try:
            await conn.execute("select bellhand.pause_lane('default')")
            await eventually(lambda: daemon.worker.positions.paused("default"))
            suspect = await insert(conn, "t.beside", '{"name": "suspect"}')
            await conn.execute("update bellhand.jobs set crashes = 2 where id = $1", suspect)
            other = await insert(conn, "t.beside", '{"name": "other"}')
            async with locker.transaction():  # claims pass it by, the note must wait
                await locker.execute("select from bellhand.workers for no key update")
                await conn.execute("select bellhand.resume_lane('default')")
                await eventually(lambda: len(daemon.worker.running) == 2)
                await asyncio.sleep(0.3)  # for what must not happen
                assert began == []
            for job in (suspect, other):
                await until(conn, job, "completed")
            assert sorted(began) == ["other", "suspect"]
        finally:
            await locker.close(timeout=5)
