"""Steering while all runs: limits of lanes, and schedules."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, cast

from cyclopts import App, Parameter

from bellhand.cli.arguments import Lane, Schedule
from bellhand.cli.context import Cli, Given, actor
from bellhand.cli.errors import Usage
from bellhand.cli.inspection import schedules as list_schedules
from bellhand.cli.output import plain, say, say_json
from bellhand.cli.values import moment_of, seconds_of

Reason = Annotated[str | None, Parameter(help="Why; shown wherever it is listed.")]
NONE = "none"

lane = App(name="lane", help="Change the limits of a lane, pause it, resume it.")
schedule = App(name="schedule", help="Run a schedule now, pause it, resume it.")


@lane.command
async def limit(
    name: Lane,
    /,
    *,
    concurrency: Annotated[
        str | None, Parameter(help="Jobs at once over all daemons; none: no limit.")
    ] = None,
    rate: Annotated[str | None, Parameter(help="Starts a second; none: no limit.")] = None,
    burst: Annotated[int | None, Parameter(help="Starts at once after a rest.")] = None,
    cli: Given,
) -> int:
    """Limit a lane at once, for all daemons. One that the configuration limits is changed there."""
    limits: dict[str, float | None] = {}
    if concurrency is not None:
        limits["concurrency"] = _number(concurrency, "--concurrency", int)
    if rate is not None:
        limits["rate_per_second"] = _number(rate, "--rate", float)
    if burst is not None:
        limits["rate_burst"] = burst
    if not limits:
        raise Usage("no limit given", fix=f"bellhand lane limit {name} --concurrency 4, or --rate 2.5")  # fmt: skip
    async with cli.database() as database:
        await database.rows("api_limit_lane", name, json.dumps(limits), actor())
    words = ", ".join(f"{key} {NONE if value is None else value}" for key, value in limits.items())
    return _said(cli, {"lane": name, **limits}, f"lane {name} limited: {words}")


@lane.command(name="pause")
async def pause_lane(
    name: Lane,
    /,
    *,
    reason: Reason = None,
    until: Annotated[str | None, Parameter(help="When it goes on by itself: 2026-01-31T12:00.")] = None,
    for_: Annotated[str | None, Parameter(name="--for", help="After how long it does: 90s, 15m, 2h.")] = None,
    cli: Given,
) -> int:  # fmt: skip
    """Start nothing more from a lane until it is resumed, or goes on by itself; what runs goes on."""
    if until is not None and for_ is not None:
        raise Usage(
            "give --until or --for, not both", fix=f"bellhand lane pause {name} --for {for_}"
        )
    end: datetime | float | None = moment_of(until, "--until") if until is not None else None
    if for_ is not None:
        end = seconds_of(for_, "--for")
    async with cli.database() as database:
        if isinstance(end, float):
            end = cast(datetime, await database.value("cli_ago", -end))
        await database.rows("cli_pause_lane", name, reason, end, actor())
    told = f" until {end.astimezone():%Y-%m-%d %H:%M:%S}" if end else ""
    return _said(cli, {"lane": name, "state": "paused", "until": end}, f"lane {name} paused{told}")


@lane.command(name="resume")
async def resume_lane(name: Lane, /, *, cli: Given) -> int:
    """Let a lane go on."""
    async with cli.database() as database:
        await database.rows("cli_resume_lane", name, actor())
    return _said(cli, {"lane": name, "state": "resumed"}, f"lane {name} resumed")


@schedule.default
async def show_schedules(*, cli: Given) -> int:
    """List the schedules, the next one due first."""
    return await list_schedules(cli=cli)


@schedule.command(name="run")
async def run_schedule(name: Schedule, /, *, cli: Given) -> int:
    """Enqueue the job of a schedule now, beside its ticks."""
    async with cli.database() as database:
        made = await database.row("api_run_schedule", name, actor())
    assert made
    told = f"{made['id']}" if cli.quiet else f"queued  {made['id']}  watch it: bellhand watch {made['id']}"  # fmt: skip
    return _said(cli, {"schedule": name, "id": made["id"], "key": str(made["key"])}, told)


@schedule.command(name="pause")
async def pause_schedule(name: Schedule, /, *, reason: Reason = None, cli: Given) -> int:
    """Let the ticks of a schedule pass by until it is resumed."""
    async with cli.database() as database:
        await database.rows("api_pause_schedule", name, True, reason, actor())
    return _said(cli, {"schedule": name, "state": "paused"}, f"schedule {name} paused")


@schedule.command(name="resume")
async def resume_schedule(name: Schedule, /, *, cli: Given) -> int:
    """Let a schedule go on with its next tick; those that passed by do not come back."""
    async with cli.database() as database:
        await database.rows("api_pause_schedule", name, False, None, actor())
    return _said(cli, {"schedule": name, "state": "resumed"}, f"schedule {name} resumed")


def _said(cli: Cli, data: dict[str, object], text: str) -> int:
    if cli.json:
        say_json(data)
    else:
        say(plain(text))
    return 0


def _number(text: str, option: str, sort: type[int] | type[float]) -> float | None:
    if text.lower() == NONE:
        return None
    try:
        value = sort(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e9:
        raise Usage(f"{option} {text!r} is no limit", why="it is a number above 0, or none")
    return value
