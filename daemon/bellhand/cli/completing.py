"""What Tab offers: jobs, kinds, lanes and other names as the database has them now.

The shell waits for it, so it reads neither the whole configuration nor imports the program, and it is silent about whatever is
wrong: a shell is no place for errors that nobody asked for.
"""

from __future__ import annotations

import asyncio
import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

SECONDS = 1.0
OFFERED_MAX = 50
DSN_DEFAULT = "postgresql:///bellhand"
BEGIN = (
    "\n\x1fbegin"  # what the shell's functions wait for; anything before it was somebody's noise
)
# What stands after these, or is what these commands are about.
OPTIONS = {
    "--kind": "kinds", "--lane": "lanes", "--failure": "failures", "--depends-on": "jobs", "--job": "jobs",
}  # fmt: skip
COMMANDS = {
    "enqueue": "kinds", "quote": "kinds", "kinds": "kinds", "exec": "kinds", "lane": "lanes", "schedule": "schedules",
    "failures": "failures", "channels": "channels", "drain": "workers", "undrain": "workers",
}  # fmt: skip
OF_JOBS = frozenset(
    [
        "show",
        "why",
        "watch",
        "wait",
        "cancel",
        "pause",
        "resume",
        "retry",
        "run-now",
        "reprioritize",
        "eta",
        "logs",
        "bulk",
        "repro",
        "edit",
    ]
)


def complete(words: Sequence[str]) -> None:
    """Prints what the last word may become, a line each with what it is; for the functions that `bellhand completion` prints."""
    print(BEGIN)
    sort = sort_of(words)
    if sort is None:
        return
    last = words[-1].rpartition("=")[2] if words[-1].startswith("--") else words[-1]
    for value, note in offered(sort, last, _dsn(words)):
        print(f"{value}\t{_flat(note)}" if note else value)


def sort_of(words: Sequence[str]) -> str | None:
    """What sort of name the last word is to be; None where no names of the database belong."""
    if not words:
        return None
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last.startswith("--") and "=" in last:
        return OPTIONS.get(last.partition("=")[0])
    if before in OPTIONS:
        return OPTIONS[before]
    for word in words[:-1]:
        if word in OF_JOBS:
            return "jobs"
        if word in COMMANDS:
            return COMMANDS[word]
    return None


def offered(sort: str, begun: str, dsn: str) -> list[tuple[str, str]]:
    """Names of that sort that begin so, each with what it is; none at all if the database is away, slow or another's."""
    if sort == "jobs" and begun and not (begun.isascii() and begun.isdigit()):
        return [("@last", "the job you enqueued last")] if "@last".startswith(begun) else []
    try:
        rows = asyncio.run(_rows(sort, begun, dsn))
    # Whatever it is: Tab must not print a traceback into somebody's command line.
    except Exception:
        return []
    found = [(str(row["name"]), str(row["note"] or "")) for row in rows]
    return [one for one in found if one[0].startswith(begun)]


async def _rows(sort: str, begun: str, dsn: str) -> list[Any]:
    # Only here: the list of commands needs no database.
    import asyncpg

    from bellhand.sql import query

    async with asyncio.timeout(SECONDS):
        connection = await asyncpg.connect(
            dsn, timeout=SECONDS, statement_cache_size=0, server_settings={"application_name": "bellhand:tab"}
        )  # fmt: skip
        try:
            if sort == "jobs":
                return await connection.fetch(query("complete_jobs"), begun, OFFERED_MAX, timeout=SECONDS)  # fmt: skip
            return await connection.fetch(query("complete_names"), sort, OFFERED_MAX, timeout=SECONDS)  # fmt: skip
        finally:
            connection.terminate()


def _dsn(words: Sequence[str]) -> str:
    """The database as the whole program would find it, but for what only checking all settings would tell."""
    given = dict(pairwise(words))
    config = given.get("--config") or os.environ.get("BELLHAND_CONFIG")
    if found := given.get("--dsn") or os.environ.get("BELLHAND_DSN"):
        return found
    for text in _kept(Path(config) if config else None):
        if text:
            return text
    from bellhand.dev.state import running_dsn

    return running_dsn() or DSN_DEFAULT


def _kept(config: Path | None) -> Iterator[str]:
    """What the secrets beside the configuration say, then the configuration."""
    with suppress(OSError, ValueError):
        if config is not None:
            yield (config.parent / "credentials" / "dsn").read_text().strip()
    with suppress(OSError, ValueError):
        yield str(tomllib.loads((config or Path("config.toml")).read_text()).get("dsn", ""))


def _flat(note: str) -> str:
    return "".join(c if c.isprintable() else " " for c in note)[:80]


# As the parser wants them, which asks for a function each; words on their way through `complete` spare it.


def _offering(sort: str) -> Callable[[Any], list[tuple[str, str]]]:
    return lambda context: offered(sort, context.incomplete, _dsn([]))


jobs, kinds, lanes = _offering("jobs"), _offering("kinds"), _offering("lanes")
schedules, channels, failures = _offering("schedules"), _offering("channels"), _offering("failures")
workers = _offering("workers")
