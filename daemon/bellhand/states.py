"""The words for where a job stands: ours, and those that people bring from other systems."""

from __future__ import annotations

from difflib import get_close_matches

# As the view all_jobs shows them. `partial` is no state of its own: completed, with failed steps.
STATES = (
    "pending", "scheduled", "retrying", "blocked", "paused", "running",
    "completed", "failed", "cancelled",
)  # fmt: skip
OVER = frozenset({"completed", "failed", "cancelled"})
PARTIAL = "partial"

_ALIASES = {
    "pending": "queued waiting ready new created enqueued",
    "scheduled": "delayed later",
    "retrying": "retry retryable",
    "blocked": "depends waiting_for",
    "paused": "held on_hold suspended stopped",
    "running": "processing in_progress active started executing busy",
    "completed": "success succeeded successful done finished complete ok",
    "failed": "failure error errored dead discarded",
    "cancelled": "canceled aborted deleted revoked",
    PARTIAL: "partly partially_completed completed_with_errors",
}
_GROUPS = {
    "over": OVER,
    "live": frozenset(STATES) - OVER,
    "any": frozenset(STATES),
    "all": frozenset(STATES),
}
_NAMED = {
    **{alias: frozenset({name}) for name, words in _ALIASES.items() for alias in words.split()},
    **{name: frozenset({name}) for name in (*STATES, PARTIAL)},
    **_GROUPS,
}


def states_named(word: str) -> frozenset[str]:
    """The states that a word means, in any case and with - or blanks for _; ValueError if none."""
    key = word.strip().lower().replace("-", "_").replace(" ", "_")
    if key in _NAMED:
        return _NAMED[key]
    raise ValueError(f"unknown state {word!r}")


def nearest_state(word: str) -> str | None:
    """The state that somebody who wrote `word` may have meant."""
    near = get_close_matches(word.strip().lower(), [*STATES, PARTIAL, *_NAMED], n=1)
    return next(iter(sorted(_NAMED[near[0]]))) if near and near[0] not in _GROUPS else None
