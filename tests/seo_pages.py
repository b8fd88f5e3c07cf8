"""A page without a fault, and ways to spoil one thing of it, for the tests of the rules."""

from typing import Any
from uuid import UUID

from bellhand.families.seo.facts import read
from bellhand.families.seo.rules import Issue, Judge
from bellhand.families.seo.views import Page, Site, SitemapFile, key_of

URL = "https://shop.example/tea"
WORDS = " ".join(f"leaf{n} and water{n} make tea number {n}." for n in range(20))
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Encoding": "gzip",
    "Cache-Control": "max-age=60",
    "Strict-Transport-Security": "max-age=31536000",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
PARTS = {
    "doctype": "<!doctype html>",
    "lang": ' lang="en"',
    "charset": '<meta charset="utf-8">',
    "title": "<title>Green tea, leaf by leaf</title>",
    "description": '<meta name="description" content="All our green teas, where they grow and how long to steep each of them.">',
    "canonical": '<link rel="canonical" href="{url}">',
    "viewport": '<meta name="viewport" content="width=device-width, initial-scale=1">',
    "icon": '<link rel="icon" href="/icon.svg">',
    "social": '<meta property="og:title" content="Tea"><meta property="og:type" content="website">'
    '<meta property="og:image" content="https://shop.example/tea.png"><meta property="og:url" content="{url}">'
    '<meta name="twitter:card" content="summary">',
    "data": '<script type="application/ld+json">{"@context": "https://schema.org", "@type": "WebSite", '
    '"name": "Tea", "url": "https://shop.example/"}</script>',
    "head": "",
    "h1": "<h1>Green tea</h1><h2>Leaves</h2>",
    "text": f"<p>{WORDS}</p>",
    "links": '<a href="/black">Black tea</a>',
    "body": "",
}  # fmt: skip


def html(url: str = URL, **parts: str) -> str:
    """The sound page with these parts in place of its own."""
    unknown = parts.keys() - PARTS.keys()
    assert not unknown, unknown
    p = {name: parts.get(name, own.replace("{url}", url)) for name, own in PARTS.items()}
    head = "".join(
        p[name] for name in ("charset", "title", "description", "canonical", "viewport", "icon", "social", "data", "head")
    )  # fmt: skip
    body = "".join(p[name] for name in ("h1", "text", "links", "body"))
    return f"{p['doctype']}<html{p['lang']}><head>{head}</head><body>{body}</body></html>"


def page(url: str = URL, headers: dict[str, str | None] | None = None, **given: Any) -> Page:
    """A page as a rule sees it: parts spoil its HTML, the other names are columns of its row.

    A header of None is not sent. With html=None the address answered with no HTML.
    """
    parts = {name: given.pop(name) for name in list(given) if name in PARTS}
    source = given.pop("html", html(url, **parts))
    sent = {k: v for k, v in {**HEADERS, **(headers or {})}.items() if v is not None}
    columns: dict[str, Any] = {
        "id": 1, "url": url, "key": key_of(url) or UUID(int=0), "in_sitemap": True, "depth": 1,
        "body_bytes": len(source or ""), "response_seconds": 0.1,
        "facts": None if source is None else read(source, url, sent),
    }  # fmt: skip
    return Page(**{**columns, **given})


def judged(*pages: Page, **site: Any) -> list[Issue]:
    """Every issue of a site of these pages (numbered from 1), with a sitemap that was read."""
    whole = {
        "sitemaps": [SitemapFile("https://shop.example/sitemap.xml", len(pages), None)],
        **site,
    }
    judge = Judge(Site(**whole))
    found = [issue for one in pages for issue in judge.page(one)]
    return [*found, *judge.whole()]
