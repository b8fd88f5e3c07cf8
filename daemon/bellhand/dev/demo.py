"""Kinds to play with: what a handler looks like, and every ending that a job can have."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel, Field

from bellhand import Job, job_kind

LANE = "demo"
BAD_ADDRESS = "nobody at nowhere"


class Greeting(BaseModel):
    """Whom to greet."""

    name: str = Field(default="world", min_length=1, max_length=100)


class Report(BaseModel):
    """Which regions to add up, and how long each takes."""

    regions: list[str] = Field(default=["north", "south", "east", "west"], max_length=50)
    step_seconds: float = Field(default=0.6, ge=0, le=60)


class Letters(BaseModel):
    """Whom to write to."""

    to: list[str] = Field(
        default=["ada@example.org", "grace@example.org", BAD_ADDRESS, "edsger@example.org"],
        max_length=1000,
    )
    step_seconds: float = Field(default=0.4, ge=0, le=60)


@job_kind("demo.greet", lane=LANE, side_effects="none")
async def greet(args: Greeting, job: Job) -> dict[str, Any]:
    """Say hello; the smallest handler there is."""
    job.log.info("greeted", name=args.name)
    return {"said": f"Hello, {args.name}!"}


@job_kind("demo.report", lane=LANE, backoff_base_seconds=1, side_effects="none")
async def report(args: Report, job: Job) -> dict[str, Any]:
    """Add up sales step by step; one step fails at first, and only that one runs again."""

    async def add_up(region: str) -> int:
        await asyncio.sleep(args.step_seconds)
        sales = 100 * len(region)
        job.count("sales", sales)
        job.log.info("added up", region=region, sales=sales)
        return sales

    async def check() -> str:
        await asyncio.sleep(args.step_seconds)
        if job.attempt == 1:
            job.log.warning("the ledger is slow", waited_seconds=args.step_seconds)
            raise ConnectionError("the ledger did not answer (on purpose, once)")
        return "the totals agree"

    total, steps = 0, len(args.regions) + 1
    for number, region in enumerate(args.regions):
        job.progress(done=number, total=steps, message=f"adding up {region}")
        total += await job.step(f"add up {region}", add_up, region)
    job.progress(done=steps - 1, total=steps, message="checking the totals")
    await job.step("check the totals", check)
    return {"total": total}


@job_kind("demo.letters", lane=LANE, attempts_max=1, side_effects="none")
async def letters(args: Letters, job: Job) -> dict[str, Any]:
    """Write to many, two at a time; a bad address fails alone, and the job ends partial."""

    async def write(address: str) -> str:
        await asyncio.sleep(args.step_seconds)
        if "@" not in address:
            raise ValueError(f"{address!r} is not an address")
        job.count("letters")
        return "sent"

    sent = await job.each(args.to, write, name=lambda to: f"write to {to}", concurrency=2)
    return {"sent": sum(one is not None for one in sent)}


@job_kind("demo.summary", lane=LANE, side_effects="none")
async def summary(args: Greeting, job: Job) -> dict[str, Any]:
    """What waits for the report and runs after it."""
    job.progress(done=1, total=1, message="the report is there")
    return {"for": args.name}


@job_kind("demo.tick", lane=LANE, attempts_max=1, side_effects="none")
async def tick(job: Job) -> None:
    """What the schedule of the demo enqueues every minute."""
    job.log.info("tick")
