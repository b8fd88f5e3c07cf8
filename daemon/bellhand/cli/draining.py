"""Stopping the daemons of a machine without losing work: what that costs, and doing it."""

from __future__ import annotations

import math
import socket
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bellhand.cli.context import Given
from bellhand.cli.errors import Refused
from bellhand.cli.installing import Place, run
from bellhand.cli.output import duration, plain, say, say_json, table, tell

SERVICES = ("bellhand.service", "bellhand@*.service")
SHOWN_MAX = 20
STOP_MARGIN_SECONDS = 60.0


async def drain(
    *,
    plan: Annotated[bool, Parameter(negative=(), help="Only say what it would cost.")] = False,
    everywhere: Annotated[
        bool, Parameter(name="--all", negative=(), help="With --plan: of all machines.")
    ] = False,
    cli: Given,
) -> int:
    """Stop the daemons of this machine once what runs has ended, or is handed back at its last step; first say what that costs.

    They claim nothing more at once. Others, if there are any, take over.
    """
    own = cli.settings.worker
    host = None if everywhere and plan else socket.gethostname()
    async with cli.database() as database:
        jobs = [dict(row) for row in await database.rows("drain_plan", host)]
        others = [row for row in await database.rows("status_workers") if row["host"] != host]
    costs = cost(jobs, own.grace_seconds, own.kill_grace_seconds)
    if cli.json:
        say_json(costs | {"jobs": jobs, "others": len(others)})
    elif not cli.quiet:
        _show(jobs, costs)
        if not others and not everywhere:
            tell("no daemon of another machine is there: what is queued waits until these are started again")  # fmt: skip
    if plan:
        return 0
    if not Place(Path("/")).is_booted:
        raise Refused("systemd does not run here", why="so nobody would keep the daemons stopped", fix="send SIGTERM to each: it drains, and ends")  # fmt: skip
    run(["systemctl", "stop", *SERVICES], seconds=costs["seconds_max"] + STOP_MARGIN_SECONDS)
    if not cli.quiet:
        tell("drained and stopped; start again with: systemctl start bellhand (or bellhand@LANE)")
    return 0


def cost(jobs: list[dict[str, Any]], grace_seconds: float, kill_grace_seconds: float) -> dict[str, Any]:  # fmt: skip
    """What a stop takes at most, how many jobs may be cut by it, and what cutting all of them now would repeat."""
    left = [math.inf if job["left_seconds"] is None else job["left_seconds"] for job in jobs]
    longest = min(grace_seconds, max(left, default=0.0))
    return {
        "running": len(jobs),
        "seconds_max": longest + kill_grace_seconds if jobs else 0.0,
        "may_be_cut": sum(seconds > grace_seconds for seconds in left),
        "repeated_seconds_max": sum(job["repeated_seconds"] for job in jobs),
        "steps_kept": sum(job["steps"] for job in jobs),
    }


def _show(jobs: list[dict[str, Any]], costs: dict[str, Any]) -> None:
    if jobs:
        table(
            ("WORKER", "JOB", "KIND", "RUNNING", "AT MOST", "SINCE LAST STEP"),
            [(job["worker"], job["id"], job["kind"], duration(job["running_seconds"]), duration(job["left_seconds"]),
              duration(job["repeated_seconds"])) for job in jobs[:SHOWN_MAX]],
        )  # fmt: skip
    if len(jobs) > SHOWN_MAX:
        say(f"and {len(jobs) - SHOWN_MAX} more")
    say(plain(
        f"{costs['running']} running; a stop takes at most {duration(costs['seconds_max'])}; {costs['may_be_cut']} may outlast the grace and "
        f"go on elsewhere after their last step; stopping now repeats none of {costs['steps_kept']} finished steps and at most "
        f"{duration(costs['repeated_seconds_max'])} of work"
    ))  # fmt: skip
