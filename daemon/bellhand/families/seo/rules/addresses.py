"""Addresses and sitemaps: is every page there once, and listed."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from ..views import EXAMPLES_MAX, Evidence, Page, Site, SitemapFile
from .rule import Rule

URL_CHARS_MAX = 150
PARAMETERS_MAX = 3


def both_schemes(site: Site) -> Iterator[tuple[None, Evidence]]:
    return _twins(site, "http://", "https://")


def both_hosts(site: Site) -> Iterator[tuple[None, Evidence]]:
    return _twins(site, "//www.", "//")


def url_long(page: Page) -> Evidence | None:
    return (
        {"characters": len(page.url)} if page.indexable and len(page.url) > URL_CHARS_MAX else None
    )


def url_uppercase(page: Page) -> Evidence | None:
    path = urlsplit(page.url).path
    return (
        {} if page.indexable and any("A" <= letter <= "Z" for letter in _unescaped(path)) else None
    )


def url_parameters(page: Page) -> Evidence | None:
    query = urlsplit(page.url).query
    count = query.count("&") + 1 if query else 0
    return {"parameters": count} if page.indexable and count > PARAMETERS_MAX else None


def url_slashes(page: Page) -> Evidence | None:
    return {} if page.indexable and "//" in urlsplit(page.url).path else None


def sitemap_none(site: Site) -> Iterator[tuple[None, Evidence]]:
    if all(_absent(one) for one in site.sitemaps):
        yield None, {}


def sitemap_error(site: Site) -> Iterator[tuple[None, Evidence]]:
    bad = [
        f"{one.url}: {one.error}"[:300] for one in site.sitemaps if one.error and not _absent(one)
    ]
    if bad:
        yield None, {"sitemaps": bad[:EXAMPLES_MAX]}


def sitemap_broken(page: Page) -> Evidence | None:
    broken = page.in_sitemap and (page.status is None or page.status >= 400)
    return {"status": page.status, "error": page.error_code} if broken else None


def sitemap_redirect(page: Page) -> Evidence | None:
    moved = page.in_sitemap and page.redirects
    return {"leads_to": page.redirects[-1]} if moved else None


def sitemap_noindex(page: Page) -> Evidence | None:
    found = page.html
    return {} if page.in_sitemap and found and found.robots.noindex else None


def sitemap_copy(page: Page) -> Evidence | None:
    found = page.html
    copy = page.in_sitemap and found and found.canonical and page.canonical_key != page.key
    return {"canonical": found.canonical} if found and copy else None


def sitemap_blocked(site: Site) -> Iterator[tuple[int, Evidence]]:
    for page in site.unvisited:
        if page.state == "robots" and page.in_sitemap:
            yield page.id, {}


def sitemap_lacks(site: Site) -> Iterator[tuple[int, Evidence]]:
    if any(one.urls for one in site.sitemaps):
        for page in site.pages.values():
            if page.indexable and not page.in_sitemap:
                yield page.id, {}


def _absent(sitemap: SitemapFile) -> bool:
    """Whether it is the usual address, where a crawl looks unasked, and there is nothing."""
    usual = urlsplit(sitemap.url).path == "/sitemap.xml"
    return usual and sitemap.error in ("HTTP status 404", "HTTP status 410")


def _twins(site: Site, part: str, other: str) -> Iterator[tuple[None, Evidence]]:
    """Pages that answer under two addresses which differ in this part, without a canonical."""
    answering = {page.url for page in site.pages.values() if page.indexable}
    twins = [
        url for url in answering if part in url[:12] and url.replace(part, other, 1) in answering
    ]
    if twins:
        yield None, {"pages": len(twins), "examples": sorted(twins)[:EXAMPLES_MAX]}


def _unescaped(path: str) -> str:
    """Without percent escapes, whose letters are written in upper case."""
    return "".join(part[2:] if place else part for place, part in enumerate(path.split("%")))


RULES = (
    Rule(
        "both-schemes", "duplicates", "error", "Answers with and without encryption",
        "Each page exists twice, and half the visitors are not protected.",
        "Redirect http:// to https:// with 301.", check_site=both_schemes,
    ),
    Rule(
        "both-hosts", "duplicates", "warning", "Answers with and without www",
        "Each page exists twice, and links count for one of the two.",
        "Redirect one host to the other with 301.", check_site=both_hosts,
    ),
    Rule(
        "url-long", "addresses", "notice", "Address too long",
        f"More than {URL_CHARS_MAX} characters are cut in mails and results.",
        "Shorten names of folders and pages; redirect the old address.", url_long,
    ),
    Rule(
        "url-uppercase", "addresses", "notice", "Capital letters in the address",
        "Most servers tell cases apart: one wrong letter is an error or a copy.",
        "Use small letters and redirect the others.", url_uppercase,
    ),
    Rule(
        "url-parameters", "addresses", "notice", "Many parameters in the address",
        "Each order and choice of parameters is another address of the same page.",
        "Move what identifies the page into the path; name a canonical.", url_parameters,
    ),
    Rule(
        "url-slashes", "addresses", "notice", "Double slash in the address",
        "It is usually a link put together wrongly, and a second address of the page.",
        "Correct the link, redirect the double slash.", url_slashes,
    ),
    Rule(
        "sitemap-none", "sitemaps", "warning", "No sitemap",
        "A sitemap tells engines of every page and of its changes.",
        "Publish /sitemap.xml and name it in robots.txt.", check_site=sitemap_none,
    ),
    Rule(
        "sitemap-error", "sitemaps", "error", "Sitemap cannot be read",
        "Engines skip a sitemap that is missing, broken or too large.",
        "See what its address answers; keep to 50,000 addresses and 50 MB a file.", check_site=sitemap_error,
    ),
    Rule(
        "sitemap-broken", "sitemaps", "error", "Sitemap lists an error",
        "It invites engines to a page that is not there.",
        "Remove the address from the sitemap, or mend the page.", sitemap_broken,
    ),
    Rule(
        "sitemap-redirect", "sitemaps", "warning", "Sitemap lists a redirect",
        "A sitemap should name the addresses that are to be shown.",
        "List the final address.", sitemap_redirect,
    ),
    Rule(
        "sitemap-noindex", "sitemaps", "warning", "Sitemap lists a page that is kept out",
        "The sitemap says: show it; the page says: do not.",
        "Decide which is meant, and change the other.", sitemap_noindex,
    ),
    Rule(
        "sitemap-copy", "sitemaps", "warning", "Sitemap lists a copy",
        "The page names another one as its canonical.",
        "List the canonical address only.", sitemap_copy,
    ),
    Rule(
        "sitemap-blocked", "sitemaps", "warning", "Sitemap lists what robots.txt closes",
        "Engines are invited and turned away at once.",
        "Open it in robots.txt, or take it out of the sitemap.", check_site=sitemap_blocked,
    ),
    Rule(
        "sitemap-lacks", "sitemaps", "notice", "Page is not in the sitemap",
        "Engines find it later than the pages that are listed.",
        "Let the sitemap be made from all pages.", check_site=sitemap_lacks,
    ),
)  # fmt: skip
