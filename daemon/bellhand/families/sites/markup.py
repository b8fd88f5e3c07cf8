"""A page taken apart once: the text a visitor reads, the links, what is meant for machines."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from bellhand.clients.html import trimmed

from .words import BLOCK_TAGS, UNSEEN_TAGS

_SPACES = re.compile(r"[ \t\r\f\v\xa0]+")

_TITLE_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Link:
    """An anchor: where it points, as written, and what it says."""

    href: str
    text: str


@dataclass(frozen=True, slots=True)
class Markup:
    """One page; `text` has a line per block, `data` the page's JSON-LD objects, flat.

    `language` is what the page says of itself, such as en-GB, and may be empty. `sources` are the
    addresses of its scripts, styles and frames, `scripts` how many scripts there are.
    """

    title: str
    text: str
    links: tuple[Link, ...]
    base: str
    onward: tuple[str, ...]
    shields: tuple[str, ...]
    data: tuple[dict[str, Any], ...]
    language: str = ""
    generators: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    scripts: int = 0


def read(html: str) -> Markup:
    """Take a page apart; any text is a page."""
    tree = LexborHTMLParser(trimmed(html))
    base = tree.css_first("base[href]")
    root = tree.root
    text, links = _walk(root) if root is not None else ("", ())
    return Markup(
        title=_title(tree),
        text=text,
        links=links,
        base=(base.attributes.get("href") or "") if base else "",
        onward=tuple(_onward(tree)),
        shields=tuple(n.attributes.get("data-cfemail") or "" for n in tree.css("[data-cfemail]")),
        data=tuple(_data(tree)),
        language=_language(tree),
        generators=tuple(_generators(tree)),
        sources=tuple(_sources(tree)),
        scripts=len(tree.css("script")),
    )


def _title(tree: LexborHTMLParser) -> str:
    node = tree.css_first("title")
    return " ".join(node.text().replace("\0", "").split())[:_TITLE_CHARS_MAX] if node else ""


def _language(tree: LexborHTMLParser) -> str:
    node = tree.css_first("html[lang]")
    return (node.attributes.get("lang") or "").strip()[:35] if node else ""


def _generators(tree: LexborHTMLParser) -> Iterator[str]:
    for node in tree.css("meta[name][content]"):
        if (node.attributes.get("name") or "").lower() == "generator":
            yield (node.attributes.get("content") or "")[:200]


def _sources(tree: LexborHTMLParser) -> Iterator[str]:
    for node in tree.css("script[src], iframe[src], frame[src], link[href]"):
        source = node.attributes.get("href" if node.tag == "link" else "src")
        if source:
            yield source.strip()


def _walk(root: LexborNode) -> tuple[str, tuple[Link, ...]]:
    """Visit every node once, without recursion: pages nest deeper than Python likes."""
    parts: list[str] = []
    links: list[Link] = []
    open_nodes: list[tuple[LexborNode, bool, int]] = []
    node: LexborNode | None = root
    while node is not None:
        tag = node.tag or ""
        child = None
        if tag == "-text":
            parts.append(node.text_content or "")
        elif tag not in UNSEEN_TAGS:
            block = tag in BLOCK_TAGS
            if block:
                parts.append("\n")
            child = node.child
            open_nodes.append((node, block, len(parts)))
        if child is not None:
            node = child
            continue
        if tag != "-text" and tag not in UNSEEN_TAGS:
            _close(open_nodes.pop(), parts, links)
        while open_nodes and node.next is None:
            node = open_nodes[-1][0]
            _close(open_nodes.pop(), parts, links)
        node = node.next if open_nodes else None
    return _lines("".join(parts)), tuple(links)


def _close(opened: tuple[LexborNode, bool, int], parts: list[str], links: list[Link]) -> None:
    node, block, start = opened
    if block:
        parts.append("\n")
    elif node.tag in ("a", "area"):
        # Not by the selector a[href]: that also finds the xlink:href of drawings.
        href = node.attributes.get("href")
        if href:
            links.append(Link(href.strip(), " ".join("".join(parts[start:]).split())))


def _lines(text: str) -> str:
    """Spaces folded, NULs dropped, one line a block."""
    folded = _SPACES.sub(" ", text.replace("\0", ""))
    return "\n".join(line for raw in folded.split("\n") if (line := raw.strip()))


def _onward(tree: LexborHTMLParser) -> Iterator[str]:
    """Where the page itself sends its visitor: frames and refreshes."""
    for node in tree.css("frame[src]"):
        yield (node.attributes.get("src") or "").strip()
    for node in tree.css("meta[http-equiv]"):
        attributes = node.attributes
        if (attributes.get("http-equiv") or "").lower() == "refresh":
            _, _, target = (attributes.get("content") or "").partition("=")
            yield target.strip(" \"'")


def _data(tree: LexborHTMLParser) -> Iterator[dict[str, Any]]:
    """The JSON-LD objects of the page, nested ones too; broken ones are nobody's loss."""
    for node in tree.css("script[type]"):
        if "ld+json" not in (node.attributes.get("type") or "").lower():
            continue
        try:
            waiting: list[Any] = [json.loads(node.text(), strict=False)]
        except (ValueError, RecursionError):
            continue
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                yield value
                waiting.extend(value.values())
            elif isinstance(value, list):
                waiting.extend(value)
