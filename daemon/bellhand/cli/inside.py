"""Jobs as the API lists them: by what their payloads hold, which no index knows, or the oldest first; it is said how far that went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncpg import Record

from bellhand.cli.context import Database
from bellhand.cli.errors import Usage
from bellhand.cli.output import tell

PAGES_MAX = 10


@dataclass
class _Look:
    """The database of a command, as the lists of the API ask it."""

    database: Database

    async def fetch(self, name: str, *arguments: Any) -> list[Record]:
        return await self.database.rows(name, *arguments)


async def ids_listed(
    database: Database, words: Sequence[str], states: frozenset[str], kinds: list[str] | None, owner: str | None,
    since: Any, limit: int, *, oldest: bool,
) -> list[int]:  # fmt: skip
    """The newest or oldest ids of jobs whose payload holds every `a.b=value`; Usage for what is none. Tells where it stopped looking."""
    # Only here: it brings a web server along.
    from bellhand.api.listing import Wanted, ids_from

    looked_for = {"q": None, "error": None, "payload": True, "paths": _paths(words)}
    inside = json.dumps(looked_for) if words else None
    sort = "id" if oldest else None
    wanted = Wanted(states, kinds, owner, None, None, since, None, inside, sort)
    found: list[int] = []
    place = None
    for _ in range(PAGES_MAX):
        ids, place = await ids_from(_Look(database), wanted, place, limit - len(found))
        found += ids
        if place is None or len(found) >= limit:
            return found
    why = "no index knows what payloads hold, and " if words else ""
    tell(f"{why}only the {'oldest' if oldest else 'newest'} jobs were looked at: --kind and --state narrow it")  # fmt: skip
    return found


def _paths(words: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        path, is_given, value = word.partition("=")
        if not path or not is_given:
            raise Usage(f"{word!r} names nothing of a payload", why="it is PATH=VALUE", fix="bellhand list --payload site.id=5")  # fmt: skip
        found[path] = value
    return found
