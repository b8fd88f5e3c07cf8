"""Daemons as processes, started again at once when they end, as systemd does.

Every death is written down by who saw it, with its time: a run that never stopped ended then.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .witness import JOURNAL, Witness

ROOT = Path(__file__).parents[1]
RESTART_SECONDS = 0.1
BAD_START_SECONDS = 2.0  # after one that said what only a person can put right
NEEDS_A_PERSON = 78
TERM_SECONDS = 40.0
READY = b'"event":"ready"'


def toml(settings: dict[str, Any]) -> str:
    """The settings as a configuration file; tables last, one level of tables in tables."""
    plain = {name: value for name, value in settings.items() if not isinstance(value, dict)}
    lines = [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in plain.items()]
    for section, values in settings.items():
        if isinstance(values, dict):
            inner = {name: value for name, value in values.items() if isinstance(value, dict)}
            lines += [
                f"[{section}]",
                *(f"{name} = {json.dumps(v)}" for name, v in values.items() if name not in inner),
            ]
            for name, table in inner.items():
                lines += [
                    f"[{section}.{name}]",
                    *(f"{k} = {json.dumps(v)}" for k, v in table.items()),
                ]
    return "\n".join(lines) + "\n"


class Daemon:
    """One place for a daemon: whatever process runs there now."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        env: dict[str, str],
        saw: Witness,
        *,
        prefix: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        self.folder = folder
        self.name = folder.name
        self.env = env
        self.nemesis = saw
        self.prefix = prefix  # what runs it elsewhere: see hosts.py
        self.options = options
        self.config = folder / "config.toml"
        self.config.write_text(toml(settings))
        self.log = folder / "log"
        self.child: asyncio.subprocess.Process | None = None
        self.since = 0.0
        self.heard_bytes = 0  # of the log, before this process
        self.starts = 0
        self.wanted = True
        self.told: set[int] = set()  # processes whose end we caused
        self.codes: list[tuple[int, bool]] = []  # how each ended, and whether we caused it
        self.stopped: set[int] = set()  # processes that stand still
        self.task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now; 0 between two."""
        return self.child.pid if self.child is not None and self.child.returncode is None else 0

    def start(self) -> None:
        """Run it, and again whenever it ends."""
        self.wanted = True
        self.task = asyncio.create_task(self._again_and_again())

    async def _again_and_again(self) -> None:
        while self.wanted:
            with self.log.open("ab") as log:
                self.heard_bytes = log.tell()
                given: dict[str, Any] = {
                    "stdin": asyncio.subprocess.DEVNULL,
                    "stdout": log,
                    "stderr": log,
                } | self.options
                self.child = await asyncio.create_subprocess_exec(
                    *self.prefix, sys.executable, "-m", "bellhand", "run", "--config", str(self.config), env=self.env, cwd=self.folder, **given,
                )  # fmt: skip
            self.starts += 1
            self.since = self.nemesis.saw("born", pid=self.child.pid, daemon=self.name)
            code = await self.child.wait()
            ours = self.child.pid in self.told
            self.nemesis.saw("death", pid=self.child.pid, daemon=self.name, code=code, ours=ours)
            self.codes.append((code, ours))
            if self.wanted:
                await asyncio.sleep(
                    BAD_START_SECONDS if code == NEEDS_A_PERSON else RESTART_SECONDS
                )

    def signal(self, number: signal.Signals, *, gone: bool = False) -> int:
        """Send a signal; the process it went to. `gone`: from now on others must take its jobs over."""
        pid = self.pid
        if pid:
            if number in (signal.SIGKILL, signal.SIGTERM):
                self.told.add(pid)
            lost = {"gone": pid} if gone or number == signal.SIGKILL else {}
            self.nemesis.saw(
                number.name.removeprefix("SIG").lower(), pid=pid, daemon=self.name, **lost
            )
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            (self.stopped.add if number == signal.SIGSTOP else self.stopped.discard)(pid)
        return pid

    def kill(self) -> int:
        """kill -9; the process that was killed, 0 if none ran."""
        return self.signal(signal.SIGKILL)

    def resume(self) -> None:
        """Let go on what stands still."""
        if self.pid in self.stopped:
            self.signal(signal.SIGCONT)

    async def stop(self, seconds: float = TERM_SECONDS) -> int | None:
        """SIGTERM, for good; its exit code, or None if it had to be killed."""
        self.wanted = False
        self.resume()
        self.signal(signal.SIGTERM)
        assert self.task is not None
        done, _ = await asyncio.wait({self.task}, timeout=seconds)
        if not done:
            self.kill()
            await asyncio.wait({self.task}, timeout=10)
            return None
        return self.codes[-1][0] if self.codes else None

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one event, of all processes that ran here."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines() if self.log.exists() else ():
            if f'"{event}"' in line:
                with suppress(ValueError):
                    entry = json.loads(line)
                    if entry.get("event") == event:
                        found.append(entry)
        return found

    def at_work(self) -> bool:
        """Whether the process that runs now has said that it is ready, and does not stand still."""
        if not self.pid or self.pid in self.stopped:
            return False
        with self.log.open("rb") as log:
            log.seek(self.heard_bytes)
            return READY in log.read()

    def rss_bytes(self) -> int:
        """What the process takes of memory now."""
        with suppress(OSError, IndexError, ValueError):
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf(
                "SC_PAGE_SIZE"
            )
        return 0


class Fleet:
    """All daemons of one run."""

    def __init__(self, folder: Path, nemesis: Witness, dice: random.Random) -> None:
        self.folder = folder
        self.nemesis = nemesis
        self.dice = dice
        self.journal = folder / "handlers.jsonl"
        self.journal.touch()
        self.daemons: list[Daemon] = []

    def add(
        self, settings: dict[str, Any], env: dict[str, str] | None = None, **options: Any
    ) -> Daemon:
        """One more daemon, running."""
        folder = self.folder / f"daemon{len(self.daemons)}"
        folder.mkdir()
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("BELLHAND_", "NOTIFY_", "WATCHDOG_"))
        }
        path = os.pathsep.join([str(ROOT / "daemon"), str(ROOT)])
        made = Daemon(
            folder,
            settings,
            clean | {"PYTHONPATH": path, JOURNAL: str(self.journal)} | (env or {}),
            self.nemesis,
            **options,
        )
        self.daemons.append(made)
        made.start()
        return made

    def any(self, awake_seconds: float = 0.0) -> Daemon | None:
        """One that runs, has run for so long, and does not stand still; None if there is none."""
        ripe = time.monotonic() - awake_seconds
        able = [
            daemon
            for daemon in self.daemons
            if daemon.pid and daemon.since <= ripe and daemon.pid not in daemon.stopped
        ]
        return self.dice.choice(able) if able else None

    async def end(self) -> None:
        """Kill whatever runs, because the play is over or has failed."""
        for daemon in self.daemons:
            daemon.wanted = False
            daemon.kill()
        if tasks := [daemon.task for daemon in self.daemons if daemon.task is not None]:
            await asyncio.wait(tasks, timeout=10)
