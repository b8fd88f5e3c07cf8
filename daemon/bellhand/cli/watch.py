"""Watching jobs until they are over; stopping to watch never stops a job."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

from cyclopts import Parameter

from bellhand.cli.arguments import Jobs
from bellhand.cli.context import Cli, Database, Given
from bellhand.cli.errors import INTERRUPTED, JOB_FAILED, TIMED_OUT, Unreachable, translated
from bellhand.cli.jobs import headline, step_of, steps_lines
from bellhand.cli.naming import Name, find, names_of
from bellhand.cli.output import coloured, eta_line, plain, say, say_json, state_of, tell
from bellhand.cli.values import seconds_of
from bellhand.resource import resource
from bellhand.states import OVER

LOOKS_APART_SECONDS = 0.25
AWAY_SECONDS = 1.0
STEPS_LIVE = 12

Shown = Callable[[list[dict[str, Any]]], None]


async def watch(
    *jobs: Jobs,
    timeout: Annotated[str | None, Parameter(help="Stop watching after this: 90s, 10m.")] = None,
    cli: Given,
) -> int:
    """Watch jobs live until they are over; Ctrl-C stops watching, not the jobs.

    Exits 5 if one of them failed or was cancelled, 6 if the timeout came first.
    """
    live = sys.stdout.isatty() and not cli.json and not cli.quiet
    with _live() if live else nullcontext(_printer(cli)) as show:
        return await _until_over(cli, jobs, timeout, show, foretold=live)


async def wait(
    *jobs: Jobs,
    timeout: Annotated[str | None, Parameter(help="Give up after this: 90s, 10m.")] = None,
    cli: Given,
) -> int:
    """Wait until jobs are over, silently; exits 0, 5 if one failed, 6 if the timeout came first."""
    return await _until_over(cli, jobs, timeout, lambda _: None)


async def _until_over(
    cli: Cli, words: tuple[str, ...], timeout: str | None, show: Shown, *, foretold: bool = False
) -> int:
    wanted = names_of(words)
    found: list[dict[str, Any]] = []  # what was seen last, whatever interrupts us
    try:
        async with asyncio.timeout(seconds_of(timeout, "--timeout") if timeout else None) as bound:
            while not await _look(cli, wanted, found, show, foretold):
                pass  # the connection was lost; what was seen is kept
    except TimeoutError:
        if not bound.expired():
            raise
        if not cli.quiet:
            tell(f"stopped after {timeout}; {_unfinished(found)}")
        return TIMED_OUT
    except asyncio.CancelledError:
        tell(f"stopped watching; {_unfinished(found)}")
        return INTERRUPTED
    if cli.json:
        for job in found:
            job.pop("times", None)
        say_json(found[0] if len(found) == 1 else found)
    return JOB_FAILED if any(job["state"] != "completed" for job in found) else 0


def _unfinished(found: list[dict[str, Any]]) -> str:
    left = [job for job in found if job["state"] not in OVER]
    return ", ".join(f"{job['id']} is {state_of(job)}" for job in left) or "nothing was seen"


async def _look(
    cli: Cli, wanted: list[Name], found: list[dict[str, Any]], show: Shown, foretold: bool
) -> bool:
    """Looks again and again over one connection; False if that is lost before all is over."""
    try:
        async with cli.database() as database:
            while True:
                found[:] = [await _job(database, one, foretold=foretold) for one in wanted]
                show(found)
                if all(job["state"] in OVER for job in found):
                    return True
                await asyncio.sleep(LOOKS_APART_SECONDS)
    except Exception as error:
        problem = translated(error)
        # Once we have seen the jobs, a database that is away is waited for.
        if not isinstance(problem, Unreachable) or not found:
            raise
        tell(f"{plain(problem.what)}: {plain(problem.why)}; trying again")
        await asyncio.sleep(AWAY_SECONDS)
        return False


async def _job(database: Database, name: Name, *, foretold: bool) -> dict[str, Any]:
    row = await find(database, name)
    number = row["id"]
    times = await database.row("eta", [number]) if foretold and row["state"] not in OVER else None
    job = resource(row, None, times)
    job["times"] = eta_line(times, times["now"]) if times and times["finishes_at"] else None
    job["steps"] = [step_of(step) for step in await database.rows("steps", number)]
    return job


def _printer(cli: Cli) -> Shown:
    """One line whenever something changed: for logs, pipes and screen readers."""
    last: dict[int, str] = {}

    def show(found: list[dict[str, Any]]) -> None:
        for job in found:
            line = headline(job)
            if last.get(job["id"]) != line and not cli.json and not cli.quiet:
                last[job["id"]] = line
                message = job["progress"]["message"]
                say(line + (f"  {plain(message)}" if message else ""))

    return show


class _live(AbstractContextManager[Shown]):
    """Redraws in place, at most a few times a second."""

    def __enter__(self) -> Shown:
        # Only here: no other command needs rich, and importing it takes longer than most of them.
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        console = Console(no_color=not coloured(sys.stdout), highlight=False)
        self.live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
        self.live.__enter__()

        def show(found: list[dict[str, Any]]) -> None:
            lines = []
            for job in found:
                lines.append(headline(job))
                shown = steps_lines({**job, "steps": job["steps"][-STEPS_LIVE:]})
                lines += [f"  {line}" for line in shown]
                message = job["progress"]["message"]
                if message and job["state"] not in OVER:
                    lines.append(f"  {plain(message)}")
                if job["times"]:
                    lines.append(f"  {job['times']}")
                if job["error"] and job["state"] != "completed":
                    lines.append(f"  {plain(job['error'].splitlines()[-1])}")
            if any(job["state"] not in OVER for job in found):
                lines.append("Ctrl-C stops watching, not the job")
            self.live.update(Text.from_ansi("\n".join(lines)), refresh=True)

        return show

    def __exit__(self, *exception: object) -> None:
        self.live.__exit__(None, None, None)
