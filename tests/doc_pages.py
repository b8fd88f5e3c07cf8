"""Reads the documentation for what can be run, and runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from support import ROOT

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
REMARK = re.compile(r"<!-- (not run|file): (.+?) -->\s*$")
PAGE_SECONDS = 100


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `reason` says why it is not run, `file` where a reader would save it."""

    page: str
    line: int
    language: str
    text: str
    reason: str = ""
    file: str = ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README and the like, and every page of docs."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page with what a comment before or after them says."""
    text = page.read_text()
    found = []
    for fence in FENCE.finditer(text):
        before = REMARK.search(text, 0, fence.start())
        remarks = [before] if before and text[before.end() : fence.start()].strip() == "" else []
        after = re.match(r"\n<!-- (not run): (.+?) -->", text[fence.end() :])
        said = {mark[1]: mark[2] for mark in [*remarks, after] if mark}
        name = str(page.relative_to(ROOT))
        line = text.count("\n", 0, fence.start()) + 1
        found.append(
            Block(name, line, fence[1], fence[2], said.get("not run", ""), said.get("file", ""))
        )
    return found


def commands(text: str) -> str:
    """What a reader would type: the lines behind a prompt, and those that continue them, without what was answered."""
    typed: list[str] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("$ "):
            typed.append(line[2:])
            inside = True
        elif inside and line.startswith("  "):
            typed.append(line)
        else:
            inside = False
    return "\n".join(typed)


def script(parts: list[Block]) -> str:
    """A page as one session of a shell: commands, statements of SQL, files that are saved."""
    made = ["set -euo pipefail"]
    for block in parts:
        if block.reason:
            continue
        made.append(f"echo '== {block.place}'")
        if block.file:
            made.append(f"cat > '{block.file}' <<'END OF FILE'\n{block.text}END OF FILE")
        elif block.language == "sql":
            made.append(
                f"psql -qX -v ON_ERROR_STOP=1 \"$BELLHAND_DOCS_DSN\" <<'END OF SQL'\n{block.text}END OF SQL"
            )
        elif block.language == "console":
            made.append(commands(block.text))
    return "\n".join(made) + "\n"


def run(parts: list[Block], folder: Path, environment: Mapping[str, str]) -> str:
    """Runs a page in `folder`; what it printed. AssertionError with all of that if a command fails or the time is over."""
    shell = subprocess.Popen(
        ["bash", "-c", script(parts)], cwd=folder, env={**os.environ, **environment}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = shell.communicate(timeout=PAGE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        said, _ = shell.communicate()
        raise AssertionError(f"not over within {PAGE_SECONDS} s:\n{said}") from None
    finally:
        # A page may start what it does not stop.
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
    assert shell.returncode == 0, f"exit {shell.returncode}:\n{said}"
    return said
