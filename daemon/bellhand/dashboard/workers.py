"""Who works: on what, with which code, what taking one out would cost; and who was lost, with what became of what it held."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any
from uuid import UUID

from aiohttp import web

from bellhand.callers import caller_of
from bellhand.dashboard.site import Site
from bellhand.dashboard.trouble import late_of
from bellhand.drain_cost import cost
from bellhand.problems import not_found

LOST_SECONDS = 86_400.0
REASON_CHARS_MAX = 500


class Workers:
    """GET /workers and /workers/{worker}/drain; draining and its end."""

    def __init__(self, site: Site, settings: dict[str, Any]) -> None:
        self.site = site
        self.own = settings.get("worker", {})  # this daemon's: others may have another grace
        self.late_seconds = late_of(settings)

    async def show(self, request: web.Request) -> web.Response:
        """Who works, on what, and when each was heard last; who was lost in the last day."""
        lease_seconds = self.own.get("lease_seconds", 0.0)
        rows = [
            dict(row)
            | {
                "jobs": json.loads(row["jobs"]),
                "late": row["beat_seconds"] > self.late_seconds,
                "again_seconds": max(0.0, lease_seconds - row["beat_seconds"]),
            }
            for row in await self.site.look.fetch("page_workers")
        ]
        lost = [
            dict(row) | {"held": json.loads(row["held"])}
            for row in await self.site.look.fetch("page_lost_workers", LOST_SECONDS)
        ]
        return await self.site.page(request, "workers.html", title="Workers", workers=rows, lost=lost, mixed=mixed(rows))  # fmt: skip

    async def plan(self, request: web.Request) -> web.Response:
        """GET /workers/{worker}/drain: what taking it out would cost, before it is done."""
        number = _named(request)
        rows = await self.site.look.fetch("page_workers")
        worker = next((row for row in rows if row["id"] == number), None)
        if worker is None:
            raise not_found("this worker is not there any more", "see /workers")
        jobs = [dict(row) for row in await self.site.look.fetch("drain_plan", None, number)]
        costs = cost(
            jobs, self.own.get("grace_seconds", 0.0), self.own.get("kill_grace_seconds", 0.0)
        )
        left = [job["left_seconds"] for job in jobs]
        return await self.site.page(
            request, "drain.html", title=f"Drain {worker['name']}?", worker=worker, jobs=jobs, costs=costs,
            longest=None if None in left else max(left, default=0.0), others=sum(1 for row in rows if row["id"] != number and not row["draining"]),
        )  # fmt: skip

    async def drain(self, request: web.Request) -> web.Response:
        """POST /workers/{worker}/drain: it claims nothing more."""
        reason = str((await request.post()).get("reason", ""))[:REASON_CHARS_MAX] or None
        actor = caller_of(request).actor
        await self.site.look.fetch("drain_worker", str(_named(request)), reason, actor=actor)
        return self.site.done("/workers", "drain")

    async def undrain(self, request: web.Request) -> web.Response:
        """POST /workers/{worker}/undrain: it claims again."""
        actor = caller_of(request).actor
        await self.site.look.fetch("undrain_worker", str(_named(request)), actor=actor)
        return self.site.done("/workers", "undrain")


def mixed(workers: list[dict[str, Any]]) -> list[str]:
    """Versions and digests of code that run side by side for the same kinds, as `0.1.0 (a1b2c3)`; none where all are alike."""
    of_kinds: dict[str, set[str]] = defaultdict(set)
    for one in workers:
        code = f" (code {one['code']})" if one["code"] else ""
        of_kinds[one["serves"]].add(f"{one['version']}{code}")
    versions = {one["version"] for one in workers}
    found = set().union(*(alike for alike in of_kinds.values() if len(alike) > 1))
    return sorted(found or (versions if len(versions) > 1 else ()))


def _named(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["worker"])
    except ValueError:
        raise not_found("no worker has such an id", "see /workers") from None
