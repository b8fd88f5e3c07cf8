"""Long output a screen at a time: only on a terminal, only for people, by the pager that was asked for."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import os
import pty
import subprocess
import sys

import pytest

from commands import Bellhand, bare, bellhand
from support import ROOT

SECONDS = 30


def typed(words: str, **env: str) -> tuple[int, str]:
    """The exit code and all that a terminal shows of a command."""
    mine, theirs = pty.openpty()
    try:
        plain = {name: value for name, value in os.environ.items() if name != "BELLHAND_PAGER"}
        environment = plain | {"PYTHONPATH": str(ROOT / "daemon"), "TERM": "xterm", "NO_COLOR": "1"} | env  # fmt: skip
        child = subprocess.Popen([sys.executable, "-m", "bellhand", *words.split()], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while more := os.read(mine, 65536):
                shown += more
        except OSError:
            pass  # how Linux says that nobody writes there any more
        return child.wait(SECONDS), shown.decode().replace("\r\n", "\n")
    finally:
        os.close(mine)


def test_long_output_goes_through_the_pager_that_was_asked_for(bellhand: Bellhand) -> None:
    bellhand.kind()
    job = bellhand.job()
    marks = {"BELLHAND_DSN": bellhand.dsn, "PAGER": "sed s/^/paged:/"}
    code, shown = typed(f"show {job} -q", **marks)
    assert code == 0
    assert all(line.startswith("paged:") for line in shown.splitlines()), shown
    assert str(job) in shown
    for words, env in (
        ("help names", {"BELLHAND_PAGER": ""}), ("help names --no-pager", {}), ("list --format {id}", {}),
        ("help names", {"PAGER": "bellhand-no-such-pager"}),
    ):  # fmt: skip
        code, shown = typed(words, **(marks | env))
        assert (code, "paged:" in shown, len(shown) > 1) == (0, False, True), (words, env, shown)


def test_who_leaves_the_pager_early_did_nothing_wrong_and_errors_are_not_paged(
    bellhand: Bellhand,
) -> None:
    code, shown = typed("help errors/BH007", PAGER="true")
    assert (code, shown) == (0, "")
    code, shown = typed("show 987654321", BELLHAND_DSN=bellhand.dsn, PAGER="sed s/^/paged:/")
    assert code == 3
    assert "error: there is no job 987654321" in shown
    assert "paged:" not in shown


def test_a_pipe_is_never_paged(bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "bellhand-no-such-pager")
    monkeypatch.setenv("TERM", "xterm")
    assert bellhand.ok("help", "names").out
