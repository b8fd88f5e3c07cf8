"""Trying kinds without a test written for them: their schema, their examples, and that a job of the example survives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from ..errors import Problem

if TYPE_CHECKING:
    from ..kinds import Kind
    from .desk import Bellhand

REPEATABLE = ("none", "keyed")  # what may be run many times over without asking anybody
# What pydantic, JSON and our SQL raise.
UNFIT = (ValueError, TypeError, Problem, asyncpg.PostgresError)


@dataclass
class Trial:
    """What was found of one kind; each part is `ok`, `failed`, or why there is nothing to say."""

    kind: str
    schema: str = "ok"
    example: str = "ok"
    crash: str = "not asked for"
    payloads: list[Any] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing failed."""
        return not self.problems


def examples_of(kind: Kind) -> list[Any]:
    """Payloads that a kind gives for itself: the examples of its schema, else those of its fields, else {} if that will do."""
    if kind.adapter is None:
        return [] if kind.takes_args else [{}]
    schema = kind.adapter.json_schema()
    if stated := schema.get("examples"):
        return list(stated)
    fields: Mapping[str, Any] = schema.get("properties", {})
    made = {name: one["examples"][0] for name, one in fields.items() if one.get("examples")}
    if made:
        return [made]
    try:
        kind.arguments("{}")
    except ValueError:
        return []
    return [{}]


def attempt(desk: Bellhand, kind: Kind, *, crash: bool, named: bool) -> Trial:
    """Try one kind in the database of `desk`; with `crash` by dying at every step, unless it does things outside and was not named."""
    trial = Trial(kind.name)
    try:
        desk.publish(kind)
        trial.payloads = examples_of(kind)
    except UNFIT as error:
        trial.schema = "failed"
        trial.example = trial.crash = "not tried"
        trial.problems.append(f"schema: {_said(error)}")
        return trial
    if not trial.payloads:
        trial.example = "none"
        trial.crash = "no example" if crash else trial.crash
        return trial
    for payload in trial.payloads:
        if problem := _refused(desk, kind, payload):
            trial.example, trial.crash = "failed", "not tried"
            trial.problems.append(f"example {json.dumps(payload, default=str)}: {problem}")
    if crash and trial.holds:
        _crash(desk, kind, trial, named=named)
    return trial


def _refused(desk: Bellhand, kind: Kind, payload: Any) -> str:
    """Why the handler's type or the database's own check does not take a payload; empty if both do."""
    try:
        kind.arguments(json.dumps(payload))
        desk.enqueue(kind.name, payload)
    except UNFIT as error:
        return _said(error)
    return ""


def _crash(desk: Bellhand, kind: Kind, trial: Trial, *, named: bool) -> None:
    if kind.side_effects not in REPEATABLE and not named:
        trial.crash = (
            "left out: what it does outside would be done many times; name it to have it run"
        )
        return
    desk.use(kind.handler)
    first = desk.run(kind.name, trial.payloads[0])
    if first.state in ("scheduled", "paused"):
        trial.crash = f"left out: it waits: {first.error or 'it does not say for what'}"
        return
    try:
        desk.assert_crash_safe(kind.name, trial.payloads[0])
    except AssertionError as error:
        trial.crash = "failed"
        trial.problems.append(f"crash: {error}")
    else:
        trial.crash = "ok"


def _said(error: Exception) -> str:
    detail = getattr(error, "detail", None) or getattr(error, "why", None)
    return f"{error}{f' ({detail})' if detail else ''}"
