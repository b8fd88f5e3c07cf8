"""What a stream of one job tells besides the job, to who asks for it: its steps as they end, and what its handler logs.

Steps are looked for when the job's row changes, as it does with each step, and lines when there are any: nothing runs for
streams that do not ask. A step that is told again after a reconnect is as it was; lines are told once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from asyncpg import PostgresError, Record

from bellhand.api.parts import line, step_told
from bellhand.api.waiting import Version, Waiting
from bellhand.db import Again, Away
from bellhand.look import Look

log = structlog.get_logger()
ROWS = 500
AGAIN_SECONDS = 1.0
WAIT_SECONDS = 15.0
# Steps that end side by side commit in another order than their times say.
OVERLAP = timedelta(seconds=5)
BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
TROUBLE = (Away, Again, TimeoutError, PostgresError)


@dataclass
class Included:
    """Of job `job` its steps, its lines or both; `veil` hides in results what is secret by its name."""

    look: Look
    waiting: Waiting  # for lines
    job: int
    steps: bool
    logs: bool
    veil: bool
    step_at: datetime = BEGINNING  # when the step ended that was told last
    line_at: tuple[int, int] = (0, 0)  # epoch and number of the line that was told last
    blind: bool = False  # the database did not answer: worth asking again
    _told: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    _steps_due: bool = True
    _lines_due: bool = True
    _version: Version | None = None

    @classmethod
    def place(cls, text: str) -> tuple[datetime, tuple[int, int]]:
        """What `text` of an id says; ValueError if it makes no sense."""
        micros, epoch, number = (int(part) for part in text.split(".")) if text else (0, 0, 0)
        if not (0 <= epoch < 2**31 and 0 <= number < 2**63 and 0 <= micros < 2**53):
            raise ValueError("no place")
        return BEGINNING + timedelta(microseconds=micros), (epoch, number)

    def begin(self, text: str) -> None:
        """Go on where an id says."""
        self.step_at, self.line_at = self.place(text)

    @property
    def text(self) -> str:
        """What was told, for an id."""
        micros = (self.step_at - BEGINNING) // timedelta(microseconds=1)
        return f"{micros}.{self.line_at[0]}.{self.line_at[1]}"

    @property
    def done(self) -> bool:
        """Whether nothing more will come of a job that is over."""
        lines = self.logs and (self._version is None or not self._version.over or self._lines_due)
        return not lines and not (self.steps and self._steps_due)

    def changed(self) -> None:
        """The job's row is another."""
        self._steps_due = True

    async def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever there are lines, until the job is over and its last are there."""
        while self.logs and (self._version is None or not self._version.over):
            try:
                if self._version is None:
                    self._version = await self.waiting.version(self.job)
                else:
                    self._version = await self.waiting.change(self.job, self._version, WAIT_SECONDS)
            except TROUBLE as error:
                log.debug("stream_is_blind", job=self.job, error=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            self._lines_due = True
            wake()

    async def all_was_read(self) -> bool:
        """Whether a reader of a job that is over knows all of it."""
        if self.logs:
            self._version = await self.waiting.version(self.job)
            if not self._version.over or await self._lines(1):
                return False
        return not self.steps or not await self._steps(self.step_at, 2**31 - 1, 1)

    async def news(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Events that are due, with their data; `text` says of each that it was told. Nothing while the database is away."""
        self.blind = False
        try:
            if self.steps and self._steps_due:
                self._steps_due = False
                async for step in self._ended():
                    yield "job.step", step
            while self.logs and self._lines_due:
                rows = await self._lines(ROWS)
                self._lines_due = len(rows) == ROWS
                for row in rows:
                    self.line_at = row["epoch"], row["number"]
                    yield "job.log", line(row)
        except TROUBLE as error:
            log.debug("stream_is_blind", job=self.job, error=str(error))
            self._steps_due = self._lines_due = self.blind = True

    async def _ended(self) -> AsyncIterator[dict[str, Any]]:
        at, position = self.step_at - OVERLAP, -1
        told, self._told = self._told, {}
        while True:
            rows = await self._steps(at, position, ROWS)
            for row in rows:
                at, position = row["at"], row["position"]
                mark = (row["state"], row["attempts"], at)
                self._told[row["name"]] = mark
                if told.get(row["name"]) != mark:
                    self.step_at = max(self.step_at, at)
                    yield step_told({n: v for n, v in row.items() if n != "at"}, self.veil)
            if len(rows) < ROWS:
                return

    async def _steps(self, at: datetime, position: int, limit: int) -> list[Record]:
        return await self.look.fetch("steps_since", self.job, at, position, limit)

    async def _lines(self, limit: int) -> list[Record]:
        rows = await self.look.fetch(
            "job_log", self.job, "debug", None, None, None, None, *self.line_at, False, limit
        )
        return rows[:limit]
