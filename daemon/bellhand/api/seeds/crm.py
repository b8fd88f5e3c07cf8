"""The routes of seed 004, a CRM: the hourly scan, the nightly clean-up, and what an admin's page shows."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from bellhand.api.live import Sight
from bellhand.api.operations import answer
from bellhand.api.seeds.seo import queued
from bellhand.api.seeds.shared import Shared, said
from bellhand.callers import needs
from bellhand.resource import rfc3339

WORDS = {"completed": "completed", "failed": "failed", "cancelled": "failed", "running": "processing"}  # fmt: skip
FAILED_MAX = 100
OPPORTUNITIES_MAX = 500
CLEANUP_DAYS, CLEANUP_PRIORITY, CLEANUP_ATTEMPTS = 30, 3, 3


class Crm:
    """/api/cron/process-opportunities, /api/cron/cleanup-old-jobs, /api/admin/jobs/stats and failed."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/cron/process-opportunities", self._scan),
            web.post("/api/cron/process-opportunities", self._scan),
            web.get("/api/cron/cleanup-old-jobs", self._cleanup),
            web.post("/api/cron/cleanup-old-jobs", self._cleanup),
            web.get("/api/admin/jobs/stats", self._stats),
            web.get("/api/admin/jobs/failed", self._failed),
        ]

    @needs(None, seconds=None)
    async def _scan(self, request: web.Request) -> web.Response:
        self.shared.admit_cron(request)
        made = await self.shared.enqueue(
            request, "crm.process_opportunities", {"opportunities_max": OPPORTUNITIES_MAX},
            unique_key="cron:process-opportunities",
        )  # fmt: skip
        return answer(await queued(self.shared, made, "queued"))

    @needs(None)
    async def _cleanup(self, request: web.Request) -> web.Response:
        self.shared.admit_cron(request)
        made = await self.shared.enqueue(
            request, "crm.cleanup_old_data", {"days": CLEANUP_DAYS}, priority=CLEANUP_PRIORITY,
            attempts_max=CLEANUP_ATTEMPTS, unique_key="cron:cleanup-old-jobs",
        )  # fmt: skip
        return answer({"success": True, "queued": int(made["created"])})

    @needs("read")
    async def _stats(self, _request: web.Request) -> web.Response:
        counts = await self.shared.statistics()
        told = {
            "total": counts.total, "pending": counts.pending, "processing": counts.running,
            "completed": counts.completed, "failed": counts.failed,
            "successRate": f"{counts.success_rate:.1f}%", "avgProcessingTime": f"{counts.seconds:.1f}s",
        }  # fmt: skip
        return answer(told)

    @needs("read")
    async def _failed(self, _request: web.Request) -> web.Response:
        rows = await self.shared.look.fetch("seed_failed", FAILED_MAX, None)
        failed = [
            {
                "id": str(row["key"]), "type": type_of(row["kind"]), "status": "failed",
                "retryCount": row["attempts"], "errorMessage": said(row["error"]),
                "createdAt": rfc3339(row["created_at"]),
            }
            for row in rows
        ]  # fmt: skip
        return answer(failed)


def type_of(kind: str) -> str:
    """The seed's name of a kind."""
    return kind.removeprefix("crm.")


def show(sight: Sight) -> dict[str, Any]:
    """A job in the words of seed 004."""
    job = sight.resource
    return {
        "id": job["key"],
        "type": type_of(job["kind"]),
        "status": WORDS.get(job["state"], "pending"),
        "payload": job["payload"],
        "priority": job["priority"],
        "retryCount": sight.row["attempts"],
        "maxRetries": job["attempts_max"],
        "scheduledFor": job["run_at"],
        "progress": job["progress"]["percent"],
        "errorMessage": said(job["error"]),
        "createdAt": job["created_at"],
        "startedAt": job["started_at"],
        "completedAt": job["finished_at"],
    }
