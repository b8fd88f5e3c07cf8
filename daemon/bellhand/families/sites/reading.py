"""Read a site page by page, one step each, and gather what is found on them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from bellhand.clients.browser import Unrendered
from bellhand.clients.errors import Busy, Forbidden, WebError
from bellhand.clients.retry_after import retry_after_seconds
from bellhand.clients.web import Page
from bellhand.job import Job
from bellhand.outcomes import Cancelled, Failed, Retry, Snooze

from . import status
from .markup import Markup, read
from .pages import worth_visiting
from .shells import needs_browser

PAGES_AT_ONCE = 2
# Taking apart a page of this size and searching it can take longer than the loop should stand still.
LARGE_CHARS = 20_000

Found = list[dict[str, Any]]
Extract = Callable[[Markup, str], Found]


@dataclass(frozen=True, slots=True)
class Sight:
    """What reading a site brought; `complete` unless a page could not be read.

    `needs_browser` says that a page was empty without one, and none rendered it.
    """

    pages: list[dict[str, Any]]
    found: Found
    complete: bool
    needs_browser: bool


@dataclass(frozen=True, slots=True)
class Searched:
    """What is on one page, where it leads, and whether it is empty until its scripts have run."""

    found: Found
    onward: list[str]
    is_shell: bool


async def read_site(job: Job, url: str, pages_max: int, extract: Extract, *, key: str) -> Sight:
    """Visit the first page and those of its links that are worth it; each finding once, by `key`."""

    async def visit(address: str) -> dict[str, Any]:
        page = await fetch(job, address)
        if isinstance(page, Forbidden):
            job.count("pages_forbidden")
            return {"forbidden": str(page), "found": []}
        seen = await _searched(job, page, extract, pages_max if address == url else 0)
        job.count("pages_read")
        return {
            "page": _noted(address, page), "found": seen.found, "next": seen.onward,
            "shell": seen.is_shell,
        }  # fmt: skip

    first = await job.step(f"read {url}", visit, url)
    if "forbidden" in first:
        raise Cancelled(f"{url}: {first['forbidden']}")
    if first["page"]["status"] >= 400:
        raise Failed(f"{url} answers with HTTP status {first['page']['status']}")
    others = await job.each(
        first["next"], visit, name=lambda address: f"read {address}", concurrency=PAGES_AT_ONCE
    )
    if job.comes_back:
        raise Retry(f"{others.count(None)} of {len(others)} pages behind {url} could not be read")
    visited = [first, *(other for other in others if other is not None)]
    found: dict[str, dict[str, Any]] = {}
    for one in visited:
        for thing in one["found"]:
            found.setdefault(thing[key], thing)
    pages = [one["page"] for one in visited if "page" in one]
    complete = len(visited) == 1 + len(others)
    return Sight(pages, list(found.values()), complete, any(one.get("shell") for one in visited))


async def fetch(job: Job, url: str) -> Page | Forbidden:
    """A page, the word that robots may not read it, or the outcome its lack means for the job."""
    # A page that another job fetched after this one was due is as good as a new one.
    since = job.started - job.waited_seconds
    try:
        page = await job.web.recent(url, since=since)
    except Busy as error:
        raise put_off(error) from error
    except WebError as error:
        if isinstance(error, Forbidden) and error.code == "robots":
            return error
        if error.retryable:
            raise
        raise Failed(f"{url}: {error}") from error
    if status.is_passing(page.status):
        wait_seconds = retry_after_seconds(page.headers)
        raise Retry(f"{url}: HTTP status {page.status}", after_seconds=wait_seconds)
    return page


def put_off(error: Busy) -> Snooze:
    """It is not the job's fault that the host's turn is far: no attempt is burned."""
    return Snooze(error.after_seconds or 0, str(error))


async def _searched(job: Job, page: Page, extract: Extract, onward_max: int) -> Searched:
    """Search a page, and where it is an empty shell and there is a browser, what that makes of it."""
    seen = await _search(page, page.text, extract, onward_max)
    browser = job.web.browser
    if not seen.is_shell or browser is None:
        return seen
    try:
        html = await browser.render(page)
    except Unrendered as error:
        job.log.warning("page_unrendered", url=page.final_url, error=str(error))
        return seen
    job.count("pages_rendered")
    return replace(await _search(page, html, extract, onward_max), is_shell=False)


async def _search(page: Page, html: str, extract: Extract, onward_max: int) -> Searched:
    """Large pages are searched in a thread, which holds nobody up."""

    def search() -> Searched:
        markup = read(html)
        found = extract(markup, page.final_url) if page.status < 400 else []
        onward = worth_visiting(markup, page.final_url, onward_max) if onward_max else []
        return Searched(found, onward, needs_browser(markup, html))

    return await asyncio.to_thread(search) if len(html) > LARGE_CHARS else search()


def _noted(url: str, page: Page) -> dict[str, Any]:
    return {
        "url": url,
        "final_url": page.final_url,
        "status": page.status,
        "body_bytes": len(page.body),
        "truncated": page.truncated,
        "seconds": round(page.elapsed_seconds, 4),
    }
