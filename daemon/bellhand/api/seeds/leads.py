"""The routes of seed 000, lead collection: a queue with statistics, and how far a job is."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BeforeValidator, Field

from bellhand.api.live import Sight
from bellhand.api.operations import answer
from bellhand.api.seeds.shared import Loose, Shared, said
from bellhand.callers import caller_of, needs
from bellhand.problems import HttpProblem
from bellhand.states import OVER

KINDS = ("lead-collection", "leads.collect", "google-ads-check", "leads.check_google_ads")
LANE = "leads"
TYPES = {"leads.collect": "lead-collection", "leads.check_google_ads": "google-ads-check"}
SHOWN_MAX = 50
PROCESS_JOBS, PROCESS_SECONDS = 5, 10.0
SECONDS_PER_STEP = 600
FAILED_STEPS_MAX = 10


def _texts(value: Any) -> Any:
    """Comma-separated text is a list (S0-10); with a semicolon or a line break in it, these separate."""
    if isinstance(value, str):
        value = re.split(r"[;\n]" if re.search(r"[;\n]", value) else ",", value)
    if isinstance(value, list):
        return [one.strip() if isinstance(one, str) else one for one in value if one]
    return value


Texts = Annotated[list[str], BeforeValidator(_texts)]


class Asked(Loose):
    """What to collect, or whom to look for among the ads."""

    type: Literal["lead-collection", "google-ads-check"] = "lead-collection"
    services: Texts = Field(default=[])
    locations: Texts = Field(default=[])
    lead_ids: list[int] = Field(default=[], alias="leadIds")
    businesses: list[dict[str, Any]] = Field(default=[])
    priority: int | None = Field(default=None, ge=1, le=10)


class Leads:
    """/api/jobs/queue, /api/jobs/status/{job}, /api/cron/process-jobs."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/jobs/queue", self._create),
            web.get("/api/jobs/queue", self._queue),
            web.get("/api/jobs/status/{job}", self._status),
            web.delete("/api/jobs/status/{job}", self._cancel),
            web.get("/api/cron/process-jobs", self._process),
            web.post("/api/cron/process-jobs", self._process),
        ]

    @needs("enqueue")
    async def _create(self, request: web.Request) -> web.Response:
        asked = await self.shared.body(request, Asked)
        payload: dict[str, Any] = {"services": asked.services, "locations": asked.locations}
        if asked.type == "google-ads-check":
            payload = {"lead_ids": asked.lead_ids, "businesses": asked.businesses}
        caller = caller_of(request)
        made = await self.shared.enqueue(
            request, asked.type, payload, priority=asked.priority, owner=caller.name
        )
        sight = await self.shared.sight(made["id"])
        job = show(sight)
        steps, seconds = job["totalSteps"], job["totalSteps"] * SECONDS_PER_STEP
        if asked.type == "lead-collection":
            row = await self.shared.look.row(
                "seed_estimate", len(asked.services), len(asked.locations)
            )
            assert row
            seconds = row["seconds"]
        told = {
            "success": True, "jobId": job["jobId"], "status": job["status"], "totalSteps": steps,
            "estimatedDuration": round(seconds / 60), "queuePosition": job["queuePosition"], "job": job,
        }  # fmt: skip
        return answer(told, status=201)

    @needs("read")
    async def _queue(self, request: web.Request) -> web.Response:
        rows = await self.shared.look.fetch("seed_jobs", list(KINDS), SHOWN_MAX)
        ids = [row["id"] for row in rows][:SHOWN_MAX]
        found = {row["id"]: row for row in await self.shared.look.fetch("status_jobs", ids)}
        places = {row["id"]: row for row in await self.shared.look.fetch("watch_positions", ids)}
        jobs = [show(Sight(found[id], "", places.get(id))) for id in ids if id in found]
        counts = await self.shared.statistics()
        statistics = {
            "total": counts.total + counts.cancelled, "pending": counts.pending, "running": counts.running,
            "completed": counts.completed, "failed": counts.failed, "cancelled": counts.cancelled,
            "queueLength": counts.pending, "successRate": counts.success_rate,
            "failureRate": round(100.0 - counts.success_rate, 1) if counts.completed + counts.failed else 0.0,
            "averageProcessingTime": round(counts.seconds, 3),
        }  # fmt: skip
        return answer({"success": True, "jobs": jobs, "statistics": statistics})

    @needs(None)
    async def _status(self, request: web.Request) -> web.Response:
        return answer({"success": True, "job": await self.show(await self.shared.find(request))})

    @needs("operate")
    async def _cancel(self, request: web.Request) -> web.Response:
        sight = await self.shared.find(request)
        job = sight.row["id"]
        if sight.row["state"] in OVER and sight.row["state"] != "cancelled":
            raise HttpProblem("wrong-state", detail=f"the job is {sight.row['state']} already")
        await self.shared.act(request, "cli_cancel", job, None)
        shown = show(await self.shared.sight(job))
        # One that runs is stopped at its next await; nothing more will come of it.
        return answer(
            {"success": True, "jobId": shown["jobId"], "status": "cancelled", "job": shown}
        )

    @needs(None, seconds=None)
    async def _process(self, request: web.Request) -> web.Response:
        self.shared.admit_cron(request)
        told = await self.shared.nudge(PROCESS_JOBS, PROCESS_SECONDS)
        return answer({"success": True} | told)

    async def show(self, sight: Sight) -> dict[str, Any]:
        """A job in the words of seed 000; what its steps failed of is an error of the job there."""
        job = show(sight)
        if job["failedSteps"] and not job["errorMessage"]:
            id = sight.row["id"]
            rows = await self.shared.look.fetch("seed_failed_steps", id, FAILED_STEPS_MAX)
            job["errorMessage"] = "; ".join(f"{row['name']}: {said(row['error'])}" for row in rows)
        return job


def show(sight: Sight) -> dict[str, Any]:
    """A job in the words of seed 000, as far as its own row knows."""
    job = sight.resource
    progress, payload = job["progress"], job["payload"] or {}
    services, locations = _texts(payload.get("services", [])), _texts(payload.get("locations", []))
    behind = (progress["steps_done"] or 0) + (progress["steps_failed"] or 0)
    total = progress["steps_total"] or len(services) * len(locations)
    state = job["state"]
    running = state == "running"
    ahead = (job["position"] or {}).get("ahead")
    return {
        "jobId": job["key"],
        "type": TYPES.get(job["kind"], job["kind"]),
        "status": state if state in OVER or running else "pending",
        "services": services,
        "locations": locations,
        "currentStep": min(total, behind + running) if total else behind,
        "currentStepName": progress["step"],
        "totalSteps": total,
        "failedSteps": progress["steps_failed"] or 0,
        "progress": progress["percent"] or 0,
        "progressMessage": progress["message"] or "",
        "queuePosition": ahead + 1 if isinstance(ahead, int) else ahead,
        "estimatedCompletion": (job.get("eta") or {}).get("finishes_at"),
        "leadsFound": progress["counters"].get("leads", 0),
        "priority": job["priority"],
        "retryCount": sight.row["attempts"],
        "errorMessage": said(job["error"]),
        "createdAt": job["created_at"],
        "startedAt": job["started_at"],
        "completedAt": job["finished_at"],
    }
