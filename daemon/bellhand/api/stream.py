"""Server-sent events (WHATWG HTML, 9.2) about jobs and the log: each once, whatever breaks in between.

Rows of the log are sent as `event`, or by the name of what they are about (`lane.paused`, `worker.lost`); a job whenever there is news of it, as `job.started`, `job.progress`, `job.completed` and
so on, its data as GET has it; what is `included` besides. The id says what was read: up to where in the log, and of a stream of one job how the
job was seen last. Whoever comes back with it, to any daemon, goes on there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import hdrs, web

from bellhand.api.cursor import Cursor
from bellhand.api.included import AGAIN_SECONDS, Included
from bellhand.api.live import PAGE_ROWS, Entry, Follower, Page, Sight, Watch
from bellhand.look import Look
from bellhand.problems import HttpProblem, unavailable
from bellhand.states import OVER

EVENT_STREAM = "text/event-stream"
RETRY_MS = 3000
HEARTBEAT_SECONDS = 15.0
BETWEEN_PROGRESS_SECONDS = 0.25
WRITE_SECONDS_MAX = 10.0
FIRST_LOOK_SECONDS_MAX = 5.0
PAGES_MAX = 100  # of what was missed; who missed more begins anew
HEADERS = {
    hdrs.CONTENT_TYPE: f"{EVENT_STREAM}; charset=utf-8",
    hdrs.CACHE_CONTROL: "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep it back
}
NAMES = {"running": "job.started"}
# An operator's drain begins what a shutdown begins too.
TOLD_AS = {"worker_drained": "draining", "worker_undrained": "resumed"}


@dataclass
class Stream:
    """What one reader is sent.

    `render` makes of a job what this reader may see, `snapshot` is where all of it is, `job` the one job that the stream
    is about, if it is about one, and `seconds_max` how long it may last.
    """

    watch: Watch
    look: Look
    follower: Follower
    render: Callable[[Sight], dict[str, Any]]
    snapshot: str
    job: int | None = None
    tells_log: bool = True
    seconds_max: float | None = None
    included: Included | None = None
    lost: bool = False  # what came after the reader's last id is not known any more
    looked_at: Sight | None = None  # when steps were looked for last
    seen: str = ""  # of the one job: word_of() the sight that was sent last
    states: dict[int, str] = field(default_factory=dict)
    sent: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    due_at: dict[int, float] = field(default_factory=dict)

    async def answer(self, request: web.Request, after: str | None = None) -> web.StreamResponse:
        """The whole stream, `after` an id that a reader brings along in the address; it ends with the job, with its reader, or with the daemon."""
        if self.watch.full:
            raise HttpProblem("too-many-streams", headers={"Retry-After": "30"})
        cursor = self._begin(request.headers.get("Last-Event-ID") or after or "")
        try:
            async with aclosing(self._missed(cursor)) as missed:
                try:
                    async with asyncio.timeout(FIRST_LOOK_SECONDS_MAX):
                        await self._first_look()
                        first: list[Entry] = await anext(missed, [])
                except TimeoutError as error:
                    raise unavailable("the database did not answer in time") from error
                if not first and await self._all_was_read():
                    return web.Response(status=204)  # which ends the reconnecting
                response = web.StreamResponse(headers=HEADERS)
                await response.prepare(request)
                try:
                    async with self._listening():
                        await self._run(response, first, missed)
                except TimeoutError:  # it does not read: what lies in the buffers is given up too
                    if request.transport is not None:
                        request.transport.abort()
                except ConnectionError:
                    pass  # it went away, as readers do
                return response
        finally:
            self.watch.leave(self.follower)

    # -- where it begins

    def _begin(self, last: str) -> Cursor | None:
        """Takes in the id that a reader comes back with; with one that makes no sense it begins anew."""
        place, _, rest = last.partition("~")
        self.seen, _, told = rest.partition("~")
        try:
            cursor = Cursor.parse(place) if place else None
            if self.included is not None:
                self.included.begin(told)
        except ValueError:
            cursor, self.lost, self.seen = None, True, ""
        if cursor is not None:
            self.follower.held = []
        if self.job is not None and self.seen:
            self.states[self.job] = self.seen.partition(".")[0]
        return cursor

    async def _first_look(self) -> None:
        await self.watch.follow(self.follower)
        while self.job is not None and self.job not in self.follower.sights:
            self.follower.woken.clear()
            await self.follower.woken.wait()

    async def _missed(self, cursor: Cursor | None) -> AsyncGenerator[list[Entry], None]:
        """What the log gained since, page by page, if that is still there."""
        for _ in range(PAGES_MAX if cursor else 0):
            assert cursor
            if self.job is None:
                row = await self.look.row("watch_since", *cursor.arguments, PAGE_ROWS)
            else:
                row = await self.look.row("watch_job", self.job, *cursor.arguments, PAGE_ROWS)
            assert row
            if row["lost"]:
                break
            page = Page.of(row)
            mine = [one for one in page.rows if self.follower.concerns(one[1])]
            entries = [Entry(e, cursor.at(page.until, xid, e["seq"])) for xid, e in mine]
            resumed, cursor = cursor.until is not None, page.after(cursor)
            # What was cut off in the middle of a page is whole by what was seen then; more has come since.
            if page.whole and not resumed:
                if entries:
                    entries[-1] = Entry(entries[-1].event, cursor)
                self.follower.start_at(page.until)
                yield entries
                return
            yield entries
        if cursor is not None:
            self.lost, self.seen = True, ""
            self.states.clear()
            self.follower.start_at(None)

    async def _all_was_read(self) -> bool:
        if self.job is None or self.lost:
            return False
        sight = self.follower.sights[self.job]
        if sight.row["state"] not in OVER or self.seen != word_of(sight):
            return False
        return self.included is None or await self.included.all_was_read()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        """The reader is woken by what is included."""
        if self.included is None:
            yield
            return
        task = asyncio.create_task(self.included.listen(self.follower.woken.set))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # -- what it sends

    async def _run(
        self,
        response: web.StreamResponse,
        first: list[Entry],
        missed: AsyncGenerator[list[Entry], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self.seconds_max if self.seconds_max is not None else None
        await write(response, f"retry: {RETRY_MS}\n\n")
        for entry in first:
            await self._tell(response, entry)
        async for entries in missed:
            for entry in entries:
                await self._tell(response, entry)
        if self.lost:
            await write(response, message("reset", {"snapshot": self.snapshot}))
        beat_at = loop.time() + HEARTBEAT_SECONDS
        while not self.follower.over:
            self.follower.woken.clear()
            wrote, next_at = await self._send(response)
            if self._is_over():
                break
            now = loop.time()
            if ends_at is not None and now >= ends_at:
                await write(response, message("expired", {}))
                break
            if wrote:
                beat_at = now + HEARTBEAT_SECONDS
            elif now >= beat_at:
                # With an id and no data: the reader's place moves on, and nothing happens there.
                await write(response, f": beat\nid: {self._id(self.follower.cursor)}\n\n")
                beat_at = now + HEARTBEAT_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(beat_at, next_at, ends_at or beat_at)):
                    await self.follower.woken.wait()
        await response.write_eof()

    async def _send(self, response: web.StreamResponse) -> tuple[bool, float]:
        """Everything that may go out now; whether something did, and when a job that was told of lately may be again."""
        follower, wrote, next_at = self.follower, False, float("inf")
        while follower.entries:
            await self._tell(response, follower.entries.popleft())
            wrote = True
        # While we write, more may come: what is sent below was seen no earlier than this.
        cursor = follower.cursor
        if self.included is not None:
            wrote |= await self._tell_included(response, self.included, cursor)
            if self.included.blind:
                next_at = asyncio.get_running_loop().time() + AGAIN_SECONDS
        for job in list(follower.sights):
            sight = follower.sights[job]
            state, mark = sight.row["state"], (sight.version, sight.ahead)
            now = asyncio.get_running_loop().time()
            if self.sent.get(job) == mark or (
                job == self.job and self.seen == word_of(sight) and job not in self.sent
            ):
                del follower.sights[job]
                self.sent[job] = mark
                continue
            if self.states.get(job) == state and now < self.due_at.get(job, 0.0):
                next_at = min(next_at, self.due_at[job])
                continue
            del follower.sights[job]
            name = self._name(job, sight)
            self.sent[job], self.states[job] = mark, state
            self.due_at[job] = now + BETWEEN_PROGRESS_SECONDS
            if job == self.job:
                self.seen = word_of(sight)
            await write(response, message(name, self.render(sight), self._id(cursor)))
            wrote = True
        return wrote, next_at

    def _is_over(self) -> bool:
        """Whether the one job is, and all was told of it."""
        over = self.job is not None and self.states.get(self.job) in OVER
        return over and (self.included is None or self.included.done)

    async def _tell_included(
        self, response: web.StreamResponse, included: Included, cursor: Cursor | None
    ) -> bool:
        """Before the job as it stands by then; whether there was something."""
        wrote = False
        sight = self.follower.sights.get(included.job)
        if sight is not None and sight is not self.looked_at:
            self.looked_at = sight
            included.changed()
        async for name, data in included.news():
            await write(response, message(name, data, self._id(cursor)))
            wrote = True
        return wrote

    async def _tell(self, response: web.StreamResponse, entry: Entry) -> None:
        if self.tells_log:
            name = name_of(entry.event["type"])
            await write(response, message(name, entry.event, self._id(entry.cursor)))

    def _name(self, job: int, sight: Sight) -> str:
        """What has happened: its state is another, or it got further, or forward."""
        state = sight.row["state"]
        before = self.states.get(job)
        told = "partial" if sight.row["partial"] else state
        if before is None and state not in OVER:
            return "job.snapshot"
        if before != state:
            return NAMES.get(told, f"job.{told}")
        version, _ = self.sent.get(job, (None, None))
        return "job.position" if version == sight.version else "job.progress"

    def _id(self, cursor: Cursor | None) -> str:
        seen = self.seen if self.job is not None else ""
        parts = [str(cursor or ""), seen, self.included.text if self.included else ""]
        return "~".join(parts).rstrip("~")


def name_of(type: str) -> str:
    """What a row of the log is sent as: those about a lane or a worker have names of their own, such as `worker.lost`."""
    about, _, what = type.partition("_")
    return f"{about}.{TOLD_AS.get(type, what)}" if about in ("lane", "worker") else "event"


def word_of(sight: Sight) -> str:
    """How a job was seen, in an id."""
    return f"{sight.row['state']}.{sight.version}"


def message(name: str, data: Any, id: str = "") -> str:
    """One event; JSON has no line breaks of its own."""
    text = json.dumps(data, default=str, ensure_ascii=False, separators=(",", ":"))
    lines = [f"event: {name}", f"data: {text}", *([f"id: {id}"] if id else [])]
    return "\n".join(lines) + "\n\n"


def wants_stream(request: web.Request) -> bool:
    """Whether the answer is to be a stream; else it is JSON."""
    return request.method == "GET" and EVENT_STREAM in request.headers.get(hdrs.ACCEPT, "")


async def write(response: web.StreamResponse, text: str) -> None:
    """Sends a piece of a stream; TimeoutError if its reader does not read."""
    async with asyncio.timeout(WRITE_SECONDS_MAX):
        await response.write(text.encode())
