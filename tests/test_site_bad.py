"""Sites made to hurt, or merely broken: the step says what happened, the rest is read, nothing is lost."""

import asyncio
import gzip
import json
from contextlib import suppress

import pytest
from aiohttp import web

from businesses import all_over, business, daemon, enter
from support import eventually
from websites import html, redirect, serving

BOMB = gzip.compress(bytes(60 * 2**20), 9)
GIGABYTES = 2 * 2**30


async def times_out(_):
    await asyncio.sleep(60)


async def bomb(_):
    return web.Response(body=BOMB, content_type="text/html", headers={"Content-Encoding": "gzip"})


async def two_gigabytes(request):
    answer = web.StreamResponse(headers={"Content-Type": "text/html"})
    answer.content_length = GIGABYTES
    await answer.prepare(request)
    await answer.write(b"<p>huge@acme-glass.com</p>")
    with suppress(ConnectionError):  # the fetcher has enough
        for _ in range(GIGABYTES // 2**20):
            await answer.write(b" " * 2**20)
    return answer


async def no_page(_):
    return web.Response(body=b"%PDF-1.7 pdf@acme-glass.com", content_type="application/pdf")


async def nonsense(_):
    return web.Response(body=bytes(range(256)) * 400, content_type="text/html")


async def broken(request):
    request.transport.abort()
    return web.Response()


PAGES = {
    "contact": (times_out, "took too long"),
    "contact-us": (redirect("/contact-us"), "redirects in a circle"),
    "kontakt": (bomb, "decompression bomb"),
    "about": (two_gigabytes, None),
    "about-us": (no_page, None),
    "team": (redirect("http://10.0.0.1/"), "not a public one"),
    "people": (redirect("http://169.254.169.254/latest/meta-data"), "not a public one"),
    "company": (redirect("ftp://acme.test/"), "only http and https"),
    "impressum": (nonsense, None),
    "imprint": (broken, "connection was lost"),
    "staff": (html("<p>staff@acme-glass.com"), None),
}
HOME = "<p>home@acme-glass.com</p>" + "".join(f"<a href='/{path}'>{path}</a>" for path in PAGES)


@pytest.fixture
def pages():
    """The site's pages by path, which a test may mend."""
    return {"": html(HOME), **{path: handler for path, (handler, _) in PAGES.items()}}


async def test_each_bad_page_says_what_happened_and_a_retry_reads_only_those(dsn, conn, pages):
    asked: list[str] = []

    async def answer(request):
        path = request.match_info["path"]
        asked.append(path)
        return await pages[path](request) if path in pages else web.Response(status=404)

    async with (
        serving(("/{path:.*}", answer)) as port,
        daemon(dsn, port, 80, seconds_max=4) as ours,
    ):
        number = await enter(conn, f"http://127.0.0.1:{port}/", auto_check=False)
        await conn.execute(
            "insert into bellhand.jobs (kind, payload, attempts_max) values ('sites.emails', $1, 1)",
            json.dumps({"business_id": number, "pages_max": 50}),
        )
        (job,) = await all_over(conn, 1)
        steps = await conn.fetch("select name, state, error from bellhand.steps")
        said = {row["name"].rpartition("/")[2]: row["error"] for row in steps}
        bad = {path for path, (_, why) in PAGES.items() if why}
        for path, (_, why) in PAGES.items():
            assert (why is None) == (said[path] is None), (path, said[path])
            assert why is None or why in said[path], path
        assert (job["state"], job["partial"]) == ("completed", True)
        found = ["home@acme-glass.com", "huge@acme-glass.com", "staff@acme-glass.com"]
        assert sorted((await business(conn, number))["emails"]) == found
        cut = "select truncated from bellhand_sites.page_checks where url like '%/about'"
        assert await conn.fetchval(cut)

        for path in bad:
            pages[path] = html(f"<p>{path}@acme-glass.com")
        asked.clear()
        ours.web._recent._pages.clear()
        await conn.execute("select bellhand.retry($1)", job["id"])
        await eventually(lambda: len(asked) >= len(bad))
        (job,) = await all_over(conn, 1)
        assert (job["state"], job["partial"]) == ("completed", False)
        assert set(asked) == bad
        mended = {f"{path}@acme-glass.com" for path in bad}
        assert set((await business(conn, number))["emails"]) == {*found, *mended}


@pytest.mark.parametrize("path", [path for path, (_, why) in PAGES.items() if why])
async def test_a_first_page_that_is_bad_gives_the_look_its_word_and_fails_the_reading(
    dsn, conn, pages, path
):
    why = PAGES[path][1]

    async def answer(request):
        found = pages.get(request.match_info["path"])
        return await found(request) if found else web.Response(status=404)

    # Only where patience is what ends may it be short.
    patience = 1 if path == "contact" else 30
    async with serving(("/{path:.*}", answer)) as port, daemon(dsn, port, 80, seconds_max=patience):
        number = await enter(conn, f"http://127.0.0.1:{port}/{path}", auto_check=False)
        for kind in ("sites.validate", "sites.phones"):
            await conn.execute(
                "insert into bellhand.jobs (kind, payload, attempts_max) values ($1, $2, 1)",
                kind, json.dumps({"business_id": number}),
            )  # fmt: skip
        look, reading = await all_over(conn, 2)
        row = await business(conn, number)
    assert look["state"] == "completed"
    assert row["website_status"] in ("unreachable", "error", "blocked")
    assert why in row["website_error"]
    assert reading["state"] == "failed"
    assert why in reading["error"]
