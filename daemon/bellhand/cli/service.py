"""The service as the system sees it: is it well, what does it log, and completion for the shell."""

from __future__ import annotations

import http.client
import importlib
import os
import re
import shutil
from typing import Annotated, Literal

from cyclopts import Parameter

from bellhand.cli.arguments import OfKind, OfLane
from bellhand.cli.commands import tell_all
from bellhand.cli.completing import jobs
from bellhand.cli.context import Given
from bellhand.cli.errors import FAILED, Refused, Usage
from bellhand.cli.output import plain, say, say_json

ANSWER_SECONDS = 5.0
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (where we ask, when it listens everywhere)
LEVELS = {"debug": "7", "info": "6", "warning": "4", "error": "3"}
Level = Literal["debug", "info", "warning", "error"]


def health(
    *,
    live: Annotated[
        bool, Parameter(negative=(), help="Only whether it answers at all (/livez).")
    ] = False,
    cli: Given,
) -> int:
    """Ask the daemon of this machine whether it is ready, in one line; exits 0 or 1. For HEALTHCHECK and scripts."""
    status = cli.settings.status
    if not status.port:
        raise Usage("the status port is any free one", why="[status] port is 0, so nobody can know it", fix="give [status] port a number")  # fmt: skip
    path = "/livez" if live else "/readyz"
    try:
        asked = http.client.HTTPConnection(ANY_ADDRESS.get(status.host, status.host), status.port, timeout=ANSWER_SECONDS)  # fmt: skip
        try:
            asked.request("GET", path, headers={"Host": "localhost"})
            answer = asked.getresponse()
            code, said = answer.status, answer.read(4096).decode(errors="replace").strip()
        finally:
            asked.close()
    except (OSError, http.client.HTTPException) as error:
        code, said = 0, f"no answer from {status.host}:{status.port}: {error}"
    if cli.json:
        say_json({"ok": code == 200, "status": code or None, "said": said})
    else:
        say(plain(said))
    return 0 if code == 200 else FAILED


def logs(
    job: Annotated[str | None, Parameter(help="Only of this job (its id).", completer=jobs)] = None,
    /,
    *,
    follow: Annotated[
        bool, Parameter(name=("--follow", "-f"), negative=(), help="Go on as more comes.")
    ] = False,
    lines: Annotated[int, Parameter(name=("--lines", "-n"))] = 100,
    kind: OfKind = None,
    lane: OfLane = None,
    level: Annotated[Level | None, Parameter(help="This serious, or more.")] = None,
    since: Annotated[
        str | None, Parameter(help="As journalctl has it: -1h, yesterday, 2026-01-31.")
    ] = None,
    grep: Annotated[str | None, Parameter(help="Only messages that match this pattern.")] = None,
    cli: Given,
) -> int:
    """Show what the daemons of this machine logged, by journalctl, with its fields (JOB_ID, KIND, LANE)."""
    if job is not None and not re.fullmatch(r"#?\d+", job):
        raise Usage(f"{job!r} is not the id of a job", fix="bellhand list")
    words = ["journalctl", "--identifier=bellhand", f"--lines={lines}", "--no-hostname"]
    words += ["--output=json"] if cli.json else []
    words += ["--follow"] if follow else []
    words += [f"--priority={LEVELS[level]}"] if level else []
    words += [f"--since={since}"] if since else []
    words += [f"--grep={grep}"] if grep else []
    fields = (("JOB_ID", job and job.lstrip("#")), ("KIND", kind), ("LANE", lane))
    words += [f"{name}={value}" for name, value in fields if value]
    program = shutil.which("journalctl")
    if program is None:
        raise Refused(
            "there is no journalctl here",
            why="a daemon under systemd logs to the journal; others write to where they were started",
            fix="look there; or at the dashboard's page of the job",
        )
    os.execv(program, words)  # noqa: S606 (no shell is wanted; the words are ours)


def completion(shell: Literal["bash", "zsh", "fish"], /, *, cli: Given) -> int:
    """Print what makes Tab complete commands and options: source <(bellhand completion bash)."""
    # By name: its table of commands has this one in it.
    app = tell_all(importlib.import_module("bellhand.cli.app").app)
    say(app.generate_completion(prog_name="bellhand", shell=shell))
    return 0
