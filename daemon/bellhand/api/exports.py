"""Leads as a file: CSV or JSON in pieces, from one snapshot, in as much memory as one piece takes.

What writes the file is given, and loaded at the first export: it is the family's own, which the command line uses too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any, Protocol

import asyncpg
import structlog
from aiohttp import hdrs, web

from bellhand.api.given import LeadsQuery
from bellhand.api.operations import JSON, operation
from bellhand.db import Again, Away, Database, Link
from bellhand.problems import HttpProblem

log = structlog.get_logger()

CSV = "text/csv"
EXPORTS_MAX = 2
EXPORT_SECONDS = 600.0  # while a snapshot is held, no vacuum removes what died after it
WRITE_SECONDS = 30.0  # of a piece; less than the server lets a transaction be idle
WAIT_SECONDS = 10


class Exported(Protocol):
    """The chosen leads as text, in pieces; `words` are looked for in name, domain, address and category."""

    def __call__(
        self,
        conn: asyncpg.Connection,
        /,
        *,
        as_json: bool,
        job_id: int | None,
        since: datetime | None,
        excluded: bool | None,
        words: str | None,
    ) -> AsyncGenerator[str, None]: ...


class Exports:
    """/v1/leads/export.csv and .json. They have connections of their own, which are closed when nobody exports."""

    def __init__(self, database: Database, load: Callable[[], Exported]) -> None:
        self.load = load
        self._answered: dict[Link, web.Request] = {}
        self._free: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        for _ in range(EXPORTS_MAX):
            self._free.put_nowait(database.link("export"))

    def close(self) -> None:
        """Cut what is being sent: whoever stops the port would wait for it."""
        for request in self._answered.values():
            _cut(request)

    @operation(
        "GET", "/v1/leads/export.csv", "read", seconds=None, answers={200: CSV}, problems=("too-many-exports",)
    )  # fmt: skip
    async def leads_csv(self, request: web.Request, query: LeadsQuery) -> web.StreamResponse:
        """Leads as CSV, the oldest first (RFC 4180, with a head).

        Text that a spreadsheet would run as a formula has an apostrophe in front; a phone number in E.164 stays as it is.
        """
        return await self._file(request, query, as_json=False)

    @operation(
        "GET", "/v1/leads/export.json", "read", seconds=None, answers={200: list[dict[str, Any]]},
        problems=("too-many-exports",),
    )  # fmt: skip
    async def leads_json(self, request: web.Request, query: LeadsQuery) -> web.StreamResponse:
        """Leads as a JSON array, the oldest first, one a line."""
        return await self._file(request, query, as_json=True)

    async def _file(
        self, request: web.Request, query: LeadsQuery, *, as_json: bool
    ) -> web.StreamResponse:
        name = "leads.json" if as_json else "leads.csv"
        headers = {
            hdrs.CONTENT_TYPE: JSON if as_json else f"{CSV}; charset=utf-8; header=present",
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"',
        }
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=headers)
        response = web.StreamResponse(headers=headers)
        try:
            link = self._free.get_nowait()
        except asyncio.QueueEmpty:
            raise HttpProblem(
                "too-many-exports", headers={hdrs.RETRY_AFTER: str(WAIT_SECONDS)}
            ) from None
        self._answered[link] = request
        try:
            async with asyncio.timeout(EXPORT_SECONDS):
                whole = await self._send(request, response, link, query, as_json=as_json)
        except (Away, Again, TimeoutError) as error:
            if not response.prepared:
                raise
            log.warning("export_cut", file=name, error=str(error) or type(error).__name__)
            whole = False
        finally:
            del self._answered[link]
            link.drop()
            self._free.put_nowait(link)
        if whole:
            await response.write_eof()
        else:
            _cut(request)
        return response

    async def _send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        link: Link,
        query: LeadsQuery,
        *,
        as_json: bool,
    ) -> bool:
        """Whether all of it went out; not if the client went away, or takes nothing for too long."""
        exported = await asyncio.to_thread(self.load)
        async with link.held() as connection:
            pieces = exported(
                connection, as_json=as_json, job_id=query.job, since=query.since,
                excluded={"no": False, "only": True, "too": None}[query.excluded],
                words=(query.q or "").strip() or None,
            )  # fmt: skip
            async with aclosing(pieces):
                async for text in pieces:
                    if not response.prepared:
                        await response.prepare(request)
                    try:
                        async with asyncio.timeout(WRITE_SECONDS):
                            await response.write(text.encode())
                    except (ConnectionError, TimeoutError):
                        return False
        return True


def _cut(request: web.Request) -> None:
    """Half a file must not look like a whole one: its end is never written."""
    if request.transport is not None:
        request.transport.abort()
