"""The kind that keeps the figures of customers, cohorts and segments up to date."""

from __future__ import annotations

from typing import Any

from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Snooze
from bellhand.sql import query

from .expecting import expect
from .payloads import BATCH_CUSTOMERS, Analytics
from .sending import row

LONG_SECONDS = 1200.0  # one statement over everybody
BUSY_SECONDS = 5.0


@job_kind("crm.update_analytics", lane="crm", attempts_max=5, timeout_seconds=3600)
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
    ranked = await _patient_row(job, "rank_customers")
    not_expected = await expect(job)
    return {
        "rebuilt": rebuilt, "customers_counted": counted, "customers": ranked["customers"], "ranks_changed": ranked["ranked"],
        "not_expected": not_expected,
    }  # fmt: skip


async def _roll_up(job: Job, batch_customers: int) -> int:
    """Batch by batch, each a commit of its own; a batch that is not full is the last."""
    counted, last = 0, ""
    while True:
        job.check()
        batch = _unless_busy(await row(job, "roll_up", last, batch_customers))
        counted += int(batch["counted"])
        job.progress(done=counted, message=f"{counted} customers counted")
        last = batch["last_customer"]
        if batch["counted"] < batch_customers:
            return counted


async def _rebuild(job: Job) -> int:
    return int(_unless_busy(await _patient_row(job, "rebuild_analytics"))["counted"])


async def _patient_row(job: Job, statement: str) -> Any:
    async with job.connection() as conn, conn.transaction():
        await conn.execute(_query("be_patient"), f"{LONG_SECONDS:.0f}s", timeout=LONG_SECONDS)
        return await conn.fetchrow(_query(statement), timeout=LONG_SECONDS + 5)


def _unless_busy(found: Any) -> Any:
    if found is None:
        raise Snooze(BUSY_SECONDS, "another job is counting")
    return found


def _query(name: str) -> str:
    return query(f"families/crm/{name}")
