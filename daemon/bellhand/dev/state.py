"""How other commands find the database of `bellhand dev` while it runs."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from bellhand.errors import Problem

LOCK = "running"


class AlreadyRunning(Problem):
    """Another `bellhand dev` has the folder."""


def folder() -> Path:
    """Where development keeps its things: $BELLHAND_DEV_DIR, else the user's state folder."""
    if named := os.environ.get("BELLHAND_DEV_DIR"):
        return Path(named).absolute()
    if state := os.environ.get("XDG_STATE_HOME"):
        return Path(state).absolute() / "bellhand" / "dev"
    if os.geteuid() == 0:
        # The server runs as another user then, whom root's own home is closed to.
        return Path("/var/lib/bellhand/dev")
    return Path.home() / ".local" / "state" / "bellhand" / "dev"


class DevState:
    """Held while development runs; a lock that the kernel drops says whether it does."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o755)
        file = (self.home / LOCK).open("a+")
        os.fchmod(file.fileno(), 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise AlreadyRunning(
                f"development runs already in {self.home}",
                why="another `bellhand dev` holds that folder",
                fix="stop that one, or set BELLHAND_DEV_DIR to another folder",
            ) from error
        self._file = file
        self._write("")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file:
            self._write("")
            self._file.close()

    def publish(self, dsn: str) -> None:
        """Lets other commands know the database."""
        self._write(json.dumps({"dsn": dsn, "pid": os.getpid()}))

    def _write(self, text: str) -> None:
        assert self._file
        self._file.seek(0)
        self._file.truncate()
        self._file.write(text)
        self._file.flush()


def running_dsn(home: Path | None = None) -> str | None:
    """The database of the development daemon that runs now, if one does."""
    with suppress(OSError, ValueError, KeyError), ((home or folder()) / LOCK).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return str(json.loads(file.read())["dsn"])
    return None
