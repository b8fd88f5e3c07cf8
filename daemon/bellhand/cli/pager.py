"""Long output a screen at a time, as git does it: $BELLHAND_PAGER, else $PAGER, else less; only between a program and a person."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

LESS = "less -FRX"  # leaves what fits on a screen alone, knows colours, leaves the text there when it ends
# What may be long.
PAGED = frozenset({"list", "show", "logs", "help", "audit", "failures", "kinds", "schedules"})
LIVE = ("watch", "follow")  # what goes on is no page


class _Paged(io.TextIOWrapper):
    """A pipe that ends at the terminal after all, so that colours and widths are those of the terminal."""

    def isatty(self) -> bool:
        return True


def pages(chain: Sequence[str], arguments: Mapping[str, object]) -> bool:
    """Whether a command with these arguments, typed at a terminal, is shown by the pager."""
    return bool(chain) and chain[0] in PAGED and not any(arguments.get(name) for name in LIVE)


@contextmanager
def paged(wanted: bool) -> Iterator[None]:
    """What is written meanwhile goes through the pager, if it is wanted and stdout is a terminal; leaving it early is no error."""
    words = _pager() if wanted and sys.stdout.isatty() else []
    # LESS of whoever set it stands; a plain `less` does as ours does.
    environment = {"LESS": "FRX", "LV": "-c"} | dict(os.environ)
    try:
        pager = subprocess.Popen(words, stdin=subprocess.PIPE, env=environment) if words else None  # noqa: S603 (as the user has it)
    except OSError:
        pager = None  # one that is not there is no reason to show nothing
    if pager is None or pager.stdin is None:
        yield
        return
    sys.stdout.flush()
    out, err = sys.stdout, sys.stderr
    pipe = _Paged(pager.stdin, encoding=out.encoding, errors="replace", line_buffering=True)
    sys.stdout = pipe
    if err.isatty():
        sys.stderr = pipe  # messages between the lines, not over the page
    try:
        with suppress(BrokenPipeError):
            yield
    finally:
        sys.stdout, sys.stderr = out, err
        with suppress(BrokenPipeError):
            pipe.close()
        _wait(pager)


def _pager() -> list[str]:
    """The words that start it; none where none is wanted or there."""
    if os.environ.get("TERM", "dumb") == "dumb":
        return []
    for name in ("BELLHAND_PAGER", "PAGER"):
        if name in os.environ:
            words = shlex.split(os.environ[name])
            return [] if words == ["cat"] else words
    return shlex.split(LESS) if shutil.which("less") else []


def _wait(pager: subprocess.Popen[bytes]) -> None:
    """Until the reader has seen enough; Ctrl-C is meant for the pager, which has its own idea of it."""
    while True:
        try:
            pager.wait()
            return
        except KeyboardInterrupt:
            continue
