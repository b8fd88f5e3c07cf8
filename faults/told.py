"""I18: who asked to be told how jobs end is told of each end, at least once, signed, and always under the same id.

The witness is the receiver (events with `src` hook): what it got, and what it answered, or that its answer got lost.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from .history import CLOCKS_APART_SECONDS, OVER, History

End = tuple[int, str]  # a job, and how it ended


def who_asked_is_told(h: History) -> Iterator[tuple[str, Any]]:
    """I18: in plays whose settings say that every end of jobs of clients is `told`."""
    if not h.settings.get("told"):
        return
    ends: Counter[End] = Counter()
    first: dict[End, float] = {}
    for change in h.changes:
        if change["op"] == "I" and change["place"] == "history" and change["token"]:
            end = (change["job"], change["state"])
            ends[end] += 1
            first.setdefault(end, change["t"])
    ids: dict[End, set[str]] = defaultdict(set)
    about: dict[str, set[End]] = defaultdict(set)
    taken: set[End] = set()
    for event in h.hooks:
        end = (event["job"], event["state"])
        if not event["signed"]:
            yield "told_unsigned", event["id"]
        elif event["state"] not in OVER or event["t"] + CLOCKS_APART_SECONDS < first.get(end, float("inf")):  # fmt: skip
            yield "told_of_no_end", end
        else:
            ids[end].add(event["id"])
            about[event["id"]].add(end)
            if event["answer"] == "taken":
                taken.add(end)
    yield from (("not_told", end) for end in ends if end not in taken)
    yield from (("told_under_two_ids", end) for end, known in ids.items() if len(known) > ends[end])
    yield from (("two_told_under_one_id", id) for id, known in about.items() if len(known) > 1)
