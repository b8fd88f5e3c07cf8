"""Reports of a judged crawl: HTML that is safe and whole in itself, PDF, CSV without formulas."""

import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web
from selectolax.lexbor import LexborHTMLParser

from bellhand.app import Daemon
from bellhand.clients import pdf
from bellhand.families import seo
from bellhand.families.seo import report
from bellhand.families.seo.rules import BY_NAME
from daemons import at_work, insert, until
from seo_pages import html
from seo_sites import Site, crawl, site

HOSTILE = "<script>alert(1)</script>"
PAGES: dict[str, Any] = {
    "/": html("{self}/", links="<a href='/a'>A</a><a href='/=cmd()'>B</a><a href='/\"><img src=x onerror=alert(1)>'>C</a>"),
    "/a": html("{self}/a", title="<title>&lt;script&gt;alert(1)&lt;/script&gt;</title><title>=1+1</title>", h1="<h1></h1>"),
}  # fmt: skip
HEAD: dict[str, Any] = {
    "analysis_id": 1, "html_pages": 2, "score": 61.5, "summary": None, "crawl_id": 1, "url": "https://shop.example/",
    "state": "completed", "owner": None, "pages": 3, "links": 9, "errors": 0, "site_id": 1, "name": None,
    "started_at": "2026-01-02 03:04", "took": "00:00:05", "previous_score": None, "previous_date": None,
    "details": json.dumps({"categories": [], "gains": [], "severities": {"error": 1, "warning": 0, "notice": 0},
                           "rules": [{"rule": "title-missing", "issues": 1}]}),
}  # fmt: skip
FIGURES = {"answers": {"ok": 3}, "depths": {"0": 1, "2": 2}, "seconds": {"0": 3}, "seconds_median": 0.1, "bytes_median": 9}  # fmt: skip


@asynccontextmanager
async def reporter(dsn: str, *ports: int) -> AsyncIterator[Daemon]:
    own = {"ports": ports, "allow_networks": ("127.0.0.0/8",), "seconds_max": 5}
    kinds = (seo.crawl_site, seo.analyze, seo.make_reports)
    async with at_work(dsn, *kinds, web=own) as daemon:
        yield daemon


async def done(
    conn: asyncpg.Connection, kind: str, state: str = "completed", **payload: Any
) -> Any:
    job = await insert(conn, kind, json.dumps(payload))
    row = await until(conn, job, state, 50)
    return json.loads(row["result"]) if state == "completed" else row


async def body(conn: asyncpg.Connection, report_id: int) -> bytes:
    parts = await conn.fetch(
        "select body from bellhand_seo.report_parts where report_id = $1 order by place", report_id
    )
    return b"".join(part["body"] for part in parts)


async def judged_crawl(conn: asyncpg.Connection, shop: Site) -> int:
    crawl_id = int((await crawl(conn, shop.url))["crawl_id"])
    await done(conn, "seo.analyze", crawl_id=crawl_id)
    return crawl_id


def one_page(**row: Any) -> str:
    shown = {
        "rule": "title-missing",
        "url": "https://shop.example/a",
        "is_new": None,
        "evidence": "{}",
    }
    return report.as_html(report.gather(HEAD, [shown | row], [], FIGURES))


async def test_a_report_is_written_in_every_format_and_replaces_the_one_before(dsn, conn):
    async with site(PAGES) as shop, reporter(dsn, shop.port):
        crawl_id = await judged_crawl(conn, shop)
        first = await done(conn, "seo.report", crawl_id=crawl_id, formats=["html", "csv"])
        result = await done(conn, "seo.report", crawl_id=crawl_id, formats=["html"])
        rows = await conn.fetch("select * from bellhand_seo.reports order by id")
        assert [(row["format"], row["completed"]) for row in rows] == [
            ("csv", True),
            ("html", True),
        ]
        assert [row["id"] for row in rows] == [first["reports"]["csv"], result["reports"]["html"]]
        page = (await body(conn, result["reports"]["html"])).decode()
        assert len(page.encode()) == rows[1]["body_bytes"]
        for rule in ("title-several", "h1-empty", "csp"):
            assert BY_NAME[rule].title in page
        assert f"{shop.url}/a" in page
        table = (await body(conn, first["reports"]["csv"])).decode("utf-8-sig")
        lines = list(csv.DictReader(io.StringIO(table)))
        count = await conn.fetchval("select count(*) from bellhand_seo.issues")
        assert len(lines) == count
        several = next(line for line in lines if line["rule"] == "title-several")
        assert (several["page"], several["severity"]) == (f"{shop.url}/a", "warning")
        assert "<script>alert(1)</script>" in several["evidence"], (
            "a CSV keeps the words as they are"
        )


async def test_an_analysis_can_order_its_reports(dsn, conn):
    async with site(PAGES) as shop, reporter(dsn, shop.port):
        crawl_id = int((await crawl(conn, shop.url))["crawl_id"])
        await done(conn, "seo.analyze", crawl_id=crawl_id, reports=["csv"])
        job = await conn.fetchval("select max(id) from bellhand.all_jobs where kind = 'seo.report'")
        await until(conn, job, "completed")
        assert (
            await conn.fetchval("select format from bellhand_seo.reports where completed") == "csv"
        )


async def test_what_was_not_judged_cannot_be_reported(dsn, conn):
    async with site(PAGES) as shop, reporter(dsn, shop.port):
        crawl_id = int((await crawl(conn, shop.url))["crawl_id"])
        row = await done(conn, "seo.report", "failed", crawl_id=crawl_id)
        assert "enqueue seo.analyze first" in row["error"]


@pytest.mark.parametrize("words", [HOSTILE, "\"><img src=x onerror=alert(1)>", "{{ 7*7 }}", "javascript:alert(1)"])  # fmt: skip
def test_words_of_strangers_stay_words(words: str):
    page = one_page(url=words, evidence=json.dumps({"text": words, "links": [words], words: 1}))
    assert_harmless(page)
    assert words in LexborHTMLParser(page).text()


def test_a_collection_of_attacks_stays_words(test_data: Path):
    folder = test_data / "strings"
    lines = [
        line
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".txt", ".md", "") and path.is_file()
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if line.strip()
    ]
    assert len(lines) > 500
    for start in range(0, len(lines), 500):
        part = lines[start : start + 500]
        assert_harmless(
            one_page(url=part[0], evidence=json.dumps({"links": part, part[0]: part[1]}))
        )


def assert_harmless(page: str) -> None:
    tree = LexborHTMLParser(page)
    assert tree.css_first("script, iframe, object, embed, img, link, form, base") is None
    for node in tree.css("*"):
        for name, value in node.attributes.items():
            assert not name.startswith("on"), node.html
            if name in ("href", "src", "action", "data"):
                assert (value or "").startswith(("http://", "https://", "#")), node.html
    assert page.count("</style>") == 1


def test_a_report_needs_no_other_file_and_can_be_read_aloud():
    page = one_page()
    tree = LexborHTMLParser(page)
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert tree.css_first("html").attributes["lang"] == "en"
    assert len(tree.css("h1")) == 1
    assert len(tree.css("main")) == 1
    assert all(node.attributes.get("scope") for node in tree.css("th"))
    assert all(node.attributes.get("aria-label") for node in tree.css("svg[role=img]"))
    assert len(tree.css("svg")) == len(tree.css("svg[role=img]")) >= 4
    ids = [node.id for node in tree.css("[id]")]
    assert len(ids) == len(set(ids))
    assert all(node.attributes["href"][1:] in ids for node in tree.css("a[href^='#']"))


def test_a_report_of_nothing_and_of_the_second_crawl_are_whole_too():
    empty = HEAD | {"details": json.dumps({"categories": [], "gains": [], "rules": [], "severities": {"error": 0, "warning": 0, "notice": 0}})}  # fmt: skip
    bare = report.as_html(report.gather(empty, [], [], dict.fromkeys(FIGURES)))
    assert "no rule is broken" in bare
    details = json.loads(HEAD["details"])
    details["rules"] = [
        {"rule": "title-missing", "issues": 1, "new": 1, "fixed": 0, "gone": 2, "kept": 0},
        {"rule": "h1-missing", "issues": 0, "new": 0, "fixed": 7, "gone": 0, "kept": 0},
        {"rule": "of-a-later-version", "issues": 3, "new": 0, "fixed": 0, "gone": 0, "kept": 3},
    ]
    summary = {"overview": [{"text": "Mend the titles.", "issues": ["title-missing", "x"]}]}
    head = HEAD | {"details": json.dumps(details), "previous_score": 50.0, "previous_date": "2026-01-01", "summary": json.dumps(summary)}  # fmt: skip
    history = [{"date": f"2026-01-0{n}", "score": 10.0 * n, "errors": n} for n in range(1, 4)]
    page = report.as_html(report.gather(head, [], history, FIGURES))
    assert "+11.5 since 2026-01-01" in page
    assert "Fixed since the crawl before" in page
    assert "<polyline" in page
    assert '<a href="#title-missing">No title</a>' in page
    assert "Mend the titles." in page


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1"])
def test_no_cell_is_a_formula(text: str):
    assert report.cell(text) == "'" + text
    row = {"rule": "title-long", "severity": "notice", "url": text, "is_new": None, "evidence": json.dumps({"text": text})}  # fmt: skip
    (cells,) = csv.reader(io.StringIO(report.csv_rows([row]).decode(), newline=""))
    assert cells[3].startswith("'")
    assert not any(one.lstrip().startswith(("=", "+", "-", "@")) for one in cells)


async def pdf_or_skip(page: str) -> bytes:
    try:
        return await pdf.pdf_of(page, seconds_max=50)
    except pdf.NoPdf as error:
        if "needs" in str(error):
            pytest.skip(str(error))
        raise


async def test_a_pdf_is_made_and_fetches_nothing():
    asked = []

    async def note(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="x")

    app = web.Application()
    app.router.add_get("/{tail:.*}", note)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        shown = {"rule": "title-missing", "url": "https://shop.example/a", "is_new": True, "evidence": "{}"}  # fmt: skip
        page = report.as_html(report.gather(HEAD, [shown], [], FIGURES), paged=True)
        spiked = page.replace("</main>", f"<img src='http://127.0.0.1:{port}/x.png'><link rel=stylesheet href='http://127.0.0.1:{port}/x.css'><img src='file:///etc/hostname'></main>")  # fmt: skip
        made = await pdf_or_skip(spiked)
        assert made.startswith(b"%PDF")
        assert len(made) > 5000
        assert asked == []
    finally:
        await runner.cleanup()


async def test_a_pdf_that_takes_too_long_is_given_up():
    await pdf_or_skip("<p>x")
    with pytest.raises(pdf.NoPdf, match=r"not ready within 0\.01 s"):
        await pdf.pdf_of("<p>x", seconds_max=0.01)


async def test_without_the_library_the_reason_is_plain_and_the_other_formats_are_made(dsn, conn, monkeypatch):  # fmt: skip
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    async with site(PAGES) as shop, reporter(dsn, shop.port):
        crawl_id = await judged_crawl(conn, shop)
        result = await done(conn, "seo.report", crawl_id=crawl_id, formats=["pdf", "csv"])
        assert list(result["reports"]) == ["csv"]
        assert "pip install 'bellhand[pdf]'" in result["left_out"]["pdf"]
        row = await done(conn, "seo.report", "failed", crawl_id=crawl_id, formats=["pdf"])
        assert "pip install" in row["error"]


async def test_a_large_report_is_stored_in_parts(dsn, conn):
    async with site(PAGES) as shop, reporter(dsn, shop.port):
        crawl_id = await judged_crawl(conn, shop)
        await conn.execute(
            "insert into bellhand_seo.issues (analysis_id, rule, severity, page_id, url_key, evidence)"
            " select a.id, 'thin', 'notice', n, gen_random_uuid(), jsonb_build_object('words', repeat('w', 200))"
            " from bellhand_seo.analyses a, generate_series(1000, 9000) n"
        )
        result = await done(conn, "seo.report", crawl_id=crawl_id, formats=["csv"])
        sizes = await conn.fetch(
            "select octet_length(body) as n from bellhand_seo.report_parts order by place"
        )
        assert len(sizes) >= 3
        assert {row["n"] for row in sizes[:-1]} == {1024 * 1024}
        lines = (await body(conn, result["reports"]["csv"])).decode().splitlines()
        assert len(lines) == 1 + await conn.fetchval("select count(*) from bellhand_seo.issues")
