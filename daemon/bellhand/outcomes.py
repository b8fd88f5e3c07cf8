"""How an attempt can end.

A handler returns (completed) or raises one of the exceptions below; any other exception is a failed attempt.
`Ended` is what the rest of the program passes on: the words are those of settle_others.sql.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ERROR_CHARS_MAX = 8_000


class Retry(Exception):
    """Raise to end this attempt as failed and try again after `after_seconds` (default: the kind's backoff)."""

    def __init__(self, error: str = "", *, after_seconds: float | None = None) -> None:
        super().__init__(error or "the handler asked for a retry")
        self.after_seconds = after_seconds


class Snooze(Exception):
    """Raise to come back in `seconds` without burning an attempt; `reason` shows where the job's state is shown."""

    def __init__(self, seconds: float, reason: str = "") -> None:
        super().__init__(reason or "snoozed")
        self.seconds = seconds


class Cancelled(Exception):
    """Raise to end the job as cancelled."""


class Failed(Exception):
    """Raise to fail the job at once, whatever attempts are left."""


class LeaseLost(Exception):
    """This job was claimed anew elsewhere: nothing this attempt writes is accepted any more."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler returned; `result` is JSON text or None, `partial` says that some steps failed."""

    result: str | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt ended otherwise: retry, crash, snooze, release, pause, park, fail, cancel, or lost (written nowhere)."""

    outcome: str
    error: str | None = None
    wait_seconds: float = 0.0


LOST = Ended("lost")


def storable(text: str) -> str:
    """The text as Postgres can store it: NUL and lone surrogates escaped, cut to ERROR_CHARS_MAX from the middle."""
    clean = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
    if len(clean) <= ERROR_CHARS_MAX:
        return clean
    half = ERROR_CHARS_MAX // 2
    return f"{clean[:half]}\n... {len(clean) - 2 * half} characters left out ...\n{clean[-half:]}"


def storable_json(value: Any) -> Any:
    """The value with every string in it made storable; other values are left alone."""
    if isinstance(value, str):
        return storable(value) if "\x00" in value or not value.isprintable() else value
    if isinstance(value, dict):
        return {storable(str(key)): storable_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(item) for item in value]
    return value
