"""Telling jobs, lanes and kinds what to do: cancel, pause, resume, retry, run now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from bellhand.cli.arguments import Failure, Jobs
from bellhand.cli.bulk import Expect, act, failure_row
from bellhand.cli.completing import kinds, lanes
from bellhand.cli.context import Database, Given, actor
from bellhand.cli.errors import BAD_CONFIG, FAILED, UNCONFIRMED, UNREACHABLE, Usage, translated
from bellhand.cli.naming import find, names_of, number_of
from bellhand.cli.output import plain, say, say_json, tell
from bellhand.errors import Problem
from bellhand.states import OVER

Reason = Annotated[str | None, Parameter(help="Why; it is shown wherever the state is.")]
LaneName = Annotated[str | None, Parameter(help="A lane instead of jobs.", completer=lanes)]
KindName = Annotated[str | None, Parameter(help="A kind instead of jobs.", completer=kinds)]
REASON_CHARS_MAX = 500


async def cancel(*jobs: Jobs, reason: Reason = None, cli: Given) -> int:
    """Cancel jobs; one that runs is stopped at its next await."""
    return await _each(cli, "cancel", jobs, _checked(reason))


async def pause(
    *jobs: Jobs, lane: LaneName = None, kind: KindName = None, reason: Reason = None, cli: Given
) -> int:
    """Hold jobs, a lane or a kind; a running job stops at its next step and keeps what is done."""
    if lane or kind:
        why = _checked(reason)
        return await _group(cli, "pause", jobs, lane, kind, {"lane": (why, None), "kind": (why,)})
    return await _each(cli, "pause", jobs)


async def resume(*jobs: Jobs, lane: LaneName = None, kind: KindName = None, cli: Given) -> int:
    """Let paused jobs, a lane or a kind go on."""
    if lane or kind:
        return await _group(cli, "resume", jobs, lane, kind, {"lane": (), "kind": ()})
    return await _each(cli, "resume", jobs)


async def retry(
    *jobs: Jobs, failure: Failure = None, expect: Expect = None, reason: Reason = None, cli: Given
) -> int:
    """Run failed, cancelled or partly completed jobs again; steps that completed are skipped."""
    if failure is None:
        return await _each(cli, "retry", jobs)
    if jobs:
        raise Usage("give either jobs or --failure", fix=f"bellhand retry --failure {failure}")
    async with cli.database() as database:
        chosen = {"failure": (await failure_row(database, failure))["fingerprint"]}
        return await act(cli, database, "retry", chosen, {}, expect, _checked(reason))


async def run_now(*jobs: Jobs, cli: Given) -> int:
    """Run scheduled or retrying jobs at once."""
    return await _each(cli, "run_now", jobs)


async def reprioritize(
    *jobs: Jobs,
    priority: Annotated[int, Parameter(help="10 runs first, 1 last.", validator=Number(gte=1, lte=10))],
    cli: Given,
) -> int:  # fmt: skip
    """Let jobs that wait go before others, or after them."""
    return await _each(cli, "reprioritize", jobs, priority)


def _checked(reason: str | None) -> str | None:
    if reason and len(reason) > REASON_CHARS_MAX:
        raise Usage(
            f"the reason has {len(reason)} characters, more than {REASON_CHARS_MAX}",
            fix="say it shorter; what is long belongs elsewhere, with a link to it here",
        )
    return reason


async def purge(
    *jobs: Jobs,
    yes: Annotated[bool, Parameter(negative=(), help="Do it; without it, only say what it would delete.")] = False,
    reason: Reason = None,
    cli: Given,
) -> int:  # fmt: skip
    """Delete jobs that are over, with payload, result, errors, steps and log; what is left says what they were.

    What a family wrote into tables of its own stays. There is no way back, so it wants --yes, and exits 7 without it.
    """
    _checked(reason)
    if yes:
        return await _each(cli, "purge", jobs, reason)
    names = names_of(jobs)
    async with cli.database() as database:
        rows = [await find(database, name) for name in names]
    if cli.json:
        say_json([{"id": row["id"], "job": name.word, "state": row["state"]} for row, name in zip(rows, names, strict=True)])  # fmt: skip
    else:
        for row in rows:
            stays = (
                "" if row["state"] in OVER else "  stays: it is not over; bellhand cancel ends it"
            )
            say(f"{row['id']}  {plain(row['kind'])}  {row['state']}{stays}")
        tell("nothing was deleted yet, and no undo brings it back: say it again with --yes")
    return UNCONFIRMED


async def _each(cli: Any, action: str, words: Sequence[str], *arguments: Any) -> int:
    """Tells each job; the ones that cannot are named, the others done all the same."""
    done: list[dict[str, Any]] = []
    problems: list[Problem] = []
    wanted = names_of(words)
    async with cli.database() as database:
        for name in wanted:
            number = None
            try:
                number = await number_of(database, name)
                said = await database.value(f"cli_{action}", number, *arguments, actor())
            except Exception as error:
                problem = translated(error)
                # Only what concerns this one job: a lost database ends the command.
                if problem is None or problem.exit_code in (UNREACHABLE, BAD_CONFIG):
                    raise
                problems.append(problem)
                done.append(
                    {"id": number, "job": name.word, "error": problem.what, "fix": problem.fix}
                )
                continue
            done.append({"id": number, "job": name.word, "state": said})
            if not cli.json:
                say(str(number) if cli.quiet else f"{number}  {said}")
    if cli.json:
        say_json(done)
    elif len(problems) == 1 and len(wanted) == 1:
        raise problems[0]
    else:
        for problem in problems:
            tell(f"error: {plain(problem.what)}")
    codes = {problem.exit_code for problem in problems}
    return (codes.pop() if len(codes) == 1 else FAILED) if codes else 0


async def _group(
    cli: Any, action: str, jobs: Sequence[str], lane: str | None, kind: str | None, more: dict[str, tuple[Any, ...]]
) -> int:  # fmt: skip
    """Tells a lane, or a kind, or both; `more` is what each is told beside its name."""
    if jobs:
        raise Usage(
            "give either jobs or --lane/--kind",
            why="a job belongs to a lane already",
            fix=f"bellhand {action} {jobs[0]}",
        )
    done = {}
    async with cli.database() as database:
        for sort, name in (("lane", lane), ("kind", kind)):
            if name:
                await _tell_one(database, f"cli_{action}_{sort}", name, *more[sort])
                done[sort] = name
    state = {"pause": "paused", "resume": "resumed"}[action]
    if cli.json:
        say_json({**done, "state": state})
    else:
        for sort, name in done.items():
            say(f"{sort} {plain(name)} {state}")
    return 0


async def _tell_one(database: Database, statement: str, *arguments: Any) -> None:
    await database.rows(statement, *arguments, actor())
