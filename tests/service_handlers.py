"""Handlers that call outside services, for daemons in the tests."""

from typing import Any

from pydantic import BaseModel

from bellhand import Job, job_kind


class Words(BaseModel):
    """What to search for, and where."""

    words: str = "plumbers"
    place: str = "Austin"


class Verdict(BaseModel):
    """What the model is to say."""

    category: str


@job_kind("svc.local", attempts_max=2, backoff_base_seconds=0.01)
async def local(args: Words, job: Job) -> int:
    """One search."""
    return len((await job.services.serpapi.local(args.words, args.place)).places)


@job_kind("svc.places", attempts_max=2, backoff_base_seconds=0.01)
async def places(args: Words, job: Job) -> int:
    """One search elsewhere."""
    return len((await job.services.places.search(f"{args.words} in {args.place}")).places)


@job_kind("svc.judge", attempts_max=2, backoff_base_seconds=0.01)
async def judge(args: Words, job: Job) -> str:
    """One question to the model."""
    ask: dict[str, Any] = {"system": "Judge.", "user": args.words, "max_tokens": 400}
    return (await job.services.llm.parse(Verdict, **ask)).category


@job_kind("svc.steps", attempts_max=2, backoff_base_seconds=0.01)
async def steps(args: list[str], job: Job) -> list[int]:
    """A search a place, each a step."""

    async def search(place: str) -> int:
        return len((await job.services.serpapi.local("plumbers", place)).places)

    return await job.each(args, search)
