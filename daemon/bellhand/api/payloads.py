"""Payloads held against the whole JSON Schema of their kind before they are enqueued: every place that does not fit is named.

SQL checks the first level of a payload, whoever inserts it, and names the first thing that does not fit. Who asks over HTTP hears
of all of them at once, however deep they lie.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import structlog

from bellhand.api.given import NewJob
from bellhand.api.operations import pointer
from bellhand.look import Look

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

log = structlog.get_logger()

FRESH_SECONDS = 5.0  # a kind that is published anew counts after so long
KINDS_MAX = 1000
ERRORS_MAX = 50
PAYLOAD_CHARS_MAX = 1_000_000
CHARS_MAX = 300
LARGE = 200  # jobs in a batch: more are checked in a thread
ALTERNATIVES = ("anyOf", "oneOf")


@dataclass(slots=True)
class _Known:
    """A kind's schema as it was looked up last; no validator where there is nothing to check."""

    text: str | None
    validator: Validator | None
    until: float
    names: list[str] = field(default_factory=list)  # of the properties that a payload may have


class Payloads:
    """The schemas of kinds, looked up when they are asked for and kept for a while."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self._known: dict[str, _Known] = {}

    async def problems(self, jobs: Sequence[NewJob], place: str) -> list[tuple[str, str]]:
        """(JSON pointer, what) for what does not fit, ERRORS_MAX at most; `place` is where in the body a job stands: `/jobs/{}`."""
        kinds = {job.kind for job in jobs}
        await self._learn(kinds)
        found = await self._checked(jobs, place)
        if found and await self._learn(kinds, anew=True):
            found = await self._checked(jobs, place)
        return found

    async def _learn(self, kinds: set[str], *, anew: bool = False) -> bool:
        """Looks up those that are not known, or all; whether one of them has another schema than it had."""
        now = asyncio.get_running_loop().time()
        wanted = [k for k in kinds if anew or k not in self._known or self._known[k].until < now]
        if not wanted:
            return False
        if len(self._known) > KINDS_MAX:
            self._known.clear()
        rows = await self.look.fetch("cli_kinds", wanted[0] if len(wanted) == 1 else None)
        changed = False
        for row in rows:
            name, text = row["name"], row["schema"]
            before = self._known.get(name)
            if before is None or before.text != text:
                changed = True
                names = list(json.loads(text).get("properties", {})) if text else []
                self._known[name] = _Known(text, _validator(name, text), 0.0, names)
            self._known[name].until = now + FRESH_SECONDS
        return changed

    async def _checked(self, jobs: Sequence[NewJob], place: str) -> list[tuple[str, str]]:
        pairs = [(self._known.get(job.kind), job.payload) for job in jobs]
        if len(pairs) > LARGE:
            return await asyncio.to_thread(_errors, pairs, place)
        return _errors(pairs, place)


def _validator(name: str, text: str | None) -> Validator | None:
    if text is None:
        return None
    # Only when a payload is to be checked: it is the largest library of the daemon.
    from jsonschema_rs import ReferencingError, ValidationError, validator_for

    try:
        return validator_for(json.loads(text), retriever=_nothing)
    except (ValidationError, ReferencingError, ValueError) as error:
        log.warning("schema_unusable", kind=name, error=str(error)[:CHARS_MAX])
        return None


def _nothing(uri: str) -> Any:
    """What a schema refers to is in it: nothing is fetched."""
    raise ValueError(f"{uri} is not in the schema")


def _errors(pairs: Sequence[tuple[_Known | None, dict[str, Any]]], place: str) -> list[tuple[str, str]]:  # fmt: skip
    found: list[tuple[str, str]] = []
    for ordinal, (known, payload) in enumerate(pairs):
        if known is None or known.validator is None:
            continue
        root, here = f"#{place.format(ordinal)}/payload", list[tuple[str, str]]()
        for error in known.validator.iter_errors(payload):
            here += _told(error, root, known.names)
            if len(found) + len(here) >= ERRORS_MAX:
                break
        # Of one that is too large that is what there is to say, and the database says it.
        if here and len(json.dumps(payload)) <= PAYLOAD_CHARS_MAX:
            found += here
        if len(found) >= ERRORS_MAX:
            break
    return found[:ERRORS_MAX]


def _told(error: ValidationError, root: str, names: list[str]) -> Iterator[tuple[str, str]]:
    """What is wrong and where; the words are those of payload_problem.sql where it knows the same."""
    place, name = list(error.instance_path), error.kind.name
    value: Any = error.kind.value
    if name == "required":
        yield pointer(root, [*place, value]), "is missing"
    elif name == "additionalProperties":
        for key in value:
            yield pointer(root, [*place, key]), _unknown(key, [] if place else names)
    elif name == "type":
        yield pointer(root, place), f"must be {', '.join(value)}, not {_type(error.instance)}"
    elif name == "enum":
        yield pointer(root, place), f"must be one of {json.dumps(value)}"[:CHARS_MAX]
    elif name in ("minimum", "maximum"):
        yield pointer(root, place), f"must be at {'least' if name == 'minimum' else 'most'} {value}"
    elif name in ("minLength", "maxLength", "minItems", "maxItems"):
        bound = "least" if name.startswith("min") else "most"
        things = "characters" if name.endswith("Length") else "items"
        yield pointer(root, place), f"must have at {bound} {value} {things}"
    elif name in ALTERNATIVES and isinstance(value, list):
        yield from _nearest(value, pointer(root, place), root)
    else:
        yield pointer(root, place), error.message[:CHARS_MAX]


def _unknown(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, 1)
    meant = (
        f"; did you mean {near[0]!r}?"
        if near
        else f"; known are {', '.join(known)}"
        if known
        else ""
    )
    return f"is unknown{meant}"[:CHARS_MAX]


def _nearest(ways: list[list[ValidationError]], here: str, root: str) -> Iterator[tuple[str, str]]:
    """Of alternatives that all fail: the one that takes this type of value, if one does; else what types there are."""
    of_type = [way for way in ways if not any(e.kind.name == "type" and pointer(root, e.instance_path) == here for e in way)]  # fmt: skip
    if len(of_type) == 1:
        for error in of_type[0]:
            yield from _told(error, root, [])
        return
    wanted = [one for way in ways for e in way if e.kind.name == "type" for one in e.kind.value]
    instance = next((e.instance for way in ways for e in way), None)
    said = f"must be {', '.join(dict.fromkeys(wanted))}, not {_type(instance)}"
    yield here, said if wanted and not of_type else "fits none of the forms that it may have"


def _type(value: Any) -> str:
    """As JSON calls it."""
    names = {type(None): "null", bool: "boolean", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")
