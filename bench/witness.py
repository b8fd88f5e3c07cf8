"""What a worker process tells of its handlers: a small file in memory, no call into the kernel for a job.

64-bit cells: handler calls, time of the first, time of the last, then the time at which job n began. All times are
nanoseconds of CLOCK_MONOTONIC, which every process of a machine shares. Only the standard library: peers import it too.
"""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

VARIABLE = "BENCH_WITNESS"
HEADER_CELLS = 3
JOBS_MAX = 20_000
BYTES = 8 * (HEADER_CELLS + JOBS_MAX)


class Witness:
    """One process's file; the process writes it, the benchmark reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("a+b") as file:
            file.truncate(BYTES)
            self._map = mmap.mmap(file.fileno(), BYTES)
        self.cells = memoryview(self._map).cast("q")

    def called(self) -> None:
        """A handler that does nothing was called."""
        cells = self.cells
        now = time.monotonic_ns()
        if not cells[0]:
            cells[1] = now
        cells[2] = now
        cells[0] += 1

    def began(self, job: int) -> None:
        """The handler of job number `job` was called."""
        self.cells[HEADER_CELLS + job] = time.monotonic_ns()
        self.called()

    @property
    def calls(self) -> int:
        return self.cells[0]

    @property
    def first_ns(self) -> int:
        return self.cells[1]

    def began_ns(self, job: int) -> int:
        """When job number `job` began; 0 if it has not."""
        return self.cells[HEADER_CELLS + job]


def witness() -> Witness:
    """The file of this worker process."""
    return Witness(Path(os.environ[VARIABLE]))
