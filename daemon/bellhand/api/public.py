"""What anybody with a ticket sees of one job, and the files that every browser may load.

The page works without JavaScript: it comes again every few seconds, and cancels with a form. With it, <job-progress>
takes the place of what stands inside it, and follows the job.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web

from bellhand.api.live import Follower, Sight, Watch, sight_of
from bellhand.api.operations import answer
from bellhand.api.stream import Stream
from bellhand.callers import needs
from bellhand.look import Look
from bellhand.problems import HttpProblem, not_found
from bellhand.states import OVER
from bellhand.tickets import Ticket, find_ticket

if TYPE_CHECKING:
    import jinja2

HERE = Path(__file__).parent
FILES = {
    "/bellhand.js": ("static/bellhand.js", "text/javascript"),
    "/p/progress.css": ("static/progress.css", "text/css"),
}
AGAIN_SECONDS = 5
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SHOWN = (
    "key", "kind", "state", "partial", "progress", "position", "eta", "created_at", "run_at",
    "started_at", "finished_at",
)  # fmt: skip
WORDS = {
    "pending": "Waiting", "scheduled": "Scheduled", "retrying": "Waiting to try again", "blocked": "Waiting for other jobs",
    "paused": "Paused", "running": "Running", "completed": "Completed", "failed": "Failed", "cancelled": "Cancelled",
}  # fmt: skip


class Public:
    """/p/{ticket} and what belongs to it, and /bellhand.js."""

    def __init__(self, look: Look, watch: Watch) -> None:
        self.look = look
        self.watch = watch
        self.files = {
            path: ((HERE / name).read_bytes(), content_type)
            for path, (name, content_type) in FILES.items()
        }

    @cached_property
    def pages(self) -> jinja2.Environment:
        """Where templates come from, made for the first page."""
        import jinja2

        folder = jinja2.FileSystemLoader(HERE / "pages")
        return jinja2.Environment(
            loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True
        )

    def routes(self) -> list[web.RouteDef]:
        return [
            *(web.get(path, self._file) for path in FILES),
            web.get("/p/{ticket}", self._page),
            web.get("/p/{ticket}/job", self._job),
            web.get("/p/{ticket}/events", self._events, allow_head=False),
            web.post("/p/{ticket}/cancel", self._cancel),
        ]

    @needs(None)
    async def _file(self, request: web.Request) -> web.Response:
        """A file that browsers keep, and ask for anew by its ETag."""
        body, content_type = self.files[request.path]
        tag = hashlib.sha256(body).hexdigest()[:32]
        headers = {hdrs.ETAG: f'"{tag}"', hdrs.CACHE_CONTROL: "no-cache"}
        if any(one.value in (tag, "*") for one in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)

    @needs(None)
    async def _page(self, request: web.Request) -> web.Response:
        ticket = await find_ticket(self.look, request.match_info["ticket"])
        if ticket is None or ticket.expired:
            text = self.pages.get_template("expired.html").render()
            return _html(text, 404 if ticket is None else 410)
        job = public(ticket, await self._sight(ticket))
        over = job["state"] in OVER
        text = self.pages.get_template("progress.html").render(
            job=job, over=over, words="Completed in part" if job["partial"] else WORDS[job["state"]],
            ticket=request.match_info["ticket"], again_seconds=AGAIN_SECONDS, asked="cancelling" in request.query,
        )  # fmt: skip
        return _html(text)

    @needs(None)
    async def _job(self, request: web.Request) -> web.Response:
        ticket = await self._good(request)
        return answer(public(ticket, await self._sight(ticket)))

    @needs(None, seconds=None)
    async def _events(self, request: web.Request) -> web.StreamResponse:
        ticket = await self._good(request)
        await self._sight(ticket)
        follower = Follower(frozenset({ticket.job}))
        stream = Stream(
            self.watch, self.look, follower, lambda sight: public(ticket, sight),
            f"/p/{request.match_info['ticket']}/job", job=ticket.job, tells_log=False,
            seconds_max=ticket.seconds_left,
        )  # fmt: skip
        return await stream.answer(request)

    @needs(None)
    async def _cancel(self, request: web.Request) -> web.Response:
        """Cancels the job: from a form with a redirect, else with what became of it."""
        ticket = await self._good(request)
        if not ticket.cancel:
            raise HttpProblem("forbidden", detail="this link is for looking only")
        sight = await self._sight(ticket)
        if sight.row["state"] not in OVER:
            reason = "cancelled with a ticket"
            await self.look.fetch("cli_cancel", ticket.job, reason, actor="http:ticket")
        if "text/html" in request.headers.get(hdrs.ACCEPT, ""):
            place = f"/p/{request.match_info['ticket']}?cancelling=1"
            return web.Response(status=303, headers={hdrs.LOCATION: place})
        return answer(public(ticket, await self._sight(ticket)))

    async def _good(self, request: web.Request) -> Ticket:
        ticket = await find_ticket(self.look, request.match_info["ticket"])
        if ticket is None:
            raise not_found("this link is none of ours, or expired long ago")
        if ticket.expired:
            raise HttpProblem("expired")
        return ticket

    async def _sight(self, ticket: Ticket) -> Sight:
        for row in await self.look.fetch("status_jobs", [ticket.job]):
            if row["key"] == ticket.key:
                return await sight_of(self.look, row)
        raise not_found("the job is not kept any more")


def public(ticket: Ticket, sight: Sight) -> dict[str, Any]:
    """What an end user sees: how far it is, and nothing of what it is given, of what it made, nor why it failed."""
    job = sight.resource
    seen = {name: job[name] for name in SHOWN if name in job}
    seen["progress"] = {k: v for k, v in job["progress"].items() if k != "counters"}
    return seen | {"can_cancel": ticket.cancel and "cancel" in job["allowed_actions"]}


def _html(text: str, status: int = 200) -> web.Response:
    headers = {"Content-Security-Policy": POLICY, "X-Robots-Tag": "noindex"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
