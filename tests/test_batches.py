"""What the CRM seed expects of batches, and of the log: many items at once, and how long each job took."""

import asyncio
import time
from typing import Any

import asyncpg
import structlog

from bellhand import Failed, Job, job_kind
from daemons import at_work, insert, until
from support import eventually


class Hands:
    """How many work at once; nobody ends before so many do, however slowly they begin on a busy machine."""

    def __init__(self, seconds: float, together: int) -> None:
        self.seconds = seconds
        self.together = together
        self.now = self.peak = self.done = 0

    async def work(self, _: Any) -> None:
        self.now += 1
        self.peak = max(self.peak, self.now)
        await asyncio.sleep(self.seconds)
        await eventually(lambda: self.peak >= self.together)
        self.now -= 1
        self.done += 1


async def test_fifty_at_once_take_a_fiftieth_of_the_time(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """S4-09 batchProcess(items, fn, 50): 100 items of 200 ms in 400 ms and a little, not in 20 s."""
    hands = Hands(0.2, 50)

    @job_kind("t.batch")
    async def batch(job: Job) -> None:
        await job.each(range(100), hands.work, concurrency=50)

    async with at_work(dsn, batch):
        row = await until(conn, await insert(conn, "t.batch"), "completed", 30)
    assert (hands.done, hands.peak) == (100, 50)
    assert 0.4 <= (row["finished_at"] - row["started_at"]).total_seconds() < 15


async def test_three_batches_of_fifty_at_once(dsn: str, conn: asyncpg.Connection) -> None:
    """S4-35: 500 opportunities of 300 ms as ten jobs of 50, three jobs at a time: 1.2 s and a little, not 150."""
    hands = Hands(0.3, 150)

    @job_kind("t.fifty")
    async def fifty(job: Job) -> None:
        await job.each(range(50), hands.work, concurrency=50)

    async with at_work(dsn, fifty, worker={"concurrency": 3}):
        began = time.monotonic()
        ids = [await insert(conn, "t.fifty") for _ in range(10)]
        for id in ids:
            await until(conn, id, "completed", 40)
        took = time.monotonic() - began
    assert hands.done == 500
    assert hands.peak == 150
    assert took < 60


async def test_how_long_a_job_took_is_logged_whether_it_succeeds_or_fails(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """S4-30, with id and kind; what completes at once is logged where the configuration says so."""

    @job_kind("t.good")
    async def good() -> None:
        await asyncio.sleep(0.5)

    @job_kind("t.bad", attempts_max=1)
    async def bad() -> None:
        await asyncio.sleep(0.5)
        raise Failed("no such customer")

    @job_kind("t.own")
    async def own(job: Job) -> None:
        async with job.transaction():
            await asyncio.sleep(0.5)

    @job_kind("t.short")
    async def short() -> None:
        return None

    with structlog.testing.capture_logs() as said:
        async with at_work(dsn, good, bad, own, short, log={"completed_seconds": 0.45}):
            ids = [await insert(conn, f"t.{kind}") for kind in ("good", "bad", "own", "short")]
            for id, state in zip(
                ids, ("completed", "failed", "completed", "completed"), strict=True
            ):
                await until(conn, id, state)  # fmt: skip
    lines = {line["job"]: line for line in said if line["event"] == "attempt_ended"}
    assert [(id, lines[id]["kind"], lines[id]["outcome"]) for id in sorted(lines)] == [
        (ids[0], "t.good", "completed"), (ids[1], "t.bad", "fail"), (ids[2], "t.own", "completed"),
    ]  # fmt: skip
    assert all(0.45 <= line["seconds"] < 10 for line in lines.values())
    assert "no such customer" in lines[ids[1]]["error"]
