"""What fails alike, what it has in common, and telling all of it at once what to do; and undoing that."""

from __future__ import annotations

import json
import re
from typing import Any

from aiohttp import web

from bellhand.callers import caller_of
from bellhand.dashboard.jobs import Jobs
from bellhand.dashboard.nearest import no_such
from bellhand.dashboard.site import Site, local
from bellhand.problems import HttpProblem, not_found

WINDOWS = {"1h": 3600.0, "24h": 86_400.0, "7d": 604_800.0}
GROUPS_MAX = 100
MUTE_SECONDS = {
    "1h": 3600.0,
    "1d": 86_400.0,
    "7d": 604_800.0,
    "deploy": None,
    "ever": None,
    "off": 0.0,
}
MUTE_WORDS = {
    "1h": "an hour",
    "1d": "a day",
    "7d": "a week",
    "deploy": "until the next deploy",
    "ever": "until somebody unmutes it",
}
FINGERPRINT = re.compile(r"[0-9a-zA-Z_-]{1,64}")


class Failures:
    """GET /failures and /failures/{fingerprint}, muting, undoing."""

    def __init__(self, site: Site, jobs: Jobs) -> None:
        self.site = site
        self.jobs = jobs

    async def show(self, request: web.Request) -> web.Response:
        """The groups of a time window, the latest first."""
        window = request.query.get("window", "24h")
        window = window if window in WINDOWS else "24h"
        muted = "muted" in request.query
        rows = await self.site.look.fetch("page_failures", WINDOWS[window], GROUPS_MAX, muted)
        last = None if rows else await self.site.look.row("page_failure_last")
        return await self.site.page(
            request, "failures.html", title="Failures", groups=rows, window=window, windows=list(WINDOWS), muted=muted,
            last_at=last["last_at"] if last else None,
        )  # fmt: skip

    async def one(self, request: web.Request) -> web.Response:
        """One group: its error, what only its jobs have, the newest of them."""
        row = await self.site.look.row("page_failure", _fingerprint(request))
        if row is None:
            raise await self._no_such(_fingerprint(request))
        jobs = await self.jobs.of_ids(row["ids"])
        return await self.site.page(
            request, "failure.html", title=f"{row['kind']}: {row['error_class']}", group=row, jobs=jobs,
            contrast=json.loads(row["contrast"] or "[]"), deploy=json.loads(row["deploy"] or "null"), filter=json.dumps({"failure": row["fingerprint"]}), lengths=MUTE_WORDS,
        )  # fmt: skip

    async def _no_such(self, fingerprint: str) -> HttpProblem:
        rows = await self.site.look.fetch("page_failures", WINDOWS["7d"], GROUPS_MAX, True)
        known = [row["fingerprint"] for row in rows]
        return no_such(f"there is no failure {fingerprint}", "/failures", fingerprint, known, "it may have left with the history it was in; see /failures")  # fmt: skip

    async def mute(self, request: web.Request) -> web.Response:
        """POST /failures/{fingerprint}/mute."""
        form = await request.post()
        length = str(form.get("for", "1d"))
        seconds = MUTE_SECONDS.get(length, 86_400.0)
        found = _fingerprint(request)
        reason = str(form.get("reason", ""))[:500] or None
        await self.site.look.fetch(
            "mute_failure",
            found,
            seconds,
            reason,
            length == "deploy",
            actor=caller_of(request).actor,
        )
        return self.site.done(f"/failures/{found}", "unmute" if seconds == 0 else "mute")

    async def undo(self, request: web.Request) -> web.Response:
        """POST /operations/{operation}/undo: takes back a bulk act where nothing touched its jobs since."""
        form = await request.post()
        number = int(request.match_info["operation"])
        row: Any = await self.site.patient.row("undo", number, actor=caller_of(request).actor)
        return self.site.done(
            local(str(form.get("back", "/jobs"))), "undo", row["undone"], row["kept"]
        )


def _fingerprint(request: web.Request) -> str:
    found = request.match_info["fingerprint"]
    if not FINGERPRINT.fullmatch(found):
        raise not_found("there is no such failure", "see /failures")
    return found
