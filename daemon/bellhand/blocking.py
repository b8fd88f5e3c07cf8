"""Handlers written as plain functions: they run in a thread and reach their job through the loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .job import Job
from .kinds import Kind

# One pool for handlers alone, so that they never wait behind DNS look-ups or other users of the loop's own pool.
_threads: ThreadPoolExecutor | None = None


def use_threads(count: int) -> None:
    """Set how many plain handlers run at once in this process."""
    global _threads
    _threads = ThreadPoolExecutor(count, thread_name_prefix="handler")


class BlockingJob:
    """The job as a plain handler sees it: the same names, but step, each and enqueue block."""

    def __init__(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        self._job = job
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)

    def step(self, name: str, fn: Callable[..., Any], *args: Any, timeout_seconds: float | None = None) -> Any:
        """Like Job.step; `fn` runs in a thread of its own."""
        return self._on_loop(self._job.step(name, fn, *args, timeout_seconds=timeout_seconds))

    def each(self, items: Any, fn: Callable[..., Any], **options: Any) -> list[Any]:
        """Like Job.each."""
        results: list[Any] = self._on_loop(self._job.each(items, fn, **options))
        return results

    def enqueue(self, kind: str, payload: Any = None, **options: Any) -> tuple[int, bool]:
        """Like Job.enqueue."""
        made: tuple[int, bool] = self._on_loop(self._job.enqueue(kind, payload, **options))
        return made

    def _on_loop(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        # Stopping is seen here: a thread cannot be cancelled from outside.
        if self._job.stopping is not None:
            coroutine.close()
            raise asyncio.CancelledError(self._job.stopping)
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


async def in_thread(job: Job, kind: Kind, args: Any) -> Any:
    """Run a plain handler in a thread; cancelling abandons the thread, which can only end by itself."""
    loop = asyncio.get_running_loop()
    given = ([args] if kind.takes_args else []) + ([BlockingJob(job, loop)] if kind.takes_job else [])
    context = contextvars.copy_context()
    return await loop.run_in_executor(_threads, lambda: context.run(kind.handler, *given))
