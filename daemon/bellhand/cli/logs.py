"""What handlers and daemons logged: of a job from the database, of all from the journal of this machine."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from bellhand.cli.arguments import JOB, OfKind, OfLane
from bellhand.cli.completing import jobs
from bellhand.cli.context import Cli, Database, Given
from bellhand.cli.errors import INTERRUPTED, Refused, Unreachable, Usage, translated
from bellhand.cli.naming import find, name_of
from bellhand.cli.output import paint, plain, say, say_json, tell
from bellhand.cli.values import moment_of
from bellhand.counted import counted

PRIORITIES = {"debug": "7", "info": "6", "warning": "4", "error": "3", "critical": "2"}
STYLES = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "red"}
Level = Literal["debug", "info", "warning", "error", "critical"]
LINES_MAX = 100_000
LOOKS_APART_SECONDS = 0.3
AWAY_SECONDS = 1.0


async def logs(
    job: Annotated[str | None, Parameter(help=f"{JOB}; without it the journal of this machine.", completer=jobs)] = None,
    /,
    *,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative=(), help="Go on as more comes, until the job is over.")] = False,
    lines: Annotated[int, Parameter(name=("--lines", "-n"), validator=Number(gte=1, lte=LINES_MAX), help="The newest so many.")] = 100,
    step: Annotated[str | None, Parameter(help="Only of this step of the job.")] = None,
    attempt: Annotated[int | None, Parameter(help="Only of this attempt of the job.")] = None,
    kind: OfKind = None,
    lane: OfLane = None,
    level: Annotated[Level | None, Parameter(help="This serious, or more.")] = None,
    since: Annotated[str | None, Parameter(help="Since then: 1h, 2026-01-31T12:00; of the journal also yesterday.")] = None,
    grep: Annotated[str | None, Parameter(help="Only lines that match this pattern, in any case.")] = None,
    journal: Annotated[bool, Parameter(negative=(), help="Of the job what the journal of this machine has, by journalctl.")] = False,
    cli: Given,
) -> int:  # fmt: skip
    """Show what the handler of a job logged, wherever it ran.

    Without a job: what the daemons of this machine logged, by journalctl, with its fields (JOB_ID, KIND, LANE). With --follow and --json
    each line is a JSON object of its own.
    """
    if job is None or journal:
        if step or attempt:
            raise Usage("the journal is not asked by step or attempt", fix="name a job, without --journal")  # fmt: skip
        return _journal(cli, job, follow, lines, kind, lane, level, since, grep)
    if kind or lane:
        raise Usage("a job has one kind and one lane", fix=f"bellhand logs {job}")
    name = name_of(job)
    try:
        pattern = re.compile(grep, re.IGNORECASE) if grep else None
    except re.error as error:
        raise Usage(
            f"--grep cannot be read: {grep!r}",
            why=str(error),
            fix="it is a regular expression of Python: put a \\ before ( ) [ ] . * + ? that are meant as they are",
        ) from error
    try:
        async with cli.database() as database:
            number = (await find(database, name))["id"]
            reader = _Reader(cli, number, (level or "debug", step, attempt), pattern)
            moment = moment_of(since.removeprefix("-"), "--since") if since else None
            if isinstance(moment, float):
                moment = await database.value("cli_ago", moment)
            reader.since = moment
            await reader.begin(database, lines, follow)
        if follow:
            await reader.follow()
    except asyncio.CancelledError:
        return INTERRUPTED
    return 0


class _Reader:
    """Prints the lines of one job and knows how far it has come."""

    def __init__(
        self,
        cli: Cli,
        job: int,
        chosen: tuple[str, str | None, int | None],
        pattern: re.Pattern[str] | None,
    ) -> None:
        self.cli = cli
        self.job = job
        self.chosen = chosen
        self.pattern = pattern
        self.since: Any = None
        self.place = (0, 0)
        self.attempt: int | None = None

    async def begin(self, database: Database, lines: int, follow: bool) -> None:
        """The newest lines that fit, and how many are gone."""
        rows = await self._rows(database, newest=True, most=LINES_MAX if self.pattern else lines)
        dropped = await database.value("job_lines_dropped", self.job)
        fit = [row for row in rows if self._fits(row)]
        if self.cli.json and not follow:
            say_json([_told(row) for row in fit[-lines:]])
            return
        for row in fit[-lines:]:
            self._print(row)
        if not self.cli.json and not self.cli.quiet:
            if not fit:
                tell(f"nothing that fits was logged by job {self.job} yet")
            if dropped:
                tell(
                    f"{counted(dropped, 'line')} dropped: a job keeps its newest, the journal has all"
                )
        if rows:
            self.place = rows[-1]["epoch"], rows[-1]["number"]

    async def follow(self) -> None:
        """Go on until the job is over; a database that goes away is waited for."""
        while True:
            try:
                async with self.cli.database() as database:
                    while True:
                        if await self._look(database):
                            return
                        await asyncio.sleep(LOOKS_APART_SECONDS)
            except Exception as error:
                problem = translated(error)
                if not isinstance(problem, Unreachable):
                    raise
                tell(f"{plain(problem.what)}: {plain(problem.why)}; trying again")
                await asyncio.sleep(AWAY_SECONDS)

    async def _look(self, database: Database) -> bool:
        """What is new; whether the job is over and this was all."""
        version = await database.row("job_log_versions", [self.job])
        while rows := await self._rows(database, newest=False, most=1000):
            self.place = rows[-1]["epoch"], rows[-1]["number"]
            for row in rows:
                if self._fits(row):
                    self._print(row)
        return version is None or bool(version["over"])

    async def _rows(self, database: Database, *, newest: bool, most: int) -> list[Any]:
        rows = await database.rows(
            "job_log", self.job, *self.chosen, self.since, None, *self.place, newest, most
        )
        return rows[-most:] if newest else rows[:most]

    def _fits(self, row: Any) -> bool:
        return self.pattern is None or bool(self.pattern.search(f"{row['message']} {row['fields']}"))  # fmt: skip

    def _print(self, row: Any) -> None:
        if self.cli.json:
            say_json(_told(row))
            return
        fields = json.loads(row["fields"])
        if row["attempt"] != self.attempt:
            if self.attempt is not None or row["attempt"] > 1:
                say(paint(f"attempt {row['attempt']}", "bold"))
            self.attempt = row["attempt"]
        trace = fields.pop("exception", None)
        shown = " ".join(f"{plain(name)}={plain(value)}" for name, value in fields.items())
        clock = row["at"].astimezone().strftime("%H:%M:%S.%f")[:-3]
        level = paint(f"{row['level']:<8}", STYLES.get(row["level"]))
        step = paint(f"[{plain(row['step'])}] ", "dim") if row["step"] else ""
        say(f"{paint(clock, 'dim')} {level} {step}{plain(row['message'])}  {shown}".rstrip())
        for line in str(trace).splitlines() if trace else ():
            say(f"             {plain(line)}")


def _told(row: Any) -> dict[str, Any]:
    """A line as HTTP tells it."""
    told = {name: row[name] for name in ("number", "attempt", "at", "level", "step", "message")}
    return told | {"fields": json.loads(row["fields"])}


def _journal(
    cli: Cli, job: str | None, follow: bool, lines: int, kind: str | None, lane: str | None, level: str | None,
    since: str | None, grep: str | None,
) -> int:  # fmt: skip
    """Becomes journalctl."""
    if job is not None and not re.fullmatch(r"#?\d+", job):
        raise Usage(f"{job!r} is not the id of a job", fix="bellhand list")
    words = ["journalctl", "--identifier=bellhand", f"--lines={lines}", "--no-hostname"]
    words += ["--output=json"] if cli.json else []
    words += ["--follow"] if follow else []
    words += [f"--priority={PRIORITIES[level]}"] if level else []
    words += [f"--since={since}"] if since else []
    words += [f"--grep={grep}"] if grep else []
    fields = (("JOB_ID", job and job.lstrip("#")), ("KIND", kind), ("LANE", lane))
    words += [f"{name}={value}" for name, value in fields if value]
    program = shutil.which("journalctl")
    if program is None:
        raise Refused(
            "there is no journalctl here",
            why="a daemon under systemd logs to the journal; others write to where they were started",
            fix="look there; what the handler of a job logged is told by: bellhand logs JOB",
        )
    os.execv(program, words)  # noqa: S606 (no shell is wanted; the words are ours)
