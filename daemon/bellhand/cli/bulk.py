"""Telling many jobs at once what to do, with a look first, and taking it back."""

from __future__ import annotations

import json
from typing import Annotated, Any

from cyclopts import Parameter

from bellhand.cli.arguments import Failure, Jobs, OfKind, OfLane
from bellhand.cli.context import Database, Given, actor
from bellhand.cli.errors import UNCONFIRMED, NotFound, Usage
from bellhand.cli.naming import names_of, numbers_of
from bellhand.cli.output import ago, duration, plain, say, say_json, table, tell
from bellhand.cli.values import moment_of, states_of
from bellhand.counted import counted

Expect = Annotated[int | None, Parameter(help="How many must match; else they are only counted.")]
Why = Annotated[str | None, Parameter(help="Why; the audit log keeps it.")]


async def bulk(
    action: Annotated[str, Parameter(help="cancel, pause, resume, retry, run-now, reprioritize.")],
    /,
    *jobs: Jobs,
    state: Annotated[list[str] | None, Parameter(help="Jobs that are so; may be repeated.")] = None,
    kind: OfKind = None,
    lane: OfLane = None,
    owner: Annotated[str | None, Parameter(help="Jobs of this owner.")] = None,
    failure: Failure = None,
    since: Annotated[str | None, Parameter(help="Made, or over, since then: 2h, 1d.")] = None,
    priority: Annotated[int | None, Parameter(help="The new priority, for reprioritize.")] = None,
    hold: Annotated[float | None, Parameter(help="Seconds before a retry begins; 10.")] = None,
    expect: Expect = None,
    reason: Why = None,
    cli: Given,
) -> int:
    """Tell all jobs that match what to do: look first, then say again how many you expect."""
    chosen: dict[str, Any] = {"kind": kind, "lane": lane, "owner": owner}
    if state:
        chosen["states"] = sorted(states_of(state))
    named = names_of(jobs) if jobs else []
    arguments = {"priority": priority, "hold_seconds": hold}
    async with cli.database() as database:
        if named:
            chosen["ids"] = await numbers_of(database, named)
        if since:
            moment = moment_of(since, "--since")
            if isinstance(moment, float):
                moment = await database.value("cli_ago", moment)
            chosen["since"] = moment.isoformat()
        if failure:
            chosen["failure"] = (await failure_row(database, failure))["fingerprint"]
        return await act(cli, database, action, chosen, arguments, expect, reason)


async def act(
    cli: Any, database: Database, action: str, chosen: dict[str, Any], arguments: dict[str, Any],
    expect: int | None, reason: str | None,
) -> int:  # fmt: skip
    """Counts what matches or, where the count was said, does it; the exit code is 7 for a mere look."""
    action = action.replace("-", "_")
    given = json.dumps({name: value for name, value in chosen.items() if value is not None})
    more = json.dumps({name: value for name, value in arguments.items() if value is not None})
    if expect is None:
        row = await database.row("bulk_preview", given, action, more)
        assert row
        return _preview(cli, action, row)
    row = await database.row("bulk_act", given, action, expect, reason, more, actor())
    assert row
    if cli.json:
        say_json({name: row[name] for name in ("operation", "jobs", "undo_until")})
        return 0
    say(f"{counted(row['jobs'], 'job')} told to {action}  operation {row['operation']}")
    if row["jobs"] < expect:
        tell(
            f"{expect - row['jobs']} were left alone: something else has them, or their unique key"
        )
    if row["jobs"] and not cli.quiet:
        window = duration((row["undo_until"] - row["now"]).total_seconds())
        tell(f"undo within {window}: bellhand undo {row['operation']}")
    return 0


def _preview(cli: Any, action: str, row: Any) -> int:
    kinds, states, effects = (json.loads(row[n]) for n in ("kinds", "states", "side_effects"))
    if cli.json:
        say_json(
            {
                **dict(row),
                "kinds": kinds,
                "states": states,
                "side_effects": effects,
                "action": action,
            }
        )
        return 0 if row["jobs"] == 0 else UNCONFIRMED
    counts = ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items(), key=lambda one: -one[1]))
    told = f"{counted(row['jobs'], 'job')} {'matches' if row['jobs'] == 1 else 'match'}" + (
        f" ({counts})" if counts else ""
    )
    say(plain("  ".join([told, *(f"{state} {n}" for state, n in sorted(states.items()))])))
    if row["more"]:
        say(f"there are more; {row['jobs']} are done at once, the oldest first")
    if row["adds_seconds"]:
        say(f"adds about {duration(row['adds_seconds'])} to their lane")
    if row["steps_done"]:
        say(
            f"{row['steps_done']} of {counted(row['steps_total'], 'step')} done, which will be skipped"
        )
    if action == "retry" and (again := effects.get("external", 0) + effects.get("unknown", 0)):
        say(f"{again} may do outside a second time what no completed step keeps (EFFECTS: bellhand kinds)")  # fmt: skip
    if row["dependents"]:
        say(
            f"{counted(row['dependents'], 'job')} waiting for them may be cancelled too, past undoing"
        )
    if row["jobs"] == 0:
        return 0
    if not cli.quiet:
        tell(f"nothing was done; to do it, give the same command with: --expect {row['jobs']}")
    return UNCONFIRMED


async def failure_row(database: Database, prefix: str) -> Any:
    """The one group of failures whose fingerprint begins so; NotFound, or Usage if there are more."""
    rows = await database.rows("failure", prefix)
    if not rows:
        raise NotFound(
            f"there is no group of failures {prefix!r}",
            why="nothing has failed so, or it is grouped in half a minute, or retention removed it",
            fix="bellhand failures",
        )
    if len(rows) > 1:
        found = ", ".join(row["fingerprint"] for row in rows)
        raise Usage(f"{prefix!r} is not enough", why=f"it begins {found}", fix="give more of it")
    return rows[0]


async def undo(
    operation: Annotated[
        int | None, Parameter(help="Its number; without one they are listed.")
    ] = None,
    /,
    *,
    cli: Given,
) -> int:
    """Undo a bulk action where nothing else has touched a job since; or list those there were."""
    async with cli.database() as database:
        if operation is None:
            return _list(cli, await database.rows("operations", None, 20))
        row = await database.row("undo", operation, actor())
    assert row
    if cli.json:
        say_json({"operation": operation, **dict(row)})
        return 0
    say(f"{counted(row['undone'], 'job')} as before")
    if row["kept"]:
        tell(f"{row['kept']} were touched since, and stay as they are")
    return 0


def _list(cli: Any, rows: list[Any]) -> int:
    if cli.json:
        found = [dict(row) for row in rows]
        for one in found:
            del one["now"]
            one |= {name: json.loads(one[name]) for name in ("filter", "arguments")}
        say_json(found)
    elif cli.quiet:
        for row in rows:
            say(str(row["id"]))
    elif rows:
        table(
            ("ID", "WHEN", "WHO", "ACTION", "JOBS", "UNDO", "WHY"),
            [
                (
                    row["id"], ago(row["at"], row["now"]), row["actor"], row["action"], row["jobs"],
                    _undo_word(row), row["reason"] or "",
                )
                for row in rows
            ],
            numbers="ID JOBS",
        )  # fmt: skip
    else:
        tell("no bulk actions yet")
    return 0


def _undo_word(row: Any) -> str:
    if row["undone_at"]:
        return f"undone by {row['undone_by']}"
    return "possible" if row["undoable"] else "-"
