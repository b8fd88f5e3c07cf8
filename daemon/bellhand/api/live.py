"""One look for everybody who watches: what happens to jobs, as it happens.

While anybody follows a job or the log, one statement every 150 ms looks at all of it together, and while nobody does,
nothing runs. It polls a bounded set by id instead of listening, because any daemon may run the jobs, and a pooler
may stand in between. What a follower has not read yet is bounded: who reads too slowly is let go, and comes back with
the id of what it read last.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from asyncpg import PostgresError, Record

from bellhand.api.cursor import Cursor, Snapshot
from bellhand.api.veil import masked_all, seen
from bellhand.db import Again, Away, Backoff
from bellhand.look import Look
from bellhand.states import OVER

log = structlog.get_logger()

LOOK_SECONDS = 0.15
FORESEEN_SECONDS = 2.0
FORESEEN_MAX = 50  # jobs in one look
PAGE_ROWS = 500
UNREAD_MAX = 1000
JOBS_PER_FOLLOWER_MAX = 100
AWAY_SECONDS_MAX = 2.0

Wants = Callable[[dict[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of the log with their transactions, in order, as `until` sees them; `whole` when there are no more."""

    rows: list[tuple[int, dict[str, Any]]]
    until: Snapshot
    whole: bool

    @classmethod
    def of(cls, row: Record) -> Page:
        """From a row of watch.sql and its like."""
        rows = [
            (int(one["xid"]), one["event"] | {"data": masked_all(one["event"]["data"])})
            for one in json.loads(row["log"] or "[]")
        ]
        return cls(rows, Snapshot.of(row["until"]), len(rows) < PAGE_ROWS)

    def after(self, cursor: Cursor) -> Cursor:
        """Where somebody stands who stood at `cursor` and has read this page."""
        if self.whole:
            return Cursor(self.until)
        xid, event = self.rows[-1]
        return cursor.at(self.until, xid, event["seq"])


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log, and the cursor of who has read up to it."""

    event: dict[str, Any]
    cursor: Cursor


@dataclass(slots=True)
class Sight:
    """A job as it was seen last: its row of status_jobs.sql, where it stands in its lane, and when it will be done."""

    row: Record
    version: str
    position: Record | None = None
    foretold: Record | None = None

    @property
    def resource(self) -> dict[str, Any]:
        """As GET has it."""
        return seen(self.row, self.position, self.foretold)

    @property
    def ahead(self) -> Any:
        """How many stand before it; None where that is no question."""
        return self.position["ahead"] if self.position else None


@dataclass(eq=False)
class Follower:
    """One who watches: what it wants, what it has not read yet, and where it stands.

    While it reads what it missed, pages are `held` for it; `start_at` then says up to where that was.
    """

    jobs: frozenset[int]
    wants: Wants | None = None  # of the log; None: what is about its jobs
    cursor: Cursor | None = None
    held: list[Page] | None = None
    entries: deque[Entry] = field(default_factory=deque)
    sights: dict[int, Sight] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    over: str = ""  # why it hears no more

    def start_at(self, snapshot: Snapshot | None) -> None:
        """All that `snapshot` sees has been read (None: all that was held first); the rest is taken from there on."""
        pages, self.held = self.held or [], None
        self.cursor = Cursor(snapshot) if snapshot else None
        for page in pages:
            self.take(page)

    def take(self, page: Page) -> None:
        """A page of the log, in order; what was read already is left out."""
        if self.held is not None:
            self.held.append(page)
            if sum(len(one.rows) for one in self.held) > UNREAD_MAX:
                self.end("it reads too slowly")
            return
        if self.cursor is None:
            self.cursor = Cursor(page.until)
            return
        before = self.cursor.before
        if before.covers(page.until):
            return
        mine = [one for one in page.rows if not before.sees(one[0]) and self.concerns(one[1])]
        for xid, event in mine:
            self.entries.append(Entry(event, self.cursor.at(page.until, xid, event["seq"])))
        self.cursor = page.after(self.cursor)
        if mine and page.whole:
            self.entries[-1] = Entry(mine[-1][1], self.cursor)
        if len(self.entries) > UNREAD_MAX:
            self.end("it reads too slowly")
        elif mine:
            self.woken.set()

    def concerns(self, event: dict[str, Any]) -> bool:
        """Whether it wants to hear of this row of the log."""
        return event["job"] in self.jobs or (self.wants is not None and self.wants(event))

    def see(self, sight: Sight) -> None:
        """A job of its own changed: only the newest sight of it counts."""
        self.sights[sight.row["id"]] = sight
        self.woken.set()

    def end(self, why: str) -> None:
        """It hears no more."""
        self.over = why
        self.woken.set()


class Watch:
    """Looks on behalf of all followers; runs only while there are some."""

    def __init__(self, look: Look, random: Callable[[], float], *, followers_max: int) -> None:
        self.look = look
        self.followers_max = followers_max
        self.backoff = Backoff(random, max_seconds=AWAY_SECONDS_MAX)
        self.followers: set[Follower] = set()
        self.known: dict[int, Sight] = {}
        self.cursor: Cursor | None = None
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._looked = asyncio.Condition()
        self._foreseen_at: dict[int, float] = {}

    @property
    def full(self) -> bool:
        """Whether nobody more may follow."""
        return len(self.followers) >= self.followers_max

    async def follow(self, follower: Follower) -> None:
        """From the next look on it hears of everything; returns after that look."""
        self.followers.add(follower)
        if self._task is None or self._task.done():
            self.cursor = None
            self._task = asyncio.create_task(self._run())
        for job in follower.jobs:
            self.known.pop(job, None)  # so that the next look tells of it
        self._hurry.set()
        async with self._looked:
            await self._looked.wait()

    def leave(self, follower: Follower) -> None:
        """It hears no more."""
        self.followers.discard(follower)

    async def close(self) -> None:
        """Everybody is let go; they find another daemon, or this one after its restart."""
        for follower in self.followers:
            follower.end("the daemon stops")
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self.followers:
                seconds = await self._patiently()
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._hurry.wait()
                self._hurry.clear()
        except Exception:  # a boundary: who watches is let go, and the daemon works on
            log.exception("watch_failed")
            for follower in self.followers:
                follower.end("something is wrong here")
        finally:
            self.known.clear()
            self._foreseen_at.clear()

    async def _patiently(self) -> float:
        """One look; how long to wait for the next."""
        try:
            more = await self._look()
        except (Away, Again, TimeoutError, PostgresError) as error:
            if self.backoff.tries == 0:
                log.warning("watch_delayed", error=str(error))
            return self.backoff.next_seconds()
        self.backoff.reset()
        async with self._looked:
            self._looked.notify_all()
        return 0.0 if more else LOOK_SECONDS

    async def _look(self) -> bool:
        """What the log gained and which jobs changed, told to whom it concerns; whether there is more at once."""
        jobs = sorted({job for follower in self.followers for job in follower.jobs})
        versions = [self.known[job].version if job in self.known else None for job in jobs]
        before = self.cursor.arguments if self.cursor else (None, None, "0", 0)
        only_jobs = all(follower.wants is None for follower in self.followers)
        row = await self.look.row("watch", *before, jobs, versions, PAGE_ROWS, only_jobs)
        assert row
        page = Page.of(row)
        self.cursor = page.after(self.cursor or Cursor(page.until))
        for follower in list(self.followers):
            follower.take(page)
        await self._see(row["ids"] or [], row["versions"] or [])
        self.known = {job: self.known[job] for job in jobs if job in self.known}
        return not page.whole

    async def _see(self, ids: list[int], versions: list[str]) -> None:
        """Fetch those that changed, and look how long the others still have to wait."""
        if ids:
            version_of = dict(zip(ids, versions, strict=True))
            for row in reversed(await self.look.fetch("status_jobs", ids)):
                version = version_of[row["id"]]
                # It ended between the two statements: the next look has its version.
                if (row["state"] in OVER) == version.startswith("h"):
                    self.known[row["id"]] = Sight(row, version)
                    self._foreseen_at.pop(row["id"], None)
        self._tell({*ids, *await self._foresee()})

    async def _foresee(self) -> set[int]:
        """Position and time of those that are due for it; returns those that moved forward since they were told of."""
        now = asyncio.get_running_loop().time()
        live = [job for job, sight in self.known.items() if sight.row["state"] not in OVER]
        live.sort(key=lambda job: self._foreseen_at.get(job, 0.0))
        due = [job for job in live if now - self._foreseen_at.get(job, 0.0) >= FORESEEN_SECONDS]
        due = due[:FORESEEN_MAX]
        moved: set[int] = set()
        if not due:
            return moved
        places = {row["id"]: row for row in await self.look.fetch("watch_positions", due)}
        foretold = {row["job"]: row for row in await self.look.fetch("eta", due)}
        for job in due:
            self._foreseen_at[job] = now
            # Who came meanwhile has made us forget it, to be told of it by the next look.
            if sight := self.known.get(job):
                before, sight.foretold = sight.ahead, foretold.get(job)
                sight.position = places.get(job)
                if sight.ahead != before:
                    moved.add(job)
        self._foreseen_at = {
            job: self._foreseen_at[job] for job in live if job in self._foreseen_at
        }
        return moved

    def _tell(self, jobs: Iterable[int]) -> None:
        for job in jobs:
            if sight := self.known.get(job):
                for follower in self.followers:
                    if job in follower.jobs:
                        follower.see(sight)


async def sight_of(look: Look, row: Record) -> Sight:
    """The job of a row of status_jobs.sql, with what is to be foreseen of it now."""
    sight = Sight(row, "")
    if row["state"] not in OVER:
        sight.position = await look.row("status_position", row["id"])
        sight.foretold = await look.row("eta", [row["id"]])
    return sight
