"""What `bellhand dev` shows while it runs: a line for every job that ends, one that moves."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any
from uuid import UUID

from bellhand.cli.context import Database
from bellhand.cli.jobs import headline
from bellhand.cli.output import coloured, paint, painted_state, plain, say, state_of
from bellhand.resource import resource
from bellhand.states import OVER

NEW_MAX = 50
FOLLOWED_MAX = 200
TURNS_PER_COUNT = 5
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
MARKS = {"completed": ("✓", "green"), "failed": ("✗", "red"), "partial": ("!", "yellow")}
CLEAR_LINE = "\r\x1b[K"


class Board:
    """Follows the jobs of a database; `look` again and again, then `close`."""

    def __init__(self, database: Database, worker: UUID, last_id: int) -> None:
        self.database = database
        self.worker = worker
        self.last_id = last_id
        self.live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.followed: dict[int, str] = {}  # id -> what was said of it last
        self.ended: dict[int, str] = {}
        self.turn = 0
        self.counts = (0, 0, 0)  # running, waiting, done

    async def look(self) -> None:
        """Takes in what happened since the last look, and shows it."""
        new = await self.database.rows("dev_new_jobs", self.last_id, NEW_MAX)
        for row in reversed(new):
            self.followed.setdefault(row["id"], "")
            self.last_id = max(self.last_id, row["id"])
        for oldest in [*self.followed][:-FOLLOWED_MAX]:
            del self.followed[oldest]
        jobs = [resource(row) for row in await self.database.rows("status_jobs", [*self.followed])]
        for job in reversed(jobs):
            self._tell(job)
        if self.live:
            await self._move([job for job in jobs if job["state"] == "running"])

    def _tell(self, job: dict[str, Any]) -> None:
        state = state_of(job)
        over = job["state"] in OVER
        if over:
            self.ended[job["id"]] = state
            del self.followed[job["id"]]
        line = _ended(job, state) if over else headline(job)
        if over or not self.live:
            if over or self.followed.get(job["id"]) != line:
                say((CLEAR_LINE if self.live else "") + line)
            if not over:
                self.followed[job["id"]] = line

    async def _move(self, running: list[dict[str, Any]]) -> None:
        if self.turn % TURNS_PER_COUNT == 0:
            await self._count()
        self.turn += 1
        spin = SPINNER[self.turn % len(SPINNER)]
        now, waiting, done = self.counts
        line = f"{spin} {now} running · {waiting} waiting · {max(done, len(self.ended))} done"
        if running:
            job = running[self.turn // 8 % len(running)]
            message = job["progress"]["message"]
            line += f"   {headline(job)}" + (f"  {plain(message)}" if message else "")
        sys.stdout.write(CLEAR_LINE + _cut(line))
        sys.stdout.flush()

    async def _count(self) -> None:
        """Reads what the lanes hold: not at every turn, since with a long queue it takes a while."""
        lanes = await self.database.rows("status_lanes")
        waiting = sum(row["pending"] + row["scheduled"] + row["parked"] for row in lanes)
        done = await self.database.value("dev_ended", self.worker)
        self.counts = sum(row["running"] for row in lanes), waiting, done

    def close(self) -> None:
        """Leaves the terminal as it should be."""
        if self.live:
            sys.stdout.write(CLEAR_LINE)
            sys.stdout.flush()


def _ended(job: dict[str, Any], state: str) -> str:
    mark, style = MARKS.get(state, ("·", "dim"))
    counted = "  ".join(f"{n:g} {plain(name)}" for name, n in job["progress"]["counters"].items())
    attempts = f"attempt {job['attempt']}" if job["attempt"] > 1 else ""
    error = (job["error"] or "").splitlines()
    why = plain(error[-1]) if error and state != "completed" else ""
    kind = plain(job["kind"])
    parts = (f"{job['id']:>6}", f"{kind:<16}", painted_state(state), attempts, counted, why)
    return f"{paint(mark, style)} " + "  ".join(part for part in parts if part)


def _cut(line: str) -> str:
    """The line within the terminal's width, so that it can be written over."""
    width = shutil.get_terminal_size().columns - 1
    if not coloured(sys.stdout):
        return line[:width]
    cut, seen, inside = "", 0, False
    for character in line:
        inside = inside or character == "\x1b"
        seen += not inside
        if seen > width:
            return cut + "\x1b[0m"
        cut += character
        if inside and character == "m":
            inside = False
    return cut
