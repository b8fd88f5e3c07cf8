"""A route and what OpenAPI says of it, in one place: beside its handler.

`operation` reads the handler's own annotations: a parameter `query` or `body` of a pydantic model is read from the request and
checked before the handler runs; what does not fit is a problem with a pointer to each place.
"""

from __future__ import annotations

import inspect
import json
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Any, TypeVar, get_type_hints

from aiohttp import hdrs, web
from multidict import MultiMapping
from pydantic import BaseModel, TypeAdapter, ValidationError

from bellhand.api.given import NoQuery
from bellhand.callers import ANSWER_SECONDS, Needed, Scope, needs
from bellhand.problems import HttpProblem

# Who enqueues looks at that too, but sees only what is his: Caller.sees.
OWN: tuple[Scope, ...] = ("read", "enqueue")
JSON = "application/json"
NDJSON = "application/x-ndjson"
ERRORS_MAX = 50  # that a refusal names
POINTER_CHARS_MAX = 4_000
ENCODINGS = ("identity", "gzip", "deflate")
JOB_PATH = (
    "/v1/jobs/{job:(?!batch$)[^{}/]+}"  # what is done to a batch is no act on a job of that name
)
_NUL = re.compile(rb"\\u0000")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
Handler = TypeVar("Handler", bound=Callable[..., Awaitable[web.StreamResponse]])


@dataclass(frozen=True, slots=True)
class Operation:
    """One route as OpenAPI has it."""

    name: str
    method: str
    path: str
    scope: Needed
    summary: str
    description: str
    query: type[BaseModel] | None
    body: Any
    body_types: tuple[str, ...]
    answers: Mapping[int, Any]
    problems: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)


def operation(
    method: str,
    path: str,
    scope: Needed,
    *,
    answers: Mapping[int, Any],
    problems: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    body_types: Sequence[str] = (JSON,),
    seconds: float | None = ANSWER_SECONDS,
) -> Callable[[Handler], Any]:
    """Makes a method a route.

    `answers` maps statuses to pydantic models or types (None: no body; a text: of that media type), `problems` are the slugs that it may answer with beside those
    of every route, `headers` are request headers that it reads, with what they say.
    """

    def bind(handler: Handler) -> Any:
        hints = get_type_hints(handler)
        query, body = hints.get("query"), hints.get("body")
        adapter = TypeAdapter(body) if body is not None else None

        async def serve(self: Any, request: web.Request) -> web.StreamResponse:
            given: dict[str, Any] = {}
            if query is not None:
                given["query"] = query_of(request.query, query)
            else:
                query_of(request.query, NoQuery)
            if adapter is not None:
                given["body"] = checked(adapter, await body_of(request, body_types), "#")
            return await handler(self, request, **given)

        summary, _, description = (inspect.getdoc(handler) or handler.__name__).partition("\n\n")
        served = needs(scope, seconds=seconds)(serve)
        served.__name__ = handler.__name__
        served.__operation__ = Operation(  # type: ignore[attr-defined]
            handler.__name__, method, path, scope, " ".join(summary.split()), description, query, body,
            tuple(body_types), answers, tuple(problems), headers or {},
        )  # fmt: skip
        return served

    return bind


def operations_of(routes: Iterable[web.AbstractRouteDef]) -> list[Operation]:
    """What the routes say of themselves; those that are not for programs say nothing."""
    found = [
        getattr(route.handler, "__operation__", None)
        for route in routes
        if isinstance(route, web.RouteDef)
    ]
    return [one for one in found if one is not None]


def routes_of(holder: object) -> list[web.RouteDef]:
    """The routes of all operations of an object, in the order they are written."""
    found = []
    for name in vars(type(holder)):
        handler = getattr(holder, name)
        described: Operation | None = getattr(handler, "__operation__", None)
        if described is not None:
            add = web.get if described.method == "GET" else _plain(described.method)
            found.append(add(described.path.replace("/v1/jobs/{job}", JOB_PATH), handler))
    return found


def _plain(method: str) -> Callable[..., web.RouteDef]:
    return lambda path, handler: web.route(method, path, handler)


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return web.Response(text=text, status=status, content_type=JSON, headers=headers)


# What arrives


def query_of(query: MultiMapping[str], model: type[BaseModel]) -> Any:
    """The parameters of an address as a model; one that is given more than once as a list where that is wanted."""
    given: dict[str, Any] = {}
    prefix = getattr(model, "open_prefix", "")
    for name in dict.fromkeys(query):
        if prefix and name.startswith(prefix):
            continue
        values = query.getall(name)
        if len(values) > 1 and not _takes_many(model, name):
            raise HttpProblem("invalid-request", errors=[(name, "is given more than once")])
        given[name] = values if _takes_many(model, name) else values[0]
    return checked(TypeAdapter(model), given, "")


def _takes_many(model: type[BaseModel], name: str) -> bool:
    found = model.model_fields.get(name)
    return found is not None and "list" in str(found.annotation)


async def body_of(request: web.Request, types: Sequence[str] = (JSON,)) -> Any:
    """The JSON body of a request; None if there is none. NDJSON becomes a list."""
    content_type = request.content_type.lower()
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower()
    if encoding not in ENCODINGS and request.body_exists:
        detail = f"the body is encoded as {encoding[:50]!r}; known are {', '.join(ENCODINGS)}"
        raise HttpProblem("unsupported-media-type", detail=detail)
    raw = await request.read()
    if not raw.strip():
        return None
    if content_type not in types:
        raise HttpProblem(
            "unsupported-media-type",
            detail=f"the body is {request.headers.get(hdrs.CONTENT_TYPE, 'of no type')!r}; taken are {', '.join(types)}",
        )
    if content_type == NDJSON:
        lines = enumerate(raw.split(b"\n"), start=1)
        return [json_of(line, f"line {number}: ") for number, line in lines if line.strip()]
    return json_of(raw)


def json_of(raw: bytes, place: str = "") -> Any:
    """JSON that Postgres can hold too: no NaN, no infinity, no lone surrogates; and no name twice in one object (RFC 7493, 2.3)."""
    twice: list[Twice] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        twice.append(Twice(pairs))
        return twice[-1]

    try:
        found = json.loads(
            raw.decode("utf-8"),
            parse_constant=_refuse,
            parse_float=_finite,
            object_pairs_hook=members,
        )
        if _SURROGATE.search(raw):
            json.dumps(found, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise HttpProblem("bad-json", detail=f"{place}it is nested too deeply") from None
    except ValueError as error:
        raise HttpProblem("bad-json", detail=f"{place}{error}") from None
    if twice:
        errors = [(where, "is there twice in one object") for where in places_of_twice(found)]
        raise HttpProblem("bad-json", detail=f"{place}{errors[0][0]} {errors[0][1]}", errors=errors)
    if _NUL.search(raw) and (places := places_of_nul(found)):
        errors = [(where, "no text holds the character NUL") for where in places]
        raise HttpProblem(
            "invalid-value", detail=f"{place}{errors[0][0]}: {errors[0][1]}", errors=errors
        )
    return found


class Twice(dict[str, Any]):
    """An object with a name that comes twice: which of the two counts, no two readers agree on."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.names = [
            name for name, count in Counter(name for name, _ in pairs).items() if count > 1
        ]


def places_of_twice(value: Any) -> list[str]:
    """A pointer to each name that comes twice, of many to some."""
    found = (
        (place, name) for place, one in _inside_of(value) if isinstance(one, Twice) for name in one.names
    )  # fmt: skip
    return _pointers(found)


def places_of_nul(value: Any) -> list[str]:
    """A pointer to each text, or name, that holds what Postgres cannot; of many to some."""
    if isinstance(value, str) and "\0" in value:
        return ["#"]
    return _pointers(
        (place, step)
        for place, one in _inside_of(value)
        for step, what in (one.items() if isinstance(one, dict) else enumerate(one))
        if (isinstance(what, str) and "\0" in what) or (isinstance(step, str) and "\0" in step)
    )


# Where something stands: the place of what it stands in, and the step from there. As a text each would be as long as all the names on the way,
# and somebody could have hundreds of thousands made of it.
_Place = tuple[Any, int | str] | None


def _inside_of(value: Any) -> Iterator[tuple[_Place, dict[str, Any] | list[Any]]]:
    """Each object and list in a value, with its place; without recursion, which the text may go deeper than."""
    left: list[tuple[_Place, Any]] = [(None, value)] if isinstance(value, dict | list) else []
    while left:
        place, one = left.pop()
        yield place, one
        inner: Iterable[tuple[int | str, Any]] = (
            one.items() if isinstance(one, dict) else enumerate(one)
        )
        left += [((place, step), what) for step, what in inner if isinstance(what, dict | list)]


def _pointers(places: Iterable[tuple[_Place, int | str]]) -> list[str]:
    found = []
    for place in islice(places, ERRORS_MAX):
        steps: list[int | str] = []
        at: _Place = place
        while at is not None:
            at, step = at
            steps.append(step)
        found.append(pointer("#", steps[::-1])[:POINTER_CHARS_MAX])
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:50]} is beyond what a double can hold")
    return number


def checked(adapter: TypeAdapter[Any], value: Any, root: str) -> Any:
    """The value as the adapter's type; else the problem with a pointer to every place that does not fit, of many to the first."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        said: dict[str, list[str]] = {}
        found = error.errors(include_url=False, include_input=False)
        unknown = any(one["type"] == "extra_forbidden" for one in found)
        schema = adapter.json_schema() if unknown else {}
        for one in found[:ERRORS_MAX]:
            first = str(one["loc"][0]) if one["loc"] else "query"
            place = pointer(root, _place(one["loc"], value)) if root else first
            said.setdefault(place, []).append(_said(one, schema, value))
        errors = [(place, ", or ".join(dict.fromkeys(words))) for place, words in said.items()]
        if len(found) > ERRORS_MAX:
            errors.append((root or "query", f"{len(found) - ERRORS_MAX} more things do not fit"))
        raise HttpProblem("invalid-request", errors=errors) from None


def pointer(root: str, place: Sequence[int | str]) -> str:
    """`#/jobs/0/kind` (RFC 6901)."""
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in place]
    return "/".join([root, *parts])


def _place(steps: Sequence[int | str], value: Any) -> list[int | str]:
    """Of where pydantic was the steps that lead through the value: between them it names the alternatives that it tried.

    What is missing is no part of the value, and its name comes last.
    """
    found: list[int | str] = []
    for number, step in enumerate(steps, start=1):
        if isinstance(value, list) and isinstance(step, int):
            value = value[step]
        elif isinstance(value, dict) and (
            step in value or (number == len(steps) and step != "[key]")
        ):
            value = value.get(step)
        elif number > 1 or not isinstance(value, list):  # a list alone stands for its one member
            continue
        found.append(step)
    return found


# What pydantic says of Python's types, in words of JSON.
WORDS = {
    "model_type": "must be an object", "model_attributes_type": "must be an object", "dict_type": "must be an object",
    "list_type": "must be a list", "string_type": "must be a text", "bool_type": "must be true or false", "bool_parsing": "must be true or false",
    "int_parsing": "must be a valid integer", "float_parsing": "must be a valid number",
}  # fmt: skip
_SUBJECT = re.compile(r"^(?:Input|Value|String|List|Dictionary) should (?=be |have |match )")


def _said(error: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> str:
    """What is wrong with one place of a value; `schema` says which names there are."""
    if error["type"] == "extra_forbidden":
        known = _names(schema, error["loc"][:-1])
        near = get_close_matches(str(error["loc"][-1]), known, 1)
        there = f"there is {', '.join(sorted(known))}" if known else "this takes no parameters"
        meant = f"did you mean {near[0]!r}?" if near else there
        return f"is unknown; {meant}"
    if error["type"] == "missing":
        return "is missing"
    if value is None and not error["loc"]:
        return "is missing: a JSON object belongs in the body"
    if error["type"] in WORDS:
        return WORDS[error["type"]]
    said = str(error["msg"]).removeprefix("Value error, ").replace(" after validation", "")
    return _SUBJECT.sub("must ", said)


def _names(schema: Mapping[str, Any], steps: Sequence[int | str]) -> set[str]:
    """The names of the properties that an object has by a JSON Schema, where pydantic says that it stands.

    Steps that lead nowhere name an alternative that pydantic tried.
    """
    nodes = list(_shapes(schema, schema))
    for step in steps:
        inside = [_inside(node, step) for node in nodes]
        nodes = [shape for one in inside for shape in _shapes(one, schema)] or nodes
    return {name for node in nodes for name in node.get("properties", {})}


def _inside(node: Mapping[str, Any], step: int | str) -> Any:
    if isinstance(step, int):
        return node.get("items")
    return node.get("properties", {}).get(step, node.get("additionalProperties"))


def _shapes(node: Any, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A node and what it refers to or chooses from."""
    if not isinstance(node, Mapping):
        return
    yield node
    if "$ref" in node:
        yield from _shapes(schema["$defs"][str(node["$ref"]).rpartition("/")[2]], schema)
    for one in (*node.get("anyOf", ()), *node.get("allOf", ()), *node.get("oneOf", ())):
        yield from _shapes(one, schema)
