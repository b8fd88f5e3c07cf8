"""The routes of seed 003, SEO crawls: queue a crawl, process and clean up, the daily and the monthly cron."""

from __future__ import annotations

import re
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from bellhand.api.live import Sight
from bellhand.api.operations import answer
from bellhand.api.seeds.shared import Loose, Shared, said
from bellhand.callers import CRON, caller_of, needs, require

WORDS = {"completed": "COMPLETED", "failed": "FAILED", "cancelled": "CANCELLED", "running": "PROCESSING"}  # fmt: skip
ADDRESS = re.compile(r"://|[^.]\.[^.]")  # no app's own id of a site has either
CRON_SECONDS = 20.0
DROPS_MAX = 1000


SiteName = Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=r"\S", max_length=8000)]


class Crawl(Loose):
    """Which site (its id, the key an app has for it, or an address, which enters it), and how far to go."""

    site_id: SiteName = Field(alias="siteId")
    max_pages: int | None = Field(default=None, alias="maxPages", ge=1, le=1_000_000)
    user_id: str | None = Field(default=None, alias="userId", max_length=500)
    priority: int | None = Field(default=None, ge=1, le=10)


class Cleanup(Loose):
    """How old what goes must be."""

    days_old: int = Field(default=30, alias="daysOld", ge=1, le=36_500)


class Seo:
    """/api/jobs/crawl, /api/jobs/{job}/status, /api/jobs/cleanup, /api/cron/daily, /api/cron/monthly."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    @needs("enqueue")
    async def crawl(self, request: web.Request) -> web.Response:
        """POST /api/jobs/crawl."""
        asked = await self.shared.body(request, Crawl)
        site = asked.site_id.strip() if isinstance(asked.site_id, str) else asked.site_id
        is_address = isinstance(site, str) and bool(ADDRESS.search(site))
        payload: dict[str, Any] = {"url" if is_address else "siteId": site}
        if asked.max_pages is not None:
            payload["maxPages"] = asked.max_pages
        owner = asked.user_id or caller_of(request).name
        made = await self.shared.enqueue(
            request, "seo.crawl", payload, priority=asked.priority, owner=owner
        )
        key = str(made["key"])
        told = {"success": True, "jobId": key, "statusUrl": f"/api/jobs/{key}/status"}
        return answer(told, status=202)

    @needs("operate", seconds=CRON_SECONDS)
    async def cleanup(self, request: web.Request) -> web.Response:
        """POST /api/jobs/cleanup: by whole days, as the history is kept."""
        asked = await self.shared.body(request, Cleanup)
        dropped: set[str] = set()
        for _ in range(DROPS_MAX):
            row = await self.shared.look.row("drop_history", asked.days_old)
            if row is None or row[0] is None:
                break
            dropped.add(row[0])
        days = sorted({f"{n[-8:-4]}-{n[-4:-2]}-{n[-2:]}" for n in dropped if n[-8:].isdigit()})
        return answer({"success": True, "daysOld": asked.days_old, "deletedDays": days})

    @needs(None, seconds=None)
    async def daily(self, request: web.Request) -> web.Response:
        """/api/cron/daily: crawls of the sites that ask to be crawled daily."""
        return await self._recrawl(request, "daily")

    @needs(None, seconds=None)
    async def monthly(self, request: web.Request) -> web.Response:
        """/api/cron/monthly: crawls of the sites that ask to be crawled monthly."""
        return await self._recrawl(request, "monthly")

    async def _recrawl(self, request: web.Request, word: str) -> web.Response:
        self.shared.admit_cron(request)
        made = await self.shared.enqueue(
            request, "seo.crawl_sites", {"recrawl": word}, unique_key=f"cron:{word}"
        )
        return answer(await queued(self.shared, made, "enqueued"))

    @needs(None)
    async def statistics(self, request: web.Request) -> web.Response:
        """GET /api/jobs/process: statistics; with the secret of crons it rings, too (C10)."""
        if caller_of(request) == CRON:
            await self.shared.look.fetch("seed_nudge")
        else:
            require(request, "read")
        counts = await self.shared.statistics()
        told = {
            "pending": counts.pending, "processing": counts.running, "completed": counts.completed,
            "failed": counts.failed, "total": counts.total,
        }  # fmt: skip
        return answer(told)


async def queued(shared: Shared, made: Any, counter: str) -> dict[str, Any]:
    """The answer of a cron: how many jobs the job that looks for work has enqueued; null while it is not over."""
    over = await shared.await_over([made["id"]], CRON_SECONDS)
    told: dict[str, Any] = {"success": True, "queued": None}
    if sight := over.get(made["id"]):
        job = sight.resource
        told = {
            "success": job["state"] == "completed",
            "queued": (job["result"] or {}).get(counter, 0),
        }
    return told | ({} if told["success"] and over else {"jobId": str(made["key"])})


def show(sight: Sight) -> dict[str, Any]:
    """A job in the words of seed 003."""
    job = sight.resource
    return {
        "id": job["key"],
        "type": job["kind"],
        "status": WORDS.get(job["state"], "PENDING"),
        "result": job["result"],
        "error": said(job["error"]),
        "priority": job["priority"],
        "attempts": sight.row["attempts"],
        "progress": job["progress"]["percent"],
        "createdAt": job["created_at"],
        "startedAt": job["started_at"],
        "completedAt": job["finished_at"],
    }
