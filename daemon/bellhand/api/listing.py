"""GET /v1/jobs: pages of jobs, each at a bounded cost whatever is asked for.

Jobs that are not over come first, then those that are; the newest first, or with `sort=id` the oldest. Whoever asks for one kind, or only for jobs that went wrong,
gets those that are over by the time they ended, since that is what the indexes know. A page walks a few jobs, and if they do not fill
it, once more WALK of them; so it may hold fewer than `limit`, or none, and there may be more all the same: has_more and next_cursor
say so.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Protocol, cast
from urllib.parse import urlencode

from aiohttp import web
from asyncpg import Record

from bellhand.api.given import ListQuery
from bellhand.api.veil import seen
from bellhand.callers import Caller
from bellhand.logs import SECRET_NAME
from bellhand.look import Look
from bellhand.problems import HttpProblem
from bellhand.resource import rfc3339
from bellhand.states import OVER, PARTIAL, STATES, states_named

Way = Literal[
    "running", "live", "trouble", "kind", "over", "live_oldest", "trouble_oldest", "kind_oldest", "over_oldest"
]  # fmt: skip
BY_END = frozenset({"trouble", "kind", "trouble_oldest", "kind_oldest"})
FIRST_WALK_PER_JOB = 4
WALK = 10_000
# Where payloads are read, which may be large: a few, and as many more as that took time for.
WALKS_INSIDE = (50, 150, 400, 1_400)
INSIDE_SECONDS = 0.8  # that the next walk may be expected to take
TROUBLE = frozenset({"failed", "cancelled", PARTIAL})
ID_END = 2**63 - 1
LEFT_OUT = ("payload", "result")  # of jobs in a list: 200 of them may be 200 MB


class Fetches(Protocol):
    """What runs statements by their name: a Look, or the database of the command line."""

    async def fetch(self, name: str, *arguments: Any) -> list[Record]:
        """All rows."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: on which way, below which id, and for ways that go by time, from when."""

    way: Way
    id: int
    at: datetime | None = None

    @classmethod
    def first(cls, way: Way) -> Place:
        """Where a way begins."""
        return cls(way, 0 if way.endswith("_oldest") else ID_END)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs."""

    states: frozenset[str]
    kinds: list[str] | None
    owner: str | None
    tags: str | None
    error: str | None
    after: datetime | None
    before: datetime | None
    inside: str | None = None  # what each job holds, as holds.sql has it
    sort: str | None = None
    unindexed: tuple[str, ...] = ()  # what no index knows of what is asked for

    @property
    def reads_payloads(self) -> bool:
        """Whether it looks into payloads, which may be large."""
        inside = json.loads(self.inside or "{}")
        return bool(inside) and bool(inside["payload"] or inside["paths"])

    @property
    def ways(self) -> list[Way]:
        """How to find them, in the order of the list."""
        live, over = self.states & (set(STATES) - OVER), self.states & (OVER | {PARTIAL})
        ways: list[str] = []
        if live:
            ways.append("running" if live == {"running"} and self.sort != "id" else "live")
        if over:
            one_kind = self.kinds is not None and len(self.kinds) == 1
            by_end = "trouble" if over <= TROUBLE else "kind" if one_kind else "over"
            ways.append("over" if self.sort in ("-id", "id") else by_end)
        oldest = self.sort in ("id", "finished_at")
        return [cast(Way, f"{way}_oldest" if oldest else way) for way in ways]

    @property
    def everything(self) -> bool:
        """Whether all jobs fit."""
        rest = (self.kinds, self.owner, self.tags, self.error, self.after, self.before, self.inside)
        return self.states >= {*STATES, PARTIAL} and not any(rest)

    def check_order(self) -> None:
        """Raises the problem 422 for an order that no index has."""
        if self.sort in ("-finished_at", "finished_at") and not set(self.ways) <= BY_END:
            what = "no index has them in this order; ask for one kind and state=over, or only for states that went wrong; -id and id are on offer for all"
            raise HttpProblem("invalid-request", errors=[("sort", what)])

    @property
    def mark(self) -> str:
        """The same for the same question: a cursor belongs to one."""
        told = (sorted(self.states), self.kinds, self.owner, self.tags, self.error, self.inside, self.sort)  # fmt: skip
        text = json.dumps([*told, str(self.after), str(self.before)])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


async def wanted_of(look: Look, query: ListQuery, caller: Caller, more: dict[str, str]) -> Wanted:
    """The question of an address, of which `more` are tag.NAME and payload.PATH; a lane stands for its kinds."""
    tags = {n.removeprefix("tag."): v for n, v in more.items() if n.startswith("tag.")}
    paths = {n.removeprefix("payload."): v for n, v in more.items() if n.startswith("payload.")}
    may_guess = caller.may("operate")
    for path in paths:
        # Who does not see a value may not find out by asking for it.
        if SECRET_NAME.search(path) and not may_guess:
            raise HttpProblem("invalid-request", errors=[(f"payload.{path}", "is secret by its name; who asks for it needs `operate`")])  # fmt: skip
    looked_for = {"q": query.q, "paths": paths, "error": None if may_guess else query.error}
    inside = looked_for | {"payload": may_guess} if any(looked_for.values()) else None
    asked = {"owner": query.owner, "error": query.error, "q": query.q} | more
    states: set[str] = set()
    words = [word for one in query.state for word in one.split(",")]
    for word in words:
        states |= states_named(word)
    if not words or ("completed" in states and PARTIAL not in words):
        states |= {PARTIAL} if words else {*STATES, PARTIAL}
    kinds = [query.kind] if query.kind else None
    if query.lane is not None:
        of_lane = [row["name"] for row in await look.fetch("api_kinds_of_lane", query.lane)]
        kinds = of_lane if kinds is None else [kind for kind in kinds if kind in of_lane]
    return Wanted(
        frozenset(states), kinds, query.owner, json.dumps(tags, sort_keys=True) if tags else None,
        query.error if may_guess else None, query.created_after, query.created_before,
        json.dumps(inside, sort_keys=True) if inside else None, query.sort, tuple(n for n, v in asked.items() if v is not None),
    )  # fmt: skip


async def page(look: Look, wanted: Wanted, cursor: str | None, limit: int) -> dict[str, Any]:
    """`data`, `has_more`, `next_cursor`, and `warnings` if the page is not full and no index knows what is asked for."""
    wanted.check_order()
    place = _read(cursor, wanted) if cursor else None
    if place is not None and place.way not in wanted.ways:
        raise HttpProblem("bad-cursor")
    found, following = await ids_from(look, wanted, place, limit)
    jobs = await _jobs(look, wanted, found)
    short = following is not None and len(found) < limit and wanted.unindexed
    return ({"warnings": [_no_index(wanted)]} if short else {}) | {
        "data": jobs,
        "has_more": following is not None,
        "next_cursor": _write(following, wanted) if following else None,
    }


async def ids_from(
    look: Fetches, wanted: Wanted, place: Place | None, limit: int
) -> tuple[list[int], Place | None]:
    """The ids of a page that begins at `place` (None: at the beginning), and where the next one begins, if there may be more."""
    ways = wanted.ways
    place = place or (Place.first(ways[0]) if ways else None)
    found: list[int] = []
    following: Place | None = None
    heavy = wanted.reads_payloads
    walks = [*WALKS_INSIDE] if heavy else [FIRST_WALK_PER_JOB * (limit + 1), WALK]
    clock = asyncio.get_running_loop().time
    for way in ways[ways.index(place.way) :] if place else ():
        assert place
        following = place if way == place.way else Place.first(way)
        while following is not None and walks:
            room = limit - len(found)
            start, began = following, clock()
            row = await _walk(look, wanted, following, room + 1, walks[0])
            found += row["ids"][:room]
            if len(row["ids"]) > room:
                following = Place(way, row["ids"][room - 1], _at(row, room - 1)) if room else start
                walks = []
            elif row["more"]:
                following = Place(way, row["reached"], row["reached_at"])
                took, walks = (clock() - began) / walks[0], walks[1:]
                if heavy and walks and took * walks[0] > INSIDE_SECONDS:
                    walks = []
            else:
                following = None
        if following is not None:
            break
    return found, following


def _no_index(wanted: Wanted) -> dict[str, str]:
    names = ", ".join(wanted.unindexed)
    most = f"{sum(WALKS_INSIDE):,} jobs at most, fewer where payloads are large" if wanted.reads_payloads else f"{WALK:,} jobs at most"  # fmt: skip
    detail = (
        f"no index knows {names}: a page looks at {most}, and next_cursor goes on behind them; "
        "kind and state narrow it"
    )
    return {"code": "no_index", "detail": detail}


async def counted(look: Look, wanted: Wanted) -> dict[str, Any]:
    """About how many jobs fit: counted where a bounded walk reaches the end, else by their share of what it walked."""
    totals = await look.row("api_totals")
    assert totals
    most = sum(WALKS_INSIDE[:2]) if wanted.reads_payloads else WALK
    if wanted.everything and totals["live"] + totals["over"] > most:
        return {"estimated": totals["live"] + totals["over"], "exact": False}
    wanted = replace(wanted, sort=None)
    estimated, exact = 0, True
    for way in wanted.ways:
        row = await _walk(look, wanted, Place.first(way), most, most)
        found = len(row["ids"])
        if way != "running" and row["more"]:
            exact = False
            live = way == "live"
            # Ways by kind or by trouble walk only what is of that sort.
            plain: Way = "live" if live else "over"
            if way != plain:
                row = await _walk(look, wanted, Place.first(plain), most, most)
            share = len(row["ids"]) / most
            found = max(found, round(share * totals["live" if live else "over"]))
        estimated += found
    return {"estimated": estimated, "exact": exact}


def link(request: web.Request, cursor: str) -> str:
    """The header Link to the next page (RFC 8288)."""
    kept = [(name, value) for name, value in request.query.items() if name != "cursor"]
    return f'<{request.path}?{urlencode([*kept, ("cursor", cursor)])}>; rel="next"'


def _at(row: Record, index: int) -> datetime | None:
    return cast(datetime, row["ended"][index]) if row["ended"] else None


async def _walk(look: Fetches, wanted: Wanted, start: Place, limit: int, walk: int) -> Record:
    match = (wanted.kinds, wanted.owner, wanted.tags, wanted.error, wanted.after, wanted.before)
    if start.way == "running":
        rows = await look.fetch("api_list_running", start.id, *match, limit, wanted.inside)
    else:
        states = sorted(wanted.states)
        at = [start.at] if start.way in BY_END else []
        more = (*at, wanted.inside)
        rows = await look.fetch(f"api_list_{start.way}", start.id, *match, states, limit, walk, *more)  # fmt: skip
    return rows[0]


async def _jobs(look: Look, wanted: Wanted, ids: list[int]) -> list[dict[str, Any]]:
    """In the order of the ids; one that moved on between the two looks, out of what was asked for, is left out."""
    rows: dict[int, Record] = {}
    for row in await look.fetch("api_jobs", ids) if ids else ():
        rows.setdefault(row["id"], row)  # the live one of two with one id comes first
    shown = [rows[number] for number in ids if number in rows]
    shown = [row for row in shown if (PARTIAL if row["partial"] else row["state"]) in wanted.states]
    live = [row["id"] for row in shown if row["state"] not in OVER]
    places = {row["id"]: row for row in await look.fetch("watch_positions", live)} if live else {}
    foretold = {row["job"]: row for row in await look.fetch("eta", live)} if live else {}
    jobs = [seen(row, places.get(row["id"]), foretold.get(row["id"])) for row in shown]
    return [{k: v for k, v in job.items() if k not in LEFT_OUT} for job in jobs]


def _write(place: Place, wanted: Wanted) -> str:
    text = json.dumps([place.way, place.id, rfc3339(place.at), wanted.mark])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, wanted: Wanted) -> Place:
    """Raises the problem 400 for what is no cursor of this question."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        way, number, at, mark = json.loads(text)
        moment = datetime.fromisoformat(at) if at is not None else None
        if mark != wanted.mark or not isinstance(number, int) or not 0 <= number <= ID_END:
            raise ValueError("another question")
        if moment is not None and moment.tzinfo is None:
            raise ValueError("no zone")
    except (ValueError, TypeError) as error:
        raise HttpProblem("bad-cursor") from error
    return Place(way, number, moment)
