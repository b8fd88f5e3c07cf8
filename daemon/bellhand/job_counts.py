"""What is counted of jobs, attempts and steps, by kind: plain numbers, which become Prometheus' series when somebody asks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from .gauges import OTHER
from .stats import count

WEBHOOK = "notify.webhook"
FOUND_MAX = 300  # pairs of a kind and what its jobs count
# Of a counter; what looks otherwise may be an address or an id.
NAME = re.compile("[a-z][a-z0-9_]{0,49}")
OUTCOMES = ("completed", "partial", "failed", "cancelled")
RESULTS = (
    *("ok", "retry", "failed", "timeout", "crashed"),
    *("cancelled", "snoozed", "paused", "released"),
)
WAIT_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 300.0, 900.0, 3600.0, 10800.0),
)
RUN_BUCKETS = (
    *(0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0),
    *(1200.0, 1800.0, 3600.0, 7200.0, 14400.0),
)
STEP_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

# How the settler's words are counted: as the result of an attempt, as the outcome of a job, and
# among which run times. What is parked never began.
_WORDS: dict[str, tuple[str | None, str | None, str | None]] = {
    "completed": ("ok", "completed", "completed"),
    "partial": ("ok", "partial", "completed"),
    "fail": ("failed", "failed", "failed"),
    "cancel": ("cancelled", "cancelled", None),
    "retry": ("retry", None, "failed"),
    "crash": ("crashed", None, "failed"),
    "snooze": ("snoozed", None, None),
    "pause": ("paused", None, None),
    "release": ("released", None, None),
    "park": (None, None, None),
}


class _Spread:
    """A histogram of one label set, without locks: only the loop's thread counts."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, values: list[float]) -> None:
        count(self.counts, self.bounds, values)
        self.total += sum(values)

    def buckets(self) -> list[tuple[str, float]]:
        names = [*map(str, self.bounds), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


class _OfKind:
    """Everything that is counted for one kind."""

    __slots__ = ("outcomes", "results", "runs", "step_runs", "steps", "waits")

    def __init__(self) -> None:
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.results = dict.fromkeys(RESULTS, 0)
        self.steps = {"completed": 0, "failed": 0}
        self.step_runs = _Spread(STEP_BUCKETS)
        self.waits = _Spread(WAIT_BUCKETS)
        self.runs = {"completed": _Spread(RUN_BUCKETS), "failed": _Spread(RUN_BUCKETS)}


class JobCounts(Collector):
    """Turns the plain counts into series when somebody asks."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.lanes = {**kinds, OTHER: OTHER}
        self.counts = {kind: _OfKind() for kind in self.lanes}
        self.other = self.counts[OTHER]
        self.found: dict[tuple[str, str], float] = {}

    def find(self, kind: str, counters: Mapping[str, float]) -> None:
        """Add what a job that is over has counted; names are its handler's own, so their number is bounded."""
        kind = kind if kind in self.counts else OTHER
        for name, n in counters.items():
            pair = (kind, name)
            if pair not in self.found and (
                len(self.found) >= FOUND_MAX or not NAME.fullmatch(name)
            ):
                pair = (OTHER, OTHER)
            if n > 0:
                self.found[pair] = self.found.get(pair, 0.0) + n

    def settled(
        self, kind: str, outcome: str, waits: list[float], runs: list[float], *, timed_out: bool
    ) -> None:
        """Attempts ended; those that were stopped at the timeout of their job count as such, whether or not it is tried again."""
        counts = self.counts.get(kind, self.other)
        result, over, run = _WORDS.get(outcome, _WORDS["park"])
        if result is None:
            return
        counts.results["timeout" if timed_out else result] += len(waits)
        counts.waits.add(waits)
        if over is not None:
            counts.outcomes[over] += len(waits)
        if run is not None:
            counts.runs[run].add(runs)

    def step_finished(self, kind: str, outcome: str, seconds: float) -> None:
        """A step ended."""
        counts = self.counts.get(kind, self.other)
        counts.steps[outcome] += 1
        counts.step_runs.add([seconds])

    def collect(self) -> Iterator[Metric]:
        label = ["lane", "kind"]
        finished = CounterMetricFamily(
            "bellhand_jobs_finished",
            f"Jobs that are over: {', '.join(OUTCOMES)}.",
            labels=[*label, "outcome"],
        )
        attempts = CounterMetricFamily(
            "bellhand_job_attempts",
            f"Attempts that ended: {', '.join(RESULTS)}.",
            labels=[*label, "result"],
        )
        steps = CounterMetricFamily(
            "bellhand_steps_finished",
            "Steps that ended: completed, failed.",
            labels=[*label, "outcome"],
        )
        waits = HistogramMetricFamily(
            "bellhand_job_wait_seconds", "From being due to being started.", labels=label
        )
        runs = HistogramMetricFamily(
            "bellhand_job_run_seconds", "How long attempts took.", labels=[*label, "outcome"]
        )
        step_runs = HistogramMetricFamily(
            "bellhand_step_run_seconds", "How long steps took.", labels=["kind"]
        )
        found = CounterMetricFamily(
            "bellhand_results", "What jobs that are over have counted.", labels=["kind", "result"]
        )
        for pair, n in dict(self.found).items():  # the loop goes on counting meanwhile
            found.add_metric(pair, n)
        for kind, counts in self.counts.items():
            names = [self.lanes[kind], kind]
            step_runs.add_metric([kind], counts.step_runs.buckets(), counts.step_runs.total)
            for family, values in (
                (finished, counts.outcomes),
                (attempts, counts.results),
                (steps, counts.steps),
            ):
                for word, value in values.items():
                    family.add_metric([*names, word], value)
            waits.add_metric(names, counts.waits.buckets(), counts.waits.total)
            for word, spread in counts.runs.items():
                runs.add_metric([*names, word], spread.buckets(), spread.total)
        yield from (finished, attempts, steps, waits, runs, step_runs, found)
        if WEBHOOK in self.counts:
            posts = CounterMetricFamily(
                "bellhand_webhook_deliveries",
                "Posts of webhooks, by how each ended.",
                labels=["result"],
            )
            for word, value in self.counts[WEBHOOK].results.items():
                posts.add_metric([word], value)
            yield posts
