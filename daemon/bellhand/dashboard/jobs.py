"""The list of jobs: found by what is written in the search box, page by page; many acted on after a preview."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from aiohttp import web
from asyncpg import Record

from bellhand.callers import caller_of
from bellhand.counted import counted
from bellhand.dashboard.search import Search, is_number, job_named, parse, without_one
from bellhand.dashboard.site import Site, address, local, see
from bellhand.dashboard.words import shown
from bellhand.problems import HttpProblem
from bellhand.resource import resource
from bellhand.states import OVER, PARTIAL, STATES

ROWS = 50
FINGERPRINT = re.compile(r"[0-9a-f]{12,64}")
LOOKED_AT_FIRST = 500
LOOKED_AT_MAX = 5_000  # of what no index knows, in one page
SECOND_LOOK_SECONDS = 1.0  # that it may be expected to take
REASON_CHARS_MAX = 500
ENDED = OVER | {PARTIAL}
LIVE = frozenset(STATES) - OVER
TABS = (
    ("All", ""), ("Running", "state:running"), ("Waiting", "state:pending"), ("Trying again", "state:retrying"),
    ("Failed", "state:failed"), ("Partial", "state:partial"), ("Ended", "state:over"), ("Paused", "state:paused"),
)  # fmt: skip
ACTIONS = {
    "cancel": ("cancel", "Jobs that wait end at once; one that runs stops at its next await. Jobs that wait for them are cancelled too, unless they say otherwise."),
    "pause": ("pause", "Jobs that wait are held; one that runs stops at its next step. Steps that are done stay done."),
    "resume": ("resume", "They go on where they stopped."),
    "retry": ("retry", "They are queued again. Steps that completed are skipped; what a job did outside of steps may happen a second time."),
    "run_now": ("run now", "They do not wait for their time any longer."),
}  # fmt: skip
_CURSOR = re.compile(r"(run|wait|over)-(\d{1,18})(?:-([0-9TZ:.+-]{10,40}))?")


class Jobs:
    """GET /jobs, and the bulk acts on it."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def show(self, request: web.Request) -> web.StreamResponse:
        """A page of jobs, those that run first, then those that wait, then those that are over, newest first."""
        text = asked(request)
        if text != request.query.get("q", ""):
            return see(f"/jobs?{urlencode({'q': text})}" if text else "/jobs")
        if word := job_named(text):
            return see(f"/jobs/{word}")
        if FINGERPRINT.fullmatch(text) and await self.site.look.row("page_failure_named", text):
            return see(f"/failures/{text}")
        search = parse(text)
        if not caller_of(request).may("operate"):
            search = search.for_a_reader()
        before = request.query.get("before", "")
        ids, looked_at, older = await self.find(search, before)
        jobs = await self.of_ids(ids, foretold=True)
        frame = await self.site.frame()
        here = {"q": text} if text else {}
        whole = search.as_filter()
        return await self.site.page(
            request, "jobs.html", title="Jobs", live=True, q=text, search=search, jobs=jobs, kinds=frame.kinds, tabs=TABS,
            saved=next((view for view in frame.views if view["path"] == address(request)), None),
            without=[] if jobs else without_one(text), state_words=(*STATES, PARTIAL, "live", "over"), before=before, looked_at=looked_at,
            older=f"/jobs?{urlencode(here | {'before': older})}" if older else "",
            newest=f"/jobs?{urlencode(here)}" if here else "/jobs", here_again=request.path_qs,
            whole=json.dumps(whole) if whole else "",
            scanned_short=search.looks_inside and bool(older) and len(jobs) < ROWS,
            caption=counted(len(jobs), "job") + (f" for {text}" if text else ", those that run first"),
        )  # fmt: skip

    async def find(self, search: Search, before: str) -> tuple[list[int], int, str]:
        """The ids of a page, how many jobs were looked at for it, and where the next page begins."""
        phase, place, moment = _placed(before)
        ids: list[int] = []
        looked_at = 0
        if phase != "over" and search.live:
            states, known = search.live, search.live == LIVE and not search.kind
            row, most = await self._ask("page_jobs_live", search, states, place, ROWS, known, phase == "run")  # fmt: skip
            ids, looked_at = list(row["ids"]), row["looked_at"]
            if len(ids) >= ROWS:
                return ids, looked_at, f"{'run' if row['runs'][-1] else 'wait'}-{ids[-1]}"
            if row["last_id"] and looked_at >= most:
                return ids, looked_at, f"wait-{row['last_id']}"
            place, moment = None, None
        if not search.over:
            return ids, looked_at, ""
        room = ROWS - len(ids)
        states, known = search.over, search.over == ENDED
        source = "trouble" if "completed" not in states else "kind" if search.kind else "any"
        row, most = await self._ask("page_jobs_over", search, states, place, room, known, source, moment)  # fmt: skip
        found = list(row["ids"])
        ids, looked_at = ids + found, looked_at + row["looked_at"]
        if len(found) >= room:
            return ids, looked_at, f"over-{found[-1]}-{row['ends'][-1].isoformat()}"
        if row["last_id"] and row["looked_at"] >= most:
            return ids, looked_at, f"over-{row['last_id']}-{row['last_at'].isoformat()}"
        return ids, looked_at, ""

    async def _ask(
        self, name: str, search: Search, states: frozenset[str], place: int | None, rows: int, known: bool, *more: Any
    ) -> tuple[Record, int]:  # fmt: skip
        """The page, and how many jobs were to be looked at for it: as few as will mostly do, then LOOKED_AT_MAX.

        `known`: the order itself holds only what fits, so no more than the rows need be looked at.
        """
        known = known and not (search.looks_inside or search.since_seconds)
        most = rows if known else LOOKED_AT_FIRST
        clock = asyncio.get_running_loop().time
        began = clock()
        row = await self._look(name, search, states, place, rows, most, *more)
        # Large payloads take their time to be looked into.
        quick = (clock() - began) * LOOKED_AT_MAX / LOOKED_AT_FIRST < SECOND_LOOK_SECONDS
        if not known and quick and len(row["ids"]) < rows and row["looked_at"] >= most:
            most = LOOKED_AT_MAX
            row = await self._look(name, search, states, place, rows, most, *more)
        return row, most

    async def _look(
        self, name: str, search: Search, states: frozenset[str], place: int | None, rows: int, most: int, *more: Any
    ) -> Record:  # fmt: skip
        found = await self.site.look.fetch(
            name, rows, most, place, sorted(states), search.kind, search.lane, search.owner,
            search.since_seconds, search.slow_seconds, search.words, list(search.paths), list(search.values), *more,
            not search.reader,
        )  # fmt: skip
        return found[0]

    async def of_ids(self, ids: Sequence[int], *, foretold: bool = False) -> list[dict[str, Any]]:
        """The jobs in the order of the ids; `foretold`: with when each will be done."""
        found: dict[int, dict[str, Any]] = {}
        rows = await self.site.look.fetch("status_jobs", list(ids)) if ids else []
        live = [row["id"] for row in rows if foretold and row["state"] not in OVER]
        times = {row["job"]: row for row in await self.site.look.fetch("eta", live)} if live else {}
        for row in rows:
            job = resource(row, foretold=times.get(row["id"]))
            ahead = times[row["id"]]["ahead"] if row["id"] in times else None
            found.setdefault(job["id"], job | {"shown": shown(job), "ahead": ahead})
        return [found[number] for number in ids if number in found]

    async def bulk(self, request: web.Request) -> web.Response:
        """POST /jobs/bulk: without `expected` a preview; with it the act, if still so many jobs match."""
        form = await request.post()
        action, back = str(form.get("action", "")), local(str(form.get("back", "/jobs")))
        ids = [int(one) for one in map(str, form.getall("id", [])) if is_number(one)]
        whole = str(form.get("filter") or form.get("whole") or "")
        chosen = whole or json.dumps({"ids": ids})
        if action not in ACTIONS or not (ids or whole):
            hint = f"choose jobs and one of {', '.join(ACTIONS)}"
            raise HttpProblem("invalid-value", detail="no job or no act was chosen", hint=hint)
        patient = self.site.patient
        expected = str(form.get("expected", ""))
        if is_number(expected):
            reason = str(form.get("reason", ""))[:REASON_CHARS_MAX] or None
            actor = caller_of(request).actor
            done = await patient.row(
                "bulk_act", chosen, action, int(expected), reason, "{}", actor=actor
            )
            assert done
            return self.site.done(
                back, action, done["jobs"], int(expected) - done["jobs"], done["operation"]
            )
        preview = await patient.row("bulk_preview", chosen, action, "{}")
        assert preview
        word, meaning = ACTIONS[action]
        return await self.site.page(
            request, "bulk.html", title=f"{word.capitalize()} {counted(preview['jobs'], 'job')}?", live=False, action=action, word=word, meaning=meaning,
            preview=preview, filter=chosen, back=back, chosen=0 if whole else len(ids), kinds=json.loads(preview["kinds"]), states=json.loads(preview["states"]), effects=json.loads(preview["side_effects"]),
            jobs=await self.of_ids(preview["examples"]),
        )  # fmt: skip


def asked(request: web.Request) -> str:
    """The search as one text: what the selects say is put into it in place of what it said before."""
    text = request.query.get("q", "").strip()
    for name in ("state", "kind"):
        if name in request.query and f"{name}:{request.query[name]}" not in text.split():
            value = request.query[name]
            text = re.sub(rf"(^|\s){name}:\S+", r"\1", text)
            text = f"{text} {name}:{value}" if value else text
    return " ".join(text.split()) if "state" in request.query or "kind" in request.query else text


def _placed(before: str) -> tuple[str, int | None, datetime | None]:
    """What a cursor says: the part of the list, an id, a moment."""
    if not before:
        return "run", None, None
    found = _CURSOR.fullmatch(before)
    try:
        moment = datetime.fromisoformat(
            cast(re.Match[str], found)[3] or "2000-01-01T00:00:00+00:00"
        )
    except (TypeError, ValueError):
        raise HttpProblem("invalid-value", detail="this is no place in the list") from None
    assert found
    return found[1], int(found[2]), moment
