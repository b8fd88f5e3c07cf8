"""Canonicals, robots meta, languages: what search engines are told to show."""

import re
from collections.abc import Iterator

from ..views import EXAMPLES_MAX, Evidence, Outline, Page, Site, key_of
from .rule import Rule

# ISO 639-1 languages; a region is two letters (ISO 3166-1), a script four.
_LANGUAGES_LIST = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el "
    "en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu "
    "ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na "
    "nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so "
    "sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu"
)
_LANGUAGES = frozenset(_LANGUAGES_LIST.split())
_TAG = re.compile(r"([a-z]{2,3})(-[a-z]{4})?(-[a-z]{2}|-[0-9]{3})?\Z")
_NO_REGIONS = frozenset(["-uk", "-eu", "-en"])
_DIRECTIVES_LIST = (
    "all index follow noindex nofollow none noarchive nocache nosnippet noimageindex notranslate "
    "indexifembedded noodp noydir nositelinkssearchbox"
)
_DIRECTIVES = frozenset(_DIRECTIVES_LIST.split())
_VALUED = ("max-snippet:", "max-image-preview:", "max-video-preview:", "unavailable_after:")
# A date in unavailable_after may hold commas and colons of its own.
_DATE_LEFT = re.compile(r"[\d\s:+-]+(?:gmt|utc|[a-z]{3})?\Z|\d{1,2}[ -][a-z]{3}[ -]\d")


def canonical_missing(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and not found.canonicals and not found.robots.noindex else None


def canonical_several(page: Page) -> Evidence | None:
    found = page.html
    if not found or len(set(found.canonicals)) < 2:
        return None
    return {"canonicals": list(found.canonicals)}


def canonical_in_body(page: Page) -> Evidence | None:
    found = page.html
    return {"canonical": found.canonical} if found and found.canonicals_in_body else None


def canonical_unreadable(page: Page) -> Evidence | None:
    found = page.html
    if not found or not found.canonicals or key_of(found.canonical):
        return None
    return {"canonical": found.canonical or "(empty)"}


def canonical_insecure(page: Page) -> Evidence | None:
    found = page.html
    if not found or not page.url.startswith("https:"):
        return None
    return {"canonical": found.canonical} if found.canonical.startswith("http:") else None


def canonical_broken(site: Site) -> Iterator[tuple[int, Evidence]]:
    for page, target in _canonicalised(site):
        if target.broken:
            yield page.id, {"canonical": target.url, "status": target.status}


def canonical_redirects(site: Site) -> Iterator[tuple[int, Evidence]]:
    for page, target in _canonicalised(site):
        if target.redirects:
            yield page.id, {"canonical": target.url, "leads_to": target.redirects[-1]}


def canonical_noindex(site: Site) -> Iterator[tuple[int, Evidence]]:
    for page, target in _canonicalised(site):
        if target.noindex:
            yield page.id, {"canonical": target.url}


def canonical_chain(site: Site) -> Iterator[tuple[int, Evidence]]:
    for page, target in _canonicalised(site):
        if target.html and target.canonical != target.key:
            further = site.by_key.get(target.canonical)
            yield (
                page.id,
                {"canonical": target.url, "of_that": further.url if further else "another"},
            )


def _canonicalised(site: Site) -> Iterator[tuple[Outline, Outline]]:
    for page in site.pages.values():
        if page.html and page.canonical != page.key:
            target = site.by_key.get(page.canonical)
            if target is not None:
                yield page, target


def noindex(page: Page) -> Evidence | None:
    found = page.html
    if not found or not found.robots.noindex or not page.inlinks:
        return None
    return {
        "by": "X-Robots-Tag" if found.robots.by_header else "meta robots",
        "links": page.inlinks,
    }


def nofollow(page: Page) -> Evidence | None:
    found = page.html
    if not found or not found.robots.nofollow or found.robots.noindex:
        return None
    return {"directives": list(found.robots.directives)}


def robots_contradictory(page: Page) -> Evidence | None:
    found = page.html
    if not found or not found.robots.contradictory:
        return None
    return {"directives": list(found.robots.directives)}


def robots_unknown(page: Page) -> Evidence | None:
    found = page.html
    unknown = [
        one
        for one in (found.robots.directives if found else ())
        if one not in _DIRECTIVES and not one.startswith(_VALUED) and not _DATE_LEFT.match(one)
    ]
    return {"directives": unknown} if unknown else None


def noindex_canonical(page: Page) -> Evidence | None:
    found = page.html
    if not found or not found.robots.noindex or page.canonical_key == page.key:
        return None
    return {"canonical": found.canonical}


def refresh(page: Page) -> Evidence | None:
    found = page.html
    return {"refresh": found.refresh} if found and "url" in found.refresh.lower() else None


def blocked_but_linked(site: Site) -> Iterator[tuple[int, Evidence]]:
    for page in site.unvisited:
        if page.state == "robots" and page.inlinks:
            yield page.id, {"links": page.inlinks}


def hreflang_bad_code(page: Page) -> Evidence | None:
    found = page.html
    bad = [code for code, _ in (found.hreflangs if found else ()) if not _is_code(code)]
    return {"codes": bad[:EXAMPLES_MAX]} if bad else None


def hreflang_twice(page: Page) -> Evidence | None:
    found = page.html
    led: dict[str, set[str]] = {}
    for code, url in found.hreflangs if found else ():
        led.setdefault(code.lower(), set()).add(url)
    twice = [code for code, urls in led.items() if len(urls) > 1]
    return {"codes": twice[:EXAMPLES_MAX]} if twice else None


def hreflang_no_self(page: Page) -> Evidence | None:
    found = page.indexable
    if not found or not found.hreflangs:
        return None
    return None if any(key_of(url) == page.key for _, url in found.hreflangs) else {}


def hreflang_no_default(page: Page) -> Evidence | None:
    found = page.indexable
    if not found or not found.hreflangs:
        return None
    return None if any(code.lower() == "x-default" for code, _ in found.hreflangs) else {}


def hreflang_no_return(site: Site) -> Iterator[tuple[int, Evidence]]:
    for page in site.pages.values():
        lacking = []
        for code, key, url in page.hreflangs if page.indexable else ():
            target = site.by_key.get(key) if key else None
            if target is None or target is page or not target.html:
                continue
            if all(back != page.key for _, back, _ in target.hreflangs):
                lacking.append(f"{code}: {url}")
        if lacking:
            yield page.id, {"without_return": lacking[:EXAMPLES_MAX]}


def hreflang_broken(site: Site) -> Iterator[tuple[int, Evidence]]:
    for page in site.pages.values():
        bad = []
        for code, key, url in page.hreflangs:
            target = site.by_key.get(key) if key else None
            if target is not None and (target.broken or target.redirects or target.noindex):
                state = "noindex" if target.noindex else target.status or "no answer"
                bad.append(f"{code}: {url} ({state})")
        if bad:
            yield page.id, {"targets": bad[:EXAMPLES_MAX]}


def lang_missing(page: Page) -> Evidence | None:
    found = page.html
    return {} if found and not found.lang else None


def lang_bad(page: Page) -> Evidence | None:
    found = page.html
    bad = found and found.lang and found.lang.lower().partition("-")[0] not in _LANGUAGES
    if not found or not bad or len(found.lang.partition("-")[0]) == 3:
        return None
    return {"lang": found.lang}


def _is_code(code: str) -> bool:
    lowered = code.lower()
    if lowered == "x-default":
        return True
    tag = _TAG.match(lowered)
    if tag is None or tag.group(3) in _NO_REGIONS:
        return False
    return tag.group(1) in _LANGUAGES


RULES = (
    Rule(
        "canonical-missing", "canonicals", "notice", "No canonical address",
        "The same page often answers under several addresses; without a canonical each is a page of its own.",
        'Add <link rel="canonical"> with the address that should be shown, on that page too.', canonical_missing,
    ),
    Rule(
        "canonical-several", "canonicals", "error", "Canonicals contradict each other",
        "With two different canonicals search engines ignore both.",
        "Keep one; look at the template, at plug-ins and at the Link header.", canonical_several,
    ),
    Rule(
        "canonical-in-body", "canonicals", "error", "Canonical outside the head",
        "A canonical in the body is ignored, because visitors' comments could put one there.",
        "Move it into the head; often an unclosed element before it ends the head early.", canonical_in_body,
    ),
    Rule(
        "canonical-unreadable", "canonicals", "error", "Canonical is no address",
        "An empty or broken canonical is ignored.", "Write a full address with https://.", canonical_unreadable,
    ),
    Rule(
        "canonical-insecure", "canonicals", "warning", "Canonical leads from https to http",
        "It asks search engines to show the address without encryption.",
        "Let the canonical begin with https://.", canonical_insecure,
    ),
    Rule(
        "canonical-broken", "canonicals", "error", "Canonical leads to an error",
        "The page asks to be replaced by one that does not answer, and may vanish from results.",
        "Point the canonical to a page that answers with 200.", check_site=canonical_broken,
    ),
    Rule(
        "canonical-redirects", "canonicals", "warning", "Canonical redirects",
        "The address that is to be shown sends its visitors elsewhere.",
        "Name the last address of the redirect.", check_site=canonical_redirects,
    ),
    Rule(
        "canonical-noindex", "canonicals", "error", "Canonical leads to a page that is kept out",
        "The page hands its place to one with noindex: neither is shown.",
        "Take noindex from the canonical page, or change the canonical.", check_site=canonical_noindex,
    ),
    Rule(
        "canonical-chain", "canonicals", "warning", "Canonical has another canonical",
        "Engines do not follow chains of canonicals reliably.",
        "Let every copy name the last one directly.", check_site=canonical_chain,
    ),
    Rule(
        "noindex", "robots", "notice", "Kept out of search results",
        "The page says noindex. That is right for carts and archives, and a disaster for anything else.",
        "Look whether it should be found; if so, remove noindex.", noindex,
    ),
    Rule(
        "nofollow", "robots", "warning", "Links of the page do not count",
        "Robots nofollow on a whole page cuts off what it links to.",
        "Remove nofollow from the page; mark single links instead.", nofollow,
    ),
    Rule(
        "robots-contradictory", "robots", "warning", "Robots are told yes and no",
        "With index and noindex together the stricter one counts, which may not be what you meant.",
        "Say it once, in one place.", robots_contradictory,
    ),
    Rule(
        "robots-unknown", "robots", "notice", "Robots directive nobody knows",
        "Unknown words are ignored; a misspelt noindex shows what should be hidden.",
        "Correct the spelling.", robots_unknown,
    ),
    Rule(
        "noindex-canonical", "robots", "warning", "noindex together with a canonical elsewhere",
        "One says: forget me; the other: count me for that page. Engines may carry noindex over.",
        "Use the canonical for copies, noindex for what must not be found, never both.", noindex_canonical,
    ),
    Rule(
        "refresh", "robots", "warning", "Redirect in the page",
        "A meta refresh is slow, breaks the back button and is followed unreliably.",
        "Redirect with status 301 on the server.", refresh,
    ),
    Rule(
        "blocked-but-linked", "robots", "notice", "Linked, but closed by robots.txt",
        "Engines cannot read it, yet may show its bare address because it is linked.",
        "Open it and use noindex, or take the links away.", check_site=blocked_but_linked,
    ),
    Rule(
        "hreflang-bad-code", "hreflang", "error", "Language code that does not exist",
        "An unknown code (en-UK instead of en-GB) makes the whole entry void.",
        "Use ISO 639-1 for the language and ISO 3166-1 for the region.", hreflang_bad_code,
    ),
    Rule(
        "hreflang-twice", "hreflang", "error", "One language, several addresses",
        "Engines cannot tell which page is for these readers.",
        "Keep one address for each language and region.", hreflang_twice,
    ),
    Rule(
        "hreflang-no-self", "hreflang", "warning", "hreflang leaves out the page itself",
        "The set of languages must be the same on all of its pages, each included.",
        "Add the page's own language and address to its list.", hreflang_no_self,
    ),
    Rule(
        "hreflang-no-default", "hreflang", "notice", "No page for other languages",
        "Without x-default readers of other languages get a page by chance.",
        'Add hreflang="x-default" with the page for everybody else.', hreflang_no_default,
    ),
    Rule(
        "hreflang-no-return", "hreflang", "error", "Other language does not link back",
        "hreflang counts only if both pages name each other.",
        "Add the missing entry to the other page.", check_site=hreflang_no_return,
    ),
    Rule(
        "hreflang-broken", "hreflang", "error", "hreflang leads to a page that cannot be shown",
        "An address that is broken, redirects or says noindex makes the entry void.",
        "Name the final, working address.", check_site=hreflang_broken,
    ),
    Rule(
        "lang-missing", "hreflang", "warning", "Language of the page not said",
        "Screen readers choose the voice, browsers the translation by it.",
        'Write <html lang="en">, with the language of the text.', lang_missing,
    ),
    Rule(
        "lang-bad", "hreflang", "notice", "Language of the page does not exist",
        "A language nobody knows is ignored.", "Use a code such as en, de or pt-BR.", lang_bad,
    ),
)  # fmt: skip
