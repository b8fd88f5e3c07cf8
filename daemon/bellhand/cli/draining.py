"""Taking daemons out without losing work: what that costs, telling one anywhere to claim nothing more, stopping this machine's."""

from __future__ import annotations

import asyncio
import math
import socket
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bellhand.cli.completing import workers
from bellhand.cli.context import Cli, Database, Given, actor
from bellhand.cli.errors import TIMED_OUT, NotFound, Refused, Usage
from bellhand.cli.installing import Place, run
from bellhand.cli.output import duration, plain, say, say_json, table, tell
from bellhand.cli.values import seconds_of
from bellhand.counted import counted
from bellhand.drain_cost import cost

SERVICES = ("bellhand.service", "bellhand@*.service")
SHOWN_MAX = 20
STOP_MARGIN_SECONDS = 60.0
LOOKS_APART_SECONDS = 0.5

Which = Annotated[
    str | None, Parameter(help="A worker, by its name or id: bellhand status.", completer=workers)
]
Host = Annotated[str | None, Parameter(help="All workers of that machine.")]


async def drain(
    worker: Which = None,
    /,
    *,
    host: Host = None,
    reason: Annotated[str | None, Parameter(help="Why; shown wherever workers are.")] = None,
    until: Annotated[
        str | None,
        Parameter(help="Wait for what runs to end, so long at most (then exit 6): 90s, 5m."),
    ] = None,
    plan: Annotated[bool, Parameter(negative=(), help="Only say what it would cost.")] = False,
    everywhere: Annotated[
        bool, Parameter(name="--all", negative=(), help="With --plan: of all machines.")
    ] = False,
    cli: Given,
) -> int:
    """Take daemons out of work, here or anywhere, without losing any; first say what that costs.

    A WORKER, or all of a --host, claims nothing more until `bellhand undrain`: its daemon stays up and answers 503 on /readyz, what runs goes
    on elsewhere after its next step, or ends. That holds for the life of the process: a daemon that is started again works again.

    Without either it stops the daemons of this machine (systemctl stop), once what runs has ended, or is handed back at its last step.
    """
    wait_seconds = None if until is None else seconds_of(until, "--until")
    if worker is not None or host is not None:
        if everywhere or (worker is not None and host is not None):
            raise Usage(
                "name a worker, or --host, or --all",
                why="each says which are meant",
                fix="bellhand drain WORKER, or bellhand drain --host HOST",
            )
        return await _drain_from_afar(cli, worker, host, reason, wait_seconds, plan=plan)
    if wait_seconds is not None or reason is not None:
        raise Usage("--until and --reason are for a worker or --host", fix="bellhand drain WORKER --until 5m")  # fmt: skip
    own = cli.settings.worker
    here = None if everywhere and plan else socket.gethostname()
    async with cli.database() as database:
        jobs = [dict(row) for row in await database.rows("drain_plan", here, None)]
        others = [row for row in await database.rows("status_workers") if row["host"] != here]
    costs = cost(jobs, own.grace_seconds, own.kill_grace_seconds)
    if cli.json:
        say_json(costs | {"jobs": jobs, "others": len(others)})
    elif not cli.quiet:
        _show(jobs)
        say(plain(
            "nothing runs: a stop takes no time and repeats nothing" if not jobs else
            f"{costs['running']} running; a stop takes at most {duration(costs['seconds_max'])}; {costs['may_be_cut']} may outlast the grace and "
            f"go on elsewhere after their last step; stopping now repeats none of {counted(costs['steps_kept'], 'finished step')} and at most "
            f"{duration(costs['repeated_seconds_max'])} of work"
        ))  # fmt: skip
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


async def undrain(worker: Which = None, /, *, host: Host = None, cli: Given) -> int:
    """Let a drained WORKER, or all of a --host, claim again."""
    if (worker is None) == (host is None):
        raise Usage("name a worker, or --host", fix="see who is drained: bellhand status")
    async with cli.database() as database:
        meant = await _meant(database, worker, host)
        for one in meant:
            await database.rows("undrain_worker", str(one["id"]), actor())
    if cli.json:
        say_json([{"id": str(one["id"]), "worker": one["name"]} for one in meant])
    elif not cli.quiet:
        say(plain(f"claims again: {_names(meant)}"))
    return 0


async def _drain_from_afar(
    cli: Cli, worker: str | None, host: str | None, reason: str | None, wait_seconds: float | None, *, plan: bool
) -> int:  # fmt: skip
    async with cli.database() as database:
        meant = await _meant(database, worker, host)
        ids = {one["id"] for one in meant}
        jobs = await _running(database, ids)
        others = [row for row in await database.rows("status_workers") if row["id"] not in ids and not row["draining"]]  # fmt: skip
        left = [math.inf if job["left_seconds"] is None else job["left_seconds"] for job in jobs]
        longest = max(left, default=0.0)
        if not cli.quiet and not cli.json:
            _show(jobs)
            end = f", in {duration(longest)} at most" if 0 < longest < math.inf else ""
            going = f"{len(jobs)} running; each goes on elsewhere after its next step, or ends{end}; nothing is repeated"
            say(going if jobs else "nothing runs there")
            if not others:
                tell("no other worker claims: what is queued, and what is handed back, waits")
        if not plan:
            for one in meant:
                await database.rows("drain_worker", str(one["id"]), reason, actor())
            if not cli.quiet and not cli.json:
                say(plain(f"drained, {_names(meant)}; to let it work again: bellhand undrain {worker or f'--host {host}'}"))  # fmt: skip
            if wait_seconds is not None:
                jobs = await _until_idle(database, ids, wait_seconds)
    workers = [{"id": str(one["id"]), "worker": one["name"]} for one in meant]
    if cli.json:
        seconds_max = None if longest == math.inf else longest
        say_json({"running": len(jobs), "seconds_max": seconds_max, "jobs": jobs, "others": len(others), "workers": workers})  # fmt: skip
    if plan or wait_seconds is None:
        return 0
    if jobs:
        tell(f"after {duration(wait_seconds)} {len(jobs)} still run: {', '.join(str(job['id']) for job in jobs[:SHOWN_MAX])}")  # fmt: skip
        return TIMED_OUT
    if not cli.quiet and not cli.json:
        say("nothing runs there any more")
    return 0


async def _meant(database: Database, worker: str | None, host: str | None) -> list[Any]:
    """The workers that are meant, as status_workers has them; NotFound if there is none."""
    rows = await database.rows("status_workers")
    if worker is not None:
        (found,) = await database.rows("find_worker", worker)
        return [row for row in rows if row["id"] == found["id"]]
    if meant := [row for row in rows if row["host"] == host]:
        return meant
    known = ", ".join(sorted({row["host"] for row in rows}))
    raise NotFound(f"no worker is on host {host}", fix=f"hosts: {known}" if known else "bellhand status")  # fmt: skip


async def _running(database: Database, ids: set[Any]) -> list[dict[str, Any]]:
    """What these workers run, in the order of drain_plan.sql."""
    found = []
    for one in ids:
        found += [dict(row) for row in await database.rows("drain_plan", None, one)]
    return found


async def _until_idle(database: Database, ids: set[Any], seconds: float) -> list[dict[str, Any]]:
    """Wait until they run nothing, or the time is over; what still runs."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    while (jobs := await _running(database, ids)) and clock() < end:  # noqa: ASYNC110 (they end in other processes)
        await asyncio.sleep(min(LOOKS_APART_SECONDS, max(0.0, end - clock())))
    return jobs


def _names(workers: list[Any]) -> str:
    return ", ".join(f"{one['name']} (pid {one['pid']} on {one['host']})" for one in workers)


def _show(jobs: list[dict[str, Any]]) -> None:
    if jobs:
        table(
            ("WORKER", "JOB", "KIND", "RUNNING", "AT MOST", "SINCE LAST STEP"),
            [(job["worker"], job["id"], job["kind"], duration(job["running_seconds"]), duration(job["left_seconds"]),
              duration(job["repeated_seconds"])) for job in jobs[:SHOWN_MAX]],
        )  # fmt: skip
    if len(jobs) > SHOWN_MAX:
        say(f"and {len(jobs) - SHOWN_MAX} more")
