"""Steps on a real Postgres: done once, resumed, timed, counted, refused."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
import structlog

from attempts import again, error, hands_for, result
from bellhand import Cancelled, Failed, Job, Snooze, job_kind
from bellhand.outcomes import Completed, Ended
from support import eventually


async def test_a_step_is_done_once_in_the_life_of_a_job(dsn: str) -> None:
    done = []

    async def body(n: int) -> tuple[int, int]:
        done.append(n)
        return n, n

    @job_kind("t.steps", attempts_max=5)
    async def steps(job: Job) -> list[Any]:
        got = [await job.step(f"step {n}", body, n) for n in range(job.attempt)]
        if job.attempt < 3:
            raise ValueError("not yet")
        return got

    async with hands_for(dsn, steps) as h:
        id = await h.enqueue("t.steps")
        assert "not yet" in error(await h.work())
        assert "not yet" in error(await again(h, id))
        assert result(await again(h, id)) == [[0, 0], [1, 1], [2, 2]]
        assert done == [0, 1, 2]
        rows = await h.steps(id)
        assert [(row["position"], row["state"], row["attempts"]) for row in rows.values()] == [
            (n, "completed", 1) for n in range(3)
        ]


async def test_a_step_returns_the_same_first_and_on_resume(dsn: str) -> None:
    seen = []

    @job_kind("t.same", attempts_max=5)
    async def same(job: Job) -> None:
        async def body() -> Any:
            return {1: (2, {3}), "text": "a\x00\n" * 5000}

        seen.append(await job.step("one", body))
        seen.append(await job.step("nothing", asyncio.sleep, 0))
        if job.attempt == 1:
            raise ValueError

    async with hands_for(dsn, same) as h:
        id = await h.enqueue("t.same")
        await h.work()
        await again(h, id)
    assert seen[0] == seen[2] == {"1": [2, [3]], "text": "a\\x00\n" * 5000}
    assert seen[1] is seen[3] is None


async def test_what_died_after_its_last_step_goes_on_behind_it(dsn: str) -> None:
    done = []
    hangs = asyncio.Event()

    @job_kind("t.crash")
    async def crash(job: Job) -> list[int]:
        for n in range(3):
            await job.step(str(n), done.append, n)
            if n == 1 and job.attempt == 1:
                hangs.set()
                await asyncio.sleep(60)
        return done

    async with hands_for(dsn, crash) as h:
        await h.enqueue("t.crash")
        job = await h.claim()
        dead = h.start_running(job)
        await hangs.wait()
        await h.crash()
        assert result(await h.work()) == [0, 1, 2]
        job.stop("lost")
        assert (await dead).outcome == "lost"


async def test_a_step_and_each_have_timeouts_of_their_own(dsn: str) -> None:
    @job_kind("t.slow", step_timeout_seconds=0.05, attempts_max=1)
    async def slow(job: Job) -> Any:
        results = await job.each([0, 60, 0], asyncio.sleep, name=lambda s: f"sleep {s}")
        got = await job.step("longer", asyncio.sleep, 0.1, "slept", timeout_seconds=5)
        with pytest.raises(TimeoutError, match="the step timed out"):
            await job.step("too long", asyncio.sleep, 60)
        return [results, got]

    async with hands_for(dsn, slow) as h:
        id = await h.enqueue("t.slow")
        end = await h.work()
        assert end == Completed('[[null, null, null], "slept"]', partial=True)
        failed = (await h.steps(id))["sleep 60"]
        assert failed["error"] == "TimeoutError: the step timed out after 0.05 s\n"


async def test_a_timeout_raised_by_the_step_itself_is_not_the_step_s(dsn: str) -> None:
    @job_kind("t.own", step_timeout_seconds=5)
    async def own(job: Job) -> None:
        async def body() -> None:
            raise TimeoutError("the other side is slow")

        await job.step("one", body)

    async with hands_for(dsn, own) as h:
        await h.enqueue("t.own")
        assert "TimeoutError: the other side is slow" in error(await h.work())


async def test_outcomes_raised_in_a_step_end_the_job(dsn: str) -> None:
    @job_kind("t.ends")
    async def ends(args: dict[str, str], job: Job) -> None:
        async def body(_n: int) -> None:
            raise {"snooze": Snooze(9), "cancel": Cancelled("no"), "fail": Failed("never")}[
                args["how"]
            ]

        if args["how"] == "fail":
            await job.step("one", body, 1)
        await job.each([1, 2], body, concurrency=2)

    async with hands_for(dsn, ends) as h:
        for how, end in {
            "snooze": Ended("snooze", "snoozed", 9),
            "cancel": Ended("cancel", "no"),
            "fail": Ended("fail", "never"),
        }.items():
            await h.enqueue("t.ends", json.dumps({"how": how}))
            assert await h.work() == end


async def test_a_step_cannot_end_the_daemon(dsn: str) -> None:
    @job_kind("t.exit", attempts_max=1)
    async def exits(job: Job) -> Any:
        async def leave(_n: int) -> None:
            raise SystemExit(3)

        def stop(_n: int) -> None:
            raise StopIteration

        one = await job.each(range(2), leave, concurrency=2, name=lambda n: f"leave {n}")
        two = await job.each(range(2), stop, concurrency=2, name=lambda n: f"stop {n}")
        return [one, two, await job.step("fine", len, "abc")]

    async with hands_for(dsn, exits) as h:
        id = await h.enqueue("t.exit")
        async with asyncio.timeout(30):
            assert result(await h.work()) == [[None, None], [None, None], 3]
        rows = await h.steps(id)
        assert "a step raised SystemExit(3)" in rows["leave 0"]["error"]
        assert "StopIteration" in rows["stop 1"]["error"]


async def test_a_result_that_cannot_be_stored_fails_its_step(dsn: str) -> None:
    @job_kind("t.odd", attempts_max=1)
    async def odd(job: Job) -> list[Any]:
        values = [object(), float("nan"), "x" * 1_100_000, {1, "a"}, "fine"]

        async def body(n: int) -> Any:
            job.count("tried")
            return values[n]

        return await job.each(range(5), body)

    async with hands_for(dsn, odd) as h:
        id = await h.enqueue("t.odd")
        job = await h.claim()
        assert result(await h.run(job)) == [None, None, None, None, "fine"]
        assert job.counters == {"tried": 1}
        errors = [row["error"] for row in (await h.steps(id)).values()]
        assert all("the result" in error for error in errors[:4])
        assert "more than 1000000" in errors[2]


async def test_a_step_that_runs_twice_at_once_is_a_mistake(dsn: str) -> None:
    @job_kind("t.twice")
    async def twice(job: Job) -> None:
        await asyncio.gather(*(job.step("one", asyncio.sleep, 0.01) for _ in range(2)))

    async with hands_for(dsn, twice) as h:
        await h.enqueue("t.twice")
        assert "the step 'one' runs already" in error(await h.work())


async def test_a_step_that_the_handler_gave_up_can_run_again(dsn: str) -> None:
    @job_kind("t.gaveup")
    async def gave_up(job: Job) -> Any:
        async def slow() -> str:
            job.count("tried")
            await asyncio.sleep(60 if job.counters["tried"] == 1 and not again else 0)
            return "done"

        again = False
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await job.step("one", slow)
        again = True
        return [await job.step("one", slow), job.counters]

    async with hands_for(dsn, gave_up) as h:
        await h.enqueue("t.gaveup")
        assert result(await h.work()) == ["done", {"tried": 1}]


async def test_a_step_waits_for_a_database_that_is_away_for_a_moment(
    dsn: str, conn: asyncpg.Connection
) -> None:
    @job_kind("t.away")
    async def away(job: Job) -> list[int]:
        async def body(n: int) -> int:
            await conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'bellhand:handler' and datname = current_database()"
            )
            return n

        return await job.each(range(3), body)

    async with hands_for(dsn, away) as h:
        await h.enqueue("t.away")
        assert result(await h.work()) == [0, 1, 2]


@pytest.mark.parametrize("code", ["XX001", "58030"])
async def test_a_step_waits_for_trouble_of_the_server_s_own(
    dsn: str, conn: asyncpg.Connection, code: str
) -> None:
    """A block that could not be read for a moment cost the job an attempt, and its handler was blamed."""

    @job_kind("t.trouble")
    async def trouble(job: Job) -> str:
        async def body() -> str:
            await conn.execute(f"""
                create function public.broken() returns trigger language plpgsql as
                  $$ begin raise exception 'could not read block 7' using errcode = '{code}'; end $$;
                create trigger broken before insert on bellhand.steps for each row execute function public.broken()""")
            return "done"

        return await job.step("one", body)

    with structlog.testing.capture_logs() as lines:
        async with hands_for(dsn, trouble) as h:
            await h.enqueue("t.trouble")
            running = asyncio.create_task(h.work())
            await eventually(
                lambda: [line for line in lines if line["event"] == "database_trouble"]
            )
            await conn.execute("drop function public.broken cascade")
            assert result(await running) == "done"
    (line,) = [line for line in lines if line["event"] == "database_trouble"]
    assert "could not read block 7" in line["error"]


async def test_a_step_of_a_job_that_another_has_claimed_is_not_written(dsn: str) -> None:
    @job_kind("t.lost")
    async def lost(job: Job) -> None:
        if job.epoch == 1:
            await h.crash()
            await h.claim()
        await job.step("one", len, "abc")

    async with hands_for(dsn, lost) as h:
        id = await h.enqueue("t.lost")
        job = await h.claim()
        end = await h.run(job)
        assert end.outcome == "lost"
        assert await h.steps(id) == {}
        assert await h.settle(job, end) == "lost"
        assert (await h.job(id))["state"] == "running"
