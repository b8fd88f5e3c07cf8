"""What the security tests share: strings that others use for attacks, and ours; a login for each role."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from desk import Desk
from support import as_role

# A fault that is known and stands in somebody else's file: the mark goes when the fault does.
ROLES = ("producer", "reader", "worker")

# Each breaks out of something: quotes of SQL, dollar quotes, format(), LIKE, JSON, COPY, a terminal, a line of a log.
OURS = [
    "'; drop table bellhand.jobs; --", "' or '1'='1", "'||(select version())||'", "$$; drop schema bellhand cascade; $$",
    "$1", "%s %I %L %n", "\\'; select pg_sleep(9); --", "E'\\x27'", "U&'\\0027'", '"; drop role bellhand_worker; --',
    "a\tb\\N\n\\.", "ʼ OR 1=1", "{}", '{"$ref": "x"}', "null", "true", "-1", "1e400", "NaN", "../../etc/passwd",
    "\x1b[2J\x1b]0;title\x07", "\x9b31m", "\u202egnp.exe", "line\r\nlevel=critical", "\x7f\x08\x08", "x" * 500,
    "\U0001f600" * 100, " ", "'", '"', "`id`", "$(id)", "; id", "a\u2028b", "ﬀ", "İ",
]  # fmt: skip


def public_strings(test_data: Path) -> list[str]:
    """Naughty strings and XSS lines, each once, of at most 500 characters."""
    folder = test_data / "strings"
    found = json.loads((folder / "blns.json").read_text(encoding="utf-8"))
    for name in ("xss_alert.txt", "BRUTELOGIC-XSS-STRINGS.txt"):
        found += (folder / name).read_text(encoding="utf-8").splitlines()
    return [text for text in dict.fromkeys(found) if len(text) <= 500 and "\0" not in text]


@dataclass
class Cast:
    """One connection for each: the owner, who may all, and one login a role."""

    owner: asyncpg.Connection
    producer: asyncpg.Connection
    reader: asyncpg.Connection
    worker: asyncpg.Connection
    stranger: asyncpg.Connection


@pytest.fixture
async def cast(dsn: str, conn: asyncpg.Connection) -> AsyncIterator[Cast]:
    opened = {}
    for role in (*ROLES, "stranger"):
        login = f"s_{role}"
        await conn.execute(
            f"do $$ begin create role {login} login; exception when duplicate_object then null; end $$"
        )
        if role in ROLES:
            await conn.execute(f"grant bellhand_{role} to {login}")
        opened[role] = await asyncpg.connect(as_role(dsn, login), timeout=10)
    await Desk(conn).publish("a")
    yield Cast(conn, **opened)
    for one in opened.values():
        await one.close(timeout=5)
