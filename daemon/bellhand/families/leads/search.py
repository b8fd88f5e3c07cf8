"""One service in one location: ask page by page, store each page as it comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import asyncpg

from bellhand.clients.errors import ServiceError
from bellhand.clients.places import Place
from bellhand.clients.usage import metered
from bellhand.job import Job
from bellhand.outcomes import Snooze

from .exclusions import Rules
from .keep import Fetched, Search, keep_page, run
from .payloads import Collect

COUNTED = ("leads_found", "leads_new", "leads_merged", "leads_excluded", "api_calls")


async def search(job: Job, args: Collect, pair: tuple[str, str], rules: Rules) -> dict[str, Any]:
    """Search for one service in one location; what each source brought.

    With `both`, Places is asked where SerpApi has nothing or cannot be asked. Raises ServiceError
    or Snooze if no source could be asked, and the error of one if the other has nothing.
    """
    sources = ("serpapi", "places") if args.source == "both" else (args.source,)
    told: dict[str, Any] = {}
    waits: list[Snooze] = []
    errors: list[ServiceError] = []
    for source in sources:
        one = Search(job.id, *pair, source, args.country)
        try:
            told[source] = found = await _pages(job, one, args.pages_max, rules)
        except (ServiceError, Snooze) as error:
            job.log.warning("source_failed", source=source, error=str(error))
            told[source] = str(error)
            waits += [error] if isinstance(error, Snooze) else []
            errors += [error] if isinstance(error, ServiceError) else []
            continue
        if found:
            return told
    # A wait costs no attempt, and its reason is shown. Where in the clients it arose helps nobody.
    if len(waits) + len(errors) == len(sources) and waits:
        raise waits[0].with_traceback(None)
    if errors:
        # One that passes has the step tried again, for the other source too.
        passing = next((error for error in errors if error.retryable), errors[0])
        raise passing.with_traceback(None)
    return told


@dataclass(slots=True)
class _Cursor:
    """Where to go on: behind `number` pages, at an offset or with a token; `first` is the next position."""

    number: int = 0
    start: int = 0
    token: str | None = None
    first: int = 1
    over: bool = False
    found: int = 0


async def _pages(job: Job, one: Search, pages_max: int, rules: Rules) -> int:
    """Read and store pages until the last; how many usable places they had."""
    cursor = await _behind_stored(job, one, pages_max)
    while not cursor.over and cursor.number < pages_max:
        page = await _fetch(job, one, cursor)
        async with job.connection() as conn:
            counts = await keep_page(conn, one, page, rules)
        _count(job, counts)
        cursor.found += counts["leads_found"]
    return cursor.found


async def _behind_stored(job: Job, one: Search, pages_max: int) -> _Cursor:
    """Behind the pages that an earlier attempt stored: they are not paid for again.

    Places goes on with a token that soon means nothing: what broke off there is read anew.
    """
    cursor = _Cursor()
    async with job.connection() as conn:
        stored = await run(conn, "pages", one.job_id, one.service, one.location, one.source)
    if not stored:
        return cursor
    end = stored[-1]
    cursor.over = end["last"] or end["page"] >= pages_max
    if one.source == "places" and not cursor.over:
        return cursor
    for page in stored:
        _count(job, page)
        cursor.found += page["leads_found"]
    cursor.number, cursor.start = end["page"], end["next_start"] or 0
    cursor.first = cursor.start + 1
    return cursor


async def _fetch(job: Job, one: Search, cursor: _Cursor) -> Fetched:
    """The next page; moves the cursor behind it."""
    loop = asyncio.get_running_loop()
    started, next_start = loop.time(), None
    places: list[Place]
    with metered() as meter:
        if one.source == "serpapi":
            local = await job.services.serpapi.local(one.service, one.location, start=cursor.start)
            places, next_start = local.places, local.next_start
            cursor.start, cursor.over = next_start or 0, next_start is None
        else:
            words = f"{one.service} in {one.location}"
            answer = await job.services.places.search(words, page_token=cursor.token)
            places, cursor.token = answer.places, answer.next_page_token
            cursor.over = cursor.token is None
    cursor.number += 1
    first, cursor.first = cursor.first, cursor.first + len(places)
    cursor.over = cursor.over or not places
    return Fetched(
        cursor.number, places, first, next_start, cursor.over, meter.calls, meter.cost_microdollars,
        loop.time() - started,
    )  # fmt: skip


def _count(job: Job, counts: asyncpg.Record) -> None:
    for name in COUNTED:
        job.count(name, counts[name])
    job.count("cost", counts["cost_microdollars"] / 1e6)
