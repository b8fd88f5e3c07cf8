"""The kind that judges a crawl: pages stream through the rules, then the site they make; one commit shows all of it."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal
from urllib.parse import unquote
from uuid import UUID

import asyncpg
from pydantic import Field, model_validator

from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Failed, encode
from bellhand.sql import query

from .compare import Change, by_severity, changes
from .facts import Facts, has_anchor
from .payloads import Payload
from .rules import BY_NAME, Issue, Judge
from .score import Found, Score, score, share
from .sites import SiteName, site_id_of
from .summary import summarize
from .views import Page, Site, SitemapFile, Target, Unvisited

STATEMENT_SECONDS = 30.0
PAGES_AT_ONCE = 200
ISSUES_AT_ONCE = 2000
UNVISITED_MAX = 10_000
SITEMAPS_MAX = 1000
FRAGMENTS_MAX = 20_000
WHOLE_SITE = UUID(int=0)


class Analysis(Payload):
    """Which crawl: by its id, or the newest of a site (its id or its key) that is over; and what is to be made of what is found.

    With `summary` a language model writes a few paragraphs for at most `summary_dollars_max`.
    """

    crawl_id: int | None = Field(default=None, ge=1, examples=[7])
    site_id: SiteName | None = None
    user_id: str | None = Field(default=None, max_length=500)
    reports: list[Literal["html", "pdf", "csv"]] = Field(default=[], max_length=3)
    summary: bool = False
    summary_dollars_max: float = Field(default=0.05, ge=0, le=10)

    @model_validator(mode="after")
    def _one_of_them(self) -> "Analysis":
        if (self.crawl_id is None) == (self.site_id is None):
            raise ValueError("give crawl_id or site_id, one of them")
        return self


@job_kind("seo.analyze", lane="seo", attempts_max=3, timeout_seconds=3600, side_effects="none")
async def analyze(args: Analysis, job: Job) -> dict[str, Any] | None:
    """Judge a crawl by every rule, score it, and tell what is new and what is fixed since the crawl before."""
    crawl = await crawl_of(job, args.crawl_id, args.site_id)
    run = _Run(job, crawl)
    await run.begin()
    await run.judge_pages()
    await run.judge_site()
    found, scored = await run.weigh()
    summary = None
    if args.summary:
        job.progress(stage="summary")
        summary = await summarize(job, found, scored, dollars_max=args.summary_dollars_max)
    result = _result(run, found, scored, summary)
    async with job.transaction(result) as conn:
        await run.finish(conn, found, scored, summary)
        if args.reports:
            payload = {"crawl_id": crawl["id"], "formats": args.reports}
            owner = args.user_id or job.owner or crawl["owner"]
            await job.enqueue("seo.report", payload, priority=job.priority, owner=owner, conn=conn)
    return result


async def crawl_of(job: Job, crawl_id: int | None, site: int | str | None) -> asyncpg.Record:
    """The crawl's row; fails the job if there is none."""
    async with job.connection() as conn:
        site_id = None if site is None else await site_id_of(conn, site)
        row = await conn.fetchrow(
            _query("crawl_to_analyze"), crawl_id, site_id, timeout=STATEMENT_SECONDS
        )
    if row is None and crawl_id is not None:
        raise Failed(f"there is no crawl {crawl_id} in bellhand_seo.crawls")
    if row is None:
        raise Failed(f"site {site} has no crawl that is over: enqueue seo.crawl first")
    return row


class _Run:
    """One analysis on its way; what it writes stays unseen until finish()."""

    def __init__(self, job: Job, crawl: asyncpg.Record) -> None:
        self.job = job
        self.crawl = crawl
        self.id = 0
        self.previous_id: int | None = crawl["previous_analysis_id"]
        self.html_pages = 0
        self.site = Site()
        self.keys: dict[int, UUID] = {}
        self.judge = Judge(self.site)

    async def begin(self) -> None:
        async with self.job.connection() as conn:
            self.id = await conn.fetchval(
                _query("begin_analysis"), self.crawl["id"], self.job.id, self.previous_id,
                timeout=STATEMENT_SECONDS,
            )  # fmt: skip

    async def judge_pages(self) -> None:
        """Every page once, a batch at a time: the memory holds outlines, not pages."""
        job, done, after = self.job, 0, 0
        while True:
            job.check()
            job.progress(done=done, total=self.crawl["to_judge"], stage="pages")
            async with job.connection() as conn:
                rows = await conn.fetch(
                    _query("pages_to_judge"), self.crawl["id"], after, PAGES_AT_ONCE,
                    timeout=STATEMENT_SECONDS,
                )  # fmt: skip
                if not rows:
                    return
                wanted = await conn.fetch(
                    _query("fragments_wanted"), self.crawl["id"], [row["id"] for row in rows],
                    timeout=STATEMENT_SECONDS,
                )  # fmt: skip
            await self._save(await asyncio.to_thread(self._judge_batch, rows, wanted))
            done += len(rows)
            after = rows[-1]["id"]

    async def judge_site(self) -> None:
        """What only all pages together show."""
        self.job.check()
        self.job.progress(stage="site")
        async with self.job.connection() as conn:
            closed = await conn.fetch(
                _query("pages_unvisited"),
                self.crawl["id"],
                UNVISITED_MAX,
                timeout=STATEMENT_SECONDS,
            )
            sitemaps = await conn.fetch(
                _query("sitemaps_read"), self.crawl["id"], SITEMAPS_MAX, timeout=STATEMENT_SECONDS
            )
        self.keys |= {row["id"]: row["url_key"] for row in closed}
        self.site.unvisited = [
            Unvisited(r["id"], r["url"], r["state"], r["in_sitemap"], r["inlinks"]) for r in closed
        ]
        self.site.sitemaps = [SitemapFile(r["url"], r["urls"], r["error"]) for r in sitemaps]
        await self._save(await asyncio.to_thread(lambda: list(self.judge.whole())))

    async def weigh(self) -> tuple[list[Change], Score]:
        """What changed, and the score."""
        async with self.job.connection() as conn:
            now = await conn.fetch(_query("issue_counts"), self.id, timeout=STATEMENT_SECONDS)
            before: list[asyncpg.Record] | None = None
            if self.previous_id is not None:
                before = await conn.fetch(
                    _query("issues_gone"), self.previous_id, self.id, self.crawl["id"],
                    timeout=STATEMENT_SECONDS,
                )  # fmt: skip
        total = len(self.site.pages)
        spread = (
            Found(r["rule"], r["issues"], share(r["pages"], r["site_pages"], on_site=r["pages"] < r["issues"], of_pages=total))
            for r in now
        )  # fmt: skip
        return changes(now, before), score(spread)

    async def finish(
        self,
        conn: asyncpg.Connection,
        found: list[Change],
        scored: Score,
        summary: dict[str, Any] | None,
    ) -> None:
        """Show this analysis in place of older ones of the crawl."""
        details = {
            **scored.as_json(),
            "severities": by_severity(found),
            "rules": [change.as_json() for change in found],
        }
        await conn.execute(
            _query("drop_older_analyses"), self.crawl["id"], self.id, timeout=STATEMENT_SECONDS
        )
        finished = await conn.fetchval(
            _query("finish_analysis"), self.id, self.html_pages, scored.value, encode(details), encode(summary),
            timeout=STATEMENT_SECONDS,
        )  # fmt: skip
        if finished is None:
            raise RuntimeError(f"analysis {self.id} was taken over by another attempt")

    def _judge_batch(
        self, rows: Sequence[asyncpg.Record], wanted: Sequence[asyncpg.Record]
    ) -> list[Issue]:
        issues: list[Issue] = []
        anchors: dict[int, tuple[str, str]] = {}
        for row in rows:
            page = page_of(row)
            self.keys[page.id] = page.key
            if page.html is not None:
                self.html_pages += 1
                if not page.truncated:
                    anchors[page.id] = (page.url, page.html.anchors)
            issues.extend(self.judge.page(page))
        for row in wanted:
            url, marks = anchors.get(row["to_page"], ("", ""))
            fragment = row["fragment"]
            if url and not (has_anchor(marks, fragment) or has_anchor(marks, unquote(fragment))):
                self._note_fragment(f"{url}#{fragment}", row["from_pages"])
        return issues

    def _note_fragment(self, url: str, from_pages: Iterable[int]) -> None:
        noted = self.site.fragments_missing
        noted.extend((page, url) for page in from_pages if len(noted) < FRAGMENTS_MAX)

    async def _save(self, issues: Sequence[Issue]) -> None:
        for start in range(0, len(issues), ISSUES_AT_ONCE):
            part = issues[start : start + ISSUES_AT_ONCE]
            async with self.job.connection() as conn:
                await conn.execute(
                    _query("save_issues"), self.id, [i.rule.name for i in part],
                    [i.rule.severity for i in part], [i.page_id for i in part],
                    [self.keys[i.page_id] if i.page_id else WHOLE_SITE for i in part],
                    [encode(i.evidence) for i in part], self.previous_id, timeout=STATEMENT_SECONDS,
                )  # fmt: skip
        self.job.count("issues", len(issues))


def page_of(row: asyncpg.Record) -> Page:
    """A row of pages_to_judge.sql as the rules see it."""
    return Page(
        id=row["id"], url=row["url"], key=row["url_key"], depth=row["depth"], status=row["status"],
        redirects=tuple(row["redirects"] or ()), content_type=row["content_type"] or "",
        body_bytes=row["body_bytes"] or 0, response_seconds=row["response_seconds"] or 0.0,
        truncated=bool(row["truncated"]), in_sitemap=row["in_sitemap"], error_code=row["error_code"],
        error=row["error"], inlinks=row["inlinks"], inlinks_followed=row["inlinks_followed"],
        targets=tuple(Target(*one) for one in json.loads(row["targets"] or "[]")),
        facts=Facts.from_json(json.loads(row["facts"])) if row["facts"] else None,
    )  # fmt: skip


def _result(
    run: _Run, found: list[Change], scored: Score, summary: dict[str, Any] | None
) -> dict[str, Any]:
    compared = run.previous_id is not None
    return {
        "crawl_id": run.crawl["id"],
        "analysis_id": run.id,
        "crawl_state": run.crawl["state"],
        "pages": run.html_pages,
        "score": scored.value,
        "issues": by_severity(found),
        "new": sum(change.new or 0 for change in found) if compared else None,
        "fixed": sum(change.fixed or 0 for change in found) if compared else None,
        "mend_first": [BY_NAME[gain.rule].title for gain in scored.gains[:3]],
        "summary": "not asked for" if summary is None else summary.get("note", "written"),
    }


def _query(name: str) -> str:
    return query(f"families/seo/{name}")
