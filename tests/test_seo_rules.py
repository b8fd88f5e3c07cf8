"""Every rule that looks at one page: what breaks it, and what comes near and does not."""

import pytest

from bellhand.families.seo.rules import ALL, SEVERITIES
from bellhand.families.seo.score import POINTS
from bellhand.families.seo.views import Target
from seo_pages import WORDS, html, judged, page
from support import ROOT

HTTP = "http://shop.example/tea"
OG = '<meta property="og:title" content="x">'


def target(kind: str = "a", role: str = "page", status: int | None = 404, moved: str | None = None):
    error = "dns" if status is None else None
    return (Target("https://shop.example/gone", kind, role, status, error, moved),)


def data(text: str) -> str:
    return f'<script type="application/ld+json">{text}</script>'


def ld(properties: str) -> str:
    return data('{"@context": "https://schema.org", ' + properties + "}")


# rule: (a page that breaks it, a page that comes near)
CASES = {
    "title-missing": (page(title="<title> </title>"), page(body="<svg><title>x</title></svg>")),
    "title-several": (page(head="<title>Another one</title>"), page(body="<svg><title>Leaf</title></svg>")),
    "title-short": (page(title="<title>Tea</title>"), page(title="<title>Green teas</title>")),
    "title-long": (page(title=f"<title>{'tea ' * 20}</title>"), page(title=f"<title>{'tea ' * 16}</title>")),
    "description-missing": (page(description=""), page(description="", canonical="<link rel=canonical href=/other>")),
    "description-several": (page(head="<meta name=Description content=x>"), page(head="<meta name=og:description content=x>")),
    "description-short": (page(description="<meta name=description content='Tea.'>"), page()),
    "description-long": (page(description=f"<meta name=description content='{WORDS[:200]}'>"), page()),
    "h1-missing": (page(h1="<h2>Tea</h2>"), page(h1="<h1>Tea</h1>")),
    "h1-empty": (page(h1="<h1><img src=x.png></h1>"), page(h1="<h1><img src=x.png alt='Tea' width=1 height=9></h1>")),
    "h1-several": (page(body="<h1>More</h1>"), page(body="<h2>More</h2>")),
    "h1-long": (page(h1=f"<h1>{WORDS[:200]}</h1>"), page(h1=f"<h1>{WORDS[:100]}</h1>")),
    "heading-skips": (page(body="<h4>Deep</h4>"), page(body="<h3>x</h3><h2>y</h2>")),
    "headings-empty": (page(body="<h2> </h2>"), page(body="<h2><img alt='Cups' src=x></h2>")),
    "canonical-missing": (page(canonical=""), page(canonical="", head="<meta name=robots content=noindex>")),
    "canonical-several": (page(head="<link rel=canonical href=/b>"), page(head="<link rel=canonical href=/tea>")),
    "canonical-in-body": (page(body="<link rel=canonical href=/tea>"), page()),
    "canonical-unreadable": (page(canonical="<link rel=canonical href='http://['>"), page(canonical="<link rel=canonical href=/tea#x>")),
    "canonical-insecure": (page(canonical=f"<link rel=canonical href={HTTP}>"), page(HTTP, canonical=f"<link rel=canonical href={HTTP}>")),
    "noindex": (page(headers={"X-Robots-Tag": "noindex"}), page(head="<meta name=robots content=noindex>", inlinks=0)),
    "nofollow": (page(head="<meta name=robots content=nofollow>"), page(head="<meta name=robots content='nofollow,noindex'>")),
    "robots-contradictory": (page(head="<meta name=robots content='index, noindex'>"), page(head="<meta name=robots content='index,follow'>")),
    "robots-unknown": (page(head="<meta name=robots content=noindx>"), page(head="<meta name=robots content='max-snippet:20, unavailable_after: 25 Jun 2030 15:00:00 GMT'>")),
    "noindex-canonical": (page(head="<meta name=robots content=noindex>", canonical="<link rel=canonical href=/b>"), page(head="<meta name=robots content=noindex>")),
    "refresh": (page(head="<meta http-equiv=refresh content='0; url=/b'>"), page(head="<meta http-equiv=refresh content=30>")),
    "hreflang-bad-code": (page(head="<link rel=alternate hreflang=en-UK href=/tea>"), page(head="<link rel=alternate hreflang=zh-Hant-TW href=/tea>")),
    "hreflang-twice": (page(head="<link rel=alternate hreflang=de href=/a><link rel=alternate hreflang=DE href=/b>"), page(head="<link rel=alternate hreflang=de href=/a><link rel=alternate hreflang=de-AT href=/b>")),
    "hreflang-no-self": (page(head="<link rel=alternate hreflang=de href=/tee>"), page(head="<link rel=alternate hreflang=en href=/tea>")),
    "hreflang-no-default": (page(head="<link rel=alternate hreflang=en href=/tea>"), page(head="<link rel=alternate hreflang=X-Default href=/tea>")),
    "lang-missing": (page(lang=""), page(lang=" lang=de-CH")),
    "lang-bad": (page(lang=" lang=xx"), page(lang=" lang=gsw")),
    "link-broken": (page(targets=target()), page(targets=target(role="external"))),
    "link-broken-outside": (page(targets=target(role="external")), page(targets=target(role="external", status=403))),
    "resource-broken": (page(targets=target("img", "resource")), page(targets=target("a", "resource"))),
    "link-redirected": (page(targets=target(status=301, moved="https://shop.example/new")), page(targets=target())),
    "link-empty": (page(body="<a href=/x><img src=x.png alt='' width=9 height=9></a>"), page(body="<a href=/x aria-label=Cart></a>")),
    "link-vague": (page(body="<a href=/x>Read more »</a>"), page(body="<a href=/x>Read more about tea</a>")),
    "link-unusable": (page(body="<a href='JavaScript:go()'>Go</a>"), page(body="<a name=x>Here it is</a>")),
    "link-nofollow": (page(body="<a href=/x rel=nofollow>Offers</a>"), page(body="<a href=https://a.example rel=nofollow>Advert</a>")),
    "links-many": (page(body="<a href=/x>Tea leaf</a>" * 300), page(body="<a href=/x>Tea leaf</a>" * 299)),
    "dead-end": (page(links="<a href=https://a.example>Out</a>"), page()),
    "redirect-chain": (page(html=None, status=301, redirects=("https://shop.example/b", "https://shop.example/c")), page(html=None, status=301, redirects=("https://shop.example/b",))),
    "redirect-loop": (page(html=None, status=301, error_code="redirect_loop", redirects=("https://shop.example/b", "https://shop.example/tea")), page(html=None, status=301, redirects=("https://shop.example/b",))),
    "redirect-temporary": (page(html=None, status=302, redirects=("https://shop.example/b",)), page(html=None, status=308, redirects=("https://shop.example/b",))),
    "not-found": (page(html=None, status=410), page(html=None, status=500)),
    "server-error": (page(html=None, status=503), page(html=None, status=404)),
    "unreachable": (page(html=None, status=None, error_code="timeout", error="no answer in 20 s"), page(html=None, status=None, error_code="redirect_loop")),
    "deep": (page(depth=6), page(depth=5)),
    "linked-nofollow-only": (page(inlinks=3, inlinks_followed=0), page(inlinks=3, inlinks_followed=1)),
    "url-long": (page("https://shop.example/" + "tea-" * 40), page("https://shop.example/" + "tea-" * 30)),
    "url-uppercase": (page("https://shop.example/Tea"), page("https://SHOP.example/te%C3%A9")),
    "url-parameters": (page("https://shop.example/tea?a=1&b=2&c=3&d=4"), page("https://shop.example/tea?a=1&b=2&c=3")),
    "url-slashes": (page("https://shop.example/a//tea"), page("https://shop.example/a/tea?b=//")),
    "sitemap-broken": (page(html=None, status=404), page(html=None, status=404, in_sitemap=False)),
    "sitemap-redirect": (page(html=None, status=301, redirects=("https://shop.example/b",)), page(html=None, status=301, redirects=("https://shop.example/b",), in_sitemap=False)),
    "sitemap-noindex": (page(head="<meta name=robots content=none>"), page(head="<meta name=robots content=none>", in_sitemap=False)),
    "sitemap-copy": (page(canonical="<link rel=canonical href=/b>"), page(canonical="<link rel=canonical href='/tea?utm_source=x#top'>")),
    "thin": (page(text="<p>" + "tea " * 50), page(text="<p>" + "tea " * 100)),
    "empty": (page(text="", links="", h1="<h1>Tea</h1>"), page(text="<p>" + "tea " * 50)),
    "image-alt": (page(body="<img src=x.png width=9 height=9>"), page(body="<img src=x.png alt width=9 height=9><img src=count.gif width=1 height=1>")),
    "image-size": (page(body="<img src=x.png alt=Cup>"), page(body="<img src=x.png alt=Cup style='width:9px;height:9px'>")),
    "image-large": (page(body=f"<img alt=x src='data:image/png;base64,{'A' * 20_000}' width=9 height=9>"), page(body="<img alt=x src=x.png width=2500 height=9>")),
    "image-old": (page(body="<img alt=x src='/x.BMP?1' width=9 height=9>"), page(body="<img alt=x src=/bmp.png width=9 height=9>")),
    "images-eager": (page(body="<img alt=x src=x.png width=9 height=9>" * 21), page(body="<img alt=x src=x.png loading=lazy width=9 height=9>" * 21)),
    "data-invalid": (page(data=data('{"@type": "Person",}')), page(data=ld('"@type": "Person", "name": "Ada"'))),
    "data-missing": (page(data=ld('"@type": "Product", "name": "Tea"')), page(data=ld('"@type": "Product", "name": "Tea", "offers": {"@type": "Offer", "price": 0}'))),
    "data-advised": (page(data=ld('"@type": "NewsArticle", "headline": "Tea"')), page(data=ld('"@type": "Answer", "text": "Tea"'))),
    "data-none": (page(data=""), page(data="", body="<div itemscope itemtype=https://schema.org/Person><b itemprop=name>Ada</b></div>")),
    "social-none": (page(social=""), page(social=OG)),
    "social-incomplete": (page(social=OG), page(social="")),
    "social-image": (page(social=OG + "<meta property=og:image content=/tea.png>"), page()),
    "social-card": (page(social=OG), page()),
    "slow": (page(response_seconds=2.5), page(response_seconds=1.4)),
    "large": (page(body_bytes=600_000), page(body_bytes=400_000)),
    "cut": (page(truncated=True), page(html=None, truncated=True)),
    "unpacked": (page(headers={"Content-Encoding": None}, body_bytes=50_000), page(headers={"Content-Encoding": None}, body_bytes=5_000)),
    "uncached": (page(headers={"Cache-Control": None}), page(headers={"Cache-Control": None, "ETag": '"1"'})),
    "blocking": (page(head="<script src=a.js></script>"), page(head="<script src=a.js async></script><script type=module src=b.js></script>", body="<script src=c.js></script>")),
    "many-files": (page(body="<script src=a.js></script>" * 26), page(body="<script src=a.js></script>" * 25)),
    "inline": (page(head=f"<style>{'a{}' * 40_000}</style>"), page(head=f"<style>{'a{}' * 30_000}</style>")),
    "many-tags": (page(body="<b></b>" * 3001), page(body="<b></b>" * 2500)),
    "viewport-missing": (page(viewport=""), page(viewport="<meta name=Viewport content='width=device-width'>")),
    "viewport-fixed": (page(viewport="<meta name=viewport content='width=device-width, user-scalable=no'>"), page(viewport="<meta name=viewport content='width=device-width, maximum-scale=10'>")),
    "doctype": (page(doctype=""), page(doctype="<!-- a --><!DOCTYPE HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'>")),
    "charset": (page(charset="", headers={"Content-Type": "text/html"}), page(charset="")),
    "charset-late": (page(charset=f"<!--{'x' * 1100}--><meta charset=utf-8>", headers={"Content-Type": "text/html"}), page(charset=f"<!--{'x' * 1100}--><meta charset=utf-8>")),
    "icon": (page(icon=""), page(icon="<link rel='apple-touch-icon' href=/i.png>")),
    "frame-title": (page(body="<iframe src=/x></iframe>"), page(body="<iframe src=/x title=Map></iframe>")),
    "insecure": (page(HTTP), page()),
    "mixed": (page(body="<img src=http://a.example/x.png alt=x width=9 height=9>"), page(body="<a href=http://a.example/>Link</a>")),
    "form-insecure": (page(body="<form action=http://shop.example/in></form>"), page(body="<form action=/in></form>")),
    "password-insecure": (page(HTTP, body="<input type=PASSWORD>"), page(body="<input type=password>")),
    "hsts": (page(headers={"Strict-Transport-Security": None}), page(HTTP, headers={"Strict-Transport-Security": None})),
    "hsts-short": (page(headers={"Strict-Transport-Security": "max-age=600"}), page(headers={"Strict-Transport-Security": "max-age=31536000; preload"})),
    "csp": (page(headers={"Content-Security-Policy": None}), page(headers={"Content-Security-Policy": None}, head="<meta http-equiv=Content-Security-Policy content=\"default-src 'self'\">")),
    "sniffing": (page(headers={"X-Content-Type-Options": None}), page(headers={"X-Content-Type-Options": "NoSniff"})),
    "framing": (page(headers={"Content-Security-Policy": None}), page(headers={"Content-Security-Policy": None, "X-Frame-Options": "DENY"})),
    "referrer": (page(headers={"Referrer-Policy": None}), page()),
}  # fmt: skip


def names(*pages) -> set[str]:
    return {issue.rule.name for issue in judged(*pages)}


@pytest.mark.parametrize("name", CASES)
def test_the_rule_finds_its_fault(name: str):
    assert name in names(CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_the_rule_lets_pass_what_only_comes_near(name: str):
    assert name not in names(CASES[name][1])


def test_a_sound_page_breaks_no_rule_at_all():
    assert names(page()) == set()


def test_every_rule_about_pages_has_its_two_cases():
    assert set(CASES) == {rule.name for rule in ALL if rule.check is not None}


def test_there_are_more_than_seventy_and_each_says_what_why_and_how():
    assert len(ALL) == len({rule.name for rule in ALL}) >= 70
    for rule in ALL:
        assert rule.severity in SEVERITIES
        assert (rule.check is None) != (rule.check_site is None), rule.name
        assert min(map(len, (rule.title, rule.why, rule.fix))) > 6, rule.name
        assert {rule.fix[-1], rule.why[-1]} == {"."}, rule.name
        assert not rule.title.endswith("."), rule.name
    assert {rule.category for rule in ALL} == set(POINTS)
    assert sum(POINTS.values()) == 100


def test_a_fault_of_the_server_is_one_issue_with_the_pages_it_shows_on():
    pages = [page(f"https://shop.example/{n}", id=n, key=None, icon="") for n in range(30)]
    (issue,) = [issue for issue in judged(*pages) if issue.rule.name == "icon"]
    assert issue.page_id is None
    assert issue.evidence["pages"] == 30
    assert len(issue.evidence["examples"]) == 10


def test_an_empty_page_and_a_drawing_break_rules_but_no_check():
    assert names(page(html="")) >= {"title-missing", "lang-missing", "doctype"}
    assert "title-missing" not in names(page(html=None, content_type="image/svg+xml"))
    assert names(page(html=html(), status=404)) == {"not-found", "sitemap-broken"}


def test_the_documentation_lists_every_rule_with_its_points():
    table = (ROOT / "docs" / "seo.md").read_text()
    marks = {"error": "**", "warning": "*", "notice": ""}
    for category, points in POINTS.items():
        named = ", ".join(f"{r.name}{marks[r.severity]}" for r in ALL if r.category == category)
        assert f"| {category} | {points} | {named} |" in table
