"""What all pages share: the frame around them, what is shown when the database is away, and how acts answer."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from asyncpg import Record

from bellhand import __version__
from bellhand.callers import COOKIE, WANTED, Scope, caller_of, needs
from bellhand.dashboard.assets import Assets
from bellhand.dashboard.nearest import nearest_page
from bellhand.dashboard.search import is_number
from bellhand.dashboard.tree import tree
from bellhand.dashboard.words import FILTERS
from bellhand.db import Again, Away
from bellhand.look import Look
from bellhand.problems import HttpProblem

if TYPE_CHECKING:
    import jinja2

PAGE_SECONDS = 3.0
ACT_SECONDS = 22.0  # of an act on many jobs
FRESH_SECONDS = 2.0  # what every page asks is asked once in so long
SNAPSHOTS_MAX = 50
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PLACES = (
    ("Work", (("/", "Overview"), ("/jobs", "Jobs"), ("/failures", "Failures"), ("/lanes", "Lanes"),
              ("/kinds", "Kinds"), ("/schedules", "Schedules"), ("/workers", "Workers"), ("/system", "System"))),
    ("Results", (("/leads", "Leads"), ("/matching", "Matching"), ("/sites", "Sites"), ("/seo", "SEO"), ("/crm", "Mail"))),
)  # fmt: skip
PATHS = frozenset(path for _, entries in PLACES for path, _ in entries) - {"/"}
KEYBOARD = (
    ("/", "search"), ("?", "these keys"), ("Ctrl+K", "go to a page or a job"), ("g o", "overview; then j jobs, f failures, l lanes, k kinds, s schedules, w workers, y system"),
    ("j k", "next and previous row"), ("Enter", "open the row"), ("x", "choose the row"), ("r c p", "retry, cancel, pause"), ("n", "run now"), ("u", "undo"),
    ("y Y", "copy the id, or the first command"), ("[ ]", "previous and next page"), ("l", "live on or off"), ("z", "times: relative, local, UTC"), ("t", "light or dark"),
)  # fmt: skip
# What a redirect may say on the next page; the rest of its sentence is a number or nothing.
SAID = {
    "cancel": "Cancelled; a running job stops at its next await.", "pause": "Paused; a running job stops at its next step and keeps what is done.",
    "resume": "It goes on.", "retry": "Queued again; steps that completed are skipped.", "retry_held": "Queued again, to begin in 5 s; steps that completed are skipped.", "run_now": "It runs as soon as a worker is free.",
    "enqueue": "Queued.", "edit": "Changed.", "unchanged": "Nothing was filled in, and nothing changed.",
    "purge": "Deleted for good; its page says what it was.", "priority": "It has another priority, and comes after those that had it before.", "same": "There is such a job already: this is it.", "pause_lane": "The lane is paused; what runs goes on.", "resume_lane": "The lane goes on.",
    "limit_lane": "The limits hold from the next claim on.", "pause_schedule": "The schedule is paused.", "resume_schedule": "The schedule goes on with its next tick.",
    "pause_kind": "The kind is paused; what runs goes on.", "resume_kind": "The kind goes on.", "schedule": "Queued once, beside its schedule.",
    "accepted": "Accepted.", "rejected": "Rejected.", "locked": "Locked: no run changes it.", "undo": "Undone.", "mute": "Muted: it is left out of what is shown at first.", "unmute": "It is shown again.",
    "save_view": "Saved for all who look; it stands above the list of jobs.", "remove_view": "Removed.", "drain": "It claims nothing more; what runs hands itself back at its next step, or ends.", "undrain": "It claims again.",
}  # fmt: skip

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Frame:
    """What is on every page; `stale` when it is a picture of the past."""

    now: datetime
    workers: int
    any_job: bool
    paused: list[dict[str, Any]]
    kinds: list[str]
    views: list[dict[str, Any]]
    stale: bool = False


class Site:
    """Renders pages; `shown` wraps a handler that makes one, `done` answers an act."""

    def __init__(self, look: Look, patient: Look) -> None:
        self.look = look
        self.patient = patient  # for what may take ACT_SECONDS
        self.assets = Assets()
        self.filters: dict[str, Any] = {**FILTERS, "tree": tree}
        self.grafana = ""  # where the dashboard for Grafana is, if somebody imported it
        self._kept: dict[tuple[Any, ...], tuple[float, list[Record]]] = {}
        self._asking = asyncio.Lock()
        self._snapshots: OrderedDict[str, tuple[str, dict[str, Any]]] = OrderedDict()

    @cached_property
    def environment(self) -> jinja2.Environment:
        """Where templates come from, made for the first page."""
        import jinja2  # here: a daemon whose pages nobody looks at spares 2 MB

        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
            auto_reload=False,  # an upgrade replaces files under the daemon that still runs
        )  # fmt: skip
        environment.filters |= self.filters
        environment.globals |= {
            "asset": self.assets.address,
            "imported_scripts": self.assets.imported,
            "version": __version__,
            "places": PLACES,
            "keyboard": KEYBOARD,
            "grafana": self.grafana,
        }
        return environment

    async def often(self, name: str, *arguments: Any) -> list[Record]:
        """What many pages ask, asked once in FRESH_SECONDS however many ask."""
        clock = asyncio.get_running_loop().time
        async with self._asking:
            kept = self._kept.get((name, *arguments))
            if kept is None or clock() - kept[0] > FRESH_SECONDS:
                kept = clock(), await self.look.fetch(name, *arguments)
                self._kept[name, *arguments] = kept
        return kept[1]

    def forget(self, name: str) -> None:
        """What was just changed is asked for again by the next page."""
        self._kept = {key: kept for key, kept in self._kept.items() if key[0] != name}

    async def frame(self) -> Frame:
        """The time and the warnings."""
        row = (await self.often("page_frame"))[0]
        paused, views = json.loads(row["paused"]), json.loads(row["views"])
        return Frame(row["now"], row["workers"], bool(row["any_job"]), paused, row["kinds"], views)

    def shown(
        self, handler: Handler, scope: Scope = "read", seconds: float = PAGE_SECONDS
    ) -> Handler:
        """The handler for those who may; with the database away, what this address showed last."""

        @needs(scope, seconds=seconds + 1)
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                async with asyncio.timeout(seconds):
                    return await handler(request)
            except (Away, Again, TimeoutError):
                snapshot = self._snapshots.get(address(request))
                if request.method != "GET" or snapshot is None:
                    raise
                template, values = snapshot
                stale = values | self._given(request, template) | {"q": values["q"]}
                stale |= {"frame": replace(values["frame"], stale=True), "notice": None}
                return self._answer(await self._drawn(template, stale), 503)

        return answer

    async def page(
        self, request: web.Request, template: str, *, live: bool = True, status: int = 200, **values: Any
    ) -> web.Response:  # fmt: skip
        """The page; a live one asks for itself again every two seconds."""
        frame = await self.frame()
        given = self._given(request, template) | {"frame": frame} | values
        given["live"] = address(request) if live else None
        if live and status == 200:
            self._snapshots.pop(address(request), None)
            self._snapshots[address(request)] = template, given
            if len(self._snapshots) > SNAPSHOTS_MAX:
                self._snapshots.popitem(last=False)
        return self._answer(await self._drawn(template, given), status)

    def refusal(self, request: web.Request, problem: HttpProblem) -> web.Response:
        """An error as a page: what, why, what to do; asks nothing of the database."""
        given = self._given(request, "problem.html") | {"problem": problem, "next": _wanted(request)}  # fmt: skip
        given |= {"again": problem.status == 503 and request.method == "GET", "linked": linked}
        # Of an address that is none of ours, the page that it is most like says more than the routes do.
        unknown = problem.status == 404 and problem.hint == problem.sort.hint
        given["near"] = nearest_page(request.path, PATHS) if unknown else None
        answer = self._answer(self._draw("problem.html", given), problem.status)
        answer.headers.update(problem.headers)
        return answer

    async def part(self, template: str, **values: Any) -> web.Response:
        """A piece of a page, for a script that puts it in its place."""
        return self._answer(await self._drawn(template, values), 200)

    def done(
        self, path: str, did: str, count: int = 0, failed: int = 0, operation: int = 0
    ) -> web.Response:
        """The answer to an act: see there, where a notice says what was done and offers to undo it."""
        more = {"n": count, "failed": failed} if count or failed else {}
        more |= {"operation": operation} if operation else {}
        mark = "&" if "?" in path else "?"
        return see(f"{path}{mark}{urlencode({'did': did, **more})}")

    @needs(None)
    async def preferences(self, request: web.Request) -> web.Response:
        """Keeps the choice of light or dark, for browsers without scripts."""
        form = await request.post()
        theme = "dark" if form.get("theme") == "dark" else "light"
        answer = see(local(str(form.get("back", "/"))))
        answer.set_cookie("bellhand_theme", theme, max_age=31536000, path="/", samesite="Lax")
        return answer

    def _given(self, request: web.Request, template: str) -> dict[str, Any]:
        theme = request.cookies.get("bellhand_theme")
        caller = caller_of(request)
        return {
            "page": template.removesuffix(".html"),
            "here": "/" + request.path.split("/")[1],
            "theme": theme if theme in ("light", "dark") else None,
            "caller": caller.name,
            "may_operate": caller.may("operate"),
            "may_admin": caller.may("admin"),
            "signed_in": COOKIE in request.cookies,
            "here_clean": address(request),
            "notice": _notice(request),
            "q": "",
        }

    async def _drawn(self, template: str, values: dict[str, Any]) -> str:
        # Many steps or a large payload take 30 ms, which no claim should wait for.
        return await asyncio.to_thread(self._draw, template, values)

    def _draw(self, template: str, values: dict[str, Any]) -> str:
        return self.environment.get_template(template).render(values)

    def _answer(self, text: str, status: int) -> web.Response:
        headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}
        return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def linked(hint: str) -> list[tuple[str, str, str]]:
    """A hint word by word: where it leads if it is the address of a page or the id of a job, the word, and the mark behind it."""
    words = hint.split(" ")
    found = []
    for word, behind in zip(words, [*words[1:], ""], strict=True):
        text = word.rstrip(",;.?")
        page = text if text.startswith("/") and "/" + text.split("/")[1] in PATHS else ""
        # As in `7 (demo.greet, completed)`.
        job = f"/jobs/{text}" if is_number(text) and behind.startswith("(") else ""
        found.append((page or job, text, word[len(text) :]))
    return found


def see(path: str) -> web.Response:
    """See there."""
    return web.Response(status=303, headers={"Location": path})


def local(path: str) -> str:
    """The path if it is one of ours: nobody is sent elsewhere."""
    parts = urlsplit(path)
    ours = not parts.scheme and not parts.netloc and path.startswith("/")
    return path if ours and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


def _wanted(request: web.Request) -> str:
    """Where whoever signs in is led: to what was asked for, or, as an act cannot be asked for again by an address, to where it was begun."""
    if request.method in ("GET", "HEAD"):
        return local(request.path_qs)
    begun = urlsplit(request.headers.get("Referer", ""))
    return local(request.get(WANTED) or begun._replace(scheme="", netloc="", fragment="").geturl())


def address(request: web.Request) -> str:
    """The page without what a redirect said about an act."""
    kept = [
        (k, v) for k, v in request.query.items() if k not in ("did", "n", "failed", "operation")
    ]
    return request.path + (f"?{urlencode(kept)}" if kept else "")


def _notice(request: web.Request) -> tuple[str, str, int] | None:
    """How it sounds, what it says, and the operation that it offers to undo (0: none)."""
    said = SAID.get(request.query.get("did", ""))
    if said is None:
        return None
    count, failed, operation = (_count(request, name) for name in ("n", "failed", "operation"))
    if count + failed > 1:
        said = f"{count:,} jobs: {said[0].lower()}{said[1:]}"
    if failed:
        return (
            "warning",
            f"{said} {failed:,} stayed as they are: something else had touched them.",
            operation,
        )
    return "good", said, operation


def _count(request: web.Request, name: str) -> int:
    text = request.query.get(name, "")
    return int(text) if is_number(text) else 0
