"""Jobs that one more crash would fail: each runs alone, so that it is known whose crash it was."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping

import structlog

from .db import Again, Away
from .job import Job
from .store import Store

log = structlog.get_logger()


class Suspects:
    """Those of one worker. `begin` makes tasks of jobs, `running` is what it has in hand, `leaves` whether it hands back what waits."""

    def __init__(
        self, store: Store, begin: Callable[[list[Job]], None], running: Mapping[int, Job], leaves: Callable[[], bool]
    ) -> None:  # fmt: skip
        self.store = store
        self.begin = begin
        self.running = running
        self.leaves = leaves
        self.waiting: deque[Job] = deque()  # for the one that runs
        self.alone: Job | None = None
        self.noting: asyncio.Task[None] | None = None

    @property
    def any(self) -> bool:
        """Whether there are some: then nothing is claimed beside them."""
        return bool(self.waiting) or self.alone is not None

    def add(self, jobs: Iterable[Job], beside: list[Job]) -> None:
        """Take in claimed ones, and begin what was claimed beside them; the first of them begins when nothing else runs."""
        self.waiting.extend(jobs)
        if self.waiting:
            self.noting = asyncio.get_running_loop().create_task(self._note_waiting(beside))
            self.next()
        else:
            self.begin(beside)

    def ended(self, job: Job) -> None:
        """A job is over."""
        if job is self.alone:
            self.alone = None
        if self.waiting:
            self.next()

    def next(self) -> None:
        """Begin the next one if nothing runs, and those that were told to stop at once."""
        waiting, self.waiting = self.waiting, deque()
        for job in waiting:
            if self.leaves():
                job.stop_now("drain")
            if job.stopping is None:
                self.waiting.append(job)
            else:
                self.begin([job])
        if self.alone is None and self.waiting and len(self.running) == len(self.waiting):
            self.alone = self.waiting.popleft()
            self.alone.task = asyncio.get_running_loop().create_task(self._run(self.alone))

    async def _note_waiting(self, beside: list[Job]) -> None:
        """They have not begun: should the worker die, it was none of them. What may be its death begins once that is written."""
        try:
            await self.store.suspects(None, [job.id for job in self.waiting])
        except (Away, Again) as error:
            log.warning("suspects_not_noted", error=str(error))
        self.begin(beside)

    async def _run(self, job: Job) -> None:
        job.begun = True
        try:
            if job.stopping is None:
                await self.store.suspects(job.id, [other.id for other in self.waiting])
        except (Away, Again, asyncio.CancelledError) as error:
            # It is told to stop, or nobody would know whom to blame.
            job.stop_now("silence")
            log.info("suspect_not_begun", job=job.id, kind=job.kind, why=str(error) or job.stopping)
        job.begun = False  # a task of its own carries it from here
        self.begin([job])
