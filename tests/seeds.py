"""The five seeds, where they are at hand: their own code blocks, to be run unchanged and never copied into this repository."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from support import ROOT

NAMES = {"S0": "000_", "S1": "001_", "S2": "002_", "S3": "003_", "S4": "004_"}
FOLDER = Path(os.environ.get("BELLHAND_SEEDS") or ROOT.parent / "shared" / "seeds")


def text(seed: str) -> str:
    """The whole of a seed; skips the test where it is not there."""
    found = sorted(FOLDER.glob(f"{NAMES[seed]}*.txt"))
    if not found:
        pytest.skip(f"no seeds in {FOLDER}; set BELLHAND_SEEDS to where they are")
    return found[0].read_text()


def blocks(seed: str, language: str, containing: str) -> list[str]:
    """Its code blocks of a language that contain a text."""
    found = re.findall(rf"```{language}\n(.*?)```", text(seed), re.S)
    return [block for block in found if containing in block]


def block(seed: str, language: str, containing: str) -> str:
    """The first of them."""
    return blocks(seed, language, containing)[0]


def answer(seed: str, route: str) -> Any:
    """The JSON that a seed shows as the answer of a route: the last object or array under its heading."""
    after = text(seed).split(route, 1)[1]
    section = re.split(r"\n#{2,3} |\n\*\*Retry job|\n\*\*Get failed", after, maxsplit=1)[0]
    shown = re.findall(r"^([{\[].*?^[}\]])$", section, re.S | re.M)
    return json.loads(shown[-1])


def same_shape(shown: Any, given: Any, place: str = "") -> list[str]:
    """Where an answer has not the fields, or not the types, that the seed shows."""
    if isinstance(shown, dict):
        if not isinstance(given, dict):
            return [f"{place} is no object"]
        missing = [f"{place}.{name} is missing" for name in shown if name not in given]
        inner = [same_shape(shown[name], given[name], f"{place}.{name}") for name in shown if name in given]  # fmt: skip
        return missing + [one for many in inner for one in many]
    if isinstance(shown, list):
        if not isinstance(given, list) or not given:
            return [f"{place} is no list, or empty"]
        return same_shape(shown[0], given[0], f"{place}[0]")
    kinds: tuple[type, ...] = (int, float) if isinstance(shown, int | float) and not isinstance(shown, bool) else (type(shown),)  # fmt: skip
    return [] if isinstance(given, kinds) else [f"{place} is {given!r}, shown is {shown!r}"]
