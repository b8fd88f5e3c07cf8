"""Looking ahead: what a job would become before it is enqueued, when it will be done, and how well that is known."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

import asyncpg
from cyclopts import Parameter

from bellhand.cli.arguments import JOB, Kind
from bellhand.cli.completing import jobs
from bellhand.cli.context import Given, loads
from bellhand.cli.naming import find, name_of
from bellhand.cli.output import ago, duration, eta_line, plain, say, say_json, table, tell
from bellhand.cli.values import moment_of, payload_of
from bellhand.counted import counted
from bellhand.resource import eta as eta_of

WARNINGS = {
    "unknown_kind": "no daemon has published this kind; it would wait for one",
    "no_worker": "no live worker handles it; start one with: bellhand run",
    "kind_paused": "the kind is paused",
    "lane_paused": "the lane is paused",
    "duplicate": "a live job has this unique key; that one would be returned",
    "same_payload": "a job with the same payload is under way",
}


async def quote(
    kind: Kind,
    /,
    *payload: Annotated[str, Parameter(help="As for enqueue: key=value, JSON, or - for stdin.")],
    unique_key: Annotated[str | None, Parameter(help="As for enqueue.")] = None,
    run_at: Annotated[str | None, Parameter(help="As for enqueue.")] = None,
    priority: Annotated[int | None, Parameter(help="10 first, 1 last; else the kind's.")] = None,
    owner: Annotated[str | None, Parameter(help="Whose job it would be.")] = None,
    cli: Given,
) -> int:
    """Say what would become of a job if it were enqueued now; nothing is stored."""
    moment = moment_of(run_at, "--run-at") if run_at else None
    async with cli.database() as database:
        registered = await database.row("cli_kinds", kind)
        body = json.dumps(payload_of(payload, loads(registered["schema"]) if registered else None))
        if isinstance(moment, float):
            moment = await database.value("cli_ago", -moment)
        row = await database.row(
            "quote", kind, body, unique_key, moment, priority, None, None, None, owner, None, "cancel", None,
        )  # fmt: skip
    assert row
    said = json.loads(row["quote"])
    if cli.json:
        say_json(said)
        return 0
    _say_quote(said, row["now"])
    for warning in said["warnings"] if not cli.quiet else ():
        tell(f"warning: {WARNINGS.get(warning, warning)}")
    return 0


def _say_quote(said: dict[str, Any], now: datetime) -> None:
    estimate = said["estimate"] or {}
    if estimate:
        facts = [f"{value:g} {name.replace('_', ' ')}" for name, value in estimate.items()]
        say(plain("  ".join(facts)))
    if said["ahead"] is not None:
        say(f"{counted(said['ahead'], 'job')} would stand before it in lane {plain(said['lane'])}")
    times = {
        name: datetime.fromisoformat(value)
        if value and name[-3:] in ("low", "_at", "igh")
        else value
        for name, value in said["eta"].items()
    }
    say(eta_line(times, now))
    if said["lane_adds_seconds"] and said["ahead"] is not None:
        say(f"those behind it start {duration(said['lane_adds_seconds'])} later")
    if said["duplicate_of"] or said["same_payload_as"]:
        say(f"see job {said['duplicate_of'] or said['same_payload_as']}")
    else:
        say("no live job is its duplicate")


async def eta(
    job: Annotated[
        str | None, Parameter(help=f"{JOB}; else the calibration.", completer=jobs)
    ] = None,
    /,
    *,
    cli: Given,
) -> int:
    """Say when a job will start and be done; without one, how often such bands held this week."""
    if job is None:
        return await _calibration(cli)
    name = name_of(job)
    async with cli.database() as database:
        found = await find(database, name)
        number = found["id"]
        row = await database.row("eta", [number])
        if row is not None:
            # On a replica it is told all the same, and never judged.
            with suppress(asyncpg.ReadOnlySQLTransactionError):
                await database.rows("foretell", [number])
    if cli.json:
        say_json({"id": number, "state": found["state"], "eta": eta_of(row)})
    elif row is None:
        say(f"it is {found['state']} since {ago(found['finished_at'], found['now'])}")
    else:
        say(eta_line(row, row["now"]))
    return 0


async def _calibration(cli: Any) -> int:
    async with cli.database() as database:
        rows = [dict(row) for row in await database.rows("calibration")]
    if cli.json:
        say_json(rows)
    elif rows:
        table(
            ("KIND", "WHAT", "JUDGED", "HELD", "EARLY", "LATE", "OFF BY"),
            [
                (
                    row["kind"], row["what"], row["judged"], f"{row['held_ratio']:.0%}",
                    row["early"], row["late"], f"{row['error_ratio']:.0%}",
                )
                for row in rows
            ],
            numbers="JUDGED HELD EARLY LATE",
        )  # fmt: skip
        judged, held = (sum(row[name] for row in rows) for name in ("judged", "held"))
        tell(f"the band held for {held / judged:.0%} of {judged} in the last seven days")
    else:
        tell(
            "nothing was judged yet: a sample of the jobs that run and wait is, once they are over"
        )
    return 0
