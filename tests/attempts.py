"""Attempts one at a time: claimed, run and settled as the daemon does it, nothing else going on."""

import asyncio
import json
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bellhand.attempt import attempt
from bellhand.db import Database, HandlerPool
from bellhand.job import Job, Tools
from bellhand.kinds import ATTRIBUTE, Kind
from bellhand.outcomes import Completed, Ended
from bellhand.positions import Positions
from bellhand.settle import Settler
from bellhand.store import Store


@dataclass
class Hands:
    """A worker without a loop of its own: `claim`, `run`, `settle`, or all three with `work`."""

    store: Store
    kinds: dict[str, Kind]
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    def __post_init__(self) -> None:
        self.tools = Tools(self.store, random.random, time.monotonic)
        self.settler = Settler(
            self.store, batch_max=100, random=random.random, on_settled=self._settled
        )
        self.positions = Positions()
        self.settled: dict[int, str] = {}

    def _settled(self, job: Job, outcome: str, _end: Completed | Ended) -> None:
        self.settled[job.id] = outcome

    async def start(self) -> None:
        await self.store.publish([kind.published() for kind in self.kinds.values()], [], [])
        await self.register()

    async def register(self) -> None:
        self.store.worker = uuid.uuid4()
        await self.store.register_worker("hands", "here", 1, "0", list(self.kinds), [], 10)

    async def enqueue(self, kind: str, payload: str = "{}", **columns: Any) -> int:
        columns = {"kind": kind, "payload": payload} | columns
        places = ", ".join(f"${i + 1}" for i in range(len(columns)))
        sql = f"insert into bellhand.jobs ({', '.join(columns)}) values ({places}) returning id"
        (row,) = await self.store.pool.fetch(sql, *columns.values())
        return int(row["id"])

    async def claim(self) -> Job:
        """The next job that is ready."""
        await self.store.promote(100, None)
        self.positions.update((await self.store.look_around(list(self.kinds))).lanes)
        head, *rows = await self.store.claim(1, 0, self.positions.where(1))
        (row,) = [row for row in rows if row["id"] is not None]
        self.positions.took([(row["lane"], row["rank"])])
        self.settler.leased(head["lease"], 1)
        return Job(row, head["lease"], self.kinds[row["kind"]], self.tools)

    def start_running(self, job: Job) -> asyncio.Task[Any]:
        task = asyncio.create_task(attempt(job, self.kinds[job.kind], lambda: 1.0))
        job.task = task
        return task

    async def run(self, job: Job) -> Completed | Ended:
        """One attempt; what came of it is not written down yet."""
        end: Completed | Ended = await self.start_running(job)
        return end

    async def run_briefly(self, job: Job) -> Completed | Ended:
        """One attempt, told to stop at once."""
        running = self.start_running(job)
        job.stop("drain")
        end: Completed | Ended = await running
        return end

    async def ask_to_pause(self, job: Job) -> None:
        """What an operator wants and the heartbeat brings."""
        await self.store.chores.fetch("select bellhand.pause($1)", job.id)
        job.stop("pause")

    async def settle(self, job: Job, end: Completed | Ended) -> str:
        """Write it down; what became of the job."""
        self.settler.add(job, end)
        running = asyncio.create_task(self.settler.run())
        async with asyncio.timeout(60):
            await self.settler.idle.wait()
        running.cancel()
        return self.settled[job.id]

    async def work(self) -> Completed | Ended:
        """Claim, run and settle the next job."""
        job = await self.claim()
        end = await self.run(job)
        await self.settle(job, end)
        return end

    async def crash(self) -> None:
        """Die with whatever is claimed: the leases run out, and another takes over."""
        await self.store.rescue(-1.0, 100)
        await self.register()

    async def job(self, id: int) -> dict[str, Any]:
        """The job as everybody sees it."""
        (row,) = await self.store.pool.fetch("select * from bellhand.all_jobs where id = $1", id)
        return dict(row)

    async def steps(self, id: int) -> dict[str, dict[str, Any]]:
        return {row["name"]: dict(row) for row in await self.store.steps(id)}


@asynccontextmanager
async def hands_for(dsn: str, *handlers: Callable[..., Any]) -> AsyncIterator[Hands]:
    database = Database(dsn)
    kinds = {kind.name: kind for kind in (getattr(handler, ATTRIBUTE) for handler in handlers)}
    hands = Hands(Store(database, HandlerPool(database, 4)), kinds)
    try:
        await hands.start()
        yield hands
    finally:
        for link in database.links:
            link.drop()


async def again(hands: Hands, id: int) -> Completed | Ended:
    """The next attempt, without waiting for the backoff."""
    await hands.store.chores.fetch("select bellhand.run_now($1)", id)
    return await hands.work()


def result(end: Completed | Ended) -> Any:
    assert isinstance(end, Completed), end
    return json.loads(end.result) if end.result is not None else None


def error(end: Completed | Ended) -> str:
    assert isinstance(end, Ended), end
    return end.error or ""
