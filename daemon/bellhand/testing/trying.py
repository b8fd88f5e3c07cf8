"""Trying kinds without a test written for them: their schema, their examples, and that a job of the example survives."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from ..errors import Problem
from ..examples import examples_of

if TYPE_CHECKING:
    from ..kinds import Kind
    from .desk import Bellhand, Report

LEFT_OUT = "left out: "
BROKE = (
    "Traceback (most recent call last)"  # what an exception leaves that the handler did not mean
)
REPEATABLE = ("none", "keyed")  # what may be run many times over without asking anybody
# What pydantic, JSON and our SQL raise.
UNFIT = (ValueError, TypeError, Problem, asyncpg.PostgresError)


@dataclass
class Trial:
    """What was found of one kind; each part is `ok`, `failed`, or why there is nothing to say: for `crash` also `left out: ` and why."""

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
            f"{LEFT_OUT}what it does outside would be done many times; name it to have it run"
        )
        return
    desk.use(kind.handler)
    # One attempt more than it has: what fails now was failed for good by the handler's own word.
    first = desk.run_job(
        desk.enqueue(kind.name, trial.payloads[0], attempts_max=kind.attempts_max + 1)
    )
    if needs := _needs(first):
        trial.crash = f"{LEFT_OUT}needs more than is here: {needs}"
        return
    try:
        desk.assert_crash_safe(kind.name, trial.payloads[0])
    except AssertionError as error:
        trial.crash = "failed"
        trial.problems.append(f"crash: {error}")
    else:
        trial.crash = "ok"


def _needs(report: Report) -> str:
    """What a job says that it lacks: it waits, or its handler ended it by a word of its own and not by breaking; else empty."""
    error = (report.error or "").strip()
    if report.state in ("scheduled", "paused"):
        return error or "it waits, and does not say for what"
    if report.state in ("failed", "cancelled") and BROKE not in error:
        return error
    return ""


def _said(error: Exception) -> str:
    detail = getattr(error, "detail", None) or getattr(error, "why", None)
    return f"{error}{f' ({detail})' if detail else ''}"
