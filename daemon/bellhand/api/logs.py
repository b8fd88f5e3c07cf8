"""What the handler of a job logged: page by page, waiting for more, or as a stream."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from asyncpg import Record

from bellhand.api import told
from bellhand.api.given import LogQuery
from bellhand.api.naming import job_row
from bellhand.api.operations import OWN, answer, operation
from bellhand.api.parts import line
from bellhand.api.stream import HEADERS, HEARTBEAT_SECONDS, RETRY_MS, message, wants_stream, write
from bellhand.api.waiting import Waiting
from bellhand.look import Look
from bellhand.problems import HttpProblem

PAGE_LINES = 500  # of a stream, between two looks
STREAMS_MAX = 64
LAST = {"Last-Event-ID": "The id of the line that was read last; a stream goes on after it."}
Place = tuple[int, int]  # an epoch, and the number of a line


class Logs:
    """GET /v1/jobs/{job}/logs."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.waiting = Waiting(look, "job_log_versions")
        self.streams: set[asyncio.Task[Any]] = set()

    def close(self) -> None:
        """End all streams: the daemon stops, and their readers come back to another."""
        for stream in self.streams:
            stream.cancel()

    @operation(
        "GET", "/v1/jobs/{job}/logs", OWN, answers={200: told.JobLog}, headers=LAST, seconds=None,
        problems=("bad-job-id", "not-found", "bad-cursor", "too-many-streams"),
    )  # fmt: skip
    async def get_logs(self, request: web.Request, query: LogQuery) -> web.StreamResponse:
        """What the handler of a job logged, oldest first, with what is secret hidden.

        Without a cursor from the oldest line that is kept, or with `tail=100` from so many lines before the end. next_cursor is always
        there: with `wait=30` the answer comes once something was logged after it, or the job is over, or after so many seconds. A job
        keeps its newest lines (job_lines_max, job_bytes_max under [log]); `dropped` counts the others. With Accept: text/event-stream
        each line is an event `log`, and `end` comes when the job is over and all was told; Last-Event-ID goes on.
        """
        job = (await job_row(self.look, request, "api_jobs"))["id"]
        if wants_stream(request):
            return await self._stream(request, job, query)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + query.wait
        place = _place(query.cursor)
        while True:
            # The version first: what is logged after it ends the wait below.
            version = await self.waiting.version(job)
            rows, more = await self._lines(job, query, place, query.limit)
            left = deadline - loop.time()
            if rows or version.over or left <= 0:
                break
            await self.waiting.change(job, version, left)
        end = (rows[-1]["epoch"], rows[-1]["number"]) if rows else place
        dropped = await self.look.row("job_lines_dropped", job)
        return answer({
            "data": [line(row) for row in rows], "has_more": more, "next_cursor": _text(end),
            "dropped": dropped["lines"] if dropped else 0, "over": version.over and not more,
        })  # fmt: skip

    async def _lines(
        self, job: int, query: LogQuery, place: Place, limit: int
    ) -> tuple[list[Record], bool]:
        """The next lines, and whether there are more; the newest if only those are wanted."""
        newest = bool(query.tail) and place == (0, 0)
        limit = min(limit, query.tail or limit) if newest else limit
        rows = await self.look.fetch(
            "job_log", job, query.level, query.step, query.attempt, query.since, query.q, *place, newest, limit,
        )  # fmt: skip
        if newest:
            return rows[-limit:], False
        return rows[:limit], len(rows) > limit

    async def _stream(self, request: web.Request, job: int, query: LogQuery) -> web.StreamResponse:
        """Line by line until the job is over, the reader goes or the daemon does."""
        task = asyncio.current_task()
        assert task
        if len(self.streams) >= STREAMS_MAX:
            raise HttpProblem("too-many-streams", headers={"Retry-After": "30"})
        place = _place(request.headers.get("Last-Event-ID") or query.cursor)
        self.streams.add(task)
        try:
            response = web.StreamResponse(headers=HEADERS)
            await response.prepare(request)
            await write(response, f"retry: {RETRY_MS}\n\n")
            await self._follow(response, job, query, place)
            await response.write_eof()
        except TimeoutError:  # it does not read
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass  # it went away, as readers do
        finally:
            self.streams.discard(task)
        return response

    async def _follow(
        self, response: web.StreamResponse, job: int, query: LogQuery, place: Place
    ) -> None:
        version = await self.waiting.version(job)
        while True:
            rows, more = await self._lines(job, query, place, PAGE_LINES)
            for row in rows:
                place = row["epoch"], row["number"]
                await write(response, message("log", line(row), _text(place)))
            if more:
                continue
            if version.over:
                await write(response, message("end", {}, _text(place)))
                return
            changed = await self.waiting.change(job, version, HEARTBEAT_SECONDS)
            if changed == version:
                await write(response, ": beat\n\n")
            version = changed


def _place(cursor: str | None) -> Place:
    if not cursor:
        return 0, 0
    epoch, dot, number = cursor.partition(".")
    whole = epoch.isascii() and epoch.isdigit() and number.isascii() and number.isdigit()
    if not (dot and whole and len(epoch) < 10 and len(number) < 19):
        raise HttpProblem("bad-cursor")
    return int(epoch), int(number)


def _text(place: Place) -> str:
    return f"{place[0]}.{place[1]}"
