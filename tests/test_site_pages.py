"""Which pages of a site are worth a visit, and what people write into a website field."""

import pytest

from bellhand.families.sites.markup import read
from bellhand.families.sites.pages import registrable, website_url, worth_visiting


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("acme.com", "http://acme.com"),
        (" www.acme.com/x ", "http://www.acme.com/x"),
        ("//acme.com", "http://acme.com"),
        ("https://acme.com", "https://acme.com"),
        ("HTTP://acme.com", "HTTP://acme.com"),
        ("acme.com:8080/x", "http://acme.com:8080/x"),
        ("<https://acme.com>", "https://acme.com"),
        ("ftp://acme.com", "ftp://acme.com"),
        ("mailto:a@acme.com", "mailto:a@acme.com"),
    ],
)
def test_a_website_field_is_read_as_people_mean_it(written, meant):
    assert website_url(written) == meant


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.shop.acme.co.uk", "acme.co.uk"),
        ("acme.github.io", "acme.github.io"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
    ],
)
def test_the_registrable_domain_is_what_somebody_registered(host, domain):
    assert registrable(host) == domain


def visits(html: str, url: str = "https://www.acme.com/", pages_max: int = 9) -> list[str]:
    return worth_visiting(read(html), url, pages_max)


def test_contact_comes_before_about_before_imprint_and_the_rest_is_left():
    html = """
        <a href="/products">Products</a> <a href="/impressum.html">Impressum</a>
        <a href="/about-us">Our story</a> <a href="/x?id=7">Contact us</a>
        <a href="/blog/what-you-should-know-about-glass-and-frames">Blog</a>"""
    assert visits(html) == [
        "https://www.acme.com/x?id=7",
        "https://www.acme.com/about-us",
        "https://www.acme.com/impressum.html",
    ]
    assert len(visits(html, pages_max=1)) == 1


@pytest.mark.parametrize(
    "link",
    [
        '<a href="kontakt.php">x</a>',
        '<a href="/de/Kontakt/">x</a>',
        '<a href="/p/12">Kontakt</a>',
        '<a href="/p/12">Über uns</a>',
        '<a href="/ueber-uns">x</a>',
        '<a href="/quienes-somos">x</a>',
        '<a href="/contact_us.aspx">x</a>',
        '<a href="/index.php/contact">x</a>',
        '<a href="/mentions-l%C3%A9gales">x</a>',
        '<a href="https://shop.acme.com/contact">x</a>',
        '<a href="//acme.com/contact#map">x</a>',
    ],
)
def test_pages_are_recognised_in_many_languages_and_spellings(link):
    assert len(visits(link)) == 1


@pytest.mark.parametrize(
    "link",
    [
        '<a href="https://other.com/contact">Contact</a>',
        '<a href="mailto:a@acme.com">Contact</a>',
        '<a href="javascript:void(0)">Contact</a>',
        '<a href="tel:123">Contact</a>',
        '<a href="/contact.pdf">Contact</a>',
        '<a href="#contact">Contact</a>',
        '<a href="/">About us</a>',
        '<a href="http://[bad/contact">Contact</a>',
        "<a href>Contact</a>",
    ],
)
def test_what_leaves_the_site_or_is_no_page_is_not_visited(link):
    assert visits(link) == []


def test_one_page_under_several_spellings_is_visited_once():
    html = """<a href="/contact">Contact</a><a href="/contact/">Contact</a>
        <a href="https://acme.com/contact#form">Contact</a>
        <a href="http://www.acme.com/contact">Contact</a>"""
    assert len(visits(html)) == 1


def test_frames_and_refreshes_come_first():
    html = """<meta http-equiv="Refresh" content="0; URL='/start.html'">
        <frameset><frame src="main.html"></frameset>"""
    assert visits(html) == ["https://www.acme.com/main.html", "https://www.acme.com/start.html"]


def test_a_base_address_is_obeyed_and_may_not_lead_away():
    assert visits('<base href="/de/"><a href="kontakt">K</a>') == [
        "https://www.acme.com/de/kontakt"
    ]
    assert visits('<base href="https://other.com/"><a href="kontakt">K</a>') == []
