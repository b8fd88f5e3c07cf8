"""What somebody may have meant whose address leads nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from urllib.parse import quote

from bellhand.problems import HttpProblem, not_found

ALIKE = 0.5  # of 1; a slip of the finger or two


def no_such(detail: str, folder: str, name: str, known: Iterable[str], otherwise: str = "") -> HttpProblem:  # fmt: skip
    """The problem 404, which names the page in `folder` whose name is nearest to this one, if one is near."""
    near = get_close_matches(name, list(known), 1, ALIKE)
    meant = f"did you mean {folder}/{quote(near[0], safe='')}? Else " if near else ""
    return not_found(detail, f"{meant}{otherwise or f'see {folder}'}")


def nearest_page(path: str, known: Iterable[str]) -> str | None:
    """The page whose address begins like this one, give or take a slip."""
    found = get_close_matches("/" + path.split("/")[1], list(known), 1, ALIKE)
    return found[0] if found else None
