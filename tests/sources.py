"""A source of customers for the tests: pages of JSON over real HTTP, going wrong on demand, and daemons that read it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiohttp import web

from bellhand.app import Daemon
from crm import KINDS, ask, put
from daemons import at_work
from websites import serving

TOKEN = "secret-token-of-the-source"
FIELDS = {"id": "id", "name": "name", "email": "contact.email", "tier": "tier", "consent": "optIn"}


def person(n: int, **more: Any) -> dict[str, Any]:
    given = {"id": n, "name": f"P{n}", "contact": {"email": f"p{n}@example.com"}, "tier": "standard", "optIn": n % 2 == 0}  # fmt: skip
    return given | more


@dataclass
class Source:
    """What there is, a page at a time; `say` answers a page by its number instead, `asked` is what came."""

    people: list[Any] = field(default_factory=list)
    page_rows: int = 2
    asked: list[web.Request] = field(default_factory=list)
    say: dict[int, Callable[[], web.StreamResponse]] = field(default_factory=dict)
    port: int = 0
    hold: asyncio.Event | None = None  # the page that waits for it is `held`
    held: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        number = int(request.query.get("cursor", "c1").removeprefix("c"))
        number = int(request.query.get("page", number))
        if self.hold is not None and number == self.held:
            await self.hold.wait()
        if number in self.say:
            return self.say[number]()
        start = (number - 1) * self.page_rows
        rows = self.people[start : start + self.page_rows]
        more = len(self.people) > start + self.page_rows
        body = {"data": rows, "next_cursor": f"c{number + 1}" if more else None}
        return web.json_response(body)

    def pages(self) -> list[str]:
        return [one.query_string for one in self.asked]

    @property
    def web(self) -> dict[str, Any]:
        """The settings that let a daemon in."""
        return {"ports": [80, 443, self.port], "allow_networks": ["127.0.0.0/8"]}


@asynccontextmanager
async def source(conn: asyncpg.Connection, people: list[Any], **columns: Any) -> AsyncIterator[Source]:  # fmt: skip
    """A source called shop."""
    made = Source(people)
    async with serving(("/customers", made.answer)) as made.port:
        given = {
            "name": "shop", "url": f"http://127.0.0.1:{made.port}/customers", "fields": json.dumps(FIELDS), "token": TOKEN,
        }  # fmt: skip
        names = given | columns
        await conn.execute(
            f"insert into bellhand_crm.sources ({', '.join(names)}) values ({', '.join(f'${n + 1}' for n in range(len(names)))})",
            *names.values(),
        )
        yield made


@asynccontextmanager
async def reading(dsn: str, from_source: Source, **sections: Any) -> AsyncIterator[Daemon]:
    async with at_work(dsn, *KINDS, **({"web": from_source.web} | sections)) as daemon:
        yield daemon


async def sync(conn: asyncpg.Connection, name: str = "shop") -> int:
    return await ask(conn, "sync_customer_data", source=name)


async def passed(conn: asyncpg.Connection) -> asyncpg.Record:
    """The last pass."""
    row = await conn.fetchrow("select * from bellhand_crm.syncs order by id desc limit 1")
    assert row is not None
    return row


async def problems(conn: asyncpg.Connection) -> list[tuple[Any, ...]]:
    rows = await conn.fetch("select page, position, external_id, reason from bellhand_crm.sync_problems order by sync_id, page, position")  # fmt: skip
    return [tuple(row) for row in rows]


async def customers(conn: asyncpg.Connection, columns: str) -> dict[str, tuple[Any, ...]]:
    rows = await conn.fetch(f"select id, {columns} from bellhand_crm.customers order by id")
    return {row["id"]: tuple(row)[1:] for row in rows}


__all__ = ["FIELDS", "TOKEN", "Source", "customers", "passed", "person", "problems", "put", "reading", "source", "sync"]  # fmt: skip
