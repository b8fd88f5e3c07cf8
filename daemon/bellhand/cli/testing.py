"""`bellhand test`: what holds of every kind without a test written for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import structlog
from cyclopts import Parameter

from bellhand.cli.completing import kinds
from bellhand.cli.context import Given
from bellhand.cli.errors import FAILED, OK
from bellhand.cli.executing import kind_in
from bellhand.cli.output import paint, plain, say, say_json, tell
from bellhand.counted import counted

if TYPE_CHECKING:
    from bellhand.kinds import Kind
    from bellhand.testing.trying import Trial

EXAMPLE = "model_config = ConfigDict(json_schema_extra={'examples': [{...}]})"


def try_kinds(
    names: Annotated[
        tuple[str, ...], Parameter(name="KIND", help="Only these; else all of the modules.", completer=kinds)
    ] = (),
    /,
    *,
    module: Annotated[
        list[str] | None, Parameter(help="Where handlers are, beside the configured modules; may be repeated.")
    ] = None,
    crash: Annotated[
        bool, Parameter(negative=(), help="Run a job of each example, again and again, dying at every step in turn.")
    ] = False,
    cli: Given,
) -> int:  # fmt: skip
    """Test every kind by what it says of itself: its schema, its examples, and with --crash that a job survives dying at every step.

    On a database of its own that is gone afterwards, with no service configured; $BELLHAND_TEST_DSN names a server to make it on. Examples are
    those of the payload's JSON Schema (`examples` of the model, else of its fields), else {} where that will do. Each must please the
    handler's type and the check that an INSERT meets. With --crash a job of the first example has to end alike, whatever step it dies at; one
    that needs what is not there, a service or rows that it names, says so and is not crashed. What a
    handler does outside without Bellhand's clients it really does, many times: so kinds whose side_effects are not `none` or `keyed`
    only die if they are named. Exits 1 if something does not hold.
    """
    # Only here: the whole engine, and a database server.
    from bellhand.kinds import find_kinds
    from bellhand.testing import DSN_VARIABLE
    from bellhand.testing.desk import thrown_away
    from bellhand.testing.trying import attempt

    # What fails is said once, with the kind it is of; a crash test would have it logged at every step.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    modules = (*cli.configured.modules, *(module or ()))
    chosen = _chosen(find_kinds(modules), names, modules)
    width = max((len(kind.name) for kind in chosen), default=0)
    trials: list[Trial] = []
    with thrown_away(os.environ.get(DSN_VARIABLE)) as desk:
        for kind in chosen:
            trials.append(attempt(desk, kind, crash=crash, named=bool(names)))
            if not cli.json:
                _report(trials[-1], width, crash=crash)
    if cli.json:
        say_json([asdict(trial) | {"holds": trial.holds} for trial in trials])
    elif not cli.quiet:
        _sum_up(trials)
    return OK if all(trial.holds for trial in trials) else FAILED


def _chosen(known: Mapping[str, Kind], names: Sequence[str], modules: Sequence[str]) -> list[Kind]:
    return [kind_in(known, name, modules, "test") for name in dict.fromkeys(names or known)]


def _report(trial: Trial, width: int, *, crash: bool) -> None:
    from bellhand.testing.trying import LEFT_OUT

    mark = paint("✓", "green") if trial.holds else paint("✗", "red")
    left_out, _, why = trial.crash.partition(LEFT_OUT)
    parts = [f"schema {trial.schema}", f"example {trial.example}"]
    if crash:
        parts.append("not crashed here" if why else f"crash {left_out}")
    say(f"{mark} {plain(trial.kind):<{width}}  {plain(', '.join(parts))}")
    for line in why.splitlines():
        say(f"  {plain(line)}")
    for problem in trial.problems:
        for line in problem.splitlines():
            say(f"  {plain(line)}")


def _sum_up(trials: Sequence[Trial]) -> None:
    from bellhand.testing.trying import LEFT_OUT

    bad = sum(not trial.holds for trial in trials)
    of = counted(len(trials), "kind")
    tell(f"{bad} of {of} did not hold" if bad else f"{of}: all that was tried holds")
    if kept := sum(trial.crash.startswith(LEFT_OUT) for trial in trials):
        tell(f"{kept} not crashed here, each for the reason under it")
    if lacking := sum(trial.example == "none" for trial in trials):
        tell(f"{lacking} without an example; a model gives one with {EXAMPLE}")
