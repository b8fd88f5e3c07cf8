"""The frontier of a crawl: what waits in Postgres, and what becomes of it.

The rows of bellhand_seo.pages are the checkpoint of a crawl: it has no steps, because 30,000 pages
would be 30,000 of them beside the very rows that say the same.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import asyncpg

from bellhand.job import Job
from bellhand.outcomes import LeaseLost, clean, storable_json
from bellhand.sql import query

from .digest import Digest, Waiting, merged
from .sitemaps import Sitemap
from .urls import Scope, address, resolve, scope_of

STATEMENT_SECONDS = 30.0
# Forgetting is done in pieces, so that no statement holds its locks for long.
_FORGOTTEN_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Known:
    """How far a crawl is; `waiting` counts pages only."""

    pages: int
    links: int
    errors: int
    waiting: int


@dataclass(frozen=True, slots=True)
class SitemapRow:
    """A sitemap to read, how deep in indexes it was found, and how many were read before."""

    id: int
    url: str
    level: int
    read: int


class Frontier:
    """One crawl in the database; only the attempt that began it last writes."""

    def __init__(self, job: Job, crawl_id: int, pattern_pages_max: int) -> None:
        self._job = job
        self.crawl_id = crawl_id
        self._pattern_pages_max = pattern_pages_max

    @classmethod
    async def begin(
        cls, job: Job, site_id: int, url: str, owner: str | None, options: dict[str, Any]
    ) -> "Frontier":
        """Begin the job's crawl, or go on with what an earlier attempt has stored."""
        start = address(url)
        if start is None:
            raise ValueError(f"{url[:200]!r} is no address of a website")
        rows = await _fetch(
            job, "begin_crawl", site_id, job.id, job.key, job.epoch, owner, start.url, start.key,
            json.dumps(options),
        )  # fmt: skip
        if not rows:
            raise LeaseLost
        return cls(job, rows[0]["id"], options["pattern_pages_max"])

    async def scope(self, *, subdomains: bool) -> tuple[Scope, ...]:
        """What belongs to the site: the hosts of its start page and of where that one leads."""
        rows = await _fetch(self._job, "start_pages", self.crawl_id)
        return tuple(dict.fromkeys(scope_of(row["url"], subdomains=subdomains) for row in rows))

    async def homes(self) -> list[str]:
        """The start page, after its redirects."""
        rows = await _fetch(self._job, "start_pages", self.crawl_id)
        return [row["url"] for row in rows if row["redirect_to"] is None]

    async def waiting(self, role: str, most: int, *, new: bool) -> list[Waiting]:
        """The next addresses to ask for, all equally far and equally often tried."""
        rows = await _fetch(self._job, "waiting", self.crawl_id, role, new, most)
        found = [
            Waiting(row["id"], row["url"], role, row["depth"], row["attempts"]) for row in rows
        ]
        return [
            one for one in found if (one.depth, one.attempts) == (found[0].depth, found[0].attempts)
        ]

    async def known(self) -> Known:
        """How far it is."""
        (row,) = await _fetch(self._job, "known", self.crawl_id)
        return Known(row["pages"], row["links"], row["errors"], row["waiting"])

    async def store(self, digests: list[Digest]) -> None:
        """Write what was asked for and what it led to, in one commit."""
        targets = list(merged(digests).values())
        links = [(digest.row["id"], link) for digest in digests for link in digest.links]
        rows = await _fetch(
            self._job, "store_pages", self.crawl_id, self._job.epoch, self._pattern_pages_max,
            json.dumps(storable_json([digest.row for digest in digests])),
            [t.address.key for t in targets], [t.address.url for t in targets],
            [t.role for t in targets], [t.state for t in targets], [t.depth for t in targets],
            [t.address.pattern for t in targets],
            [page for page, _ in links], [link.to for _, link in links],
            [link.kind for _, link in links], [link.rel for _, link in links],
            [link.text for _, link in links], [link.fragment for _, link in links],
            [link.times for _, link in links],
        )  # fmt: skip
        self._held(rows)

    # -- sitemaps

    async def add_sitemaps(self, urls: Sequence[str]) -> None:
        """Let these be read."""
        found = [one for url in urls if (one := address(url)) is not None]
        keys, addresses = [one.key for one in found], [one.url for one in found]
        await _fetch(self._job, "add_sitemaps", self.crawl_id, keys, addresses)

    async def waiting_sitemap(self) -> SitemapRow | None:
        """The next sitemap to read."""
        rows = await _fetch(self._job, "waiting_sitemap", self.crawl_id)
        return SitemapRow(*rows[0]) if rows else None

    async def store_sitemap(
        self, row: SitemapRow, found: Sitemap, scopes: Sequence[Scope], *, nested: bool
    ) -> int:
        """Write what a sitemap lists, as far as it is of this site; how many pages that is."""
        pages = {
            one[0].key: one[0]
            for text in found.pages
            if (one := resolve(row.url, text)) and any(s.holds(one[0]) for s in scopes)
        }
        inner = {
            one[0].key: one[0]
            for text in (found.sitemaps if nested else ())
            if (one := resolve(row.url, text))
        }
        rows = await _fetch(
            self._job, "store_sitemap", self.crawl_id, self._job.epoch, self._pattern_pages_max, row.id,
            len(found.pages) + len(found.sitemaps), found.error and clean(found.error),
            list(pages), [one.url for one in pages.values()],
            ["trap" if one.circular else "waiting" for one in pages.values()],
            [one.pattern for one in pages.values()],
            list(inner), [one.url for one in inner.values()],
        )  # fmt: skip
        self._held(rows)
        return len(pages)

    # -- the end

    async def settle(self) -> dict[str, dict[str, int]]:
        """Follow redirects, mark what is left over; how many addresses there are by role and state."""
        rows = await _fetch(self._job, "settle_crawl", self.crawl_id, self._job.epoch)
        if rows[0][0] is None:
            raise LeaseLost
        return cast(dict[str, dict[str, int]], json.loads(rows[0][0]))

    async def end(
        self, state: str, error: str | None, conn: asyncpg.Connection | None = None
    ) -> asyncpg.Record:
        """Mark it as over, in the transaction of `conn` if given."""
        values = (self.crawl_id, self._job.epoch, state, error)
        if conn is None:
            rows = await _fetch(self._job, "end_crawl", *values)
        else:
            rows = await conn.fetch(_query("end_crawl"), *values, timeout=STATEMENT_SECONDS)
        if not rows:
            raise LeaseLost
        return rows[0]

    async def forget_old(self, site_id: int, kept: int) -> int:
        """Delete the site's crawls beyond the newest `kept` that are over; how many went."""
        gone = 0
        while rows := await _fetch(self._job, "forgettable_crawl", site_id, kept):
            crawl_id = rows[0]["id"]
            for name in ("forget_links", "forget_pages"):
                while (await _fetch(self._job, name, crawl_id, _FORGOTTEN_AT_ONCE))[0][0]:
                    pass
            await _fetch(self._job, "forget_crawl", crawl_id)
            gone += 1
        return gone

    def _held(self, rows: list[asyncpg.Record]) -> None:
        if not rows[0][0]:
            raise LeaseLost


async def _fetch(job: Job, name: str, *values: Any) -> list[asyncpg.Record]:
    async with job.connection() as conn:
        return await conn.fetch(_query(name), *values, timeout=STATEMENT_SECONDS)


def _query(name: str) -> str:
    return query(f"families/seo/{name}")
