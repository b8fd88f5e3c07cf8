"""The sites family end to end: rows in, a daemon at work on served pages, results on the row."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from aiohttp import web

from businesses import all_over, business, daemon, enter, jobs
from support import eventually
from websites import html, serving

HOME = """<title>Acme  Glass</title><p>Since 1902</p><a href="contact.html">Contact</a>
  <a href="/acme/impressum">Impressum</a><a href="https://www.facebook.com/AcmeGlass">f</a>
  <a href="https://www.facebook.com/sharer.php?u=x">share</a>
  <a href="/acme/products">Products</a>"""
CONTACT = """<a href="mailto:info@acme-glass.com">mail</a>
  <p>jane.miller [at] acme-glass [dot] com</p>
  <a href="https://twitter.com/acmeglass">t</a>"""
ENQUEUE = "select bellhand_sites.enqueue_checks(array[$1::bigint])"
IMPRINT = "<p>info@acme-glass.com, legal@acme-glass.com</p>"


@asynccontextmanager
async def acme() -> AsyncIterator[int]:
    async with serving(
        ("/acme/", html(HOME)),
        ("/acme/contact.html", html(CONTACT)),
        ("/acme/impressum", html(IMPRINT)),
        ("/acme/products", html("<p>hidden@acme-glass.com</p>")),
    ) as port:
        yield port


async def test_a_business_that_is_entered_is_checked_read_and_written_down(dsn, conn):
    async with acme() as port, daemon(dsn, port):
        number = await enter(conn, f"http://127.0.0.1:{port}/acme/", name="Acme")
        rows = await all_over(conn, 4)
        row = await business(conn, number)
        assert [(r["kind"], r["state"], r["partial"]) for r in rows] == [
            ("sites.validate", "completed", False),
            ("sites.emails", "completed", False),
            ("sites.phones", "completed", False),
            ("sites.socials", "completed", False),
        ]
        assert row["website_status"] == "ok"
        assert row["website_title"] == "Acme Glass"
        assert row["website_http_status"] == 200
        assert str(row["website_ip"]) == "127.0.0.1"
        assert 0 < row["website_response_seconds"] < 30
        assert row["website_tls_expires_at"] is None
        assert row["website_checked_at"] is not None
        assert row["emails"] == [
            "info@acme-glass.com",
            "jane.miller@acme-glass.com",
            "legal@acme-glass.com",
        ]
        assert row["socials"] == ["https://www.facebook.com/acmeglass", "https://x.com/acmeglass"]
        found = await conn.fetch("select * from bellhand_sites.emails order by address")
        assert [(e["address"], e["role"], e["how"]) for e in found] == [
            ("info@acme-glass.com", True, "link"),
            ("jane.miller@acme-glass.com", False, "disguised"),
            ("legal@acme-glass.com", True, "text"),
        ]
        assert found[0]["source_url"].endswith("/acme/contact.html")
        pages = await conn.fetch("select * from bellhand_sites.page_checks order by url")
        assert [p["url"].rpartition("/")[2] for p in pages] == ["", "contact.html", "impressum"]
        emails = next(r for r in rows if r["kind"] == "sites.emails")
        assert '"emails_found": 3' in emails["progress"]
        assert '"pages_read": 3' in emails["progress"]


async def test_one_live_job_a_business_and_kind(dsn, conn):
    async with acme() as port:
        async with daemon(dsn, port):
            pass
        number = await enter(conn, f"http://127.0.0.1:{port}/acme/")
        assert (
            await conn.fetchval("select bellhand_sites.enqueue_checks(array[$1::bigint])", number)
            == 0
        )
        await conn.execute(
            "update bellhand_sites.businesses set website = website || '?' where id = $1", number
        )
        assert len(await jobs(conn)) == 4
        async with daemon(dsn, port):
            await all_over(conn, 4)
            added = await conn.fetchval(
                "select bellhand_sites.enqueue_checks(array[$1::bigint])", number
            )
            assert added == 4, "once they are over the key is free again"
            await all_over(conn, 8)


async def test_excluded_businesses_and_those_without_a_website_are_left_alone(dsn, conn):
    async with acme() as port, daemon(dsn, port):
        site = f"http://127.0.0.1:{port}/acme/"
        excluded = await enter(conn, site, excluded=True)
        await enter(conn, None)
        await enter(conn, site, auto_check=False)
        await conn.execute("update bellhand_sites.businesses set name = 'x'")
        assert await jobs(conn) == []
        await conn.execute(
            "insert into bellhand.jobs (kind, payload) values ('sites.validate', $1)",
            f'{{"business_id": {excluded}}}',
        )
        (row,) = await all_over(conn, 1)
        assert row["state"] == "cancelled"
        assert "excluded" in row["error"]
        await conn.execute(
            "update bellhand_sites.businesses set excluded = false where id = $1", excluded
        )
        await all_over(conn, 5)


async def test_entering_businesses_never_fails_for_want_of_a_daemon(conn):
    warnings = []
    conn.add_log_listener(lambda _, message: warnings.append(message))
    number = await enter(conn, "http://acme.test/")
    assert (await business(conn, number))["website"] == "http://acme.test/"
    assert await jobs(conn) == []
    await eventually(lambda: warnings)
    assert "were not enqueued" in warnings[0].message
    assert "enqueue_unchecked" in warnings[0].hint


async def test_what_could_not_be_enqueued_can_be_made_up_for(dsn, conn):
    async with acme() as port:
        await enter(conn, f"http://127.0.0.1:{port}/acme/")
        async with daemon(dsn, port):
            assert await conn.fetchval("select bellhand_sites.enqueue_unchecked()") == 4
            await all_over(conn, 4)
            assert await conn.fetchval("select bellhand_sites.enqueue_unchecked()") == 0


async def test_an_address_alone_enters_a_business_once(dsn, conn):
    async with acme() as port, daemon(dsn, port):
        for kind in ("sites.validate", "sites.emails", "sites.socials", "sites.emails"):
            await conn.execute(
                "insert into bellhand.jobs (kind, payload) values ($1, $2)",
                kind,
                f'{{"url": "127.0.0.1:{port}/acme/"}}',
            )
        await all_over(conn, 4)
        (row,) = await conn.fetch("select * from bellhand_sites.businesses")
        assert row["website"] == f"http://127.0.0.1:{port}/acme/"
        assert (row["website_status"], len(row["emails"]), len(row["socials"])) == ("ok", 3, 2)


async def test_a_page_that_fails_leaves_the_rest_and_is_read_alone_on_retry(dsn, conn):
    asked: list[str] = []
    broken = True

    async def contact(request: web.Request) -> web.Response:
        asked.append("contact")
        if broken:
            return web.Response(status=503)
        return web.Response(text=CONTACT, content_type="text/html")

    async def imprint(request: web.Request) -> web.Response:
        asked.append("imprint")
        return web.Response(text=IMPRINT, content_type="text/html")

    async with (
        serving(
            ("/acme/", html(HOME)), ("/acme/contact.html", contact), ("/acme/impressum", imprint)
        ) as port,
        daemon(dsn, port),
    ):
        number = await enter(conn, f"http://127.0.0.1:{port}/acme/", auto_check=False)
        await conn.execute(
            "insert into bellhand.jobs (kind, payload) values ('sites.emails', $1)",
            f'{{"business_id": {number}}}',
        )
        (row,) = await all_over(conn, 1)
        assert (row["state"], row["partial"]) == ("completed", True)
        assert (await business(conn, number))["emails"] == [
            "info@acme-glass.com",
            "legal@acme-glass.com",
        ]
        broken = False
        asked.clear()
        await conn.execute("select bellhand.retry($1)", row["id"])
        await eventually(lambda: asked)
        (row,) = await all_over(conn, 1)
        assert asked == ["contact"]
        assert (row["state"], row["partial"]) == ("completed", False)
        assert len((await business(conn, number))["emails"]) == 3


async def test_what_a_site_no_longer_shows_is_forgotten_unless_a_page_was_missing(dsn, conn):
    pages = {"home": "<p>old@acme-glass.com</p><a href='contact'>Contact</a>", "contact": "x"}
    statuses = {"contact": 200}

    async def home(_: web.Request) -> web.Response:
        return web.Response(text=pages["home"], content_type="text/html")

    async def contact(_: web.Request) -> web.Response:
        return web.Response(status=statuses["contact"], text="<p>two@acme-glass.com</p>")

    async with serving(("/", home), ("/contact", contact)) as port, daemon(dsn, port):
        number = await enter(conn, f"http://127.0.0.1:{port}/", auto_check=False)
        shown = []
        for text, answer in (("old", 200), ("new", 503), ("new", 200)):
            pages["home"] = f"<p>{text}@acme-glass.com</p><a href='contact'>Contact</a>"
            statuses["contact"] = answer
            await conn.execute(
                "insert into bellhand.jobs (kind, payload) values ('sites.emails', $1)",
                f'{{"business_id": {number}}}',
            )
            await all_over(conn, len(shown) + 1)
            detail = await conn.fetch("select address from bellhand_sites.emails order by 1")
            row = await business(conn, number)
            assert sorted(row["emails"]) == [d["address"] for d in detail]
            shown.append(sorted(a.partition("@")[0] for a in row["emails"]))
    assert shown == [["old"], ["new", "old"], ["new"]]


async def test_a_website_that_changes_under_a_running_job_is_read_anew_by_the_same_job(dsn, conn):
    at_door, go = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        at_door.set()
        await go.wait()
        return web.Response(text="<p>old@acme-glass.com</p>", content_type="text/html")

    async with (
        serving(("/old", slow), ("/new", html("<p>new@acme-glass.com</p>"))) as port,
        daemon(dsn, port),
    ):
        number = await enter(conn, f"http://127.0.0.1:{port}/old", auto_check=False)
        await conn.execute(
            "insert into bellhand.jobs (kind, payload, unique_key) values ('sites.emails', $1, $2)",
            f'{{"business_id": {number}}}',
            f"business:{number}",
        )
        async with asyncio.timeout(60):
            await at_door.wait()
        await conn.execute(
            "update bellhand_sites.businesses set website = $2, auto_check = true where id = $1",
            number,
            f"http://127.0.0.1:{port}/new",
        )
        go.set()
        rows = await all_over(conn, 4)
        assert {row["state"] for row in rows} == {"completed"}
        assert rows[0]["attempts"] == 0, "no attempt was burned"
        assert (await business(conn, number))["emails"] == ["new@acme-glass.com"]


@pytest.mark.parametrize(
    ("kind", "payload", "why"),
    [
        ("sites.emails", '{"business_id": 999}', "no business 999"),
        ("sites.emails", '{"url": "http://10.0.0.1/"}', "not a public one"),
        ("sites.socials", '{"url": "ftp://acme.com/"}', "http and https"),
        ("sites.validate", "{}", "business_id or url"),
        ("sites.validate", '{"business_id": 1, "url": "x"}', "business_id or url"),
    ],
)
async def test_a_job_that_can_never_work_fails_at_once_and_says_why(dsn, conn, kind, payload, why):
    async with daemon(dsn, 80):
        await conn.execute(
            "insert into bellhand.jobs (kind, payload) values ($1, $2)", kind, payload
        )
        (row,) = await all_over(conn, 1)
    assert (row["state"], row["attempts"]) == ("failed", 1)
    assert why in row["error"]


@pytest.mark.parametrize(
    "payload",
    ['{"business_id": "one"}', '{"bussiness_id": 1}', '{"url": 5}'],
)
async def test_a_payload_that_does_not_fit_is_refused_at_the_insert(dsn, conn, payload):
    async with daemon(dsn, 80):
        with pytest.raises(asyncpg.PostgresError) as caught:
            await conn.execute(
                "insert into bellhand.jobs (kind, payload) values ('sites.emails', $1)", payload
            )
    assert caught.value.sqlstate == "BH002"


async def test_naughty_pages_reach_the_tables_as_clean_text(dsn, conn):
    async def naughty(_: web.Request) -> web.Response:
        body = b"<title>a\x00b\xff&#xD800;</title>\x00<p>info\x00@acme-glass.com</p>"
        return web.Response(body=body, content_type="text/html")

    async with serving(("/", naughty)) as port, daemon(dsn, port):
        number = await enter(conn, f"http://127.0.0.1:{port}/")
        rows = await all_over(conn, 4)
        assert {row["state"] for row in rows} == {"completed"}
        assert "b" in (await business(conn, number))["website_title"]


async def test_ten_thousand_businesses_are_entered_in_one_statement(dsn, conn):
    async with daemon(dsn, 80):
        pass
    await conn.execute(
        "insert into bellhand_sites.businesses (website)"
        " select 'http://acme' || n || '.test/' from generate_series(1, 10000) n"
    )
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 40_000


async def test_a_producer_may_enter_businesses_but_not_their_results(conn):
    if not await conn.fetchval("select true from pg_roles where rolname = 'bellhand_producer'"):
        pytest.skip("the role bellhand_producer could not be created here")
    await conn.execute("set role bellhand_producer")
    number = await enter(conn, "http://acme.test/", name="Acme")
    assert number
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute("update bellhand_sites.businesses set website_status = 'ok'")
