"""Addresses: one spelling, one key, one scope; and whatever stands in a page, no exception."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from bellhand.clients.errors import Forbidden
from bellhand.clients.urls import parse
from bellhand.families.seo.urls import address, resolve, same_owner, scope_of, site_url

BASE = "https://www.acme.test/dir/page.html?x=1"


def resolved(href: str) -> tuple[str, str] | None:
    found = resolve(BASE, href)
    return (found[0].url, found[1]) if found else None


@pytest.mark.parametrize(
    ("href", "found"),
    [
        ("other.html", "https://www.acme.test/dir/other.html"),
        ("../up.html#part", "https://www.acme.test/up.html"),
        ("", "https://www.acme.test/dir/page.html?x=1"),
        ("#here", "https://www.acme.test/dir/page.html?x=1"),
        ("?y=2", "https://www.acme.test/dir/page.html?y=2"),
        ("//Shop.ACME.test", "https://shop.acme.test/"),
        ("HTTPS://WWW.acme.test:443/a/./b/../c", "https://www.acme.test/a/c"),
        ("http://acme.test:8080/?", "http://acme.test:8080/"),
        (" \n/a b\t ", "https://www.acme.test/a b"),
        ("/a?utm_source=x&b=1&gclid=2&UTM_Medium=y", "https://www.acme.test/a?b=1"),
        ("/a;jsessionid=AB12?PHPSESSID=1&id=3", "https://www.acme.test/a?id=3"),
        ("/a?sid=0123456789abcdef0123456789abcdef", "https://www.acme.test/a"),
        ("/a?sid=7", "https://www.acme.test/a?sid=7"),
        ("/../../x", "https://www.acme.test/x"),
        ("http://[::1]:81/x", "http://[::1]:81/x"),
        ("https://acme.test./x", "https://acme.test/x"),
    ],
)
def test_a_link_becomes_an_address_to_ask_for(href: str, found: str) -> None:
    made = resolved(href)
    assert made is not None
    assert made[0] == found


@pytest.mark.parametrize(
    "href",
    ["mailto:a@b.test", "javascript:void(0)", "tel:+1", "data:text/html,x", "ftp://a.test/", "http://", "http://[x", "http://a.test:99999/", "http://./", "/" + "a" * 9000],
)  # fmt: skip
def test_what_is_not_fetched_is_no_address(href: str) -> None:
    assert resolved(href) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a.test/?a=1&b=2", "http://a.test/?b=2&a=1", True),
        ("http://a.test/~me", "http://a.test/%7Eme", True),
        ("http://a.test/%c3%a9", "http://a.test/%C3%A9", True),
        ("http://a.test/x", "http://a.test/x/", False),
        ("http://a.test/x", "https://a.test/x", False),
        ("http://a.test/X", "http://a.test/x", False),
        ("http://www.a.test/", "http://a.test/", False),
    ],
)
def test_spellings_of_one_address_share_its_key(one: str, other: str, same: bool) -> None:
    first, second = address(one), address(other)
    assert first is not None
    assert second is not None
    assert (first.key == second.key) is same


def test_a_pattern_is_what_is_left_without_numbers_and_values() -> None:
    def pattern(url: str) -> object:
        made = address(url)
        assert made is not None
        return made.pattern

    assert pattern("http://a.test/2024/05") == pattern("http://a.test/1999/12")
    assert pattern("http://a.test/?q=x&p=1") == pattern("http://a.test/?p=2&q=y")
    assert pattern("http://a.test/?q=x") != pattern("http://a.test/?r=x")
    assert pattern("http://a.test/about") is None


@pytest.mark.parametrize(
    ("start", "other", "subdomains", "inside"),
    [
        ("http://acme.co.uk/", "https://www.acme.co.uk/x", False, True),
        ("http://www.acme.co.uk/", "http://acme.co.uk/x", False, True),
        ("http://acme.co.uk/", "http://shop.acme.co.uk/", False, False),
        ("http://acme.co.uk/", "http://shop.acme.co.uk/", True, True),
        ("http://acme.co.uk/", "http://other.co.uk/", True, False),
        ("http://acme.co.uk/", "http://acme.co.uk:8080/", False, False),
        ("http://acme.co.uk:8080/", "http://acme.co.uk:8080/a", False, True),
        ("http://127.0.0.1:81/", "http://127.0.0.1:82/", False, False),
        ("http://acme.co.uk/", "http://acme.co.uk.evil.test/", False, False),
    ],
)
def test_a_site_is_its_host_with_and_without_www(
    start: str, other: str, subdomains: bool, inside: bool
) -> None:
    found = address(other)
    assert found is not None
    assert scope_of(start, subdomains=subdomains).holds(found) is inside


def test_owners_are_told_by_the_domain_somebody_registered() -> None:
    assert same_owner("http://acme.co.uk/", "https://shop.acme.co.uk/")
    assert not same_owner("http://acme.co.uk/", "http://other.co.uk/")
    assert not same_owner("http://a.github.io/", "http://b.github.io/")


def test_a_site_is_written_as_people_write_it() -> None:
    assert site_url(" acme.test ") == "http://acme.test/"
    assert site_url("acme.test:8080/a") == "http://acme.test:8080/a"
    assert site_url("//acme.test") == "http://acme.test/"
    for nonsense in ("", "mailto:a@acme.test", "http://", "ftp://acme.test"):
        with pytest.raises(ValueError, match="no address of a website"):
            site_url(nonsense)


def test_whatever_stands_in_a_page_is_an_address_or_none(test_data: Path) -> None:
    """The cases of the URL standard: no exception, and what is an address stays one and the same."""
    cases = json.loads((test_data / "urls" / "urltestdata.json").read_text())
    tried = 0
    for case in cases:
        if not isinstance(case, dict):
            continue
        found = resolve(case.get("base") or BASE, case["input"])
        tried += 1
        if found is None:
            continue
        again = address(found[0].url)
        assert again is not None, case["input"]
        assert again.key == found[0].key, case["input"]
        with suppress(Forbidden):  # the gate in front of every fetch says what is wrong with it
            parse(found[0].url, ports=range(65536))
    assert tried > 500


def test_naughty_strings_are_addresses_or_none(test_data: Path) -> None:
    for path in (test_data / "strings").glob("*"):
        for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            for href in (line, f"http://a.test/{line}", f"http://{line}/", f"?{line}"):
                resolve(BASE, href)
