"""Steps on a real Postgres: done once, resumed, retried alone, timed, counted, paused."""

import asyncio
import itertools
import json
import threading
from typing import Any

import asyncpg
import pytest

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


async def test_a_failed_step_is_retried_alone_and_its_counts_are_taken_back(dsn: str) -> None:
    ran: list[int] = []

    @job_kind("t.part", attempts_max=2)
    async def part(job: Job) -> dict[str, Any]:
        async def body(n: int) -> int:
            ran.append(n)
            job.count("seen")
            job.count("weight", n / 2)
            if n == 2 and job.attempt == 1:
                raise ValueError(f"no {n}")
            return n

        got = await job.each(range(4), body, name=lambda n: f"item {n}")
        return {"got": got, "counters": job.counters}

    async with hands_for(dsn, part) as h:
        id = await h.enqueue("t.part")
        end = await h.work()
        assert "1 of 4 steps failed; the last one:\n" in error(end)
        assert "ValueError: no 2" in error(end)
        shown = json.loads((await h.job(id))["progress"])
        assert shown["counters"] == {"seen": 3, "weight": 2.0}
        assert (shown["steps_done"], shown["steps_failed"], shown["steps_total"]) == (3, 1, 4)
        end = await again(h, id)
        assert result(end) == {"got": [0, 1, 2, 3], "counters": {"seen": 4, "weight": 3.0}}
        assert ran == [0, 1, 2, 3, 2]
        assert (await h.steps(id))["item 2"]["attempts"] == 2
        shown = json.loads((await h.job(id))["progress"])
        assert (shown["steps_done"], shown["steps_total"], shown["percent"]) == (4, 4, 100.0)


async def test_a_resumed_job_knows_how_much_there_is_to_do(dsn: str) -> None:
    shown: list[dict[str, Any]] = []

    @job_kind("t.total", attempts_max=5)
    async def total(job: Job) -> None:
        async def body(n: int) -> None:
            if n == 7:
                shown.append(json.loads(job.progress_json() or "{}"))
                if job.epoch == 1:
                    raise Snooze(0)

        await job.each(range(10), body)

    async with hands_for(dsn, total) as h:
        await h.enqueue("t.total")
        await h.work()
        await h.work()
    assert [(one["steps_done"], one["steps_total"]) for one in shown] == [(7, 10), (7, 10)]


async def test_a_job_whose_last_attempt_leaves_failed_steps_is_partial(dsn: str) -> None:
    @job_kind("t.partial", attempts_max=2)
    async def partial(job: Job) -> list[Any]:
        return await job.each(["1", "x", "3"], int)

    @job_kind("t.none", attempts_max=1)
    async def none(job: Job) -> list[Any]:
        return await job.each(["x", "y"], int)

    async with hands_for(dsn, partial, none) as h:
        id = await h.enqueue("t.partial")
        assert "1 of 3 steps failed" in error(await h.work())
        end = await again(h, id)
        assert end == Completed("[1, null, 3]", partial=True)
        assert (await h.job(id))["partial"] is True
        await h.enqueue("t.none")
        assert (await h.work()).outcome == "fail", "nothing was done, so nothing is completed"


async def test_names_that_come_again_are_numbered(dsn: str) -> None:
    @job_kind("t.names")
    async def names(job: Job) -> Any:
        async def double(n: int) -> int:
            return 2 * n

        async def triple(n: int) -> int:
            return 3 * n

        async def add(ns: list[int]) -> int:
            return sum(ns)

        async def most(ns: list[int]) -> int:
            return max(ns)

        return [
            await job.each([1, 1, 2], double, name=lambda n: "n" if n == 1 else "n (2)"),
            await job.each([1, 2], double),
            await job.each([1, 2], triple),
            await job.each([1, 2], double),
            await job.each([1, 2, 3], add, chunk=2),
            await job.each([4, 5, 6], most, chunk=2),
            await job.each(["a" * 600, "a" * 600 + "b"], len),
        ]

    async with hands_for(dsn, names) as h:
        id = await h.enqueue("t.names")
        got = result(await h.work())
        assert got == [[2, 2, 4], [2, 4], [3, 6], [2, 4], [3, 3], [5, 6], [600, 601]]
        rows = await h.steps(id)
        assert list(rows)[:-2] == [
            "n", "n (2)", "n (2) (2)", "1", "2", "1 (2)", "2 (2)",
            "items 1 to 2", "items 3 to 3", "items 1 to 2 (2)", "items 3 to 3 (2)",
        ]  # fmt: skip
        assert all(len(name) <= 500 for name in rows)


async def test_each_runs_so_many_at_once_and_starts_so_many_a_second(dsn: str) -> None:
    now = most = 0
    starts = []

    @job_kind("t.pace")
    async def pace(job: Job) -> None:
        async def body(n: int) -> None:
            nonlocal now, most
            now, most = now + 1, max(most, now + 1)
            await asyncio.sleep(0.01)
            now -= 1

        async def start(n: int) -> None:
            starts.append(asyncio.get_running_loop().time())
            if n == 0:
                await asyncio.sleep(0.2)
            if n == 5 and job.epoch == 1:
                raise Snooze(0)

        await job.each(range(20), body, name=lambda n: f"body {n}", concurrency=3)
        await job.each(range(8), start, rate=25)

    async with hands_for(dsn, pace) as h:
        await h.enqueue("t.pace")
        await h.work()
        assert most == 3
        gaps = [b - a for a, b in itertools.pairwise(starts)]
        assert gaps[0] > 0.2
        assert all(gap > 0.035 for gap in gaps), "a hang is no reason to hurry afterwards"
        starts.clear()
        async with asyncio.timeout(0.4):
            await h.work()
        assert len(starts) == 3, "what is done already costs no time"


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


@pytest.mark.parametrize("how", ["step", "each", "task group"])
async def test_a_pause_takes_effect_before_the_next_step(dsn: str, how: str) -> None:
    done = []

    @job_kind("t.pause")
    async def pause(job: Job) -> list[int]:
        async def body(n: int) -> None:
            done.append(n)
            if len(done) == 2:
                await h.ask_to_pause(job)
            await asyncio.sleep(0.01)

        if how == "step":
            for n in range(5):
                await job.step(str(n), body, n)
        elif how == "each":
            await job.each(range(5), body, concurrency=2)
        else:  # a task group takes the cancellation of its tasks for an end like any other
            for n in range(5):
                async with asyncio.TaskGroup() as group:
                    group.create_task(job.step(str(n), body, n))
        return done

    async with hands_for(dsn, pause) as h:
        id = await h.enqueue("t.pause")
        job = await h.claim()
        end = await h.run(job)
        assert end == Ended("pause")
        assert await h.settle(job, end) == "pause"
        assert 2 <= len(done) <= 3
        assert (await h.job(id))["state"] == "paused"
        assert "step" not in json.loads((await h.job(id))["progress"])
        await h.store.chores.fetch("select bellhand.resume($1)", id)
        assert sorted(result(await h.work())) == [0, 1, 2, 3, 4]
        assert (await h.job(id))["attempts"] == 0


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
        async with asyncio.timeout(5):
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


async def test_a_plain_handler_has_the_same_steps(dsn: str) -> None:
    done: list[int] = []

    @job_kind("t.plain", attempts_max=3)
    def plain(job: Any) -> Any:
        def body(n: int) -> int:
            assert threading.current_thread() is not threading.main_thread()
            done.append(n)
            job.count("n", n)
            return n * n

        async def on_the_loop(n: int) -> str:
            return threading.current_thread().name

        got = job.each(range(4), body, concurrency=4)
        name = job.step("async", on_the_loop, 1)
        if job.attempt == 1:
            raise StopIteration
        _, new = job.enqueue("t.plain", {"x": 1}, priority=1)
        with pytest.raises(RuntimeError, match="not available to a plain function"):
            job.transaction()
        return [got, name, job.counters, new]

    async with hands_for(dsn, plain) as h:
        id = await h.enqueue("t.plain")
        async with asyncio.timeout(5):
            assert "StopIteration" in error(await h.work())
        assert result(await again(h, id)) == [[0, 1, 4, 9], "MainThread", {"n": 6}, True]
        assert sorted(done) == [0, 1, 2, 3]


async def test_a_plain_handler_is_stopped_in_a_step(dsn: str) -> None:
    caught: list[str] = []
    inside = threading.Event()

    @job_kind("t.plainstop")
    def plain_stop(job: Any) -> None:
        async def slow() -> None:
            inside.set()
            await asyncio.sleep(60)

        try:
            job.step("slow", slow)
        except Exception:
            caught.append("an ordinary exception")
        finally:
            caught.append("ended")

    async with hands_for(dsn, plain_stop) as h:
        await h.enqueue("t.plainstop")
        job = await h.claim()
        running = h.start_running(job)
        await eventually(inside.is_set)
        job.stop("cancel")
        async with asyncio.timeout(2):
            assert await running == Ended("cancel", "cancelled while it ran")
        await eventually(lambda: caught)
        assert caught == ["ended"]


async def test_a_plain_handler_is_paused_at_its_next_step(dsn: str) -> None:
    @job_kind("t.plainpause")
    def plain_pause(job: Any) -> list[int]:
        async def body(n: int) -> int:
            if n == 1 and job.epoch == 1:
                await h.ask_to_pause(job)
            return n

        return [job.step(str(n), body, n) for n in range(4)]

    async with hands_for(dsn, plain_pause) as h:
        id = await h.enqueue("t.plainpause")
        assert await h.work() == Ended("pause")
        assert len(await h.steps(id)) == 2
        await h.store.chores.fetch("select bellhand.resume($1)", id)
        assert result(await h.work()) == [0, 1, 2, 3]
