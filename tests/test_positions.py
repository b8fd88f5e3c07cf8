"""Where a claim looks, what no job waits for longer than is stated, and that no position ever skips a job."""

import asyncio
import random
import uuid
from collections.abc import Iterator

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bellhand.positions import RANK_FIRST, RANK_LAST, ByAge, LaneUse, Positions
from bellhand.store import Lane
from desk import Desk

RANKS = list(range(RANK_FIRST, RANK_LAST + 1))
lanes = st.builds(
    lambda id, concurrency, ranks, paused: Lane(id, f"l{id}", concurrency, None, tuple(ranks), paused),
    st.integers(1, 4), st.none() | st.integers(1, 5), st.lists(st.sampled_from(RANKS), unique=True), st.booleans(),
)  # fmt: skip


@given(st.lists(lanes, unique_by=lambda lane: lane.id), st.integers(1, 50), st.integers(0, 3))
def test_a_claim_looks_at_every_rank_of_every_open_lane_once_and_in_order(
    given_lanes: list[Lane], room: int, oldest: int
) -> None:
    positions = Positions()
    positions.update(given_lanes)
    lane_ids, lows, highs, *_ = positions.where(room, oldest)
    seen = [
        (lane, rank)
        for lane, low, high in zip(lane_ids, lows, highs, strict=True)
        for rank in range(low, high + 1)
    ]
    assert sorted(seen) == [
        (lane.id, rank)
        for lane in sorted(given_lanes, key=lambda lane: lane.id)
        if not lane.paused
        for rank in RANKS
    ]
    assert lows == sorted(lows), "high priorities first"
    if oldest:
        assert lows == highs, "a range of ranks cannot say which of its jobs is the oldest"


@given(st.integers(1, 5), st.integers(0, 6), st.integers(0, 6), st.integers(1, 20))
def test_slots_are_only_taken_without_asking_while_some_are_held(
    concurrency: int, running: int, held: int, room: int
) -> None:
    use = LaneUse(Lane(1, "l", concurrency, None, (), False), running, held)
    if use.mode(room) == 1:
        assert running < held <= concurrency


def test_the_slot_of_a_job_that_ended_while_a_claim_was_on_its_way_is_given_back() -> None:
    """claim.sql writes down as many slots as it was told run here; a drained worker that believed in fewer kept the others out."""
    positions = Positions(lanes={1: LaneUse(Lane(1, "l", 2, None, (), False), running=2, held=2)})
    positions.where(1)
    positions.lanes[1].running -= 1
    positions.took([])
    assert (positions.lanes[1].held, positions.spare) == (2, True)
    positions.where(0)
    positions.took([])
    assert (positions.lanes[1].held, positions.spare) == (1, False)


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(1, 100), st.floats(0, 1, allow_nan=False)), max_size=60),
)
def test_the_share_taken_by_age_is_kept_whatever_the_batches(
    one_in: int, claims: list[tuple[int, float]]
) -> None:
    by_age, largest, total, aged = ByAge(), 0, 0, 0
    for room, found in claims:
        oldest, claimed = by_age.oldest(room, one_in), round(room * found)
        by_age.took(oldest, claimed, one_in)
        largest, total, aged = max(largest, room), total + claimed, aged + min(oldest, claimed)
        assert 0 <= by_age.due <= one_in - 1 + max(largest, claimed) or claimed < oldest
        assert by_age.due == total - aged * one_in
    assert aged * one_in <= total, "and never more than the share"


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


def test_a_flood_of_urgent_jobs_cannot_starve_a_humble_one(
    dsn: str, runner: asyncio.Runner
) -> None:
    """The bound: a ready job with `older` jobs ahead of it in age (all lanes open, nobody holding its row) is claimed
    before `one_in * (older + 1) + one_in - 1 + room` further jobs are, where `room` is the largest batch; with several
    workers, each adds its own `one_in - 1 + room`. It holds however many urgent jobs keep arriving.

    Why: `due` counts what was claimed less `one_in` for each job taken by age, and stays between 0 and
    one_in - 1 + room. So of n jobs claimed since, at least (n - (one_in - 1 + room)) / one_in were the oldest there
    were, and `older + 1` of those include this one.
    """
    conn = runner.run(asyncpg.connect(dsn, timeout=10))
    desk = Desk(conn)
    runner.run(desk.publish("a"))

    @settings(max_examples=25, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(
        one_in=st.integers(1, 6), older=st.integers(0, 4), rooms=st.lists(st.integers(1, 9), min_size=1, max_size=5),
        priority=st.integers(1, 9), head_start=st.integers(0, 15),
    )  # fmt: skip
    def flood(one_in: int, older: int, rooms: list[int], priority: int, head_start: int) -> None:
        runner.run(flooded(desk, one_in, older, rooms, priority, head_start))

    flood()
    runner.run(conn.close(timeout=5))


async def flooded(
    desk: Desk, one_in: int, older: int, rooms: list[int], priority: int, head_start: int
) -> None:
    await desk.conn.execute("delete from bellhand.queue")
    worker, by_age = await desk.worker(), ByAge()

    async def claim(room: int) -> list[int]:
        await desk.conn.execute(
            "insert into bellhand.jobs (kind, priority) "
            "select 'a', case when g % 3 = 0 then $2 else 10 end from generate_series(1, $1) g",
            room,
            min(10, priority + 1),
        )  # fmt: skip
        oldest = by_age.oldest(room, one_in)
        ids = await desk.ids(worker, room, oldest=oldest)
        by_age.took(oldest, len(ids), one_in)
        assert len(ids) == room
        return ids

    for n in range(head_start):
        await claim(rooms[n % len(rooms)])
    await desk.conn.execute("delete from bellhand.queue")
    for _ in range(older):
        await desk.insert(priority=10 if older % 2 else priority)
    humble = await desk.insert(priority=priority)
    bound = one_in * (older + 1) + one_in - 1 + max(rooms)
    since = 0
    for n in range(bound):
        ids = await claim(rooms[n % len(rooms)])
        if humble in ids:
            return
        since += len(ids)
        assert since <= bound, f"{since} jobs were claimed, and it still waits"


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_job_is_skipped_or_claimed_twice_by_positions_that_move_on(
    dsn: str, conn: asyncpg.Connection, seed: int
) -> None:
    """Producers commit late or roll back, a snapshot somewhere pins the horizon, two workers claim at once."""
    dice = random.Random(seed)
    await Desk(conn).publish("a")
    producers = [Producer(await asyncpg.connect(dsn, timeout=10)) for _ in range(4)]
    pin = await asyncpg.connect(dsn, timeout=10)
    desks = [Desk(await asyncpg.connect(dsn, timeout=10)) for _ in range(2)]
    workers: list[uuid.UUID] = [await desk.worker() for desk in desks]
    claimed: list[int] = []
    epochs: dict[int, int] = {}

    async def claim(n: int) -> int:
        rows = await desks[n].claim(workers[n], dice.randint(1, 5), oldest=dice.choice([0, 0, 1]))
        for row in rows:
            assert row["epoch"] > epochs.get(row["id"], 0), "claimed twice"
            epochs[row["id"]] = row["epoch"]
            if dice.random() < 0.2:
                await desks[n].end(row, "retry")  # ready again, at a new position
            else:
                await desks[n].complete(row)
                claimed.append(row["id"])
        return len(rows)

    for turn in range(120):
        if turn % 25 == 5:
            await pin.execute("begin isolation level repeatable read")
            await pin.execute("select pg_current_xact_id(), count(*) from bellhand.queue")
        if turn % 25 == 20:
            await pin.execute("rollback")
        await dice.choice(producers).go_on(dice)
        if dice.random() < 0.6:
            await asyncio.gather(claim(0), claim(1))
    for producer in producers:
        await producer.end(commit=True)
    # The pin is still there: the last jobs must be found all the same.
    while await claim(0) + await claim(1):
        pass
    committed = [job for producer in producers for job in producer.committed]
    assert sorted(claimed) == sorted(committed)
    assert len(committed) > 60
    for one in (pin, *(p.conn for p in producers), *(desk.conn for desk in desks)):
        await one.close(timeout=5)


class Producer:
    """A connection that inserts in transactions which it ends when it likes."""

    def __init__(self, conn: asyncpg.Connection) -> None:
        self.conn = conn
        self.open: list[int] | None = None
        self.committed: list[int] = []

    async def go_on(self, dice: random.Random) -> None:
        if self.open is None:
            await self.conn.execute("begin")
            self.open = []
        for _ in range(dice.randint(1, 3)):
            job = await self.conn.fetchval(
                "insert into bellhand.jobs (kind, priority) values ('a', $1) returning id",
                dice.choice([1, 5, 5, 10]),
            )
            self.open.append(job)
        if dice.random() < 0.5:
            await self.end(commit=dice.random() < 0.75)

    async def end(self, *, commit: bool) -> None:
        if self.open is not None:
            await self.conn.execute("commit" if commit else "rollback")
            self.committed += self.open if commit else []
            self.open = None
