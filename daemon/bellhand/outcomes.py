"""How an attempt can end.

A handler returns (completed) or raises one of the exceptions below; any other exception is a failed
attempt. `Ended` is what the rest of the program passes on: the words are those of
settle_others.sql.
"""

from __future__ import annotations

import json
import traceback
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_jsonable_python

ERROR_CHARS_MAX = 8_000
RESULT_CHARS_MAX = 1_000_000
FRAMES_MAX = 20
WAIT_SECONDS_MAX = 10 * 366 * 86_400


def waitable(seconds: float) -> float:
    """The seconds, not below 0; raises ValueError where Postgres could not add them to a time."""
    if not seconds <= WAIT_SECONDS_MAX:
        raise ValueError(
            f"cannot wait {seconds} seconds; the most is {WAIT_SECONDS_MAX}, ten years"
        )
    return max(0.0, float(seconds))


class Retry(Exception):
    """Raise to fail this attempt and try again after `after_seconds` (default: the backoff)."""

    def __init__(self, error: str = "", *, after_seconds: float | None = None) -> None:
        super().__init__(error or "the handler asked for a retry")
        self.after_seconds = None if after_seconds is None else waitable(after_seconds)


class Snooze(Exception):
    """Raise to come back in `seconds` without burning an attempt; `reason` is shown."""

    def __init__(self, seconds: float, reason: str = "") -> None:
        super().__init__(reason or "snoozed")
        self.seconds = waitable(seconds)


class Cancelled(Exception):
    """Raise to end the job as cancelled."""


class Failed(Exception):
    """Raise to fail the job at once, whatever attempts are left; inside a step, to fail that step
    for good: no attempt tries it again until somebody asks for a retry."""


class LeaseLost(Exception):
    """This job was claimed anew elsewhere: nothing this attempt writes is accepted any more."""


class Raised(Exception):
    """A handler's exception in another process; its text is the traceback over there."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler returned; `result` is JSON text or None, `partial`: some steps failed."""

    result: str | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt ended otherwise.

    `outcome`: retry, crash, snooze, release, pause, park, fail, cancel, or lost (not written).
    """

    outcome: str
    error: str | None = None
    wait_seconds: float = 0.0


LOST = Ended("lost")
DONE = Completed()


def meant(error: BaseException) -> BaseException:
    """The exception itself, out of the groups that task groups wrap around a single one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def for_good(error: BaseException) -> bool:
    """Whether trying again cannot help: Failed, or an error that says so (`retryable` is False)."""
    return isinstance(error, Failed) or getattr(error, "retryable", True) is False


def described(error: BaseException) -> str:
    """The traceback as it is stored: its last frames, or what another process said."""
    if isinstance(error, Raised):
        return storable(str(error))
    return storable("".join(traceback.format_exception(error, limit=-FRAMES_MAX)))


def clean(text: str) -> str:
    """The text as Postgres can store it: NUL and lone surrogates escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def storable(text: str) -> str:
    """An error or a message as it is stored: clean, and cut to ERROR_CHARS_MAX from the middle."""
    text = clean(text)
    if len(text) <= ERROR_CHARS_MAX:
        return text
    half = ERROR_CHARS_MAX // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def storable_json(value: Any) -> Any:
    """The value with every string in it clean; other values are left alone."""
    if isinstance(value, str):
        return value if value.isprintable() else clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): storable_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(item) for item in value]
    return value


def encode(value: Any, what: str = "result") -> str | None:
    """The value as JSON text that jsonb accepts, None for None; raises ValueError with what is
    wrong with it.

    Beyond JSON's own types it takes what pydantic can write: models, dataclasses, dates, UUIDs,
    decimals, sets, paths.
    """
    if value is None:
        return None
    try:
        text = json.dumps(storable_json(value), allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the {what} cannot be stored as JSON: {error}") from error
    if len(text) > RESULT_CHARS_MAX:
        raise ValueError(
            f"the {what} is {len(text)} characters of JSON, more than {RESULT_CHARS_MAX}; "
            "store it elsewhere and give its id"
        )
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return storable_json(sorted(value))
    if hasattr(value, "items"):  # a row of a query, or another mapping
        return storable_json(dict(value.items()))
    return storable_json(to_jsonable_python(value))
