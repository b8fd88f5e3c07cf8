"""Counts how attempts ended, a batch at a time: for Prometheus, and for bellhand.stats."""

from __future__ import annotations

from collections import defaultdict

from .job import Job
from .metrics import Metrics
from .outcomes import Completed, Ended
from .stats import Tally


class Counts:
    """What was settled since the last batch was written: by kind and outcome, how long jobs waited, and ran."""

    def __init__(self, metrics: Metrics, tally: Tally) -> None:
        self.metrics = metrics
        self.tally = tally
        self.ended: defaultdict[tuple[str, str, bool], tuple[list[float], list[float]]] = (
            defaultdict(lambda: ([], []))
        )

    def add(self, job: Job, outcome: str, end: Completed | Ended) -> None:
        """Postgres accepted how an attempt ended; `outcome` as settle_others.sql says."""
        if "counters" in job.__dict__ and isinstance(end, Completed):
            self.metrics.found(job.kind, job.counters)
        timed_out = job.stopping == "timeout" and outcome in ("retry", "fail")
        waits, runs = self.ended[job.kind, outcome, timed_out]
        waits.append(job.waited_seconds)
        runs.append(job.ran_seconds)

    def written(self) -> None:
        """The batch is durable: it is counted together."""
        for (kind, outcome, timed_out), (waits, runs) in self.ended.items():
            self.metrics.settled(kind, outcome, waits, runs, timed_out=timed_out)
            self.tally.add(kind, outcome, waits, runs)
        self.ended.clear()
