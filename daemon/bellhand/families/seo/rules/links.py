"""Links, redirects, errors, orphans: can every page be reached."""

from collections.abc import Iterator

from ..views import EXAMPLES_MAX, Evidence, Page, Site, Target
from .rule import Rule

LINKS_MAX = 300
DEPTH_MAX = 5
_TEMPORARY = (302, 303, 307)


def link_broken(page: Page) -> Evidence | None:
    return _targets(t for t in page.targets if t.broken and t.kind == "a" and t.role == "page")


def link_broken_outside(page: Page) -> Evidence | None:
    # 403 and the like are what robots get, 429 is our own haste.
    gone = (
        t
        for t in page.targets
        if t.role == "external" and (t.status in (None, 404, 410, 451) or _dead(t))
    )
    return _targets(t for t in gone if t.kind == "a")


def resource_broken(page: Page) -> Evidence | None:
    parts = ("img", "script", "stylesheet", "iframe", "media", "icon", "manifest")
    return _targets(
        t for t in page.targets if t.broken and t.kind in parts and t.role != "external"
    )


def link_redirected(page: Page) -> Evidence | None:
    moved = (t for t in page.targets if t.moved_to and t.kind == "a" and t.role == "page")
    return _listed("links", [f"{t.url} -> {t.moved_to}" for t in moved])


def fragment_missing(site: Site) -> Iterator[tuple[int, Evidence]]:
    found: dict[int, list[str]] = {}
    for page_id, url in site.fragments_missing:
        found.setdefault(page_id, []).append(url)
    for page_id, urls in found.items():
        yield page_id, {"links": urls[:EXAMPLES_MAX], "count": len(urls)}


def link_empty(page: Page) -> Evidence | None:
    found = page.html
    return _listed("links", found.anchors_empty) if found else None


def link_vague(page: Page) -> Evidence | None:
    found = page.html
    return _listed("links", found.anchors_vague) if found else None


def link_unusable(page: Page) -> Evidence | None:
    found = page.html
    return _listed("links", found.anchors_unusable) if found else None


def link_nofollow(page: Page) -> Evidence | None:
    found = page.html
    return _listed("links", found.links_inside_nofollow) if found else None


def links_many(page: Page) -> Evidence | None:
    found = page.html
    count = found.links_inside + found.links_outside if found else 0
    return {"links": count} if count > LINKS_MAX else None


def dead_end(page: Page) -> Evidence | None:
    found = page.indexable
    return {} if found and not found.links_inside else None


def redirect_chain(page: Page) -> Evidence | None:
    return {"hops": [page.url, *page.redirects][:EXAMPLES_MAX]} if len(page.redirects) > 1 else None


def redirect_loop(page: Page) -> Evidence | None:
    looping = (
        page.error_code in ("redirect_loop", "too_many_redirects") or page.url in page.redirects
    )
    return {"hops": list(page.redirects)[:EXAMPLES_MAX], "error": page.error} if looping else None


def redirect_temporary(page: Page) -> Evidence | None:
    if page.status not in _TEMPORARY or not page.redirects:
        return None
    return {"status": page.status, "leads_to": page.redirects[0]}


def redirect_broken(site: Site) -> Iterator[tuple[int, Evidence]]:
    by_url = {page.url: page for page in site.pages.values()}
    for page in site.pages.values():
        last = by_url.get(page.redirects[-1]) if page.redirects else None
        if last is not None and last is not page and last.broken:
            yield page.id, {"leads_to": last.url, "status": last.status}


def not_found(page: Page) -> Evidence | None:
    client = page.status is not None and 400 <= page.status < 500
    return {"status": page.status, "links": page.inlinks} if client else None


def server_error(page: Page) -> Evidence | None:
    failed = page.status is not None and page.status >= 500
    return {"status": page.status, "links": page.inlinks} if failed else None


def unreachable(page: Page) -> Evidence | None:
    if page.status is not None or page.error_code in (None, "redirect_loop", "too_many_redirects"):
        return None
    return {"error": (page.error or page.error_code or "")[:300]}


def orphan(site: Site) -> Iterator[tuple[int, Evidence]]:
    led_to = {url for page in site.pages.values() for url in page.redirects}
    for page in site.pages.values():
        if page.indexable and not page.inlinks and page.depth != 0 and page.url not in led_to:
            yield page.id, {"in_sitemap": page.in_sitemap}


def deep(page: Page) -> Evidence | None:
    far = page.indexable and page.depth is not None and page.depth > DEPTH_MAX
    return {"clicks": page.depth} if far else None


def linked_nofollow_only(page: Page) -> Evidence | None:
    cut_off = page.indexable and page.inlinks and not page.inlinks_followed and page.depth != 0
    return {"links": page.inlinks} if cut_off else None


def _dead(target: Target) -> bool:
    return target.status is not None and target.status >= 500 and target.status != 503


def _targets(found: Iterator[Target]) -> Evidence | None:
    return _listed("links", [target.shown() for target in found])


def _listed(name: str, found: list[str] | tuple[str, ...]) -> Evidence | None:
    return {name: list(found[:EXAMPLES_MAX]), "count": len(found)} if found else None


RULES = (
    Rule(
        "link-broken", "links", "error", "Links to pages that are not there",
        "Visitors meet an error, and what the link was worth is lost.",
        "Correct the address, or remove the link.", link_broken,
    ),
    Rule(
        "link-broken-outside", "links", "warning", "Links to other sites lead nowhere",
        "A dead reference costs trust, and its old domain may belong to somebody else soon.",
        "Find the new address, or remove the link.", link_broken_outside,
    ),
    Rule(
        "resource-broken", "links", "error", "Images, scripts or styles are missing",
        "What the page needs does not load: it looks or works broken.",
        "Restore the file, or correct its address.", resource_broken,
    ),
    Rule(
        "link-redirected", "links", "notice", "Links go through a redirect",
        "Each detour costs the visitor a round trip.",
        "Link to the final address.", link_redirected,
    ),
    Rule(
        "fragment-missing", "links", "notice", "Links to a part of a page that is not there",
        "The link opens the page at its top instead of at the promised place.",
        "Correct the part behind #, or give the place that id.", check_site=fragment_missing,
    ),
    Rule(
        "link-empty", "links", "warning", "Links without words",
        "Nobody can tell where they lead: not a search engine, not a screen reader.",
        "Write a text, give the image in it an alt text, or add aria-label.", link_empty,
    ),
    Rule(
        "link-vague", "links", "notice", "Links that say nothing of their target",
        "\"Click here\" tells neither people nor engines what is there.",
        "Let the link's words name the target.", link_vague,
    ),
    Rule(
        "link-unusable", "links", "notice", "Links that only a script can follow",
        "Crawlers do not follow javascript: addresses or empty ones.",
        "Use a button for actions, and a real address for places.", link_unusable,
    ),
    Rule(
        "link-nofollow", "links", "notice", "Own pages linked with nofollow",
        "It withholds trust from pages that are your own.",
        "Remove nofollow from links within the site.", link_nofollow,
    ),
    Rule(
        "links-many", "links", "notice", "Very many links on one page",
        f"Among more than {LINKS_MAX} links none is important.",
        "Thin out menus and footers, split lists into pages.", links_many,
    ),
    Rule(
        "dead-end", "links", "notice", "No link leads on",
        "Visitors and crawlers that arrive here have nowhere to go within the site.",
        "Add navigation or links to related pages.", dead_end,
    ),
    Rule(
        "redirect-chain", "redirects", "warning", "Redirects in a chain",
        "Each hop costs time, and crawlers give up after some.",
        "Redirect to the last address at once.", redirect_chain,
    ),
    Rule(
        "redirect-loop", "redirects", "error", "Redirects without end",
        "The page can never be seen.",
        "Look for two rules that send to each other (http and https, with and without slash).", redirect_loop,
    ),
    Rule(
        "redirect-temporary", "redirects", "notice", "Redirect is temporary",
        "302 and 307 say: come back here. The old address stays in the results.",
        "Use 301 or 308 if the page has moved for good.", redirect_temporary,
    ),
    Rule(
        "redirect-broken", "redirects", "error", "Redirect leads to an error",
        "The old address is kept alive only to disappoint.",
        "Redirect to a page that answers, or answer with 410.", check_site=redirect_broken,
    ),
    Rule(
        "not-found", "errors", "error", "Page answers with 4xx",
        "The site itself knows the address, and there is nothing.",
        "Restore the page, redirect it, or remove what points to it.", not_found,
    ),
    Rule(
        "server-error", "errors", "error", "Page answers with 5xx",
        "Search engines slow down, and drop pages that keep failing.",
        "Look into the server's log at the time of the crawl.", server_error,
    ),
    Rule(
        "unreachable", "errors", "error", "Page gives no answer",
        "Neither visitors nor engines get anything.",
        "Look at name servers, certificate and time limits of the server.", unreachable,
    ),
    Rule(
        "orphan", "orphans", "warning", "No page links here",
        "What is only in the sitemap is found late and ranked low.",
        "Link to it from a page on its topic, or take it out of the sitemap.", check_site=orphan,
    ),
    Rule(
        "deep", "orphans", "notice", "Many clicks from the start page",
        f"Pages more than {DEPTH_MAX} clicks away are visited seldom, by people and by crawlers.",
        "Link to it from an overview.", deep,
    ),
    Rule(
        "linked-nofollow-only", "orphans", "warning", "Linked with nofollow only",
        "Engines are asked not to follow any link that leads here.",
        "Link to it normally at least once.", linked_nofollow_only,
    ),
)  # fmt: skip
