"""Sites on loopback for the crawler, each page of them counted as it is asked for, and crawls of them."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiohttp import web

from bellhand.app import Daemon
from bellhand.families import seo
from daemons import at_work, insert, until
from websites import Handler

Answer = str | bytes | web.Response | Handler


@dataclass
class Site:
    """A server of pages by path (with their query); `asked` counts requests by method and path."""

    port: int = 0
    pages: dict[str, Answer] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0  # that every page takes

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path
        self.asked[path if request.method == "GET" else f"{request.method} {path}"] += 1
        await asyncio.sleep(self.seconds)
        found = self.pages.get(path)
        if found is None:
            return web.Response(status=404, text="<h1>Not here</h1>", content_type="text/html")
        if isinstance(found, bytes):
            return web.Response(body=found)
        if isinstance(found, str):
            return web.Response(text=found.replace("{self}", self.url), content_type="text/html")
        if isinstance(found, web.Response):
            return web.Response(status=found.status, headers=found.headers, body=found.body)
        return await found(request)


@asynccontextmanager
async def site(pages: Mapping[str, Answer]) -> AsyncIterator[Site]:
    """Serve these pages on a free port."""
    made = Site(pages=dict(pages))
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.port = runner.addresses[0][1]
        yield made
    finally:
        await runner.cleanup()


def links(*paths: str, title: str = "A page") -> str:
    """A page that links to these."""
    anchors = "".join(f'<a href="{path}">{path}</a>' for path in paths)
    return f"<!doctype html><title>{title}</title><p>{title}</p>{anchors}"


@asynccontextmanager
async def crawler(dsn: str, *ports: int, **web_settings: Any) -> AsyncIterator[Daemon]:
    """A daemon with the family, allowed to visit loopback at these ports."""
    own = {"ports": ports, "allow_networks": ("127.0.0.0/8",), "seconds_max": 5} | web_settings
    async with at_work(dsn, seo.crawl_site, seo.crawl_sites, seo.analyze, web=own) as daemon:
        yield daemon


async def crawl(
    conn: asyncpg.Connection,
    url: str,
    state: str = "completed",
    seconds: float = 60,
    **payload: Any,
) -> dict[str, Any]:
    """Crawl a site to its end; the result, or the job's row where it did not complete."""
    asked = {"url": url, "retry_seconds": 0, "analyze": False} | payload
    job = await insert(conn, "seo.crawl", json.dumps(asked))
    row = await until(conn, job, state, seconds)
    return json.loads(row["result"]) if state == "completed" else dict(row)


async def pages(conn: asyncpg.Connection, base: str = "", role: str = "page") -> dict[str, Any]:
    """The rows of the newest crawl by path."""
    rows = await conn.fetch(
        "select * from bellhand_seo.pages where crawl_id = (select max(id) from bellhand_seo.crawls)"
        " and role = $1 order by id", role,
    )  # fmt: skip
    return {row["url"].removeprefix(base): row for row in rows}


async def states(conn: asyncpg.Connection, base: str = "", role: str = "page") -> dict[str, str]:
    return {path: row["state"] for path, row in (await pages(conn, base, role)).items()}
