"""How long after a return of the database every daemon works again, and what daemons cost while it is away."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from .figures import percentile
from .fleet import Daemon
from .stage import Stage
from .witness import Event, read

BACK_SECONDS_MAX = 35.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class Returns:
    """The moments at which the database went and came back; `figures` says when each daemon worked again.

    Work is judged by the handlers' own journal: a job that started, not a connection that opened.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.gone: list[float] = []
        self.back: list[float] = []

    def went(self) -> None:
        """It is away from now on."""
        self.stage.nemesis.saw("away")
        self.gone.append(time.monotonic())

    def came(self) -> None:
        """It answers from now on."""
        self.stage.nemesis.saw("back")
        self.back.append(time.monotonic())

    def figures(self, name: str = "back") -> dict[str, Any]:
        """p50, p99 and max of the seconds from each return to the first start of a job, at all and in each daemon.

        One that had no job before the next outage is not counted; each return must bring some job within 35 s.
        """
        starts = [event for event in read(self.stage.fleet.journal) if event["f"] == "start"]
        first: list[float] = []
        each: list[float] = []
        for back in self.back:
            until = min((gone for gone in self.gone if gone > back), default=float("inf"))
            seen = _first_starts(starts, back, until)
            if seen:
                first.append(min(seen.values()))
                each += seen.values()
            elif until == float("inf"):
                self.stage.must(False, "no_work_after_return", back)
        self.stage.must(
            not first or max(first) <= BACK_SECONDS_MAX, "works_again_late", max(first, default=0)
        )
        found: dict[str, Any] = {"returns": len(self.back), "returns_with_work": len(first)}
        for what, values in ((name, first), (f"{name}_each_daemon", each)):
            if values:
                for label, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
                    found[f"{what}_{label}_s"] = round(percentile(values, share), 2)
        return found


def _first_starts(starts: list[Event], back: float, until: float) -> dict[int, float]:
    """For each process the seconds from `back` to its first start of a job before `until`."""
    seen: dict[int, float] = {}
    for event in starts:
        if back < event["t"] < until:
            seconds = event["t"] - back
            seen[event["pid"]] = min(seconds, seen.get(event["pid"], seconds))
    return seen


class Costs:
    """What the daemons cost from now to `figures`: CPU, memory, log lines."""

    def __init__(self, daemons: list[Daemon]) -> None:
        self.daemons = daemons
        self.since = time.monotonic()
        self.before = [_cost(daemon) for daemon in daemons]

    def figures(self) -> dict[str, Any]:
        """Of the costliest daemon: CPU share (%), growth of memory (MB), log lines a minute."""
        seconds = time.monotonic() - self.since
        spent = [
            [now - then for now, then in zip(_cost(daemon), before, strict=True)]
            for daemon, before in zip(self.daemons, self.before, strict=True)
        ]
        cpu, rss, lines = (max(column) for column in zip(*spent, strict=True))
        return {
            "cpu_percent": round(100 * cpu / seconds, 2),
            "rss_growth_mb": round(rss / 1e6, 1),
            "rss_mb": round(max(daemon.rss_bytes() for daemon in self.daemons) / 1e6, 1),
            "log_lines_a_minute": round(60 * lines / seconds, 1),
        }


def _cost(daemon: Daemon) -> tuple[float, float, float]:
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    return cpu, float(daemon.rss_bytes()), float(daemon.log.read_bytes().count(b"\n"))


def answer(daemon: Daemon, path: str) -> int:
    """The HTTP status of the daemon's status port; 0 if it does not answer within 5 s."""
    port = daemon.said("ready")[-1]["status_port"]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as said:
            return int(said.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0
