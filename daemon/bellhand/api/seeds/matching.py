"""The routes of seed 001, product matching: create a job, ask how far it is, urge it on, give it up."""

from __future__ import annotations

from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from bellhand.api.live import Sight
from bellhand.api.operations import answer
from bellhand.api.seeds.shared import Loose, Shared, said
from bellhand.callers import caller_of, needs
from bellhand.problems import HttpProblem
from bellhand.resource import rfc3339
from bellhand.states import OVER

KIND = "matching.run"
PROCESS_SECONDS = 2.0
SHORT = ("id", "projectId", "status", "totalItems")


class Start(Loose):
    """Which project, and how far to go; other keys of the payload (ai_dollars_max and so on) may stand in config."""

    project_id: str = Field(alias="projectId", min_length=1, max_length=200)
    job_type: Literal["ai", "web-search"] = Field(default="ai", alias="jobType")
    config: dict[str, Any] | None = None
    priority: int | None = Field(default=None, ge=1, le=10)


class Change(Loose):
    """The end that a person declares (S1-07)."""

    status: Literal["failed", "cancelled"]
    completed_at: str | None = Field(default=None, alias="completedAt")


class Matching:
    """/api/jobs/create, /api/jobs/{job}, /api/jobs/{job}/process."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    @needs("enqueue")
    async def create(self, request: web.Request) -> web.Response:
        """POST /api/jobs/create."""
        asked = await self.shared.body(request, Start)
        payload: dict[str, Any] = {"projectId": asked.project_id, "jobType": asked.job_type}
        if asked.config is not None:
            payload["config"] = asked.config
        caller = caller_of(request)
        made = await self.shared.enqueue(
            request, KIND, payload, priority=asked.priority, owner=caller.name
        )
        job = await self.show(await self.shared.sight(made["id"]))
        # As it was made: a worker may have begun meanwhile.
        shown = {name: job[name] for name in SHORT} | {"status": "pending"}
        return answer({"success": True, "job": shown}, status=201)

    async def process(self, request: web.Request) -> tuple[Sight, str]:
        """The job once something has happened to it, and what that was: it goes on by itself, so this only waits."""
        sight = await self.shared.find(request)
        before = await self.show(sight)
        if sight.row["state"] not in OVER:
            await self.shared.look.fetch("seed_nudge")
            await self.shared.await_news(sight.row["id"], PROCESS_SECONDS)
        sight = await self.shared.sight(sight.row["id"])
        job = await self.show(sight)
        items = max(0, job["processedItems"] - before["processedItems"])
        matches = max(0, job["matchesFound"] - before["matchesFound"])
        return sight, f"Processed {items} items, {matches} new matches"

    async def change(self, request: web.Request) -> Sight:
        """The job, given up by hand."""
        change = await self.shared.body(request, Change)
        sight = await self.shared.find(request)
        state = sight.row["state"]
        if state == "completed":
            raise HttpProblem("wrong-state", detail="the job is completed already")
        if state not in OVER:
            reason = f"declared {change.status} by hand"
            await self.shared.act(request, "cli_cancel", sight.row["id"], reason)
            if state == "running":
                await self.shared.await_over([sight.row["id"]], PROCESS_SECONDS)
        return await self.shared.sight(sight.row["id"])

    async def show(self, sight: Sight) -> dict[str, Any]:
        """A job in the words of seed 001."""
        job = sight.resource
        if job["kind"] != KIND:
            return _other(job)
        row = await self.shared.look.row("seed_matching", job["id"])
        assert row
        return {
            "id": str(row["id"]),
            "projectId": row["project_id"],
            "jobType": row["job_type"],
            "status": row["status"],
            "currentStage": row["current_stage"],
            "currentStageName": row["current_stage_name"],
            "totalItems": row["total_items"],
            "processedItems": row["processed_items"],
            "progressPercentage": float(row["progress_percentage"]),
            "matchesFound": row["matches_found"],
            "matchRate": float(row["match_rate"]),
            "failedItems": row["failed_items"],
            "createdAt": rfc3339(row["created_at"]),
            "startedAt": rfc3339(row["started_at"]),
            "completedAt": rfc3339(row["completed_at"]),
            "estimatedCompletion": rfc3339(row["estimated_completion"]),
            "results": job["result"],
            "errorMessage": said(row["error_message"]),
        }


def _other(job: dict[str, Any]) -> dict[str, Any]:
    """A job that no seed knows, in the words of this one as far as they go."""
    progress = job["progress"]
    done, total = progress["items_done"], progress["items_total"]
    if total is None and progress["steps_total"]:
        done, total = progress["steps_done"] + progress["steps_failed"], progress["steps_total"]
    words = {
        "completed": "completed",
        "failed": "failed",
        "cancelled": "failed",
        "running": "processing",
    }
    return {
        "id": job["key"],
        "projectId": None,
        "jobType": job["kind"],
        "status": words.get(job["state"], "pending"),
        "currentStage": 0,
        "currentStageName": progress["stage"] or progress["step"] or "",
        "totalItems": total or 0,
        "processedItems": done or 0,
        "progressPercentage": progress["percent"] or 0.0,
        "matchesFound": 0,
        "matchRate": 0.0,
        "createdAt": job["created_at"],
        "startedAt": job["started_at"],
        "completedAt": job["finished_at"],
        "estimatedCompletion": (job.get("eta") or {}).get("finishes_at"),
        "results": job["result"],
        "errorMessage": said(job["error"]),
    }
