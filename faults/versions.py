"""The next version of the program, made of this one: a copy with another number, other handlers, a migration and a function more."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from bellhand import __version__

from .fleet import ROOT, Daemon

NEXT = "0.2.0"
MIGRATION = """-- What the next version adds, as a release would: to the tables of the hot path, under load.
set local lock_timeout = '500ms';
alter table bellhand.jobs add column next_version text;
alter table bellhand.workers add column next_version text;
"""
CHANGED_FUNCTIONS = ("claim", "beat", "settle_completed", "jobs_inserted")
COMMAND_SECONDS = 60.0


def next_version(folder: Path) -> str:
    """Make it in that folder; the PYTHONPATH with which it runs."""
    for part in ("daemon", "sql", "faults"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    _replace(folder / "daemon/bellhand/__init__.py", f'__version__ = "{__version__}"', f'__version__ = "{NEXT}"')  # fmt: skip
    _replace(folder / "faults/handlers.py", '"pid": os.getpid(),\n        "token"', f'"pid": os.getpid(),\n        "code": "{NEXT}",\n        "token"')  # fmt: skip
    (folder / "sql/migrations/0999_next_version.sql").write_text(MIGRATION)
    for name in CHANGED_FUNCTIONS:
        with (folder / f"sql/functions/{name}.sql").open("a") as file:
            file.write(f"-- As it is in {NEXT}.\n")
    return os.pathsep.join([str(folder / "daemon"), str(folder)])


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{file} has not one {old!r}"
    file.write_text(text.replace(old, new))


async def command(daemon: Daemon, *words: str, path: str | None = None) -> tuple[int, str]:
    """Run `bellhand` with a daemon's configuration, where it is, in its version or that of `path`; its exit code and what it said."""
    env = daemon.env | ({"PYTHONPATH": path} if path else {})
    child = await asyncio.create_subprocess_exec(
        *daemon.prefix, sys.executable, "-m", "bellhand", *words, "--config", str(daemon.config), env=env, cwd=daemon.folder,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(COMMAND_SECONDS):
        said, _ = await child.communicate()
    return child.returncode or 0, said.decode(errors="replace")
