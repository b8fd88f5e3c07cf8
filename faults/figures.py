"""The figures of a history."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .history import NEVER, History
from .invariants import overlap_sort, overlaps, recoveries


def percentile(values: list[float], share: float) -> float:
    """The smallest value that is not below that share of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures(h: History) -> dict[str, Any]:
    """How many were attempted, acknowledged, lost, run again; how long recovery took; how far runs overlapped."""
    enqueues = [event for event in h.client if event["f"] == "enqueue"]
    results = Counter(event["res"] for event in enqueues)
    ends = Counter(h.ends(job) for job in h.of_job)
    sorts: Counter[str] = Counter()
    longest = 0.0
    for older, newer in overlaps(h):
        sort = overlap_sort(h, older, newer)
        sorts[sort] += 1
        end = min(older.end, newer.end)
        if end < NEVER:
            longest = max(longest, end - max(older.start, newer.start))
    recovered = [seconds for _, seconds in recoveries(h) if seconds is not None]
    # Handlers that ended well after their job had been taken away: what they had to say was refused.
    refused = sum(
        run.out == "ok"
        and (claim := h.claim(run.job, run.epoch)) is not None
        and claim.became == "pending"
        and claim.ended < run.end
        for run in h.all_runs()
    )
    found: dict[str, Any] = {
        "attempted": len(enqueues), "acked": results["ok"], "indeterminate": results["info"],
        "recovered": sum(event["res"] == "info" and event["token"] in h.tokens for event in enqueues),
        "jobs": len(h.of_job), "completed": ends["completed"], "failed": ends["failed"], "cancelled": ends["cancelled"],
        "runs": sum(map(len, h.runs.values())), "reruns": sum(len(runs) - 1 for runs in h.runs.values()) - sum(run.out == "err" for runs in h.runs.values() for run in runs[:-1]),
        "zombies": sorts["zombie"], "abandoned": sorts["abandoned"], "undone": sorts["undone"], "overlap_max_s": round(longest, 3), "refused": refused,
        "recoveries": len(recovered),
    }  # fmt: skip
    if recovered:
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
            found[f"recovery_{name}_s"] = round(percentile(recovered, share), 2)
    return found
