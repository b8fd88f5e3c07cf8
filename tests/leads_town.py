"""A town with businesses, told of by servers that speak as SerpApi, Places and OpenAI do; and a daemon that asks them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiohttp import web

from bellhand.app import Daemon
from bellhand.families import leads
from bellhand.kinds import find_kinds
from bellhand.sql import query
from daemons import at_work
from outside import sections
from support import eventually
from websites import serving

KINDS = (
    leads.collect_leads,
    leads.lead_collection,
    leads.apply_exclusions,
    leads.check_google_ads,
    leads.google_ads_check,
)
PAGE = 2
OVER = ("completed", "failed", "cancelled")
Answer = web.Response | None


@dataclass
class Town:
    """What each search finds; `asked` are the calls in order. A trouble answers instead, where it wants to."""

    found: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    places: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    ads: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    trouble: Callable[[str], Answer] = lambda _: None
    slow: Callable[[str], float] = lambda _: 0.0

    async def search(self, request: web.Request) -> web.Response:
        query = request.query
        if query["engine"] == "google":
            call = f"ads {query['q']} in {query['location']}"
            return await self._answer(call, {"ads": self.ads.get(query["q"], [])})
        start = int(query.get("start", 0))
        rows = self.found.get((query["q"], query["location"]), [])
        body: dict[str, Any] = {"local_results": rows[start : start + PAGE]}
        if rows[start + PAGE :]:
            body["serpapi_pagination"] = {"next": f"https://x.test/search?start={start + PAGE}"}
        if not body["local_results"]:
            body = {"error": "Google hasn't returned any results for this query."}
        return await self._answer(f"{query['q']} in {query['location']} from {start}", body)

    async def search_places(self, request: web.Request) -> web.Response:
        asked = await request.json()
        start = int(asked.get("pageToken", 0))
        rows = self.places.get(asked["textQuery"], [])
        body: dict[str, Any] = {"places": rows[start : start + PAGE]}
        if rows[start + PAGE :]:
            body["nextPageToken"] = str(start + PAGE)
        return await self._answer(f"places {asked['textQuery']} from {start}", body)

    async def chat(self, request: web.Request) -> web.Response:
        asked = await request.json()
        told = json.loads(asked["messages"][-1]["content"])
        names = ", ".join(one["name"] for one in told["businesses"].values())
        text = json.dumps({name: judged(one) for name, one in told["businesses"].items()})
        message = {"role": "assistant", "content": text, "refusal": None}
        body = {
            "id": "x", "object": "chat.completion", "created": 1, "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
        }  # fmt: skip
        return await self._answer(f"judge {names}", body)

    async def _answer(self, call: str, body: dict[str, Any]) -> web.Response:
        self.asked.append(call)
        await asyncio.sleep(self.slow(call))
        return self.trouble(call) or web.json_response(body)


def judged(one: dict[str, Any]) -> dict[str, Any]:
    return {"category": "Shop", "fit_score": 80, "summary": one["name"]}


def row(title: str, **fields: Any) -> dict[str, Any]:
    """A business as SerpApi tells it."""
    return {"title": title, **fields}


def shop(number: int, **fields: Any) -> dict[str, Any]:
    """One of many businesses that differ in everything."""
    return {
        "title": f"Shop {number:03} {chr(65 + number % 26) * 3}",
        "phone": f"(512) 55{number // 1000 % 10}-{number % 1000:03}7",
        "address": f"{number + 1} Elm St, Austin, TX 78701",
        "place_id": f"place-{number}",
        **fields,
    }


def placed(title: str, **fields: Any) -> dict[str, Any]:
    """A business as Places tells it."""
    return {"displayName": {"text": title}, "id": f"id-{title}", **fields}


@asynccontextmanager
async def town_at_work(
    dsn: str, town: Town, without: str = "", **settings: Any
) -> AsyncIterator[Daemon]:
    """A daemon with the family, and the town's servers behind it.

    The kinds of the sites family are published, but nobody runs them: the websites are nowhere.
    `settings` are for all services; `without` names one that has no key.
    """
    routes = (
        ("/search.json", town.search),
        ("/v1/places:searchText", town.search_places),
        ("/v1/chat/completions", town.chat),
    )
    async with serving(*routes) as port:
        quick = {"rate_per_second": 1000, "rate_burst": 1000, "cache_seconds": 0, "retries_max": 0}
        services = sections(port, **quick | {"breaker_failures": 100} | settings)
        if without:
            services[without]["key"] = None
        await publish(dsn)
        async with at_work(dsn, *KINDS, services=services) as daemon:
            yield daemon


async def publish(dsn: str) -> None:
    found = find_kinds(["bellhand.families.sites"]).values()
    conn = await asyncpg.connect(dsn, timeout=10)
    try:
        await conn.fetch(query("publish_kinds"), json.dumps([kind.published() for kind in found]))
    finally:
        await conn.close(timeout=5)


async def enqueue(conn: asyncpg.Connection, kind: str, **payload: Any) -> int:
    text = json.dumps(payload)
    return await conn.fetchval("select id from bellhand.enqueue($1, $2::jsonb)", kind, text)


async def ended(conn: asyncpg.Connection, job: int, seconds: float = 20) -> asyncpg.Record:
    """The job once it is over."""

    async def over() -> asyncpg.Record | None:
        found = await conn.fetchrow("select * from bellhand.all_jobs where id = $1", job)
        return found if found and found["state"] in OVER else None

    return await eventually(over, seconds, because=f"job {job} over")


async def collected(conn: asyncpg.Connection, job: int) -> dict[str, Any]:
    """What a job said it found, once it is over and completed."""
    done = await ended(conn, job)
    assert done["state"] == "completed", done["error"]
    return json.loads(done["result"])


async def names(conn: asyncpg.Connection, where: str = "merged_into is null") -> list[str]:
    rows = await conn.fetch(f"select name from bellhand_leads.leads where {where} order by id")
    return [row["name"] for row in rows]


async def steps(conn: asyncpg.Connection, job: int) -> list[tuple[str, str]]:
    rows = await conn.fetch("select * from bellhand.steps where job = $1 order by position", job)
    return [(row["name"], row["state"]) for row in rows]
