"""`bellhand top`: lanes, workers and what runs, full screen, once a second."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from bellhand.cli.context import Database, Given
from bellhand.cli.errors import Unreachable, translated
from bellhand.cli.inspection import paused
from bellhand.cli.output import bar, duration, paint, plain, say
from bellhand.counted import counted
from bellhand.resource import resource

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, CLEAR_RIGHT, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
RUNNING_MAX = 50
BAR_CELLS = 10
Row = dict[str, Any]


async def top(
    *,
    every: Annotated[
        float, Parameter(help="Seconds between looks.", validator=Number(gte=0.2, lte=60))
    ] = 1.0,
    once: Annotated[bool, Parameter(negative=(), help="One look, without the screen.")] = False,
    cli: Given,
) -> int:
    """Watch lanes, workers and running jobs; q leaves. Where there is no terminal it is one look."""
    if once or not (sys.stdout.isatty() and sys.stdin.isatty()):
        async with cli.database() as database:
            for line in picture(*await look(database), width=sys.maxsize, height=sys.maxsize):
                say(line)
        return 0
    asked = asyncio.Event()
    with _screen(asked):
        while not asked.is_set():
            try:
                async with cli.database() as database:
                    while not asked.is_set():
                        size = shutil.get_terminal_size()
                        _draw(picture(*await look(database), width=size.columns, height=size.lines))
                        await _rest(asked, every)
            except Exception as error:
                problem = translated(error)
                if not isinstance(problem, Unreachable):
                    raise
                _draw([paint("the database cannot be reached; trying again", "red"), plain(problem.why)])  # fmt: skip
                await _rest(asked, every)
    return 0


async def look(database: Database) -> tuple[list[Row], list[Row], list[Row]]:
    """Workers, lanes and the newest running jobs."""
    workers = [dict(row) for row in await database.rows("status_workers")]
    lanes = [dict(row) for row in await database.rows("status_lanes")]
    ids = [row["id"] for row in await database.rows("cli_list_running", None, None, None, RUNNING_MAX)]  # fmt: skip
    jobs = [resource(row) for row in await database.rows("status_jobs", ids)] if ids else []
    return workers, lanes, jobs


def picture(workers: list[Row], lanes: list[Row], jobs: list[Row], *, width: int, height: int) -> list[str]:  # fmt: skip
    """The lines of the screen, cut to its size; colours take no room."""
    busy, slots = sum(w["busy"] for w in workers), sum(w["capacity"] for w in workers)
    pending = sum(lane["pending"] for lane in lanes)
    lines = [(f"bellhand  {counted(len(workers), 'daemon')}  {busy}/{slots} busy  {pending} pending  {len(jobs)}{'+' if len(jobs) == RUNNING_MAX else ''} running", "bold"), ("", None)]  # fmt: skip
    for worker in workers:
        late = worker["beat_seconds"] > 30
        state = (
            "silent"
            if late
            else "drained"
            if worker["drain_asked_at"]
            else "draining"
            if worker["draining"]
            else "up"
        )
        share = 100 * worker["busy"] / worker["capacity"]
        lines.append((f"{plain(worker['name']):<20.20} {bar(share, BAR_CELLS)} {worker['busy']:>4}/{worker['capacity']:<4} {state} {duration(worker['up_seconds'])}  {plain(worker['version'])}", "yellow" if state != "up" else None))  # fmt: skip
    if not workers:
        lines.append(("no daemon runs", "red"))
    lines += [("", None), (f"{'LANE':<20} {'PENDING':>8} {'RUNNING':>8} {'SCHEDULED':>9} {'PARKED':>7}  OLDEST", "dim")]  # fmt: skip
    for lane in lanes:
        note = f"  {plain(paused(lane))}" if lane["paused"] else ""
        lines.append((f"{plain(lane['lane']):<20.20} {lane['pending']:>8} {lane['running']:>8} {lane['scheduled']:>9} {lane['parked']:>7}  {duration(lane['oldest_due_seconds'])}{note}", "yellow" if lane["paused"] else None))  # fmt: skip
    lines += [("", None), (f"{'JOB':>10}  {'KIND':<24} {'PROGRESS':<17} WHAT", "dim")]
    for job in jobs:
        progress = job["progress"]
        percent = progress["percent"]
        shown = "" if percent is None else bar(percent, BAR_CELLS)
        if percent is not None and not progress["ending"]:
            shown += f" {percent:>3.0f} %"
        what = " · ".join(
            filter(None, (progress["ending"], progress["message"] or progress["step"]))
        )
        lines.append((f"{job['id']:>10}  {plain(job['kind']):<24.24} {shown:<17} {plain(what)}", None))  # fmt: skip
    cut = [(text if len(text) <= width else text[: width - 1] + "…", style) for text, style in lines[: height - 1]]  # fmt: skip
    return [paint(text.rstrip(), style) for text, style in cut]


def _draw(lines: list[str]) -> None:
    sys.stdout.write(HOME + "".join(f"{line}{CLEAR_RIGHT}\r\n" for line in lines) + CLEAR_BELOW)
    sys.stdout.flush()


async def _rest(asked: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await asked.wait()
    except TimeoutError:
        pass


@contextmanager
def _screen(asked: asyncio.Event) -> Iterator[None]:
    """The other screen of the terminal, with keys that are heard at once; all as it was afterwards, whatever happens."""
    keys = sys.stdin.fileno()
    before = termios.tcgetattr(keys)

    def heard() -> None:
        if os.read(keys, 64)[:1] in (b"q", b"Q", b"\x1b", b""):
            asked.set()

    loop = asyncio.get_running_loop()
    try:
        tty.setcbreak(keys)
        sys.stdout.write(ENTER)
        loop.add_reader(keys, heard)
        yield
    finally:
        loop.remove_reader(keys)
        sys.stdout.write(LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(keys, termios.TCSADRAIN, before)
