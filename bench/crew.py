"""Worker processes of one peer: started, watched through their witnesses, stopped."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from .machine import cpu_seconds
from .place import Place
from .witness import VARIABLE, Witness

START_SECONDS = 60
STOP_SECONDS = 30
LOG_SHOWN = 3000
PR_SET_PDEATHSIG = 1  # of prctl(2)
LOOK_SECONDS = 0.002


class WorkerEnded(Exception):
    """A worker process that should be working is gone, or did not do what it was given in time."""


class Crew:
    """So many processes of one command, each with its own witness and log."""

    def __init__(
        self, place: Place, command: list[str], environment: dict[str, str], processes: int = 1
    ) -> None:
        self.place = place
        self.command = command
        self.environment = environment
        self.size = processes
        self.witnesses: list[Witness] = []
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BELLHAND_", "PG"))}
        for number in range(self.size):
            path = self.place.folder / f"witness{number}"
            path.unlink(missing_ok=True)
            self.witnesses.append(Witness(path))
            given = clean | self.place.environment | self.environment | {VARIABLE: str(path)}
            with self.log(number).open("wb") as log:
                where: dict[str, Any] = {"cwd": self.place.folder, "stdout": log, "stderr": log}
                # Whatever ends us, no worker is left behind to disturb the next session.
                where["preexec_fn"] = _end_with_parent
                started = subprocess.Popen(
                    self.command, env=given, stdin=subprocess.DEVNULL, **where
                )
            self.processes.append(started)
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Asks all to stop, as a service manager does, and waits; those that do not are killed."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)

    def log(self, number: int) -> Path:
        return self.place.folder / f"worker{number}.log"

    def said(self, number: int) -> str:
        """The end of its log."""
        return self.log(number).read_text(errors="replace")[-LOG_SHOWN:]

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self.processes]

    @property
    def calls(self) -> int:
        """How often any handler was called so far."""
        return sum(witness.calls for witness in self.witnesses)

    @property
    def cpu_seconds(self) -> float:
        return sum(map(cpu_seconds, self.pids))

    def began_ns(self, job: int) -> int:
        """When job number `job` began, in whichever process."""
        return max(witness.began_ns(job) for witness in self.witnesses)

    async def until_all_began(self, jobs: int) -> None:
        """Returns when every process has called a handler, of so many jobs that there are."""

        def begun() -> bool:
            return all(witness.calls for witness in self.witnesses)

        await self.until(lambda: begun() or self.calls >= jobs, START_SECONDS, "begin")
        if not begun():
            raise WorkerEnded("one process did everything before another began: too few jobs")

    async def until_called(self, times: int, seconds: float) -> None:
        await self.until(lambda: self.calls >= times, seconds, f"call {times} handlers")

    async def until(self, condition: Callable[[], bool], seconds: float, wanted: str) -> None:
        """Looks every few milliseconds, as long as all processes live."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                why = f"after {seconds:g} s it did not {wanted} ({self.calls} called)"
                raise WorkerEnded(f"{why}; it said:\n{self.said(0)}")
            await asyncio.sleep(LOOK_SECONDS)

    def check(self) -> None:
        """Raises if a process has ended."""
        for number, process in enumerate(self.processes):
            if process.poll() is not None:
                why = f"{self.command[0]} ended with {process.returncode}"
                raise WorkerEnded(f"{why}:\n{self.said(number)}")


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
