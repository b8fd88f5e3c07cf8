"""A site crawled end to end: a row in, a daemon at work on a served site, pages and links in tables."""

import json
import re
import tomllib

import asyncpg
from aiohttp import web

from bellhand.families import seo
from daemons import insert, until
from seo_sites import crawl, crawler, links, pages, site, states
from support import ROOT, eventually

HOME = """<!doctype html><html lang=en><title>Home</title>
  <link rel=canonical href="{self}/"><link rel=stylesheet href="/style.css">
  <a href="/a.html#part">A</a> <a href="a.html#part">A again</a> <a href="/a.html">Top of A</a>
  <a href="/b" rel="nofollow">B</a> <a href="/old">Old</a> <a href="/missing">Gone</a>
  <a href="/paper.pdf">Paper</a> <a href="https://elsewhere.example/">Elsewhere</a>
  <a href="mailto:info@acme.test">Mail</a> <img src="/logo.png" alt="Logo"><img src="/none.png">"""
ACME = {
    "/": HOME,
    "/a.html": links("/deep", "/", title="A"),
    "/b": links("/"),
    "/old": web.Response(status=301, headers={"Location": "/new"}),
    "/new": links("/", title="New"),
    "/deep": "<meta name=robots content='noindex,nofollow'><a href=/hidden>x</a>",
    "/paper.pdf": b"%PDF",
    "/style.css": b"p{}",
    "/logo.png": b"\x89PNG",
}


async def test_every_page_and_link_of_a_site_is_stored(dsn, conn):
    """S3-18: results are rows: pages with their answers, links from page to page."""
    async with site(ACME) as acme, crawler(dsn, acme.port):
        result = await crawl(conn, acme.url)
        found = await pages(conn, acme.url)
        assert {path: (row["state"], row["status"], row["depth"]) for path, row in found.items()} == {
            "/": ("done", 200, 0),
            "/a.html": ("done", 200, 1),
            "/b": ("nofollow", None, 1),
            "/old": ("done", 301, 1),
            "/missing": ("done", 404, 1),
            "/new": ("done", 200, 1),
            "/deep": ("done", 200, 2),
            "/hidden": ("nofollow", None, 3),
        }  # fmt: skip
        assert found["/old"]["redirect_to"] == found["/new"]["id"]
        assert found["/old"]["redirects"] == [f"{acme.url}/new"]
        assert found["/old"]["final_url"] == f"{acme.url}/new"
        assert found["/"]["canonical"] == f"{acme.url}/"
        assert (found["/deep"]["noindex"], found["/deep"]["nofollow"]) == (True, True)
        assert found["/"]["text_hash"] != found["/a.html"]["text_hash"]
        assert json.loads(found["/"]["facts"])["titles"] == ["Home"]
        checked = await pages(conn, acme.url, "resource")
        assert {path: row["status"] for path, row in checked.items()} == {
            "/style.css": 200, "/paper.pdf": 200, "/logo.png": 200, "/none.png": 404,
        }  # fmt: skip
        assert await states(conn, role="external") == {"https://elsewhere.example/": "unchecked"}
        rows = await conn.fetch(
            "select l.kind, l.rel, l.text, l.fragment, l.times, t.url from bellhand_seo.links l"
            " join bellhand_seo.pages t on t.id = l.to_page where l.from_page = $1",
            found["/"]["id"],
        )
        stored = {(r["kind"], r["url"].removeprefix(acme.url), r["fragment"]): r for r in rows}
        assert len(rows) == len(stored) == 11
        assert stored["a", "/a.html", "part"]["times"] == 2
        assert stored["a", "/b", None]["rel"] == "nofollow"
        assert stored["img", "/logo.png", None]["text"] == "Logo"
        assert result["pages"] == 6
        assert result["errors"] == 2
        assert result["left_out"] == {"nofollow": 2}
        assert result["links"] == await conn.fetchval("select count(*) from bellhand_seo.links")
        assert set(acme.asked.values()) == {1}, acme.asked


async def test_max_pages_is_exact(dsn, conn):
    """S3-19: not one page more is fetched, whatever waits."""
    many = {"/": links(*[f"/p{n}" for n in range(50)])}
    many |= {f"/p{n}": links("/", f"/q{n}") for n in range(50)}
    async with site(many) as acme, crawler(dsn, acme.port):
        for most in (1, 7, 13):
            acme.asked.clear()
            result = await crawl(conn, acme.url, maxPages=most, sitemaps=False)
            del acme.asked["/robots.txt"]
            assert (result["pages"], acme.asked.total()) == (most, most)
            found = await states(conn, acme.url)
            assert sum(state == "done" for state in found.values()) == most
            assert result["left_out"]["over_limit"] == len(found) - most


async def test_a_site_is_entered_once_and_says_how_many_pages(dsn, conn):
    """S3-09, S3-29: siteId, userId and maxPages; the job, the crawl and the site know whose it is."""
    small = {"/": links("/1", "/2"), "/1": "x", "/2": "y"}
    async with site(small) as acme, crawler(dsn, acme.port):
        first = await crawl(conn, acme.url.removeprefix("http://"), userId="u1")
        again = await crawl(conn, acme.url + "/", userId="u1")
        assert first["site_id"] == again["site_id"]
        assert again["previous_crawl_id"] == first["crawl_id"]
        await conn.execute("update bellhand_seo.sites set max_pages = 2")
        payload = {"siteId": first["site_id"], "userId": "u2", "analyze": False}
        job = await insert(conn, "seo.crawl", json.dumps(payload))
        row = await until(conn, job, "completed")
        assert json.loads(row["result"])["pages"] == 2
        owners = await conn.fetch("select owner from bellhand_seo.crawls order by id")
        assert [row["owner"] for row in owners] == ["u1", "u1", "u2"]
        # By what an app calls it, be it digits; a text that is no key may be the id.
        await conn.execute("update bellhand_seo.sites set key = '4711'")
        for name, state in (
            ("4711", "completed"),
            (str(first["site_id"]), "completed"),
            ("abc-123", "failed"),
        ):
            job = await insert(conn, "seo.crawl", json.dumps({"siteId": name, "analyze": False}))
            row = await until(conn, job, state)
        assert "no site in bellhand_seo.sites has the key 'abc-123'" in row["error"]
        judged = await insert(conn, "seo.analyze", '{"siteId": "4711"}')
        assert json.loads((await until(conn, judged, "completed"))["result"])["score"] is not None


async def test_progress_tells_pages_of_those_known(dsn, conn):
    small = {"/": links("/1", "/2"), "/1": "x", "/2": "y"}
    async with site(small) as acme, crawler(dsn, acme.port):
        await crawl(conn, acme.url)
        row = await conn.fetchrow("select progress from bellhand.all_jobs")
        shown = json.loads(row["progress"])
        assert (shown["done"], shown["total"]) == (3, 3)
        assert shown["counters"] == {"pages": 3, "links": 2, "errors": 0}


async def test_sites_are_crawled_daily_or_monthly_as_they_ask(dsn, conn):
    """S3-06: what the schedules of config.example.toml run; a crawl still at work is not doubled."""
    async with site({"/": "x"}) as acme, crawler(dsn, acme.port):
        for recrawl in ("daily", "daily", "monthly", None):
            await conn.execute(
                "insert into bellhand_seo.sites (url, recrawl, owner) values ($1, $2, 'u')",
                f"{acme.url}/{recrawl}", recrawl,
            )  # fmt: skip
        acme.pages |= {"/daily": "x", "/monthly": "y"}
        job = await insert(conn, "seo.crawl_sites", '{"recrawl": "daily"}')
        row = await until(conn, job, "completed")
        assert json.loads(row["result"]) == {"sites": 2, "enqueued": 2}
        keys = await conn.fetch(
            "select unique_key, owner from bellhand.all_jobs where kind = 'seo.crawl' order by 1"
        )
        assert [tuple(row) for row in keys] == [("site:1", "u"), ("site:2", "u")]


async def test_a_crawl_that_is_over_is_analyzed(dsn, conn):
    """S3-10: the analysis is enqueued in the commit that ends the crawl, for the same owner."""
    async with site({"/": links("/1"), "/1": "x"}) as acme, crawler(dsn, acme.port):
        result = await crawl(conn, acme.url, analyze=True, user_id="u1")

        async def judged() -> asyncpg.Record | None:
            return await conn.fetchrow(
                "select * from bellhand.all_jobs where kind = 'seo.analyze' and state = 'completed'"
            )

        row = await eventually(judged)
    assert json.loads(row["payload"]) == {"crawl_id": result["crawl_id"]}
    assert (row["owner"], row["attempts"]) == ("u1", 0)


async def test_old_crawls_of_a_site_are_forgotten(dsn, conn):
    """S3-24: as many as the site says stay, and everything of the others goes, of cancelled ones too."""
    async with site({"/": links("/1", "/2"), "/1": links("/"), "/2": "y"}) as acme:
        await conn.execute(
            "insert into bellhand_seo.sites (url, crawls_kept) values ($1, 2)", acme.url + "/"
        )
        async with crawler(dsn, acme.port):
            ids = [(await crawl(conn, acme.url))["crawl_id"]]
            await conn.execute("update bellhand_seo.crawls set state = 'unfinished'")
            ids += [(await crawl(conn, acme.url))["crawl_id"] for _ in range(3)]
    for table, column in (("crawls", "id"), ("pages", "crawl_id"), ("links", "crawl_id")):
        kept = await conn.fetch(f"select distinct {column} from bellhand_seo.{table} order by 1")
        assert [row[0] for row in kept] == ids[2:], table


def test_the_sample_configuration_has_the_daily_and_the_monthly_crawl():
    """S3-06: at midnight, and on the first of a month."""
    text = (ROOT / "config.example.toml").read_text()
    uncommented = re.sub(r"^# (?=\[|[a-z_]+ = )", "", text, flags=re.MULTILINE)
    schedules = tomllib.loads(uncommented)["schedules"]
    for recrawl, cron in (("daily", "0 0 * * *"), ("monthly", "0 0 1 * *")):
        found = schedules[f"seo_{recrawl}"]
        assert (found["kind"], found["cron"]) == ("seo.crawl_sites", cron)
        assert seo.handlers.CrawlSites(**found["payload"]).recrawl == recrawl
