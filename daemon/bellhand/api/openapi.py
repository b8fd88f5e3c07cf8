"""The OpenAPI 3.1 document, made of what the routes say of themselves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, TypeAdapter

from bellhand import __version__
from bellhand.api import told
from bellhand.api.given import JOB_WORD
from bellhand.api.operations import JSON, Operation
from bellhand.problem_sorts import SORTS
from bellhand.problems import CONTENT_TYPE as PROBLEM

REFERENCE = "#/components/schemas/{model}"
# What every route may answer, by what it takes.
ALWAYS = (
    "bad-request", "token-in-url", "misdirected", "too-many-requests", "database-away", "schema-unfit", "invalid-request",
)  # fmt: skip
WITH_SCOPE = ("unauthorized", "forbidden")
WITH_CHANGE = ("foreign-origin", "body-too-large")
WITH_BODY = ("bad-json", "unsupported-media-type", "invalid-value")
NAMES: dict[str, dict[str, Any]] = {
    "job": JOB_WORD | {"description": "The id (a number) or the key (a UUID) of a job.", "examples": ["17"]},
}  # fmt: skip
HEADERS: dict[str, dict[str, Any]] = {
    "Idempotency-Key": {"type": "string", "pattern": r'^([!#-~]{1,255}|"[ !#-\[\]-~]{1,255}")$'},
}
DESCRIPTION = (
    "Jobs over HTTP. Times are RFC 3339 in UTC, durations are seconds. Every error is a problem document (RFC 9457) that says what, why and "
    "what to do; its type is served under /problems. Idempotency-Key follows draft-ietf-httpapi-idempotency-key-header-07, RateLimit "
    "draft-ietf-httpapi-ratelimit-headers."
)


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The whole document."""
    schemas: dict[str, Any] = {}
    paths: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for one in operations:
        paths[one.path][one.method.lower()] = _operation(one, schemas)
    _schema(told.Problem, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Bellhand", "version": __version__, "description": DESCRIPTION},
        "paths": dict(paths),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made by: bellhand token create NAME"}
            },
        },
    }  # fmt: skip


def _operation(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "tags": [_tag(one.path)],
        "parameters": [*_in_path(one.path), *_in_query(one.query), *_in_headers(one.headers)],
        "responses": _responses(one, schemas),
    }
    if one.description:
        described["description"] = one.description
    if one.scope:
        scopes = one.scope if isinstance(one.scope, str) else " or ".join(one.scope)
        described |= {"security": [{"token": []}], "x-scope": scopes}
    if one.body is not None:
        schema = _schema(one.body, schemas)
        optional = {"type": "null"} in schema.get("anyOf", [])
        content = {media: {"schema": schema} for media in one.body_types}
        described["requestBody"] = {"required": not optional, "content": content}
    return described


def _tag(path: str) -> str:
    parts = [part for part in re.split(r"[/:]", path) if part and part != "v1"]
    return parts[0] if path.startswith("/v1/") else "port"


def _in_path(path: str) -> list[dict[str, Any]]:
    found = []
    for name in re.findall(r"{(\w+)}", path):
        schema = dict(
            NAMES.get(name, {"type": "string", "description": f"The name of the {name}."})
        )
        told_of = {"description": schema.pop("description")}
        found.append({"name": name, "in": "path", "required": True, "schema": schema, **told_of})
    return found


def _in_query(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = TypeAdapter(model).json_schema(ref_template=REFERENCE)
    found = []
    for name, of_one in schema.get("properties", {}).items():
        plain, _ = _without_null(of_one)
        plain.pop("title", None)
        text = plain.pop("description", None)
        needed = name in schema.get("required", [])
        one = {"name": name, "in": "query", "required": needed, "schema": plain}
        found.append(one | ({"description": text} if text else {}))
    return found


def _in_headers(headers: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": HEADERS.get(name, {"type": "string"})}
        for name, text in headers.items()
    ]  # fmt: skip


def _responses(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, model in one.answers.items():
        text = HTTPStatus(status).phrase
        found[str(status)] = {"description": text}
        if model is str:
            found[str(status)]["content"] = {"text/plain": {"schema": {"type": "string"}}}
        elif isinstance(model, str):
            found[str(status)]["content"] = {model: {"schema": {"type": "string"}}}
        elif model is not None:
            found[str(status)]["content"] = {JSON: {"schema": _schema(model, schemas)}}
    for status, slugs in sorted(_problems(one).items()):
        content = {PROBLEM: {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
        text = ", ".join(f"[{slug}](/problems/{slug})" for slug in slugs)
        if str(status) in found:  # a status that is an answer too: the content says which it is
            found[str(status)]["content"] |= content
        else:
            found[str(status)] = {"description": text, "content": content}
    return found


def _problems(one: Operation) -> dict[int, list[str]]:
    slugs = [*ALWAYS, *one.problems]
    slugs += WITH_SCOPE if one.scope else ()
    slugs += ("purged",) if "{job}" in one.path else ()
    slugs += WITH_CHANGE if one.method != "GET" else ()
    slugs += WITH_BODY if one.body is not None else ()
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for slug in dict.fromkeys(slugs):
        by_status[SORTS[slug].status].append(slug)
    return by_status


def _schema(model: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type; what it refers to is entered among the components."""
    schema = TypeAdapter(model).json_schema(ref_template=REFERENCE)
    found = schema.pop("$defs", {})
    if isinstance(model, type) and issubclass(model, BaseModel):
        found[model.__name__] = schema
        schema = {"$ref": REFERENCE.format(model=model.__name__)}
    for name, inner in found.items():
        if schemas.setdefault(name, inner) != inner:
            raise ValueError(f"two models are called {name}, and say different things")
    return schema


def _without_null(schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema without a null that stands for "left out", and whether it had one."""
    ways = schema.get("anyOf", [])
    some = [way for way in ways if way != {"type": "null"}]
    if len(some) == len(ways):
        return dict(schema), False
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return (rest | some[0] if len(some) == 1 else rest | {"anyOf": some}), True
