"""The command line as a whole: its commands, the options they share, errors and exit codes."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import structlog
from cyclopts import App, CycloptsError, Group, Parameter

from bellhand import __version__
from bellhand.cli import (
    actions,
    bulk,
    bundle,
    channels,
    crm,
    dev,
    doctor,
    draining,
    enqueue,
    failures,
    foresight,
    inspection,
    install,
    jobs,
    lanes,
    leads,
    maintenance,
    run,
    seo,
    service,
    tokens,
    top,
    watch,
)
from bellhand.cli.context import ALL_FIELDS, Cli, Options
from bellhand.cli.errors import FAILED, INTERRUPTED, OK, Usage, translated
from bellhand.cli.output import paint, plain, tell
from bellhand.cli.values import STDIN
from bellhand.errors import Problem

EXIT_CODES = """
Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 5 the awaited job failed, 6 the wait timed out,
7 not confirmed: the count of jobs is not the expected one, 75 database unreachable, 78 bad configuration.
"""

app = App(
    name="bellhand",
    help="Background jobs for anything that can write a row to Postgres.",
    help_epilogue=EXIT_CODES,
    version=__version__,
    result_action="return_value",
)
app.meta.group_parameters = Group("Options of every command", sort_key=100)

START, WORK, LOOK = Group("Start", sort_key=1), Group("Work", sort_key=2), Group("Look", sort_key=3)
COMMANDS: tuple[tuple[Group, Any, str], ...] = (
    (START, dev.dev, "dev"),
    (START, run.run, "run"),
    (START, maintenance.migrate, "migrate"),
    (START, maintenance.check, "check"),
    (START, doctor.doctor, "doctor"),
    (START, bundle.support_bundle, "support-bundle"),
    (START, maintenance.env, "env"),
    (START, install.install, "install"),
    (START, install.uninstall, "uninstall"),
    (START, draining.drain, "drain"),
    (START, draining.undrain, "undrain"),
    (START, run.bench, "bench"),
    (START, maintenance.version, "version"),
    (WORK, enqueue.enqueue, "enqueue"),
    (WORK, foresight.quote, "quote"),
    (WORK, jobs.list_, "list"),
    (WORK, jobs.show, "show"),
    (WORK, jobs.why, "why"),
    (WORK, watch.watch, "watch"),
    (WORK, watch.wait, "wait"),
    (WORK, actions.cancel, "cancel"),
    (WORK, actions.pause, "pause"),
    (WORK, actions.resume, "resume"),
    (WORK, actions.retry, "retry"),
    (WORK, actions.run_now, "run-now"),
    (WORK, bulk.bulk, "bulk"),
    (WORK, bulk.undo, "undo"),
    (START, service.health, "health"),
    (START, service.completion, "completion"),
    (LOOK, inspection.status, "status"),
    (LOOK, top.top, "top"),
    (LOOK, service.logs, "logs"),
    (LOOK, inspection.schedules, "schedules"),
    (LOOK, failures.failures, "failures"),
    (LOOK, foresight.eta, "eta"),
)
for group, command, name in COMMANDS:
    app.command(command, name=name, group=group)
app.command(inspection.kinds)
inspection.kinds.group = (LOOK,)
app.command(tokens.token)
tokens.token.group = (START,)
app.command(channels.channels)
channels.channels.group = (LOOK,)
app.command(lanes.lane)
app.command(lanes.schedule)
lanes.lane.group = lanes.schedule.group = (WORK,)
app.command(leads.leads)
app.command(seo.seo)
app.command(crm.crm)
leads.leads.group = seo.seo.group = crm.crm.group = (WORK,)
app["--help"].group = app["--version"].group = app.meta.group_parameters


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[
        Path | None,
        Parameter(help="The configuration file; else $BELLHAND_CONFIG, else config.toml."),
    ] = None,
    dsn: Annotated[
        str | None, Parameter(help="The database, instead of the configured one.")
    ] = None,
    json: Annotated[
        str | None,
        Parameter(
            name="--json",
            help="JSON instead of text; list and show take fields: --json id,kind,state.",
        ),
    ] = None,
    quiet: Annotated[
        bool, Parameter(name=("--quiet", "-q"), negative=(), help="Only the data, no messages.")
    ] = False,
) -> int:
    """Parses the rest, runs the command and returns its exit code."""
    function, bound, ignored = app.parse_args(tokens, exit_on_error=False, print_error=False)
    _log_to_stderr()
    options = Options(config=config, dsn=dsn, json=json, quiet=quiet)
    given = {name: Cli(options) for name in ignored}
    result = function(*bound.args, **bound.kwargs, **given)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    return result if isinstance(result, int) else OK


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; errors go to stderr."""
    words = _normal(list(sys.argv[1:] if arguments is None else arguments))
    as_json = any(word.startswith("--json") for word in words)
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
    if as_json:
        told: dict[str, Any] = {"error": problem.what, "why": problem.why, "fix": problem.fix}
        told |= {"code": getattr(problem, "code", ""), "exit_code": problem.exit_code}
        tell(json.dumps(told).replace("\x7f", "\\u007f"))
    else:
        for label, text in (("error", problem.what), ("why", problem.why), ("fix", problem.fix)):
            for number, line in enumerate(filter(None, text.splitlines())):
                head = f"{label + ':':<7}" if number == 0 else " " * 7
                tell(paint(head, "red" if label == "error" else "bold", sys.stderr) + plain(line))
    return problem.exit_code


def _normal(words: list[str]) -> list[str]:
    """The words as the parser can take them: --json always with a value, and no lone -."""
    takes_fields = any(word in ("list", "show") for word in words)
    made: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        following = words[index + 1] if index + 1 < len(words) else ""
        if word == "--":
            return made + words[index:]
        if word == "--json" and takes_fields and re.fullmatch(r"[a-z_]+(,[a-z_]+)*", following):
            made.append(f"--json={following}")
            index += 1
        else:
            made.append({"--json": f"--json={ALL_FIELDS}", "-": STDIN}.get(word, word))
        index += 1
    return made


def _usage(error: CycloptsError) -> Usage:
    """The parser's complaint in our form."""
    error.verbose = False
    what, mark, hint = str(error).strip().partition(" Did you mean ")
    chain = " ".join(error.command_chain or ())
    fix = (
        f"did you mean {hint.split('?')[0]}?"
        if mark
        else f"bellhand {chain} --help".replace("  ", " ")
    )
    return Usage(what[:1].lower() + what[1:], fix=fix)
