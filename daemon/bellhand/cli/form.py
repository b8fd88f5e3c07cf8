"""The form of data for programs: JSON, a JSON object a line, or lines made by a template; all of it, or chosen fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from string import Formatter
from typing import Any

from bellhand.cli.errors import Usage
from bellhand.resource import rfc3339

ALL_FIELDS = "*"
FIELDS = re.compile(r"[a-z_]+(\.\w+)*(,[a-z_]+(\.\w+)*)*")


@dataclass(frozen=True)
class Form:
    """How data is written; `fields` empty: all of them."""

    fields: tuple[str, ...] = ()
    lines: bool = False
    template: str | None = None

    def text(self, data: Any) -> Iterator[str]:
        """The lines to print."""
        each = data if isinstance(data, list) else [data]
        if self.template is not None:
            for one in each:
                yield _LINES.vformat(self.template, (), one if isinstance(one, dict) else {"": one})
        elif self.lines:
            for one in each:
                yield _json(self._chosen(one))
        else:
            yield _json([self._chosen(one) for one in data] if isinstance(data, list) else self._chosen(data))  # fmt: skip

    def has(self, *names: str) -> bool:
        """Whether any of these fields, or something in one, is written."""
        written = _names_in(self.template) if self.template is not None else self.fields
        return not written or any(name.partition(".")[0] in names for name in written)

    def _chosen(self, one: Any) -> Any:
        if not self.fields or not isinstance(one, dict):
            return one
        return {name: _at(one, name) for name in self.fields}


def form_of(
    json_fields: str | None, *, lines: bool, template: str | None, known: Sequence[str]
) -> Form | None:
    """What the options ask for, None if they ask for text; raises Usage for a field that is not among `known`, unless that is empty."""
    if json_fields is None and not lines and template is None:
        return None
    if template is not None:
        template = template.replace(r"\t", "\t").replace(r"\n", "\n")
        for name in _names_in(template):
            _check(name, known)
    asked = json_fields if json_fields not in (None, ALL_FIELDS) else ""
    fields = tuple(name.strip() for name in asked.split(",") if name.strip())
    for name in fields:
        _check(name, known)
    return Form(fields, lines, template)


def _names_in(template: str) -> list[str]:
    try:
        return [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise Usage(
            f"--format cannot be read: {template!r}",
            why=str(error),
            fix="write '{id} {state}'; a brace of its own is written twice: {{",
        ) from error


def _check(name: str, known: Sequence[str]) -> None:
    first = name.partition(".")[0]
    if not known or first in known:
        return
    near = get_close_matches(first, known, 1)
    raise Usage(
        f"there is no field {first!r}",
        why=f"fields are {', '.join(known)}",
        fix=f"did you mean {near[0]!r}?" if near else "leave the list out to get all",
    )


def _at(value: Any, path: str) -> Any:
    """`progress.percent` of a resource; None where something on the way is missing."""
    for part in path.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value


class _Lines(Formatter):
    """Fills in fields by their dotted names; nothing of Python can be reached through them."""

    def get_field(self, name: str, args: Any, row: Any) -> tuple[Any, str]:
        return _at(row, name), name

    def format_field(self, value: Any, spec: str) -> str:
        if value is None:
            value = ""
        elif isinstance(value, bool | dict | list):
            value = _json(value)
        elif not isinstance(value, int | float):
            value = one_line(_plain(value))
        try:
            return format(value, spec)
        except ValueError:
            try:  # a number's format on what is text here: its width still counts
                return format(str(value), re.sub(r"[,_]?(\.\d+)?[a-z%]?$", "", spec))
            except ValueError as error:
                raise Usage(f"--format: {spec!r} is no format", why=str(error), fix="write {id:>8} or {priority}") from error  # fmt: skip


_LINES = _Lines()


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain).replace("\x7f", "\\u007f")


def _plain(value: Any) -> Any:
    return rfc3339(value) if isinstance(value, datetime) else str(value)


def one_line(text: object) -> str:
    """One line that cannot play with the terminal: what a job carries was written by others."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
