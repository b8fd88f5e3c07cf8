"""How long one run took beside those of its kind: where it stands among their measured quantiles, in words and as a strip."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from bellhand.dashboard.words import took

WIDTH = 1000
MARK_WIDTH = 8
# Among the 41 quantiles that bellhand.run_times has, one each 2.5 %.
LOW, QUARTER, HALF, THREE_QUARTERS, HIGH = 1, 10, 20, 30, 39


def alike(
    measured: dict[str, Any] | None, seconds: float | None, *, over: bool
) -> dict[str, Any] | None:
    """The strip in thousandths of its width, and what it says; None where the kind was not measured.

    `seconds` is how long this run took, so far if it is not `over`; None if it has not begun.
    """
    if measured is None:
        return None
    quantiles: Sequence[float] = measured["quantiles"]
    low, quarter, half, three_quarters, high = (
        quantiles[at] for at in (LOW, QUARTER, HALF, THREE_QUARTERS, HIGH)
    )
    whole = max(high, seconds or 0.0, 1e-6)

    def x(of: float) -> int:
        return round((WIDTH - MARK_WIDTH) * of / whole)

    usual = (
        f"Half of them take {took(quarter)} to {took(three_quarters)}, the median is {took(half)}."
    )
    return {
        "samples": measured["samples"],
        "since": measured["since"],
        "said": f"{_standing(quantiles, seconds, over)} {usual}".strip(),
        "most": (x(low), max(MARK_WIDTH, x(high) - x(low))),
        "half": (x(quarter), max(MARK_WIDTH, x(three_quarters) - x(quarter))),
        "median": x(half),
        "here": None if seconds is None else x(seconds),
        "width": WIDTH,
        "mark": MARK_WIDTH,
    }


def _standing(quantiles: Sequence[float], seconds: float | None, over: bool) -> str:
    """Where it stands: `It took 2.1 s, longer than 83 % of them.`"""
    if seconds is None:
        return ""
    # Of runs that took the same to the digit half count as shorter.
    shorter = (bisect_left(quantiles, seconds) + bisect_right(quantiles, seconds)) / 2
    if shorter == 0:
        place = "shorter than any of them" if over else "less than any of them took"
    elif shorter == len(quantiles):
        place = "longer than any of them"
    else:
        place = f"longer than {round(100 * shorter / len(quantiles))} % of them"
    return f"It took {took(seconds)}, {place}." if over else f"It has run for {took(seconds)}, {place}."  # fmt: skip
