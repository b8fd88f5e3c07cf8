"""Which tables a script of the schema locks, how, and whether for longer than a moment: read from its text.

Levels are those of Postgres' manual, "Explicit Locking". What a script makes itself locks nobody out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

COMMENT = re.compile(r"--[^\n]*")
BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
NAME = r"(?:only\s+)?(?:if\s+(?:not\s+)?exists\s+)?(bellhand\w*\.\w+)"
MADE = re.compile(rf"create\s+(?:unlogged\s+)?(?:table|view|sequence)\s+{NAME}")
# What reads or writes a whole table before the statement is over; all else is done in the catalog.
SCANS = re.compile(
    r"alter\s+column\s+\w+\s+(?:set\s+data\s+)?type|set\s+not\s+null|validate\s+constraint|add\s+(?:constraint\s+\w+\s+)?(?:check|unique|primary|exclude)"
    r"|add\s+column\s+[^,;]*?default\s+\w*\(?(?:random|gen_random_uuid|clock_timestamp|nextval)|generated\s+always\s+as\s+\("
)
# Readers and writers go on beside these.
SHARED = frozenset({"row exclusive", "share update exclusive", "access share"})


@dataclass(frozen=True, slots=True)
class Lock:
    """One table that exists before; `scans` says that the lock lasts as long as reading the table does."""

    table: str
    level: str
    scans: bool

    @property
    def shared(self) -> bool:
        """Whether readers and writers go on meanwhile."""
        return self.level in SHARED


def locks_of(text: str, made: frozenset[str] = frozenset()) -> list[Lock]:
    """The locks of a script, the strongest of each table last in no order but their own; `made` are tables of scripts before it."""
    found: dict[tuple[str, str], Lock] = {}
    plain = BODY.sub("''", COMMENT.sub("", text)).lower()
    own = set(made) | {match[1] for match in MADE.finditer(plain)}
    for statement in plain.split(";"):
        for lock in _of_statement(" ".join(statement.split())):
            if lock.table not in own:
                before = found.get((lock.table, lock.level))
                found[lock.table, lock.level] = Lock(lock.table, lock.level, lock.scans or bool(before and before.scans))  # fmt: skip
    return list(found.values())


def makes(text: str) -> frozenset[str]:
    """The tables, views and sequences that a script makes."""
    return frozenset(match[1] for match in MADE.finditer(BODY.sub("''", COMMENT.sub("", text)).lower()))  # fmt: skip


def _of_statement(statement: str) -> Iterator[Lock]:
    if match := re.match(rf"create (?:unlogged )?table {NAME}", statement):
        for other in re.findall(r"references (bellhand\w*\.\w+)", statement):
            yield Lock(other, "share row exclusive", False)
        if parent := re.search(r" partition of (bellhand\w*\.\w+)", statement):
            yield Lock(parent[1], "access exclusive", False)
    elif match := re.match(rf"alter\s+table {NAME} (.*)", statement):
        yield _altered(match[1], match[2])
        for other in re.findall(r"references (bellhand\w*\.\w+)", match[2]):
            yield Lock(other, "share row exclusive", False)
    elif match := re.match(
        r"create (?:unique )?index (concurrently )?.*? ?on (?:only )?(bellhand\w*\.\w+)", statement
    ):
        yield Lock(match[2], "share update exclusive" if match[1] else "share", True)
    elif match := re.match(
        r"create (?:or replace )?(?:constraint )?trigger .*? on (bellhand\w*\.\w+)", statement
    ):
        yield Lock(match[1], "share row exclusive", False)
    elif match := re.match(rf"(?:drop table|truncate(?: table)?) {NAME}", statement):
        yield Lock(match[1], "access exclusive", False)
    elif match := re.match(rf"(update|delete from|insert into) {NAME}", statement):
        yield Lock(match[2], "row exclusive", not match[1].startswith("insert"))
    elif match := re.match(rf"comment on (?:table|column) {NAME}", statement):
        yield Lock(match[1], "share update exclusive", False)


def _altered(table: str, what: str) -> Lock:
    scans = bool(SCANS.search(what)) and "not valid" not in what
    if re.match(r"(set|reset) \(|validate constraint|alter column \w+ set statistics", what):
        return Lock(table, "share update exclusive", scans)
    if re.match(r"add (constraint \w+ )?foreign key", what):
        return Lock(table, "share row exclusive", "not valid" not in what)
    return Lock(table, "access exclusive", scans)
