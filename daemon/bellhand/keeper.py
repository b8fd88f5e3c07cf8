"""The chores beside the loop: each `every(seconds, chore)`, each harmless when several daemons do it at once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any

import asyncpg
import structlog

from .bell import Bell
from .cron import due_ticks, late_ticks
from .db import Again, Away, Backoff, describe
from .kinds import Kind
from .metrics import Metrics
from .settings import Retention
from .stats import Tally
from .store import Store, Surroundings

log = structlog.get_logger()

PROMOTE_LIMIT = 5000
PROMOTE_SECONDS = 30.0  # jobs due within that ring, see jobs_inserted.sql
AWAKE_LOOK_SECONDS = 1.0  # nobody rings for those who are awake, nor for the deaf
FULL_LOOK_APART_SECONDS = 1.0
SAMPLE_SECONDS, SAMPLE_SECONDS_MAX, SAMPLE_APART = 15.0, 60.0, 20
DATABASE_SAMPLE_SECONDS = 60.0
LOOK_SECONDS = 10.0
QUIET_SECONDS = 30.0  # between looks while nothing happens here: what matters then rings
GARBAGE_SECONDS = 60.0
# Between turns of what is learned; at rest rarely, since whatever is counted here wakes all of it.
LEARN_SECONDS, LEARN_QUIET_SECONDS = 15.0, 120.0


async def every(
    seconds: float, chore: Callable[[], Awaitable[Any]], bell: Bell, random: Callable[[], float]
) -> None:
    """Do a chore for ever: after what it returns in seconds (None: `seconds`), or when the bell rings; errors are logged once
    an outage, and the chore tried again."""
    backoff = Backoff(random, first_seconds=0.5, max_seconds=10.0)
    while True:
        try:
            wait = await chore()
            backoff.reset()
        except (Away, Again, asyncpg.PostgresError) as error:
            wait = backoff.next_seconds()
            if backoff.tries == 1 or not isinstance(error, Away | Again):
                log.warning(
                    "chore_failed", chore=getattr(chore, "__name__", "?"), error=describe(error)
                )
        await bell.wait(seconds if wait is None else min(wait, seconds))


class Keeper:
    """The chores of one daemon; `hear` is told what changed around, `at_rest` says whether looks may be rarer."""

    def __init__(
        self, store: Store, kinds: Mapping[str, Kind], *, canary_seconds: float, lease_seconds: float, crashes_max: int, retention: Retention,
        hear: Callable[[Surroundings], None], at_rest: Callable[[], bool], metrics: Metrics, tally: Tally,
        random: Callable[[], float], clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self.store = store
        self.kinds = list(kinds)
        self.step_seconds = [kind.step_timeout_seconds for kind in kinds.values()]
        self.canary_seconds = canary_seconds  # 0: none
        self.tells = any(kind.startswith("notify.") for kind in kinds)
        self.lease_seconds = lease_seconds
        self.crashes_max = crashes_max
        self.retention = retention
        self.hear = hear
        self.at_rest = at_rest  # nothing runs, and what happens will ring
        self.metrics = metrics
        self.tally = tally
        self.random = random
        self.promote_bell = Bell()
        self.look_bell = Bell()
        self.cron_bell = Bell()
        self.rescue_bell = Bell()
        self.canary_bell = Bell()
        learners = self.group_failures, self.gather_stats, self.measure_runs, self.keep_score
        self.learn_bells = {learn: Bell() for learn in learners}
        self.clock = clock
        self.full_look_at = 0.0
        self.promote_timer: asyncio.Handle | None = None
        self.promote_at = 0.0  # uvloop's handles do not all know when
        self.promoted_upto: datetime | None = None

    def chores(self) -> list[Coroutine[Any, Any, None]]:
        """Everything to run side by side for the life of the daemon."""
        chores = [
            every(QUIET_SECONDS, self.look_around, self.look_bell, self.random),
            every(PROMOTE_SECONDS, self.promote, self.promote_bell, self.random),
            every(600.0, self.fire_schedules, self.cron_bell, self.random),
            every(300.0, self.rescue, self.rescue_bell, self.random),
            every(3600.0, self.retire, Bell(), self.random),
            every(15.0, self.write_stats, Bell(), self.random),
            every(SAMPLE_SECONDS_MAX, self.sample, Bell(), self.random),
            every(DATABASE_SAMPLE_SECONDS, self.sample_database, Bell(), self.random),
            # Each for itself: one that runs into its time limit keeps none of the others from theirs.
            *(
                every(LEARN_QUIET_SECONDS, learn, bell, self.random)
                for learn, bell in self.learn_bells.items()
            ),
            every(GARBAGE_SECONDS, self.collect_garbage, Bell(), self.random),
        ]
        if self.canary_seconds:
            canaries = every(self.canary_seconds, self.keep_canaries, self.canary_bell, self.random)
            chores.append(canaries)
        return chores

    def somebody_is_silent(self) -> None:
        """The heartbeat saw a worker that stopped beating."""
        self.rescue_bell.ring()

    def due_in(self, seconds: float) -> None:
        """A job will be due then: do not sleep through it."""
        loop = asyncio.get_running_loop()
        at = loop.time() + max(0.0, seconds)
        if self.promote_timer is not None and self.promote_at <= at:
            return  # that look will find when the next one is due
        if self.promote_timer is not None:
            self.promote_timer.cancel()
        self.promote_timer, self.promote_at = loop.call_at(at, self._promote_now), at

    def _promote_now(self) -> None:
        self.promote_timer = None
        self.promote_bell.ring()

    async def collect_garbage(self) -> None:
        """Failures leave cycles, and app.py lets 200,000 objects gather: 30 MB, which a quiet daemon would keep for hours."""
        gc.collect(1)

    async def look_around(self) -> float | None:
        """Hear of lanes, pauses and the next tick; parked jobs are put back on the way."""
        surroundings = await self.store.look_around(self.kinds)
        if surroundings.unparked:
            log.info("jobs_unparked", jobs=surroundings.unparked)
        self.hear(surroundings)
        tick = surroundings.next_tick_seconds
        if tick is not None and tick < QUIET_SECONDS:
            asyncio.get_running_loop().call_later(max(0.0, tick), self.cron_bell.ring)
        return QUIET_SECONDS if self.at_rest() else LOOK_SECONDS

    async def promote(self) -> float:
        """Move jobs whose time has come; returns seconds until the next one, or until a full look."""
        # A commit may have landed behind where the last look ended, so everything is looked at again and again; where
        # that is slow (dead entries that a pinned horizon keeps) it gets a tenth of the time.
        # Asked before the look: what it does not see rang, or will.
        longest = PROMOTE_SECONDS if self.at_rest() else AWAKE_LOOK_SECONDS
        started = self.clock()
        full = started >= self.full_look_at
        moved, next_seconds, upto = await self.store.promote(
            PROMOTE_LIMIT, None if full else self.promoted_upto
        )
        if moved == PROMOTE_LIMIT:
            return 0.0
        self.promoted_upto = upto
        if full:
            self.full_look_at = self.clock() + max(
                FULL_LOOK_APART_SECONDS, 10 * (self.clock() - started)
            )
        wait = longest if next_seconds is None else min(longest, max(0.001, next_seconds))
        return wait if full else min(wait, max(0.0, self.full_look_at - self.clock()))

    async def fire_schedules(self) -> float | None:
        """Enqueue the ticks that have come; a schedule that makes no sense is marked, the others go on."""
        for row in await self.store.due_schedules():
            try:
                ticks, next_at = due_ticks(
                    row["cron"],
                    row["timezone"],
                    expected=row["next_at"],
                    now=row["now"],
                    missed=row["missed"],
                    missed_max=row["missed_max"],
                )
                late = late_ticks(row["cron"], row["timezone"], row["next_at"], row["now"])
                fired = await self.store.fire_schedule(row["name"], row["next_at"], ticks, next_at)
            except (ValueError, asyncpg.PostgresError) as error:
                log.error("schedule_failed", schedule=row["name"], error=describe(error))
                await self.store.schedule_error(row["name"], describe(error), row["next_at"])
                continue
            # Of several daemons one fires, and counts; one that leaves all ticks out fires none.
            if fired or not ticks:
                self.metrics.schedule_missed(row["name"], late)
            if fired:
                log.info("schedule_fired", schedule=row["name"], jobs=fired, next_at=str(next_at))
        self.look_bell.ring()
        return None

    async def rescue(self) -> float | None:
        """Take back the jobs of lost workers, and now and then leases that name none."""
        for lost in await self.store.rescue(self.lease_seconds, self.crashes_max):
            log.warning(
                "worker_lost", worker=lost["name"], jobs=lost["jobs"], failed=lost["failed"]
            )
            self.metrics.rescued("worker_lost", lost["jobs"])
        orphans = await self.store.rescue_orphans(self.crashes_max)
        if orphans:
            log.warning("orphans_rescued", jobs=orphans)
            self.metrics.rescued("lease_expired", orphans)
        return None

    async def retire(self) -> float | None:
        """Make history partitions ahead and drop what retention no longer keeps."""
        await self.store.prepare_history()
        while dropped := await self.store.drop_history(self.retention.history_days):
            log.info("history_dropped", partition=dropped)
        while await self.store.delete_old(self.retention.events_days, self.retention.stats_days):
            pass
        while await self.store.delete_usage(self.retention.usage_days):
            pass
        while await self.store.forget_failures(self.retention.history_days):
            pass
        return None

    async def sample(self) -> float | None:
        """Refresh the lanes' gauges, so that a scrape runs no SQL."""
        gauges, started = self.metrics.sampled, self.clock()
        try:
            rows = await self.store.sample_lanes(self.kinds, self.step_seconds)
        except (Away, Again, asyncpg.PostgresError):
            gauges.errors += 1
            raise
        gauges.seconds = self.clock() - started
        if rows:
            gauges.set_lanes(rows, rows[0]["sampled_at"])
        if self.tells:
            self.metrics.set_channels(await self.store.channels())
        # Deep backlogs take their time to count, in every daemon: never more than a twentieth of one connection's.
        apart = QUIET_SECONDS if self.at_rest() else SAMPLE_SECONDS
        return max(apart, SAMPLE_APART * gauges.seconds)

    async def sample_database(self) -> float | None:
        """Refresh the gauges of tables, transactions and schedules."""
        found = await self.store.sample_database(self.retention.history_days)
        self.metrics.sampled.set_database(found)
        for name in self.metrics.sampled.schedules():
            self.metrics.schedule_missed(name, 0)
        return None

    async def keep_canaries(self) -> float | None:
        """Take in the canaries that came back, send the next ones."""
        await self.store.keep_canaries(self.canary_seconds)
        return None

    async def group_failures(self) -> float | None:
        """Put what failed into groups."""
        return 0.1 if await self.store.group_failures() else self._learning_seconds()

    async def gather_stats(self) -> float | None:
        """Add up what all workers counted of a minute that is over."""
        return 0.1 if await self.store.gather_stats() else self._learning_seconds()

    async def measure_runs(self) -> float | None:
        """Measure how long kinds take."""
        await self.store.measure_runs()
        return self._learning_seconds()

    async def keep_score(self) -> float | None:
        """Judge what was foretold."""
        for row in await self.store.keep_score():
            what, held, error, judged = row
            self.metrics.set_calibration(what, held, error, judged)
        return self._learning_seconds()

    def _learning_seconds(self) -> float:
        return LEARN_QUIET_SECONDS if self.at_rest() else LEARN_SECONDS

    async def write_stats(self) -> float | None:
        """Write down the counts of the last seconds."""
        columns = self.tally.take()
        if columns is not None:
            try:
                await self.store.add_stats(*columns)
            except (Away, Again):
                self.tally.put_back(columns)
                raise
            for bell in self.learn_bells.values():
                bell.ring()
        return None
