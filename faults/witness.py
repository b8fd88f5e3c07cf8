"""Witnesses write what they saw into files of JSON lines, each line in one write; nothing goes through Postgres.

Times are CLOCK_MONOTONIC seconds, which all processes of one machine share.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

Event = dict[str, Any]

# Where handlers write; not named BELLHAND_, because isolated handlers do not see those.
JOURNAL = "FAULTS_JOURNAL"


class Witness:
    """Appends events to one file; any number of processes may append to the same one."""

    def __init__(self, path: str | Path, source: str) -> None:
        self.path = Path(path)
        self.source = source
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def saw(self, what: str, **details: Any) -> float:
        """Write down that something happened, now unless `t` says when; the time of it."""
        t = float(details.pop("t", None) or time.monotonic())
        event = {"src": self.source, "f": what, "t": t} | details
        os.write(self.file, json.dumps(event).encode() + b"\n")
        return t

    def close(self) -> None:
        """No more will be written here."""
        os.close(self.file)


def read(path: Path) -> list[Event]:
    """The events of one file; the last line may be cut off by a full disk."""
    events = []
    for line in path.read_bytes().splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            events.append({"src": "torn", "f": "torn", "line": line.decode(errors="replace")[:200]})
    return events


def write(path: Path, events: list[Event]) -> None:
    """All events of a run, to be judged again later."""
    with path.open("w") as file:
        for event in events:
            file.write(json.dumps(event) + "\n")
