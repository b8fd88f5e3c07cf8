"""Pages of strangers, made fit for the parser: what is built to hurt it is trimmed away."""

import re

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9:-]{0,30}")

# The parser takes quadratic time on deep nesting and on floods of attributes: 200,000 nested
# elements cost it 80 seconds. Pages beyond these bounds are trimmed before it sees them.
_PLAIN_CHARS_MAX = 200_000
_PLAIN_TAGS_MAX = 10_000
_RUN_CHARS_MAX = 20_000
_CHARS_MAX = 1_000_000
_DEPTH_MAX = 1000
_ATTRIBUTES_MAX = 500
# Tags that end by themselves, so that an open one says nothing about nesting.
_LONE = """
    area base br col dd dt embed hr img input li link meta option p param source tbody td tfoot th
    thead tr track wbr
"""
_LONE_TAGS = frozenset(_LONE.split())


def trimmed(html: str) -> str:
    """The page as it is, or, when it is built to hurt a parser, what comes before the trouble."""
    longest_run = max(map(len, html.split("<")))
    if (
        len(html) <= _PLAIN_CHARS_MAX
        and longest_run <= _RUN_CHARS_MAX
        and html.count("<") <= _PLAIN_TAGS_MAX
    ):
        return html
    return _cut(_emptied(_emptied(html, "script"), "style")[:_CHARS_MAX])


def _emptied(html: str, name: str) -> str:
    """Leave out what raw text elements hold, not that they are there; JSON-LD stays whole."""
    opening = re.compile(f"<{name}[\\s>]", re.IGNORECASE)
    closing = re.compile(f"</{name}", re.IGNORECASE)
    parts: list[str] = []
    at = 0
    while start := opening.search(html, at):
        end = closing.search(html, start.end())
        stop = end.start() if end else len(html)
        tag_end = html.find(">", start.start(), stop) + 1
        if not tag_end:  # it never ends: no loss, and perhaps a flood
            parts.append(html[at : start.start()])
        elif "ld+json" in html[start.start() : tag_end]:
            parts.append(html[at:stop])
        else:
            parts.append(html[at:tag_end])
        at = stop
    parts.append(html[at:])
    return "".join(parts)


def _cut(html: str) -> str:
    """Cut at the first tag that nests too deep; leave out tags with a flood of attributes."""
    parts: list[str] = []
    at = kept = 0
    depths: dict[str, int] = {}
    depth = 0
    while (start := html.find("<", at)) >= 0:
        if (end := html.find(">", start)) < 0:
            # A tag that never ends is no loss, and may be a flood.
            return "".join(parts) + html[kept:start]
        at = end + 1
        closing = html.startswith("/", start + 1)
        match = _NAME.match(html, start + 1 + closing)
        name = match.group().lower() if match else ""
        if not name or name in _LONE_TAGS:
            step = 0
        elif closing:
            step = -1 if depths.get(name) else 0
        else:
            step = 1
        depths[name] = depths.get(name, 0) + step
        depth += step
        if depth > _DEPTH_MAX:
            return "".join(parts) + html[kept:start]
        if end - start > 2 * _ATTRIBUTES_MAX:
            tag = _QUOTED.sub("", html[start:end])
            if len(re.split(r"[\s/]+", tag)) > _ATTRIBUTES_MAX:
                parts.append(html[kept:start])
                kept = at
    return "".join(parts) + html[kept:]
