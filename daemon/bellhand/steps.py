"""Parts of a job that are done once, written down as they finish, and skipped ever after."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import math
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .db import patiently
from .logs import current_step
from .outcomes import (
    Cancelled,
    Failed,
    LeaseLost,
    Snooze,
    clean,
    described,
    encode,
    for_good,
    storable,
)

if TYPE_CHECKING:
    from .job import Job, Tools

NAME_CHARS_MAX = 500

# What the step that runs here has counted; taken back if it fails.
step_counts: ContextVar[dict[str, float] | None] = ContextVar("step_counts", default=None)

# Threads for the bodies of steps alone: those of handlers may all be taken by handlers that wait
# for their steps.
threads: ThreadPoolExecutor | None = None


class Steps:
    """The steps of one attempt: what is known of them, and how to run one."""

    def __init__(self, job: Job, tools: Tools, timeout_seconds: float | None) -> None:
        self.job = job
        self.tools = tools
        self.timeout_seconds = timeout_seconds
        self.results: dict[str, Any] = {}  # of those completed, in any attempt
        self.errors: dict[str, str] = {}  # of those that failed in this attempt
        self.final: dict[str, str] = {}  # of those that failed for good, in any attempt
        self.running: dict[str, None] = {}
        self.planned = False  # each() has said how many there will be
        self.places: dict[str, int] = {}  # of all that are done, running or announced
        self.names: dict[str, Any] = {}  # that each() gave, see plan()
        self._old_places: dict[str, int] = {}
        self._next_place = 0
        self._known = False
        self._learning = asyncio.Lock()

    def shown(self) -> dict[str, int]:
        """The counts that the progress shows."""
        return {
            "steps_done": len(self.results),
            "steps_failed": len(self.errors),
            "steps_total": len(self.places),
        }

    def last_error(self) -> str:
        """What the step that failed last said."""
        return next(reversed(self.errors.values()), "")

    def some_may_pass(self) -> bool:
        """Whether one that failed in this attempt did not fail for good."""
        return not self.errors.keys() <= self.final.keys()

    def tried(self, names: Iterable[str]) -> bool:
        """Whether all of them have ended in this attempt or were done before."""
        return all(name in self.results or name in self.errors for name in names)

    def announce(self, names: Iterable[str]) -> None:
        """Give each its place, in this order, and count it in the total."""
        for name in names:
            if name not in self.places:
                self.places[name] = self._old_places.get(name, self._next_place)
                self._next_place = max(self._next_place, self.places[name] + 1)

    async def know(self) -> None:
        """Learn what earlier attempts have done; asks the database at most once."""
        if self._known:
            return
        async with self._learning:
            if self._known:
                return
            job = self.job
            # Only the first claim of a job that never ran before has certainly no steps.
            rows = await self._patiently(self.tools.store.steps, job.id) if job.epoch > 1 else []
            for row in rows:
                self._next_place = max(self._next_place, row["position"] + 1)
                if row["state"] != "completed":
                    # It has another chance, if this attempt comes to it and it did not fail for good.
                    self._old_places[row["name"]] = row["position"]
                    if row["for_good"]:
                        self.final[row["name"]] = row["error"]
                    continue
                self.places[row["name"]] = row["position"]
                self.results[row["name"]] = json.loads(row["result"]) if row["result"] else None
                for counter, n in json.loads(row["counters"] or "{}").items():
                    job.counters[counter] = job.counters.get(counter, 0) + n
            self._known = True

    async def run(
        self,
        name: str,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        timeout_seconds: float | None,
    ) -> Any:
        """See Job.step."""
        name = clean(str(name))[:NAME_CHARS_MAX]
        await self.know()
        if name in self.results:
            return self.results[name]
        if name in self.final:
            self.announce([name])
            self.errors[name] = self.final[name]
            raise Failed(self.final[name])
        if name in self.running:
            raise RuntimeError(
                f"the step {name!r} runs already; give every step of a job a name of its own"
            )
        self.job.check()
        self.announce([name])
        self.errors.pop(name, None)
        self.running[name] = None
        self.job.state["step"] = name
        try:
            return await self._run(name, fn, args, timeout_seconds or self.timeout_seconds)
        finally:
            del self.running[name]
            if self.running:
                self.job.state["step"] = next(reversed(self.running))
            else:
                self.job.state.pop("step", None)

    async def each(
        self, items: Iterable[Any], fn: Callable[[Any], Any], name: Callable[[Any], str],
        chunk: int | None, concurrency: int, timeout_seconds: float | None, rate: float | None,
    ) -> list[Any]:  # fmt: skip
        """See Job.each."""
        parts, names = plan(items, fn, name, chunk, self.names)
        await self.know()
        self.announce(names)
        self.planned = True
        results: list[Any] = [None] * len(parts)
        todo = iter(range(len(parts)))
        next_start = self.tools.clock()

        async def runner() -> None:
            nonlocal next_start
            for i in todo:
                done = names[i] in self.results or names[i] in self.final
                if not done and (self.job.asked or self.job.stopping):
                    return  # the others may finish the steps they are in
                if not done and rate is not None:
                    now = self.tools.clock()
                    start, next_start = next_start, max(next_start, now) + 1 / rate
                    await asyncio.sleep(max(0.0, start - now))
                try:
                    results[i] = await self.run(names[i], fn, (parts[i],), timeout_seconds)
                except (Snooze, Cancelled, LeaseLost):
                    raise
                except Exception as error:
                    if not done:
                        self.job.log.warning("step_failed", step=names[i], error=str(error)[-500:])

        await together([runner() for _ in range(max(1, min(concurrency, len(parts))))])
        if not self.tried(names):
            self.job.check()
        return results

    async def _run(
        self, name: str, fn: Callable[..., Any], args: tuple[Any, ...], limit: float | None
    ) -> Any:
        await self._tell(name, "starts")
        counts: dict[str, float] = {}
        token, named = step_counts.set(counts), current_step.set(name)
        started = self.tools.clock()
        bound = asyncio.timeout(limit)
        try:
            async with bound:
                value = await call(fn, *args)
            text = encode(value)
        except BaseException as error:
            for counter, n in counts.items():
                self.job.counters[counter] -= n
            if not isinstance(error, Exception) or isinstance(
                error, Snooze | Cancelled | LeaseLost
            ):
                raise
            if bound.expired():
                late = TimeoutError(f"the step timed out after {limit:g} s")
                await self._write(name, "failed", None, None, described(late), started)
                raise late from error
            if for_good(error):
                said = storable(str(error)) if isinstance(error, Failed) else described(error)
                self.final[name] = said
            else:
                said = described(error)
            await self._write(name, "failed", None, None, said, started)
            raise
        finally:
            step_counts.reset(token)
            current_step.reset(named)
        await self._tell(name, "ran")
        # What it returns is what a resumed job will find.
        stored = json.loads(text) if text is not None else None
        await self._write(name, "completed", text, counts, None, started, stored)
        return stored

    async def _write(
        self,
        name: str,
        state: str,
        text: str | None,
        counts: dict[str, float] | None,
        error: str | None,
        started: float,
        stored: Any = None,
    ) -> None:
        if error is None:
            self.results[name] = stored
        else:
            self.errors[name] = error
        job = self.job
        job.step_seconds = self.tools.clock() - started
        written = await self._patiently(
            self.tools.store.finish_step,
            job.id,
            job.epoch,
            name,
            self.places[name],
            state,
            text,
            json.dumps(counts) if counts else None,
            error,
            name in self.final,
            job.progress_json() or "{}",
            job.step_seconds,
            job.lease,
        )
        if not written:
            raise LeaseLost
        await self._tell(name, state)

    async def _tell(self, name: str, what: str) -> None:
        if self.tools.on_step is not None:
            waiting = self.tools.on_step(self.job, name, what)
            if waiting is not None:
                await waiting

    async def _patiently(self, method: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        return await patiently(self.tools.random, lambda: method(*args))


def progressed(state: dict[str, Any], steps: Steps | None) -> dict[str, Any]:
    """What is shown of `state` and the steps: their counts, and how many `percent` are behind.

    By what the handler counts, else by its steps once each() has said how many there will be; None until then,
    since a bar by the steps known so far would go back with each new one. Within a stage it never goes back.
    """
    shown = dict(state)
    if steps is not None and steps.places:
        shown |= steps.shown()
    if shown.get("total"):
        done, total = shown.get("done") or 0, shown["total"]
    elif steps is not None and steps.places and steps.planned:
        done, total = shown["steps_done"] + shown["steps_failed"], shown["steps_total"]
    elif "steps_total" in shown:
        return shown | {"percent": None}
    else:
        return shown
    percent = max(state.get("percent") or 0.0, min(100.0, 100.0 * done / total))
    shown["percent"] = state["percent"] = round(percent, 1)
    return shown


def plan(
    items: Iterable[Any],
    fn: Callable[[Any], Any],
    name: Callable[[Any], str],
    chunk: int | None,
    given: dict[str, Any],
) -> tuple[list[Any], list[str]]:
    """What each() gives to its steps, and their names.

    A name that comes again gets a number: within one call, and (that is what `given` remembers)
    when another function goes over the same items. The same function again means the same steps:
    what has failed is tried once more.
    """
    parts: list[Any] = list(items)
    if chunk is None:
        # With room for a number behind it.
        wanted = [clean(str(name(part)))[: NAME_CHARS_MAX - 10] for part in parts]
    elif chunk < 1:
        raise ValueError(f"a chunk has at least one item, not {chunk}")
    else:
        parts = [parts[i : i + chunk] for i in range(0, len(parts), chunk)]
        wanted = [
            f"items {i * chunk + 1} to {i * chunk + len(part)}" for i, part in enumerate(parts)
        ]
    body = getattr(fn, "__code__", fn)
    used: set[str] = set()
    names = []
    for base in wanted:
        one, number = base, 1
        while one in used or given.setdefault(one, body) is not body:
            number += 1
            one = f"{base} ({number})"
        used.add(one)
        names.append(one)
    return parts, names


def finite(n: Any) -> float | None:
    """A number that JSON can hold, or None for None; else raises TypeError or ValueError."""
    if n is None or isinstance(n, int):
        return n
    number = float(n)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a number that can be stored")
    return number


async def call(fn: Callable[..., Any], *args: Any) -> Any:
    """Call an async function on the loop, a plain one in a thread."""
    try:
        if inspect.iscoroutinefunction(fn):
            return await fn(*args)
        value = await in_pool(threads, fn, *args)
        return await value if inspect.isawaitable(value) else value
    except (SystemExit, KeyboardInterrupt) as error:  # asyncio would let it end the whole loop
        raise RuntimeError(f"a step raised {error!r}") from error


async def in_pool(pool: ThreadPoolExecutor | None, fn: Callable[..., Any], *args: Any) -> Any:
    """Call `fn` in a thread of the pool, in this context."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, _fenced, fn, args)


def _fenced(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        return fn(*args)
    except StopIteration as error:  # asyncio cannot pass it on, and would wait for ever
        raise RuntimeError("a function raised StopIteration") from error


async def together(coroutines: list[Any]) -> None:
    """Run all; the first that raises cancels the others and is raised as it is, in no group."""
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
