"""Reads and acts of the surfaces: HTTP and pages ask the database here.

They have connections of their own, few and each statement bounded, so that whoever looks takes nothing from the workers.
"""

from __future__ import annotations

import asyncio
from typing import Any

from asyncpg import Record

from .db import Database, Link
from .sql import query

LINKS = 4
STATEMENT_SECONDS = 2.0


class Look:
    """Statements by their name in sql/queries; each may raise Away, Again or what else Postgres says."""

    def __init__(
        self,
        database: Database,
        *,
        links: int = LINKS,
        statement_seconds: float = STATEMENT_SECONDS,
    ) -> None:
        timeout = str(int(statement_seconds * 1000))
        self._links = [database.link("look", statement_timeout=timeout) for _ in range(links)]
        # The one used last is the one most likely to be open.
        self._free: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        for link in self._links:
            self._free.put_nowait(link)

    async def fetch(self, name: str, *arguments: Any, actor: str | None = None) -> list[Record]:
        """All rows. A statement that acts takes who does it as its last argument: `actor`."""
        if actor is not None:
            arguments = (*arguments, actor)
        link = await self._free.get()
        try:
            return await link.fetch(query(name), *arguments)
        finally:
            self._free.put_nowait(link)

    async def row(self, name: str, *arguments: Any, actor: str | None = None) -> Record | None:
        """The first row."""
        rows = await self.fetch(name, *arguments, actor=actor)
        return rows[0] if rows else None

    def close(self) -> None:
        """Let go of the connections."""
        for link in self._links:
            link.drop()
