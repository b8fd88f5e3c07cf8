"""One job: how it stands, why it does not run, what it did and when, and what can be done about it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from aiohttp import web
from asyncpg import Record

from bellhand.callers import caller_of
from bellhand.dashboard.acting import tell
from bellhand.dashboard.alike import alike
from bellhand.dashboard.joblog import log_of
from bellhand.dashboard.site import Site
from bellhand.dashboard.tree import loads
from bellhand.dashboard.words import lasted, moment, rough, shown
from bellhand.gone import gone
from bellhand.job_links import links_of
from bellhand.problems import HttpProblem, not_found
from bellhand.resource import number_and_key, resource
from bellhand.tickets import make_ticket

ACTIONS = {
    "retry": "Retry", "resume": "Resume", "run_now": "Run now", "pause": "Pause", "cancel": "Cancel",
}  # fmt: skip
WAITING = ("pending", "scheduled", "retrying", "blocked", "paused")
PRIORITIES = tuple(str(number) for number in range(1, 11))
LINK_HOURS = {"1": "an hour", "8": "8 hours", "24": "a day", "168": "a week"}
GANTT_WIDTH = 1000
GANTT_WIDTH_MIN = 6


class JobPage:
    """GET /jobs/{job}, and the acts on it."""

    def __init__(self, site: Site, settings: dict[str, Any]) -> None:
        self.site = site
        self.links: dict[str, str] = settings.get("status", {}).get("links", {})
        self.reveals: bool = settings.get("status", {}).get("reveal", True)

    async def show(self, request: web.Request) -> web.Response:
        """Everything about the job."""
        row = await self.row(request)
        number, job = row["id"], resource(row)
        job["shown"] = shown(job)
        found = await self.site.look.fetch("page_job", number, job["kind"])
        told = {name: json.loads(found[0][name] or "[]") for name in ("steps", "events", "why")}
        frame = await self.site.frame()
        steps, span = gantt(told["steps"], frame.now)
        typical = json.loads(found[0]["typical"] or "{}")
        seconds = lasted(job, frame.now)
        log = await log_of(self.site.look, request, number)
        eta = None if job["finished_at"] else await self.site.look.row("eta", [number])
        return await self.site.page(
            request, "job.html", title=f"Job {number}", job=job, steps=steps, span=span, events=told["events"], log=log,
            why=told["why"] if job["state"] not in ("running", "completed") else [], eta=foretold(eta),
            ahead=found[0]["ahead"], queued=found[0]["queued"], parents=found[0]["parents"], children=found[0]["children"],
            payload=loads(row["payload"]), result=loads(row["result"]), has_result=row["result"] is not None,
            lasted=seconds, typical=mean(typical), elsewhere=elsewhere(request, job), waits=job["state"] in WAITING,
            alike=alike(json.loads(found[0]["alike"] or "null"), seconds, over=bool(job["finished_at"])), lengths=LINK_HOURS,
            edition=found[0]["version"] or "", fresh=not steps and not job["started_at"],
            actions=[(name, word) for name, word in ACTIONS.items() if name in job["allowed_actions"]],
            reveals=self.reveals, known_at=links_of(self.links, job, job["payload"]),
            again=f"/kinds/{job['kind']}?{urlencode({'like': number})}" if job["lane"] else "",
        )  # fmt: skip

    async def reprioritize(self, request: web.Request) -> web.Response:
        """POST /jobs/{job}/priority: another priority for a job that is not over; one that runs has it from its next attempt on."""
        number, _ = named(request.match_info["job"])
        text = str((await request.post()).get("priority", ""))
        if text not in PRIORITIES:
            raise HttpProblem("invalid-value", detail=f"{text[:50]!r} is no priority", hint="choose one from 1 to 10, 10 comes first")  # fmt: skip
        actor = caller_of(request).actor
        operation = await tell(self.site, number, "reprioritize", actor, priority=int(text))
        if operation is None:
            changes = json.dumps({"priority": int(text)})
            await self.site.look.fetch("api_change", number, changes, None, actor=actor)
        return self.site.done(f"/jobs/{number}", "priority", operation=operation or 0)

    async def ticket(self, request: web.Request) -> web.Response:
        """POST /jobs/{job}/ticket: a link to the public page of the job, which is shown this once and kept nowhere."""
        form = await request.post()
        hours, may_cancel = str(form.get("hours", "")), "cancel" in form
        if hours not in LINK_HOURS:
            raise HttpProblem("invalid-value", detail=f"no link is good for {hours[:50]!r} hours", hint=f"choose one of {', '.join(LINK_HOURS)}")  # fmt: skip
        row = await self.row(request)
        text, expires_at = await make_ticket(
            self.site.look, row["id"], row["key"], cancel=may_cancel, seconds=3600 * int(hours),
            by=caller_of(request).actor,
        )  # fmt: skip
        return await self.site.page(
            request, "ticket.html", title=f"A link to job {row['id']}", live=False, job=row, may_cancel=may_cancel,
            link=f"{request.scheme}://{request.host}/p/{text}", expires_at=expires_at,
        )  # fmt: skip

    async def row(self, request: web.Request) -> Record:
        """The row of status_jobs.sql of the job in the address; the problem 404 or 410 if it is not there."""
        number, key = named(request.match_info["job"])
        rows = await self.site.look.fetch("status_jobs", [number])
        row = next((row for row in rows if key is None or row["key"] == key), None)
        if row is None:
            raise await gone(self.site.look, request.match_info["job"], number, key)
        return row

    async def act(self, request: web.Request) -> web.Response:
        """POST /jobs/{job}/{action}: done, then back to the page, which says so."""
        action = request.match_info["action"]
        if action not in ACTIONS:
            raise not_found(
                f"a job cannot be told to {action[:50]}", f"there are {', '.join(ACTIONS)}"
            )
        number, _ = named(request.match_info["job"])
        actor = caller_of(request).actor
        operation = await tell(self.site, number, action, actor)
        if operation is None:
            # Done in another way, or refused with what can be done instead.
            reason = (None,) if action == "cancel" else ()
            await self.site.look.fetch(f"cli_{action}", number, *reason, actor=actor)
        elif action == "retry":
            action = "retry_held"
        return self.site.done(f"/jobs/{number}", action, operation=operation or 0)


def named(word: str) -> tuple[int, UUID | None]:
    """The id, and the key if the job was named by that."""
    try:
        return number_and_key(word)
    except ValueError:
        detail = f"{word[:100]!r} is neither the id nor the key of a job"
        raise not_found(detail, "see /jobs, which finds them by words") from None


def gantt(steps: list[dict[str, Any]], now: datetime) -> tuple[list[dict[str, Any]], float]:
    """The steps with where their bars begin and how wide they are, in thousandths of the whole; and its seconds."""
    if not steps:
        return [], 0.0
    begin = min(moment(step["started_at"]) for step in steps)
    ends = [moment(step["finished_at"]) if step["finished_at"] else now for step in steps]
    span = max((max(ends) - begin).total_seconds(), 0.001)
    drawn = []
    for step, end in zip(steps, ends, strict=True):
        first = (moment(step["started_at"]) - begin).total_seconds()
        last = max(first, (end - begin).total_seconds())
        x = min(round(GANTT_WIDTH * first / span), GANTT_WIDTH - GANTT_WIDTH_MIN)
        width = max(
            GANTT_WIDTH_MIN, min(round(GANTT_WIDTH * (last - first) / span), GANTT_WIDTH - x)
        )
        drawn.append(step | {"x": x, "width": width, "from": first, "until": last, "seconds": last - first})  # fmt: skip
    return drawn, span


def foretold(eta: Record | None) -> dict[str, Any] | None:
    """When it starts or finishes, as a phrase with its band, and what that stands on."""
    if eta is None:
        return None
    if eta["reason"] or eta["finishes_at"] is None:
        return {"said": f"no forecast: {eta['reason']}", "basis": ""} if eta["reason"] else None
    starts = eta["starts_at"] if eta["starts_at"] and eta["starts_at"] > eta["now"] else None
    parts = (
        [_band("starts", eta["now"], starts, eta["starts_low"], eta["starts_high"])]
        if starts
        else []
    )
    parts.append(
        _band("done", eta["now"], eta["finishes_at"], eta["finishes_low"], eta["finishes_high"])
    )
    return {"said": ", ".join(parts), "basis": f"{eta['basis']}; confidence: {eta['confidence']}"}


def _band(word: str, now: datetime, at: datetime, low: datetime, high: datetime) -> str:
    near, far = (rough(max(0.0, (moment - now).total_seconds())) for moment in (low, high))
    band = f" ({near} to {far})" if near != far else ""
    return f"{word} in about {rough(max(0.0, (at - now).total_seconds()))}{band}"


def mean(typical: dict[str, Any]) -> float | None:
    """The mean seconds of the kind's last hour, if there were enough to say so."""
    jobs = typical.get("jobs") or 0
    return typical["run_seconds"] / jobs if jobs >= 5 else None


def elsewhere(request: web.Request, job: dict[str, Any]) -> list[tuple[str, str]]:
    """The page's acts as lines for a shell and for psql."""
    host = f"{request.scheme}://{request.host}"
    lines = [("read", f"curl {host}/v1/jobs/{job['key']}\nbellhand show {job['id']}")]
    for action in job["allowed_actions"]:
        word = action.replace("_", "-")
        lines.append((
            ACTIONS[action].lower(),
            f"curl -X POST {host}/v1/jobs/{job['key']}/{word}\n"
            f"bellhand {word} {job['id']}\n"
            f"select bellhand.{action}({job['id']})",
        ))  # fmt: skip
    if job["state"] in WAITING:
        lines.append((
            "another priority",
            f"curl -X PATCH {host}/v1/jobs/{job['key']} -H 'Content-Type: application/json' -d '{{\"priority\": 9}}'\n"
            f"select bellhand.change({job['id']}, '{{\"priority\": 9}}')",
        ))  # fmt: skip
    lines.append(("watch", f"bellhand watch {job['id']}"))
    return lines
