"""JSON as a tree that folds, bounded, with what is secret by its name hidden unless somebody may see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bellhand.logs import SECRET_NAME, without_secrets

NODES_MAX = 1000
CHILDREN_MAX = 100
TEXT_CHARS_MAX = 2000
OPEN_NODES_MAX = 30  # a tree of so many is shown unfolded
HIDDEN = "hidden"


class Exact(str):
    """A number as it was written: 0.1 and 1e400 stay what they are."""

    __slots__ = ()


def loads(text: str | None) -> Any:
    """JSON with numbers kept exact; None for none."""
    if text is None:
        return None
    return json.loads(text, parse_float=Exact, parse_int=Exact, parse_constant=Exact)


def tree(value: Any, *, hides: bool = True) -> dict[str, Any]:
    """The nodes of a value: leaves have text and sort, the others children and what they are."""
    left = [NODES_MAX]
    root = _node(None, value, left, hides)
    if "children" in root:
        small = NODES_MAX - left[0] <= OPEN_NODES_MAX
        root["open"] = True
        for node in _inside(root):
            node["open"] = small
    return root


def _inside(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for child in node["children"]:
        if "children" in child:
            yield child
            yield from _inside(child)


def _node(name: str | None, value: Any, left: list[int], hides: bool) -> dict[str, Any]:
    left[0] -= 1
    if hides and name is not None and value is not None and SECRET_NAME.search(name):
        return {"name": name, "text": HIDDEN, "sort": "x"}
    if isinstance(value, dict | list):
        pairs = list(value.items()) if isinstance(value, dict) else [(None, v) for v in value]
        word = "field" if isinstance(value, dict) else "item"
        said = f"{len(pairs):,} {word}{'' if len(pairs) == 1 else 's'}" if pairs else "empty"
        children: list[dict[str, Any]] = []
        for key, child in pairs[:CHILDREN_MAX]:
            if left[0] <= 0:
                break
            children.append(_node(key, child, left, hides))
        more = len(pairs) - len(children)
        return {"name": name, "said": said, "children": children, "more": more, "open": False}
    return {"name": name} | _leaf(value, hides)


def _leaf(value: Any, hides: bool) -> dict[str, str]:
    if isinstance(value, str) and not isinstance(value, Exact):
        cut = f"{value[:TEXT_CHARS_MAX]}… ({len(value):,} characters)"
        text = value if len(value) <= TEXT_CHARS_MAX else cut
        said = json.dumps(text, ensure_ascii=False)
        return {"text": without_secrets(said) if hides else said, "sort": "s"}
    named = {None: "null", True: "true", False: "false"}
    known = value is None or isinstance(value, bool)
    return {"text": named[value] if known else str(value), "sort": "v"}
