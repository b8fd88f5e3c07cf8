"""How a website fares: from answers and errors to one word on the business row."""

import ssl

from aiohttp import web

from bellhand.clients.errors import BadAnswer, Forbidden, Unreachable
from bellhand.clients.web import Page
from bellhand.families.sites import status
from businesses import all_over, business, daemon, enter
from websites import redirect, serving


async def test_every_sort_of_website_gets_its_word(dsn, conn):
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]), text="x")

    async with (
        serving(
            ("/status/{status}", answer), ("/a", redirect("/b")), ("/b", redirect("/a"))
        ) as port,
        daemon(dsn, port, 80),
    ):
        site = f"http://127.0.0.1:{port}"
        expected = {
            f"{site}/status/200": "ok",
            f"{site}/status/404": "not_found",
            f"{site}/status/410": "not_found",
            f"{site}/status/403": "refused",
            f"{site}/status/418": "error",
            f"{site}/status/501": "error",
            f"{site}/a": "error",
            "http://169.254.169.254/": "blocked",
            "http://127.0.0.1:22/": "blocked",
            "ftp://127.0.0.1/": "blocked",
            "not a website": "blocked",
            "http://nowhere.invalid/": "unreachable",
        }
        numbers = {text: await enter(conn, text, auto_check=False) for text in expected}
        for number in numbers.values():
            await conn.execute(
                "insert into bellhand.jobs (kind, payload, attempts_max)"
                " values ('sites.validate', $1, 1)",
                f'{{"business_id": {number}}}',
            )
        await all_over(conn, len(expected))
        words = {
            text: (await business(conn, number))["website_status"]
            for text, number in numbers.items()
        }
    assert words == expected


async def test_a_site_that_is_down_for_a_moment_is_looked_at_again(dsn, conn):
    answers = [503, 200]

    async def shaky(_: web.Request) -> web.Response:
        return web.Response(status=answers.pop(0), headers={"Retry-After": "0"}, text="x")

    async with serving(("/", shaky)) as port, daemon(dsn, port):
        number = await enter(conn, f"http://127.0.0.1:{port}/", auto_check=False)
        await conn.execute(
            "insert into bellhand.jobs (kind, payload) values ('sites.validate', $1)",
            f'{{"business_id": {number}}}',
        )
        (row,) = await all_over(conn, 1)
        assert row["state"] == "completed"
        assert answers == []
        assert (await business(conn, number))["website_status"] == "ok"


def page(**changes: object) -> Page:
    values: dict = {
        "url": "http://acme.com/", "final_url": "https://www.acme.com/", "status": 200,
        "headers": {"Content-Type": "text/html"}, "body": b"<title>T</title>",
        "text": "<title>T</title>", "redirects": (), "truncated": False, "elapsed_seconds": 0.1,
        "tls_expires": "Jun  1 12:00:00 2027 GMT", "ip": "1.1.1.1",
    }  # fmt: skip
    return Page(**{**values, **changes})


def test_another_host_of_the_same_domain_is_ok_and_another_domain_is_a_redirect():
    assert status.of_page("http://acme.com/", page()).word == "ok"
    assert (
        status.of_page("http://acme.com/", page(final_url="http://parked.com/")).word
        == "redirected"
    )
    seconds = status.of_page("http://acme.com/", page()).tls_expires
    assert seconds == ssl.cert_time_to_seconds("Jun  1 12:00:00 2027 GMT")


def test_errors_become_words():
    def word(error):
        return status.of_error(error).word

    at = {"url": "http://acme.com/"}
    assert word(Forbidden("blocked_address", "a", "b", **at)) == "blocked"
    assert word(Unreachable("dns", "a", "b", retryable=False, **at)) == "unreachable"
    assert word(Unreachable("tls", "a", "b", retryable=False, **at)) == "bad_certificate"
    assert word(BadAnswer("bomb", "a", "b", retryable=False, **at)) == "error"
