"""Who belongs to whom when every item has at most one partner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def one_to_one(pairs: Iterable[tuple[S, T, float]], least: float) -> list[tuple[S, T, float]]:
    """The pairs that are left when the best one takes its two items out, and so on down to `least`.

    Equal scores go by the order given. Best first is what a reviewer would do, and on catalogues
    differs from the best sum by a few pairs.
    """
    taken_sources: set[S] = set()
    taken_targets: set[T] = set()
    chosen = []
    for source, target, score in sorted(pairs, key=lambda pair: -pair[2]):
        if score < least:
            break
        if source not in taken_sources and target not in taken_targets:
            taken_sources.add(source)
            taken_targets.add(target)
            chosen.append((source, target, score))
    return chosen
