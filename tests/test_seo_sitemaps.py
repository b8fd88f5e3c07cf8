"""Sitemaps of every sort, and files that pretend to be one."""

import gzip
import tracemalloc

import pytest

from bellhand.families.seo.sitemaps import URLS_MAX, read_sitemap
from support import cpu_at_most

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
ENTITIES = "".join(
    f'<!ENTITY {name} "{"&" + before + ";" if before else "ha"}{("&" + before + ";") * 9 if before else ""}">'
    for before, name in zip(["", *"abcdefgh"], "abcdefghi", strict=True)
)


def urlset(*entries: str) -> bytes:
    return f"<urlset {NAMESPACE}>{''.join(entries)}</urlset>".encode()


def url(address: str) -> str:
    return f"<url><loc>{address}</loc><lastmod>2020-01-01</lastmod></url>"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (urlset(url(" http://a.test/1 "), url("http://a.test/?a=1&amp;b=2")), ["1", "?a=1&b=2"]),
        (b"<urlset><url><loc><![CDATA[http://a.test/x]]></loc></url></urlset>", ["x"]),
        (b"\xef\xbb\xbf<?xml version='1.0'?><urlset><url><loc>http://a.test/b</loc></url></urlset>", ["b"]),
        ("<urlset><url><loc>http://a.test/\xe9</loc></url></urlset>".encode("utf-16"), ["\xe9"]),
        (gzip.compress(urlset(url("http://a.test/z"))), ["z"]),
        (b"http://a.test/1\r\n\r\nhttp://a.test/2\n", ["1", "2"]),
        (b"<rss><channel><link>http://a.test/home</link><item><link>http://a.test/i</link></item></channel></rss>", ["i"]),
        (b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><link rel="edit" href="http://a.test/e"/>'
         b'<link href="http://a.test/f"/></entry></feed>', ["f"]),
        (urlset("<url><loc>http://a.test/p</loc><image:image xmlns:image='i'><image:loc>http://a.test/pic"
                "</image:loc></image:image></url>"), ["p"]),
    ],
)  # fmt: skip
def test_addresses_are_found_in_every_sort(body: bytes, found: list[str]) -> None:
    sitemap = read_sitemap(body)
    assert [page.removeprefix("http://a.test/") for page in sitemap.pages] == found
    assert (sitemap.sitemaps, sitemap.error) == ([], None)


def test_an_index_leads_to_other_sitemaps() -> None:
    body = b"<sitemapindex><sitemap><loc>http://a.test/1.xml.gz</loc></sitemap></sitemapindex>"
    sitemap = read_sitemap(body)
    assert (sitemap.pages, sitemap.sitemaps) == ([], ["http://a.test/1.xml.gz"])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no address"),
        (b"<html><body>Not found</body></html>", "begins with <html>"),
        (b"<!doctype html><p>x", "broken XML"),
        (b"\x1f\x8bnot gzip at all", "unpacked"),
        (b"some text", "no address"),
        (b"\x89PNG\r\n\x1a\n", "no address"),
        (urlset(url("http://a.test/1"))[:-20], "broken XML"),
        (urlset(*[url(f"http://a.test/{n}") for n in range(URLS_MAX + 1)]), "more than 50000"),
    ],
)
def test_what_is_none_or_broken_says_so(body: bytes, why: str) -> None:
    sitemap = read_sitemap(body)
    assert why in (sitemap.error or "")
    assert len(sitemap.pages) <= URLS_MAX


def test_what_was_read_before_the_fault_counts() -> None:
    body = b"<urlset><url><loc>http://a.test/1</loc></url><url><loc>http://a.te"
    assert read_sitemap(body).pages == ["http://a.test/1"]


@pytest.mark.parametrize(
    "body",
    [
        f"<!DOCTYPE x [{ENTITIES}]><urlset><url><loc>http://a.test/&i;</loc></url></urlset>".encode(),
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><urlset><url><loc>http://a.test/&e;</loc></url></urlset>',
        b'<!DOCTYPE urlset SYSTEM "http://127.0.0.1:1/x.dtd"><urlset><url><loc>http://a.test/</loc></url></urlset>',
        gzip.compress(urlset() + b" " * 100_000_000),
        b"<urlset>" + b"<url>" * 2_000_000,
        b"<urlset><url><loc>" + b"x" * 40_000_000 + b"</loc></url></urlset>",
        b"<urlset " + b"a" * 30_000_000 + b">",
    ],
    ids=["entities", "file", "dtd", "bomb", "deep", "long", "attribute"],
)
def test_a_file_that_is_made_to_hurt_hurts_nobody(body: bytes) -> None:
    """S8: entities stay unread, nothing else is opened, time and memory are bounded."""
    tracemalloc.start()
    with cpu_at_most(10):
        sitemap = read_sitemap(body)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 3 * 52_428_800
    assert "root:" not in str(sitemap)
    assert all(len(page) < 100 for page in sitemap.pages)
