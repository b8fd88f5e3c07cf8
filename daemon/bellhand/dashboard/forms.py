"""A payload's JSON Schema as the fields of a form, and what was filled in as a payload again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bellhand.dashboard.tree import Exact
from bellhand.logs import SECRET_NAME

LONG_CHARS = 1000  # a text that may be longer gets several lines
SAMPLES_MAX = 3


def fields(schema: dict[str, Any] | None, given: Mapping[str, str]) -> list[dict[str, Any]]:
    """One field a property, required ones first: name, label, how it is entered, what is in it."""
    properties = (schema or {}).get("properties", {})
    required = (schema or {}).get("required", [])
    return [
        _field(name, _resolved(one, schema or {}), name in required, given)
        # The database keeps no order of its own; what must be filled in comes first.
        for name, one in sorted(properties.items(), key=lambda pair: pair[0] not in required)
    ]


def payload_of(
    schema: dict[str, Any] | None, given: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The payload, and what is wrong with which field; what was left empty is left out."""
    made: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for field in fields(schema, given):
        text = str(given.get(f"p.{field['name']}", "")).strip()
        if not text:
            continue
        try:
            made[field["name"]] = _value(field, text)
        except ValueError as error:
            wrong[field["name"]] = str(error)
    if not schema or not schema.get("properties"):
        text = str(given.get("json", "")).strip() or "{}"
        try:
            made = json.loads(text)
        except ValueError as error:
            wrong["json"] = f"this is no JSON: {error}"
    return made, wrong


def filled(payload: Any) -> dict[str, str]:
    """What a form like this payload holds; secrets are not filled in."""
    if not isinstance(payload, dict):
        return {}
    found = {"json": json.dumps(payload, indent=2, ensure_ascii=False)}
    for name, value in payload.items():
        if SECRET_NAME.search(name):
            found.pop("json", None)
        elif value is not None:
            found[f"p.{name}"] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(
        isinstance(one, str) and not isinstance(one, Exact) for one in value
    ):
        return "\n".join(value)
    return json.dumps(value, ensure_ascii=False)


def _resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """What a $ref points to, and of `this or null` this."""
    for _ in range(10):
        if "$ref" in schema:
            target: Any = whole
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target.get(part, {})
            schema = {**target, **{k: v for k, v in schema.items() if k != "$ref"}}
        elif (
            len(real := [one for one in schema.get("anyOf", []) if one.get("type") != "null"]) == 1
        ):
            schema = {**real[0], **{k: v for k, v in schema.items() if k != "anyOf"}}
        else:
            break
    return schema


def _field(
    name: str, schema: dict[str, Any], required: bool, given: Mapping[str, str]
) -> dict[str, Any]:
    how = _how(schema)
    said = [str(schema["description"])] if schema.get("description") else []
    if how == "lines":
        said.append("One a line.")
    if how == "json":
        said.append("As JSON.")
    for word, phrase in (("minimum", "at least"), ("maximum", "at most")):
        if word in schema:
            said.append(f"{phrase} {schema[word]}".capitalize() + ".")
    if examples := schema.get("examples"):
        said.append(f"For example {_shortly(examples[0])}.")
    default = schema.get("default")
    if default is not None:
        said.append(f"Left empty: {_shortly(default)}.")
    return {
        "name": name,
        "label": name.replace("_", " "),
        "how": how,
        "required": required,
        "choices": schema.get("enum", []),
        "options": ["true", "false"] if how == "boolean" else [_text(one) for one in schema.get("enum", [])],
        "said": " ".join(said),
        "value": given.get(f"p.{name}", ""),
    }  # fmt: skip


def _how(schema: dict[str, Any]) -> str:
    """choice, boolean, number, text, long, lines (a list of texts, also where one text would do) or json."""
    stated = schema.get("type")
    types = set(stated if isinstance(stated, list) else [stated]) - {"null"}
    if "enum" in schema:
        return "choice"
    if types == {"boolean"}:
        return "boolean"
    if types and types <= {"integer", "number"}:
        return "number"
    if types == {"string"}:
        return "long" if schema.get("maxLength", 0) > LONG_CHARS else "text"
    texts = schema.get("items", {}).get("type") == "string"
    if types == {"array", "string"} or (types == {"array"} and texts):
        return "lines"
    return "json"


def _value(field: dict[str, Any], text: str) -> Any:
    how = field["how"]
    if how == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if how in ("text", "long"):
        return text
    if how == "choice":  # as the schema has it: 5 and "5" look alike in a list
        return next((one for one in field["choices"] if _text(one) == text), text)
    try:
        return json.loads(text)
    except ValueError:
        wanted = {"number": "a number", "boolean": "true or false"}.get(how, "JSON")
        raise ValueError(f"this is not {wanted}") from None


def _shortly(value: Any) -> str:
    if isinstance(value, list):
        more = f" and {len(value) - SAMPLES_MAX} more" if len(value) > SAMPLES_MAX else ""
        return ", ".join(_text(one) for one in value[:SAMPLES_MAX]) + more if value else "none"
    return _text(value)
