"""What changed since the crawl before: per rule how many issues are new, fixed, still there."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from .rules import BY_NAME, SEVERITIES


class Row(Protocol):
    """What a row of a query and a dict have in common."""

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Change:
    """One rule now and then; new, fixed, gone and kept are None where nothing came before."""

    rule: str
    issues: int
    new: int | None
    fixed: int | None
    gone: int | None

    @property
    def kept(self) -> int | None:
        """How many were there before and still are."""
        return None if self.new is None else self.issues - self.new

    def as_json(self) -> dict[str, Any]:
        """As it is stored with an analysis."""
        shown = {"rule": self.rule, "issues": self.issues}
        if self.new is not None:
            shown |= {"new": self.new, "fixed": self.fixed, "gone": self.gone, "kept": self.kept}
        return shown


def changes(now: Iterable[Row], before: Iterable[Row] | None) -> list[Change]:
    """Rows of issue_counts.sql and of issues_gone.sql (None: no crawl before), by rule.

    Fixed ones are on pages that were looked at again; gone ones went with their page.
    """
    counted = {row["rule"]: row for row in now}
    if before is None:
        return [Change(name, row["issues"], None, None, None) for name, row in counted.items()]
    left = {row["rule"]: row for row in before}
    return [
        Change(
            name,
            counted[name]["issues"] if name in counted else 0,
            counted[name]["new"] if name in counted else 0,
            left[name]["fixed"] if name in left else 0,
            left[name]["gone"] if name in left else 0,
        )
        for name in sorted(counted.keys() | left.keys())
    ]


def by_severity(found: Iterable[Change]) -> dict[str, int]:
    """How many issues there are now of each severity."""
    counts = dict.fromkeys(SEVERITIES, 0)
    for change in found:
        if change.rule in BY_NAME:
            counts[BY_NAME[change.rule].severity] += change.issues
    return counts


def total(found: Iterable[Change], what: str) -> int | None:
    """The sum of new, fixed, gone or kept over all rules; None where nothing came before."""
    values = [value for change in found if (value := getattr(change, what)) is not None]
    return sum(values) if values else None
