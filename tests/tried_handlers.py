"""Kinds that `bellhand test` finds fit, or unfit, each in its own way."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from bellhand import Failed, Job, job_kind


class Items(BaseModel):
    """With an example as a whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": ["a"]}]})
    items: list[str]


class Numbered(BaseModel):
    """With an example of a field, which its own bound refuses."""

    number: Annotated[int, Field(examples=[99], le=10)]


class Endless(BaseModel):
    """With a default that JSON does not have."""

    number: float = float("nan")


class Needy(BaseModel):
    """With nothing to go by."""

    name: str


async def same(item: str) -> str:
    """What a step returns."""
    return item


@job_kind("tried.fit", side_effects="none")
async def fit(args: Items, job: Job) -> Any:
    """Does one step an item."""
    return await job.each(args.items, same)


STARTED = []


@job_kind("tried.forgetful", side_effects="keyed")
async def forgetful(args: Items, job: Job) -> Any:
    """Names its steps otherwise each time."""
    STARTED.append(job.id)
    return await job.each(args.items, same, name=lambda item: f"{item} {len(STARTED)}")


@job_kind("tried.outside", side_effects="external")
async def outside(job: Job) -> None:
    """Does what is not to be done many times."""


@job_kind("tried.refused")
async def refused(args: Numbered, job: Job) -> None:
    """Is given an example that does not fit."""


@job_kind("tried.untold")
async def untold(args: Endless, job: Job) -> None:
    """Cannot be published."""


@job_kind("tried.needy")
async def needy(args: Needy, job: Job) -> None:
    """Says of itself nothing to try."""


@job_kind("tried.lacking", side_effects="none")
async def lacking(job: Job) -> None:
    """Says by a word of its own what it lacks."""
    raise Failed("there is no shop 7")


@job_kind("tried.partly", attempts_max=1, side_effects="none")
async def partly(job: Job) -> None:
    """Ends in part, as its only attempt allows."""
    await job.each(["a", ""], part)


async def part(item: str) -> str:
    """Breaks for one of the two."""
    return item[0]
