"""What handlers log is kept beside the log, job by job: the newest lines of each, written in batches.

A job that logs nothing costs nothing here. What is not yet written is bounded: a handler that logs in a flood loses its older
lines and no others, and the numbers of the lines tell how many. One statement carries the lines of all jobs, over a
connection of its own, so settling never waits for it. What the database does not take is kept and written again; only what no
patience mends, or there is no more room for, is dropped, and that is said.
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog
from structlog.typing import EventDict

from .bell import Bell
from .db import Again, Away, Backoff, describe
from .job import Job
from .logs import tell_jobs
from .outcomes import clean, storable_json
from .settings import Log
from .store import Store

log = structlog.get_logger()

GATHER_SECONDS = 1.0
APART_SECONDS = 0.25  # between two writes, however many jobs end
REST_SECONDS = 3600.0
WAITING_BYTES_MAX = 4_000_000  # not yet written, of all jobs
LINE_CHARS_MAX = 16_000
INT_BITS_MAX = 4_096  # Python refuses to write longer ones
FIELDS_CUT_MAX = 50  # of a line that is too long
HALVINGS_MAX = 40  # statements of a flush that look for the one job whose lines are refused
# What is wrong with the lines themselves, and stays so.
_UNSTORABLE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.ProgramLimitExceededError, ValueError)  # fmt: skip
LEVELS = frozenset(("debug", "info", "warning", "error", "critical"))
# Said with the chunk, or in a place of their own; everything else of a line are its fields.
OWN = frozenset(("at", "level", "event", "job", "kind", "lane", "attempt", "step"))


@dataclass(slots=True, eq=False)
class Tail:
    """What one attempt logged: the lines that are not written yet, each with when, and the number of its newest."""

    job: int
    epoch: int
    attempt: int
    lines: deque[tuple[float, bytes]] = field(default_factory=deque)
    bytes: int = 0
    last: int = 0
    stored_lines: int = 0  # about so many are in the database, and so many bytes
    stored_bytes: int = 0
    looked_back: bool = False  # at what earlier attempts left there

    def cut(self, lines_max: int, bytes_max: int) -> int:
        """Forgets the oldest until the rest fits; how many bytes they had."""
        before = self.bytes
        while self.lines and (len(self.lines) > lines_max or self.bytes > bytes_max):
            self.bytes -= len(self.lines.popleft()[1])
        return before - self.bytes


@dataclass(slots=True)
class Chunk:
    """Lines on their way to the database."""

    tail: Tail
    lines: deque[tuple[float, bytes]]
    last: int
    bytes: int
    written: bool = False


class JobLines:
    """Gathers lines from any thread and writes them from the loop."""

    def __init__(
        self,
        store: Store,
        settings: Log,
        running: Mapping[int, Job],
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self.store = store
        self.lines_max, self.bytes_max = settings.job_lines_max, settings.job_bytes_max
        self.running = running
        self.clock = clock
        self.backoff = Backoff(random, first_seconds=0.5, max_seconds=10.0)
        self._bell, self._hurry = Bell(), Bell()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()
        self._lock = threading.Lock()
        self._waiting: dict[Tail, None] = {}
        self._bytes = 0
        self._halvings = 0
        self._dropped = 0  # lines, since the database last took any

    # -- from any thread

    def keep(self, job: Any, event: EventDict) -> None:
        """Take one line of a job, with its secrets hidden."""
        line, now = line_of(event), self.clock()
        with self._lock:
            # On the job itself: its lines are numbered on for as long as anybody has it.
            tail: Tail | None = job.__dict__.get("tail")
            if tail is None:
                tail = job.__dict__["tail"] = Tail(job.id, job.epoch, job.attempt)
            tail.lines.append((now, line))
            tail.last += 1
            tail.bytes += len(line)
            self._bytes += len(line) - self._cut(tail, self.bytes_max)
            first = not self._waiting
            self._waiting[tail] = None
            if self._bytes > WAITING_BYTES_MAX:
                self._make_room()
        if first and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: a thread has outlived the daemon
                self._loop.call_soon_threadsafe(self._bell.ring)

    def _make_room(self) -> None:
        """The job with most of what waits loses the older half of it: those that log little keep theirs."""
        largest = max(self._waiting, key=lambda tail: tail.bytes)
        self._bytes -= self._cut(largest, largest.bytes // 2)

    def _cut(self, tail: Tail, bytes_max: int) -> int:
        before = len(tail.lines)
        cut = tail.cut(self.lines_max, bytes_max)
        self._dropped += before - len(tail.lines)
        return cut

    # -- on the loop

    async def run(self) -> None:
        """Write until cancelled: a second after the first line, or soon after a job that logged was settled."""
        if not self.lines_max:
            return
        self._loop = asyncio.get_running_loop()
        tell_jobs(self.keep)
        try:
            while True:
                await self._bell.wait(REST_SECONDS)
                if self._waiting:
                    await self._hurry.wait(GATHER_SECONDS)
                    wrote = await self.flush()
                    await asyncio.sleep(APART_SECONDS if wrote else self.backoff.next_seconds())
                if self._waiting:
                    self._bell.ring()
        finally:
            tell_jobs(None)

    def settled(self) -> None:
        """Some attempts are written down: if one of them logged, whoever reads it wants its last lines now."""
        if self._waiting and any(tail.job not in self.running for tail in list(self._waiting)):
            self._hurry.ring()

    async def flush(self) -> bool:
        """Write what waits, if the database takes it; else it waits on, and this is False."""
        async with self._turn:  # what is on its way is written too when the last flush returns
            return await self._flush()

    async def _flush(self) -> bool:
        chunks = self._take()
        if not chunks:
            return True
        self._halvings = HALVINGS_MAX
        left, error = await self._write(chunks)
        await self._trim([chunk for chunk in chunks if chunk.written])
        if error is not None:
            self._put_back(left)
            if self.backoff.tries == 0:
                log.warning("job_lines_delayed", jobs=len(left), error=describe(error))
            return False
        # A handler in a flood loses lines at any time: that is told only where the database had a part in it.
        if self.backoff.tries and self._dropped:
            log.warning("job_lines_dropped", lines=self._dropped, note="more were waiting than a daemon keeps while the database takes none")  # fmt: skip
        self._dropped = 0
        self.backoff.reset()
        return True

    async def _write(self, chunks: list[Chunk]) -> tuple[list[Chunk], Exception | None]:
        """Write all that the database takes: of what it refuses, halves, until the lines of one job stand alone. What waits on, and why."""
        try:
            await self.store.add_job_lines(lambda: columns_of(chunks, self.clock()))
        except (Again, Away) as error:
            return chunks, error
        except (asyncpg.PostgresError, ValueError) as error:
            if len(chunks) > 1 and self._halvings > 0:
                self._halvings -= 1
                middle = len(chunks) // 2
                first, why = await self._write(chunks[:middle])
                second, why_too = await self._write(chunks[middle:])
                return first + second, why or why_too
            if len(chunks) > 1 or not isinstance(error, _UNSTORABLE):
                return chunks, error
            log.error("job_lines_lost", job=chunks[0].tail.job, lines=len(chunks[0].lines), error=describe(error))  # fmt: skip
            return [], None
        for chunk in chunks:
            chunk.written = True
        return [], None

    def _take(self) -> list[Chunk]:
        with self._lock:
            tails, self._waiting, self._bytes = self._waiting, {}, 0
            chunks = [Chunk(t, t.lines, t.last, t.bytes) for t in tails if t.lines]
            for tail in tails:
                tail.lines, tail.bytes = deque(), 0
        return chunks

    def _put_back(self, chunks: list[Chunk]) -> None:
        """Before what came meanwhile; the newest of both stay."""
        with self._lock:
            for chunk in chunks:
                tail = chunk.tail
                tail.lines.extendleft(reversed(chunk.lines))
                tail.bytes += chunk.bytes
                self._bytes += chunk.bytes - self._cut(tail, self.bytes_max)
                self._waiting[tail] = None
            while self._bytes > WAITING_BYTES_MAX:
                self._make_room()

    async def _trim(self, chunks: list[Chunk]) -> None:
        """Has the oldest lines of jobs deleted that have too many: when they reach the limit, then at every tenth of it."""
        long = []
        for chunk in chunks:
            tail = chunk.tail
            tail.stored_lines += len(chunk.lines)
            tail.stored_bytes += chunk.bytes
            full = tail.stored_lines > self.lines_max or tail.stored_bytes > self.bytes_max
            if full or (tail.epoch > 1 and not tail.looked_back):
                long.append(tail.job)
                tail.looked_back = True
                tail.stored_lines = min(tail.stored_lines, self.lines_max * 9 // 10)
                tail.stored_bytes = min(tail.stored_bytes, self.bytes_max * 9 // 10)
        if long:
            try:
                await self.store.trim_job_lines(long, self.lines_max, self.bytes_max)
            except (Away, Again, asyncpg.PostgresError) as error:
                log.info("job_lines_not_trimmed", jobs=len(long), error=describe(error))


def line_of(event: EventDict) -> bytes:
    """A line as it is stored but for its time: level, step, message and fields, as the rest of a JSON array."""
    level, step = event.get("level"), event.get("step")
    message = clean(str(event.get("event", "")))
    fields = {name: value for name, value in event.items() if name not in OWN}
    head = [level if level in LEVELS else "info", None if step is None else clean(str(step))]
    try:
        text = _json([*head, message, storable_json(fields)])
    except ValueError:  # a number that JSON does not know
        text = _json([*head, message, _sayable(storable_json(fields))])
    if len(text) > LINE_CHARS_MAX:
        few = list(fields.items())[:FIELDS_CUT_MAX]
        room = LINE_CHARS_MAX // 2 // max(1, len(few))
        short = {name[:100]: clean(str(value))[:room] for name, value in few}
        text = _json([*head, message[: LINE_CHARS_MAX // 4], short | {"left_out": len(text)}])
    return text[1:].encode()


def _sayable(value: Any) -> Any:
    """The value with text for every number that JSON cannot hold."""
    if isinstance(value, dict):
        return {name: _sayable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_sayable(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() > INT_BITS_MAX:
        return f"a number of {value.bit_length()} bits"
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=str, separators=(",", ":"))  # fmt: skip


def columns_of(chunks: list[Chunk], now: float) -> list[list[Any]]:
    """The chunks as add_job_lines.sql takes them."""
    tails = [chunk.tail for chunk in chunks]
    texts = [
        b"[" + b",".join(b"[%d," % round(1000 * (now - at)) + line for at, line in chunk.lines) + b"]"
        for chunk in chunks
    ]  # fmt: skip
    return [
        [tail.job for tail in tails], [tail.epoch for tail in tails], [tail.attempt for tail in tails],
        [chunk.last - len(chunk.lines) + 1 for chunk in chunks], [chunk.last for chunk in chunks],
        [len(text) for text in texts], [text.decode() for text in texts],
    ]  # fmt: skip
