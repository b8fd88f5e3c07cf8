"""What the fetcher refuses: inside addresses in any spelling, odd redirects, names that turn."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from aiohttp.resolver import ThreadedResolver

from bellhand.clients.errors import BadAnswer, Forbidden, WebError
from bellhand.clients.guard import socket_guard
from bellhand.clients.urls import parse
from bellhand.clients.web import Web, WebLimits
from websites import Names, StraightHome, html, local_web, redirect, serving

HERE = Path(__file__).parent
# Every one of these is, to some parser or resolver, loopback or a metadata service.
SPELLINGS = (HERE / "data/inside-hosts.txt").read_text(encoding="utf-8").split()


def test_the_list_of_spellings_is_long_enough():
    assert len(set(SPELLINGS)) >= 39


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_an_inside_address_reaches_a_server(spelling):
    reached = []

    async def secret(request):
        reached.append(request)
        return web.Response(text="secret")

    async with serving(("/{any:.*}", secret)) as port:
        resolver = Names(**{"localhost": ["127.0.0.1"], "localhost.": ["127.0.0.1"]})
        for names in (None, resolver):
            async with Web(WebLimits(ports=(port,), seconds_max=5), resolver=names) as fetcher:
                host, mark, rest = spelling.partition("#")
                for text in (f"http://{host}:{port}/{mark}{rest}", f"http://{spelling}:{port}/"):
                    with pytest.raises(WebError):
                        await fetcher.get(text)
    assert reached == []


@pytest.mark.parametrize("resolver", [ThreadedResolver, StraightHome])
async def test_the_guard_alone_stops_every_spelling_whatever_the_resolver_makes_of_it(resolver):
    reached = []

    async def secret(request):
        reached.append(request)
        return web.Response(text="secret")

    async with serving(("/{any:.*}", secret)) as port:
        connector = TCPConnector(socket_factory=socket_guard(), resolver=resolver())
        timeout = ClientTimeout(total=3)
        async with ClientSession(connector=connector, timeout=timeout) as session:
            for spelling in SPELLINGS:
                with suppress(ClientError, OSError, ValueError):
                    await session.get(f"http://{spelling}:{port}/")
    assert reached == []


async def test_a_private_address_is_refused_with_what_why_and_fix():
    async with Web(WebLimits()) as fetcher:
        with pytest.raises(Forbidden) as caught:
            await fetcher.get("http://169.254.169.254/latest/meta-data/")
    error = caught.value
    assert error.code == "blocked_address"
    assert not error.retryable
    assert "169.254.169.254" in str(error)
    assert "web.allow_networks" in str(error)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://127.0.0.1:6379/", "bad_port"),
        ("http://127.0.0.1:5432/", "bad_port"),
        ("http://127.0.0.1:25/", "bad_port"),
        ("http://127.0.0.1:99999/", "bad_url"),
        ("ftp://127.0.0.1/", "bad_scheme"),
        ("file:///etc/passwd", "bad_scheme"),
        ("gopher://127.0.0.1:70/_x", "bad_scheme"),
        ("javascript:alert(1)", "bad_scheme"),
        ("//127.0.0.1/", "bad_scheme"),
        ("", "bad_scheme"),
        ("http://", "bad_url"),
        ("http:///path", "bad_url"),
        ("http://a..b/", "bad_url"),
        ("http://" + "a" * 64 + ".com/", "bad_url"),
        ("http://" + "a." * 200 + "com/", "bad_url"),
        ("http://user:pass@127.0.0.1/", "bad_url"),
        ("http://2130706433/", "bad_url"),
        ("http://127.0.0.1/\x1b[2J", "bad_url"),
        ("http://127.0.0.1/\x00/", "bad_url"),
        ("http://127.0.0.1/" + "a" * 9000, "bad_url"),
        ("http://exa mple.com/", "bad_url"),
        ("http://[::1/", "bad_url"),
        ("http://\ud800/", "bad_url"),
    ],
)
async def test_an_address_that_may_not_be_asked_for_is_named_by_a_code(text, code):
    async with Web(WebLimits()) as fetcher:
        with pytest.raises(WebError) as caught:
            await fetcher.get(text)
    assert caught.value.code == code


async def test_every_address_of_the_url_standards_own_list_is_taken_or_refused_cleanly(test_data):
    path = test_data / "urls/urltestdata.json"
    cases = [case for case in json.loads(path.read_text()) if isinstance(case, dict)]
    ports = range(65536)
    taken, agreeing = 0, 0
    for case in cases:
        try:
            base = case.get("base") and parse(case["base"], ports=ports)
            url = parse(case["input"], ports=ports, base=base or None)
        except Forbidden:
            continue
        taken += 1
        assert url.scheme in ("http", "https")
        assert url.raw_host
        assert url.raw_user is None
        assert not case.get("failure"), f"the standard refuses {case['input']!r}"
        agreeing += url.raw_host == case["hostname"].strip("[]")
    assert len(cases) > 850
    assert taken > 150
    # The rest are addresses relative to a base, with more slashes than anybody writes.
    assert agreeing >= taken - 3, f"{agreeing} of {taken} hosts agree with the standard"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://169.254.169.254/", "blocked_address"),
        ("http://10.0.0.1/", "blocked_address"),
        ("http://[::1]/", "blocked_address"),
        ("http://127.0.0.1:22/", "bad_port"),
        ("file:///etc/passwd", "bad_scheme"),
        ("ftp://127.0.0.1/", "bad_scheme"),
        ("data:text/html,x", "bad_scheme"),
        ("http://name:word@127.0.0.1/", "bad_url"),
        ("http://a..b/", "bad_url"),
    ],
)
async def test_a_redirect_is_judged_like_an_address_of_its_own(status, target, code):
    async with serving(("/", redirect(target, status))) as port, local_web(port, 80) as fetcher:
        with pytest.raises(WebError) as caught:
            await fetcher.get(f"http://127.0.0.1:{port}/")
    assert caught.value.code == code


async def test_redirects_are_followed_and_told_in_order():
    async with (
        serving(
            ("/a", redirect("/b")),
            ("/b", redirect("c?q=ü", 301)),
            ("/c", html("<title>there</title>")),
        ) as port,
        local_web(port) as fetcher,
    ):
        page = await fetcher.get(f"http://127.0.0.1:{port}/a#part")
    assert page.url == f"http://127.0.0.1:{port}/a"
    assert page.final_url == f"http://127.0.0.1:{port}/c?q=%C3%BC"
    assert page.redirects == (f"http://127.0.0.1:{port}/b", page.final_url)
    assert page.status == 200
    assert page.text == "<title>there</title>"


async def test_a_circle_of_redirects_and_too_many_of_them_have_names_of_their_own():
    async def onward(request):
        number = int(request.match_info["number"])
        return web.Response(status=302, headers={"Location": f"/n/{number + 1}"})

    async with (
        serving(("/a", redirect("/b")), ("/b", redirect("/a")), ("/n/{number}", onward)) as port,
        local_web(port) as fetcher,
    ):
        with pytest.raises(BadAnswer) as circle:
            await fetcher.get(f"http://127.0.0.1:{port}/a")
        with pytest.raises(BadAnswer) as many:
            await fetcher.get(f"http://127.0.0.1:{port}/n/1")
    assert circle.value.code == "redirect_loop"
    assert many.value.code == "too_many_redirects"
    assert "/n/6" in many.value.url


async def test_credentials_stay_with_the_origin_they_were_given_for():
    seen = []

    async def tell(request):
        seen.append({k.lower(): v for k, v in request.headers.items()})
        return web.Response(text="ok")

    given = {"Authorization": "Bearer x", "Cookie": "s=1", "X-Plain": "stays"}
    async with serving(("/there", tell)) as far:
        hop = redirect(f"http://127.0.0.1:{far}/there")
        async with (
            serving(("/near", redirect("/there")), ("/there", tell), ("/far", hop)) as port,
            local_web(port, far) as fetcher,
        ):
            await fetcher.get(f"http://127.0.0.1:{port}/near", headers=given)
            await fetcher.get(f"http://127.0.0.1:{port}/far", headers=given)
    near, away = seen
    assert near["authorization"] == "Bearer x"
    assert near["cookie"] == "s=1"
    assert "authorization" not in away
    assert "cookie" not in away
    assert away["x-plain"] == "stays"


async def test_a_site_that_sets_a_cookie_and_sends_the_visitor_back_is_no_circle():
    async def wall(request):
        if request.cookies.get("seen") == "yes":
            return web.Response(text="welcome")
        return web.Response(status=302, headers={"Location": "/", "Set-Cookie": "seen=yes; Path=/"})

    names = Names(shop_test=["127.0.0.1"])
    async with serving(("/", wall)) as port, local_web(port, resolver=names) as fetcher:
        page = await fetcher.get(f"http://shop.test:{port}/")
        assert page.text == "welcome"
        again = await fetcher.get(f"http://shop.test:{port}/")
    assert len(again.redirects) == 1, "no cookie outlives its fetch"


async def test_a_name_that_turns_inward_between_lookups_is_refused_at_the_connection():
    names = Names(rebind_test=["127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"])

    async def close(request):
        return web.Response(text="hello", headers={"Connection": "close"})

    async with serving(("/", close)) as port, local_web(port, resolver=names) as fetcher:
        address = f"http://rebind.test:{port}/"
        assert (await fetcher.get(address)).text == "hello"
        for _ in range(3):
            fetcher._session.connector.clear_dns_cache()
            with pytest.raises(Forbidden, match="refused"):
                await fetcher.get(address)
    assert len(names.asked) == 4, "one lookup a connection: what was checked is what is used"


async def test_of_several_answers_only_the_public_one_is_used():
    names = Names(mixed_test=["10.0.0.1+127.0.0.1"], inside_test=["10.0.0.1+192.168.0.1"])
    async with serving(("/", html("ok"))) as port, local_web(port, resolver=names) as fetcher:
        assert (await fetcher.get(f"http://mixed.test:{port}/")).status == 200
        with pytest.raises(Forbidden, match="refused"):
            await fetcher.get(f"http://inside.test:{port}/")
