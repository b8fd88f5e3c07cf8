"""The kinds that crawl: one site now, or all that ask for it daily, weekly or monthly."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Failed, Retry
from bellhand.sql import query

from .crawl import Crawl, Options
from .frontier import STATEMENT_SECONDS, Frontier
from .payloads import Payload
from .sites import SiteName, site_id_of
from .urls import site_url


class CrawlSite(Payload):
    """Which site (of bellhand_seo.sites by its id or its key, or by its address, entered as one), and how far to go.

    Without max_pages the site's own number holds. user_id becomes the owner of crawl and analysis.
    """

    site_id: SiteName | None = None
    url: str | None = Field(
        default=None, min_length=1, max_length=8000, examples=["https://www.bakery.example/"]
    )
    user_id: str | None = Field(default=None, max_length=500)
    max_pages: int | None = Field(default=None, ge=1, le=1_000_000)
    depth_max: int = Field(default=100, ge=0, le=10_000)
    respect_robots: bool = True
    follow_nofollow: bool = False
    sitemaps: bool = True
    subdomains: bool = False
    check_resources: bool = True
    check_external: bool = False
    checks_max: int = Field(default=10_000, ge=0, le=1_000_000)
    pattern_pages_max: int = Field(default=2000, ge=1, le=1_000_000)
    concurrency: int = Field(default=8, ge=1, le=64)
    retry_seconds: float = Field(default=5, ge=0, le=60)
    analyze: bool = True

    @model_validator(mode="after")
    def _one_of_them(self) -> "CrawlSite":
        if (self.site_id is None) == (self.url is None):
            raise ValueError("give site_id or url, one of them")
        return self


class CrawlSites(BaseModel):
    """Which sites: those whose `recrawl` says so."""

    model_config = ConfigDict(extra="forbid")

    recrawl: Literal["daily", "weekly", "monthly"] = Field(examples=["weekly"])


@job_kind("seo.crawl", lane="seo", attempts_max=10, timeout_seconds=86_400, side_effects="none")
async def crawl_site(args: CrawlSite, job: Job) -> dict[str, Any] | None:
    """Crawl a site: store its pages, links and what is broken, then have it analyzed."""
    site = await _site(args, job)
    owner = args.user_id or job.owner or site["owner"]
    options = Options(
        **args.model_dump(exclude={"site_id", "url", "user_id", "max_pages", "analyze"}),
        max_pages=args.max_pages or site["max_pages"],
    )
    job.progress(message=site["url"])
    frontier = await Frontier.begin(job, site["id"], site["url"], owner, options.model_dump())
    try:
        await Crawl(job, frontier, options).run()
    except (Failed, Retry) as error:
        await frontier.end("failed", str(error)[:1000])
        raise
    job.progress(stage="settling")
    counters = await frontier.settle()
    await frontier.forget_old(site["id"], site["crawls_kept"] - 1)
    result: dict[str, Any] = {"crawl_id": frontier.crawl_id, "site_id": site["id"]}
    async with job.transaction(result) as conn:
        crawl = await frontier.end("completed", None, conn)
        result |= {name: crawl[name] for name in ("pages", "links", "errors")}
        result |= {"left_out": _left_out(counters), "previous_crawl_id": crawl["previous_id"]}
        if args.analyze:
            payload = {"crawl_id": frontier.crawl_id}
            await job.enqueue("seo.analyze", payload, priority=job.priority, owner=owner, conn=conn)
    return result


@job_kind("seo.crawl_sites", lane="seo", timeout_seconds=600, side_effects="none")
async def crawl_sites(args: CrawlSites, job: Job) -> dict[str, Any]:
    """Enqueue a crawl for every site that asks to be crawled daily, weekly or monthly."""
    async with job.connection() as conn:
        sites = await conn.fetch(_query("sites_to_crawl"), args.recrawl, timeout=STATEMENT_SECONDS)
    enqueued = 0
    for site in sites:
        # The unique key keeps a site whose last crawl still runs from a second one beside it.
        _, created = await job.enqueue(
            "seo.crawl", {"site_id": site["id"]}, unique_key=f"site:{site['id']}",
            priority=job.priority, owner=site["owner"],
        )  # fmt: skip
        enqueued += created
    return {"sites": len(sites), "enqueued": enqueued}


async def _site(args: CrawlSite, job: Job) -> Any:
    """The row of the site; an address that is none, or a site that nobody entered, fails the job."""
    async with job.connection() as conn:
        if args.site_id is not None:
            site_id = await site_id_of(conn, args.site_id)
        else:
            try:
                url = site_url(args.url or "")
            except ValueError as error:
                raise Failed(str(error)) from error
            owner = args.user_id or job.owner
            site_id = await conn.fetchval(_query("site_of"), url, owner, timeout=STATEMENT_SECONDS)
        site = await conn.fetchrow(_query("site"), site_id, timeout=STATEMENT_SECONDS)
        if site is None:
            raise Failed(f"there is no site {site_id} in bellhand_seo.sites")
        try:
            return dict(site) | {"url": site_url(site["url"])}
        except ValueError as error:
            raise Failed(f"site {site_id}: {error}") from error


def _left_out(counters: dict[str, dict[str, int]]) -> dict[str, int]:
    """How many pages were not fetched, by why."""
    pages = counters.get("page", {})
    return {state: n for state, n in pages.items() if state != "done"}


def _query(name: str) -> str:
    return query(f"families/seo/{name}")
