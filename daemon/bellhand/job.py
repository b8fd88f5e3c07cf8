"""What a handler holds: its job, with steps that checkpoint, progress, a transaction, and a way to enqueue more."""

from __future__ import annotations

import asyncio
import inspect
import json
import traceback
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import structlog

from .db import Away, Again, Backoff
from .kinds import Kind
from .outcomes import Cancelled, LeaseLost, Snooze, storable, storable_json
from .sql import query
from .store import Store

if TYPE_CHECKING:
    from .clients.web import Web

log = structlog.get_logger()
Item = TypeVar("Item")
RESULT_CHARS_MAX = 1_000_000
STEP_NAME_CHARS_MAX = 500

_step_counts: ContextVar[dict[str, float] | None] = ContextVar("step_counts", default=None)


@dataclass(slots=True)
class Tools:
    """What jobs need of the daemon; built once in app.py."""

    store: Store
    random: Callable[[], float]
    clock: Callable[[], float]
    web: Web | None = None


def encode(value: Any) -> str | None:
    """A handler's or a step's result as JSON text that jsonb accepts; raises ValueError with what is wrong with it."""
    if value is None:
        return None
    try:
        text = json.dumps(storable_json(value), allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the result cannot be stored as JSON: {error}") from error
    if len(text) > RESULT_CHARS_MAX:
        raise ValueError(f"the result is {len(text)} characters of JSON, more than {RESULT_CHARS_MAX}; store it and return its id")
    return text


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):  # pydantic
        return storable_json(value.model_dump(mode="json"))
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, uuid.UUID | datetime):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


class Job:
    """One attempt at one job. Made by the worker from a row of claim.sql; handlers read it and call its methods."""

    __slots__ = (
        "__dict__", "_asked", "_kind", "_row", "_tools", "abandoned", "epoch", "id", "ran_seconds", "settled", "started", "stopping",
        "task",
    )  # fmt: skip

    def __init__(self, row: asyncpg.Record, kind: Kind, tools: Tools) -> None:
        self._row = row
        self._kind = kind
        self._tools = tools
        self.id: int = row[1]
        self.epoch: int = row[2]
        self.task: asyncio.Task[None] | None = None
        self.stopping: str | None = None  # timeout, cancel, pause, drain, silence, lost: why the handler is being stopped
        self._asked: str | None = None  # pause or drain: to take effect at the next step
        self.settled = False  # by transaction()
        self.abandoned = False
        self.started = self.ran_seconds = 0.0

    # -- what it is --------------------------------------------------------------------------------------------------

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
        """The id of the lane it was claimed from."""
        return int(self._row["lane"])

    @property
    def lease(self) -> int:
        """The lease that holds it."""
        return int(self._row["lease"])

    @property
    def waited_seconds(self) -> float:
        """How long it was due before it was claimed."""
        return max(0.0, float(self._row["wait_seconds"] or 0.0))

    @property
    def payload(self) -> str:
        """The payload as JSON text."""
        return str(self._row["payload"])

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
    def attempts_max(self) -> int:
        """How many attempts it has in all."""
        return int(self._row["attempts_max"] or self._kind.attempts_max)

    @property
    def timeout_seconds(self) -> float | None:
        """How long one attempt may take; None: only its steps are bounded."""
        own: float | None = self._row["timeout_seconds"]
        return own or self._kind.timeout_seconds

    @property
    def owner(self) -> str | None:
        """Whose job it is, if the producer said so."""
        owner: str | None = self._row["owner"]
        return owner

    @property
    def tags(self) -> dict[str, Any]:
        """What the producer tagged it with."""
        return json.loads(self._row["tags"]) if self._row["tags"] else {}

    @property
    def web(self) -> Web:
        """The guarded fetcher."""
        if self._tools.web is None:
            raise RuntimeError("this daemon was built without a web client")
        return self._tools.web

    @cached_property
    def log(self) -> structlog.stdlib.BoundLogger:
        """A logger; job, kind and attempt are added to every line of it."""
        logger: structlog.stdlib.BoundLogger = structlog.get_logger("bellhand.job")
        return logger

    # -- progress ----------------------------------------------------------------------------------------------------

    @cached_property
    def counters(self) -> dict[str, float]:
        """What count() added up, over all steps that completed and those that run."""
        return {}

    @cached_property
    def state(self) -> dict[str, Any]:
        """The progress as it is shown: done, total, message, stage, and the steps' counts."""
        return {}

    def progress(
        self, done: float | None = None, total: float | None = None, message: str | None = None, stage: str | None = None
    ) -> None:
        """Say how far the job is; cheap, written at most once a second."""
        for name, value in (("done", done), ("total", total), ("message", message), ("stage", stage)):
            if value is not None:
                self.state[name] = storable(value) if isinstance(value, str) else value

    def count(self, name: str, n: float = 1) -> None:
        """Add to a counter; what a step counted is taken back if the step fails."""
        self.counters[name] = self.counters.get(name, 0) + n
        counts = _step_counts.get()
        if counts is not None:
            counts[name] = counts.get(name, 0) + n

    def progress_json(self) -> str | None:
        """The progress as stored, or None if there is nothing to say."""
        if "state" not in self.__dict__ and "counters" not in self.__dict__:
            return None
        shown = dict(self.state)
        steps = self.__dict__.get("_steps")
        if steps:
            shown["steps_done"] = sum(1 for state, _ in steps.values() if state == "completed")
            shown["steps_failed"] = sum(1 for state, _ in steps.values() if state == "failed")
            shown["steps_total"] = max(self._steps_total, len(steps))
            done, total = shown["steps_done"] + shown["steps_failed"], shown["steps_total"]
        else:
            done, total = shown.get("done"), shown.get("total")
        if done is not None and total:
            shown["percent"] = round(min(100.0, 100.0 * done / total), 1)
        if self.counters:
            shown["counters"] = self.counters
        return json.dumps(storable_json(shown), default=str)

    # -- steps -------------------------------------------------------------------------------------------------------

    _steps: dict[str, tuple[str, Any]]  # name -> (state, result or error)
    _steps_total: int
    _load: asyncio.Lock

    async def step(
        self, name: str, fn: Callable[..., Any], *args: Any, timeout_seconds: float | None = None
    ) -> Any:
        """Run `fn(*args)` once in the life of the job and store its result; on resume return what was stored.

        `fn` may be async or plain (then it runs in a thread). Its own timeout, or the kind's step_timeout_seconds, bounds
        it. What it raises is recorded and raised on. Pausing and draining take effect before a step starts.
        """
        name = storable(str(name))[:STEP_NAME_CHARS_MAX]
        await self._know_steps()
        state, stored = self._steps.get(name, (None, None))
        if state == "completed":
            return stored
        self.check()
        self._steps[name] = ("running", None)
        counts: dict[str, float] = {}
        token = _step_counts.set(counts)
        self.state["step"] = name
        started = self._tools.clock()
        limit = timeout_seconds or self._kind.step_timeout_seconds
        bound = asyncio.timeout(limit)
        try:
            async with bound:
                value = await call(fn, *args)
            stored_text = encode(value)
        except (Snooze, Cancelled, LeaseLost):
            self._take_back(counts)
            self._steps.pop(name)
            raise
        except Exception as error:
            self._take_back(counts)
            if bound.expired():
                error = TimeoutError(f"the step timed out after {limit:g} s")
            await self._write_step(name, "failed", None, None, storable("".join(traceback.format_exception(error))), started)
            raise error
        finally:
            _step_counts.reset(token)
        await self._write_step(name, "completed", stored_text, counts, None, started)
        self._steps[name] = ("completed", value)
        return value

    async def each(
        self, items: Iterable[Any], fn: Callable[[Any], Any], *, name: Callable[[Any], str] = str, chunk: int | None = None,
        concurrency: int = 1, timeout_seconds: float | None = None, rate: float | None = None,
    ) -> list[Any]:  # fmt: skip
        """One step an item (or a chunk of items, given to `fn` as a list); returns the results in order.

        A step that fails does not stop the others: its result is None, the job ends partial, and a retry runs only what
        failed. `concurrency` steps run at once; `rate` starts at most that many a second.
        """
        parts: list[Any] = list(items)
        if chunk is not None:
            parts = [parts[i : i + chunk] for i in range(0, len(parts), chunk)]
            names = [f"items {i * chunk + 1} to {i * chunk + len(part)}" for i, part in enumerate(parts)]
        else:
            names = _unique([name(part) for part in parts])
        await self._know_steps()
        self._steps_total += sum(1 for one in names if one not in self._steps)
        results: list[Any] = [None] * len(parts)
        todo = iter(range(len(parts)))
        started, starts = self._tools.clock(), 0

        async def runner() -> None:
            nonlocal starts
            for i in todo:
                if rate is not None:
                    due, starts = started + starts / rate, starts + 1
                    await asyncio.sleep(max(0.0, due - self._tools.clock()))
                try:
                    results[i] = await self.step(names[i], fn, parts[i], timeout_seconds=timeout_seconds)
                except (Snooze, Cancelled, LeaseLost):
                    raise
                except Exception as error:
                    self.log.warning("step_failed", step=names[i], error=str(error)[:500])

        await _together([runner() for _ in range(max(1, min(concurrency, len(parts))))])
        return results

    def steps_failed(self) -> tuple[int, int, str | None]:
        """How many steps failed, how many completed, and the last error."""
        steps: dict[str, tuple[str, Any]] = self.__dict__.get("_steps", {})
        errors = [error for state, error in steps.values() if state == "failed"]
        return len(errors), sum(1 for state, _ in steps.values() if state == "completed"), errors[-1] if errors else None

    async def _know_steps(self) -> None:
        if "_steps" in self.__dict__:
            return
        self._load = self.__dict__.get("_load") or asyncio.Lock()
        async with self._load:
            if "_steps" in self.__dict__:
                return
            # Only the first claim of a job that never ran before has certainly no steps.
            rows = await self._patiently(self._tools.store.steps, self.id) if self.epoch > 1 else []
            steps = {row["name"]: (row["state"], json.loads(row["result"]) if row["result"] else None) for row in rows}
            for row in rows:
                for counter, n in json.loads(row["counters"] or "{}").items():
                    self.counters[counter] = self.counters.get(counter, 0) + n
            self._steps_total = 0
            # What failed before has another chance in this attempt.
            self._steps = {name: step for name, step in steps.items() if step[0] == "completed"}

    async def _write_step(
        self, name: str, state: str, result: str | None, counts: dict[str, float] | None, error: str | None, started: float
    ) -> None:
        self._steps[name] = (state, error)
        self.state.pop("step", None)
        position = list(self._steps).index(name)
        written = await self._patiently(
            self._tools.store.finish_step, self.id, self.epoch, name, position, state, result,
            json.dumps(counts) if counts else None, error, self.progress_json() or "{}", self._tools.clock() - started,
        )  # fmt: skip
        if not written:
            raise LeaseLost

    async def _patiently(self, method: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Call the store until it answers: an attempt outlives a short absence of the database; the lease bounds a long one."""
        backoff = Backoff(self._tools.random)
        while True:
            try:
                return await method(*args)
            except (Away, Again):
                await asyncio.sleep(backoff.next_seconds())

    def _take_back(self, counts: dict[str, float]) -> None:
        for name, n in counts.items():
            self.counters[name] -= n

    # -- being stopped -----------------------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Ask the attempt to end: pause and drain at its next step, everything else at its next await."""
        if self.stopping is not None:
            return
        if reason in ("pause", "drain"):
            self._asked = reason
            return
        self.stopping = reason
        if self.task is not None:
            self.task.cancel()

    def stop_now(self, reason: str) -> None:
        """End the attempt at its next await, whatever the reason."""
        if self.stopping is None:
            self.stopping = reason
            if self.task is not None:
                self.task.cancel()

    def check(self) -> None:
        """Stop here if the job was asked to pause or the daemon drains; steps call it before they start."""
        if self._asked is not None and self.stopping is None:
            self.stopping = self._asked
        if self.stopping is not None:
            raise asyncio.CancelledError(self.stopping)

    # -- the database ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection for the handler's own statements, from a bounded pool."""
        async with self._tools.store.pool.connection() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self, result: Any = None) -> AsyncIterator[asyncpg.Connection]:
        """A transaction in which the handler's writes and the completion of the job are one commit.

        Leaving it completes the job with `result`; what the handler returns afterwards is ignored. If the lease was lost
        everything is rolled back. Raise inside to roll back and fail the attempt.
        """
        failed, _, _ = self.steps_failed()
        async with self._tools.store.pool.connection() as connection:
            async with connection.transaction():
                yield connection
                rows = await connection.fetch(
                    query("settle_completed"), [self.id], [self.epoch], [failed > 0], [encode(result)], [self.progress_json()], [],
                    timeout=self._tools.store.pool.database.statement_seconds,
                )  # fmt: skip
                if not rows:
                    raise LeaseLost
            self.settled = True

    async def enqueue(
        self, kind: str, payload: Any = None, *, unique_key: str | None = None, priority: int | None = None,
        run_at: datetime | None = None, owner: str | None = None, tags: dict[str, Any] | None = None,
        depends_on: Sequence[int] | None = None, conn: asyncpg.Connection | None = None,
    ) -> tuple[int, bool]:  # fmt: skip
        """Enqueue another job, in the transaction of `conn` if given; returns its id and whether it is new."""
        values = (
            kind, encode(payload) or "{}", unique_key, run_at, priority, None, None, encode(tags), owner or self.owner,
            list(depends_on) if depends_on else None, None, None, f"job:{self.id}",
        )  # fmt: skip
        fetch = conn.fetch if conn is not None else self._tools.store.pool.fetch
        (row,) = await fetch(query("enqueue"), *values)
        return row["id"], row["created"]


async def call(fn: Callable[..., Any], *args: Any) -> Any:
    """Call an async function on the loop, a plain one in a thread."""
    if inspect.iscoroutinefunction(fn):
        return await fn(*args)
    value = await asyncio.to_thread(fn, *args)
    return await value if inspect.isawaitable(value) else value


def _unique(names: list[str]) -> list[str]:
    """The names as they will be stored, with a number behind those that come again."""
    seen: dict[str, int] = {}
    out = []
    for name in names:
        name = storable(str(name))[: STEP_NAME_CHARS_MAX - 10]
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return out


async def _together(coroutines: list[Any]) -> None:
    """Run all; the first that raises cancels the others and is raised as it is, not wrapped in a group."""
    if len(coroutines) == 1:
        await coroutines[0]
        return
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
