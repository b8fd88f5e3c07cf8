"""One refund: the ledger, Stripe, and what its answers mean.

Nothing but the idempotency key keeps a part of a payment from being given back twice, and Stripe forgets it after a day. So whoever asks
again looks first which refunds the payment has; each carries its number in the ledger.
"""

from __future__ import annotations

import uuid
from typing import Any

from bellhand.clients.errors import ServiceError
from bellhand.clients.payments import Refund
from bellhand.job import Job
from bellhand.outcomes import Failed, Retry, Snooze

from .payloads import GiveBack
from .sending import row

MARK = "bellhand_refund"
GONE = ("failed", "canceled")


async def give_back(job: Job, asked: GiveBack) -> dict[str, Any]:
    """Give the money back, unless it is done; raises Failed, Retry or Snooze while or because it is not."""
    begun = await row(
        job, "begin_refund", asked.key or asked.payment_key, asked.payment_key, asked.amount, job.id, job.step_key("refund"),
    )  # fmt: skip
    match begun["verdict"]:
        case "done":
            return _result(begun, begun["state"]) | {"refunded": False, "why": begun["reason"]}
        case "wait":
            raise Snooze(begun["seconds"], begun["reason"])
        case "bad":
            raise Failed(begun["reason"])
    try:
        made = await _made(job, begun)
    except ServiceError as error:
        if error.code == "bad_request":
            await _refused(job, begun, None, str(error))
        raise (Retry if error.retryable else Failed)(str(error)) from error
    if made.status in GONE:
        await _refused(job, begun, made.id, f"Stripe says that it is {made.status}")
        raise Failed(f"refund {begun['key']}: Stripe says that it is {made.status}")
    state = made.status if made.status == "succeeded" else "pending"
    result = _result(begun, state) | {"refunded": True}
    async with job.transaction(result) as conn:
        await row(job, "settle_refund", begun["id"], state, made.id, None, conn=conn)
    return result


async def _made(job: Job, begun: Any) -> Refund:
    """The refund, found at Stripe or made there."""
    payments, number = job.services.payments, f"{begun['id']} {begun['tries']}"
    if begun["again"]:
        for one in await payments.refunds(begun["intent_id"]):
            if one.metadata.get(MARK) == number and one.status not in GONE:
                return one
    return await payments.refund(
        begun["intent_id"], amount=begun["amount"], metadata={MARK: number},
        key=str(uuid.uuid5(begun["idempotency_key"], f"refund {begun['tries']}")),
    )  # fmt: skip


async def _refused(job: Job, begun: Any, refund_id: str | None, why: str) -> None:
    told = (begun["id"], "failed", refund_id, why)
    await job.patiently(lambda: row(job, "settle_refund", *told))


def _result(begun: Any, state: str) -> dict[str, Any]:
    return {
        "refund_id": begun["id"],
        "key": begun["key"],
        "amount": begun["amount"],
        "state": state,
    }
