"""The machine: what it is, CPU time and memory of processes, and having it for oneself."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
CHILDREN_FIELDS = slice(13, 15)  # of /proc/pid/stat after the name: CPU of children that have ended
PARENT_FIELD = 1


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, threads that ended included; 0 once it is gone."""
    with suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # Linux: the CPU clock of another process
    return 0.0


def family_cpu_seconds(pid: int, without: frozenset[int] = frozenset()) -> float:
    """CPU time of a server and all its children, the ended ones too, but not of those in `without`."""
    total = cpu_seconds(pid)
    with suppress(OSError):
        total += sum(map(int, _stat(pid)[CHILDREN_FIELDS])) / TICKS
    return total + sum(cpu_seconds(child) for child in children(pid) if child not in without)


def children(pid: int) -> list[int]:
    """Processes whose parent that one is."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if int(_stat(int(entry.name))[PARENT_FIELD]) == pid:
                    found.append(int(entry.name))
    return found


def busy_seconds() -> float:
    """CPU time that was not idle since the machine began, on all cores; what a hypervisor took away counts as busy."""
    user, nice, system, _idle, _wait, irq, softirq, steal = _words("/proc/stat")[1:9]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / TICKS


def own_seconds(server_pid: int) -> float:
    """CPU time of this process, its children that have ended, and a server with all of its own."""
    *ours, _elapsed = os.times()
    return sum(ours) + family_cpu_seconds(server_pid)


def memory_megabytes(pid: int) -> dict[str, float]:
    """Memory of a process: `pss`, its fair share of what it shares, and `rss`."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            found[name.lower()] = int(rest.split()[0]) / 1000
    return found


def described() -> dict[str, object]:
    """Processor, cores, memory and system, for the report."""
    models = re.findall(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


@contextmanager
def held(lock: Path | None, *, alone: bool) -> Iterator[None]:
    """Holds a lock file while something is measured, on a machine that others use too; without one does nothing."""
    if lock is None:
        yield
        return
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _words(path: str) -> list[str]:
    return Path(path).read_text().split()
