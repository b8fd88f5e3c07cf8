"""The job tables as the daemon uses them: one method per file in sql/queries.

Claims commit asynchronously: a completion that is durable makes its claim durable too (WAL is ordered), and a claim lost
in a server crash leaves the job ready. Completions commit synchronously, always.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from .db import TROUBLE, Database, HandlerPool, Link
from .sql import query

LINES_SECONDS = 7.0  # its statement timeout, and the way
PARTITIONS_AHEAD_DAYS = 7
# Behind a pooler that keeps our connections through a crash of the server, what was learned is believed so long.
POOLED_SECONDS = 10.0
Life = tuple[int, int]  # the number of a connection, and behind such a pooler of a stretch of time


def _life(link: Link) -> Life:
    pooled = link.database.pooled
    return link.opened, int(asyncio.get_running_loop().time() / POOLED_SECONDS) if pooled else 0


@dataclass(slots=True)
class Swept:
    """From which transaction on dependencies are looked at again (`since`).

    A parent's end looks for children before it commits, and one that commits in between is seen by neither. So a child is left
    out only once a look has seen it and everything that ran at that look is over, of which a later look has seen the end.
    """

    since: int = 0
    seen: int = 0  # a look saw all that is older
    until: int = 0  # and what ran at that look is older than this
    life: Life | None = None

    def looked(self, life: Life, oldest: int, unused: int) -> None:
        """A look began with `oldest` as the oldest transaction running, and ended with `unused` as the next id."""
        if life != self.life:  # a crash of the server gives ids of lost transactions to others
            self.life, self.since, self.seen, self.until = life, 0, 0, 0
        elif oldest >= self.until:
            self.since, self.seen, self.until = self.seen, oldest, unused


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane as the database has it."""

    id: int
    name: str
    concurrency: int | None
    rate_per_second: float | None
    ranks: tuple[int, ...]
    paused: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a worker hears now and then."""

    lanes: list[Lane]
    paused_kinds: frozenset[str]
    next_tick_seconds: float | None
    unparked: int


class Store:
    """Every statement the daemon runs on the job tables; each may raise Away or Again."""

    def __init__(self, database: Database, pool: HandlerPool) -> None:
        self.links = database.links  # of the whole process
        self.pool = pool
        self.worker: UUID | None = None  # who claims and settles here; set by the worker
        self.generation = 0  # of its claims
        # All jobs wait while a claim waits for a lane's row lock.
        self.claims = database.link("claim", synchronous_commit="off", lock_timeout="1000")
        self.settles = database.link("settle", synchronous_commit="on")
        self.chores = database.link("keep")
        # Apart, since the other chores are waited for; and what cannot be learned in so long is left.
        self.learning = database.link("learn", statement_timeout="5000")
        # Apart, opened by the first line that a handler logs, and not waited for by any commit.
        self.lines = database.link("log", synchronous_commit="off", statement_timeout="5000")
        # Apart: counting a deep backlog must not hold up a rescue.
        self.sampling = database.link("sample")
        self.swept = Swept()

    # -- the hot path ------------------------------------------------------------------------------------------------

    async def claim(
        self, room: int, oldest: int, where: Sequence[Any], asleep_seconds: float | None = None
    ) -> list[Record]:
        """Claim up to `room` jobs; `where` is what Positions.where() gives. The first row is no job: `lease`, `xmin`.

        `asleep_seconds`: say too that we sleep for so long; each row then has what fall_asleep returns.
        """
        given = self.worker, self.generation, room, oldest, *where
        if asleep_seconds is None:
            return await self.claims.fetch(query("claim"), *given)
        return await self.claims.fetch(query("claim_asleep"), *given, asleep_seconds)

    @property
    def claims_life(self) -> Life:
        """What was learned by claims holds as long as this stays the same."""
        return _life(self.claims)

    async def hand_back_unknown(self, *columns: Any) -> tuple[int, list[int]]:
        """After an outage: ids and epochs that run, leases known; how many jobs went back, which are lost."""
        (row,) = await self.claims.fetch(query("hand_back_unknown"), self.worker, *columns)
        self.generation = row["generation"] or 0
        return row["handed_back"], row["lost"]

    async def advance_hints(
        self, lanes: list[int], ranks: list[int], xids: list[int], ids: list[int]
    ) -> list[Record]:
        """The claim positions, moved forward."""
        return await self.claims.fetch(query("advance_hints"), lanes, ranks, xids, ids)

    async def note_rank(self, lane: int, rank: int) -> None:
        """Tell every worker that this rank is in use."""
        await self.claims.fetch(query("note_rank"), lane, rank)

    async def settle_completed(self, *columns: list[Any]) -> set[int]:
        """Settle: leases held, ids, epochs, partial, results, progress, run seconds, leases ended; the ids that were lost."""
        return set(
            await self.settles.fetchval(query("settle_completed"), self.worker, *columns) or ()
        )

    async def settle_others(self, *columns: list[Any]) -> dict[int, str]:
        """Settle: leases held, ids, epochs, outcomes, waits, errors, progress, run seconds, leases ended; what became of each."""
        rows = await self.settles.fetch(query("settle_others"), self.worker, *columns)
        return {row[0]: row[1] for row in rows}

    async def save_progress(self, ids: list[int], epochs: list[int], progress: list[str]) -> None:
        """Save the progress of running jobs."""
        await self.settles.fetch(query("save_progress"), ids, epochs, progress)

    async def add_job_lines(self, columns: Callable[[], list[list[Any]]]) -> None:
        """Write what jobs logged: jobs, epochs, attempts, first and last numbers, bytes, lines; asked for once there is
        a connection, since they say how long ago each was."""
        async with self.lines.held() as connection:
            try:
                await connection.fetch(query("add_job_lines"), *columns(), timeout=LINES_SECONDS)
            except TROUBLE:
                connection.terminate()  # what only this session has wrong passes with it
                raise

    async def trim_job_lines(self, jobs: list[int], lines_max: int, bytes_max: int) -> None:
        """Keep only the newest of what they logged."""
        await self.lines.fetch(query("trim_job_lines"), jobs, lines_max, bytes_max)

    async def ring_others(self) -> None:
        """Ring for workers that sleep while this one is awake and full."""
        await self.claims.fetch(query("ring_others"))

    # -- sleeping ----------------------------------------------------------------------------------------------------

    async def fall_asleep(self, seconds: float) -> tuple[int, int, bool]:
        """Say that we sleep: the token that wake_up takes, the transaction id that proves the silence, whether the flag was up."""
        (row,) = await self.claims.fetch(query("fall_asleep"), seconds)
        return row["token"], row["xid"], row["was_up"]

    async def wake_up(self, token: int) -> None:
        """Say that we are awake."""
        await self.claims.fetch(query("wake_up"), token)

    # -- the worker's own row ----------------------------------------------------------------------------------------

    async def register_worker(self, *columns: Any) -> None:
        """Enter: name, host, pid, version, kinds, lanes, capacity."""
        await self.chores.fetch(query("register_worker"), self.worker, *columns)

    async def drain(self, reason: str) -> None:
        """Stay drained under a new name."""
        own = str(self.worker)
        await self.chores.fetch(query("drain_worker"), own, reason or None, "bellhand")

    async def start_draining(self) -> None:
        """Say that the process goes down."""
        await self.chores.fetch(query("start_draining"), self.worker)

    async def note_deploy(self, code: str) -> bool:
        """Say which code this worker runs; whether that is a deploy."""
        return bool((await self.chores.fetch(query("note_deploy"), self.worker, code))[0][0])

    async def suspects(self, running: int | None, waiting: list[int]) -> None:
        """Write down which job runs alone, to be blamed alone for a death of the worker, and which wait for their turn."""
        await self.chores.fetch(query("suspects"), self.worker, running, waiting)

    async def retire_worker(self) -> int:
        """Leave; returns how many jobs were handed back."""
        return int(await self.settles.fetchval(query("retire_worker"), self.worker) or 0)

    async def publish(
        self,
        kinds: list[dict[str, Any]],
        lanes: list[dict[str, Any]],
        schedules: list[dict[str, Any]],
    ) -> None:
        """Publish what this daemon's code and configuration say."""
        await self.chores.fetch(query("publish_lanes"), json.dumps(lanes))
        await self.chores.fetch(query("publish_kinds"), json.dumps(kinds))
        await self.chores.fetch(query("publish_schedules"), json.dumps(schedules))

    async def publish_channels(
        self, channels: list[dict[str, Any]], subscriptions: list[dict[str, Any]]
    ) -> None:
        """Publish who is told what, without addresses and keys."""
        await self.chores.fetch(
            query("publish_channels"), json.dumps(channels), json.dumps(subscriptions)
        )

    async def set_meta(self, name: str, value: str) -> None:
        """Write a setting that the insert trigger reads."""
        await self.chores.fetch(query("set_meta"), name, value)

    # -- chores ------------------------------------------------------------------------------------------------------

    async def look_around(self, kinds: list[str]) -> Surroundings:
        """Hear what changed; puts parked jobs back and sweeps dependencies on the way."""
        (row,) = await self.chores.fetch(query("look_around"), kinds, self.swept.since)
        unused = row["bound"] + await self.chores.fetchval(query("ids_since"), row["bound"])
        self.swept.looked(_life(self.chores), row["bound"], unused)
        lanes = [
            Lane(**{**lane, "ranks": tuple(lane["ranks"])})
            for lane in json.loads(row["lanes"] or "[]")
        ]
        return Surroundings(
            lanes, frozenset(row["paused_kinds"]), row["next_tick_seconds"], row["unparked"] or 0
        )

    async def rescue(self, lease_seconds: float, crashes_max: int) -> list[Record]:
        """Take back the jobs of lost workers; one row a worker: worker, name, jobs, failed."""
        return await self.chores.fetch(query("rescue"), lease_seconds, crashes_max, self.worker)

    async def rescue_orphans(self, crashes_max: int) -> int:
        """Take back leases that name no worker."""
        return int(await self.chores.fetchval(query("rescue_orphans"), crashes_max) or 0)

    async def promote(
        self, limit: int, after: datetime | None
    ) -> tuple[int, float | None, datetime]:
        """Move due jobs to the queue: how many, seconds until the next, and where to look from next time."""
        (row,) = await self.chores.fetch(query("promote"), limit, after)
        return row["moved"], row["next_seconds"], row["upto"]

    async def due_schedules(self) -> list[Record]:
        """Schedules whose tick has come."""
        return await self.chores.fetch(query("due_schedules"))

    async def fire_schedule(
        self, name: str, expected: datetime | None, ticks: list[datetime], next_at: datetime | None
    ) -> int:
        """Enqueue ticks, each once ever."""
        return int(
            await self.chores.fetchval(query("fire_schedule"), name, expected, ticks, next_at)
        )

    async def schedule_error(self, name: str, error: str, expected: datetime | None) -> None:
        """Note what is wrong with a schedule that waited for this tick."""
        await self.chores.fetch(query("schedule_error"), name, error, expected)

    async def prepare_history(self) -> None:
        """Make the partitions of history for the days to come."""
        await self.chores.fetch(query("prepare_history"), PARTITIONS_AHEAD_DAYS)

    async def drop_history(self, days: int) -> str | None:
        """Drop one old partition; None when none is left."""
        name: str | None = await self.chores.fetchval(query("drop_history"), days)
        return name

    async def delete_old(self, events_days: int, stats_days: int) -> int:
        """Delete a batch of old events, stats and ticks."""
        return int(await self.chores.fetchval(query("delete_old"), events_days, stats_days))

    async def delete_usage(self, days: int) -> int:
        """Delete a batch of old usage of outside services, and of answers kept from them."""
        return int(await self.chores.fetchval(query("delete_usage"), days))

    async def forget_failures(self, days: int) -> int:
        """Forget a batch of old failures and bulk operations."""
        return int(await self.chores.fetchval(query("forget_failures"), days))

    async def group_failures(self) -> bool:
        """Put failures into their groups; whether more are left."""
        return bool(await self.learning.fetchval(query("group_failures")))

    async def gather_stats(self) -> bool:
        """Add up minutes that several workers counted; whether more are left."""
        return bool(await self.learning.fetchval(query("gather_stats")))

    async def measure_runs(self) -> None:
        """Measure how long runs of some kinds take."""
        await self.learning.fetch(query("measure_runs"))

    async def keep_score(self) -> list[Record]:
        """Judge and foretell; how well it went this week: what, held_ratio, error_ratio, judged."""
        rows = await self.learning.fetch(query("keep_score"))
        return [row for row in rows if row["what"] is not None]

    async def rebuild_queue(self) -> int | None:
        """Rebuild the queue after a move to another cluster; None when there was no need."""
        placed: int | None = await self.chores.fetchval(query("rebuild_queue"))
        return placed

    async def sample_lanes(
        self, kinds: list[str], step_seconds: list[float | None]
    ) -> list[dict[str, Any]]:
        """Every lane with what it holds, for the gauges; the timeouts of the steps of the kinds."""
        rows = await self.sampling.fetch(query("sample_lanes"), kinds, step_seconds)
        return [dict(row) for row in rows]

    async def sample_database(self, history_days: int) -> dict[str, Any]:
        """Sizes, the oldest transaction, schedules, for the gauges."""
        (row,) = await self.sampling.fetch(query("sample_database"), history_days)
        return dict(row)

    async def keep_canaries(self, seconds: float) -> None:
        """Take in the canaries that came back, and send the next ones after so long."""
        await self.chores.fetch(query("keep_canaries"), seconds)

    async def channels(self) -> dict[str, int]:
        """How many channels are ok, failing and disabled."""
        (row,) = await self.chores.fetch(query("channel_states"))
        return dict(row)

    async def add_stats(self, worker: UUID, *columns: list[Any]) -> None:
        """Add counts: kinds, outcomes, jobs, wait seconds, run seconds, histograms."""
        await self.chores.fetch(query("add_stats"), worker, *columns)

    # -- steps, on the handlers' connections -------------------------------------------------------------------------

    async def steps(self, job: int) -> list[Record]:
        """The steps of a job, in order."""
        return await self.pool.fetch(query("steps"), job)

    async def finish_step(self, *columns: Any) -> bool:
        """Write a step: job, epoch, name, position, state, result, counters, error, for good, progress, seconds,
        lease; False if the lease is lost."""
        *what, lease = columns
        return bool(await self.pool.fetch(query("finish_step"), *what, self.worker, lease))
