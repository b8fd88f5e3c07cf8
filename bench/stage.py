"""What one run gets: who is measured, where, which variant, how large."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .machine import busy_seconds, held, own_seconds
from .peer import Peer
from .place import Place

Values = Mapping[str, float | list[float]]
JOBS_MIN = 20
BACKLOG_JOBS = 10_000_000


@dataclass(frozen=True)
class Stage:
    """One run; `scale` shrinks every count and duration, for a quick look."""

    peer: Peer
    place: Place
    variant: str
    scale: float = 1.0
    lock: Path | None = None
    backlog: int = BACKLOG_JOBS
    # Taken by strangers in each stretch that was measured.
    others_cores: list[float] = field(default_factory=list)

    def jobs(self, count: int) -> int:
        """So many jobs, scaled."""
        return max(JOBS_MIN, round(count * self.scale))

    def seconds(self, count: float) -> int:
        """So many seconds, scaled; at least one."""
        return max(1, round(count * self.scale))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While something is measured; workers must have ended when it is left, or they count as strangers."""
        server = self.place.server.pid or 0
        with held(self.lock, alone=True):
            busy, own, started = busy_seconds(), own_seconds(server), time.monotonic()
            yield
            seconds = time.monotonic() - started
            strangers = (busy_seconds() - busy) - (own_seconds(server) - own)
            self.others_cores.append(strangers / seconds)

    def together(self) -> AbstractContextManager[None]:
        """While something is prepared."""
        return held(self.lock, alone=False)
