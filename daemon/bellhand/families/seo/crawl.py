"""The crawl itself: batches from the frontier, so many fetches at once, results back to the frontier."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin

from pydantic import BaseModel, ConfigDict, Field

from bellhand.clients.errors import WebError
from bellhand.clients.web import Page
from bellhand.job import Job
from bellhand.outcomes import Failed, Retry, Snooze

from . import digest
from .digest import Digest, Policy, Waiting
from .frontier import Frontier, Known, SitemapRow
from .sitemaps import BYTES_MAX as SITEMAP_BYTES_MAX
from .sitemaps import Sitemap, read_sitemap

# So many rows of the frontier are in memory at once, however large the site.
BATCH_MAX = 500
# So many results wait for the one statement that is under way; then the next fetches wait too.
UNWRITTEN_MAX = 50
# Above this, reading a page takes longer than a loop should stand still.
LARGE_CHARS = 30_000
# So many fetches in a row without an answer say that the site is gone, not a page of it.
SILENT_MAX = 20
# A host that asks for a longer rest gets it without a job that waits.
REST_SECONDS_MAX = 60.0
# For what only has to be there.
CHECK_SECONDS_MAX = 10.0
SITEMAPS_MAX = 1000
SITEMAP_LEVELS_MAX = 3
# Refusals of HEAD, which some servers do not know.
_HEAD_REFUSED = (400, 403, 405, 406, 500, 501)


class Options(BaseModel):
    """How far a crawl goes; kept with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_pages: int = Field(ge=1, le=1_000_000)
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
    retry_seconds: float = Field(default=5.0, ge=0, le=60)


class Crawl:
    """One attempt at one crawl; what it has stored is never asked for again."""

    def __init__(self, job: Job, frontier: Frontier, options: Options) -> None:
        self._job = job
        self._frontier = frontier
        self._options = options
        self._policy = Policy((), 0, False, False, False)
        self._known = Known(0, 0, 0, 0)
        self._silent = 0
        self._rest_seconds = 0.0
        self._width = options.concurrency
        self._inside = False  # of a start page that was not read nobody knows how much there is

    async def run(self) -> None:
        """Read robots.txt, the start page, the sitemaps, every page, and ask for the rest.

        Raises Failed, Retry or Snooze where the site as a whole cannot be crawled now.
        """
        await self._begin()
        homes = await self._frontier.homes()
        if not homes:
            raise Failed("the start page redirects in a circle")
        await self._obey(homes[0])
        if self._options.sitemaps:
            await self._read_sitemaps(homes[0])
        self._inside = True
        self._job.progress(stage="pages")
        while batch := await self._next_pages():
            await self._work(batch)
        await self._check("resource")
        await self._check("external")

    # -- where it starts

    async def _begin(self) -> None:
        """Fetch the start page and what it redirects to; they say what the site is."""
        await self._look_around()
        while batch := await self._next_pages():
            if batch[0].depth != 0:
                break
            for outcome in await self._work(batch):
                self._judge_start(batch[0], outcome)
            await self._look_around()

    async def _look_around(self) -> None:
        own = self._options
        scopes = await self._frontier.scope(subdomains=own.subdomains)
        self._policy = Policy(
            scopes, own.depth_max, own.follow_nofollow, own.check_resources, own.check_external
        )

    async def _obey(self, url: str) -> None:
        """Learn how often the site may be asked, so that our own fetches do not crowd each other."""
        if not self._options.respect_robots:
            return
        verdict = await self._job.web.robots.allowed(url)
        if verdict.crawl_delay_seconds:
            waiting_max = REST_SECONDS_MAX / 2 / verdict.crawl_delay_seconds
            self._width = max(1, min(self._options.concurrency, int(waiting_max)))

    def _judge_start(self, asked: Waiting, outcome: Digest) -> None:
        row = outcome.row
        if outcome.rest_seconds is not None:
            return  # it is asked for after the rest
        if row["state"] == "waiting":
            why = row.get("error") or f"HTTP status {row.get('status')}"
            raise Retry(f"{asked.url}: {why}")
        if row["state"] == "robots":
            raise Failed(f"robots.txt of {asked.url} does not want this page visited")
        if row.get("error"):
            raise Failed(f"{asked.url}: {row['error']}")
        if row["status"] >= 400:
            raise Failed(f"{asked.url} answers with HTTP status {row['status']}")
        if "redirect_key" in row:
            (to,) = outcome.targets.values()
            if to.role == "external":
                why = f"{asked.url} redirects to another site, {to.address.url}"
                raise Failed(f"{why}: crawl that one instead")
        elif "facts" not in row:
            kind = row["content_type"] or "something without a type"
            raise Failed(f"{asked.url} is {kind}, not an HTML page")

    # -- sitemaps

    async def _read_sitemaps(self, home: str) -> None:
        """Read those that robots.txt names, else /sitemap.xml, and what they lead to."""
        self._job.progress(stage="sitemaps")
        verdict = await self._job.web.robots.allowed(home)
        named = verdict.sitemaps or ("/sitemap.xml",)
        await self._frontier.add_sitemaps([urljoin(home, one) for one in named[:SITEMAPS_MAX]])
        while (row := await self._frontier.waiting_sitemap()) and row.read < SITEMAPS_MAX:
            found = await self._read_sitemap(row)
            nested = row.level < SITEMAP_LEVELS_MAX
            pages = await self._frontier.store_sitemap(
                row, found, self._policy.scopes, nested=nested
            )
            if pages:
                self._job.count("sitemap_pages", pages)
            self._job.check()

    async def _read_sitemap(self, row: SitemapRow) -> Sitemap:
        try:
            page = await self._job.web.get(
                row.url, body_bytes_max=SITEMAP_BYTES_MAX, obey_robots=self._options.respect_robots
            )
        except WebError as error:
            if error.code == "host_busy":
                raise Snooze(error.after_seconds or 1.0, str(error)) from error
            return Sitemap(error=str(error))
        if page.status >= 400:
            return Sitemap(error=f"HTTP status {page.status}")
        return await asyncio.to_thread(read_sitemap, page.body)

    # -- pages

    async def _next_pages(self) -> list[Waiting]:
        """The next batch; never more new pages than max_pages leaves."""
        self._known = await self._frontier.known()
        left = self._options.max_pages - self._known.pages
        most = min(BATCH_MAX, left) if left > 0 else BATCH_MAX
        return await self._frontier.waiting("page", most, new=left > 0)

    async def _check(self, role: str) -> None:
        """Ask whether what pages are made of, or point to, is there."""
        self._job.progress(stage=f"{role}s")
        left = self._options.checks_max
        while left > 0 and (
            batch := await self._frontier.waiting(role, min(BATCH_MAX, left), new=True)
        ):
            left -= len(batch)
            await self._work(batch)

    async def _work(self, batch: Sequence[Waiting]) -> list[Digest]:
        """Ask for a batch and store the results as they come; pause and drain take effect here.

        While one group of results is written the next gathers. Returns the results of a batch of
        one; others are forgotten once they are stored.
        """
        await self._wait_before(batch)
        ready = deque(batch)
        running: set[asyncio.Task[Digest]] = set()
        fresh: list[Digest] = []
        writing: asyncio.Task[None] | None = None
        last: list[Digest] = []
        try:
            while ready or running or fresh or writing:
                if self._job.asked or self._rest_seconds or self._gone():
                    ready.clear()  # they wait in the frontier
                while ready and len(running) < self._width and len(fresh) < UNWRITTEN_MAX:
                    running.add(asyncio.create_task(self._ask(ready.popleft())))
                if fresh and writing is None:
                    last, fresh = fresh, []
                    writing = asyncio.create_task(self._frontier.store(last))
                waited: set[asyncio.Task[Any]] = {*running, *([writing] if writing else [])}
                if not waited:
                    break
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if writing is not None and writing.done():
                    await writing
                    self._stored(last)
                    writing = None
                ended = {task for task in running if task.done()}
                running -= ended
                fresh += [await task for task in ended]
        finally:
            await _ended([*running, *([writing] if writing else [])])
        self._job.check()
        if self._gone():
            why = f"the last {self._silent} fetches brought no answer; what was read is kept"
            raise Retry(f"the site cannot be reached any more: {why}")
        return last if len(batch) == 1 else []

    async def _ask(self, asked: Waiting) -> Digest:
        try:
            page = await (self._fetch(asked) if asked.role == "page" else self._reach(asked))
        except WebError as error:
            found = digest.of_error(asked, error)
        else:
            found = await self._digest(asked, page)
        if asked.role != "external":
            self._silent = self._silent + 1 if found.unreachable else 0
        if found.rest_seconds is not None:
            self._rest_seconds = max(self._rest_seconds, found.rest_seconds)
        return found

    async def _fetch(self, asked: Waiting) -> Page:
        return await self._job.web.get(
            asked.url, html_only=True, follow=False, obey_robots=self._options.respect_robots
        )

    async def _reach(self, asked: Waiting) -> Page:
        """Ask for the head alone; for the whole only where a server refuses that."""
        obey = self._options.respect_robots and asked.role == "resource"
        web, seconds = self._job.web, CHECK_SECONDS_MAX
        page = await web.head(asked.url, seconds_max=seconds, obey_robots=obey)
        if page.status in _HEAD_REFUSED:
            page = await web.get(asked.url, html_only=True, seconds_max=seconds, obey_robots=obey)
        return page

    async def _digest(self, asked: Waiting, page: Page) -> Digest:
        if asked.role != "page":
            return digest.of_check(asked, page)
        try:
            # The parser lets go of the interpreter: a large page in a thread holds nobody up.
            if len(page.text) > LARGE_CHARS:
                return await asyncio.to_thread(digest.of_page, asked, page, self._policy)
            return digest.of_page(asked, page, self._policy)
        except Exception as error:  # a boundary: one page that breaks us must not end a crawl
            self._job.log.exception("page_unreadable", url=asked.url[:500])
            return digest.of_fault(asked, error)

    # -- in between

    def _stored(self, digests: list[Digest]) -> None:
        new = sum(bool(one.row["first"]) for one in digests)
        links = sum(len(one.links) for one in digests)
        errors = sum(bool(one.row.get("failed")) for one in digests)
        before = self._known
        self._known = Known(
            before.pages + new, before.links + links, before.errors + errors,
            max(0, before.waiting - new),
        )  # fmt: skip
        own = self._known
        if self._inside:
            total = min(own.pages + own.waiting, self._options.max_pages)
            self._job.progress(done=own.pages, total=total)
        self._job.counters.update(pages=own.pages, links=own.links, errors=own.errors)

    async def _wait_before(self, batch: Sequence[Waiting]) -> None:
        """Let the site rest if it asked for that, and before it is asked a second time."""
        if self._rest_seconds > REST_SECONDS_MAX:
            raise Snooze(self._rest_seconds, "the site asked to be left alone")
        seconds = max(self._rest_seconds, self._options.retry_seconds * batch[0].attempts)
        self._rest_seconds = 0.0
        if seconds:
            self._job.progress(message=f"the site rests for {seconds:.0f} s")
            await asyncio.sleep(seconds)
            self._job.progress(message=batch[0].url)

    def _gone(self) -> bool:
        return self._silent >= SILENT_MAX


async def _ended(tasks: list[asyncio.Task[Digest] | asyncio.Task[None]]) -> None:
    """Nothing of an attempt that stops goes on without it."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
