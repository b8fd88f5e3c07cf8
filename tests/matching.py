"""Projects to match, the services it asks, and a daemon that runs it."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiohttp import web

from bellhand.app import Daemon
from bellhand.dev.standins import openai as standin
from bellhand.families import matching
from daemons import at_work, insert, until
from outside import sections

Row = dict[str, Any]
SURE = 0.7  # tests of the way, not of the judgement, leave only clear pairs to the verifier
KINDS = (matching.run_matching, matching.learn)

# Titles as two shops would write them; each pair shares a model number or most of its words.
SOURCES = (
    {"sku": "SRC-1001", "title": "Sony Turntable - PSLX350H", "attributes": {"ean": "4905524321234"}},
    {"sku": "SRC-1002", "title": "Bose Acoustimass 5 Series III Speaker System - AM53BK", "price": 399},
    {"sku": "SRC-1003", "title": "Panasonic 8.5' Portable DVD Player - DVDLS83", "price": 149.99},
    {"sku": "SRC-1004", "title": "Netgear ProSafe 16 Port 10/100 Switch - FS116NA", "price": 99},
    {"sku": "SRC-1005", "title": "Canon PIXMA Photo Printer Red Edition"},
    {"sku": "SRC-1006", "title": "Garden hose, green, 20 m"},
)  # fmt: skip
CATALOGUE = (
    {"sku": "T-1", "title": "Sony PS-LX350H belt drive turntable", "attributes": {"EAN": "4905524321234"}},
    {"sku": "T-2", "title": "Bose Acoustimass 5 Series III Speaker System AM53BK black", "price": 395},
    {"sku": "T-3", "title": "Panasonic DVD-LS83 8.5in portable DVD player", "price": 155},
    {"sku": "T-4", "title": "Netgear ProSafe FS116 - Switch - 16 ports", "price": 97},
    {"sku": "T-5", "title": "Canon iP4500 inkjet printer, photo"},
    {"sku": "T-6", "title": "Espresso machine"},
)  # fmt: skip


@dataclass
class Services:
    """OpenAI's and SerpApi's answers, as a test wants them; `questions`, `searches` and `embedded` are what was asked."""

    port: int = 0
    judge: Callable[[list[Row]], Any] = lambda items: [verdict(one, 0) for one in items]
    results: Callable[[str], list[Row]] = lambda query: []
    questions: list[list[Row]] = field(default_factory=list)
    searches: list[str] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    vectors: Callable[[web.Request], Any] = lambda request: standin.embeddings(request)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        items = json.loads(asked["messages"][-1]["content"])
        self.questions.append(items)
        said = self.judge(items)
        if isinstance(said, web.Response):
            return said
        if hasattr(said, "__await__"):
            said = await said
        text = said if isinstance(said, str) else json.dumps({"verdicts": said})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}  # fmt: skip
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        return web.json_response({"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice], "usage": usage})  # fmt: skip

    async def embed(self, request: web.Request) -> web.StreamResponse:
        self.embedded += (await request.json())["input"]
        answer: web.StreamResponse = await self.vectors(request)
        return answer

    async def search(self, request: web.Request) -> web.StreamResponse:
        self.searches.append(request.query["q"])
        found = self.results(request.query["q"])
        body = {"search_metadata": {"status": "Success"}, "organic_results": found}
        return web.json_response(body)


def verdict(item: Row, candidate: int, confidence: float = 0.9) -> Row:
    return {"item": item["item"], "candidate": candidate, "confidence": confidence, "reason": "so"}


def by_word(word: str) -> Callable[[list[Row]], list[Row]]:
    """A model that takes the first candidate with this word in its title."""

    def judge(items: list[Row]) -> list[Row]:
        said = []
        for item in items:
            places = [one["candidate"] for one in item["candidates"] if word in one["title"]]
            said.append(verdict(item, places[0] if places else 0))
        return said

    return judge


@asynccontextmanager
async def serving() -> AsyncIterator[Services]:
    services = Services()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", services.chat)
    app.router.add_post("/v1/embeddings", services.embed)
    app.router.add_get("/search.json", services.search)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        services.port = runner.addresses[0][1]
        yield services
    finally:
        await runner.cleanup()


@asynccontextmanager
async def matcher(dsn: str, services: Services | None = None, **changes: Any) -> AsyncIterator[Daemon]:  # fmt: skip
    """A daemon with the family's kinds, and these services or none; `changes` go into all services, `openai` into that one."""
    own = changes.pop("openai", {})
    given = {"services": sections(services.port, **changes)} if services else {}
    if own:
        given["services"]["openai"] |= own
    async with at_work(dsn, *KINDS, **given) as daemon:
        yield daemon


async def project(
    conn: asyncpg.Connection,
    sources: Sequence[Row] = SOURCES,
    catalogue: Sequence[Row] = CATALOGUE,
    name: str = "p1",
    **columns: Any,
) -> str:
    await conn.execute(
        "insert into bellhand_matching.projects (id, one_to_one) values ($1, $2)",
        name, columns.get("one_to_one", True),
    )  # fmt: skip
    await conn.executemany(
        "insert into bellhand_matching.items (project_id, side, sku, title, brand, price, description, attributes)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            (name, side, one.get("sku"), one["title"], one.get("brand"), one.get("price"), one.get("description"),
             json.dumps(one.get("attributes", {})))
            for side, items in (("source", sources), ("catalogue", catalogue)) for one in items
        ],
    )  # fmt: skip
    return name


async def run(conn: asyncpg.Connection, wanted: str = "completed", seconds: float = 30, **payload: Any) -> asyncpg.Record:  # fmt: skip
    """Run matching over p1 and wait until its job is as wanted."""
    job = await insert(
        conn, "matching.run", json.dumps({"project_id": "p1", "accept_confidence": SURE, **payload})
    )
    return await until(conn, job, wanted, seconds)


async def matches(conn: asyncpg.Connection) -> dict[str, tuple[str, str, str]]:
    """By the source's sku: the target's, the method and the status."""
    rows = await conn.fetch(
        "select s.sku as source, t.sku as target, m.method, m.status from bellhand_matching.matches m"
        " join bellhand_matching.items s on s.id = m.source_id join bellhand_matching.items t on t.id = m.target_id"
        " order by m.id"
    )
    return {row["source"]: (row["target"], row["method"], row["status"]) for row in rows}


async def items(conn: asyncpg.Connection) -> dict[str, tuple[str, str | None]]:
    """How the items of the newest run fared, by sku: state and error."""
    rows = await conn.fetch(
        "select i.sku, n.state, n.error from bellhand_matching.run_items n"
        " join bellhand_matching.items i on i.id = n.item_id"
        " where n.run_id = (select max(id) from bellhand_matching.runs) order by i.id"
    )
    return {row["sku"]: (row["state"], row["error"]) for row in rows}
