"""No wake-up is lost: the race between a producer that commits late and a worker that falls asleep."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from bellhand.bell import Bell, Listener, Sleep
from bellhand.db import Database, HandlerPool
from bellhand.positions import Positions
from bellhand.store import Store
from desk import Desk
from support import eventually

POLL_SECONDS = 120.0  # so slow that a lost wake-up fails the test


class Sleeper:
    """The worker's claiming and sleeping, without handlers: notes when each job was claimed."""

    def __init__(self, database: Database, rng: random.Random) -> None:
        self.id = uuid.uuid4()
        self.store = Store(database, HandlerPool(database, 1))
        self.bell = Bell()
        self.sleep = Sleep(self.store, POLL_SECONDS, time.monotonic)
        self.listener = Listener(
            database, heard=lambda _: self.bell.ring(), random=rng.random, on_change=self.listening
        )
        self.positions = Positions()
        self.claimed: dict[int, float] = {}

    def listening(self, up: bool) -> None:
        self.sleep.listening = up
        self.sleep.forget()
        self.bell.ring()

    async def run(self) -> None:
        self.store.worker = self.id
        await self.store.register_worker("s", "h", 1, "0", ["a"], [], 100)
        self.positions.update((await self.store.look_around(["a"])).lanes)
        while True:
            asleep, asked = self.sleep.flag_seconds(), time.monotonic()
            rows = await self.store.claim(100, 0, self.positions.where(100), asleep)
            if asleep is not None:
                self.sleep.flag_is_up(rows[0]["token"], rows[0]["xid"], rows[0]["was_up"], asked)
            now = time.monotonic()
            jobs = [row["id"] for row in rows if row["id"] is not None]
            self.claimed |= dict.fromkeys(jobs, now)
            await self.bell.wait(await self.sleep.seconds_after(len(jobs), rows[0]["xmin"]))


@asynccontextmanager
async def sleepers(dsn: str, count: int, rng: random.Random) -> AsyncIterator[list[Sleeper]]:
    made = [Sleeper(Database(dsn), rng) for _ in range(count)]
    tasks = [asyncio.create_task(part) for one in made for part in (one.listener.run(), one.run())]
    try:
        yield made
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in made:
            for link in one.store.claims.database.links:
                link.drop()


async def until_claimed(made: list[Sleeper], job: int, seconds: float) -> float:
    """When the job was claimed, on the monotonic clock."""

    def found() -> float | None:
        return next((one.claimed[job] for one in made if job in one.claimed), None)

    return await eventually(
        found, seconds, because=f"job {job} was never claimed: its wake-up was lost"
    )  # type: ignore[return-value]


async def asleep(conn: asyncpg.Connection) -> bool:
    return bool(await conn.fetchval("select last_value > 0 from bellhand.asleep_until"))


async def test_a_producer_that_saw_us_awake_and_commits_late_is_not_missed(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """The deterministic race: INSERT while the flag says awake, COMMIT after the worker has gone to sleep."""
    await Desk(conn).publish("a")
    delays = []
    async with sleepers(dsn, 1, random.Random(1)) as made:
        for _ in range(12):
            nudge = await conn.fetchval(
                "insert into bellhand.jobs (kind) values ('a') returning id"
            )
            await until_claimed(made, nudge, 30)
            async with conn.transaction():
                awake = await conn.fetchval("select last_value = 0 from bellhand.asleep_until")
                job = await conn.fetchval(
                    "insert into bellhand.jobs (kind) values ('a') returning id"
                )
                # An order of the clock would be luck: the commit comes as soon as it sleeps.
                await eventually(lambda: asleep(conn), because="it falls asleep meanwhile")
            committed = time.monotonic()
            delays.append(await until_claimed(made, job, 30) - committed)
            assert awake is not None
    assert max(delays) < 10, f"seconds after commit: {sorted(delays)}"


@pytest.mark.parametrize("workers", [1, 2])
async def test_no_wake_up_is_lost_under_delayed_commits_rollbacks_and_old_snapshots(
    dsn: str, conn: asyncpg.Connection, workers: int
) -> None:
    rng = random.Random(workers)
    await Desk(conn).publish("a")
    committed: dict[int, float] = {}

    async def produce(seed: int) -> None:
        dice = random.Random(seed)
        producer = await asyncpg.connect(dsn)
        for _ in range(18):
            isolation = dice.choice(["read_committed", "repeatable_read"])
            transaction = producer.transaction(isolation=isolation)
            await transaction.start()
            await producer.fetchval("select count(*) from bellhand.kinds")  # takes the snapshot
            await producer.execute("select pg_sleep($1)", dice.random() * 0.1)
            job = await producer.fetchval(
                "insert into bellhand.jobs (kind, priority) values ('a', $1) returning id",
                dice.randint(1, 10),
            )
            await producer.execute("select pg_sleep($1)", dice.choice([0.0, 0.0, 0.02, 0.06, 0.3]))
            if dice.random() < 0.25:
                await transaction.rollback()
            else:
                await transaction.commit()
                committed[job] = time.monotonic()
            await producer.execute("select pg_sleep($1)", dice.random() * 0.2)
        await producer.close()

    async with sleepers(dsn, workers, rng) as made:
        await asyncio.gather(*(produce(seed) for seed in range(5)))
        late = [await until_claimed(made, job, 30) - when for job, when in committed.items()]
        claimed = [job for one in made for job in one.claimed]
    assert len(claimed) == len(set(claimed)) == len(committed) > 50, (
        "each committed job once, nothing else"
    )
    assert max(late) < 20, "a lost wake-up would wait for the poll"


async def test_the_bell_is_silent_while_a_worker_is_awake(
    dsn: str, conn: asyncpg.Connection
) -> None:
    await Desk(conn).publish("a")
    heard: list[object] = []
    ear = await asyncpg.connect(dsn)
    await ear.add_listener("bellhand", lambda *args: heard.append(args[3]))
    await conn.execute("select setval('bellhand.asleep_until', 0)")
    for _ in range(20):
        await conn.execute("insert into bellhand.jobs (kind) values ('a')")
    await conn.execute("select setval('bellhand.asleep_until', 99999999999999)")
    await conn.execute("insert into bellhand.jobs (kind) select 'a' from generate_series(1, 50)")
    await eventually(lambda: bool(heard))
    await ear.close()
    assert heard == [""], "twenty inserts in silence, then one ring for fifty rows"


async def test_a_listener_whose_connection_dies_comes_back_and_rings(
    dsn: str, conn: asyncpg.Connection
) -> None:
    await Desk(conn).publish("a")
    async with sleepers(dsn, 1, random.Random(3)) as made:
        await eventually(lambda: made[0].sleep.sound)
        killed = await conn.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'bellhand:listen' and datname = current_database()"
        )
        assert killed == 1
        job = await conn.fetchval("insert into bellhand.jobs (kind) values ('a') returning id")
        await until_claimed(made, job, 30)
        await eventually(lambda: made[0].sleep.sound, because="it listens and sleeps again")
        job = await conn.fetchval("insert into bellhand.jobs (kind) values ('a') returning id")
        await until_claimed(made, job, 30)
