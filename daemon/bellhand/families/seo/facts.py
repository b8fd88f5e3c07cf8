"""What one page is to a search engine, read once, as plain values that the rules look at."""

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from bellhand.clients.html import trimmed
from bellhand.outcomes import clean

from .elements import LISTED_MAX, Elements, Link, gather
from .likeness import simhash, text_hash, words_of

__all__ = ["Facts", "Link", "Robots", "has_anchor", "read"]

_ANCHORS_MAX = 5000
_UNKNOWN = "*"
_END_CHARS = 20
_KEPT_HEADERS = (
    "cache-control", "content-encoding", "content-security-policy", "content-type", "etag", "expires", "last-modified",
    "permissions-policy", "referrer-policy", "strict-transport-security", "x-content-type-options",
    "x-frame-options", "x-robots-tag",
)  # fmt: skip
_RAW = ["script", "style"]
_UNSEEN = ["noscript", "template"]
_FURNITURE = ["nav", "header", "footer", "aside", "svg"]
_DOCTYPE = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<!doctype\s+html", re.I | re.S)
_LINK_HEADER = re.compile(r'<([^>]*)>\s*;[^,]*\brel\s*=\s*"?canonical\b', re.I)
_LOADED = frozenset(["img", "script", "stylesheet", "iframe", "media", "icon"])
_AGENTS = ("robots", "googlebot", "bingbot")


@dataclass(frozen=True, slots=True)
class Robots:
    """What the page tells robots, in its meta elements and in X-Robots-Tag."""

    noindex: bool = False
    nofollow: bool = False
    directives: tuple[str, ...] = ()
    by_header: bool = False
    contradictory: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """One page; addresses are absolute where not said otherwise, lists end at a limit.

    `text_hash` and `simhash` are of the main text, without navigation, header and footer. `anchors`
    holds what fragments may point to, see has_anchor.
    """

    url: str = ""
    base: str = ""
    chars: int = 0
    tags: int = 0
    doctype: bool = False
    lang: str = ""
    charset: str = ""
    charset_late: bool = False
    viewport: str | None = None
    titles: tuple[str, ...] = ()
    descriptions: tuple[str, ...] = ()
    robots: Robots = Robots()
    canonicals: tuple[str, ...] = ()
    canonicals_in_body: int = 0
    hreflangs: tuple[tuple[str, str], ...] = ()
    h1s: tuple[str, ...] = ()
    heading_levels: str = ""
    headings_empty: int = 0
    words: int = 0
    text_hash: str = ""
    simhash: int = 0
    images: int = 0
    images_without_alt: int = 0
    images_without_alt_list: tuple[str, ...] = ()
    images_without_size: int = 0
    images_large: tuple[str, ...] = ()
    images_old: tuple[str, ...] = ()
    images_lazy: int = 0
    links: tuple[Link, ...] = ()
    links_inside: int = 0
    links_outside: int = 0
    links_inside_nofollow: tuple[str, ...] = ()
    anchors_empty: tuple[str, ...] = ()
    anchors_vague: tuple[str, ...] = ()
    anchors_unusable: tuple[str, ...] = ()
    scripts: int = 0
    scripts_blocking: tuple[str, ...] = ()
    scripts_inline_chars: int = 0
    styles: int = 0
    styles_inline_chars: int = 0
    iframes: int = 0
    iframes_untitled: int = 0
    open_graph: tuple[tuple[str, str], ...] = ()
    twitter: tuple[tuple[str, str], ...] = ()
    data_types: tuple[str, ...] = ()
    data_errors: tuple[str, ...] = ()
    data_missing: tuple[str, ...] = ()
    data_advised: tuple[str, ...] = ()
    microdata: tuple[str, ...] = ()
    mixed: tuple[str, ...] = ()
    forms_insecure: tuple[str, ...] = ()
    passwords: int = 0
    icon: bool = False
    refresh: str = ""
    csp_in_meta: bool = False
    anchors: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The first title; empty if there is none."""
        return self.titles[0] if self.titles else ""

    @property
    def description(self) -> str:
        """The first meta description; empty if there is none."""
        return self.descriptions[0] if self.descriptions else ""

    @property
    def canonical(self) -> str:
        """The first canonical address; empty if there is none."""
        return self.canonicals[0] if self.canonicals else ""

    def header(self, name: str) -> str:
        """A response header by its name in lower case; empty if it was not sent."""
        return dict(self.headers).get(name, "")

    def as_json(self) -> dict[str, Any]:
        """Everything but the links, without what is as it would be anyway."""
        found: dict[str, Any] = {}
        for name, default in _DEFAULTS.items():
            value = getattr(self, name)
            if value != default:
                found[name] = _robots_json(value) if name == "robots" else value
        return found

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Facts":
        """The facts as they were before as_json, without links; unknown keys are ignored."""
        values: dict[str, Any] = {}
        for name in stored.keys() & _DEFAULTS.keys():
            value = stored[name]
            if name == "robots":
                said: dict[str, Any] = {**value, "directives": tuple(value.get("directives", ()))}
                value = Robots(**said)
            elif isinstance(value, list):
                value = tuple(tuple(v) if isinstance(v, list) else v for v in value)
            values[name] = value
        return cls(**values)


_DEFAULTS = {f.name: f.default for f in fields(Facts) if f.name != "links"}


def _robots_json(robots: Robots) -> dict[str, Any]:
    return {f.name: v for f in fields(Robots) if (v := getattr(robots, f.name)) != f.default}


def read(page_text: str, final_url: str, headers: Mapping[str, str]) -> Facts:
    """Read a page; any text is a page, and no text makes it raise."""
    if "\0" in page_text:
        page_text = page_text.replace("\0", "\ufffd")
    fit = trimmed(page_text)
    tree = LexborHTMLParser(fit)
    tree.strip_tags(_UNSEEN)
    found = gather(tree)
    # What had to go, of a large page, is what its scripts and styles held.
    found.scripts_inline_chars += len(page_text) - len(fit)
    sent = _headers(headers)
    base = _joined(final_url, found.base) if found.base else final_url
    root = tree.css_first("html")
    # Of a page that was cut nobody knows what the rest would hold.
    whole = fit.rstrip()[-_END_CHARS:] == page_text.rstrip()[-_END_CHARS:]
    anchors = _anchors(tree) if whole else _UNKNOWN
    words = words_of(_main_text(tree))
    return Facts(
        url=final_url,
        base=base or final_url,
        chars=len(page_text),
        tags=page_text.count("<") - page_text.count("</"),
        doctype=_DOCTYPE.match(page_text[:2000]) is not None,
        lang=((root.attributes.get("lang") or "").strip()[:40]) if root else "",
        words=len(words),
        text_hash=text_hash(words),
        simhash=simhash(words),
        robots=_robots(found, sent),
        headers=tuple((k, v[:300]) for k, v in sent.items() if k in _KEPT_HEADERS),
        anchors=anchors,
        links=tuple(found.links),
        **_of_head(found, base, sent, page_text),
        **_of_body(found),
        **_of_links(found, base, final_url),
    )


def has_anchor(anchors: str, fragment: str) -> bool:
    """Whether a page with these `anchors` has an element that `fragment` points to."""
    if not fragment or fragment == "top" or fragment.startswith((":~:", "!", "/")):
        return True  # the page itself, a text in it, or the state of a script
    if anchors == _UNKNOWN:
        return True
    marks = base64.b85decode(anchors)
    wanted = zlib.crc32(fragment.encode("utf-8", "replace")).to_bytes(4, "big")
    return any(marks[at : at + 4] == wanted for at in range(0, len(marks), 4))


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Names in lower case; what was sent several times is one list."""
    sent: dict[str, str] = {}
    for name, value in headers.items():
        value = clean(str(value))
        key = name.lower()
        sent[key] = f"{sent[key]}, {value}" if key in sent else value
    return sent


def _anchors(tree: LexborHTMLParser) -> str:
    """A 4 byte checksum of each id and name, packed: 500 of them are 2.5 kB."""
    names = {node.id for node in tree.css("[id]")}
    names |= {node.attributes.get("name") for node in tree.css("a[name]")}
    marks = [zlib.crc32(n.encode("utf-8", "replace")).to_bytes(4, "big") for n in names if n]
    return base64.b85encode(b"".join(marks)).decode() if len(marks) <= _ANCHORS_MAX else _UNKNOWN


def _main_text(tree: LexborHTMLParser) -> str:
    """What is to be read, less menus, headers and the like; the tree has neither afterwards."""
    tree.strip_tags(_RAW)
    body = tree.body
    if body is None:
        return ""
    everywhere = body.text(separator=" ")
    tree.strip_tags(_FURNITURE)
    main = body.text(separator=" ")
    # A page that has put nearly all of itself into a header has no better main part.
    return main if 10 * len(main) > len(everywhere) else everywhere


def _robots(found: Elements, sent: Mapping[str, str]) -> Robots:
    said = [one for agent in _AGENTS[:2] for one in found.metas.get(agent, ())]
    in_header = sent.get("x-robots-tag", "").lower()
    # "otherbot: noindex" speaks to somebody else.
    ours = re.sub(
        r"\b(?!googlebot|unavailable_after|max-)[a-z][\w-]*bot[\w-]*\s*:[^:]*", "", in_header
    )
    ours = ours.replace("googlebot:", "")
    directives: dict[str, None] = {}
    for text in (*said, ours):
        directives |= dict.fromkeys(
            one.strip().lower()[:60] for one in text.split(",") if one.strip()
        )
    none = "none" in directives
    return Robots(
        noindex=none or "noindex" in directives,
        nofollow=none or "nofollow" in directives,
        directives=tuple(directives)[:LISTED_MAX],
        by_header="noindex" in ours or "none" in ours.replace(" ", "").split(","),
        contradictory=("index" in directives and (none or "noindex" in directives))
        or ("follow" in directives and (none or "nofollow" in directives)),
    )


def _of_head(found: Elements, base: str, sent: Mapping[str, str], page_text: str) -> dict[str, Any]:
    metas = found.metas
    canonicals = [_joined(base, one.href) for one in found.links if one.kind == "canonical"]
    in_header = [_joined(base, href) for href in _LINK_HEADER.findall(sent.get("link", ""))]
    hreflangs = [(x.text, _joined(base, x.href)) for x in found.links if x.kind == "hreflang"]
    social = [(name, values[0][:300]) for name, values in metas.items() if values[0]]
    _, _, declared = sent.get("content-type", "").lower().partition("charset=")
    viewports = metas.get("viewport")
    return {
        "charset": found.charset or declared.strip(" \"';")[:40],
        "charset_late": bool(found.charset) and "charset" not in page_text[:1024].lower(),
        "viewport": viewports[0][:200] if viewports else None,
        "titles": tuple(found.titles[:LISTED_MAX]),
        "descriptions": tuple(metas.get("description", ())[:LISTED_MAX]),
        "canonicals": tuple((canonicals + in_header)[:LISTED_MAX]),
        "canonicals_in_body": found.canonicals_in_body,
        "hreflangs": tuple(hreflangs[:100]),
        "open_graph": tuple(x for x in social if x[0].startswith("og:"))[:LISTED_MAX],
        "twitter": tuple(x for x in social if x[0].startswith("twitter:"))[:LISTED_MAX],
        "icon": any(link.kind == "icon" for link in found.links),
        "refresh": found.refresh,
        "csp_in_meta": "content-security-policy" in metas,
    }


def _of_body(found: Elements) -> dict[str, Any]:
    return {
        "h1s": tuple(text for level, text in found.headings if level == 1)[:LISTED_MAX],
        "heading_levels": "".join(str(level) for level, _ in found.headings)[:200],
        "headings_empty": sum(not text for _, text in found.headings),
        "images": found.images,
        "images_without_alt": found.images_without_alt_count,
        "images_without_alt_list": tuple(found.images_without_alt),
        "images_without_size": found.images_without_size,
        "images_large": tuple(found.images_large),
        "images_old": tuple(found.images_old),
        "images_lazy": found.images_lazy,
        "scripts": found.scripts,
        "scripts_blocking": tuple(found.scripts_blocking),
        "scripts_inline_chars": found.scripts_inline_chars,
        "styles": found.styles,
        "styles_inline_chars": found.styles_inline_chars,
        "iframes_untitled": found.iframes_untitled,
        "passwords": found.passwords,
        "microdata": tuple(dict.fromkeys(found.microdata))[:LISTED_MAX],
        "data_types": tuple(found.data.types),
        "data_errors": tuple(found.data.errors),
        "data_missing": tuple(found.data.missing),
        "data_advised": tuple(found.data.advised),
        "anchors_empty": tuple(found.anchors_empty),
        "anchors_vague": tuple(found.anchors_vague),
        "anchors_unusable": tuple(found.anchors_unusable),
    }


def _of_links(found: Elements, base: str, final_url: str) -> dict[str, Any]:
    """Where the links lead, without joining each: that would cost more than the parsing."""
    own = _site(final_url)
    base_inside = _site(base) == own
    encrypted = final_url[:8].lower() == "https://"
    inside = outside = iframes = 0
    nofollow: list[str] = []
    mixed: list[str] = []
    forms: list[str] = []
    for link in found.links:
        kind, href = link.kind, link.href
        if kind == "a":
            leads = _leads(href)
            inward = base_inside if leads is None else leads == own
            if leads == "":
                continue
            inside += inward
            outside += not inward
            if inward and "nofollow" in link.rel and len(nofollow) < LISTED_MAX:
                nofollow.append(href)
        elif kind == "iframe":
            iframes += 1
        if encrypted and href[:7].lower() == "http://":
            if kind in _LOADED and len(mixed) < LISTED_MAX:
                mixed.append(href)
            elif kind == "form" and len(forms) < LISTED_MAX:
                forms.append(href)
    return {
        "links_inside": inside,
        "links_outside": outside,
        "links_inside_nofollow": tuple(nofollow),
        "iframes": iframes,
        "mixed": tuple(mixed),
        "forms_insecure": tuple(forms),
    }


_ABSOLUTE = re.compile(r"(?:(?:https?:)?//)([^/?#]*)", re.I)
_OTHER_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.I)


def _leads(href: str) -> str | None:
    """The host a link names, None for the page's own, empty for what is no page (mailto:)."""
    absolute = _ABSOLUTE.match(href)
    if absolute:
        return _bare(absolute.group(1))
    return "" if _OTHER_SCHEME.match(href) or href.startswith("#") else None


@lru_cache(maxsize=1000)
def _bare(authority: str) -> str:
    host = authority.rpartition("@")[2].lower()
    return host.removeprefix("www.").removesuffix(":443").removesuffix(":80")


def _site(url: str) -> str:
    try:
        return _bare(urlsplit(url).netloc)
    except ValueError:
        return ""


def _joined(base: str, href: str) -> str:
    """The absolute address; what cannot be joined stays as it is, to be seen."""
    try:
        return urljoin(base, href) if href else ""
    except ValueError:
        return href
