"""The routes of seed 002, website validation: how the queue stands, and retrying a job."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic import Field

from bellhand.api.live import Sight
from bellhand.api.operations import answer
from bellhand.api.seeds.shared import Loose, Shared, said
from bellhand.callers import needs
from bellhand.resource import rfc3339

TYPES = {
    "sites.validate": "website_validation",
    "sites.emails": "email_scraping",
    "sites.socials": "social_scraping",
}
WORDS = {"completed": "success", "failed": "failure", "cancelled": "failure", "running": "running"}
FAILURES_MAX = 20


class Which(Loose):
    """Which job."""

    job_id: str | int = Field(alias="jobId")


class Sites:
    """/api/jobs/status, /api/jobs/retry."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    @needs("read")
    async def status(self, _request: web.Request) -> web.Response:
        """GET /api/jobs/status."""
        counts = await self.shared.statistics()
        rows = await self.shared.look.fetch("seed_failed", FAILURES_MAX, None)
        failures = [
            {
                "id": str(row["key"]), "jobType": TYPES.get(row["kind"], row["kind"]),
                "businessId": row["business_id"], "error": said(row["error"]), "retryCount": row["attempts"],
                "createdAt": rfc3339(row["created_at"]), "failedAt": rfc3339(row["finished_at"]),
            }
            for row in rows
        ]  # fmt: skip
        told = {
            "queued": counts.pending, "running": counts.running, "success": counts.completed,
            "failure": counts.failed, "total": counts.total, "recentFailures": failures,
        }  # fmt: skip
        return answer(told)


def show(sight: Sight) -> dict[str, Any]:
    """A job in the words of seed 002."""
    job = sight.resource
    return {
        "id": job["key"],
        "businessId": (job["payload"] or {}).get("business_id"),
        "jobType": TYPES.get(job["kind"], job["kind"]),
        "status": WORDS.get(job["state"], "queued"),
        "retryCount": sight.row["attempts"],
        "maxAttempts": job["attempts_max"],
        "error": said(job["error"]),
        "result": job["result"],
        "createdAt": job["created_at"],
        "startedAt": job["started_at"],
        "completedAt": job["finished_at"],
    }
