"""How jobs are named by people: an id, a key or its first digits, @last, and - for those that stdin lists."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from bellhand.cli.context import Database
from bellhand.cli.errors import NotFound, Usage
from bellhand.cli.values import STDIN
from bellhand.resource import ID_MAX, KEY_VERSION, NEAR_MAX, NEVER, ranges_near

LAST = "@last"
KEY_DIGITS, DIGITS_MIN = 32, 4
_KEY = re.compile(r"[0-9a-f]{4,32}")


@dataclass(frozen=True, slots=True)
class Name:
    """One job as somebody named it; where that was by its key or a part of it, `digits` is how the key begins."""

    word: str
    low: int
    high: int
    digits: str = ""

    @property
    def key_range(self) -> tuple[UUID, UUID]:
        """The least and the greatest key that begins so."""
        return UUID(self.digits.ljust(KEY_DIGITS, "0")), UUID(self.digits.ljust(KEY_DIGITS, "f"))


def names_of(words: Sequence[str]) -> list[Name]:
    """What words name, without asking the database; raises Usage for one that can be no job, and for none at all."""
    found = [_name(word) for word in _with_stdin(words)]
    if not found:
        raise Usage("no job given", why="the command needs at least one id", fix="bellhand list")
    return found


def name_of(word: str) -> Name:
    """The same for a single word, which must name one job."""
    (found, *more) = names_of([word])
    if more:
        raise Usage(
            "one job is wanted here",
            why=f"stdin names {len(more) + 1}",
            fix="name one, or begin the list with it: ... | head -1 | bellhand ...",
        )
    return found


def _with_stdin(words: Sequence[str]) -> Iterable[str]:
    for word in words:
        if word == STDIN:
            # The first word of each line but the head: what `bellhand list` prints can be piped.
            firsts = (line.split()[0] for line in sys.stdin if line.strip())
            yield from (first for first in firsts if first != "ID")
        else:
            yield word.lstrip("#")


def _name(word: str) -> Name:
    if word == LAST:
        word = _last()
    if word.isascii() and word.isdigit() and word[0] != "0" and int(word[:20]) <= ID_MAX:
        return Name(word, int(word), int(word))
    digits = word.lower().replace("-", "")
    if not _KEY.fullmatch(digits) or digits[12:13] not in ("", str(KEY_VERSION)):
        raise Usage(
            f"{word!r} is not a job",
            why=f"a job is named by its id (a number), its key (a UUID) or {DIGITS_MIN} or more digits that its key begins with",
            fix="list jobs with: bellhand list",
        )
    of_id = digits[:12] + digits[13:16]
    low, high = (int(of_id.ljust(15, fill), 16) for fill in "0f")
    return Name(word, low, high, digits)


async def number_of(database: Database, name: Name) -> int:
    """The id of the job; NotFound where the key leads to none, Usage where it leads to several."""
    if not name.digits:
        return name.low
    rows = await database.rows("cli_named", name.low, name.high, *name.key_range)
    ids = sorted({int(row["id"]) for row in rows})
    if len(ids) > 1:
        raise Usage(
            f"{name.word!r} is not enough",
            why=f"the keys of several jobs begin so: {', '.join(map(str, ids))} are some",
            fix="give more of the key, or the id",
        )
    if not ids:
        raise await no_such_job(database, name)
    return ids[0]


async def numbers_of(database: Database, names: Sequence[Name]) -> list[int]:
    """The ids of all of them, in order."""
    return [await number_of(database, name) for name in names]


async def find(database: Database, name: Name) -> Any:
    """The row of one job, as status_jobs.sql has it; NotFound if there is none, Usage if the name is not enough."""
    rows = await database.rows("status_jobs", [await number_of(database, name)])
    first, last = name.key_range if name.digits else (None, None)
    for row in rows:
        if first is None or last is None or first.int <= row["key"].int <= last.int:
            return row
    raise await no_such_job(database, name)


async def no_such_job(database: Database, name: Name) -> NotFound:
    """Nothing has that name: what is known of a job that had it, and what may be meant."""
    key = UUID(name.digits) if len(name.digits) == KEY_DIGITS else None
    near = ([], []) if name.digits else ranges_near(name.low)
    row = await database.row("gone", name.low, key, *near, NEAR_MAX) if key or not name.digits else None  # fmt: skip
    return NotFound(
        f"there is no job {name.word}",
        why=(row and row["tombstone"]) or NEVER,
        fix=f"there are {', '.join(row['near'])}" if row and row["near"] else "list jobs with: bellhand list",
    )  # fmt: skip


# The job that this person enqueued last


def remember(key: UUID) -> None:
    """Makes a job the one that @last names; where that cannot be kept it is not, and nothing else suffers."""
    with suppress(OSError, RuntimeError):
        file = _last_file()
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text(f"{key}\n")


def _last() -> str:
    with suppress(OSError, RuntimeError, ValueError):
        return str(UUID(_last_file().read_text().strip()))
    raise Usage(
        f"nobody knows a {LAST} job",
        why="this user has enqueued none with `bellhand enqueue` on this machine",
        fix="list jobs with: bellhand list",
    )


def _last_file() -> Path:
    """The key is kept, not the id: in another database it leads nowhere, instead of to a stranger."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "bellhand" / "last-job"
