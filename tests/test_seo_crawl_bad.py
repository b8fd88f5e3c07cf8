"""What sites do to a crawler: it says what happened, goes on where it can, and fails plainly where not."""

import asyncio
import gzip
import json

import asyncpg
import pytest
from aiohttp import web

from daemons import insert, until
from seo_sites import crawl, crawler, links, pages, site

NAUGHTY = b"<title>a\x00b&#0;&#xD800;</title><a href='/\x00x\xff?\xfe'>a\x00</a><a href='http://['>y</a><base href='http://[:'>"


async def slowly(_: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


async def endless(request: web.Request) -> web.StreamResponse:
    """Says that it has 2 GB, and goes on sending."""
    answer = web.StreamResponse(headers={"Content-Type": "text/html"})
    answer.content_length = 2_000_000_000
    await answer.prepare(request)
    await answer.write(links("/found").encode())
    try:
        while True:
            await answer.write(b"<p>on and on</p>" * 4000)
    except ConnectionError:
        return answer


async def bomb(_: web.Request) -> web.Response:
    packed = gzip.compress(b"<p>" + b"0" * 50_000_000)
    return web.Response(
        body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "text/html"}
    )


async def cut_off(request: web.Request) -> web.Response:
    request.transport.abort()
    return web.Response()


async def test_bad_pages_are_noted_and_the_rest_is_read(dsn, conn):
    """A page of 2 GB, a bomb, a picture, a lost connection, another address inside."""
    served = {
        "/endless": endless,
        "/bomb": bomb,
        "/abort": cut_off,
        "/picture": b"\x89PNG\r\n",
        "/json": web.Response(body=b"{}", headers={"Content-Type": "application/json"}),
        "/inside": "",
        "/naughty": NAUGHTY,
        "/found": "x",
        "/500": web.Response(status=500),
    }
    served["/"] = links(*served)
    served["/naughty"] = web.Response(body=NAUGHTY, headers={"Content-Type": "text/html"})
    async with site(served) as acme, crawler(dsn, acme.port, seconds_max=30):
        secret = f"http://10.0.0.1:{acme.port}/admin"
        acme.pages["/inside"] = web.Response(status=302, headers={"Location": secret})
        result = await crawl(
            conn, acme.url, sitemaps=False, check_external=True, concurrency=20, seconds=40
        )
        found = await pages(conn, acme.url)
        outside = await pages(conn, role="external")
    shown = {path: (row["status"], row["error_code"]) for path, row in found.items()}
    odd = shown.keys() - served.keys()
    assert shown.items() >= {
        "/": (200, None), "/endless": (200, None), "/bomb": (None, "bomb"),
        "/abort": (None, "disconnected"), "/picture": (200, None), "/json": (200, None),
        "/inside": (302, None), "/naughty": (200, None), "/found": (200, None), "/500": (500, None),
    }.items()  # fmt: skip
    assert len(odd) <= 1, "what the naughty page links to, as far as it is an address"
    assert found["/endless"]["truncated"]
    assert found["/endless"]["body_bytes"] == 5_000_000
    assert found["/picture"]["facts"] is None
    assert found["/json"]["content_type"] == "application/json"
    assert outside[secret]["error_code"] == "blocked_address"
    assert result["pages"] == len(found)


async def test_a_page_that_takes_too_long_is_asked_for_three_times(dsn, conn):
    async with (
        site({"/": links("/slow"), "/slow": slowly}) as acme,
        crawler(dsn, acme.port, seconds_max=1),
    ):
        await crawl(conn, acme.url, sitemaps=False)
        slow = (await pages(conn, acme.url))["/slow"]
    assert (slow["status"], slow["error_code"], slow["attempts"]) == (None, "timeout", 3)


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (b"\x89PNG", "not an HTML page"),
        (web.Response(status=404), "HTTP status 404"),
        (web.Response(status=301, headers={"Location": "http://other.example/"}), "another site"),
        (web.Response(status=301, headers={"Location": "javascript:0"}), "no address"),
        (web.Response(status=301, headers={"Location": "/"}), "in a circle"),
        (bomb, "bomb"),
    ],
)
async def test_a_start_page_that_is_none_fails_the_job_at_once_and_says_why(dsn, conn, start, why):
    async with site({"/": start}) as acme, crawler(dsn, acme.port):
        row = await crawl(conn, acme.url, "failed", sitemaps=False)
        crawled = await conn.fetchrow("select state, error from bellhand_seo.crawls")
    assert (row["attempts"], crawled["state"]) == (1, "failed")
    assert why in row["error"]
    assert why in crawled["error"]
    assert "done" not in json.loads(row["progress"] or "{}"), (
        "one page of one would look as if it were all but done"
    )


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"url": "http://10.0.0.1/"}, "not a public one"),
        ({"url": "http://169.254.169.254/latest"}, "not a public one"),
        ({"url": "ftp://acme.test/"}, "no address of a website"),
        ({"url": "http://"}, "no address of a website"),
        ({"site_id": 999}, "no site 999"),
        ({}, "site_id or url"),
        ({"siteId": 1, "url": "http://acme.test"}, "site_id or url"),
    ],
)
async def test_a_job_that_can_never_work_fails_at_once_and_says_why(dsn, conn, payload, why):
    async with crawler(dsn, 80):
        job = await insert(conn, "seo.crawl", json.dumps(payload))
        row = await until(conn, job, "failed")
    assert row["attempts"] == 1
    assert why in row["error"]


@pytest.mark.parametrize("payload", ['{"siteId": [1]}', '{"url": 5}', '{"max": 5}'])
async def test_a_payload_that_does_not_fit_is_refused_at_the_insert(dsn, conn, payload):
    async with crawler(dsn, 80):
        with pytest.raises(asyncpg.PostgresError) as caught:
            await insert(conn, "seo.crawl", payload)
    assert caught.value.sqlstate == "BH002"


async def test_a_start_page_that_is_busy_is_tried_again_later(dsn, conn):
    """S3-13: with the job's backoff, three times, and the crawl's attempts are the job's."""
    answers = [web.Response(status=503)]

    async def busy(_: web.Request) -> web.Response:
        return answers.pop() if answers else web.Response(text="x", content_type="text/html")

    async with site({"/": busy}) as acme, crawler(dsn, acme.port):
        result = await crawl(conn, acme.url, sitemaps=False)
        row = await conn.fetchrow("select attempts from bellhand.all_jobs")
    assert (result["pages"], result["errors"]) == (1, 0)
    assert row["attempts"] == 1


async def test_naughty_sitemaps_spoil_nothing(dsn, conn):
    """What no table takes is no address; the rest is read."""
    text = b"{self}/one\nhttp://a.test/\x00\xff\n{self}/tw\x00o\n{self}/three\xed\xa0\x80\n\x00\n"
    async with site({"/": "x", "/one": "x"}) as acme, crawler(dsn, acme.port):
        acme.pages["/sitemap.xml"] = text.replace(b"{self}", acme.url.encode())
        await crawl(conn, acme.url)
        found = await pages(conn, acme.url)
    assert [path for path, row in found.items() if row["status"] == 200] == ["/", "/one"]
