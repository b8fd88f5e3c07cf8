"""One payment: the ledger, the calls that make it, and what the answers mean.

A PaymentIntent charges nobody until it is confirmed, and can be charged once at most. So it is made, written down, and only then
confirmed: whatever dies in between, and however late the next attempt comes, it asks the same PaymentIntent.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable
from typing import Any

from bellhand.clients.errors import ServiceError
from bellhand.clients.payments import Intent
from bellhand.job import Job
from bellhand.outcomes import Failed, Retry, Snooze

from .payloads import Payment
from .sending import row

LOOK_SECONDS_MIN = 15.0
LOOK_SECONDS_MAX = 3600.0
LOOKS_APART = 0.25  # of the time that it has taken so far
ACTION_SECONDS_MAX = 86_400.0
# What the ledger calls Stripe's states.
STATES = {
    "succeeded": "succeeded",
    "processing": "processing",
    "requires_action": "action",
    "canceled": "canceled",
}


async def pay(job: Job, asked: Payment) -> dict[str, Any]:
    """Charge the customer, unless it is done; raises Failed, Retry or Snooze while or because it is not paid."""
    begun = await row(
        job, "begin_payment", asked.key, asked.customer_id, asked.amount, asked.currency.lower(), asked.payment_method,
        asked.return_url, asked.description, job.id, job.step_key("payment"),
    )  # fmt: skip
    match begun["verdict"]:
        case "paid":
            return _result(begun, charged=False) | {"why": begun["reason"]}
        case "wait":
            raise Snooze(begun["seconds"], begun["reason"])
        case "declined" | "bad":
            raise Failed(begun["reason"])
    try:
        intent = await _charge(job, begun)
        return await _settle(job, begun, intent)
    except ServiceError as error:
        raise (Retry if error.retryable else Failed)(str(error)) from error


async def _charge(job: Job, begun: Any) -> Intent:
    """Make the payment and confirm it, each once; then, or after that, see how it stands."""
    payments = job.services.payments
    seen: list[Intent] = []

    async def create() -> str:
        made = await _change(
            job, begun, payments.create(
                amount=begun["amount"], currency=begun["currency"], customer=begun["payment_customer"],
                description=begun["description"], redirects=begun["return_url"] is not None,
                metadata={"bellhand_payment": str(begun["id"]), "bellhand_key": begun["key"]}, key=_key(begun, "create"),
            ),
        )  # fmt: skip
        known = await _write(job, "know_intent", begun["id"], made.id, made.live)
        return str(known["intent_id"])

    async def confirm() -> str:
        intent = await _change(
            job, begun, payments.confirm(
                intent_id, payment_method=begun["payment_method"], return_url=begun["return_url"], key=_key(begun, "confirm"),
            ),
        )  # fmt: skip
        seen.append(intent)
        return intent.status

    # By the number of the try: a new one may need another PaymentIntent than the one an old step remembers.
    intent_id = begun["intent_id"] or await job.step(f"create {begun['tries']}", create)
    if begun["state"] in ("new", "confirming"):
        await job.step(f"confirm {begun['tries']}", confirm)
    return seen[0] if seen else await payments.retrieve(intent_id)


async def _change(job: Job, begun: Any, call: Awaitable[Intent]) -> Intent:
    """What a call brings that changes something; a refusal is written down, and keys that stand for a fault are not used again."""
    try:
        return await call
    except ServiceError as error:
        if error.code == "unavailable":
            # Stripe answers a key with the same fault for a day. New ones are safe: this PaymentIntent charges once.
            await _write(job, "spend_keys", begun["id"], begun["tries"])
        elif error.code == "bad_request":
            await _write(job, "settle_payment", begun["id"], "failed", None, None, None, str(error))
        raise


async def _settle(job: Job, begun: Any, intent: Intent) -> dict[str, Any]:
    """Write down how it stands, and tell it as the job's outcome."""
    state = STATES.get(intent.status, "declined")
    why = None
    if state == "declined":
        why = intent.message or f"Stripe has not charged it, it is {intent.status}"
    elif state == "canceled":
        why = "it was called off, and nothing was charged"
    told = (begun["id"], state, intent.action_url, intent.code, intent.decline_code, why)
    if state == "succeeded":
        result = _result(begun, charged=True) | {"intent_id": intent.id, "live": intent.live}
        async with job.transaction(result) as conn:
            await row(job, "settle_payment", *told, conn=conn)
        return result
    settled = await _write(job, "settle_payment", *told)
    if state in ("declined", "canceled"):
        codes = ", ".join(
            dict.fromkeys(code for code in (intent.code, intent.decline_code) if code)
        )
        said = f" ({codes})" if codes else ""
        raise Failed(
            f"payment {begun['key']}: {why}{said}; only a new job with this key tries again"
        )
    if settled is None:
        raise Retry(f"payment {begun['key']} has been settled by somebody else")
    if settled["action_seconds"] > ACTION_SECONDS_MAX:
        payments = job.services.payments
        return await _settle(
            job, begun, await payments.cancel(intent.id, key=_key(begun, "cancel"))
        )
    link = f"at the action_url of payment {begun['id']} in bellhand_crm.payments"
    waits = {
        "processing": "the bank takes its time",
        "action": f"the customer has to confirm it {link if intent.action_url else 'as Stripe tells them'}",
    }
    seconds = min(max(LOOKS_APART * settled["begun_seconds"], LOOK_SECONDS_MIN), LOOK_SECONDS_MAX)
    raise Snooze(seconds, f"payment {begun['key']}: {waits[state]}")


async def _write(job: Job, statement: str, *args: Any) -> Any:
    """Write down what Stripe has said, however long the database takes: only this attempt knows it."""
    return await job.patiently(lambda: row(job, statement, *args))


def _result(begun: Any, *, charged: bool) -> dict[str, Any]:
    return {
        "payment_id": begun["id"], "key": begun["key"], "charged": charged, "amount": begun["amount"],
        "currency": begun["currency"], "intent_id": begun["intent_id"], "live": begun["live"],
    }  # fmt: skip


def _key(begun: Any, verb: str) -> str:
    """The idempotency key of one request, the same at every attempt of the same try."""
    return str(uuid.uuid5(begun["idempotency_key"], f"{verb} {begun['tries']}"))
