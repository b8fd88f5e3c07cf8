"""One pass over the elements of a page that matter to search engines, in the order of the page."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from .schema import Report

TEXT_CHARS_MAX = 300
HREF_CHARS_MAX = 2000
LISTED_MAX = 10
LINKS_MAX = 10_000
_SELECTOR = (
    "title,meta,link,base,a,area,img,script,style,iframe,form,h1,h2,h3,h4,h5,h6,source,video,audio,"
    "embed,object,input,[itemtype]"
)
# What browsers drop from an address in an attribute.
_BREAKS = re.compile(r"[\t\r\n]+")
_VAGUE = frozenset(
    [
        "click", "click here", "continue", "details", "go", "here", "hier", "hier klicken", "info", "learn more",
        "link", "más", "mehr", "mehr erfahren", "mehr lesen", "more", "more info", "read more", "see more",
        "start", "this", "this page", "view", "view more", "weiter", "weiterlesen",
    ]
)  # fmt: skip
_DATA_IMAGE_CHARS_MAX = 10_000
_IMAGE_PIXELS_MAX = 2500
_REL_KINDS = ("next", "prev", "amphtml", "manifest", "alternate")
_ORIGINS_ONLY = frozenset(["dns-prefetch", "preconnect"])  # names of hosts, nothing to fetch
_OLD_FORMATS = (".bmp", ".tif", ".tiff")


class Link(NamedTuple):
    """Something the page points to: `href` as written, to be read relative to Facts.base.

    `kind` is a (area too), canonical, hreflang, next, prev, icon, stylesheet, alternate, amphtml,
    manifest, link (of any other rel), img, script, iframe, media, form. `text` is what the visitor
    reads, an image's alt text, or the language of a hreflang; `rel` in lower case.
    """

    href: str
    text: str
    rel: str
    kind: str


@dataclass(slots=True)
class Elements:
    """What the pass gathers; counts are of the whole page, lists have limits."""

    base: str = ""
    titles: list[str] = field(default_factory=list)
    metas: dict[str, list[str]] = field(default_factory=dict)
    refresh: str = ""
    charset: str = ""
    links: list[Link] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    canonicals_in_body: int = 0
    images: int = 0
    images_without_alt: list[str] = field(default_factory=list)
    images_without_alt_count: int = 0
    images_without_size: int = 0
    images_large: list[str] = field(default_factory=list)
    images_old: list[str] = field(default_factory=list)
    images_lazy: int = 0
    anchors_empty: list[str] = field(default_factory=list)
    anchors_vague: list[str] = field(default_factory=list)
    anchors_unusable: list[str] = field(default_factory=list)
    scripts: int = 0
    scripts_blocking: list[str] = field(default_factory=list)
    scripts_inline_chars: int = 0
    styles: int = 0
    styles_inline_chars: int = 0
    iframes_untitled: int = 0
    passwords: int = 0
    microdata: list[str] = field(default_factory=list)
    data: Report = field(default_factory=Report)


def gather(tree: LexborHTMLParser) -> Elements:
    """Take the pass; what stands inside noscript and template should be gone by now."""
    found = Elements()
    for node in tree.css(_SELECTOR):
        attributes = node.attributes
        take = _TAKERS.get(node.tag or "")
        if take is not None:
            take(found, node, attributes)
        if "itemtype" in attributes:
            _itemtype(found, node, attributes)
    return found


Attributes = dict[str, str | None]


def _text(value: str | None, chars_max: int = TEXT_CHARS_MAX) -> str:
    return " ".join((value or "").split())[:chars_max]


def _href(value: str | None) -> str:
    href = (value or "").strip()[:HREF_CHARS_MAX]
    return href if href.isprintable() else _BREAKS.sub("", href)


def _list(listed: list[str], value: str) -> None:
    if len(listed) < LISTED_MAX and value not in listed:
        listed.append(value)


def _link(found: Elements, href: str, text: str, rel: str, kind: str) -> None:
    if href and len(found.links) < LINKS_MAX:
        found.links.append(Link(href, text, rel, kind))


def _within(node: LexborNode, tag: str) -> bool:
    above = node.parent
    while above is not None:
        if above.tag == tag:
            return True
        above = above.parent
    return False


def _title(found: Elements, node: LexborNode, _: Attributes) -> None:
    if not _within(node, "svg"):  # there it names a drawing
        found.titles.append(_text(node.text(), 500))


def _meta(found: Elements, _node: LexborNode, attributes: Attributes) -> None:
    content = _text(attributes.get("content"), 1000)
    if charset := attributes.get("charset"):
        found.charset = found.charset or charset.strip().lower()[:40]
    equivalent = (attributes.get("http-equiv") or "").strip().lower()
    if equivalent == "refresh":
        found.refresh = found.refresh or content[:HREF_CHARS_MAX]
    elif equivalent == "content-type":
        _, _, charset = content.lower().partition("charset=")
        found.charset = found.charset or charset.strip(" \"';")[:40]
    elif equivalent == "content-security-policy":
        found.metas.setdefault("content-security-policy", []).append(content)
    name = attributes.get("name") or attributes.get("property") or ""
    if name and len(found.metas) < 200:
        found.metas.setdefault(name.strip().lower()[:60], []).append(content)


def _head_link(found: Elements, node: LexborNode, attributes: Attributes) -> None:
    rel = _text(attributes.get("rel")).lower()
    href = _href(attributes.get("href"))
    rels = rel.split()
    if "stylesheet" in rels:
        found.styles += "alternate" not in rels
        _link(found, href, attributes.get("media") or "", rel, "stylesheet")
    elif "canonical" in rels:
        found.canonicals_in_body += _within(node, "body")
        found.links.append(Link(href, "", rel, "canonical"))  # an empty one is a fault to see
    elif "alternate" in rels and "hreflang" in attributes:
        _link(found, href, _text(attributes.get("hreflang"), 40), rel, "hreflang")
    elif "icon" in rels or "apple-touch-icon" in rels:
        _link(found, href, "", rel, "icon")
    else:
        kinds = [kind for kind in _REL_KINDS if kind in rels]
        if kinds or not _ORIGINS_ONLY.intersection(rels):
            _link(found, href, _text(attributes.get("title")), rel, kinds[0] if kinds else "link")


def _base(found: Elements, _: LexborNode, attributes: Attributes) -> None:
    found.base = found.base or _href(attributes.get("href"))


def _anchor(found: Elements, node: LexborNode, attributes: Attributes) -> None:
    # Not by the selector a[href]: that also finds the xlink:href of drawings.
    if "href" not in attributes:
        return
    href = _href(attributes.get("href"))
    rel = attributes.get("rel") or ""
    text = _text(node.text()) or _spoken(node, attributes)
    if not href or href[:11].lower() == "javascript:":
        _list(found.anchors_unusable, href[:100] or f"(empty) {text}"[:100])
        return
    if not text and not href.startswith("#"):
        _list(found.anchors_empty, href)
    elif len(text) < 20 and text.lower().rstrip(" .…»>→:") in _VAGUE:
        _list(found.anchors_vague, f"{text}: {href}"[:TEXT_CHARS_MAX])
    if len(found.links) < LINKS_MAX:
        found.links.append(Link(href, text, _text(rel).lower() if rel else "", "a"))


def _spoken(node: LexborNode, attributes: Attributes) -> str:
    """What a link without text says all the same: by a label or by the images in it."""
    said = _text(attributes.get("aria-label")) or _text(attributes.get("title"))
    said = said or _text(attributes.get("alt"))
    if not said:
        for inner in node.css("img,svg,[aria-label]"):
            inside = inner.attributes
            said = _text(inside.get("alt")) or _text(inside.get("aria-label"))
            if said:
                break
    return said


def _image(found: Elements, node: LexborNode, attributes: Attributes) -> None:
    width, height = attributes.get("width") or "", attributes.get("height") or ""
    if width.strip() in ("0", "1") and height.strip() in ("0", "1"):
        return  # a counter's pixel shows nothing
    src = _href(attributes.get("src") or attributes.get("data-src"))
    shown = src[:60] + "..." if src.startswith("data:") else src
    found.images += 1
    if "alt" not in attributes and not attributes.get("aria-hidden"):
        found.images_without_alt_count += 1
        _list(found.images_without_alt, shown)
    style = attributes.get("style") or ""
    if not (width and height) and not ("width" in style and "height" in style):
        found.images_without_size += 1
    found.images_lazy += (attributes.get("loading") or "").lower() == "lazy"
    if src.startswith("data:"):
        if len(attributes.get("src") or "") > _DATA_IMAGE_CHARS_MAX:
            _list(found.images_large, f"{shown} ({len(attributes.get('src') or '')} characters)")
        return
    if width.isdecimal() and len(width) < 7 and int(width) > _IMAGE_PIXELS_MAX:
        _list(found.images_large, f"{shown} ({width} pixels wide)")
    if src.lower().partition("?")[0].endswith(_OLD_FORMATS):
        _list(found.images_old, shown)
    _link(found, src, _text(attributes.get("alt")), "", "img")


def _script(found: Elements, node: LexborNode, attributes: Attributes) -> None:
    kind = (attributes.get("type") or "").lower()
    if "ld+json" in kind:
        found.data.add_json(node.text())
        return
    src = _href(attributes.get("src"))
    if not src:
        found.scripts_inline_chars += len(node.text())
        return
    found.scripts += 1
    deferred = "async" in attributes or "defer" in attributes or kind == "module"
    if not deferred and not _within(node, "body"):
        _list(found.scripts_blocking, src)
    _link(found, src, "", "", "script")


def _style(found: Elements, node: LexborNode, _: Attributes) -> None:
    found.styles_inline_chars += len(node.text())


def _iframe(found: Elements, _: LexborNode, attributes: Attributes) -> None:
    found.iframes_untitled += not _text(attributes.get("title"))
    _link(found, _href(attributes.get("src")), _text(attributes.get("title")), "", "iframe")


def _media(found: Elements, _: LexborNode, attributes: Attributes) -> None:
    src = attributes.get("src") or attributes.get("data")
    if not src and (many := attributes.get("srcset")):
        src = many.split()[0] if many.split() else ""
    _link(found, _href(src), "", "", "media")


def _form(found: Elements, _: LexborNode, attributes: Attributes) -> None:
    _link(found, _href(attributes.get("action")), "", "", "form")


def _input(found: Elements, _: LexborNode, attributes: Attributes) -> None:
    found.passwords += (attributes.get("type") or "").lower() == "password"


def _heading(found: Elements, node: LexborNode, attributes: Attributes) -> None:
    if len(found.headings) < 1000:
        text = _text(node.text()) or _spoken(node, attributes)
        found.headings.append((int((node.tag or "h6")[1]), text))


def _itemtype(found: Elements, node: LexborNode, attributes: Attributes) -> None:
    """Microdata: with the properties of nested things too, so it may forgive, never accuse."""
    name = _text(attributes.get("itemtype")).partition(" ")[0]
    if not name or len(found.microdata) >= 200:
        return
    found.microdata.append(name.rstrip("/").rpartition("/")[2][:60])
    names = " ".join(n.attributes.get("itemprop") or "" for n in node.css("[itemprop]")).split()
    found.data.add_thing(name, dict.fromkeys(names, True))


_TAKERS: dict[str, Callable[[Elements, LexborNode, Attributes], None]] = {
    "title": _title, "meta": _meta, "link": _head_link, "base": _base, "a": _anchor, "area": _anchor,
    "img": _image, "script": _script, "style": _style, "iframe": _iframe, "form": _form,
    "source": _media, "video": _media, "audio": _media, "embed": _media, "object": _media,
    "input": _input, **{f"h{n}": _heading for n in range(1, 7)},
}  # fmt: skip
