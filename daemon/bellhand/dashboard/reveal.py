"""What the pages hide of a job, for an admin who says why: on a page of its own that nothing keeps."""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs, web

from bellhand.callers import caller_of
from bellhand.dashboard.job import named
from bellhand.dashboard.site import Site
from bellhand.dashboard.tree import loads, tree
from bellhand.problems import HttpProblem


class Reveal:
    """POST /jobs/{job}/reveal, where the settings allow it."""

    def __init__(self, site: Site, settings: dict[str, Any]) -> None:
        self.site = site
        self.allowed: bool = settings.get("status", {}).get("reveal", True)

    async def show(self, request: web.Request) -> web.Response:
        """Payload, result and error as they are; the reason stands in the audit log by then."""
        if not self.allowed:
            raise HttpProblem("reveal-off")
        number, _ = named(request.match_info["job"])
        reason, actor = (
            str((await request.post()).get("reason", "")).strip(),
            caller_of(request).actor,
        )
        row = await self.site.look.row("reveal", number, reason, actor=actor)
        assert row
        shown = {
            name: tree(loads(row[name]), hides=False)
            for name in ("payload", "result")
            if row[name] is not None
        }
        page = await self.site.page(
            request, "reveal.html", title=f"All of job {number}", live=False, number=number, shown=shown, error=row["error"], reason=reason,
        )  # fmt: skip
        page.headers[hdrs.CACHE_CONTROL] = "no-store"
        return page
