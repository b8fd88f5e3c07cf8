"""Medians, percentiles, ratios."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Some runs of one figure."""

    median: float
    low: float
    high: float
    runs: int


def spread(values: Sequence[float]) -> Spread:
    """Of at least one run."""
    return Spread(statistics.median(values), min(values), max(values), len(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def percentiles(values: Sequence[float], *percents: float) -> dict[str, float]:
    """By name: p50, p99."""
    return {f"p{percent:g}": percentile(values, percent) for percent in percents}


def ratio(ours: float, peers: Sequence[float], *, more_is_better: bool) -> float | None:
    """How many times the best peer's figure ours is; None if there is no peer, or it measured nothing."""
    if not peers:
        return None
    best = max(peers) if more_is_better else min(peers)
    return ours / best if best else None
