"""What a source of customers answers, as rows of ours: pure, and nothing that a row holds stops the others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from email_validator import EmailNotValidError, validate_email

ID_CHARS_MAX = 150  # beside a prefix of 50, in a column of 200
NAME_CHARS_MAX = 200
ROWS_MAX = 10_000
CURSOR_CHARS_MAX = 4_000
TIERS = ("standard", "premium", "vip")
_MISSING = object()


class PageError(ValueError):
    """A page that cannot be read at all; says what is wrong with it."""


class RowError(ValueError):
    """A row that cannot be taken in; says why, without what it holds."""


@dataclass(slots=True)
class Rows:
    """A page of a source, as apply_page.sql takes it: `good` rows, `bad` ones with their reasons, and what asks for the next page."""

    good: list[dict[str, Any]] = field(default_factory=list)
    bad: list[dict[str, Any]] = field(default_factory=list)
    cursor: str | None = None

    def __len__(self) -> int:
        return len(self.good) + len(self.bad)


def read_page(
    body: bytes, fields: Mapping[str, str], *, rows_at: str, cursor_at: str | None
) -> Rows:
    """The rows of an answer, each with its fields under our names; raises PageError.

    `fields`, `rows_at` and `cursor_at` are paths with dots: `contact.email`; an empty `rows_at` is the answer itself.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PageError(f"the answer is not JSON ({type(error).__name__})") from error
    rows = _at(answer, rows_at) if rows_at else answer
    if not isinstance(rows, list):
        raise PageError(f"there is no list at {rows_at or 'the top of the answer'!r} (rows_at)")
    if len(rows) > ROWS_MAX:
        raise PageError(
            f"a page has {len(rows)} rows; {ROWS_MAX} are the most, ask for fewer (page_rows)"
        )
    page = Rows(cursor=_cursor(_at(answer, cursor_at)) if cursor_at else None)
    seen: set[str] = set()
    for position, row in enumerate(rows, start=1):
        id: str | None = None
        try:
            id = _id(row, fields["id"])
            if id in seen:
                raise RowError("its id comes twice on this page; the first counts")
            said = {name: _value(name, _at(row, path)) for name, path in fields.items() if name != "id"}  # fmt: skip
        except RowError as error:
            page.bad.append({"position": position, "id": id, "reason": str(error)})
            continue
        seen.add(id)
        said = {name: value for name, value in said.items() if value is not _MISSING}
        page.good.append({"position": position, "id": id, "said": said})
    return page


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _cursor(found: Any) -> str | None:
    """What asks for the next page; None, false, an empty text or nothing at all end it."""
    if found is _MISSING or found is None or found is False or found == "":
        return None
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise PageError("the cursor is neither a text nor a whole number (cursor_at)")
    text = str(found)
    if len(text) > CURSOR_CHARS_MAX or not _storable(text):
        raise PageError("the cursor cannot be stored (cursor_at)")
    return text


def _id(row: Any, path: str) -> str:
    found = _at(row, path)
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise RowError("it has no id" if isinstance(row, dict) else "it is no object")
    text = str(found).strip()
    if not 1 <= len(text) <= ID_CHARS_MAX or not _storable(text):
        raise RowError(f"its id is empty, cannot be stored, or is longer than {ID_CHARS_MAX}")
    return text


def _value(name: str, found: Any) -> Any:
    """The value for one of our columns, _MISSING where the source says nothing; raises RowError."""
    if found is _MISSING or (found is None and name not in ("name", "email")):
        return _MISSING
    if name == "consent":
        if not isinstance(found, bool):
            raise RowError("consent is neither true nor false")
        return found
    if found is None or found == "":
        return None if name in ("name", "email") else _MISSING
    if not isinstance(found, str) or not _storable(found):
        raise RowError(f"{name} is no text that can be stored")
    text = found.strip()
    match name:
        case "email":
            return _email(text)
        case "tier":
            if text.lower() not in TIERS:
                raise RowError(f"tier is none of {', '.join(TIERS)}")
            return text.lower()
        case "time_zone":
            if text not in _zones():
                raise RowError("time_zone is none that is known")
            return text
    if len(text) > NAME_CHARS_MAX:
        raise RowError(f"{name} is longer than {NAME_CHARS_MAX} characters")
    return text or None


def _email(text: str) -> str:
    try:
        valid = validate_email(
            text, check_deliverability=False, allow_quoted_local=True, test_environment=True
        )
    except EmailNotValidError as error:
        raise RowError("email is no address") from error
    return valid.normalized


def _storable(text: str) -> bool:
    """Whether Postgres takes it: no NUL, no half of a surrogate pair."""
    try:
        return "\x00" not in text and bool(text.encode("utf-8"))
    except UnicodeEncodeError:
        return False


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
