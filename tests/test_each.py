"""Steps over items: retried alone, named, paced, paused, counted."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest

from attempts import again, error, hands_for, result
from bellhand import Failed, Job, Snooze, job_kind
from bellhand.outcomes import Completed, Ended


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


class Refused(Exception):
    """As the errors of the clients: it says itself that trying again cannot help."""

    retryable = False


async def test_what_failed_for_good_burns_no_attempt_and_runs_again_when_somebody_asks(
    dsn: str,
) -> None:
    ran: list[str] = []
    broken = {"gone", "refused"}

    @job_kind("t.good", attempts_max=5)
    async def good(args: dict[str, Any], job: Job) -> list[Any]:
        async def body(item: str) -> str:
            ran.append(item)
            if item == "passing" and job.attempt == 1:
                raise ValueError("not yet")
            if item in broken:
                raise Failed("no such place") if item == "gone" else Refused("not for you")
            return item

        with suppress(Failed):
            if args.get("alone"):
                await job.step("alone", body, "gone")
        return await job.each(args["items"], body)

    async with hands_for(dsn, good) as h:
        id = await h.enqueue(
            "t.good", '{"alone": true, "items": ["a", "gone", "refused", "passing"]}'
        )
        assert "4 of 5 steps failed" in error(await h.work())
        end = await again(h, id)
        assert end == Completed('["a", null, null, "passing"]', partial=True)
        assert ran == ["gone", "a", "gone", "refused", "passing", "passing"]
        steps = await h.steps(id)
        assert [name for name, step in steps.items() if step["for_good"]] == [
            "alone",
            "gone",
            "refused",
        ]
        assert steps["gone"]["error"] == "no such place"
        assert "Refused: not for you" in steps["refused"]["error"]
        assert (await h.job(id))["attempts"] == 1, "for the one that might pass"
        broken.clear()
        ran.clear()
        await h.store.chores.fetch("select bellhand.retry($1)", id)
        assert await h.work() == Completed('["a", "gone", "refused", "passing"]')
        assert ran == ["gone", "gone", "refused"]


async def test_where_nothing_is_left_to_try_the_job_is_over_at_once(dsn: str) -> None:
    @job_kind("t.over", attempts_max=5)
    async def over(args: dict[str, Any], job: Job) -> None:
        async def body(item: str) -> None:
            if item == "bad":
                raise Failed("no")

        await job.each(args["items"], body)
        if args.get("then"):
            raise Refused("the handler too")

    async with hands_for(dsn, over) as h:
        for payload, outcome in (
            ('{"items": ["bad", "bad"]}', "fail"),
            ('{"items": [], "then": true}', "fail"),
        ):
            id = await h.enqueue("t.over", payload)
            assert (await h.work()).outcome == outcome
            assert (await h.job(id))["state"] == "failed"
        id = await h.enqueue("t.over", '{"items": ["bad", "fine"]}')
        assert await h.work() == Completed(None, partial=True)
        assert (await h.job(id))["attempts"] == 0


async def test_a_retry_by_hand_also_opens_what_failed_for_good_in_a_job_that_still_waits(
    dsn: str,
) -> None:
    @job_kind("t.waits", attempts_max=5)
    async def waits(job: Job) -> list[Any]:
        async def body(n: int) -> int:
            if job.attempt == 1:
                raise Failed("no") if n == 1 else ValueError("not yet")
            return n

        return await job.each([1, 2], body)

    async with hands_for(dsn, waits) as h:
        id = await h.enqueue("t.waits")
        await h.work()
        assert (await h.job(id))["state"] == "retrying"
        await h.store.chores.fetch("select bellhand.retry($1)", id)
        assert await h.work() == Completed("[1, 2]")


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
        # A loop may count in whole milliseconds.
        assert starts[1] - starts[0] > 0.19
        assert starts[5] - starts[1] > 0.09, "a hang is no reason to hurry afterwards"
        starts.clear()
        await h.work()
        assert len(starts) == 3, "what is done already costs no time"


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
