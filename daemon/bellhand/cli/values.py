"""What people type, as values: lengths of time, moments, payloads, states."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from bellhand.cli.errors import Usage
from bellhand.states import PARTIAL, STATES, nearest_state, states_named

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)", re.IGNORECASE)
STDIN = "@stdin"  # what `-` becomes, since the parser takes a lone - for an option


def seconds_of(text: str, option: str = "the duration") -> float:
    """`90`, `90s`, `10m`, `1h30m`, `2d` in seconds; raises Usage."""
    cleaned = text.strip().removeprefix("+").replace(" ", "")
    if re.fullmatch(r"\d+(\.\d+)?", cleaned):
        return float(cleaned)
    parts = _PART.findall(cleaned)
    if not parts or "".join(n + unit for n, unit in parts) != cleaned:
        raise Usage(
            f"{option} cannot be read: {text!r}",
            why="it is neither a number of seconds nor a number with a unit",
            fix="write 90s, 10m, 1h30m, 2d or 1w",
        )
    return float(sum(float(n) * _UNITS[unit.lower()] for n, unit in parts))


def wish_of(text: str, option: str = "--notify") -> dict[str, Any]:
    """`ops`, `ops=failed,late:10m` or the same with an address as an entry of a job's `notify`; raises Usage."""
    to, told, words = text.rpartition("=")
    to, words = (to, words) if told else (words, "completed,failed")
    wish: dict[str, Any] = {"to": to, "on": []}
    for word in words.split(","):
        state, late, seconds = word.strip().partition(":")
        wish["on"].append(state)
        if late:
            wish["late_seconds"] = seconds_of(seconds, option)
    if "late" in wish["on"] and "late_seconds" not in wish:
        raise Usage(
            f"{option} cannot be read: {text!r}",
            why="it does not say after how long a job is late",
            fix=f"write {option} {wish['to']}=late:10m"
            if option == "--notify"
            else f"write {option} late:10m",
        )
    return wish


def moment_of(text: str, option: str) -> datetime | float:
    """A moment, or a length of time in seconds to count from the database's now; raises Usage."""
    text = text.strip()
    if text.lower() == "now":
        return 0.0
    if re.match(r"\d{4}-", text):
        try:
            # Without a zone it is what the wall of whoever typed it shows.
            return datetime.fromisoformat(text).astimezone()
        except ValueError as error:
            raise Usage(
                f"{option} cannot be read: {text!r}",
                why=str(error),
                fix="write a time as 2026-01-31T12:00 or 2026-01-31T12:00Z, or a duration as 10m",
            ) from error
    try:
        return seconds_of(text.removeprefix("in "), option)
    except Usage as problem:
        problem.fix += ", or a time as 2026-01-31T12:00"
        raise


def pairs_of(words: Iterable[str], option: str) -> dict[str, str]:
    """`key=value` words as a dict; raises Usage."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise Usage(f"{option} {word!r} is not key=value", fix=f"write {option} key=value")
        found[key] = value
    return found


def payload_of(words: Sequence[str], schema: dict[str, Any] | None) -> dict[str, Any]:
    """The payload from `key=value` (by the kind's schema), `key:=json`, one JSON object or `-`."""
    if len(words) == 1 and (words[0] == STDIN or words[0].lstrip()[:1] in ("{", "[")):
        text = sys.stdin.read() if words[0] == STDIN else words[0]
        try:
            payload = json.loads(text)
        except ValueError as error:
            raise Usage(
                "the payload is not JSON",
                why=str(error),
                fix="""quote it for the shell: '{"url": "https://example.com"}', or write url=…""",
            ) from error
        if not isinstance(payload, dict):
            raise Usage(
                "the payload must be a JSON object",
                why=f"it is {type(payload).__name__}",
                fix="""put it under a name: '{"items": [1, 2]}', or write items:='[1, 2]'""",
            )
        return payload
    known = (schema or {}).get("properties", {})
    payload = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise Usage(
                f"{word!r} is neither key=value nor a JSON object",
                fix="""write url=https://example.com, tags:='["a"]' or '{"url": "…"}'""",
            )
        if key.endswith(":"):
            payload[key[:-1]] = _json(value, word)
        else:
            payload[key] = _typed(value, types_of(known.get(key, {}), schema or {}))
    return payload


def _json(text: str, word: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise Usage(
            f"{word!r} does not hold JSON after :=",
            why=str(error),
            fix="name=text takes a text as it is; name:='[1, 2]' takes JSON, quoted for the shell",
        ) from error


def types_of(field: dict[str, Any], whole: dict[str, Any]) -> set[str]:
    """The JSON types that a field of the schema allows; empty when it does not say."""
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        return types_of(whole.get("$defs", {}).get(name, {}), whole)
    for union in ("anyOf", "oneOf"):
        if union in field:
            return set().union(*(types_of(one, whole) for one in field[union]))
    stated = field.get("type", [])
    return {stated} if isinstance(stated, str) else set(stated)


def _typed(text: str, types: set[str]) -> Any:
    """The text as the schema wants it; what does not fit stays text: the database says why not."""
    looks_json = text[:1] in ("[", "{")
    if looks_json and types != {"string"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    if "string" in types:
        return text
    if "array" in types:
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        value = json.loads(text)
    except ValueError:
        return text
    fits = not types or isinstance(value, bool | None) or bool(types & {"integer", "number"})
    return value if fits else text


def states_of(words: Sequence[str]) -> set[str]:
    """The states that words separated by commas or blanks mean; Usage names the nearest for one that is none."""
    found: set[str] = set()
    for word in ",".join(words).split(","):
        try:
            found |= states_named(word)
        except ValueError as error:
            near = nearest_state(word)
            raise Usage(
                str(error),
                why=f"states are {', '.join((*STATES, PARTIAL))}, live, over",
                fix=f"did you mean {near!r}?" if near else "choose one of those",
            ) from error
    return found
