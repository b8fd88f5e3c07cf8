"""Daemons as processes of their own: started with a configuration file, killed, told things, reaped."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from process_handlers import JOURNAL
from support import ROOT, eventually

WORKER = {
    "lease_seconds": 1.5, "heartbeat_seconds": 0.3, "poll_seconds": 2, "grace_seconds": 5, "kill_grace_seconds": 1, "crashes_max": 20,
}  # fmt: skip
EXIT_SECONDS = 60


def toml(settings: dict[str, Any]) -> str:
    """The settings as a configuration file; tables last."""
    plain = {k: v for k, v in settings.items() if not isinstance(v, dict)}
    lines = [f"{name} = {json.dumps(value)}" for name, value in plain.items()]
    for section, values in settings.items():
        if isinstance(values, dict):
            lines += [f"[{section}]", *(f"{k} = {json.dumps(v)}" for k, v in values.items())]
    return "\n".join(lines) + "\n"


class Process:
    """One daemon, and what it said."""

    def __init__(
        self, folder: Path, settings: dict[str, Any], env: dict[str, str], **options: Any
    ) -> None:
        self.config = folder / "config.toml"
        self.config.write_text(toml(settings))
        self.log = folder / "log"
        with self.log.open("wb") as log:
            given: dict[str, Any] = {"stdout": log, "stderr": log, "stdin": subprocess.DEVNULL}
            self.child = subprocess.Popen(
                [sys.executable, "-m", "bellhand", "run", "--config", str(self.config)],
                **given | {"env": env, "cwd": folder} | options,
            )

    @property
    def pid(self) -> int:
        return int(self.child.pid)

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        found = []
        for line in self.text.splitlines():
            with suppress(ValueError):
                entry = json.loads(line)
                if entry.get("event") == event:
                    found.append(entry)
        return found

    async def until(self, event: str, seconds: float = 30, times: int = 1) -> dict[str, Any]:
        """The line of an event, once it is there."""

        def there() -> bool:
            assert self.child.poll() is None or len(self.said(event)) >= times, (
                f"it ended with {self.child.returncode}:\n{self.text[-3000:]}"
            )
            return len(self.said(event)) >= times

        await eventually(there, seconds, because=f"no {event}")
        return self.said(event)[-1]

    def tell(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    async def exit_code(self, seconds: float = EXIT_SECONDS) -> int:
        await eventually(
            lambda: self.child.poll() is not None, seconds, because="it should have ended"
        )
        return int(self.child.returncode)

    def cpu_seconds(self) -> float:
        """What it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def reap(self) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(EXIT_SECONDS)


class Fleet:
    """The daemons of one test and the journal that their handlers write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self.made: list[Process] = []

    def start(
        self, dsn: str, *, worker: dict[str, Any] | None = None, env: dict[str, str] | None = None,
        options: dict[str, Any] | None = None, **settings: Any,
    ) -> Process:  # fmt: skip
        folder = self.folder / f"daemon{len(self.made)}"
        folder.mkdir()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("BELLHAND_", "NOTIFY_"))}
        path = os.pathsep.join([str(ROOT / "daemon"), str(ROOT / "tests")])
        given = {"dsn": dsn, "modules": ["process_handlers"], "worker": WORKER | {"name": folder.name} | (worker or {}),
                 "status": {"port": 0}, "metrics": {"canary_seconds": 0}, "log": {"format": "json"}} | settings  # fmt: skip
        made = Process(
            folder,
            given,
            clean | {"PYTHONPATH": path, JOURNAL: str(self.journal)} | (env or {}),
            **(options or {}),
        )
        self.made.append(made)
        return made

    def lines(self, *words: object) -> list[list[str]]:
        """The journal's lines that begin so."""
        text = self.journal.read_text() if self.journal.exists() else ""
        begin = [str(word) for word in words]
        return [line.split() for line in text.splitlines() if line.split()[: len(begin)] == begin]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    try:
        yield made
    finally:
        for process in made.made:
            process.reap()


class Systemd:
    """Plays systemd: hears what a daemon says of itself."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.socket.setblocking(False)
        self.heard: list[tuple[float, str]] = []

    def listen(self) -> list[str]:
        with suppress(BlockingIOError):
            while True:
                for line in self.socket.recv(65536).decode().splitlines():
                    self.heard.append((time.monotonic(), line))
        return [line for _, line in self.heard]


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(tmp_path)
    try:
        yield made
    finally:
        made.socket.close()


Start = Callable[..., Process]
