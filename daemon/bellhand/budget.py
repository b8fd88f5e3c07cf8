"""How many requests each caller may make: a bucket of tokens for each, in memory of this daemon alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

CALLERS_MAX = 10_000


@dataclass(slots=True)
class Bucket:
    """What is left, and when that was so."""

    left: float
    at: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What a caller has after a request: whether it was let through, how many are left, in how many seconds all are back."""

    per_second: float
    burst: int
    allowed: bool
    left: int
    full_in_seconds: float
    next_in_seconds: float


class Budget:
    """`per_second` come back, up to `burst`; who was not seen for long is forgotten, and has all."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float]) -> None:
        self.per_second = per_second
        self.burst = burst
        self.clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, who: str, cost: float = 1.0) -> Taken:
        """One request of `who`; a cost of 0 only looks."""
        now = self.clock()
        bucket = self._buckets.get(who) or Bucket(float(self.burst), now)
        bucket.left = min(self.burst, bucket.left + (now - bucket.at) * self.per_second)
        bucket.at = now
        allowed = bucket.left >= max(cost, 1.0)
        if allowed:
            bucket.left -= cost
        self._buckets[who] = bucket
        self._buckets.move_to_end(who)
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        return Taken(
            self.per_second,
            self.burst,
            allowed,
            int(bucket.left),
            (self.burst - bucket.left) / self.per_second,
            max(0.0, 1.0 - bucket.left) / self.per_second,
        )
