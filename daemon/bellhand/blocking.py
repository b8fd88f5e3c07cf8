"""Handlers that are plain functions: they run in a thread and reach their job through the loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from . import steps
from .job import Job
from .kinds import Kind

# One pool for handlers alone, so that they never wait behind DNS look-ups or other users of the
# loop's own pool.
_threads: ThreadPoolExecutor | None = None


def use_threads(count: int) -> None:
    """Set how many plain handlers run at once in this process, and how many plain steps."""
    global _threads
    _threads = ThreadPoolExecutor(count, thread_name_prefix="handler")
    steps.threads = ThreadPoolExecutor(count, thread_name_prefix="step")


class BlockingJob:
    """The job as a plain handler sees it: the same names, but step, each and enqueue block."""

    def __init__(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self._job = job
        self._loop = loop
        self._waits: set[concurrent.futures.Future[Any]] = set()
        self._was_let_go = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    def step(
        self, name: str, fn: Callable[..., Any], *args: Any, timeout_seconds: float | None = None
    ) -> Any:
        """Like Job.step; `fn` runs in a thread of its own, or on the loop if it is async."""
        return self._on_loop(self._job.step(name, fn, *args, timeout_seconds=timeout_seconds))

    def each(self, items: Any, fn: Callable[..., Any], **options: Any) -> list[Any]:
        """Like Job.each."""
        results: list[Any] = self._on_loop(self._job.each(items, fn, **options))
        return results

    def enqueue(self, kind: str, payload: Any = None, **options: Any) -> tuple[int, bool]:
        """Like Job.enqueue."""
        made: tuple[int, bool] = self._on_loop(self._job.enqueue(kind, payload, **options))
        return made

    def transaction(self, result: Any = None) -> NoReturn:
        """Not here: its connection belongs to the loop."""
        raise _not_here("transaction()")

    def connection(self) -> NoReturn:
        """Not here: a connection belongs to the loop."""
        raise _not_here("connection()")

    @property
    def web(self) -> NoReturn:
        """Not here: it belongs to the loop."""
        raise _not_here("web")

    def _on_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        # Stopping is seen here: a thread cannot be cancelled from outside.
        if self._job.stopping is not None:
            coroutine.close()
            raise asyncio.CancelledError(self._job.stopping)
        wait = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        self._waits.add(wait)
        # Told to stop between the look above and this wait, which nobody would end.
        if self._was_let_go:
            wait.cancel()
        try:
            return wait.result()
        except concurrent.futures.CancelledError:
            # That one is an Exception, which handlers catch.
            raise asyncio.CancelledError(self._job.stopping) from None
        finally:
            self._waits.discard(wait)

    def let_go(self) -> None:
        """End what the thread waits for, or will wait for: it is told to stop."""
        self._was_let_go = True
        for wait in list(self._waits):
            wait.cancel()


def _not_here(what: str) -> RuntimeError:
    return RuntimeError(
        f"job.{what} is not available to a plain function, which runs in a thread; make the "
        "handler async def, or call job.step with an async function that uses it"
    )


async def in_thread(job: Job, kind: Kind, args: Any) -> Any:
    """Run a plain handler in a thread; when cancelled it ends at its next call of the job."""
    blocking = BlockingJob(job, asyncio.get_running_loop())
    given = ([args] if kind.takes_args else []) + ([blocking] if kind.takes_job else [])
    try:
        return await steps.in_pool(_threads, kind.handler, *given)
    except asyncio.CancelledError:
        blocking.let_go()
        raise
