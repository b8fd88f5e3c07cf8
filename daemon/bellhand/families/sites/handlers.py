"""The kinds of the sites family: fetch, hand to a pure function, store."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import asyncpg
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bellhand.clients.errors import Busy, Forbidden, WebError
from bellhand.clients.retry_after import retry_after_seconds
from bellhand.clients.web import Page
from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Cancelled, Failed, Retry, Snooze
from bellhand.sql import query

from . import status
from .emails import find_emails
from .markup import Markup, read
from .pages import website_url, worth_visiting
from .socials import find_socials

STATEMENT_SECONDS = 10.0
PAGES_AT_ONCE = 2
LARGE_CHARS = 100_000

Found = list[dict[str, Any]]
Extract = Callable[[Markup, str], Found]


class Site(BaseModel):
    """Which site: a business of bellhand_sites.businesses, or an address, entered as one."""

    model_config = ConfigDict(extra="forbid")

    business_id: int | None = Field(default=None, ge=1)
    url: str | None = Field(default=None, min_length=1, max_length=8000)

    @model_validator(mode="after")
    def _one_of_them(self) -> "Site":
        if (self.business_id is None) == (self.url is None):
            raise ValueError("give business_id or url, one of them")
        return self


class Reading(Site):
    """A site, and how many of its pages to read beside the first one."""

    pages_max: int = Field(default=5, ge=0, le=50)


@job_kind("sites.validate", lane="sites", attempts_max=3, timeout_seconds=120)
async def validate_site(args: Site, job: Job) -> dict[str, Any] | None:
    """Look at a website once and write down its status, where it leads and how fast it answers."""
    business_id, website = await _website(args, job)
    url = website_url(website)
    wait_seconds = None
    try:
        page = await job.web.get(url, html_only=True)
        found = status.of_page(url, page)
        wait_seconds = retry_after_seconds(page.headers)
    except Busy as error:
        raise _put_off(error) from error
    except WebError as error:
        found = status.of_error(error)
    if found.passing and job.attempt < job.attempts_max:
        raise Retry(f"{url}: {found.error}", after_seconds=wait_seconds)
    result = {"business_id": business_id, "status": found.word, "final_url": found.final_url}
    async with job.transaction(result) as conn:
        await _save(
            conn, "save_status", business_id, website, found.word, found.final_url,
            found.http_status, list(found.redirects), found.title, found.ip,
            found.response_seconds, found.tls_expires, found.error,
        )  # fmt: skip
    return result


@job_kind("sites.emails", lane="sites", attempts_max=3, timeout_seconds=600)
async def collect_emails(args: Reading, job: Job) -> dict[str, Any] | None:
    """Find a site's e-mail addresses: its first page, then contact, about and imprint pages."""
    return await _collect(args, job, _emails_of, key="address", save="save_emails", count="emails")


@job_kind("sites.socials", lane="sites", attempts_max=3, timeout_seconds=600)
async def collect_socials(args: Reading, job: Job) -> dict[str, Any] | None:
    """Find the social profiles a site links to."""
    return await _collect(args, job, _socials_of, key="url", save="save_socials", count="socials")


def _emails_of(page: Markup, url: str) -> Found:
    return [{**asdict(email), "source_url": url} for email in find_emails(page)]


def _socials_of(page: Markup, url: str) -> Found:
    own_host = urlsplit(url).hostname or ""
    return [{**asdict(social), "source_url": url} for social in find_socials(page, own_host)]


async def _collect(
    args: Reading, job: Job, extract: Extract, *, key: str, save: str, count: str
) -> dict[str, Any]:
    """Read a site page by page, one step each, and store what `extract` found on them."""
    business_id, website = await _website(args, job)
    first_url = website_url(website)

    async def visit(url: str) -> dict[str, Any]:
        page = await _fetch(job, url)
        if isinstance(page, Forbidden):
            job.count("pages_forbidden")
            return {"forbidden": str(page), "found": []}
        # The parser lets go of the interpreter: a large page in a thread holds nobody up.
        large = len(page.text) > LARGE_CHARS
        markup = await asyncio.to_thread(read, page.text) if large else read(page.text)
        job.count("pages_read")
        return {
            "page": _noted(url, page),
            "found": extract(markup, page.final_url) if page.status < 400 else [],
            "next": _next(markup, page, args) if url == first_url else [],
        }

    job.progress(stage="reading", message=website)
    first = await job.step(f"read {first_url}", visit, first_url)
    if "forbidden" in first:
        raise Cancelled(f"{first_url}: {first['forbidden']}")
    if first["page"]["status"] >= 400:
        raise Failed(f"{first_url} answers with HTTP status {first['page']['status']}")
    others = await job.each(
        first["next"], visit, name=lambda url: f"read {url}", concurrency=PAGES_AT_ONCE
    )
    visited = [first, *(other for other in others if other is not None)]
    found: dict[str, dict[str, Any]] = {}
    for visit_result in visited:
        for thing in visit_result["found"]:
            found.setdefault(thing[key], thing)
    job.count(f"{count}_found", len(found))
    result = {"business_id": business_id, "pages": len(visited), count: list(found)}
    async with job.transaction(result) as conn:
        complete = len(visited) == 1 + len(others)
        pages = json.dumps([one["page"] for one in visited if "page" in one])
        await _save(conn, save, business_id, website, json.dumps(list(found.values())), complete)
        await conn.execute(
            _query("save_page_checks"), business_id, pages, timeout=STATEMENT_SECONDS
        )
    return result


async def _fetch(job: Job, url: str) -> Page | Forbidden:
    """A page, the word that robots may not read it, or the outcome its lack means for the job."""
    try:
        page = await job.web.get(url, html_only=True, obey_robots=True)
    except Busy as error:
        raise _put_off(error) from error
    except WebError as error:
        if isinstance(error, Forbidden) and error.code == "robots":
            return error
        if error.retryable:
            raise
        raise Failed(f"{url}: {error}") from error
    if status.is_passing(page):
        wait_seconds = retry_after_seconds(page.headers)
        raise Retry(f"{url}: HTTP status {page.status}", after_seconds=wait_seconds)
    return page


def _put_off(error: Busy) -> Snooze:
    """It is not the job's fault that the host's turn is far: no attempt is burned."""
    return Snooze(error.after_seconds or 0, str(error))


def _next(markup: Markup, page: Page, args: Reading) -> list[str]:
    return worth_visiting(markup, page.final_url, args.pages_max)


def _noted(url: str, page: Page) -> dict[str, Any]:
    return {
        "url": url,
        "final_url": page.final_url,
        "status": page.status,
        "body_bytes": len(page.body),
        "truncated": page.truncated,
        "seconds": round(page.elapsed_seconds, 4),
    }


async def _website(args: Site, job: Job) -> tuple[int, str]:
    """The business and its website as it stands now; excluded ones end the job."""
    async with job.connection() as conn:
        business_id = args.business_id
        if business_id is None:
            url = website_url(args.url or "")
            business_id = await conn.fetchval(_query("business_of"), url, timeout=STATEMENT_SECONDS)
        row = await conn.fetchrow(_query("business"), business_id, timeout=STATEMENT_SECONDS)
    if row is None:
        raise Failed(f"there is no business {business_id} in bellhand_sites.businesses")
    if row["excluded"]:
        raise Cancelled(f"business {business_id} is excluded")
    if row["website"] is None:
        raise Cancelled(f"business {business_id} has no website")
    return row["id"], row["website"]


async def _save(
    conn: asyncpg.Connection, name: str, business_id: int, website: str, *values: Any
) -> None:
    """Store results, unless they are of a website that the business no longer has."""
    stored = await conn.fetchval(
        _query(name), business_id, website, *values, timeout=STATEMENT_SECONDS
    )
    if stored is None:
        # Its trigger found this job's unique key taken; so this job itself looks again.
        raise Snooze(1, f"the website of business {business_id} changed meanwhile")


def _query(name: str) -> str:
    return query(f"families/sites/{name}")
