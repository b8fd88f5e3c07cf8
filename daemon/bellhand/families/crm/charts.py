"""Numbers as coordinates and shades: what the report's drawings are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHADE_MAX = 0.62  # darker, and the number in the cell could not be read


@dataclass(frozen=True, slots=True)
class Column:
    """Two values on top of each other; `low` and `high` are their heights, 1 is the top of the scale."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a bar that is 1 long: where it begins and how long it is."""

    label: str
    value: float
    offset: float
    share: float


def columns(rows: Sequence[tuple[str, float, float]], top: float) -> list[Column]:
    """A column a row of (label, lower part, upper part), on a scale that ends at `top`."""
    return [Column(label, low + high, low / top, high / top) for label, low, high in rows]


def pieces(rows: Sequence[tuple[str, float]]) -> list[Piece]:
    """The rows laid end to end, together 1 long; those of nothing are left out."""
    total = sum(value for _, value in rows) or 1
    made, offset = list[Piece](), 0.0
    for label, value in rows:
        if value > 0:
            made.append(Piece(label, value, offset, value / total))
            offset += value / total
    return made


def shades(rows: Sequence[Sequence[float | None]]) -> list[list[float]]:
    """How dark each cell is, the largest value the darkest; None is not shaded at all."""
    largest = max((value for row in rows for value in row if value is not None), default=0) or 1
    return [
        [0.0 if value is None else round(SHADE_MAX * value / largest, 3) for value in row]
        for row in rows
    ]


def ceiling(value: float) -> float:
    """The number at or above the value that a scale ends at; its quarters are round too."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(
        step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * power >= value
    )
