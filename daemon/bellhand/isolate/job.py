"""The job as an isolated handler sees it."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NoReturn

import structlog

from ..outcomes import Cancelled, Failed, Snooze, encode
from ..steps import call, finite, plan
from .parent import Parent


class IsolatedJob:
    """What Job is to other handlers, without the database and the web."""

    def __init__(self, parent: Parent, told: dict[str, Any]) -> None:
        self._parent = parent
        self._names: dict[str, Any] = {}
        self.id: int = told["id"]
        self.key = uuid.UUID(told["key"])
        self.kind: str = told["kind"]
        self.lane: str = told["lane"]
        self.payload: str = told["payload"]
        self.priority: int = told["priority"]
        self.attempt: int = told["attempt"]
        self.attempts_max: int = told["attempts_max"]
        self.timeout_seconds: float | None = told["timeout_seconds"]
        self.owner: str | None = told["owner"]
        self.tags: dict[str, Any] = told["tags"]
        self.counters: dict[str, float] = told["counters"]
        self.stopping: str | None = None
        self.log: structlog.stdlib.BoundLogger = structlog.get_logger("bellhand.job")

    @property
    def idempotency_key(self) -> uuid.UUID:
        """The same for every attempt: hand it to payment, mail and webhook services."""
        return self.key

    def step_key(self, name: str) -> uuid.UUID:
        """An idempotency key for one step, the same for every attempt."""
        return uuid.uuid5(self.key, name)

    def progress(
        self,
        done: float | None = None,
        total: float | None = None,
        message: str | None = None,
        stage: str | None = None,
    ) -> None:
        """Say how far the job is."""
        given = {"done": finite(done), "total": finite(total), "message": message, "stage": stage}
        self._parent.note(
            progress={name: value for name, value in given.items() if value is not None}
        )

    def count(self, name: str, n: float = 1) -> None:
        """Add to a counter; what a step counted is taken back if the step fails."""
        self._parent.count(self.counters, name, finite(n) or 0)

    async def step(
        self, name: str, fn: Callable[..., Any], *args: Any, timeout_seconds: float | None = None
    ) -> Any:
        """Run `fn(*args)` once in the life of the job; on resume return what was stored."""
        return await self._parent.ask(
            "step",
            lambda _: call(fn, *args),
            (BaseException,),
            name=str(name),
            timeout_seconds=timeout_seconds,
        )

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
        """One step for each item (or chunk); the results in order, None where a step failed."""
        parts, names = plan(items, fn, name, chunk, self._names)
        results: list[Any] = await self._parent.ask(
            "each",
            lambda i: call(fn, parts[i]),
            (Snooze, Cancelled, Failed),
            names=names,
            concurrency=concurrency,
            timeout_seconds=timeout_seconds,
            rate=rate,
        )
        return results

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
        depends_on: Iterable[int] | None = None,
    ) -> tuple[int, bool]:
        """Enqueue another job; returns its id and whether it is new."""
        made = await self._parent.ask(
            "enqueue",
            kind=kind,
            payload=json.loads(encode(payload, "payload") or "null"),
            unique_key=unique_key,
            priority=priority,
            run_at=run_at and run_at.isoformat(),
            owner=owner,
            tags=tags,
            depends_on=list(depends_on) if depends_on else None,
        )
        return made[0], made[1]

    def check(self) -> None:
        """Stop here if the job was asked to pause or the daemon drains."""
        if self._parent.asked and self.stopping is None:
            self.stopping = "asked"
        if self.stopping is not None:
            raise asyncio.CancelledError(self.stopping)

    def connection(self) -> NoReturn:
        """Not here."""
        raise _not_here("connection()")

    def transaction(self, result: Any = None) -> NoReturn:
        """Not here."""
        raise _not_here("transaction()")

    @property
    def web(self) -> NoReturn:
        """Not here."""
        raise _not_here("web")


def _not_here(what: str) -> RuntimeError:
    return RuntimeError(
        f"job.{what} is not available to a handler with isolate=True: its process has neither "
        "credentials nor a connection. Return what is to be written, or enqueue a job whose "
        "handler is not isolated and writes it."
    )
