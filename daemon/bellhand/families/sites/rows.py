"""The family's rows: a business as it stands, results as they are stored."""

import json
from dataclasses import dataclass
from typing import Any

import asyncpg

from bellhand.job import Job
from bellhand.outcomes import Cancelled, Failed, Snooze, storable_json
from bellhand.sql import query

from .pages import website_url

STATEMENT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Business:
    """A business whose website may be looked at; `url` is where to begin."""

    id: int
    website: str
    country: str | None

    @property
    def url(self) -> str:
        """The website field as an address."""
        return website_url(self.website)


async def find(job: Job, business_id: int | None, url: str | None) -> Business:
    """The business as it stands now, entered if only an address is known; excluded ones end the job."""
    async with job.connection() as conn:
        if business_id is None:
            business_id = await conn.fetchval(
                _query("business_of"), website_url(url or ""), timeout=STATEMENT_SECONDS
            )
        row = await conn.fetchrow(_query("business"), business_id, timeout=STATEMENT_SECONDS)
    if row is None:
        raise Failed(f"there is no business {business_id} in bellhand_sites.businesses")
    if row["excluded"]:
        raise Cancelled(f"business {business_id} is excluded")
    if row["website"] is None:
        raise Cancelled(f"business {business_id} has no website")
    return Business(row["id"], row["website"], row["country"])


async def save(
    conn: asyncpg.Connection, name: str, business: Business, found: Any, *values: Any
) -> asyncpg.Record:
    """Store results, unless they are of a website that the business no longer has."""
    stored = await conn.fetchrow(
        _query(name), business.id, business.website, json.dumps(storable_json(found)), *values,
        timeout=STATEMENT_SECONDS,
    )  # fmt: skip
    if stored is None:
        # Its trigger found this job's unique key taken; so this job itself looks again.
        raise Snooze(1, f"the website of business {business.id} changed meanwhile")
    return stored


async def save_pages(
    conn: asyncpg.Connection, business: Business, pages: list[dict[str, Any]]
) -> None:
    """Note which pages were read."""
    await conn.execute(
        _query("save_page_checks"), business.id, json.dumps(pages), timeout=STATEMENT_SECONDS
    )


async def enqueue_stale(job: Job, days: float, most: int, priority: int, kinds: list[str]) -> int:
    """Enqueue checks of what was looked at longest ago; how many jobs are new."""
    async with job.connection() as conn:
        added: int = await conn.fetchval(
            _query("enqueue_stale"), days, most, priority, kinds, timeout=STATEMENT_SECONDS
        )
    return added


def _query(name: str) -> str:
    return query(f"families/sites/{name}")
