"""What the command line writes: data to stdout, messages to stderr, colours where wanted."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any, TextIO

from bellhand.cli.form import Form, one_line

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34"}
STATE_STYLES = {
    "completed": "green", "failed": "red", "running": "blue", "retrying": "yellow",
    "partial": "yellow", "paused": "yellow", "cancelled": "dim",
}  # fmt: skip
WIDTH_DEFAULT = 100
GAP = "  "
LAST_CHARS = 30  # of a table's last column, before others are left out for it
AT_ONCE_SECONDS = 1.0  # what will surely have begun by then begins at once
# What the options of this run ask for; all commands print through it.
FORM: ContextVar[Form] = ContextVar("FORM", default=Form())  # noqa: B039 (it is frozen)
plain = one_line


def coloured(stream: TextIO) -> bool:
    """Whether colours are wanted there (NO_COLOR, CLICOLOR_FORCE, TERM=dumb)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE", "0") != "0":
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str | None, stream: TextIO | None = None) -> str:
    """The text in a style, where colours are wanted."""
    if not style or not coloured(stream or sys.stdout):
        return text
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def say(text: str = "") -> None:
    """A line of data."""
    print(text)


def tell(text: str = "") -> None:
    """A message about what was done or what to do next."""
    print(text, file=sys.stderr)


def say_json(value: Any) -> None:
    """Data for programs, in the form that was asked for; times in UTC."""
    for line in FORM.get().text(value):
        print(line)


def said(as_json: bool, data: Mapping[str, Any], text: str) -> int:
    """What was done, for programs or as one line for people; returns the exit code of success."""
    if as_json:
        say_json(data)
    else:
        say(plain(text))
    return 0


def event_told(data: Mapping[str, Any] | None) -> str:
    """What an event says beside itself, but for tracebacks."""
    told = {n: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for n, v in (data or {}).items()}  # fmt: skip
    return "  ".join(f"{n} {v}" for n, v in told.items() if v != "null" and "\n" not in v)


def duration(seconds: float | None) -> str:
    """A length of time in at most two units: `4 min 12 s`, `3 d 4 h`, `180 ms`."""
    if seconds is None:
        return "-"
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    whole, parts = round(seconds), list[str]()
    for name, size in units:
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append(f"{count} {name}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def ago(moment: datetime | None, now: datetime) -> str:
    """How long before `now`, or how far ahead: `4 min ago`, `in 2 h`."""
    if moment is None:
        return "-"
    seconds = (now - moment).total_seconds()
    return f"in {duration(-seconds)}" if seconds < 0 else f"{duration(seconds)} ago"


def state_of(job: Mapping[str, Any]) -> str:
    """The state of a job resource as one word."""
    if job["partial"]:
        return "partial"
    if job.get("stopping"):
        return {"cancel": "cancelling", "pause": "pausing"}[job["stopping"]]
    return str(job["state"])


def painted_state(state: str) -> str:
    """The state's word in its colour."""
    return paint(state, STATE_STYLES.get(state))


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: str = "", spare: str = ""
) -> None:
    """Aligned columns, cut to the terminal's width; those named in `numbers` go to the right.

    The last column, which says most, is left LAST_CHARS at least: before that, columns that say nothing are left out, then those
    that `spare` names, in its order.
    """
    lines = [[plain(cell) for cell in row] for row in rows]
    limit = _width()
    columns = _fitting([list(column) for column in zip(heads, *lines, strict=True)], spare.split(), limit)  # fmt: skip
    heads, *lines = (list(row) for row in zip(*columns, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    right = [head in numbers.split() for head in heads]
    print(paint(_line(heads, widths, right)[:limit].rstrip(), "dim"))
    for line in lines:
        text = _line(line, widths, right).rstrip()
        text = text if len(text) <= limit else text[: limit - 1] + "…"
        print(_with_state(text, line))


def _fitting(columns: list[list[str]], spare: Sequence[str], limit: int) -> list[list[str]]:
    """Those of the columns, each with its head, that there is room for."""

    def too_wide() -> bool:
        widths = [max(len(cell) for cell in column) for column in columns]
        return sum(widths[:-1]) + min(widths[-1], LAST_CHARS) + len(GAP) * (len(widths) - 1) > limit

    idle = [one for one in columns[1:] if {*one[1:]} <= ({"", "-", "0"} if one[0] in spare else {"", "-"})]  # fmt: skip
    named = [one for head in spare for one in columns[1:] if one[0] == head and one not in idle]
    for one in [*idle, *named]:
        if not too_wide():
            break
        columns = [other for other in columns if other is not one]
    return columns


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True))
    return GAP.join(padded)


def _with_state(text: str, cells: Sequence[str]) -> str:
    for cell in cells:
        if cell in STATE_STYLES and f" {cell} " in f" {text} ":
            before, _, after = text.partition(cell)
            return before + painted_state(cell) + after
    return text


def _width() -> int:
    """Only a terminal has one; what is piped is never cut."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return sys.maxsize
    return shutil.get_terminal_size((WIDTH_DEFAULT, 24)).columns


def bar(percent: float, cells: int = 18) -> str:
    """A bar of that many cells."""
    full = round(cells * min(100.0, max(0.0, percent)) / 100)
    return "█" * full + "░" * (cells - full)


def eta_line(row: Any, now: datetime) -> str:
    """`starts in about 4 min (3 min to 7 min), done in about 12 min (…) (basis: 214 runs of its kind)`."""
    parts = []
    for word, name in (("starts", "starts"), ("done", "finishes")):
        if row[f"{name}_at"] is not None:
            seconds = [max(0.0, (row[f"{name}_{which}"] - now).total_seconds()) for which in ("low", "at", "high")]  # fmt: skip
            low, at, high = map(duration, seconds)
            soon = f"{word} at once" if seconds[2] < AT_ONCE_SECONDS else f"{word} in about {at} ({low} to {high})"  # fmt: skip
            parts.append(soon)
    said = ", ".join(parts) + (f" (basis: {row['basis']})" if row["basis"] else "")
    if row["reason"]:
        when = "; when it is done" if parts else "when"
        said += f"{when} cannot be said: {row['reason']}"
    return plain(said)
