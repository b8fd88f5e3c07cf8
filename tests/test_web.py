"""The fetcher against real servers: what comes back, how it is unpacked, where it stops."""

import asyncio
import gzip
import itertools
import resource
import ssl
import subprocess
import zlib

import pytest
from aiohttp import web

from bellhand.clients.errors import BadAnswer, Unreachable, WebError
from websites import Names, html, local_web, raw_server, serving


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
        assert loop.time() - started < 20
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


async def test_a_server_sees_exactly_the_requests_that_are_accounted_for():
    """It reads a request and closes: a kept connection is followed by a fresh one once, a fresh one by none."""
    seen: list[tuple[int, str]] = []
    connections = itertools.count()

    async def talk(reader, writer):
        connection = next(connections)
        for n in itertools.count():
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            seen.append((connection, path))
            if path == "/never" or (path == "/shy" and n > 0):
                return
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"
            )

    async with raw_server(talk) as port, local_web(port, seconds_max=5) as fetcher:
        for path, requests in (("/first", 1), ("/second", 1), ("/shy", 2)):
            assert (await fetcher.get(f"http://127.0.0.1:{port}{path}")).requests == requests
        assert seen == [(0, "/first"), (0, "/second"), (0, "/shy"), (1, "/shy")]
        for connection in (2, 3):
            with pytest.raises(Unreachable, match="lost"):
                await fetcher.get(f"http://127.0.0.1:{port}/never")
            # The first goes over the connection of /shy, then over a fresh one; the second only over that.
            assert seen[-1] == (connection, "/never")
        assert seen[4:] == [(1, "/never"), (2, "/never"), (3, "/never")]
        with pytest.raises(Unreachable):
            await fetcher.head(f"http://127.0.0.1:{port}/never")
        assert len(seen) == 8


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
    assert (
        str(name.value) == f"there is no such host: nowhere.test:{port}: Name or service not known"
    )
    assert str(door.value).startswith(f"no connection: 127.0.0.1:{port}: ")
    assert "ssl:default" not in str(door.value)


async def test_status_and_headers_come_back_whatever_the_status():
    async def gone(_):
        return web.Response(status=410, text="gone", headers={"Retry-After": "7"})

    async with serving(("/", gone)) as port, local_web(port) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/")
    assert page.status == 410
    assert page.headers["retry-after"] == "7"
    assert 0 < page.elapsed_seconds < 30


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

    async with serving(("/", note)) as port, local_web(port, host_delay_seconds=0.3) as fetcher:
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(fetcher.get(f"http://127.0.0.1:{port}/") for _ in range(4)))
    # By their turns: what is late on its way makes the gap after it shorter.
    late = [when - began - 0.3 * n for n, when in enumerate(at)]
    assert min(late) > -0.02, at


async def test_waiting_for_a_turn_does_not_count_against_the_page():
    async def slow(_):
        await asyncio.sleep(0.25)
        return web.Response(text="ok")

    async with (
        serving(("/", slow)) as port,
        local_web(port, connections_per_host=1, seconds_max=1.5) as fetcher,
    ):
        pages = await asyncio.gather(*(fetcher.get(f"http://127.0.0.1:{port}/") for _ in range(8)))
    assert max(page.elapsed_seconds for page in pages) < 1.5


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
