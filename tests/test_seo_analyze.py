"""A crawled site judged end to end: issues in tables, a score, what is new and what is fixed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from bellhand.app import Daemon
from bellhand.families import seo
from daemons import at_work, insert, until
from seo_pages import html
from seo_sites import crawl, site

LINKS = '<a href="/">Home</a><a href="/twin">Twin</a><a href="/b">B</a>'
ISSUES = """select i.rule, p.url, i.severity, i.is_new, i.evidence from bellhand_seo.issues i
  join bellhand_seo.analyses a on a.id = i.analysis_id and a.state = 'completed'
  left join bellhand_seo.pages p on p.id = i.page_id where a.crawl_id = $1 order by i.rule, p.url"""
SHOP: dict[str, Any] = {
    "/": html("{self}/", links=LINKS + '<a href="/missing">Gone</a><a href="/b#nowhere">Part</a><a href="/b#here">Part</a>'),
    "/twin": html("{self}/twin", links=LINKS),
    "/b": html("{self}/b", title="<title>Black tea, leaf by leaf</title>", links=LINKS, text="<p id=here>Short</p>"),
    "/robots.txt": "User-agent: *\nSitemap: {self}/sitemap.xml",
    "/sitemap.xml": "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"
    "<url><loc>{self}/</loc></url><url><loc>{self}/lonely</loc></url></urlset>",
    "/lonely": html("{self}/lonely", links=LINKS, title="<title>All alone at the end</title>", h1="<h1>Alone</h1>", text="<p>Nobody knows me.</p>"),
}  # fmt: skip


@asynccontextmanager
async def analyst(dsn: str, *ports: int, **sections: Any) -> AsyncIterator[Daemon]:
    own = {"ports": ports, "allow_networks": ("127.0.0.0/8",), "seconds_max": 5}
    async with at_work(dsn, seo.crawl_site, seo.analyze, web=own, **sections) as daemon:
        yield daemon


async def analyze(conn: asyncpg.Connection, state: str = "completed", **payload: Any) -> Any:
    job = await insert(conn, "seo.analyze", json.dumps(payload))
    row = await until(conn, job, state)
    return json.loads(row["result"]) if state == "completed" else row


async def issues(conn: asyncpg.Connection, crawl_id: int) -> list[asyncpg.Record]:
    return await conn.fetch(ISSUES, crawl_id)


async def test_a_crawl_is_judged_and_every_issue_is_a_row(dsn, conn):
    """S3-10, S3-18: issues with severity and evidence, page by page, and what they add up to."""
    async with site(SHOP) as shop, analyst(dsn, shop.port):
        crawled = await crawl(conn, shop.url)
        result = await analyze(conn, crawl_id=crawled["crawl_id"])
        rows = await issues(conn, crawled["crawl_id"])
        by_rule: dict[str, list[Any]] = {}
        for row in rows:
            path = (row["url"] or "").removeprefix(shop.url)
            by_rule.setdefault(row["rule"], []).append((path, json.loads(row["evidence"])))
        assert by_rule["link-broken"] == [
            ("/", {"links": [f"{shop.url}/missing (404)"], "count": 1})
        ]
        assert by_rule["not-found"] == [("/missing", {"status": 404, "links": 1})]
        assert by_rule["fragment-missing"] == [
            ("/", {"links": [f"{shop.url}/b#nowhere"], "count": 1})
        ]
        assert by_rule["orphan"] == [("/lonely", {"in_sitemap": True})]
        assert [path for path, _ in by_rule["title-duplicate"]] == ["/", "/twin"]
        assert [path for path, _ in by_rule["near-duplicate"]] == ["/", "/twin"]
        assert [path for path, _ in by_rule["sitemap-lacks"]] == ["/b", "/twin"]
        ((path, evidence),) = by_rule["csp"]
        assert (path, evidence["pages"]) == ("", 4)
        assert result["pages"] == 4
        assert 0 < result["score"] < 90
        assert sum(result["issues"].values()) == len(rows)
        assert (result["new"], result["fixed"]) == (None, None)
        analysis = await conn.fetchrow("select * from bellhand_seo.analyses")
        details = json.loads(analysis["details"])
        lost = sum(category["lost"] for category in details["categories"])
        assert abs(100 - lost - result["score"]) < 0.2, "the parts make up the whole"
        assert details["gains"][0]["points"] >= details["gains"][-1]["points"] > 0


async def test_judging_again_replaces_what_was_found(dsn, conn):
    """S3-10: enqueueAnalysis(siteId, userId, priority), by the names an app in JavaScript has."""
    async with site(SHOP) as shop, analyst(dsn, shop.port):
        crawled = await crawl(conn, shop.url)
        await conn.execute(
            "insert into bellhand_seo.analyses (crawl_id, job_id) values ($1, 7)",
            crawled["crawl_id"],
        )
        first = await analyze(conn, crawl_id=crawled["crawl_id"])
        before = await issues(conn, crawled["crawl_id"])
        again = await analyze(conn, siteId=crawled["site_id"], userId="u_17")
        assert again["analysis_id"] != first["analysis_id"]
        assert await issues(conn, crawled["crawl_id"]) == before
        assert await conn.fetchval("select count(*) from bellhand_seo.analyses") == 1, (
            "nothing is left of the older one, or of one that died"
        )
        assert await conn.fetchval("select count(*) from bellhand_seo.issues") == len(before)


async def test_the_crawl_before_tells_what_is_new_and_what_is_fixed(dsn, conn):
    async with site(SHOP) as shop, analyst(dsn, shop.port):
        crawled = await crawl(conn, shop.url)
        await analyze(conn, crawl_id=crawled["crawl_id"])
        shop.pages["/missing"] = html("{self}/missing", links=LINKS, title="<title>Found again now</title>", text="<p>Here it is at last.</p>")  # fmt: skip
        shop.pages["/b"] = SHOP["/b"].replace("<title>", "<title></title><title>")
        del shop.pages["/lonely"]
        second = await crawl(conn, shop.url)
        result = await analyze(conn, crawl_id=second["crawl_id"])
        rows = await issues(conn, second["crawl_id"])
        new = {
            (r["rule"], r["url"].removeprefix(shop.url)) for r in rows if r["is_new"] and r["url"]
        }
        assert {("title-missing", "/b"), ("title-several", "/b"), ("not-found", "/lonely")} <= new
        assert ("title-duplicate", "/twin") not in new
        details = json.loads(await conn.fetchval(
            "select details from bellhand_seo.analyses where crawl_id = $1", second["crawl_id"]
        ))  # fmt: skip
        rules = {change["rule"]: change for change in details["rules"]}
        assert rules["link-broken"] == {"rule": "link-broken", "issues": 0, "new": 0, "fixed": 1, "gone": 0, "kept": 0}  # fmt: skip
        assert rules["title-duplicate"]["kept"] == 2
        assert rules["csp"]["new"] == 0, "a fault of the whole site is found again too"
        assert result["new"] == len([r for r in rows if r["is_new"]])
        assert result["fixed"] >= 2


async def test_a_crawl_hands_over_to_its_analysis(dsn, conn):
    async with site({"/": html("{self}/")}) as shop, analyst(dsn, shop.port):
        await crawl(conn, shop.url, analyze=True)
        job = await conn.fetchval(
            "select max(id) from bellhand.all_jobs where kind = 'seo.analyze'"
        )
        row = await until(conn, job, "completed")
        assert json.loads(row["result"])["pages"] == 1


async def test_what_is_not_there_cannot_be_judged(dsn, conn):
    async with analyst(dsn):
        row = await analyze(conn, "failed", crawl_id=4711)
        assert "there is no crawl 4711" in row["error"]
        row = await analyze(conn, "failed", site_id=4711)
        assert "enqueue seo.crawl first" in row["error"]
        row = await analyze(conn, "failed")
        assert "give crawl_id or site_id" in row["error"]
