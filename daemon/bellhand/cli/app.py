"""The command line as a whole: the options that all commands share, errors and exit codes."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import structlog
from asyncpg import InsufficientPrivilegeError
from cyclopts import App, CycloptsError, Parameter

from bellhand import __version__
from bellhand.cli.commands import ALIASES, ELSEWHERE, NAMES, register, tell_whole
from bellhand.cli.context import Cli, Options
from bellhand.cli.errors import FAILED, INTERRUPTED, OK, Usage, translated
from bellhand.cli.form import ALL_FIELDS, FIELDS, Form, form_of
from bellhand.cli.output import FORM, paint, plain, say, tell
from bellhand.cli.pager import paged, pages
from bellhand.cli.panels import EVERY, OPTIONS
from bellhand.cli.values import STDIN
from bellhand.errors import Problem
from bellhand.reach import role_of

# What is told job by job, and in bulk by what the jobs have in common.
IN_BULK = ("cancel", "pause", "resume", "retry", "run-now", "reprioritize")
BY_WHAT = ("--state", "--kind", "--lane", "--owner", "--since")
EXIT_CODES = """
Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 5 the awaited job failed, 6 the wait timed out,
7 not confirmed: the count of jobs is not the expected one, 75 database unreachable, 78 bad configuration.
More: bellhand help exit-codes | environment | formatting | names | errors
"""

app = App(
    name="bellhand",
    help="Background jobs for anything that can write a row to Postgres.",
    help_epilogue=EXIT_CODES,
    version=__version__,
    result_action="return_value",
    group_parameters=OPTIONS,
    # A flag that is off is not worth saying, and nobody asks for an empty list.
    default_parameter=Parameter(negative_iterable=(), show_default=lambda value: None if value in (False, ()) else value),
)  # fmt: skip
register(app)
app["--help"].group = app["--version"].group = EVERY


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[
        Path | None,
        Parameter(group=EVERY, help="The configuration file; else $BELLHAND_CONFIG, else config.toml."),
    ] = None,
    dsn: Annotated[
        str | None, Parameter(group=EVERY, help="The database, instead of the configured one.")
    ] = None,
    json: Annotated[
        str | None,
        Parameter(group=EVERY, name="--json", help="JSON instead of text, all of it or some fields: --json id,kind,progress.percent."),
    ] = None,
    ndjson: Annotated[bool, Parameter(group=EVERY, negative=(), help="The same, one object a line.")] = False,
    template: Annotated[
        str | None, Parameter(group=EVERY, help="A line for each: '{id} {state}'. --format is the same, where a command has none of its own.")
    ] = None,
    fields: Annotated[
        bool, Parameter(group=EVERY, negative=(), help="Print the fields there are for these; do nothing else.")
    ] = False,
    quiet: Annotated[
        bool, Parameter(group=EVERY, name=("--quiet", "-q"), negative=(), help="Only the data, no messages.")
    ] = False,
    no_pager: Annotated[
        bool, Parameter(group=EVERY, negative=(), help="Long output at once, not a screen at a time.")
    ] = False,
) -> int:  # fmt: skip
    """Parses the rest, runs the command and returns its exit code."""
    chain, _, _ = app.parse_commands(tokens)
    if chain:
        tell_whole(app, chain[0])
    known: Sequence[str] = ()
    if fields or template or json not in (None, ALL_FIELDS):
        # Only here: it brings in the models of all that is printed.
        from bellhand.cli.schemas import fields_of

        known = fields_of(chain)
    if fields:
        for name in known:
            say(name)
        return OK
    form = form_of(json, lines=ndjson, template=template, known=known)
    FORM.set(form or Form())
    function, bound, ignored = app.parse_args(tokens, exit_on_error=False, print_error=False)
    _log_to_stderr()
    options = Options(config=config, dsn=dsn, form=form, quiet=quiet)
    given = {name: Cli(options) for name in ignored}
    result: Any = OK
    with paged(not no_pager and form is None and pages(chain, bound.arguments)):
        try:
            result = function(*bound.args, **bound.kwargs, **given)
            if inspect.iscoroutine(result):
                result = asyncio.run(result)
        except InsufficientPrivilegeError as error:
            problem = translated(error, f'"{role_of(Cli(options).settings.dsn)}"')
            assert problem
            raise problem from error
    return result if isinstance(result, int) else OK


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; errors go to stderr."""
    words = _normal(_unaliased(list(sys.argv[1:] if arguments is None else arguments)))
    as_json = any(word.startswith(("--json", "--ndjson")) for word in words)
    if {"--help", "-h"} & set(words) and (command := next((w for w in words if w in NAMES), None)):
        tell_whole(app, command)
    try:
        code = app.meta(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else OK
    except CycloptsError as error:
        return report(_usage(error), as_json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing may be flushed into it any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (
        Exception
    ) as error:  # the boundary of the program: what is known is told, the rest raised
        problem = translated(error)
        if problem is None:
            raise
        return report(problem, as_json)


def _log_to_stderr() -> None:
    """Commands only log what is wrong; `run` and `dev` set their own logging up."""
    wrapper = structlog.make_filtering_bound_logger("warning")
    factory = structlog.PrintLoggerFactory(sys.stderr)
    structlog.configure(wrapper_class=wrapper, logger_factory=factory)


def report(problem: Problem, as_json: bool) -> int:
    """Writes what went wrong to stderr and returns the exit code."""
    topic = getattr(problem, "topic", "configuration")
    docs = f"bellhand help errors/{topic}" if topic else ""
    if as_json:
        told: dict[str, Any] = {"error": problem.what, "why": problem.why, "fix": problem.fix}
        told |= {"code": getattr(problem, "code", ""), "exit_code": problem.exit_code, "docs": docs}
        tell(json.dumps(told).replace("\x7f", "\\u007f"))
        return problem.exit_code
    said = (("error", problem.what), ("why", problem.why), ("fix", problem.fix), ("docs", docs))
    for label, text in said:
        for number, line in enumerate(filter(None, text.splitlines())):
            head = f"{label + ':':<7}" if number == 0 else " " * 7
            tell(paint(head, "red" if label == "error" else "bold", sys.stderr) + plain(line))
    return problem.exit_code


def _unaliased(words: list[str]) -> list[str]:
    """The words with the command under its own name; what follows an option of every command is its value."""
    for index, word in enumerate(words):
        if word in ALIASES and words[index - 1 : index] not in (["--config"], ["--dsn"], ["--template"]):  # fmt: skip
            return [*words[:index], ALIASES[word], *words[index + 1 :]]
        if word in NAMES:
            break
    return words


def _normal(words: list[str]) -> list[str]:
    """The words as the parser can take them: --json always with a value, a template by its own name, and no lone -."""
    made: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else ""
        if word == "--":
            return made + words[index:]
        if word == "--json" and _names_fields(following, words[:index]):
            made.append(f"--json={following}")
            index += 1
        elif word == "--format" and "{" in following:  # some commands have a --format of their own
            made.append(f"--template={following}")
            index += 1
        elif word.startswith("--format=") and "{" in word:
            made.append(f"--template={word.removeprefix('--format=')}")
        else:
            made.append({"--json": f"--json={ALL_FIELDS}", "-": STDIN}.get(word, word))
        index += 1
    return made


def _names_fields(word: str, before: Sequence[str]) -> bool:
    """Whether what follows --json names fields, and is not what the command itself is given."""
    if not FIELDS.fullmatch(word):
        return False
    command = next((n for n, said in enumerate(before) if said in NAMES), None)
    if command is None:
        return False
    if "," in word or before[command] in ("list", "show"):
        return True
    from bellhand.cli.schemas import fields_of

    return word.partition(".")[0] in fields_of(before[command : command + 2])


def _usage(error: CycloptsError) -> Usage:
    """The parser's complaint in our form."""
    error.verbose = False
    what, mark, hint = str(error).strip().partition(" Did you mean ")
    chain = " ".join(error.command_chain or ())
    named = re.match('unknown command "([^"]+)"', what, re.IGNORECASE)
    if named and not chain:
        near = get_close_matches(named[1], (*ELSEWHERE, *NAMES), 1)
        if near and near[0] in ELSEWHERE:
            return Usage(f'unknown command "{named[1]}"', fix=f"here it is: bellhand {ELSEWHERE[near[0]]}")  # fmt: skip
    if (option := re.match("unknown option: (--[a-z]+)", what, re.IGNORECASE)) and chain in IN_BULK and option[1] in BY_WHAT:  # fmt: skip
        return Usage(f"{chain} takes jobs, not {option[1]}", fix=f"many at once: bellhand bulk {chain} {option[1]} ...")  # fmt: skip
    if lacking := re.fullmatch(r'command ".*" parameter ([-\w]+) requires an argument\.', what, re.IGNORECASE):  # fmt: skip
        what = f"{chain} needs {lacking[1]}"
    if unused := re.fullmatch(r"unused tokens: \[(.*)\]\.", what, re.IGNORECASE):
        what = f"there is no place for {unused[1]} in {chain}"
    fix = (
        f"did you mean {hint.split('?')[0]}?"
        if mark
        else f"bellhand {chain} --help".replace("  ", " ")
    )
    return Usage(what[:1].lower() + what[1:], fix=fix)
