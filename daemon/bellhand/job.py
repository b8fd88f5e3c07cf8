"""What a handler holds: its job, with steps, progress, a transaction, and a way to enqueue more."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import asyncpg
import structlog

from .db import patiently
from .kinds import Kind
from .outcomes import LeaseLost, encode, storable, storable_json
from .sql import query
from .steps import Steps, finite, progressed, step_counts
from .store import Store

if TYPE_CHECKING:
    from .clients.hooks import Hooks
    from .clients.mail import Mail
    from .clients.services import Services
    from .clients.web import Web

T = TypeVar("T")
# Handlers and steps may count from several threads.
_counting = threading.Lock()


@dataclass(slots=True)
class Tools:
    """What jobs need of the daemon; built once in app.py."""

    store: Store
    random: Callable[[], float]
    clock: Callable[[], float]
    web: Web | None = None
    # Told of every step that `starts`, that `ran`, and that is written as `completed` or `failed`;
    # the step waits for what this returns.
    on_step: Callable[[Job, str, str], Awaitable[None] | None] | None = None
    services: Services | None = None
    mail: Mail | None = None
    hooks: Hooks | None = None


class Job:
    """One attempt at one job, from a row of claim.sql; handlers read it and call its methods."""

    step_seconds = 0.0  # that the step which ended last took

    __slots__ = (
        "__dict__", "_asked", "_kind", "_row", "_tools", "abandoned", "begun", "epoch", "id", "lease",
        "on_asked", "ran_seconds", "refused", "settled", "settling", "started", "stopping", "task",
    )  # fmt: skip

    def __init__(self, row: asyncpg.Record, lease: int, kind: Kind, tools: Tools) -> None:
        self._row = row  # by number where every job passes: a name costs twice as much
        self._kind = kind
        self._tools = tools
        self.id: int = row[0]
        self.epoch: int = row[1]
        self.lease = lease
        self.task: asyncio.Task[None] | None = None
        self.begun = False  # the task is past its first step
        # Why the handler is being stopped: timeout, cancel, pause, drain, silence, lost.
        self.stopping: str | None = None
        self._asked: str | None = None  # pause or drain: to take effect at the next step
        self.on_asked: Callable[[], None] | None = None
        # A step, because the job stops: whatever the handler returns, it is not done.
        self.refused = False
        self.settled = self.settling = False  # by transaction()
        self.abandoned = False
        self.started = self.ran_seconds = 0.0

    # -- what it is --------------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        """The kind's name."""
        return self._kind.name

    @property
    def lane(self) -> str:
        """The name of the lane it came through."""
        return self._kind.lane

    @property
    def lane_id(self) -> int:
        """That lane's id."""
        return int(self._row[2])

    @property
    def waited_seconds(self) -> float:
        """How long it was due before it was claimed."""
        return float(self._row[13] or 0.0)

    @property
    def payload(self) -> str:
        """The payload as JSON text."""
        return str(self._row[5])

    @property
    def key(self) -> uuid.UUID:
        """The UUID that the outside world knows the job by."""
        return uuid.UUID(int=self._row["key"].int)

    @property
    def idempotency_key(self) -> uuid.UUID:
        """The same for every attempt: hand it to payment, mail and webhook services."""
        return self.key

    def step_key(self, name: str) -> uuid.UUID:
        """An idempotency key for one step, the same for every attempt."""
        return uuid.uuid5(self.key, name)

    @property
    def priority(self) -> int:
        """10 first, 1 last."""
        return 10 - int(self._row["rank"])

    @property
    def attempt(self) -> int:
        """This attempt's number, from 1; snoozes and hand-backs do not count."""
        return int(self._row["attempts"]) + 1

    @property
    def crashes(self) -> int:
        """How many workers died while they ran it."""
        return int(self._row[8])

    @property
    def attempts_max(self) -> int:
        """How many attempts it has in all."""
        return int(self._row["attempts_max"] or self._kind.attempts_max)

    @property
    def timeout_seconds(self) -> float | None:
        """How long one attempt may take; None: only its steps are bounded."""
        return self._row[10] or self._kind.timeout_seconds

    @property
    def owner(self) -> str | None:
        """Whose job it is, if the producer said so."""
        return cast(str | None, self._row["owner"])

    @property
    def tags(self) -> dict[str, Any]:
        """What the producer tagged it with."""
        return json.loads(self._row["tags"]) if self._row["tags"] else {}

    @property
    def web(self) -> Web:
        """The guarded fetcher."""
        return _there(self._tools.web, "a web client")

    @property
    def services(self) -> Services:
        """The outside services: serpapi, places, llm, payments."""
        return _there(self._tools.services, "outside services")

    @property
    def mail(self) -> Mail:
        """The way to send mail."""
        return _there(self._tools.mail, "a mail client")

    @property
    def hooks(self) -> Hooks:
        """The way to post messages to other programs."""
        return _there(self._tools.hooks, "a client for webhooks")

    @cached_property
    def log(self) -> structlog.stdlib.BoundLogger:
        """A logger; job, kind and attempt are added to every line of it."""
        return cast(structlog.stdlib.BoundLogger, structlog.get_logger("bellhand.job"))

    # -- progress ----------------------------------------------------------------------------------

    @cached_property
    def counters(self) -> dict[str, float]:
        """What count() added up, over all steps that completed and those that run."""
        return {}

    @cached_property
    def state(self) -> dict[str, Any]:
        """The progress as it is shown: done, total, message, stage, and the steps' counts."""
        return {}

    def progress(
        self,
        done: float | None = None,
        total: float | None = None,
        message: str | None = None,
        stage: str | None = None,
    ) -> None:
        """Say how far the job is; cheap, written at most once a second. Within a stage its bar never goes back."""
        if stage is not None and stage != self.state.get("stage"):
            self.state.pop("percent", None)  # its bar begins anew
        given = {"done": finite(done), "total": finite(total), "message": message, "stage": stage}
        for name, v in given.items():
            if v is not None:
                self.state[name] = storable(v) if isinstance(v, str) else v

    def count(self, name: str, n: float = 1) -> None:
        """Add to a counter; what a step counted is taken back if the step fails."""
        n = finite(n) or 0
        with _counting:
            self.counters[name] = self.counters.get(name, 0) + n
            counts = step_counts.get()
            if counts is not None:
                counts[name] = counts.get(name, 0) + n

    def progress_json(self, *, ended: bool = False) -> str | None:
        """The progress as stored, or None if there is nothing to say; of what `ended` badly the failed steps may come again."""
        if "state" not in self.__dict__ and "counters" not in self.__dict__:
            return None
        shown = progressed(self.state, self.__dict__.get("_steps"))
        if ended and shown.get("percent"):
            del shown["percent"]
        if self.counters:
            shown["counters"] = dict(self.counters)
        return json.dumps(storable_json(shown), default=str)

    # -- steps -------------------------------------------------------------------------------------

    @cached_property
    def _steps(self) -> Steps:
        return Steps(self, self._tools, self._kind.step_timeout_seconds)

    async def step(
        self, name: str, fn: Callable[..., Any], *args: Any, timeout_seconds: float | None = None
    ) -> Any:
        """Run `fn(*args)` once in the life of the job and return its result as stored; on resume
        return what was stored.

        `fn` may be async or plain (then it runs in a thread). Its own timeout, or the kind's
        step_timeout_seconds, bounds it. What it raises is recorded and raised on: by later attempts
        without running it where it failed for good (Failed, or an error whose `retryable` is False).
        Pausing and draining take effect before a step starts.
        """
        return await self._steps.run(name, fn, args, timeout_seconds)

    async def each(
        self,
        items: Iterable[Any],
        fn: Callable[[Any], Any],
        *,
        name: Callable[[Any], str] = str,
        chunk: int | None = None,
        concurrency: int = 1,
        timeout_seconds: float | None = None,
        rate: float | None = None,
    ) -> list[Any]:
        """One step for each item (or chunk of items, given to `fn` as a list); the results in order.

        A step that fails does not stop the others: its result is None, the job ends partial, and a
        retry runs only what failed. `concurrency` run at once, at most `rate` start in a second.
        """
        return await self._steps.each(items, fn, name, chunk, concurrency, timeout_seconds, rate)

    @property
    def plain(self) -> bool:
        """Nothing happened to it but its handler: no steps, no stop, no transaction."""
        touched = self.stopping or self.refused or self.settled
        return not touched and "_steps" not in self.__dict__

    def steps_failed(self) -> tuple[int, int, str]:
        """How many steps failed in this attempt, how many are completed, the last error."""
        if "_steps" not in self.__dict__:
            return 0, 0, ""
        return len(self._steps.errors), len(self._steps.results), self._steps.last_error()

    @property
    def comes_back(self) -> bool:
        """Whether a step failed in this attempt that the next attempt tries again."""
        there = "_steps" in self.__dict__ and self.attempt < self.attempts_max
        return there and self._steps.some_may_pass()

    @property
    def steps_running(self) -> list[str]:
        """The names of the steps that run now."""
        return list(self._steps.running)

    @property
    def asked(self) -> bool:
        """Whether it is to stop at its next step."""
        return self._asked is not None

    async def know_steps(self) -> None:
        """Learn what earlier attempts have done, and what they counted."""
        await self._steps.know()

    # -- being stopped -----------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Ask it to end: pause and drain at its next step, everything else at its next await."""
        if self.stopping is not None:
            return
        if reason in ("pause", "drain"):
            self._asked = reason
            if self.on_asked is not None:
                self.on_asked()
            return
        self.stop_now(reason)

    def stop_now(self, reason: str) -> None:
        """End the attempt at its next await, whatever the reason."""
        if self.stopping is None:
            self.stopping = reason
            # Cancelled before its first step a task runs no line, and nobody would settle the job; it sees this then.
            if self.task is not None and self.begun:
                self.task.cancel()

    def check(self) -> None:
        """Stop here if the job was asked to pause or the daemon drains; every step does."""
        if self._asked is not None and self.stopping is None:
            self.stopping = self._asked
        if self.stopping is not None:
            self.refused = True
            raise asyncio.CancelledError(self.stopping)

    # -- the database ------------------------------------------------------------------------------

    def connection(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """A connection for the handler's own statements, from a bounded pool."""
        return self._tools.store.pool.lent()

    async def patiently(self, write: Callable[[], Awaitable[T]]) -> T:
        """Call `write` until the database answers, or the lease is lost: for writing down what cannot be
        undone outside (a mail went out). A lost answer has it called again, so twice must be harmless."""
        return await patiently(self._tools.random, write)

    @asynccontextmanager
    async def transaction(self, result: Any = None) -> AsyncIterator[asyncpg.Connection]:
        """A transaction in which the handler's writes and the completion of the job are one commit.

        Leaving it completes the job with `result`; what the handler returns afterwards is ignored.
        If the lease was lost everything is rolled back. Raise inside to roll back and fail the
        attempt.
        """
        async with self.connection() as connection:
            async with self._settling(), connection.transaction():
                yield connection
                failed, _, _ = self.steps_failed()
                lost = await connection.fetchval(
                    query("settle_completed"), self._tools.store.worker, [self.lease], [self.id], [self.epoch],
                    [failed > 0], [encode(result)], [self.progress_json()], [self._tools.clock() - self.started], [],
                    timeout=self._tools.store.pool.database.statement_seconds,
                )  # fmt: skip
                if lost:
                    raise LeaseLost
                self.settling = True
            self.settled = True

    @asynccontextmanager
    async def _settling(self) -> AsyncIterator[None]:
        """A heartbeat between the commit and its answer finds the job gone, and must not call it lost."""
        try:
            yield
        except BaseException:
            self.settling = False
            raise

    async def enqueue(
        self,
        kind: str,
        payload: Any = None,
        *,
        unique_key: str | None = None,
        priority: int | None = None,
        run_at: datetime | None = None,
        owner: str | None = None,
        tags: dict[str, Any] | None = None,
        depends_on: Sequence[int] | None = None,
        notify: Sequence[dict[str, Any]] | None = None,
        conn: asyncpg.Connection | None = None,
    ) -> tuple[int, bool]:
        """Enqueue another job, in the transaction of `conn` if given; its id and if it is new."""
        values = (
            kind, encode(payload, "payload") or "{}", unique_key, run_at, priority, None, None,
            encode(tags, "dictionary of tags"), owner or self.owner,
            list(depends_on) if depends_on else None, None, encode(notify, "notify"), f"job:{self.id}",
        )  # fmt: skip
        fetch = conn.fetch if conn is not None else self._tools.store.pool.fetch
        (row,) = await fetch(query("enqueue"), *values)
        return row["id"], row["created"]


def _there(tool: T | None, what: str) -> T:
    if tool is None:
        raise RuntimeError(f"this daemon was built without {what}")
    return tool
