"""Numbers as coordinates: what the report's drawings are made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

RING_RADIUS = 52.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a row of them: `part` of 1 is the longest, `share` of 1 is all together."""

    label: str
    value: float
    part: float
    share: float
    offset: float


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of a line in a box of 100 by 100, origin top left."""

    label: str
    value: float
    x: float
    y: float


def ring(score: float) -> tuple[float, float]:
    """How much of a ring's line is drawn and how much is not, for a score from 0 to 100."""
    around = 2 * pi * RING_RADIUS
    drawn = around * max(0.0, min(100.0, score)) / 100
    return round(drawn, 2), round(around - drawn, 2)


def bars(pairs: Sequence[tuple[str, float]]) -> list[Bar]:
    """Bars side by side, or laid end to end by their offsets."""
    longest = max((value for _, value in pairs), default=0) or 1
    total = sum(value for _, value in pairs) or 1
    made, offset = [], 0.0
    for label, value in pairs:
        made.append(Bar(label, value, value / longest, value / total, offset))
        offset += value / total
    return made


def line(pairs: Sequence[tuple[str, float]]) -> list[Dot]:
    """Values from 0 to 100 as a line from left to right."""
    last = max(1, len(pairs) - 1)
    return [
        Dot(label, value, round(100 * place / last, 2), round(100 - value, 2))
        for place, (label, value) in enumerate(pairs)
    ]
