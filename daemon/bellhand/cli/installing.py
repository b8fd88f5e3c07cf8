"""What an installation consists of: files, folders, a user. Each part knows whether it is there already."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bellhand
from bellhand.cli.errors import Refused

_packaged = Path(bellhand.__file__).with_name("_systemd")
_tree = Path(bellhand.__file__).parents[2]
SHIPPED = _packaged if _packaged.is_dir() else _tree / "deploy" / "systemd"
EXAMPLE = (_packaged if _packaged.is_dir() else _tree) / "config.example.toml"
USER = "bellhand"
PROGRAM = "/opt/bellhand/bin/bellhand"
CONFIG, CREDENTIALS, STATE = "etc/bellhand", "etc/bellhand/credentials", "var/lib/bellhand"
HANDLERS = "/etc/bellhand/handlers"
UNITS = ("bellhand.service", "bellhand@.service")
PACKAGED_UNIT = "usr/lib/systemd/system/bellhand.service"
RELOADS_SINCE = 253  # systemd's version with Type=notify-reload
COMMAND_SECONDS = 120


@dataclass(frozen=True)
class Step:
    """One thing to do, in words; `why_not` says why it need not be done."""

    what: str
    do: Callable[[], None]
    why_not: str = ""


@dataclass(frozen=True)
class Place:
    """Where to install: `/`, or a folder that stands for it."""

    root: Path

    @property
    def is_this_machine(self) -> bool:
        return self.root == Path("/")

    @property
    def is_booted(self) -> bool:
        """Whether systemd runs here and is to be told."""
        return self.is_this_machine and Path("/run/systemd/system").is_dir()

    @property
    def is_packaged(self) -> bool:
        """Whether a package has brought the units and the user."""
        return (self.root / PACKAGED_UNIT).exists()

    def group(self) -> int:
        """The id of the daemon's group there; that of root while it does not exist."""
        file = self.root / "etc/group"
        lines = file.read_text().splitlines() if file.exists() else []
        found = [line.split(":")[2] for line in lines if line.startswith(f"{USER}:")]
        return int(found[0]) if found else 0

    def file(self, name: str, text: str, mode: int, *, keep: bool = False, shared: bool = False) -> Step:  # fmt: skip
        """A file with exactly that text; `keep` leaves another text alone, `shared` lets the daemon's group have it."""
        path = self.root / name
        there = path.exists()
        if there and (keep or path.read_text() == text):
            why_not = "it is yours" if keep else "as it should be"
            return Step(f"keep /{name}", lambda: self._own(path, mode, shared), why_not)

        def do() -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}.new")
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text)
            self._own(new, mode, shared)
            new.replace(path)  # nobody ever sees half of it, nor a secret with another mode

        return Step(f"{'replace' if there else 'write'} /{name} ({mode:04o})", do)

    def folder(self, name: str, mode: int, *, shared: bool = False) -> Step:
        """A folder with that mode."""
        path = self.root / name

        def do() -> None:
            path.mkdir(parents=True, exist_ok=True)
            self._own(path, mode, shared)

        if path.is_dir() and path.stat().st_mode & 0o777 == mode:
            return Step(f"keep /{name}/", do, "as it should be")
        return Step(f"make /{name}/ ({mode:04o})", do)

    def _own(self, path: Path, mode: int, shared: bool) -> None:
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, 0, self.group() if shared else 0)

    def user(self) -> Step:
        """The user that the daemon runs as, made by systemd's own tool."""
        words = ["systemd-sysusers", f"--root={self.root}", str(self.root / "etc/sysusers.d/bellhand.conf")]  # fmt: skip
        return Step(f"add the user {USER}", lambda: run(words), "it is there" if self.group() else "")  # fmt: skip

    def removal(self, name: str) -> Step:
        """A file or a folder with all in it is gone."""
        path = self.root / name

        def do() -> None:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

        return Step(f"remove /{name}", do, "" if path.exists() else "it is not there")


def run(words: Sequence[str], *, seconds: float = COMMAND_SECONDS) -> None:
    """Runs a program of the system; Refused with what it said if it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)  # fmt: skip  # noqa: S603 (our own words)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"{words[0]} could not be run", why=str(error), fix="see why; then run it again: what is done stays done") from error  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise Refused(f"{' '.join(words)} failed", why=said, fix="see why; then run it again: what is done stays done")  # fmt: skip


def unit(name: str, program: str, systemd_version: int) -> str:
    """A unit file for the program where it is, and in the newest form that the systemd there knows."""
    text = (SHIPPED / name).read_text(encoding="utf-8").replace(PROGRAM, program)
    if systemd_version >= RELOADS_SINCE:
        text = re.sub(r"(?m)^ExecReload=.*\n", "", text)
        text = re.sub(r"(?m)^# `bellhand install` makes this .*\n", "", text)
        text = text.replace("Type=notify\n", "Type=notify-reload\n")
    return text


def systemd_version() -> int:
    """The version of the systemd of this machine; 0 if there is none."""
    try:
        said = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, timeout=10, check=True).stdout  # fmt: skip  # noqa: S607 (wherever the system has it)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"systemd (\d+)", said)
    return int(found[1]) if found else 0


def starter() -> str:
    """The configuration to begin with: every setting with its default, none of them set."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    shown = [line if not line or line[0] in "#[" else f"#{line}" for line in lines]
    head = "# Every setting of Bellhand, with its default; take the # away from what you change. Secrets: a file each in credentials/."  # fmt: skip
    return "\n".join([head, *shown[1:]]) + "\n"


def launcher(program: str) -> str:
    """A command for people that finds the configuration and the modules of the service."""
    return f"""\
#!/bin/sh
# The program, with the configuration and the modules of the service.
: "${{BELLHAND_CONFIG:=/etc/bellhand/config.toml}}" "${{PYTHONPATH:={HANDLERS}}}"
export BELLHAND_CONFIG PYTHONPATH
exec {program} "$@"
"""
