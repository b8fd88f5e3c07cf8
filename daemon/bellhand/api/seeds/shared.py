"""What the routes of all five seeds stand on: finding, making, telling and awaiting jobs, and who may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web
from asyncpg import Record
from pydantic import BaseModel, ConfigDict, TypeAdapter

from bellhand.api.live import JOBS_PER_FOLLOWER_MAX, Follower, Sight, Watch, sight_of
from bellhand.api.naming import job_row
from bellhand.api.operations import body_of, checked
from bellhand.callers import (
    CRON,
    LOOPBACK,
    Caller,
    caller_of,
    refuse_foreign,
    require,
    unauthorized,
)
from bellhand.logs import without_secrets
from bellhand.look import Look
from bellhand.states import OVER

Body = TypeVar("Body", bound=BaseModel)


class Loose(BaseModel):
    """A body as an app of a seed sends it: what we do not know is left alone, as the seed's own routes did."""

    model_config = ConfigDict(extra="ignore")


class Shared:
    """The database, who watches, and whether there is a secret of crons."""

    def __init__(self, look: Look, watch: Watch, *, cron: bool) -> None:
        self.look = look
        self.watch = watch
        self.cron = cron

    # -- who asks

    def admit_cron(self, request: web.Request) -> Caller:
        """Who may run a cron route: who shows the secret, or a token that operates; without a secret whoever may operate here."""
        caller = caller_of(request)
        # A GET that acts, on a machine where everybody may: not for pages in somebody's browser.
        if caller == LOOPBACK:
            refuse_foreign(request)
        if caller == CRON or (self.cron and caller != LOOPBACK and caller.may("operate")):
            return caller
        if self.cron:
            raise unauthorized()
        return require(request, "operate")

    # -- what they send

    async def body(self, request: web.Request, model: type[Body]) -> Body:
        """The body as the model; an empty one is {}."""
        given = await body_of(request)
        found: Body = checked(TypeAdapter(model), {} if given is None else given, "#")
        return found

    # -- jobs

    async def find(self, request: web.Request) -> Sight:
        """The job that the address names, and where it stands; who may only enqueue finds what is his."""
        if not caller_of(request).may("enqueue"):
            require(request, "read")
        return await sight_of(self.look, await job_row(self.look, request))

    async def sight(self, job: int) -> Sight:
        """The job of that id, which is there."""
        rows = await self.look.fetch("status_jobs", [job])
        return await sight_of(self.look, rows[0])

    async def enqueue(
        self, request: web.Request, kind: str, payload: dict[str, Any], *, priority: int | None = None,
        owner: str | None = None, unique_key: str | None = None, attempts_max: int | None = None,
    ) -> Record:  # fmt: skip
        """A new job, or the live one that has the unique key: id, key, created."""
        caller = caller_of(request)
        row = await self.look.row(
            "enqueue", kind, json.dumps(payload), unique_key, None, priority, attempts_max, None, None,
            owner, None, None, None, caller.actor,
        )  # fmt: skip
        assert row
        return row

    async def act(self, request: web.Request, statement: str, *arguments: Any) -> None:
        """One of cli_cancel, cli_retry and so on, in the caller's name."""
        await self.look.fetch(statement, *arguments, actor=caller_of(request).actor)

    # -- waiting

    async def nudge(self, jobs_max: int, seconds: float) -> dict[str, int]:
        """Ring for the workers and wait until the jobs that are next are over, at most so long; how many there were, and ended how.

        Bellhand needs no cron to work: this is for those that call one, and want to hear that something happened.
        """
        await self.look.fetch("seed_nudge")
        rows = await self.look.fetch("seed_front", min(jobs_max, JOBS_PER_FOLLOWER_MAX))
        over = await self.await_over([row["id"] for row in rows], seconds)
        states = [sight.row["state"] for sight in over.values()]
        succeeded = states.count("completed")
        return {
            "processed": len(states), "succeeded": succeeded, "failed": len(states) - succeeded,
            "remaining": len(rows) - len(states),
        }  # fmt: skip

    async def await_over(self, jobs: Iterable[int], seconds: float) -> dict[int, Sight]:
        """Those of the jobs that are over within so many seconds."""
        over: dict[int, Sight] = {}
        wanted = frozenset(jobs)
        follower = Follower(wanted)
        try:
            async with asyncio.timeout(seconds if wanted else 0):
                await self.watch.follow(follower)
                while len(over) < len(wanted) and not follower.over:
                    await follower.woken.wait()
                    over |= {j: s for j, s in _taken(follower).items() if s.row["state"] in OVER}
        except TimeoutError:
            pass
        finally:
            self.watch.leave(follower)
        return over

    async def await_news(self, job: int, seconds: float) -> None:
        """Until something happens to a job, or it is over, or so many seconds are."""
        follower = Follower(frozenset({job}))
        sights = 0
        try:
            async with asyncio.timeout(seconds):
                await self.watch.follow(follower)
                while sights < 2 and not follower.over:
                    await follower.woken.wait()
                    for sight in _taken(follower).values():
                        sights += 2 if sight.row["state"] in OVER else 1
        except TimeoutError:
            pass
        finally:
            self.watch.leave(follower)

    # -- statistics

    async def statistics(self, lane: str | None = None, kinds: str | None = None) -> Statistics:
        """How many wait and run now, and how many ended how, ever; of one lane and its kinds, or of all."""
        lanes = [r for r in await self.look.fetch("status_lanes") if lane in (None, r["lane"])]
        totals = {r["outcome"]: r for r in await self.look.fetch("seed_totals", kinds)}

        def jobs(*outcomes: str) -> int:
            return sum(totals[one]["jobs"] for one in outcomes if one in totals)

        done = [totals[one] for one in ("completed", "partial") if one in totals]
        seconds = sum(row["run_seconds"] for row in done)
        running = sum(r["running"] for r in lanes)
        waiting = sum(r["pending"] + r["scheduled"] + r["parked"] for r in lanes)
        completed = jobs("completed", "partial")
        return Statistics(
            waiting, running, completed, jobs("fail"), jobs("cancel"), seconds / completed if completed else 0.0
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts; `seconds` is how long one that completed ran on average."""

    pending: int
    running: int
    completed: int
    failed: int
    cancelled: int
    seconds: float

    @property
    def total(self) -> int:
        return self.pending + self.running + self.completed + self.failed

    @property
    def success_rate(self) -> float:
        """Of those that completed or failed, how many percent completed (C5)."""
        over = self.completed + self.failed
        return round(100.0 * self.completed / over, 1) if over else 0.0


def said(error: str | None) -> str | None:
    """What an error says, in one line and without secrets: the traceback before it is for /v1 and the log."""
    lines = (error or "").strip().splitlines()
    return without_secrets(lines[-1].strip()) if lines else None


def _taken(follower: Follower) -> dict[int, Sight]:
    """What it saw since it was last asked; what the log says does not matter here."""
    follower.woken.clear()
    seen = dict(follower.sights)
    follower.sights.clear()
    follower.entries.clear()
    return seen
