"""Changing one job: what it is asked, when, how urgent, how often."""

from __future__ import annotations

import json
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from bellhand.cli.arguments import Job
from bellhand.cli.context import Given, actor, loads
from bellhand.cli.errors import Usage
from bellhand.cli.naming import find, name_of
from bellhand.cli.output import plain, say, say_json, tell
from bellhand.cli.values import moment_of, pairs_of, payload_of
from bellhand.resource import resource, rfc3339

SHOWN = ("id", "key", "kind", "state", "priority", "run_at", "attempts_max", "tags", "payload")


async def edit(
    job: Job,
    *payload: Annotated[str, Parameter(help="What to change of the payload: key=value, key:=json or a JSON object that is merged into it; - reads that from stdin.")],
    unset: Annotated[list[str] | None, Parameter(help="A key of the payload that goes; may be repeated.")] = None,
    priority: Annotated[int | None, Parameter(validator=Number(gte=1, lte=10), help="10 first, 1 last.")] = None,
    run_at: Annotated[str | None, Parameter(help="When: in 10m, 2026-01-31T12:00, or now.")] = None,
    attempts_max: Annotated[
        int | None, Parameter(validator=Number(gte=1, lte=32767), help="How many attempts in all.")
    ] = None,
    tag: Annotated[list[str] | None, Parameter(help="name=value; name= takes the tag away; may be repeated.")] = None,
    cli: Given,
) -> int:  # fmt: skip
    """Change a job that is not over: priority, time, attempts, tags, and until it begins its payload.

    What is not named stays. A changed payload is checked as when it was enqueued; a job that waits comes behind those that wait already.
    """
    changes: dict[str, Any] = {"priority": priority, "attempts_max": attempts_max}
    changes = {name: value for name, value in changes.items() if value is not None}
    if tag:
        changes["tags"] = {name: value or None for name, value in pairs_of(tag, "--tag").items()}
    moment = moment_of(run_at, "--run-at") if run_at else None
    if not (changes or payload or unset or run_at):
        raise Usage("nothing to change was given", fix=f"bellhand edit {job} --priority 9, or key=value for its payload")  # fmt: skip
    name = name_of(job)
    async with cli.database() as database:
        row = await find(database, name)
        if payload or unset:
            registered = await database.row("cli_kinds", row["kind"])
            schema = loads(registered["schema"]) if registered else None
            changes["payload"] = payload_of(payload, schema) | dict.fromkeys(unset or ())
        if moment is not None:
            if isinstance(moment, float):
                moment = await database.value("cli_ago", -moment)
            changes["run_at"] = rfc3339(moment)
        await database.rows("api_change", row["id"], json.dumps(changes), None, actor())
        made = resource(await find(database, name))
    if cli.json:
        say_json({field: made[field] for field in SHOWN})
    else:
        say(str(made["id"]) if cli.quiet else f"{made['id']}  {made['state']}  changed: {', '.join(changes)}")  # fmt: skip
        back = _back(resource(row), changes)
        if back and not cli.quiet:
            tell(f"back  bellhand edit {made['id']} {plain(back)}")
    return 0


def _back(before: dict[str, Any], changes: dict[str, Any]) -> str:
    """The options that make it as it was, of what has one."""
    options = {"priority": "--priority", "run_at": "--run-at", "attempts_max": "--attempts-max"}
    return " ".join(f"{option} {before[name]}" for name, option in options.items() if name in changes and before[name])  # fmt: skip
