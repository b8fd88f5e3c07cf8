"""Handlers that run in processes of their own: another process must be able to import them."""

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bellhand import Cancelled, Failed, Job, Retry, Snooze, job_kind

NOTES = "NOTES_FOLDER"


def note(name: str, text: str = "") -> None:
    """Leave a word for the test, which cannot look into this process."""
    with open(os.path.join(os.environ[NOTES], name), "a") as file:
        file.write(text + "\n")


def descriptors() -> list[int]:
    listed = [int(name) for name in os.listdir("/proc/self/fd")]
    return [fd for fd in listed if fd > 2 and os.path.islink(f"/proc/self/fd/{fd}")]


class What(BaseModel):
    what: str = ""


@job_kind("i.look", isolate=True)
async def look(args: What, job: Job) -> dict[str, Any]:
    """Everything a job says about itself."""
    job.log.warning("hello_from_inside", answer=42)
    print("a line on stdout")
    print("x" * 10_000)
    sys.stdout.flush()
    os.write(2, b"not \xff UTF-8\nand no end of line")
    job.progress(1, 4, message="under way")
    return {
        "pid": os.getpid(),
        "environment": dict(os.environ),
        "job": [job.id, job.kind, str(job.key), job.attempt, job.attempts_max, job.owner, job.tags],
        "keys": [str(job.idempotency_key), str(job.step_key("a"))],
        "payload": [args.what, job.payload],
        "fds": sorted(int(name) for name in os.listdir("/proc/self/fd")),
    }


class Refused(Exception):
    """Says itself that trying again cannot help."""

    retryable = False


@job_kind("i.good", isolate=True, attempts_max=9)
async def good(args: What, job: Job) -> list[str]:
    """A step that fails for good, which later attempts are told of and do not run."""

    def body() -> None:
        note("ran")
        raise Failed("never") if args.what == "failed" else Refused("not for you")

    try:
        await job.step("one", body)
    except (Failed, Refused) as error:
        told = str(error).strip().splitlines()[-1]
    if job.attempt == 1:
        raise ValueError("once more")
    raise Refused(f"told: {told}")


@job_kind("i.end", isolate=True, attempts_max=9, memory_bytes_max=300_000_000)
async def end(args: What, job: Job) -> Any:
    """Every way to end."""
    match args.what:
        case "retry":
            raise Retry("once more", after_seconds=77)
        case "snooze":
            raise Snooze(600, "too early")
        case "cancelled":
            raise Cancelled("not wanted")
        case "failed":
            raise Failed("no such thing")
        case "error":
            raise KeyError("what \x00 is \ud800")
        case "system exit":
            sys.exit("bye")
        case "unstorable":
            return object()
        case "_exit":
            print("last words", file=sys.stderr)
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "memory":
            return len(bytearray(500_000_000))
        case "junk":
            for fd in descriptors():
                with suppress(OSError):
                    socket.socket(fileno=os.dup(fd)).send(b'{"returned": "1\n[]\n')
            await asyncio.sleep(60)
        case "close":
            for fd in descriptors():
                os.close(fd)
            time.sleep(60)  # noqa: ASYNC251
        case "transaction":
            async with job.transaction():
                pass
        case "web":
            await job.web.get("http://example.org/")
    return args.what


@job_kind("i.hang", isolate=True)
async def hang(args: What, job: Job) -> None:
    """Runs until it is stopped, politely or not at all."""
    if args.what == "grandchild":
        child = subprocess.Popen(["sleep", "60"])
        note("grandchild", str(child.pid))
    note("pid", str(os.getpid()))
    if args.what == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note("started")
        while True:
            time.sleep(1)  # noqa: ASYNC251
    try:
        note("started")
        await asyncio.sleep(60)
    finally:
        note("cleaned up")


class Walk(BaseModel):
    steps: int = 3
    die_in: int | None = None
    fail_in: int | None = None


@job_kind("i.walk", isolate=True, attempts_max=9)
async def walk(args: Walk, job: Job) -> dict[str, Any]:
    """Steps, one of which may go wrong the first time."""

    async def body(n: int) -> int:
        note(f"step {n}")
        job.count("walked", n)
        if n == args.die_in and job.attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if n == args.fail_in and job.attempt == 1:
            raise ValueError(f"no step {n}")
        return n * n

    first = await job.step("first", body, 100)
    results = await job.each(range(args.steps), body, name=lambda n: f"step {n}", concurrency=2)
    return {"first": first, "results": results, "counters": job.counters}


@job_kind("i.slow", isolate=True, step_timeout_seconds=0.3)
async def slow(args: What, job: Job) -> str:
    """A step that takes too long, and lets go of it or not."""

    async def gentle() -> None:
        await asyncio.sleep(60)

    def stuck() -> None:
        ctypes.PyDLL(None).usleep(60_000_000)  # with the lock of the interpreter

    try:
        await job.step("slow", stuck if args.what == "stuck" else gentle)
    except TimeoutError as late:
        return str(late)
    return "in time"


@job_kind("i.pause", isolate=True)
async def pause(job: Job) -> list[int]:
    """Steps with time to be asked to pause between them."""
    done = []
    for n in range(100):
        done.append(await job.step(f"step {n}", asyncio.sleep, 0.05, n))
        note("done")
    return done


@job_kind("i.check", isolate=True)
async def check(job: Job) -> None:
    """No steps, but it looks whether it is to stop."""
    note("started")
    while True:
        job.check()
        await asyncio.sleep(0.01)


@job_kind("i.plain", isolate=True)
def plain(args: What, job: Any) -> dict[str, Any]:
    """A plain function, with the same names that block."""

    def body(n: int) -> int:
        job.count("counted", 1)
        return n + 1

    one = job.step("one", body, 1)
    more = job.each(range(3), body, concurrency=3)
    new = job.enqueue("i.look", {"what": "next"}, unique_key="once", tags={"from": "plain"})
    try:
        job.step("bad", int, "x")
    except ValueError as error:
        said = str(error)
    return {"one": one, "more": more, "new": new, "said": said, "counters": job.counters}


@job_kind("i.chatty", isolate=True)
async def chatty(job: Job) -> None:
    """Logs outside of a step and inside of one, and prints."""
    job.log.info("outside")

    async def body() -> None:
        job.log.info("inside")

    await job.step("one", body)
    print("said aloud")


@job_kind("i.peek", isolate=True)
def peek(args: What) -> dict[str, str]:
    """What came of looking for secrets, and of what any handler may do."""
    folder, notes, daemon = args.what, os.environ[NOTES], os.getppid()

    def move() -> None:
        os.mkdir(f"{notes}/there/a")
        note("there/a/moved")
        os.rename(f"{notes}/there/a/moved", f"{notes}/there/moved")

    tries = {
        "secret": lambda: Path(folder, "bellhand_dsn").read_text(),
        "by another way": lambda: Path(f"/proc/self/root{folder}/bellhand_dsn").read_text(),
        "by a program": lambda: subprocess.run(["cat", f"{folder}/bellhand_dsn"], check=True, capture_output=True),
        "list": lambda: os.listdir(folder),
        "other service": lambda: os.listdir(f"{folder}/../other.service"),
        "environment": lambda: Path(f"/proc/{daemon}/environ").read_bytes(),
        "memory": lambda: os.close(os.open(f"/proc/{daemon}/mem", os.O_RDONLY)),
        "by the daemon": lambda: os.listdir(f"/proc/{daemon}/root{folder}"),
        "an open file": lambda: os.stat(f"/proc/{daemon}/fd/0"),
        "move": move,
        "program": lambda: subprocess.run(["true"], check=True),
        "system": lambda: [Path(place).read_bytes() for place in ("/etc/passwd", "/proc/self/stat", "/dev/null")],
    }  # fmt: skip
    came = {}
    for name, act in tries.items():
        try:
            act()
            came[name] = ""
        except (OSError, subprocess.CalledProcessError) as error:
            came[name] = type(error).__name__
    return came
