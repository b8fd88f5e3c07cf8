"""The kinds of the sites family: fetch, hand to a pure function, store."""

from dataclasses import asdict
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Retry

from . import rows
from .emails import find_emails
from .looking import look
from .mailboxes import with_routes
from .markup import Markup
from .phones import find_phones
from .reading import Found, Sight, read_site
from .regions import regions
from .socials import find_socials


class Site(BaseModel):
    """Which site: a business of bellhand_sites.businesses, or an address, entered as one."""

    model_config = ConfigDict(extra="forbid")

    business_id: int | None = Field(default=None, ge=1)
    url: str | None = Field(
        default=None, min_length=1, max_length=8000, examples=["https://www.bakery.example/"]
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> "Site":
        if (self.business_id is None) == (self.url is None):
            raise ValueError("give business_id or url, one of them")
        return self


class Reading(Site):
    """A site, and how many of its pages to read beside the first one."""

    pages_max: int = Field(default=5, ge=0, le=50)


class Stale(BaseModel):
    """Which businesses are due for another look, and how many at most in one go."""

    model_config = ConfigDict(extra="forbid")

    older_than_days: float = Field(default=30, gt=0, le=36_500)
    businesses_max: int = Field(default=1000, ge=1, le=100_000)
    priority: int = Field(default=2, ge=1, le=10)
    kinds: list[Literal["sites.validate", "sites.emails", "sites.phones", "sites.socials"]] = Field(
        default=["sites.validate"], min_length=1, max_length=4
    )


@job_kind("sites.validate", lane="sites", attempts_max=3, timeout_seconds=300, side_effects="none")
async def validate_site(args: Site, job: Job) -> dict[str, Any] | None:
    """Look at a website once and write down how it fares: status, certificate, mail, technology."""
    business = await rows.find(job, args.business_id, args.url)
    found, wait_seconds = await look(job, business.url)
    if found.passing and job.attempt < job.attempts_max:
        raise Retry(f"{business.url}: {found.error}", after_seconds=wait_seconds)
    result: dict[str, Any] = {
        "business_id": business.id, "status": found.word, "final_url": found.final_url,
        "needs_browser": found.needs_browser,
    }  # fmt: skip
    async with job.transaction(result) as conn:
        stored = await rows.save(conn, "save_status", business, asdict(found))
        result["tls_days_left"] = stored["tls_days_left"]
    return result


@job_kind("sites.emails", lane="sites", attempts_max=3, timeout_seconds=600, side_effects="none")
async def collect_emails(args: Reading, job: Job) -> dict[str, Any] | None:
    """Find a site's e-mail addresses: its first page, then contact, about and imprint pages."""
    business = await rows.find(job, args.business_id, args.url)
    seen = await read_site(job, business.url, args.pages_max, _emails_of, key="address")
    found = await with_routes(job.web.dns, seen.found)
    return await _store(job, business, seen, found, "emails", key="address")


@job_kind("sites.phones", lane="sites", attempts_max=3, timeout_seconds=600, side_effects="none")
async def collect_phones(args: Reading, job: Job) -> dict[str, Any] | None:
    """Find a site's phone and fax numbers, written as international ones."""
    business = await rows.find(job, args.business_id, args.url)

    def phones_of(page: Markup, url: str) -> Found:
        phones = find_phones(page, regions(page, url, business.country))
        return [{**asdict(phone), "source_url": url} for phone in phones]

    seen = await read_site(job, business.url, args.pages_max, phones_of, key="number")
    return await _store(job, business, seen, seen.found, "phones", key="number")


@job_kind("sites.socials", lane="sites", attempts_max=3, timeout_seconds=600, side_effects="none")
async def collect_socials(args: Reading, job: Job) -> dict[str, Any] | None:
    """Find the social profiles a site links to."""
    business = await rows.find(job, args.business_id, args.url)
    seen = await read_site(job, business.url, args.pages_max, _socials_of, key="url")
    return await _store(job, business, seen, seen.found, "socials", key="url")


@job_kind("sites.revalidate", lane="sites", priority=3, timeout_seconds=120, side_effects="none")
async def revalidate(args: Stale, job: Job) -> dict[str, Any]:
    """Enqueue another look at the websites that were looked at longest ago; made for a schedule."""
    added = await rows.enqueue_stale(
        job, args.older_than_days, args.businesses_max, args.priority, list(args.kinds)
    )
    return {"jobs_enqueued": added}


def _emails_of(page: Markup, url: str) -> Found:
    return [{**asdict(email), "source_url": url} for email in find_emails(page)]


def _socials_of(page: Markup, url: str) -> Found:
    own_host = urlsplit(url).hostname or ""
    return [{**asdict(social), "source_url": url} for social in find_socials(page, own_host)]


async def _store(
    job: Job, business: rows.Business, seen: Sight, found: Found, what: str, *, key: str
) -> dict[str, Any]:
    """What was found, and the end of the job, in one commit."""
    job.count(f"{what}_found", len(found))
    result = {
        "business_id": business.id, "pages": len(seen.pages), what: [one[key] for one in found],
        "needs_browser": seen.needs_browser,
    }  # fmt: skip
    async with job.transaction(result) as conn:
        await rows.save(conn, f"save_{what}", business, found, seen.complete)
        await rows.save_pages(conn, business, seen.pages)
    return result
