"""Names: of jobs, as people and programs call them, and whether a caller may see one; of what is to be made, whether anything can have it."""

from __future__ import annotations

import re
from uuid import UUID

from aiohttp import web
from asyncpg import Record

from bellhand.callers import caller_of
from bellhand.gone import gone
from bellhand.look import Look
from bellhand.problems import HttpProblem
from bellhand.resource import number_and_key

FIT = re.compile(r"[A-Za-z0-9_.:-]{1,100}")  # as the tables have it


def named(word: str) -> tuple[int, UUID | None]:
    """The id, and the key if it was named by that; raises the problem 400."""
    try:
        return number_and_key(word)
    except ValueError:
        detail = f"{word[:100]!r} is neither an id nor a key"
        raise HttpProblem("bad-job-id", detail=detail) from None


async def job_row(look: Look, request: web.Request, statement: str = "status_jobs") -> Record:
    """The row of the job that the address names; 404 if there is none, or the caller may not see it."""
    word = request.match_info["job"]
    number, key = named(word)
    caller = caller_of(request)
    for row in await look.fetch(statement, [number]):
        if (key is None or row["key"] == key) and caller.sees(row["source"]):
            return row
    raise await gone(look, word, number, key, tells=caller.may("read"))


def fit_name(sort: str, name: str) -> str:
    """The name of something that is to be made; the problem 422 if nothing can have it."""
    if FIT.fullmatch(name) is None:
        raise HttpProblem(
            "invalid-value", detail=f"{name[:100]!r} names no {sort}", hint="1 to 100 letters, digits, _ . : and -",
        )  # fmt: skip
    return name
