"""Handlers that misbehave: they die at a named point, kill their daemon, block, ignore being stopped, leave things behind."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bellhand import Cancelled, Failed, Job, Retry, job_kind

from .handlers import Args, saw, witnessed

POINTS = (
    "first line", "after own commit", "in the transaction", "after the transaction", "in a step", "between steps",
    "after the last step", "returned", "returned, one turn later", "returned, 2 ms later",
)  # fmt: skip
OUTSIDE = "insert into faults.outside (key) values ($1) on conflict do nothing"


def die() -> None:
    """As sudden as a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)


# -- crashes at named points -------------------------------------------------------------------------------------------


@job_kind("f.crashing", attempts_max=1000, timeout_seconds=None)
async def crashing(args: Args, job: Job) -> None:
    """Dies at `point` in its first attempt; each attempt calls an outside service that knows the idempotency key."""

    def here(point: str) -> None:
        if args["point"] == point and job.attempt == 1:
            die()

    async def one(name: str) -> str:
        if name == "s1":
            here("in a step")
        return name

    with witnessed(args, job):
        here("first line")
        saw("outside", job)
        async with job.connection() as conn:
            await conn.execute(OUTSIDE, job.idempotency_key)
        here("after own commit")
        for name in ("s0", "s1", "s2"):
            await job.step(name, one, name)
            if name == "s1":
                here("between steps")
        here("after the last step")
    _die_later(args["point"], job)


@job_kind("f.crashing_effect", attempts_max=1000, timeout_seconds=None)
async def crashing_effect(args: Args, job: Job) -> None:
    """The same around a transaction that completes the job."""

    def here(point: str) -> None:
        if args["point"] == point and job.attempt == 1:
            die()

    with witnessed(args, job, settles=True):
        here("first line")
        async with job.transaction() as conn:
            await conn.execute(
                "insert into faults.effects (job, epoch, token) values ($1, $2, $3)",
                job.id,
                job.epoch,
                args["token"],
            )
            here("in the transaction")
        here("after the transaction")
    _die_later(args["point"], job)


def _die_later(point: str, job: Job) -> None:
    if job.attempt == 1:
        loop = asyncio.get_running_loop()
        if point == "returned":
            loop.call_soon(die)
        elif point == "returned, one turn later":
            loop.call_soon(loop.call_soon, die)
        elif point == "returned, 2 ms later":
            loop.call_later(0.002, die)


# -- poison -------------------------------------------------------------------------------------------------------------


DEATHS: dict[str, Callable[[], object]] = {
    "exit": lambda: os._exit(0),
    "kill": die,
    "abort": os.abort,
    "segv": lambda: ctypes.string_at(1),
}


@job_kind("f.kills", attempts_max=100, timeout_seconds=None)
async def kills(args: Args, job: Job) -> None:
    """Ends its daemon after `seconds`, by `how`."""
    with witnessed(args, job):
        await asyncio.sleep(args["seconds"])
        DEATHS[args["how"]]()


# -- blocking -----------------------------------------------------------------------------------------------------------


def _spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def _backtrack(seconds: float) -> None:
    """A regular expression that holds the interpreter's lock all the while: each letter more doubles the time."""
    end = time.monotonic() + seconds
    for letters in range(18, 40):
        begun = time.monotonic()
        re.match("(a+)+$", "a" * letters + "b")
        if time.monotonic() + 2 * (time.monotonic() - begun) > end:
            return


def _decode(seconds: float) -> None:
    text = json.dumps([{"number": n, "text": "x" * 20} for n in range(400_000)])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        json.loads(text)


BLOCKS: dict[str, Callable[[float], None]] = {
    "sleep": time.sleep,
    "spin": _spin,
    "regex": _backtrack,
    "json": _decode,
}


@job_kind("f.blocks", attempts_max=1000, timeout_seconds=None)
async def blocks(args: Args, job: Job) -> None:
    """Does not let the loop go for `seconds`, in its first attempt."""
    with witnessed(args, job):
        if job.attempt == 1:
            BLOCKS[args["how"]](args["seconds"])


# -- not stopping -------------------------------------------------------------------------------------------------------


@job_kind("f.stubborn", attempts_max=1, timeout_seconds=0.5)
async def stubborn(args: Args, job: Job) -> None:
    """Goes on for `seconds` whatever it is told."""
    with witnessed(args, job, stubborn=True):
        end = time.monotonic() + args["seconds"]
        while time.monotonic() < end:
            if args["how"] == "shield":
                with suppress(asyncio.CancelledError):
                    await asyncio.shield(
                        asyncio.ensure_future(asyncio.sleep(end - time.monotonic()))
                    )
            elif args["how"] == "finally":
                try:
                    await asyncio.sleep(end - time.monotonic())
                finally:
                    await asyncio.sleep(max(0.0, end - time.monotonic()))
            else:
                with suppress(BaseException):
                    await asyncio.sleep(end - time.monotonic())


@job_kind("f.stubborn_thread", attempts_max=1, timeout_seconds=0.5)
def stubborn_thread(args: Args, job: Job) -> None:
    """The same in a thread, which nothing can stop."""
    with witnessed(args, job, stubborn=True):
        time.sleep(args["seconds"])


# -- leaving things behind ----------------------------------------------------------------------------------------------

_kept: list[Any] = []


async def _nothing() -> None:
    await asyncio.sleep(60)


async def _raises() -> None:
    raise RuntimeError("nobody waits for me")


@job_kind("f.leaves", attempts_max=1000, timeout_seconds=None)
async def leaves(args: Args, job: Job) -> None:
    """Leaves something behind, by `what`."""
    with witnessed(args, job):
        match args["what"]:
            case "task":
                _kept.append(asyncio.create_task(_nothing()))
            case "forgotten task":
                asyncio.get_running_loop().create_task(_nothing())
            case "task that raises":
                _kept.append(asyncio.create_task(_raises()))
            case "thread":
                threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
            case "transaction":
                async with job.connection() as conn:
                    await conn.execute("begin")
                    await conn.execute("create temporary table left_behind (x int)")
            case "lock":
                async with job.connection() as conn:
                    await conn.execute("select pg_advisory_lock(4711)")
            case "setting":
                async with job.connection() as conn:
                    await conn.execute("set statement_timeout = 1")
                    await conn.execute("set search_path = nowhere")
            case "listen":
                async with job.connection() as conn:
                    await conn.execute("listen bellhand")
            case "broken statement":
                async with job.connection() as conn:
                    with suppress(Exception):
                        await conn.execute("select 1/0")


@job_kind("f.inspects", attempts_max=1000, timeout_seconds=None)
async def inspects(args: Args, job: Job) -> dict[str, Any]:
    """What the connection it gets is like; the fault reads it off the results."""
    with witnessed(args, job):
        async with job.connection() as conn:
            row = await conn.fetchrow(
                "select current_setting('statement_timeout') as timeout, current_setting('search_path') as path, "
                "(select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks, "
                "to_regclass('pg_temp.left_behind') is not null as temporary, "
                "(select count(*) from pg_listening_channels()) as channels"
            )
            assert row is not None
            return dict(row) | {"open": conn.is_in_transaction()}


@job_kind("f.chatty", attempts_max=1000, timeout_seconds=None)
async def chatty(args: Args, job: Job) -> None:
    """Logs `lines` lines of half a kilobyte."""
    with witnessed(args, job):
        for _ in range(args["lines"]):
            job.log.info("chatter", text="x" * 500)
            await asyncio.sleep(0)


# -- payloads and texts ---------------------------------------------------------------------------------------------------

WHERE = (
    "error", "failed", "retry", "cancelled", "result", "key of result", "progress", "stage", "counter", "log", "step name",
    "step result", "step error", "enqueued", "group",
)  # fmt: skip


@job_kind("f.bomb", attempts_max=3, timeout_seconds=None)
async def bomb(args: Any, job: Job) -> Any:
    """Gives its payload back, whatever it is."""
    with witnessed({}, job):
        return args


@job_kind("f.says", attempts_max=1, timeout_seconds=None)
async def says(args: Args, job: Job) -> Any:
    """Says a text (given as escapes, since not every text can be a payload) at the place `where`."""
    text = args["text"].encode("ascii").decode("unicode_escape")

    async def same() -> Any:
        return text

    async def fails() -> None:
        raise ValueError(text)

    with witnessed(args, job):
        match args["where"]:
            case "error":
                raise ValueError(text)
            case "group":
                raise ExceptionGroup(text, [ValueError(text), KeyError(text)])
            case "failed":
                raise Failed(text)
            case "retry":
                raise Retry(text, after_seconds=0)
            case "cancelled":
                raise Cancelled(text)
            case "result":
                return text
            case "key of result":
                return {text: [text, {text: None}]}
            case "progress":
                job.progress(done=1, total=2, message=text)
            case "stage":
                job.progress(stage=text)
            case "counter":
                job.count(text)
            case "log":
                job.log.info(text, text=text)
            case "step name":
                await job.step(text, same)
            case "step result":
                await job.step("s", same)
            case "step error":
                await job.step("s", fails)
            case "enqueued":
                await job.enqueue("f.silent", {text: text}, tags={text: text})
        return None


@job_kind("f.silent", attempts_max=1000, timeout_seconds=None)
async def silent(args: Args, job: Job) -> None:
    """What `f.says` enqueues; it has no token."""
    with witnessed({}, job):
        pass
