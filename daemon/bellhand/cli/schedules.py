"""Schedules: what comes again and again, made, changed, run, paused and taken out while all runs."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Literal

from cyclopts import Parameter

from bellhand.cli.arguments import Kind, Reason, Schedule
from bellhand.cli.context import Given, actor, loads
from bellhand.cli.errors import Usage
from bellhand.cli.inspection import schedules as list_schedules
from bellhand.cli.output import ago, plain, said, tell
from bellhand.cli.panels import group
from bellhand.cli.values import payload_of, wish_of
from bellhand.resource import rfc3339

NAME = re.compile(r"[A-Za-z0-9_.:-]{1,100}")  # as the table has it

schedule = group("schedule", "Make a schedule, run it now, pause it, resume it, take it out.")


@schedule.default
async def show_schedules(*, cli: Given) -> int:
    """List the schedules, the next one due first."""
    return await list_schedules(cli=cli)


@schedule.command
async def add(
    name: Annotated[str, Parameter(help="What it is called: letters, digits, _ . : and -.")],
    /,
    *payload: Annotated[str, Parameter(help="As for enqueue: key=value, JSON, or - for stdin.")],
    cron: Annotated[
        str, Parameter(help="When: minute, hour, day of month, month, day of week, as '0 3 * * *', or @hourly, @daily, @weekly, @monthly.")
    ],
    kind: Kind,
    timezone: Annotated[str, Parameter(help="Whose clock it goes by, as Europe/Berlin.")] = "UTC",
    priority: Annotated[int | None, Parameter(help="10 first, 1 last; else the kind's.")] = None,
    missed: Annotated[
        Literal["skip", "latest", "all"], Parameter(help="Ticks that no daemon was there for: none of them, the latest, or all up to --missed-max.")
    ] = "latest",
    missed_max: Annotated[int, Parameter(help="How many of them at most.")] = 10,
    notify: Annotated[list[str] | None, Parameter(help="Whom to tell how its jobs end, as for enqueue; may be repeated.")] = None,
    replace: Annotated[bool, Parameter(negative=(), help="Change it if it is there; what is not given gets its default.")] = False,
    cli: Given,
) -> int:  # fmt: skip
    """Make a schedule that all daemons keep at once, and say when it is due.

    One of the configuration is changed there; this refuses it.
    """
    if NAME.fullmatch(name) is None:
        raise Usage(f"{name!r} names no schedule", why="a name is 1 to 100 letters, digits, _ . : and -", fix="bellhand schedule add nightly ...")  # fmt: skip
    if missed_max < 1:
        raise Usage(f"--missed-max {missed_max} is none", why="it is how many missed ticks are made up for", fix="--missed skip makes up for none")  # fmt: skip
    wishes = json.dumps([wish_of(word) for word in notify]) if notify else None
    async with cli.database() as database:
        now = await database.value("cli_ago", 0.0)
        due = _due(cron, timezone, now)
        registered = await database.row("cli_kinds", kind)
        body = json.dumps(payload_of(payload, loads(registered["schema"]) if registered else None))
        await database.rows(
            "cli_add_schedule", name, cron, timezone, kind, body, priority, missed, missed_max, wishes, due, replace, actor(),
        )  # fmt: skip
    if not cli.quiet and not cli.json and (registered is None or not registered["workers"]):
        tell(f"warning: no live worker handles {plain(kind)}; start one with: bellhand run")
    made = {"schedule": name, "state": "added", "next_at": rfc3339(due)}
    return said(cli.json, made, f"schedule {name} runs {kind}: {_words(cron)} ({timezone}), next {ago(due, now)}")  # fmt: skip


@schedule.command(name="rm")
async def remove(name: Schedule, /, *, cli: Given) -> int:
    """Take a schedule out; jobs that it enqueued stay. One of the configuration is taken out there."""
    async with cli.database() as database:
        await database.rows("cli_remove_schedule", name, actor())
    return said(cli.json, {"schedule": name, "state": "removed"}, f"schedule {name} removed")


@schedule.command(name="run")
async def run_schedule(name: Schedule, /, *, cli: Given) -> int:
    """Enqueue the job of a schedule now, beside its ticks."""
    async with cli.database() as database:
        made = await database.row("api_run_schedule", name, actor())
    assert made
    told = f"{made['id']}" if cli.quiet else f"queued  {made['id']}  watch it: bellhand watch {made['id']}"  # fmt: skip
    return said(cli.json, {"schedule": name, "id": made["id"], "key": str(made["key"])}, told)


@schedule.command(name="pause")
async def pause_schedule(name: Schedule, /, *, reason: Reason = None, cli: Given) -> int:
    """Let the ticks of a schedule pass by until it is resumed."""
    async with cli.database() as database:
        await database.rows("api_pause_schedule", name, True, reason, actor())
    return said(cli.json, {"schedule": name, "state": "paused"}, f"schedule {name} paused")


@schedule.command(name="resume")
async def resume_schedule(name: Schedule, /, *, cli: Given) -> int:
    """Let a schedule go on with its next tick; those that passed by do not come back."""
    async with cli.database() as database:
        await database.rows("api_pause_schedule", name, False, None, actor())
    return said(cli.json, {"schedule": name, "state": "resumed"}, f"schedule {name} resumed")


def _due(cron: str, timezone: str, now: datetime) -> datetime:
    """The first tick after now; Usage if the expression or the zone is none, or there never is one."""
    from bellhand.cron import ticks_after

    try:
        due = next(ticks_after(cron, timezone, now), None)
    except ValueError as error:
        raise Usage("the schedule cannot be read", why=str(error), fix="write --cron '0 3 * * *' --timezone Europe/Berlin") from error  # fmt: skip
    if due is None:
        raise Usage(f"--cron {cron!r} is never due", why="no day fits it", fix="look at day of month and month")  # fmt: skip
    return due


def _words(cron: str) -> str:
    from bellhand.cron import in_words

    return in_words(cron)
