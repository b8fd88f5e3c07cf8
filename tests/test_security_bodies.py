"""Answers made to hurt: bombs, bodies without an end, pages built against parsers.

What is bounded is memory (tracemalloc), and time by pytest's own clock: a test that hangs fails.
"""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from bellhand.clients.body import Unpacker
from bellhand.clients.errors import BadAnswer, WebError
from bellhand.clients.text import text_of
from bellhand.families.sites.emails import find_emails
from bellhand.families.sites.markup import read
from bellhand.families.sites.pages import worth_visiting
from bellhand.families.sites.socials import find_socials
from businesses import all_over, business, daemon, enter
from support import cpu_at_most
from websites import html, local_web, raw_server, serving

MIB = 2**20
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@contextmanager
def memory_within(limit: int) -> Iterator[None]:
    """What Python holds may grow by so many bytes at the most, at any moment inside."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak / MIB:.0f} MiB"


def packed(data: bytes, *encodings: str):
    async def answer(_: web.Request) -> web.Response:
        response = web.Response(body=data, content_type="text/html")
        for encoding in encodings:
            response.headers.add("Content-Encoding", encoding)
        return response

    return answer


def raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(9, wbits=-15)
    return engine.compress(data) + engine.flush()


ZEROS = bytes(60 * MIB)
BOMBS = {
    "gzip": (gzip.compress(ZEROS, 9), ("gzip",), "bomb"),
    "deflate": (zlib.compress(ZEROS, 9), ("deflate",), "bomb"),
    "raw deflate": (raw_deflate(ZEROS), ("deflate",), "bomb"),
    "members": (gzip.compress(bytes(MIB), 9) * 60, ("gzip",), "bomb"),
    "empty members": (gzip.compress(b"") * 2000, ("gzip",), "bomb"),
    "nested": (gzip.compress(gzip.compress(ZEROS, 9), 9), ("gzip, gzip",), "bad_encoding"),
    "brotli": (b"\x5b\xff\xff\x3f", ("br",), "bad_encoding"),
    "zstd": (b"\x28\xb5\x2f\xfd", ("zstd",), "bad_encoding"),
    "compress": (b"\x1f\x9d", ("compress",), "bad_encoding"),
    "a list": (gzip.compress(ZEROS, 9), ("identity, gzip",), "bad_encoding"),
}
del ZEROS


@pytest.mark.parametrize("bomb", BOMBS)
async def test_no_bomb_unfolds(bomb):
    data, encodings, code = BOMBS[bomb]
    async with serving(("/", packed(data, *encodings))) as port, local_web(port) as fetcher:
        with memory_within(16 * MIB), pytest.raises(BadAnswer) as caught:
            await fetcher.get(f"http://127.0.0.1:{port}/")
    assert caught.value.code == code


async def test_what_is_packed_twice_is_unpacked_once_at_the_most():
    """Two headers, of which the first counts: the inner layer stays as it is."""
    data = gzip.compress(gzip.compress(bytes(20 * MIB), 9), 9)
    async with serving(("/", packed(data, "gzip", "gzip"))) as port, local_web(port) as fetcher:
        with memory_within(16 * MIB):
            page = await fetcher.get(f"http://127.0.0.1:{port}/")
    assert len(page.body) < 100_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw"])
def test_a_packed_body_may_come_byte_by_byte(encoding):
    text = b"<p>hello</p>" * 100
    data = {"gzip": gzip.compress, "deflate": zlib.compress, "raw": raw_deflate}[encoding](text)
    unpacker = Unpacker("gzip" if encoding == "gzip" else "deflate", ratio_max=100)
    got = b"".join(piece for n in range(len(data)) for piece in unpacker.feed(data[n : n + 1]))
    assert got == text


ENDLESS = {
    "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500, "timeout"),
    "hints": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 500, "timeout"),
    "status line": (b"HTTP/1.1 200 ", b"y" * 65536, "bad_response"),
    "header": (OK + b"X: ", b"y" * 65536, "bad_response"),
    "folded header": (OK + b"X: a\r\n", b" b\r\n" * 5000, "bad_response"),
    "headers": (OK, b"X: y\r\n" * 5000, "bad_response"),
    "chunk extension": (CHUNKED + b"1;", b"y" * 65536, "timeout"),
    "chunk size": (CHUNKED, b"0" * 65536, "timeout"),
    "tiny chunks": (CHUNKED, b"1\r\nx\r\n" * 5000, "timeout"),
    "trailers": (CHUNKED + b"1\r\nx\r\n0\r\n", b"X: y\r\n" * 5000, "bad_response"),
    "trailer": (CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"y" * 65536, "bad_response"),
    "silence": (b"", b"", "timeout"),
    "silence after the headers": (OK + b"Content-Length: 5\r\n\r\n", b"", "timeout"),
}


@pytest.mark.parametrize("sort", ENDLESS)
async def test_an_answer_that_never_ends_is_given_up(sort):
    first, more, code = ENDLESS[sort]

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        while True:
            writer.write(more)
            await writer.drain()
            await asyncio.sleep(0 if more else 1)

    limits: dict[str, Any] = {"seconds_max": 0.5, "body_bytes_max": 50_000_000}
    async with raw_server(talk) as port, local_web(port, **limits) as fetcher:
        with memory_within(16 * MIB), pytest.raises(WebError) as caught:
            await fetcher.get(f"http://127.0.0.1:{port}/")
    assert caught.value.code == code


async def test_a_handshake_that_never_ends_is_given_up():
    async def talk(reader, writer):
        while await reader.read(1000):
            pass

    async with raw_server(talk) as port, local_web(port, seconds_max=0.5) as fetcher:
        with pytest.raises(WebError) as caught:
            await fetcher.get(f"https://127.0.0.1:{port}/")
    assert caught.value.code == "timeout"


# Encodings


@pytest.mark.parametrize("where", ["header", "page"])
@pytest.mark.parametrize(
    "charset",
    [
        *("punycode", "idna", "zlib", "zip", "bz2", "hex", "base64", "quopri", "uu", "rot13"),
        *("undefined", "unicode_escape", "raw_unicode_escape", "utf-7", "mbcs", "no-such"),
    ],
)
async def test_a_page_cannot_choose_a_codec_that_hurts(charset, where):
    """In punycode this page of 2 MB would take many minutes; several of these are no text at all."""
    meta = f'<meta charset="{charset}">' if where == "page" else ""
    body = (meta + "ab9" * 350_000 + "-" + "zz9" * 350_000 + "grüße").encode()
    declared = "text/html" if where == "page" else f"text/html; charset={charset}"

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": declared})

    with cpu_at_most(20):
        async with serving(("/", answer)) as port, local_web(port) as fetcher:
            page = await fetcher.get(f"http://127.0.0.1:{port}/")
    assert page.text == body.decode()


@pytest.mark.parametrize(
    ("charsets", "codec", "text"),
    [
        ("latin1 iso-8859-1 us-ascii windows-1252", "cp1252", "é €"),
        ("iso-8859-15 latin9", "iso8859-15", "é €"),
        ("iso-8859-2", "iso8859-2", "ő"),
        ("utf-8 utf8 UTF-8", "utf-8", "é 東京"),
        ("utf-16le", "utf-16le", "é 東京"),
        ("windows-1251 cp1251", "cp1251", "Привет"),
        ("koi8-r", "koi8-r", "Привет"),
        ("ibm866", "cp866", "Привет"),
        ("gb2312 gbk gb18030", "gb18030", "北京"),
        ("big5", "big5hkscs", "台北"),
        ("shift_jis windows-31j", "cp932", "東京"),
        ("euc-jp", "euc-jp", "東京"),
        ("iso-2022-jp", "iso-2022-jp", "東京"),
        ("euc-kr", "cp949", "서울"),
        ("windows-874 tis-620", "cp874", "กข"),
        ("macintosh", "mac-roman", "é"),
    ],
)
def test_the_encodings_of_the_web_are_still_read(charsets, codec, text):
    for charset in charsets.split():
        assert text_of(f"text/html; charset={charset}", text.encode(codec)) == text


# Pages

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BILLION = f'<!DOCTYPE x [<!ENTITY l0 "haha">{LAUGHS}<!ENTITY f SYSTEM "file:///etc/passwd">]>'


async def test_entities_and_files_of_a_document_type_are_not_read(
    dsn: str, conn: asyncpg.Connection
):
    """Ten lines that are a gigabyte to an XML parser, and a file of ours."""
    page = f"<?xml version='1.0'?>{BILLION}<html><title>&l9;</title><p>&l9; &f; me@acme-glass.com</p></html>"

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="application/xhtml+xml")

    async with serving(("/", answer)) as port, daemon(dsn, port):
        number = await enter(conn, f"http://127.0.0.1:{port}/")
        rows = await all_over(conn, 4)
        row = await business(conn, number)
    assert {job["state"] for job in rows} == {"completed"}
    assert row["emails"] == ["me@acme-glass.com"]
    assert row["website_title"] == "&l9;"
    assert "root:" not in str([dict(job) for job in rows]) + str(dict(row))


N = 1_000_000
PAGES = {
    "amps": "&" * N,
    "amp": "&amp;" * (N // 5),
    "long entity": "&CounterClockwiseContourIntegral" * (N // 32),
    "numeric entities": "&#x10ffff;" * (N // 10),
    "entity declarations": f"<!DOCTYPE x [{BILLION * (N // len(BILLION))}",
    "comments": "<!--" * (N // 4),
    "cdata": "<svg><![CDATA[" * (N // 14),
    "adoption": "<a><b><i>" * (N // 9),
    "adoption in paragraphs": "".join(f"<font a{n}><p>" for n in range(N // 16)),
    "foster parents": "<table><td><a>" * (N // 14),
    "foreign": "<math><mi><svg>" * (N // 15),
    "select": "<select><option>" * (N // 16),
    "templates": "<template>" * (N // 10),
    "attribute": '<p a="' + "x" * N + '">',
    "attributes": ("<p " + "a=1 " * 490 + ">") * (N // 1970),
    "tag": "<" + "a" * N + ">",
    "title": "<title>" + "x " * (N // 2),
    "links": "".join(f"<a href=/contact/{n}>c</a>" for n in range(N // 30)),
    "link": '<a href="/contact?' + "a=b&" * (N // 4) + '">c</a>',
    "dots in a link": '<a href="/contact/' + "../" * (N // 3) + '">c</a>',
    "profiles": "".join(f"<a href=//facebook.com/u{n}>f</a>" for n in range(N // 36)),
    "profile": '<a href="https://facebook.com/pages/' + "a-" * (N // 2) + '">f</a>',
    "shields": "<a data-cfemail=00>" * (N // 19),
    "shield": '<a data-cfemail="' + "00" * (N // 2) + '">',
    "frames": "<frame src=/x>" * (N // 14),
    "refreshes": "<meta http-equiv=refresh content='0;url=/x'>" * (N // 44),
    "data": "<script type=application/ld+json>{}</script>" * (N // 44),
    "a number": f"<script type=application/ld+json>{'9' * N}</script>",
    "sameAs": f"<script type=application/ld+json>{json.dumps({'sameAs': ['//x.com/a'] * (N // 15)})}</script>",
    "NUL": "\0" * N,
    "right to left": "\u202e" * N,
}


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_slow_in_any_reader(page):
    with cpu_at_most(20):
        markup = read(PAGES[page])
        assert len(markup.title) <= 500
        assert len(find_emails(markup)) <= 500
        assert len(find_socials(markup, "acme.com")) <= 500
        assert len(worth_visiting(markup, "http://acme.com/", 5)) <= 5


def test_a_link_of_a_million_dots_is_nobodys_profile():
    with cpu_at_most(20):
        assert find_socials(read('<a href="' + "a." * (N // 2) + '">x</a>')) == []


async def test_a_title_of_the_web_is_stored_as_text_and_cut(dsn: str, conn: asyncpg.Connection):
    hostile = "<title>\x1b[2J'); drop table x; -- \u202e&lt;script&gt;" + "x" * 5000
    async with serving(("/", html(hostile))) as port, daemon(dsn, port):
        number = await enter(conn, f"http://127.0.0.1:{port}/")
        await all_over(conn, 4)
        title = (await business(conn, number))["website_title"]
    assert title.startswith("\x1b[2J'); drop table x; -- \u202e<script>x")
    assert len(title) == 500
