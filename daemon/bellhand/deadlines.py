"""One clock for the timeouts of everything that runs.

Jobs of one timeout expire in the order they started, so a queue a timeout is enough: arming and disarming cost a
dictionary entry each, where `asyncio.timeout` costs several microseconds a job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .job import Job


class Deadlines:
    """Calls `expire(job)` once a job has run for the seconds it was armed with."""

    def __init__(self, clock: Callable[[], float], expire: Callable[[Job], None]) -> None:
        self.clock = clock
        self.expire = expire
        self.queues: dict[float, dict[Job, float]] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.timer_at = float("inf")

    def arm(self, job: Job, seconds: float, now: float) -> None:
        """Let the job expire `seconds` after `now`."""
        at = now + seconds
        queue = self.queues.get(seconds)
        if queue is None:
            queue = self.queues[seconds] = {}
        queue[job] = at
        if at < self.timer_at:
            self._set_timer(at)

    def disarm(self, job: Job, seconds: float) -> None:
        """The job ended in time."""
        queue = self.queues.get(seconds)
        if queue is not None:
            queue.pop(job, None)

    def _set_timer(self, at: float) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer_at = at
        self.timer = asyncio.get_running_loop().call_later(max(0.0, at - self.clock()), self._tick)

    def _tick(self) -> None:
        now = self.clock()
        self.timer, self.timer_at = None, float("inf")
        late: list[Job] = []
        for seconds, queue in list(self.queues.items()):
            while queue:
                job, at = next(iter(queue.items()))
                if at > now:
                    break
                del queue[job]
                late.append(job)
            if not queue:
                del self.queues[seconds]
        for job in late:
            self.expire(job)
        heads = [next(iter(queue.values())) for queue in self.queues.values() if queue]
        if heads and min(heads) < self.timer_at:
            self._set_timer(min(heads))
