"""Reading a site politely: robots, one visit for several jobs, mail domains asked about."""

import json

from aiohttp import web

from businesses import all_over, business, daemon, enter
from websites import html, serving

HOME = """<p>one@acme-glass.com (413) 732-8702<a href="contact">Contact</a>
    <a href="/about">About us</a><a href="https://www.facebook.com/AcmeGlass">f</a>"""
CONTACT = "<p>two@nomail-glass.com three@nowhere-glass.com four@silent-glass.com<p>Fax 413-732-8703"


async def test_four_checks_of_one_business_visit_each_page_once_or_twice(dsn, conn):
    asked = []

    async def page(request):
        asked.append(request.path)
        text = {"/": HOME, "/contact": CONTACT, "/about": "<p>x"}.get(request.path)
        return web.Response(text=text or "", status=200 if text else 404, content_type="text/html")

    async with serving(("/{any:.*}", page)) as port, daemon(dsn, port):
        number = await enter(conn, f"http://127.0.0.1:{port}/")
        rows = await all_over(conn, 4)
        row = await business(conn, number)
    assert {r["state"] for r in rows} == {"completed"}
    assert row["phones"] == ["+14137328702"]
    assert row["faxes"] == ["+14137328703"]
    # The look asks anew, so that its time is the site's; the others share.
    visits = {path: asked.count(path) for path in ("/", "/contact", "/about", "/robots.txt")}
    assert visits == {"/": 2, "/contact": 1, "/about": 1, "/robots.txt": 1}
    assert len(asked) == 6, "and one page that cannot exist"


async def test_a_page_changed_since_is_fetched_anew_by_a_later_job(dsn, conn):
    texts = ["<p>old@acme-glass.com", "<p>new@acme-glass.com"]

    async def home(_):
        return web.Response(text=texts.pop(0), content_type="text/html")

    async with serving(("/", home)) as port, daemon(dsn, port):
        number = await enter(conn, f"http://127.0.0.1:{port}/", auto_check=False)
        for count in (1, 2):
            await conn.execute(
                "insert into bellhand.jobs (kind, payload) values ('sites.emails', $1)",
                json.dumps({"business_id": number}),
            )
            await all_over(conn, count)
        assert (await business(conn, number))["emails"] == ["new@acme-glass.com"]


async def test_addresses_at_domains_without_mail_are_kept_apart_and_unknown_is_not_bad(dsn, conn):
    records = {
        "nomail-glass.com": {"MX": ["0 ."]},
        "nowhere-glass.com": None,
        "silent-glass.com": "servfail",
        "acme-glass.com": {"A": ["192.0.2.1"]},
    }
    async with (
        serving(("/", html(HOME)), ("/contact", html(CONTACT))) as port,
        daemon(dsn, port, records=records),
    ):
        number = await enter(conn, f"http://127.0.0.1:{port}/", auto_check=False)
        emails = "insert into bellhand.jobs (kind, payload) values ('sites.emails', $1)"
        await conn.execute(emails, json.dumps({"business_id": number}))
        await all_over(conn, 1)
        row = await business(conn, number)
        found = await conn.fetch("select address, mail from bellhand_sites.emails order by 1")
    assert dict(found) == {
        "four@silent-glass.com": "unknown",
        "one@acme-glass.com": "address",
        "three@nowhere-glass.com": "missing",
        "two@nomail-glass.com": "refused",
    }
    assert row["emails"] == ["one@acme-glass.com", "four@silent-glass.com"]


async def test_pages_that_robots_may_not_read_are_left_out_and_the_rest_is_read(dsn, conn):
    async def rules(_):
        return web.Response(text="User-agent: *\nDisallow: /contact")

    async with (
        serving(("/robots.txt", rules), ("/", html(HOME)), ("/contact", html(CONTACT))) as port,
        daemon(dsn, port),
    ):
        number = await enter(conn, f"http://127.0.0.1:{port}/", auto_check=False)
        for path in ("", "contact"):
            await conn.execute(
                "insert into bellhand.jobs (kind, payload) values ('sites.emails', $1)",
                json.dumps(
                    {"business_id": number}
                    if not path
                    else {"url": f"http://127.0.0.1:{port}/{path}"}
                ),
            )
        rows = await all_over(conn, 2)
        assert (await business(conn, number))["emails"] == ["one@acme-glass.com"]
    assert [row["state"] for row in rows] == ["completed", "cancelled"]
    assert '"pages_forbidden": 1' in rows[0]["progress"]
    assert "robots.txt keeps bellhand away" in rows[1]["error"]


async def test_a_host_that_asks_for_peace_puts_the_job_off_without_burning_an_attempt(dsn, conn):
    answers = [web.Response(status=429, headers={"Retry-After": "1"})]

    async def home(_):
        return answers.pop() if answers else web.Response(text=HOME, content_type="text/html")

    async with serving(("/", home)) as port, daemon(dsn, port, wait_seconds_max=0.1) as ours:
        await ours.web.get(f"http://127.0.0.1:{port}/")
        await conn.execute(
            "insert into bellhand.jobs (kind, payload) values ('sites.socials', $1)",
            json.dumps({"url": f"http://127.0.0.1:{port}/"}),
        )
        (row,) = await all_over(conn, 1)
    assert (row["state"], row["attempts"]) == ("completed", 0)
