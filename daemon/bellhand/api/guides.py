"""Guides as pages: markdown as HTML in which every link leads to what the daemon itself serves. Raw HTML in it is text, pictures are told of."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bellhand.guides import titles

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


def address(name: str) -> str:
    """Where a guide is served; runbooks where alerts lead."""
    return f"/{name}" if name.startswith("runbooks/") else f"/docs/{name}"


def as_html(name: str, text: str) -> str:
    """A guide as HTML without a frame."""
    parser, tokens = _parsed(text)
    for begins, inline, ends in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if begins.type == "th_open" and not inline.content:  # the corner of a table heads nothing
            begins.tag = ends.tag = "td"
    for token in tokens:
        _lead(token.children or [], posixpath.dirname(name))
        if token.attrs.pop("style", "") == "text-align:right":  # the policy lets no styles in
            token.attrSet("class", "right")
    for word in ("fence", "code_block"):
        parser.add_render_rule(word, _code)
    parser.add_render_rule("table_open", _table_begins)
    parser.add_render_rule("table_close", _table_ends)
    return str(parser.renderer.render(tokens, parser.options, {"tables": 0}))


def parts(text: str) -> Iterator[tuple[str, str, str]]:
    """A guide cut at its headings: (heading, its name for links, the text under it); the title, and what has none, with an empty heading."""
    _, tokens = _parsed(text)
    heading, anchor, said = "", "", list[str]()
    for token, before in zip(tokens, [None, *tokens], strict=False):
        if before is not None and before.type == "heading_open":
            if before.tag != "h1":
                yield heading, anchor, " ".join(said)
                heading, anchor, said = _said(token), str(before.attrGet("id")), []
        elif token.type == "inline":
            said.append(_said(token))
        elif token.type in ("fence", "code_block"):
            said.append(" ".join(token.content.split()))
    yield heading, anchor, " ".join(said)


def _parsed(text: str) -> tuple[MarkdownIt, list[Token]]:
    # Only here: a daemon whose pages nobody reads needs no parser.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    _name_headings(tokens)
    return parser, tokens


def _said(inline: Token) -> str:
    """Text as it is read; a line's end is a space."""
    return "".join(
        " " if child.type == "softbreak" else child.content for child in inline.children or []
    )


def _name_headings(tokens: Sequence[Token]) -> None:
    """Each heading gets the name that links go by: that of the site's own builder."""
    seen: Counter[str] = Counter()
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        plain = unicodedata.normalize("NFKD", _said(inline)).encode("ascii", "ignore").decode()
        slug = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
        opening.attrSet("id", f"{slug}_{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1


def _lead(tokens: Sequence[Token], folder: str) -> None:
    """Links lead to pages of the daemon, or away; one to a page that does not come with it is plain text."""
    taken_out: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            href = _leads_to(str(token.attrGet("href") or ""), folder)
            taken_out.append(not href)
            if href:
                token.attrSet("href", href)
            else:
                _say(token, "")
        elif token.type == "link_close" and taken_out.pop():
            _say(token, "")
        elif token.type == "image":
            _say(token, f"[Picture: {token.content}]")


def _leads_to(href: str, folder: str) -> str:
    """The address behind a link of a guide in that folder; empty if it is none of ours."""
    if href.startswith(("#", "https://", "http://")):
        return href
    path, hash_, anchor = href.partition("#")
    name = posixpath.normpath(posixpath.join(folder, path)).removesuffix(".md")
    return f"{address(name)}{hash_}{anchor}" if name in titles() else ""


def _say(token: Token, text: str) -> None:
    token.type, token.tag, token.nesting, token.content, token.children = "text", "", 0, text, None


def _code(_: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    from markdown_it.common.utils import escapeHtml

    # Whoever has no mouse must get at what does not fit.
    return f'<pre tabindex="0"><code>{escapeHtml(tokens[at].content)}</code></pre>\n'


def _table_begins(_: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    env["tables"] += 1
    return f'<div class="scroll" role="region" aria-label="Table {env["tables"]}" tabindex="0">\n<table>\n'  # fmt: skip


def _table_ends(_: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return "</table>\n</div>\n"
