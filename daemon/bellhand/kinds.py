"""What sort of work there is: a handler, its typed payload, and its policy."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from .errors import Problem
from .outcomes import WAIT_SECONDS_MAX

# What a job does outside the database, and so what it means to run it a second time.
SideEffects = Literal["none", "keyed", "external"]
Handler = TypeVar("Handler", bound=Callable[..., Any])
ATTRIBUTE = "__bellhand_kind__"
EXPONENT_MAX = 60
NAME = re.compile(r"[a-z0-9_.:-]{1,100}")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job: how to call its handler and what happens when it fails."""

    name: str
    handler: Callable[..., Any]
    lane: str = "default"
    priority: int = 5
    attempts_max: int = 3
    timeout_seconds: float | None = 300.0
    step_timeout_seconds: float | None = None
    backoff_base_seconds: float = 2.0
    backoff_max_seconds: float = 3600.0
    isolate: bool = False
    memory_bytes_max: int | None = None
    estimate: str | None = None
    side_effects: SideEffects | None = None
    adapter: TypeAdapter[Any] | None = field(default=None, compare=False)
    takes_args: bool = True
    takes_job: bool = True
    is_async: bool = True

    def arguments(self, payload: str) -> Any:
        """The payload (JSON text) as the handler's type; a ValueError says what is wrong."""
        if self.adapter is None:
            return json.loads(payload) if self.takes_args else None
        try:
            return self.adapter.validate_json(payload)
        except ValidationError as error:
            # Without the values: a payload may hold secrets, and errors are shown to many.
            said = (
                f"{'.'.join(map(str, one['loc'])) or 'payload'}: {one['msg']}"
                for one in error.errors(include_input=False)
            )
            raise ValueError("; ".join(said)) from None

    def backoff_seconds(self, attempt: int, random: Callable[[], float]) -> float:
        """The wait after a failed attempt, by its number: full jitter below base * 2^(n-1)."""
        return random() * min(
            self.backoff_base_seconds * 2.0 ** min(attempt - 1, EXPONENT_MAX),
            self.backoff_max_seconds,
        )

    def published(self) -> dict[str, Any]:
        """What the database is told about the kind."""
        schema = self.adapter.json_schema() if self.adapter is not None else None
        lines = inspect.getdoc(self.handler)
        return {
            "name": self.name,
            "lane": self.lane,
            "priority": self.priority,
            "attempts_max": self.attempts_max,
            "timeout_seconds": self.timeout_seconds,
            "step_timeout_seconds": self.step_timeout_seconds,
            "backoff_base_seconds": self.backoff_base_seconds,
            "backoff_max_seconds": self.backoff_max_seconds,
            "side_effects": self.side_effects,
            "schema": schema,
            "checks": checks(schema) if schema else None,
            "summary": lines.splitlines()[0] if lines else None,
            "estimate": self.estimate,
        }


def job_kind(
    name: str,
    *,
    lane: str = "default",
    priority: int = 5,
    attempts_max: int = 3,
    timeout_seconds: float | None = 300.0,
    step_timeout_seconds: float | None = None,
    backoff_base_seconds: float = 2.0,
    backoff_max_seconds: float = 3600.0,
    isolate: bool = False,
    memory_bytes_max: int | None = None,
    estimate: str | None = None,
    side_effects: SideEffects | None = None,
) -> Callable[[Handler], Handler]:
    """Make a function the handler of a kind; it stays callable as it is.

    The function takes its payload first (a pydantic model, any type pydantic knows, or a dict) and
    the job second; either may be left out. `async def` runs on the loop, `def` in a thread,
    `isolate=True` in a process of its own. With `timeout_seconds=None` only the steps' own timeouts
    bound it. `estimate` names a SQL function (payload jsonb -> jsonb) of the schema's owner that says
    what a payload will take, {"steps": 6}: for quotes, and for when a waiting job will be done.
    `side_effects` says what a second run would do outside: `none` (nothing: it only reads there), `keyed` (nothing more: what it
    does bears a key, such as job.idempotency_key, by which the other side knows it again), `external` (what the database does not
    remember is done twice: a mail, a message). Left out, nobody knows, and people are warned as of `external`.
    """

    def bind(function: Handler) -> Handler:
        adapter, takes_args, takes_job = _signature(name, function)
        kind = Kind(
            name=name,
            handler=function,
            lane=lane,
            priority=priority,
            attempts_max=attempts_max,
            timeout_seconds=timeout_seconds,
            step_timeout_seconds=step_timeout_seconds,
            backoff_base_seconds=backoff_base_seconds,
            backoff_max_seconds=backoff_max_seconds,
            isolate=isolate,
            memory_bytes_max=memory_bytes_max,
            estimate=estimate,
            side_effects=side_effects,
            adapter=adapter,
            takes_args=takes_args,
            takes_job=takes_job,
            is_async=inspect.iscoroutinefunction(function),
        )
        _refuse_nonsense(kind)
        setattr(function, ATTRIBUTE, kind)
        return function

    return bind


def _refuse_nonsense(kind: Kind) -> None:
    """What the database would refuse, or what could never run, is refused where it is written."""
    waits = (kind.backoff_base_seconds, kind.backoff_max_seconds)
    limits = (kind.timeout_seconds, kind.step_timeout_seconds, kind.memory_bytes_max)
    rules = [
        (NAME.fullmatch(kind.name), "its name must be 1 to 100 characters of a-z, 0-9, _.:-"),
        (NAME.fullmatch(kind.lane), f"its lane {kind.lane!r} must be named like a kind"),
        (1 <= kind.priority <= 10, f"priority {kind.priority} is outside 1 to 10"),
        (1 <= kind.attempts_max <= 32767, f"attempts_max {kind.attempts_max} is below 1, or huge"),
        (
            all(0 <= wait <= WAIT_SECONDS_MAX for wait in waits),
            f"backoff {waits} is negative or huge",
        ),
        (all(limit is None or limit > 0 for limit in limits), "a limit is not above 0"),
        (
            kind.side_effects in (None, *get_args(SideEffects)),
            f"side_effects {kind.side_effects!r} is none of {', '.join(get_args(SideEffects))}",
        ),
        (kind.isolate or not kind.memory_bytes_max, "memory_bytes_max needs isolate=True"),
        (
            not kind.isolate or "." not in kind.handler.__qualname__,
            "another process finds an isolated handler only at the top level of its module",
        ),
    ]
    for fine, why in rules:
        if not fine:
            fix = f"change it in {kind.handler.__module__}"
            raise Problem(f"job_kind({kind.name!r}) cannot be right", why=why, fix=fix)


def _signature(
    name: str, function: Callable[..., Any]
) -> tuple[TypeAdapter[Any] | None, bool, bool]:
    """The adapter of the payload's type, and whether the handler takes a payload and a job."""
    parameters = [
        p for p in inspect.signature(function).parameters.values() if p.default is p.empty
    ]
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise Problem(
            f"the annotations of the handler of {name} cannot be resolved",
            why=str(error),
            fix="define or import the type at the top of the module, before the handler",
        ) from error
    is_job = [
        p.name == "job" or getattr(hints.get(p.name), "__name__", "") == "Job" for p in parameters
    ]
    if len(parameters) > 2 or (len(parameters) == 2 and is_job != [False, True]):
        raise Problem(
            f"the handler of {name} has parameters that Bellhand cannot fill",
            why=f"it takes ({', '.join(p.name for p in parameters)})",
            fix="take payload and job, in this order: async def handler(args: Args, job: Job)",
        )
    takes_job = bool(is_job) and is_job[-1]
    takes_args = len(parameters) - takes_job > 0
    hint: Any = hints.get(parameters[0].name) if takes_args else None
    plain = hint is None or hint in (dict, Any) or getattr(hint, "__origin__", None) is dict
    return (None if plain else TypeAdapter(hint)), takes_args, takes_job


def find_kinds(modules: Iterable[str]) -> dict[str, Kind]:
    """The kinds that the named modules hold, by name.

    Raises Problem for a module that does not import and for a name that is there twice.
    """
    found: dict[str, Kind] = {}
    for module_name in modules:
        for value in vars(_load(module_name)).values():
            kind = getattr(value, ATTRIBUTE, None)
            if not isinstance(kind, Kind):
                continue
            other = found.setdefault(kind.name, kind)
            if other.handler is not kind.handler:
                raise Problem(
                    f"two handlers claim the kind {kind.name}",
                    why=f"{other.handler.__module__}.{other.handler.__qualname__} and "
                    f"{kind.handler.__module__}.{kind.handler.__qualname__}",
                    fix="rename one of them, or take one module out of `modules`",
                )
    return found


def _load(name: str) -> Any:
    # The user's modules may lie in the folder the daemon was started in; last, since root may stand in one that others
    # write to, and what lies there must not come before a library of ours.
    if "" not in sys.path:
        sys.path.append("")
    try:
        return importlib.import_module(name)
    except Problem:
        raise
    except Exception as error:  # a boundary: the module is the user's, anything may go wrong in it
        raise Problem(
            f"the handler module {name} does not import",
            why=f"{type(error).__name__}: {error}",
            fix=f"try it alone: python -c 'import {name}'; or take it out of `modules`",
        ) from error


def checks(schema: dict[str, Any]) -> list[dict[str, Any]] | None:
    """What payload_problem.sql enforces of a JSON Schema at the INSERT; None for nothing."""
    if schema.get("type") != "object":
        return None
    found: list[dict[str, Any]] = []
    if schema.get("additionalProperties") is False:
        found.append({"only": list(schema.get("properties", {}))})
    for key, field_schema in schema.get("properties", {}).items():
        check: dict[str, Any] = {"key": key, "required": key in schema.get("required", [])}
        check["types"] = sorted(_types(field_schema, schema))
        check |= _bounds(field_schema)
        found.append(check)
    return found or None


ALL_TYPES = {"string", "number", "integer", "boolean", "array", "object", "null"}


def _types(field_schema: dict[str, Any], whole: dict[str, Any]) -> set[str]:
    """The JSON types a field may have; all of them where SQL could not check what is said."""
    if "$ref" in field_schema:
        target: Any = whole
        for part in field_schema["$ref"].removeprefix("#/").split("/"):
            target = target.get(part, {})
        return _types(target, whole)
    for union in ("anyOf", "oneOf"):
        if union in field_schema:
            return set().union(*(_types(one, whole) for one in field_schema[union]))
    stated = field_schema.get("type")
    if stated is None:
        return ALL_TYPES
    return {stated} if isinstance(stated, str) else set(stated)


def _bounds(field_schema: dict[str, Any]) -> dict[str, Any]:
    names = {
        "enum": "enum",
        "minimum": "minimum",
        "maximum": "maximum",
        "minLength": "size_min",
        "maxLength": "size_max",
        "minItems": "size_min",
        "maxItems": "size_max",
    }
    return {ours: field_schema[theirs] for theirs, ours in names.items() if theirs in field_schema}
