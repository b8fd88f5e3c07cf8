"""What a look at a page tells beside its status: parked, empty shells, technologies."""

import pytest

from bellhand.clients.dns import Addresses, MailRoute
from bellhand.families.sites import status
from bellhand.families.sites.markup import read
from bellhand.families.sites.parked import parked
from bellhand.families.sites.shells import needs_browser
from bellhand.families.sites.technologies import technologies
from test_site_status import page

LONG = "We have made glass since 1902. " * 200


@pytest.mark.parametrize(
    ("html", "url", "sign"),
    [
        ("<p>This domain is for sale! Make an offer.", "http://acme.com/", "for sale"),
        ("<title>acme.com domain for sale</title>", "http://acme.com/", "for sale"),
        ("<h1>Buy this domain</h1>", "http://acme.com/", "for sale"),
        ("<p>The domain acme.com may be for sale", "http://acme.com/", "for sale"),
        ("<p>Diese Domain steht zum Verkauf", "http://acme.de/", "for sale"),
        ("<p>Welcome", "https://www.hugedomains.com/domain_profile.cfm?d=acme", "for sale"),
        ("<script src='//d1.parkingcrew.net/x.js'></script>", "http://acme.com/", "parked"),
        ("<iframe src='https://www.sedoparking.com/x'></iframe>", "http://acme.com/", "parked"),
        ("<p>Parked free, courtesy of somebody", "http://acme.com/", "parked"),
        ("<title>Apache2 Debian Default Page: It works</title>", "http://acme.com/", "empty"),
        ("<title>Welcome to nginx!</title>", "http://acme.com/", "empty"),
        ("<title>Index of /</title>", "http://acme.com/", "empty"),
        (f"<p>{LONG} Domain for sale: ask us about ours", "http://acme.com/", None),
        ("<p>We sell houses. This house is for sale.", "http://acme.com/", None),
        ("<a href='https://sedo.com/'>Sedo</a> is a customer of ours", "http://acme.com/", None),
        ("<script src='http://[bad/x.js'></script><p>hello", "http://acme.com/", None),
        ("", "http://acme.com/", None),
    ],
)
def test_pages_that_stand_in_for_a_website(html, url, sign):
    assert parked(read(html), url) == sign


def test_a_parked_page_has_a_word_of_its_own():
    found = status.of_page("http://acme.com/", page(text="<p>This domain is for sale."))
    assert (found.word, found.parked) == ("parked", "for sale")
    gone = status.of_page("http://acme.com/", page(text="<p>domain for sale", status=404))
    assert (gone.word, gone.parked) == ("not_found", None)


@pytest.mark.parametrize(
    ("html", "needed"),
    [
        ("<div id=root></div><script src=/main.js></script>", True),
        ("<div id='app'><!-- --></div><script type=module src=/a.js></script>", True),
        ("<app-root></app-root><script src=/main.js></script>", True),
        (
            "<noscript>You need to enable JavaScript to run this app.</noscript>"
            "<script src=/x.js></script>",
            True,
        ),
        (
            f"<div id=root></div><p>{LONG}</p><script src=/main.js></script>",
            False,
        ),
        ("<div id=root></div>", False),
        ("<div id=root><h1>Acme</h1></div><script src=/main.js></script>", False),
        ("<p>Closed for winter", False),
        (
            "<noscript>Turn JavaScript on for the map</noscript><script src=/x.js></script>"
            "<a href=1>a</a><a href=2>b</a><a href=3>c</a><p>Acme",
            False,
        ),
        (
            "<frameset><frame src=a.html></frameset><div id=root></div><script src=x></script>",
            False,
        ),
        ("", False),
    ],
)
def test_pages_that_are_empty_without_a_browser(html, needed):
    assert needs_browser(read(html), html) is needed


@pytest.mark.parametrize(
    ("html", "headers", "expected"),
    [
        ('<meta name="Generator" content="WordPress 6.4.2">', {}, ["WordPress 6.4.2"]),
        ('<script src="/wp-content/themes/x.js"></script>', {}, ["WordPress"]),
        (
            '<meta name=generator content="WordPress 6.1"><link href="/wp-includes/a.css">',
            {},
            ["WordPress 6.1"],
        ),
        ('<script src="https://cdn.shopify.com/s/x.js"></script>', {}, ["Shopify"]),
        ('<script src="/js/jquery-3.7.1.min.js"></script>', {}, ["jQuery 3.7.1"]),
        ("<p>", {"Server": "nginx/1.24.0", "X-Powered-By": "PHP/8.2.1"}, ["nginx 1.24.0", "PHP 8.2.1"]),
        ("<p>", {"Server": "cloudflare"}, ["Cloudflare"]),
        ("<p>", {"Set-Cookie": "PHPSESSID=abc; path=/"}, ["PHP"]),
        ('<app-root ng-version="17.0.1"></app-root>', {}, ["Angular 17.0.1"]),
        ("<p>We love WordPress, nginx and jquery.js", {}, []),
        ("<p>", {"X-Nothing": "x"}, []),
    ],
)  # fmt: skip
def test_technologies_show_in_headers_cookies_sources_and_markup(html, headers, expected):
    assert technologies(read(html), html, headers) == expected


PROBED = {"url": "http://acme.com/0f", "final_url": "http://acme.com/0f"}


@pytest.mark.parametrize(
    ("website", "probe", "word", "soft"),
    [
        ({"final_url": "http://acme.com/"}, {"status": 404}, "ok", False),
        ({"final_url": "http://acme.com/"}, {"status": 200}, "ok", True),
        ({"final_url": "http://acme.com/"}, {"status": 403}, "ok", None),
        ({"final_url": "http://acme.com/shop"}, {"status": 200, "text": "<p>no"}, "ok", True),
        ({"final_url": "http://acme.com/shop", "text": "<p>no /shop"},
         {"status": 200, "text": "<p>no /0f"}, "not_found", True),
        ({"final_url": "http://acme.com/shop"}, {"status": 410}, "ok", False),
        # Both were sent home.
        ({"final_url": "http://acme.com/start", "text": "<p>1"},
         {"final_url": "http://acme.com/start", "text": "<p>2"}, "not_found", True),
        # A shell is the same for every address, and scripts know better.
        ({"final_url": "http://acme.com/shop", "text": "<div id=root></div><script>1</script>"},
         {"text": "<div id=root></div><script>1</script>"}, "ok", True),
    ],
)  # fmt: skip
def test_a_site_that_has_every_page_has_none_of_them(website, probe, word, soft):
    seen = page(**website)
    facts = status.with_probe(
        status.of_page("http://acme.com/", seen), seen, page(**{**PROBED, **probe})
    )
    assert (facts.word, facts.soft_404) == (word, soft)


def test_what_names_say_stands_beside_the_status():
    facts = status.with_names(
        status.Status("ok"), Addresses("found", ("1.1.1.1",)), MailRoute("mx", ("mx.acme.com",))
    )
    assert (facts.addresses, facts.mail, facts.mail_hosts) == (("1.1.1.1",), "mx", ("mx.acme.com",))
