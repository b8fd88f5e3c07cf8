"""A desk with a frozen clock: the SQL contract and the worker's statements, one call each, for stories with dates."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from bellhand.positions import Positions
from bellhand.sql import query
from bellhand.store import Lane

KIND = {
    "priority": 5,
    "attempts_max": 3,
    "timeout_seconds": 60,
    "schema": None,
    "checks": None,
    "summary": None,
}


class Desk:
    """One connection that plays producers, operators and workers alike."""

    def __init__(self, conn: asyncpg.Connection) -> None:
        self.conn = conn
        self.positions: dict[uuid.UUID, Positions] = {}
        self.held: dict[tuple[int, int], tuple[uuid.UUID, int]] = {}  # (id, epoch): worker, lease

    async def at(self, moment: str) -> None:
        """Freeze the clock."""
        await self.conn.execute("select set_config('bellhand.now', $1, false)", moment)

    async def publish(self, *names: str, lane: str = "default", **more: Any) -> None:
        kinds = [KIND | {"name": name, "lane": lane} | more for name in names]
        await self.conn.fetch(query("publish_kinds"), json.dumps(kinds))

    async def lane(self, name: str, **limits: Any) -> None:
        given = {
            "name": name,
            "concurrency": None,
            "rate_per_second": None,
            "rate_burst": 1,
        } | limits
        await self.conn.fetch(query("publish_lanes"), json.dumps([given]))

    async def insert(self, kind: str = "a", **columns: Any) -> int:
        columns = {"kind": kind} | columns
        places = ", ".join(f"${i + 1}" for i in range(len(columns)))
        sql = f"insert into bellhand.jobs ({', '.join(columns)}) values ({places}) returning id"
        return int(await self.conn.fetchval(sql, *columns.values()))

    async def worker(self, name: str = "w", kinds: Sequence[str] = ("a",)) -> uuid.UUID:
        id = uuid.uuid4()
        await self.conn.fetch(
            query("register_worker"), id, name, "host", 1, "0", list(kinds), [], 10
        )
        self.positions[id] = Positions()
        return id

    async def look(self, worker: uuid.UUID) -> None:
        (row,) = await self.conn.fetch(query("look_around"), ["a"], 0)
        lanes = [
            Lane(**{**lane, "ranks": tuple(lane["ranks"])}) for lane in json.loads(row["lanes"])
        ]
        self.positions[worker].update(lanes)

    async def claim(
        self, worker: uuid.UUID, room: int = 10, *, oldest: int = 0
    ) -> list[asyncpg.Record]:
        """What a worker's claim gets, through the same positions as the daemon's."""
        await self.look(worker)
        positions = self.positions[worker]
        if positions.known:
            positions.advance(await self.conn.fetch(query("advance_hints"), *positions.columns()))
        head, *rows = await self.conn.fetch(
            query("claim"), worker, 0, room, oldest, *positions.where(room, oldest)
        )
        jobs = [row for row in rows if row["id"] is not None]
        for lane, rank in positions.took([(row["lane"], row["rank"]) for row in jobs]):
            await self.conn.fetch(query("note_rank"), lane, rank)
        self.held |= {(job["id"], job["epoch"]): (worker, head["lease"]) for job in jobs}
        return jobs

    async def ids(self, worker: uuid.UUID, room: int = 10, **options: Any) -> list[int]:
        """The ids of a claim; those of one batch have no order."""
        return sorted(row["id"] for row in await self.claim(worker, room, **options))

    async def complete(
        self, *jobs: asyncpg.Record, partial: bool = False, result: str | None = None
    ) -> list[int]:
        ids, epochs = [job["id"] for job in jobs], [job["epoch"] for job in jobs]
        n = len(jobs)
        self._freed(jobs)
        worker, leases = self._leases(jobs)
        lost = await self.conn.fetchval(
            query("settle_completed"), worker, leases, ids, epochs, [partial] * n, [result] * n,
            [None] * n, [0.0] * n, [],
        )  # fmt: skip
        return [id for id in ids if id not in (lost or [])]

    async def end(
        self, job: asyncpg.Record, outcome: str, *, wait: float = 0.0, error: str | None = None
    ) -> str | None:
        self._freed([job])
        worker, leases = self._leases([job])
        rows = await self.conn.fetch(
            query("settle_others"), worker, leases, [job["id"]], [job["epoch"]], [outcome], [wait],
            [error], [None], [0.0], [],
        )  # fmt: skip
        return rows[0]["outcome"] if rows else None

    async def beat(
        self, worker: uuid.UUID, *jobs: asyncpg.Record, lease_seconds: float = 30.0
    ) -> list[asyncpg.Record]:
        """What a heartbeat brings to a worker that runs these."""
        said = await self.conn.fetch(query("beat"), worker, len(jobs), False, lease_seconds)
        leases = [self.held[job["id"], job["epoch"]][1] for job in jobs]
        return said and said + await self.conn.fetch(
            query("stops"),
            worker,
            [job["id"] for job in jobs],
            [job["epoch"] for job in jobs],
            leases,
        )

    def _leases(self, jobs: Sequence[asyncpg.Record]) -> tuple[uuid.UUID, list[int]]:
        held = {self.held[job["id"], job["epoch"]] for job in jobs}
        (worker,) = {worker for worker, _ in held}
        return worker, [lease for _, lease in held]

    def _freed(self, jobs: Sequence[asyncpg.Record]) -> None:
        for positions in self.positions.values():
            for job in jobs:
                use = positions.lanes.get(job["lane"])
                if use is not None and use.running:
                    use.running -= 1

    async def promote(self) -> int:
        return int((await self.conn.fetch(query("promote"), 1000, None))[0]["moved"])

    async def measured(self, kind: str, seconds: float) -> None:
        """As if 30 runs of the kind had taken so long each."""
        await self.conn.execute(
            "insert into bellhand.run_times (kind, step, samples, mean, deviation, quantiles, since)"
            " values ($1, '', 30, $2, 1, array_fill($2::float8, array[41]), bellhand.now())", kind, seconds,
        )  # fmt: skip

    async def state(self, id: int) -> str:
        return str(
            await self.conn.fetchval("select state from bellhand.all_jobs where id = $1", id)
        )

    async def see(self, id: int) -> asyncpg.Record:
        row = await self.conn.fetchrow("select * from bellhand.all_jobs where id = $1", id)
        assert row is not None, f"job {id} is gone"
        return row


@pytest.fixture
async def desk(conn: asyncpg.Connection) -> Desk:
    """A desk at nine in the morning, with one kind."""
    made = Desk(conn)
    await made.at("2030-01-07 09:00Z")
    await made.publish("a")
    return made
