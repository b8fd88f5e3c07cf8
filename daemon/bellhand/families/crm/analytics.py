"""The kind that keeps the figures of customers, cohorts and segments up to date."""

from __future__ import annotations

from typing import Any

from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Snooze

from .expecting import expect
from .payloads import BATCH_CUSTOMERS, Analytics
from .sending import over_all, row

BUSY_SECONDS = 5.0


@job_kind(
    "crm.update_analytics", lane="crm", attempts_max=5, timeout_seconds=3600, side_effects="none"
)
async def update_analytics(args: Analytics, job: Job) -> dict[str, Any]:
    """Count the orders of customers whose orders changed, or of everybody; then rank everybody anew, and say what they may spend."""
    return await count_customers(job, rebuild=args.rebuild, batch_customers=args.batch_customers)


async def count_customers(
    job: Job, *, rebuild: bool = False, batch_customers: int = BATCH_CUSTOMERS
) -> dict[str, Any]:
    """Bring all figures up to date; raises Snooze while another job does."""
    state = await row(job, "analytics_state")
    rebuilt = rebuild or not state["current"]
    counted = await (_rebuild(job) if rebuilt else _roll_up(job, batch_customers))
    (ranked,) = await over_all(job, "rank_customers")
    # It changes with what was bought, and slowly with time.
    lately = not counted and state["expected_lately"]
    not_expected = None if lately else await expect(job)
    return {
        "rebuilt": rebuilt, "customers_counted": counted, "customers": ranked["customers"], "ranks_changed": ranked["ranked"],
        "not_expected": not_expected,
    }  # fmt: skip


async def _roll_up(job: Job, batch_customers: int) -> int:
    """Batch by batch, each a commit of its own; a batch that is not full is the last."""
    counted, last = 0, ""
    while True:
        job.check()
        batch = _unless_busy(await over_all(job, "roll_up", last, batch_customers))
        counted += int(batch["counted"])
        job.progress(done=counted, message=f"{counted} customers counted")
        last = batch["last_customer"]
        if batch["counted"] < batch_customers:
            return counted


async def _rebuild(job: Job) -> int:
    return int(_unless_busy(await over_all(job, "rebuild_analytics"))["counted"])


def _unless_busy(rows: list[Any]) -> Any:
    if not rows:
        raise Snooze(BUSY_SECONDS, "another job is counting")
    return rows[0]
