"""The 23 routes that the five seeds have, as their apps call them: moving to Bellhand is changing a base URL.

What several seeds share stands here: static parts of an address win over ids, and a job is shown in the words of the seed that its
kind comes from. Errors are {"error": what}, as the seeds have them.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from pydantic import Field

from bellhand.api.live import Sight, Watch
from bellhand.api.operations import answer
from bellhand.api.seeds import crm, leads, seo, sites
from bellhand.api.seeds.crm import Crm
from bellhand.api.seeds.leads import Leads
from bellhand.api.seeds.matching import KIND, Matching
from bellhand.api.seeds.seo import Seo
from bellhand.api.seeds.shared import Loose, Shared
from bellhand.api.seeds.sites import Sites, Which
from bellhand.api.veil import hidden, veils
from bellhand.callers import CRON, caller_of, needs, require
from bellhand.look import Look
from bellhand.problems import HttpProblem

PATH = "/api/"
BATCH_JOBS, JOBS_MAX = 5, 100
BATCH_MS, MS_MAX = 25_000, 30_000


class Batch(Loose):
    """How many jobs to wait for, and for how many milliseconds (S2-14)."""

    max_jobs: int = Field(default=BATCH_JOBS, alias="maxJobs", ge=1)
    timeout: float = Field(default=BATCH_MS, ge=0)


# What is no job's name: there another method is wrong, not the name.
JOB_PATH = "/api/jobs/{job:(?!(?:create|process|queue|retry|status|crawl|cleanup)$)[^{}/]+}"


class Seeds:
    """All of /api."""

    def __init__(self, look: Look, watch: Watch, *, cron: bool) -> None:
        self.shared = Shared(look, watch, cron=cron)
        self.leads, self.crm = Leads(self.shared), Crm(self.shared)
        self.matching, self.sites, self.seo = (
            Matching(self.shared),
            Sites(self.shared),
            Seo(self.shared),
        )

    def routes(self) -> list[web.RouteDef]:
        """Static ones first: the first that fits is taken."""
        return [
            *self.leads.routes(),
            *self.crm.routes(),
            web.post("/api/admin/jobs/retry", self._retry),
            web.post("/api/jobs/create", self.matching.create),
            web.post("/api/jobs/process", self._process),
            web.get("/api/jobs/process", self.seo.statistics),
            web.get("/api/jobs/status", self.sites.status),
            web.post("/api/jobs/retry", self._retry),
            web.post("/api/jobs/crawl", self.seo.crawl),
            web.post("/api/jobs/cleanup", self.seo.cleanup),
            web.get("/api/cron/daily", self.seo.daily),
            web.post("/api/cron/daily", self.seo.daily),
            web.get("/api/cron/monthly", self.seo.monthly),
            web.post("/api/cron/monthly", self.seo.monthly),
            web.get("/api/jobs/{job}/status", self._status),
            web.post("/api/jobs/{job}/process", self._urge),
            web.get(JOB_PATH, self._job),
            web.patch(JOB_PATH, self._change),
        ]

    @needs(None, seconds=None)
    async def _process(self, request: web.Request) -> web.Response:
        """POST /api/jobs/process, of seeds 002 (a user's token, how many, how long) and 003 (the secret of crons)."""
        if caller_of(request) != CRON:
            require(request, "operate")
        batch = await self.shared.body(request, Batch)
        jobs_max, ms = min(batch.max_jobs, JOBS_MAX), min(batch.timeout, MS_MAX)
        return answer({"success": True} | await self.shared.nudge(jobs_max, ms / 1000))

    @needs("operate")
    async def _retry(self, request: web.Request) -> web.Response:
        """POST /api/jobs/retry and /api/admin/jobs/retry."""
        which = await self.shared.body(request, Which)
        request.match_info["job"] = str(which.job_id)
        sight = await self.shared.find(request)
        await self.shared.act(request, "cli_retry", sight.row["id"])
        job = await self.show(request, await self.shared.sight(sight.row["id"]))
        return answer({"success": True, "jobId": str(sight.row["key"]), "job": job})

    @needs(None)
    async def _job(self, request: web.Request) -> web.Response:
        """GET /api/jobs/{job}."""
        return answer(
            {"success": True, "job": await self.show(request, await self.shared.find(request))}
        )

    @needs(None)
    async def _status(self, request: web.Request) -> web.Response:
        """GET /api/jobs/{job}/status."""
        sight = await self.shared.find(request)
        nobodys = seed_of(sight.row["kind"]) is None and sight.row["kind"] != KIND
        return answer({"job": seo.show(sight) if nobodys else await self.show(request, sight)})

    @needs(None)
    async def _urge(self, request: web.Request) -> web.Response:
        """POST /api/jobs/{job}/process."""
        sight, said = await self.matching.process(request)
        return answer({"success": True, "job": await self.show(request, sight), "message": said})

    @needs("operate")
    async def _change(self, request: web.Request) -> web.Response:
        """PATCH /api/jobs/{job}."""
        job = await self.show(request, await self.matching.change(request))
        return answer({"success": True, "job": job})

    async def show(self, request: web.Request, sight: Sight) -> dict[str, Any]:
        """A job in the words of the seed that its kind comes from; of seed 001 where there is none. Who may only look sees no secrets."""
        seed = seed_of(sight.row["kind"])
        if seed is leads:
            job = await self.leads.show(sight)
        else:
            job = await self.matching.show(sight) if seed is None else seed.show(sight)
        if veils(caller_of(request), sight.row["source"]):
            job |= {
                name: hidden(job[name]) for name in ("payload", "result", "results") if name in job
            }
        return job


def seed_of(kind: str) -> Any:
    """The module with the words for a kind; None: matching, and what no seed knows."""
    if kind in leads.KINDS:
        return leads
    return {"leads": leads, "sites": sites, "seo": seo, "crm": crm}.get(kind.partition(".")[0])


def refused(request: web.Request, problem: HttpProblem) -> web.Response | None:
    """A problem as the seeds have it; None where it is none of theirs."""
    if not request.path.startswith(PATH):
        return None
    what = "Unauthorized" if problem.slug == "unauthorized" else problem.detail or problem.title
    body = {"error": what}
    if problem.errors:
        body["error"] = "; ".join(
            f"{place.removeprefix('#/')} {said}" for place, said in problem.errors
        )
    return web.Response(
        text=json.dumps(body), status=problem.status, content_type="application/json", headers=problem.headers
    )  # fmt: skip
