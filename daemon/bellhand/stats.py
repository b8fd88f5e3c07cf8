"""Counts of what ended, by kind and outcome, gathered here and written every few seconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any
from uuid import UUID

# Upper bounds in seconds of the run-time histogram; the last bucket is open.
BUCKETS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    900.0,
    3600.0,
)
# The same of the wait-time histogram: an operator tells waits by their size, and each bucket is a sum more on the pages of lanes.
WAITS = (0.01, 0.1, 1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
WAIT_PARTS = {"wait_p50_seconds": 0.5, "wait_p95_seconds": 0.95}


def count(histogram: list[int], bounds: tuple[float, ...], values: list[float]) -> None:
    """Add values to a histogram of upper bounds whose last bucket is open; many at once, since sorting is cheap."""
    below, values = 0, sorted(values)
    for bucket, bound in enumerate(bounds):
        upto = bisect_right(values, bound, below)
        histogram[bucket] += upto - below
        below = upto
        if below == len(values):
            return
    histogram[-1] += len(values) - below


def within(counts: list[int], part: float, bounds: tuple[float, ...] = BUCKETS) -> float | None:
    """The bound of the bucket by which so large a part had ended; infinite for the last, None for none."""
    total, seen = sum(counts), 0
    for bound, of_bucket in zip((*bounds, float("inf")), counts, strict=True):
        seen += of_bucket
        if total and seen >= part * total:
            return bound
    return None


def waits_told(counts: Sequence[int | None] | None) -> dict[str, float | str | None]:
    """Within which time half, and 95 %, of a wait-time histogram began: the bounds of their buckets; of the open one `3600+`, None for none."""
    known = [jobs or 0 for jobs in counts or [0] * (len(WAITS) + 1)]
    found = {name: within(known, part, WAITS) for name, part in WAIT_PARTS.items()}
    open_ended = f"{WAITS[-1]:g}+"
    return {name: open_ended if bound == float("inf") else bound for name, bound in found.items()}


class Tally:
    """What one worker counted since the last write: jobs, seconds waited and run, and the histograms of both."""

    def __init__(self, worker: UUID) -> None:
        self.worker = worker
        self.counts: dict[tuple[str, str], list[Any]] = {}

    def add(self, kind: str, outcome: str, waits: list[float], runs: list[float]) -> None:
        """Count attempts by the seconds they waited and ran."""
        row = self.counts.get((kind, outcome))
        if row is None:
            row = self.counts[kind, outcome] = _nothing()
        row[0] += len(runs)
        row[1] += sum(waits)
        row[2] += sum(runs)
        count(row[3], BUCKETS, runs)
        count(row[4], WAITS, waits)

    def take(self) -> tuple[Any, ...] | None:
        """The columns of add_stats.sql, worker first, or None if nothing was counted; counting starts anew."""
        if not self.counts:
            return None
        taken, self.counts = self.counts, {}
        rows = [(kind, outcome, *row) for (kind, outcome), row in taken.items()]
        return (
            self.worker, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], [r[3] for r in rows],
            [r[4] for r in rows], [",".join(map(str, r[5])) for r in rows], [",".join(map(str, r[6])) for r in rows],
        )  # fmt: skip

    def put_back(self, columns: tuple[Any, ...]) -> None:
        """The write failed: count it again, with what came since."""
        for kind, outcome, jobs, wait, run, *histograms in zip(*columns[1:], strict=True):
            row = self.counts.setdefault((kind, outcome), _nothing())
            row[0] += jobs
            row[1] += wait
            row[2] += run
            for at, text in enumerate(histograms, start=3):
                row[at] = [a + int(b) for a, b in zip(row[at], text.split(","), strict=True)]


def _nothing() -> list[Any]:
    return [0, 0.0, 0.0, [0] * (len(BUCKETS) + 1), [0] * (len(WAITS) + 1)]
