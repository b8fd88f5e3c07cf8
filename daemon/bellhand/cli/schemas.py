"""The shapes of the output as JSON Schema, and the fields that one may choose of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import TypeAdapter

from bellhand.cli.context import Given
from bellhand.cli.errors import NotFound
from bellhand.cli.output import say_json
from bellhand.cli.shapes import SHAPES


def shape_of(words: Sequence[str]) -> Any | None:
    """The model of what these words print; None for a command that prints nothing for programs, or something of another's."""
    return next((SHAPES[name] for name in (" ".join(words[:2]), *words[:1]) if name in SHAPES), None)  # fmt: skip


def schema_of(shape: Any) -> dict[str, Any]:
    """The JSON Schema of a model."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **TypeAdapter(shape).json_schema()}  # fmt: skip


def fields_of(words: Sequence[str]) -> tuple[str, ...]:
    """The fields of what these words print, in order; none where they cannot be known."""
    shape = shape_of(words)
    return tuple(dict.fromkeys(_fields(schema_of(shape)))) if shape is not None else ()


def _fields(schema: dict[str, Any]) -> list[str]:
    """Of an object its own, of a list or a choice those of what is in it."""
    known, found = schema.get("$defs", {}), list[str]()
    waiting = [schema]
    while waiting:
        one = waiting.pop(0)
        if "$ref" in one:
            one = known[one["$ref"].rpartition("/")[2]]
        found += one.get("properties", {})
        waiting += [*one.get("anyOf", ()), *([one["items"]] if "items" in one else ())]
    return found


def schema(
    command: Annotated[
        tuple[str, ...], Parameter(help="As in: schema list, schema lane limit.")
    ] = (),
    /,
    *,
    cli: Given,
) -> int:
    """Print the JSON Schema of what a command prints with --json, or of all of them.

    Fields are added as versions come, and none is renamed or taken away.
    """
    if not command:
        say_json({name: schema_of(shape) for name, shape in SHAPES.items()})
        return 0
    name = " ".join(command)
    if name not in SHAPES:
        raise NotFound(f"{name!r} prints nothing that has a schema", why=f"these do: {', '.join(SHAPES)}", fix="bellhand schema")  # fmt: skip
    say_json(schema_of(SHAPES[name]))
    return 0
