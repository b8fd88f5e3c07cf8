"""Steering lanes while all runs: their limits, pause and resume."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, cast

from cyclopts import Parameter

from bellhand.cli.arguments import Lane, Reason
from bellhand.cli.context import Given, actor
from bellhand.cli.errors import Usage
from bellhand.cli.output import said
from bellhand.cli.panels import group
from bellhand.cli.values import moment_of, seconds_of

NONE = "none"

lane = group("lane", "Change the limits of a lane, pause it, resume it.")


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
    return said(cli.json, {"lane": name, **limits}, f"lane {name} limited: {words}")


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
    return said(
        cli.json, {"lane": name, "state": "paused", "until": end}, f"lane {name} paused{told}"
    )


@lane.command(name="resume")
async def resume_lane(name: Lane, /, *, cli: Given) -> int:
    """Let a lane go on."""
    async with cli.database() as database:
        await database.rows("cli_resume_lane", name, actor())
    return said(cli.json, {"lane": name, "state": "resumed"}, f"lane {name} resumed")


def _number(text: str, option: str, sort: type[int] | type[float]) -> float | None:
    if text.lower() == NONE:
        return None
    try:
        value = sort(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e9:
        raise Usage(
            f"{option} {text!r} is no limit",
            why="it is a number above 0, or none",
            fix=f"{option} 4, or {option} {NONE} for no limit",
        )
    return value
