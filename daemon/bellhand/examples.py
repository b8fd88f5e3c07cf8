"""Payloads that a kind gives for itself, read off its JSON Schema: for whoever enqueues one, and for `bellhand test`."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # It takes pydantic along, which a command that only reads a schema does not wait for.
    from .kinds import Kind

# What `key=value` takes as the text that it is, and as one of a list with commas; the rest is written as JSON.
_TEXT = re.compile(r"[^\[{].*", re.DOTALL)
_ITEM = re.compile(r"[^\[{,;\s]([^,;\n]*[^,;\s])?")


def examples_of(kind: Kind) -> list[Any]:
    """Every example of a kind, none that its type refuses to be made without; [{}] where nothing needs to be said."""
    if kind.adapter is None:
        return [] if kind.takes_args else [{}]
    schema = kind.adapter.json_schema()
    if stated := stated_examples(schema):
        return stated
    try:
        kind.arguments("{}")
    except ValueError:
        return []
    return [{}]


def stated_examples(schema: dict[str, Any]) -> list[Any]:
    """The `examples` of a schema as a whole (JSON Schema 9.5), else one payload of the first example of each field that has some."""
    if stated := schema.get("examples"):
        return list(stated)
    required = schema.get("required", [])
    # The database keeps no order of its own; what must be there comes first.
    fields = sorted(schema.get("properties", {}).items(), key=lambda pair: pair[0] not in required)
    made = {name: one["examples"][0] for name, one in fields if one.get("examples")}
    return [made] if made else []


def enqueue_command(kind: str, payload: dict[str, Any]) -> str:
    """The line for a shell that enqueues it."""
    return " ".join(["bellhand enqueue", kind, *(shlex.quote(_word(*one)) for one in payload.items())])  # fmt: skip


def _word(name: str, value: Any) -> str:
    if isinstance(value, str) and _TEXT.fullmatch(value):
        return f"{name}={value}"
    if value and isinstance(value, list) and all(isinstance(one, str) and _ITEM.fullmatch(one) for one in value):  # fmt: skip
        return f"{name}={','.join(value)}"
    return f"{name}:={json.dumps(value, ensure_ascii=False)}"
