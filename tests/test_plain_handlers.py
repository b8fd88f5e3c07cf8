"""Handlers that are plain functions: the same steps, from a thread."""

import asyncio
import threading
from typing import Any

import pytest

from attempts import again, error, hands_for, result
from bellhand import job_kind
from bellhand.blocking import BlockingJob
from bellhand.outcomes import Ended
from support import eventually


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
        async with asyncio.timeout(30):
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
        async with asyncio.timeout(30):
            assert await running == Ended("cancel", "cancelled while it ran")
        await eventually(lambda: caught)
        assert caught == ["ended"]


async def test_a_plain_handler_that_was_about_to_wait_is_stopped_too(dsn: str) -> None:
    """The word to stop may come when the thread has looked for it and does not wait yet."""

    @job_kind("t.plainlate")
    def plain_late(job: Any) -> None: ...

    async with hands_for(dsn, plain_late) as h:
        await h.enqueue("t.plainlate")
        late = BlockingJob(await h.claim(), asyncio.get_running_loop())
        late.let_go()

        def wait() -> str:
            try:
                late.step("late", asyncio.sleep, 60)
            except asyncio.CancelledError:
                return "let go"
            return "waited"

        async with asyncio.timeout(30):
            assert await asyncio.to_thread(wait) == "let go"


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
