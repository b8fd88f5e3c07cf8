"""The fetcher against real servers: what gets in, what comes back, where it stops."""

import asyncio
import gzip
import itertools
import json
import resource
import ssl
import subprocess
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from aiohttp.resolver import AsyncResolver, ThreadedResolver

from bellhand.clients.errors import BadAnswer, Forbidden, Unreachable, WebError
from bellhand.clients.guard import socket_guard
from bellhand.clients.urls import parse
from bellhand.clients.web import Web, WebLimits
from websites import Names, StraightHome, html, local_web, raw_server, redirect, serving

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


@pytest.mark.parametrize("resolver", [ThreadedResolver, AsyncResolver, StraightHome])
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


async def test_proxies_of_the_environment_are_ignored(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with serving(("/", html("direct"))) as port, local_web(port) as fetcher:
        assert (await fetcher.get(f"http://127.0.0.1:{port}/")).text == "direct"


def packed(data: bytes, encoding: str):
    async def answer(_):
        return web.Response(
            body=data, content_type="text/html", headers={"Content-Encoding": encoding}
        )

    return answer


async def test_a_gzip_bomb_is_stopped_before_it_unfolds():
    bomb = gzip.compress(bytes(300 * 2**20), 9)
    assert len(bomb) < 400_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with serving(("/", packed(bomb, "gzip"))) as port, local_web(port) as fetcher:
        with pytest.raises(BadAnswer) as caught:
            await fetcher.get(f"http://127.0.0.1:{port}/")
    assert caught.value.code == "bomb"
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 60_000, f"memory grew by {grown_kib} KiB"


async def test_a_bomb_of_countless_gzip_members_is_stopped():
    flood = gzip.compress(b"") * 50_000
    async with serving(("/", packed(flood, "gzip"))) as port, local_web(port) as fetcher:
        with pytest.raises(BadAnswer, match="members"):
            await fetcher.get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compressobj(wbits=-15).compress(data) or raw_deflate(data)),
        ("identity", bytes),
    ],
)
async def test_packed_pages_are_unpacked(encoding, pack):
    text = "<p>grüße</p>" * 10_000
    handler = packed(pack(text.encode()), encoding)
    async with serving(("/", handler)) as port, local_web(port) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/")
    assert page.text == text
    assert not page.truncated


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


async def test_a_body_packed_in_a_way_nobody_asked_for_is_refused():
    async with (
        serving(("/br", packed(b"x", "br")), ("/gz", packed(b"not gzip", "gzip"))) as port,
        local_web(port) as fetcher,
    ):
        with pytest.raises(BadAnswer) as strange:
            await fetcher.get(f"http://127.0.0.1:{port}/br")
        with pytest.raises(BadAnswer) as broken:
            await fetcher.get(f"http://127.0.0.1:{port}/gz")
    assert strange.value.code == "bad_encoding"
    assert broken.value.code == "bad_response"


async def test_an_endless_body_is_cut_at_its_limit_and_says_so():
    async def endless(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with raw_server(endless) as port, local_web(port, body_bytes_max=200_000) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/")
        assert page.truncated
        assert len(page.body) == 200_000
        with pytest.raises(BadAnswer) as caught:
            await fetcher.get(f"http://127.0.0.1:{port}/", whole=True)
    assert caught.value.code == "body_too_large"


async def test_a_body_that_drips_ends_at_the_total_time():
    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    loop = asyncio.get_running_loop()
    async with raw_server(drip) as port, local_web(port, seconds_max=0.5) as fetcher:
        started = loop.time()
        with pytest.raises(Unreachable) as caught:
            await fetcher.get(f"http://127.0.0.1:{port}/")
        assert loop.time() - started < 2
    assert caught.value.code == "timeout"
    assert caught.value.retryable


async def test_dripping_headers_end_at_the_total_time_too():
    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_server(drip) as port, local_web(port, seconds_max=0.5) as fetcher:
        with pytest.raises(Unreachable, match="too long"):
            await fetcher.get(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "disconnected"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "bad_response"),
    ],
)
async def test_answers_that_are_no_http_have_a_name(answer, code):
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with raw_server(talk) as port, local_web(port, seconds_max=5) as fetcher:
        with pytest.raises(WebError) as caught:
            await fetcher.get(f"http://127.0.0.1:{port}/")
    assert caught.value.code == code


async def test_a_body_that_breaks_off_is_kept_as_far_as_it_came():
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9999\r\n\r\n"
        writer.write(head + b"<p>half a page")

    async with raw_server(talk) as port, local_web(port) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/")
    assert page.truncated
    assert page.text == "<p>half a page"


async def test_names_that_do_not_exist_and_doors_that_are_shut_say_whether_to_try_again():
    async with serving(("/", html("x"))) as port:
        pass
    async with local_web(port, resolver=Names()) as fetcher:
        with pytest.raises(Unreachable) as name:
            await fetcher.get(f"http://nowhere.test:{port}/")
        with pytest.raises(Unreachable) as door:
            await fetcher.get(f"http://127.0.0.1:{port}/")
    assert (name.value.code, name.value.retryable) == ("dns", False)
    assert (door.value.code, door.value.retryable) == ("connect", True)


async def test_status_and_headers_come_back_whatever_the_status():
    async def gone(_):
        return web.Response(status=410, text="gone", headers={"Retry-After": "7"})

    async with serving(("/", gone)) as port, local_web(port) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/")
    assert page.status == 410
    assert page.headers["retry-after"] == "7"
    assert 0 < page.elapsed_seconds < 5


@pytest.mark.parametrize(
    ("declared", "body", "text"),
    [
        ("text/html; charset=iso-8859-1", "caf\u00e9".encode("latin-1"), "café"),
        ("text/html", '<meta charset="windows-1251">\u041f\u0440'.encode("cp1251"), "Пр"),
        ("text/html", "\ufeffgrüße".encode(), "grüße"),
        ("text/html; charset=no-such", "grüße".encode(), "grüße"),
        ("text/html; charset=utf-8", b"a\xffb", "a\ufffdb"),
        ("image/png", b"\x89PNG", ""),
    ],
)
async def test_text_is_decoded_as_browsers_do(declared, body, text):
    async def answer(_):
        return web.Response(body=body, headers={"Content-Type": declared})

    async with serving(("/", answer)) as port, local_web(port) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/")
    assert page.text.endswith(text)
    assert page.body == body


async def test_what_is_no_page_can_be_left_unread():
    async def film(_):
        return web.Response(body=b"x" * 1_000_000, content_type="video/mp4")

    async with serving(("/", film)) as port, local_web(port) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/", html_only=True)
    assert page.body == b""
    assert not page.is_html
    assert page.content_type == "video/mp4"


async def test_a_host_is_asked_by_so_many_at_once_and_no_more():
    running = most = 0

    async def slow(_):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return web.Response(text="ok")

    async with serving(("/", slow)) as port, local_web(port, connections_per_host=3) as fetcher:
        await asyncio.gather(*(fetcher.get(f"http://127.0.0.1:{port}/") for _ in range(20)))
        assert fetcher._turns._hosts == {}, "hosts nobody asks for are forgotten"
    assert most == 3


async def test_a_polite_fetcher_leaves_time_between_two_visits():
    at = []

    async def note(_):
        at.append(asyncio.get_running_loop().time())
        return web.Response(text="ok")

    async with serving(("/", note)) as port, local_web(port, host_delay_seconds=0.1) as fetcher:
        await asyncio.gather(*(fetcher.get(f"http://127.0.0.1:{port}/") for _ in range(4)))
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert min(gaps) > 0.08


async def test_waiting_for_a_turn_does_not_count_against_the_page():
    async def slow(_):
        await asyncio.sleep(0.1)
        return web.Response(text="ok")

    async with (
        serving(("/", slow)) as port,
        local_web(port, connections_per_host=1, seconds_max=0.4) as fetcher,
    ):
        pages = await asyncio.gather(*(fetcher.get(f"http://127.0.0.1:{port}/") for _ in range(8)))
    assert max(page.elapsed_seconds for page in pages) < 0.4


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=shop.test"
        " -addext subjectAltName=DNS:shop.test -keyout key.pem -out cert.pem"
    )
    try:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("the openssl program is missing; it makes the test's certificate")
    return folder


async def test_the_certificates_last_day_is_told_and_a_bad_one_is_refused(certificate):
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trust = ssl.create_default_context(cafile=certificate / "cert.pem")
    names = Names(shop_test=["127.0.0.1"], other_test=["127.0.0.1"])
    async with serving(("/", html("safe")), ssl_context=ours) as port:
        async with local_web(port, resolver=names, tls=trust) as fetcher:
            page = await fetcher.get(f"https://shop.test:{port}/")
            assert page.text == "safe"
            assert ssl.cert_time_to_seconds(page.tls_expires) > 0
            with pytest.raises(Unreachable) as other_name:
                await fetcher.get(f"https://other.test:{port}/")
        async with local_web(port, resolver=names) as strangers:
            with pytest.raises(Unreachable) as unknown_issuer:
                await strangers.get(f"https://shop.test:{port}/")
    for caught in (other_name, unknown_issuer):
        assert caught.value.code == "tls"
        assert not caught.value.retryable
