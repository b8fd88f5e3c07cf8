"""GET /jobs/{job} by what the client takes: the page for a browser, JSON for a program, and text to read for curl in a terminal."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from aiohttp import hdrs, web
from asyncpg import Record

from bellhand.api.jobs import SEVERAL_SECONDS
from bellhand.api.naming import job_row
from bellhand.api.operations import OWN
from bellhand.api.veil import hidden, masked, seen
from bellhand.callers import needs, require
from bellhand.logs import escape, without_secrets
from bellhand.look import Look
from bellhand.states import OVER

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Who sends */* and shows what comes as it is. Browsers ask for text/html, and scripts in their pages may ask for */* too.
TERMINALS = ("curl/", "wget/", "httpie/", "xh/")
BAR_CHARS = 20
STEPS_SHOWN = 30
VALUE_CHARS_MAX = 500
MARKS = {"completed": "✓", "failed": "!", "running": "▸"}


class Terminal:
    """Tells of a job at the address that people pass on to each other."""

    def __init__(self, look: Look, told: Handler) -> None:
        self.look = look
        self.told = told  # GET /v1/jobs/{job}

    def beside(self, page: Handler) -> Handler:
        """The handler for all three of them."""

        @needs(OWN, seconds=SEVERAL_SECONDS)
        async def answer(request: web.Request) -> web.StreamResponse:
            sort = sort_of(request)
            if sort == "json":
                return await self.told(request)
            if sort == "text":
                return web.Response(text=await self.text(request), headers={hdrs.VARY: hdrs.ACCEPT})
            require(request, "read")
            return await page(request)

        return answer

    async def text(self, request: web.Request) -> str:
        """The job as lines; what is secret by its name or its look is hidden from everybody, as on the pages."""
        row = await job_row(self.look, request)
        number, over = row["id"], row["state"] in OVER
        position = await self.look.row("status_position", number)
        foretold = None if over else await self.look.row("eta", [number])
        gates = [] if over else await self.look.fetch("cli_why", number)
        steps = [masked(dict(one), "error") for one in await self.look.fetch("steps", number)]
        job = seen(row, position, foretold)
        lines = [
            *_head(job), *_times(job), *_why(gates),
            *_steps(steps), *_ends(job), "",
            f"as JSON    curl -H 'Accept: application/json' {request.scheme}://{request.host}/jobs/{number}",
            f"in a shell bellhand watch {number}" if not over else f"in a shell bellhand show {number}",
        ]  # fmt: skip
        return "".join(f"{escape(line)}\n" for line in lines)


def sort_of(request: web.Request) -> str:
    """`page`, `json` or `text`; who names none of them and is no terminal gets the page."""
    accept = request.headers.get(hdrs.ACCEPT, "").lower()
    if "text/html" in accept:
        return "page"
    if "application/json" in accept:
        return "json"
    agent = request.headers.get(hdrs.USER_AGENT, "").lower()
    return "text" if "text/plain" in accept or agent.startswith(TERMINALS) else "page"


def _head(job: dict[str, Any]) -> Iterator[str]:
    state = "completed in part" if job["partial"] else job["state"]
    attempt = f", attempt {job['attempt']} of {job['attempts_max']}" if job["attempt"] else ""
    yield f"job {job['id']}  {job['kind']}  {state}{attempt}"
    yield f"key        {job['key']}"
    progress = job["progress"]
    if progress["percent"] is not None:
        filled = int(BAR_CHARS * progress["percent"] / 100)
        counted = (
            f"  {progress['steps_done']}/{progress['steps_total']} steps"
            if progress["steps_total"]
            else ""
        )
        yield f"progress   {'█' * filled}{'░' * (BAR_CHARS - filled)} {progress['percent']:.0f} %{counted}"
    if progress["message"]:
        yield f"           {progress['message']}"
    if progress["counters"]:
        yield "counted    " + ", ".join(f"{name} {count}" for name, count in progress["counters"].items())  # fmt: skip
    if position := job["position"]:
        yield f"position   {position['ahead']} wait before it, {position['queue_length']} in lane {job['lane']}"


def _times(job: dict[str, Any]) -> Iterator[str]:
    for name in ("created_at", "run_at", "started_at", "finished_at"):
        if job[name] and (name != "run_at" or job["state"] in ("scheduled", "retrying")):
            yield f"{name.removesuffix('_at').replace('run', 'due'):<10} {_second(job[name])}"
    eta = job["eta"] or {}
    for word, name in (("starts", "starts"), ("done", "finishes")):
        if eta.get(f"{name}_at") and not (name == "starts" and job["started_at"]):
            band = f"{_second(eta[f'{name}_low'])} to {_second(eta[f'{name}_high'])}"
            yield f"{word:<10} about {_second(eta[f'{name}_at'])} ({band}; {eta['basis']})"


def _steps(steps: list[dict[str, Any]]) -> Iterator[str]:
    for step in steps[:STEPS_SHOWN]:
        took = ""
        if step["started_at"] and step["finished_at"]:
            took = f"  {(step['finished_at'] - step['started_at']).total_seconds():.1f} s"
        error = f"  {_last(step['error'])}" if step["error"] else ""
        yield f"  {MARKS.get(step['state'], '·')} {step['name']}{took}{error}"
    if len(steps) > STEPS_SHOWN:
        yield f"  and {len(steps) - STEPS_SHOWN} more steps"


def _ends(job: dict[str, Any]) -> Iterator[str]:
    if job["error"]:
        yield f"error      {_last(job['error'])}"
    for name in ("payload", "result"):
        if job[name] is not None and job[name] != {}:
            text = without_secrets(json.dumps(hidden(job[name]), ensure_ascii=False))
            yield f"{name:<10} {text[:VALUE_CHARS_MAX]}{'…' if len(text) > VALUE_CHARS_MAX else ''}"


def _why(gates: Sequence[Record]) -> Iterator[str]:
    for gate in gates:
        yield f"why        {without_secrets(gate['detail'])}"
        if gate["fix"]:
            yield f"           {gate['fix']}"


def _last(error: str) -> str:
    """The line of a traceback that says what went wrong."""
    return next((line.strip() for line in reversed(error.splitlines()) if line.strip()), "")


def _second(moment: str) -> str:
    """2026-01-31 12:00:00 UTC, of what the resource has with fractions."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S} UTC"
