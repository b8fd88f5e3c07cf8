"""The service as the system sees it: is it well, and completion for the shell."""

from __future__ import annotations

import http.client
import importlib
from typing import Annotated, Literal

from cyclopts import Parameter

from bellhand.cli.commands import tell_all
from bellhand.cli.completion_bash import script
from bellhand.cli.context import Given
from bellhand.cli.errors import FAILED, Usage
from bellhand.cli.output import plain, say, say_json

ANSWER_SECONDS = 5.0
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (where we ask, when it listens everywhere)


def health(
    *,
    live: Annotated[
        bool, Parameter(negative=(), help="Only whether it answers at all (/livez).")
    ] = False,
    ready: Annotated[
        bool, Parameter(negative=(), help="Whether it is ready (/readyz), which is what it asks anyway.")
    ] = False,
    cli: Given,
) -> int:  # fmt: skip
    """Ask the daemon of this machine whether it is ready, in one line; exits 0 or 1. For HEALTHCHECK and scripts."""
    if live and ready:
        raise Usage("--live and --ready are two questions", fix="bellhand health --live, or bellhand health --ready")  # fmt: skip
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


def completion(shell: Literal["bash", "zsh", "fish"], /, *, cli: Given) -> int:
    """Print what makes Tab complete commands, options and live names: source <(bellhand completion bash)."""
    # By name: its table of commands has this one in it.
    app = tell_all(importlib.import_module("bellhand.cli.app").app)
    text = script(app) if shell == "bash" else app.generate_completion(prog_name="bellhand", shell=shell)  # fmt: skip
    say(text)
    return 0
