"""The verdicts of earlier plays as a table in Markdown, a row a fault, with the values of each version of Postgres in one order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .fault import in_order

HEAD = ["fault", "Postgres", "jobs", "lost", "settled twice", "run again", "again after p50 / p99 / max s", "overlap s", "load"]  # fmt: skip
NOTHING = "-"


def table(folders: Iterable[Path]) -> str:
    """Every verdict.json below these folders; where one fault was played on one version more than once, the last counts."""
    plays: dict[str, dict[str, Any]] = defaultdict(dict)
    for folder in folders:
        for file in sorted(folder.rglob("verdict.json")):
            told = json.loads(file.read_text())
            plays[told["fault"]][told["postgres"]] = told
    rows = [HEAD, ["---"] * len(HEAD)]
    for name in sorted(plays, key=in_order):
        rows.append(_row(name, [plays[name][version] for version in sorted(plays[name])]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(name: str, plays: list[dict[str, Any]]) -> list[str]:
    def each(figure: str) -> str:
        return _joined(f"{round(play['figures'].get(figure, 0), 2):g}" for play in plays)

    versions = (play["postgres"] + ("" if play["held"] else " BROKEN") for play in plays)
    return [
        f"{name} {plays[0]['title']}", _joined(versions), each("jobs"), each("lost"), each("settled_twice"), each("reruns"),
        _joined(_recovery(play["figures"]) for play in plays), each("overlap_max_s"), _joined(_load(play) for play in plays),
    ]  # fmt: skip


def _joined(values: Iterable[str]) -> str:
    """One value where all agree."""
    every = list(values)
    return every[0] if len(set(every)) == 1 else ", ".join(every)


def _recovery(figures: dict[str, Any]) -> str:
    if not figures.get("recoveries"):
        return NOTHING
    return " / ".join(f"{figures[f'recovery_{which}_s']:.1f}" for which in ("p50", "p99", "max"))


def _load(play: dict[str, Any]) -> str:
    """The larger of the averages over a minute before and after."""
    return f"{max(play['load']):.1f}" if "load" in play else NOTHING
