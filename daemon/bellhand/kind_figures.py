"""A kind as it is told over HTTP and by --json: its defaults, and how long its runs and their steps take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from asyncpg import Record

# What a job has that says nothing else.
DEFAULTS = (
    "lane", "priority", "attempts_max", "timeout_seconds", "step_timeout_seconds", "backoff_base_seconds", "backoff_max_seconds",
)  # fmt: skip
# What a kind's side effects mean for whoever runs a job of it again.
SECOND_RUN = {
    "none": "a second run does nothing outside",
    "keyed": "a second run does nothing more outside, where its key is known",
    "external": "a second run does outside again what this database does not remember",
    None: "nobody has said what a second run does outside",
}
# Told among the defaults alone, or not at all.
_NOT_BESIDE = {"step_timeout_seconds", "backoff_base_seconds", "backoff_max_seconds", "now"}
_FIGURES = ("samples", "p50_seconds", "p95_seconds")


def kinds_told(rows: Iterable[Record], stages: Iterable[Record]) -> list[dict[str, Any]]:
    """Rows of cli_kinds.sql with what rows of kind_stages.sql say of them; times and schemas are as they were."""
    of_kind: dict[str, dict[str, Record]] = defaultdict(dict)
    for one in stages:
        of_kind[one["kind"]][one["step"]] = one
    return [_told(row, of_kind[row["name"]]) for row in rows]


def _told(row: Record, steps: dict[str, Record]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _NOT_BESIDE} | {
        "defaults": {name: row[name] for name in DEFAULTS},
        "run": _figures(steps.get("")),
        "each_step": _figures(steps.get("*")),
        "stages": [
            {"name": name} | {figure: one[figure] for figure in _FIGURES}
            for name, one in steps.items()
            if name not in ("", "*")
        ],
    }


def _figures(one: Record | None) -> dict[str, Any] | None:
    return None if one is None else {figure: one[figure] for figure in _FIGURES}
