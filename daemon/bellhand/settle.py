"""Gather how attempts ended and write it down in durable batches.

Whatever ends while a batch is on its way goes out with the next one: under load one commit carries hundreds of outcomes,
at rest each goes at once. A batch is written again until Postgres has accepted or fenced every job of it, so a lost
answer to a commit does no harm: what was accepted the first time finds no row the second time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

from .bell import Bell
from .db import Again, Away, Backoff, Trouble, describe
from .job import Job
from .outcomes import DONE, Completed, Ended, storable
from .store import Store

log = structlog.get_logger()
Settled = Callable[[Job, str, Completed | Ended], None]

# What an outcome can be guilty of itself; whatever else Postgres refuses it for is the server's trouble, and passes.
_UNSTORABLE = (
    ValueError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError,
)  # fmt: skip


class Settler:
    """Writes down outcomes; `on_settled(job, outcome, end)` is told of each that Postgres has accepted, `on_written` of a batch."""

    def __init__(
        self,
        store: Store,
        *,
        batch_max: int,
        random: Callable[[], float],
        on_settled: Settled,
        on_written: Callable[[], None] = lambda: None,
        logged_seconds: float = 1.0,
    ) -> None:
        self.store = store
        self.batch_max = batch_max
        self.on_settled = on_settled
        self.on_written = on_written
        self.logged_seconds = logged_seconds
        self.backoff = Backoff(random)
        self.waiting: list[tuple[Job, Completed | Ended]] = []
        self.writing: list[tuple[Job, Completed | Ended]] = []
        self.leases: dict[int, int] = {}  # lease -> jobs of it that are not settled
        self.ended_leases: list[int] = []
        self.bell = Bell()
        self.idle = asyncio.Event()
        self.idle.set()

    def leased(self, lease: int, jobs: int) -> None:
        """So many jobs came with this lease."""
        if jobs:
            self.leases[lease] = jobs
        else:  # somebody deleted its jobs by hand
            self.ended_leases.append(lease)

    def add(self, job: Job, end: Completed | Ended) -> None:
        """Write this down soon; `lost` is written nowhere."""
        self.waiting.append((job, end))
        self.idle.clear()
        self.bell.ring()

    @property
    def backlog(self) -> int:
        """How many outcomes are not yet durable."""
        return len(self.waiting) + len(self.writing)

    def unsettled(self) -> set[int]:
        """The leases of those outcomes."""
        return {job.lease for job, _ in (*self.waiting, *self.writing)}

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            while self.waiting:
                batch, self.waiting = self.waiting[: self.batch_max], self.waiting[self.batch_max :]
                self.writing = batch
                await self._write(batch)
                self.writing = []
                self.on_written()
            self.idle.set()
            await self.bell.wait(3600.0)

    async def _write(self, batch: list[tuple[Job, Completed | Ended]]) -> None:
        done: list[tuple[Job, Completed]] = []
        others: list[tuple[Job, Ended]] = []
        for lease, jobs in Counter([job.lease for job, _ in batch]).items():
            self._release(lease, jobs)
        for job, end in batch:
            if job.settled:
                self._completed(job, "completed", end)
            elif isinstance(end, Completed):
                done.append((job, end))
            elif end.outcome == "lost":
                self.on_settled(job, "lost", end)
            else:
                others.append((job, end))
        # The leases that end with this batch go with its last statement, never before their jobs are settled.
        leases, self.ended_leases = self.ended_leases, []
        if others:
            await self._persist(self._write_others, others, [] if done else leases)
        if done or (not others and leases):
            await self._persist(self._write_done, done, leases)

    def _release(self, lease: int, jobs: int) -> None:
        left = self.leases[lease] - jobs
        if left:
            self.leases[lease] = left
        else:
            del self.leases[lease]
            self.ended_leases.append(lease)

    async def _persist(
        self, write: Callable[[list[Any], list[int]], Any], jobs: list[Any], leases: list[int]
    ) -> None:
        """Write until accepted or fenced, whatever the database is doing."""
        while True:
            try:
                # One that was put back keeps its lease, which its neighbours must not end.
                await write(jobs, [lease for lease in leases if lease not in self.leases])
            except (Trouble, asyncpg.PostgresError, ValueError) as error:
                # One of them may hold what Postgres cannot store, or belong where it cannot read. Halve until it stands alone.
                if len(jobs) > 1:
                    middle = len(jobs) // 2
                    await self._persist(write, jobs[:middle], [])
                    await self._persist(write, jobs[middle:], leases)
                elif jobs and isinstance(jobs[0][1], Completed) and isinstance(error, _UNSTORABLE):
                    log.error("outcome_unstorable", job=jobs[0][0].id, error=describe(error))
                    end = Ended(
                        "fail", storable(f"the result could not be stored: {describe(error)}")
                    )
                    await self._persist(self._write_others, [(jobs[0][0], end)], leases)
                else:
                    await self._put_back(jobs, leases, error)
                return
            except (Away, Again) as error:
                wait = self.backoff.next_seconds()
                if self.backoff.tries == 1:
                    log.warning(
                        "settle_delayed",
                        jobs=len(jobs),
                        error=str(error),
                        wait_seconds=round(wait, 2),
                    )
                await asyncio.sleep(wait)
            else:
                self.backoff.reset()
                return

    async def _put_back(self, jobs: list[Any], leases: list[int], error: Exception) -> None:
        """Behind all that waits, so that others go on: no trouble of the server's may cost a job what came of it."""
        wait = self.backoff.next_seconds()
        log.error("outcome_refused", jobs=[job.id for job, _ in jobs], error=describe(error), wait_seconds=round(wait, 2),
                  note="it is written again until it is taken")  # fmt: skip
        for job, _ in jobs:
            self.leases[job.lease] = self.leases.get(job.lease, 0) + 1
        self.waiting += jobs
        self.ended_leases += [lease for lease in leases if lease not in self.leases]
        await asyncio.sleep(wait)

    async def _write_done(self, jobs: list[tuple[Job, Completed]], leases: list[int]) -> None:
        # What is the same for all, or absent from all, is said once: encoding it a thousand times costs more than the rest.
        epochs = [job.epoch for job, _ in jobs]
        told = any(end is not DONE for _, end in jobs)
        shown = any(job.__dict__ for job, _ in jobs)
        lost = await self.store.settle_completed(
            list({job.lease for job, _ in jobs}), [job.id for job, _ in jobs],
            epochs if min(epochs) != max(epochs) else epochs[:1],
            [end.partial for _, end in jobs] if told else [], [end.result for _, end in jobs] if told else [],
            [job.progress_json() for job, _ in jobs] if shown else [], [job.ran_seconds for job, _ in jobs], leases,
        ) if jobs else await self.store.settle_completed([], [], [], [], [], [], [], leases)  # fmt: skip
        for job, end in jobs:
            if job.id in lost:
                self.on_settled(job, "lost", end)
            else:
                self._completed(job, "partial" if end.partial else "completed", end)

    def _completed(self, job: Job, outcome: str, end: Completed | Ended) -> None:
        # A line a job would cost more than the job, where jobs are short.
        if job.ran_seconds >= self.logged_seconds:
            log.info("attempt_ended", job=job.id, kind=job.kind, lane=job.lane, attempt=job.attempt,
                     outcome=outcome, seconds=round(job.ran_seconds, 3))  # fmt: skip
        self.on_settled(job, outcome, end)

    async def _write_others(self, jobs: list[tuple[Job, Ended]], leases: list[int]) -> None:
        became = await self.store.settle_others(
            list({job.lease for job, _ in jobs}), [job.id for job, _ in jobs], [job.epoch for job, _ in jobs],
            [end.outcome for _, end in jobs], [end.wait_seconds for _, end in jobs], [end.error for _, end in jobs],
            [job.progress_json(ended=True) for job, _ in jobs], [job.ran_seconds for job, _ in jobs], leases,
        )  # fmt: skip
        for job, end in jobs:
            outcome = became.get(job.id, "lost")
            # What is put aside never began, and among daemons that share a lane and not its kinds that happens all the time.
            say = log.debug if outcome == "park" else log.info
            say("attempt_ended", job=job.id, kind=job.kind, lane=job.lane, attempt=job.attempt, outcome=outcome, seconds=round(job.ran_seconds, 3),
                wait_seconds=round(end.wait_seconds, 3), error=end.error[-2000:] if end.error else None)  # fmt: skip
            self.on_settled(job, outcome, end)
