"""Handlers that fail in every way while they hold secrets; their daemon must not tell them."""

import asyncio
import logging
import os
from typing import Annotated

from pydantic import AfterValidator, BaseModel

from bellhand import Job, job_kind


def _never(value: str) -> str:
    raise ValueError("this is never right")


class Login(BaseModel):
    """What fails where only the daemon looks: its schema is an ordinary one."""

    password: Annotated[str, AfterValidator(_never)]


@job_kind("leak.model", attempts_max=1)
async def model(args: Login) -> None: ...


@job_kind("leak.locals", attempts_max=1)
async def hold(args: dict[str, str]) -> None:
    password = args["password"]
    await asyncio.sleep(0)
    raise RuntimeError(f"cannot log in with a password of {len(password)} letters")


@job_kind("leak.logs", attempts_max=1)
async def logs(args: dict[str, str], job: Job) -> None:
    secret = args["password"]
    job.log.info("logging_in", password=secret, headers={"Authorization": f"Bearer {secret}"})
    job.log.warning(
        "cannot_log_in", url=f"https://me:{secret}@127.0.0.1/", query=f"?token={secret}&page=2"
    )
    logging.getLogger("client").error(
        "request headers: %s", {"X-Api-Key": secret, "Cookie": f"a={secret}"}
    )
    try:
        raise OSError(f"postgresql://me:{secret}@db/x is away")
    except OSError:
        job.log.exception("lost")


@job_kind("leak.web", attempts_max=1)
async def fetch(args: dict[str, str], job: Job) -> None:
    headers = {"Authorization": f"Bearer {args['password']}"}
    await job.web.get("http://127.0.0.1:9/", headers=headers)


@job_kind("leak.hang", attempts_max=1, timeout_seconds=0.2)
async def hang(args: dict[str, str]) -> None:
    """Ignores being cancelled until it has been given up; the end of the daemon is obeyed."""
    password = args["password"]
    for _ in password[:1]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)


@job_kind("leak.isolated", attempts_max=1, isolate=True)
async def isolated(args: dict[str, str], job: Job) -> list[str]:
    """All that this process can see of the daemon's secrets."""
    with open("/proc/self/environ", "rb") as file:
        seen = file.read().decode(errors="replace").split("\0")
    with open("/proc/self/cmdline", "rb") as file:
        seen += file.read().decode(errors="replace").split("\0")
    return [text for text in (*seen, *os.environ.values()) if "c4n4ry" in text]


@job_kind("leak.dies", attempts_max=1, isolate=True)
async def dies(args: dict[str, str]) -> None:
    os._exit(3)


@job_kind("leak.stays", attempts_max=1, isolate=True)
async def stays(args: dict[str, str]) -> None:
    await asyncio.sleep(60)
