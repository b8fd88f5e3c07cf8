"""The pages that say what to do about an alert: they come with the program, so that they can be read while everything else is down."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .guides import FOLDER


@cache
def runbooks() -> dict[str, Path]:
    """Every page by the name of its alert."""
    return {path.stem: path for path in sorted((FOLDER / "runbooks").glob("*.md"))}


def runbook(name: str) -> str | None:
    """The page of an alert; None for what is none."""
    path = runbooks().get(name)
    return path.read_text(encoding="utf-8") if path else None
