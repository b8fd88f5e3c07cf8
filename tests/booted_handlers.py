"""Handlers that a booted machine runs: each tries what the sandbox should refuse, or takes its time."""

import asyncio
import ctypes
import mmap
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bellhand import Job, job_kind

STATE = Path("/var/lib/bellhand")
METADATA = ("169.254.169.254", 80)
CLONE_NEWUSER = 0x10000000
LIBC = ctypes.CDLL(None, use_errno=True)


def write(path: str) -> Callable[[], None]:
    return lambda: Path(path).write_text("x")


def unix(kind: int) -> None:
    socket.socket(kind, socket.SOCK_RAW).close()


def connect() -> None:
    socket.create_connection(METADATA, timeout=2).close()


def executable_memory() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def call(name: str, *arguments: Any) -> Callable[[], None]:
    def act() -> None:
        if getattr(LIBC, name)(*arguments):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return act


TRIES: dict[str, Callable[[], Any]] = {
    "its state": write(f"{STATE}/probe"),
    "its tmp": write("/tmp/probe"),
    "/usr": write("/usr/probe"),
    "/etc": write("/etc/probe"),
    "its program": write("/opt/bellhand/probe"),
    "its configuration": write("/etc/bellhand/config.toml"),
    "root's home": lambda: os.listdir("/root"),
    "secrets of root": lambda: os.listdir("/etc/bellhand/credentials"),
    "its secrets": lambda: Path("/run/credentials/bellhand.service/bellhand_dsn").read_text(),
    "kernel settings": write("/proc/sys/kernel/hostname"),
    "a raw disk": lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)),
    "what started it": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
    "process 1": lambda: os.kill(1, 0),
    "netlink": lambda: unix(socket.AF_NETLINK),
    "packets": lambda: unix(socket.AF_PACKET),
    "metadata of a cloud": connect,
    "executable memory": executable_memory,
    "a user namespace": call("unshare", CLONE_NEWUSER),
    "mount": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "another user": lambda: os.setuid(0),
    "a setuid program": lambda: os.chmod(STATE / "probe", 0o4755),
    "the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
}  # fmt: skip


def tried() -> dict[str, str]:
    """What came of each: nothing, or the error's name."""
    came = {}
    for name, act in TRIES.items():
        try:
            act()
            came[name] = ""
        except OSError as error:
            came[name] = type(error).__name__
    return came


@job_kind("booted.probe", attempts_max=1)
async def probe() -> dict[str, Any]:
    others = [name for name in os.listdir("/proc") if name.isdigit() and name != str(os.getpid())]
    private = [name for name, value in os.environ.items() if "postgresql://" in value]
    return {"came": tried(), "uid": os.getuid(), "others": len(others), "environment": private}


@job_kind("booted.isolated", isolate=True, attempts_max=1, memory_bytes_max=200_000_000)
def isolated(args: dict[str, Any]) -> dict[str, Any]:
    taken = bytearray(args.get("bytes", 0))
    return {"process": os.getpid(), "came": tried(), "taken": len(taken)}


@job_kind("booted.steps", timeout_seconds=60, attempts_max=10)
async def steps(args: dict[str, Any], job: Job) -> dict[str, Any]:
    async def one(number: int) -> int:
        await asyncio.sleep(args["seconds"])
        job.log.info("stepped", number=number)
        return number

    done = await job.each(list(range(args["steps"])), one, name=str)
    return {"done": done}


@job_kind("booted.block", attempts_max=1)
async def block(args: dict[str, Any]) -> None:
    time.sleep(args["seconds"])  # noqa: ASYNC251 (that the loop stands still is the point)


@job_kind("booted.lane", lane="leads")
async def in_lane() -> dict[str, Any]:
    return {"process": os.getpid()}


@job_kind("booted.eat", attempts_max=5)
async def eat(args: dict[str, Any]) -> int:
    return len(b"x" * args["bytes"])
