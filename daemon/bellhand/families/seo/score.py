"""A score from 0 to 100 that explains itself: what each category costs, and what mending would bring."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from .rules import ALL, BY_NAME

# How many of the 100 points each category can lose.
POINTS: Mapping[str, int] = {
    "links": 12, "errors": 7, "title": 8, "description": 5, "headings": 4, "canonicals": 6, "robots": 4, "hreflang": 4,
    "redirects": 4, "orphans": 4, "addresses": 2, "duplicates": 8, "images": 5, "structured-data": 4, "social": 2,
    "speed": 6, "mobile": 4, "security": 7, "sitemaps": 4,
}  # fmt: skip
# Which part of its category's points a fault on every page costs.
PARTS: Mapping[str, float] = {"error": 1.0, "warning": 0.4, "notice": 0.1}
GAINS_MAX = 10
METHOD = (
    "Each category can lose the points it has. A fault costs all of them if it is an error on every page, "
    "40 % as a warning, 10 % as a notice; on fewer pages less, by the square root of their share: "
    "a quarter of the pages costs half."
)


@dataclass(frozen=True, slots=True)
class Found:
    """How widely a rule is broken: `issues` in all, `share` of the pages from 0 to 1."""

    rule: str
    issues: int
    share: float


@dataclass(frozen=True, slots=True)
class Category:
    """What a category has lost of its points."""

    name: str
    points: int
    lost: float
    issues: int


@dataclass(frozen=True, slots=True)
class Gain:
    """By how much the score would rise if every issue of the rule were mended."""

    rule: str
    points: float
    issues: int


@dataclass(frozen=True, slots=True)
class Score:
    """The score, what makes it up, and what would raise it most."""

    value: float
    categories: tuple[Category, ...]
    gains: tuple[Gain, ...]

    def as_json(self) -> dict[str, Any]:
        """As it is stored with an analysis."""
        return asdict(self)


def share(pages: int, site_pages: int | None, *, on_site: bool, of_pages: int) -> float:
    """The part of the site that a rule is broken on: a fault of the site that names no pages is all of it."""
    if on_site and site_pages is None:
        return 1.0
    return min(1.0, max(pages, site_pages or 0) / max(1, of_pages))


def score(found: Iterable[Found]) -> Score:
    """What the breaches of the rules leave of 100 points."""
    broken = {one.rule: one for one in found if one.issues and one.rule in BY_NAME}
    costs = {name: _cost(one) for name, one in broken.items()}
    lost = _lost(costs)
    categories = tuple(
        Category(
            name, points, round(lost.get(name, 0.0), 2),
            sum(one.issues for one in broken.values() if BY_NAME[one.rule].category == name),
        )
        for name, points in POINTS.items()
    )  # fmt: skip
    total = sum(lost.values())
    gains = [
        Gain(name, round(total - sum(_lost({**costs, name: 0.0}).values()), 2), one.issues)
        for name, one in broken.items()
    ]
    gains.sort(key=lambda gain: (-gain.points, gain.rule))
    best = tuple(gain for gain in gains[:GAINS_MAX] if gain.points > 0)
    return Score(round(max(0.0, 100.0 - total), 1), categories, best)


def _cost(found: Found) -> float:
    rule = BY_NAME[found.rule]
    return POINTS[rule.category] * PARTS[rule.severity] * sqrt(found.share)


def _lost(costs: Mapping[str, float]) -> dict[str, float]:
    """What each category loses: what its rules cost together, at most all it has."""
    lost: dict[str, float] = {}
    for rule in ALL:
        if rule.name in costs:
            lost[rule.category] = lost.get(rule.category, 0.0) + costs[rule.name]
    return {name: min(POINTS[name], cost) for name, cost in lost.items()}
