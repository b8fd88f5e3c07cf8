"""A stand-in of Stripe's payments: PaymentIntents, refunds, and idempotency keys that are honoured as Stripe does.

The payment method says how a payment fares, by the names of Stripe's own test cards.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .faults import Fault

PATHS = ("/v1/payment_intents", "/v1/refunds", "/authenticate/")
OWN_FAULTS = ("slow", "error", "declined")
MADE_AT = 1_700_000_000
LOOKS_UNTIL_DONE = 2  # at a payment that takes its time
DECLINES = {
    "pm_card_visa_chargeDeclined": ("card_declined", "generic_decline", "Your card was declined."),
    "pm_card_visa_chargeDeclinedInsufficientFunds": ("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    "pm_card_chargeDeclinedExpiredCard": ("expired_card", "expired_card", "Your card has expired."),
}  # fmt: skip
AUTHENTICATION = "pm_card_authenticationRequired"
SLOW_BANK = "pm_usBankAccount_success"
NEEDS_IT = ("authentication_required", "authentication_required", "Your card was declined. This transaction requires authentication.")  # fmt: skip
UNSET = (
    *("application", "application_fee_amount", "canceled_at", "cancellation_reason", "customer", "description"),
    *("last_payment_error", "latest_charge", "next_action", "on_behalf_of", "payment_method", "processing", "receipt_email"),
    *("payment_method_configuration_details", "review", "setup_future_usage", "shipping", "source", "statement_descriptor"),
    *("statement_descriptor_suffix", "transfer_data", "transfer_group"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """What the first request with a key asked, and what it was answered; None while it runs."""

    asked: tuple[str, dict[str, str]]
    status: int = 0
    body: dict[str, Any] | None = None


@dataclass(slots=True)
class Account:
    """Everything that one account of Stripe's holds; `charges` are the ids of payments that took money, each time they did."""

    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    charges: list[str] = field(default_factory=list)
    keys: dict[str, Kept] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    # A ledger outlives us: the next one of us must not use the same ids.
    name: str = field(default_factory=lambda: secrets.token_hex(4))

    def clear(self) -> None:
        """Forget everything."""
        for one in (self.intents, self.refunds, self.charges, self.keys, self.looks):
            one.clear()

    async def answer(self, request: web.Request, fault: Fault | None) -> web.Response:
        """The answer to any request, the stored one for a key that came before."""
        if request.path.startswith("/authenticate/"):
            return self._authenticate(request.path.rpartition("/")[2])
        secret = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not secret.startswith(("sk_", "rk_")):
            return failed(Fault("refused"))
        live = secret.startswith(("sk_live", "rk_live"))
        form = {name: str(value) for name, value in (await request.post()).items()}
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        asked = (request.path, form)
        kept = self.keys.get(key) if key else None
        if kept is not None and kept.asked != asked:
            return _error(400, "Keys for idempotent requests can only be used with the same parameters they were first used with.",
                          "idempotency_error")  # fmt: skip
        if kept is not None and kept.body is None:
            return _error(409, "There is currently another in-progress request using this Idempotent Key.",
                          "idempotency_error", "idempotency_key_in_use")  # fmt: skip
        if kept is not None and kept.body is not None:
            replayed = web.json_response(kept.body, status=kept.status)
            replayed.headers["Idempotent-Replayed"] = "true"
            return replayed
        if key:
            self.keys[key] = Kept(asked)
        if fault is not None and fault.name == "slow":
            await asyncio.sleep(fault.seconds)
        status, body = self._do(request, form, live, fault)
        if key and status in (400, 404):
            del self.keys[key]  # refused before anything happened
        elif key:
            self.keys[key] = Kept(asked, status, body)
        return web.json_response(body, status=status)

    def _do(
        self, request: web.Request, form: dict[str, str], live: bool, fault: Fault | None
    ) -> tuple[int, dict[str, Any]]:
        if fault is not None and fault.name == "error":
            return 500, _problem("An unknown error occurred", "api_error")
        parts = request.path.split("/")[2:]
        match request.method, parts:
            case "POST", ["payment_intents"]:
                return self._create(form, live)
            case "POST", ["refunds"]:
                return self._refund(form)
            case "GET", ["refunds"]:
                which = request.query.get("payment_intent")
                made = [one for one in self.refunds.values() if one["payment_intent"] == which]
                return 200, {
                    "object": "list",
                    "data": made,
                    "has_more": False,
                    "url": "/v1/refunds",
                }
            case _, ["payment_intents", id, *_] if id not in self.intents or self.intents[id]["livemode"] != live:  # fmt: skip
                return 404, _problem(f"No such payment_intent: '{id}'", "invalid_request_error", "resource_missing")  # fmt: skip
            case "GET", ["payment_intents", id]:
                return 200, self._look(self.intents[id])
            case "POST", ["payment_intents", id, "confirm"]:
                return self._confirm(self.intents[id], form, request, fault)
            case "POST", ["payment_intents", id, "cancel"]:
                return self._cancel(self.intents[id])
        return 404, _problem(f"Unrecognized request URL ({request.method}: {request.path}).", "invalid_request_error")  # fmt: skip

    def _create(self, form: dict[str, str], live: bool) -> tuple[int, dict[str, Any]]:
        amount, currency = form.get("amount", ""), form.get("currency", "")
        if not amount.isdecimal() or int(amount) < 50:
            return 400, _problem("Amount must be at least $0.50 usd", "invalid_request_error", "amount_too_small")  # fmt: skip
        if form.get("customer", "cus_").removeprefix("cus_").startswith("none"):
            return 400, _problem(f"No such customer: '{form['customer']}'", "invalid_request_error", "resource_missing")  # fmt: skip
        id = f"pi_{self.name}{len(self.intents) + 1:06}"
        intent = dict.fromkeys(UNSET) | {
            "id": id, "object": "payment_intent", "amount": int(amount), "amount_capturable": 0,
            "amount_details": {"tip": {}}, "amount_received": 0, "automatic_payment_methods": {
                "enabled": True, "allow_redirects": form.get("automatic_payment_methods[allow_redirects]", "always")},
            "capture_method": "automatic_async", "client_secret": f"{id}_secret_standin", "confirmation_method": "automatic",
            "created": MADE_AT, "currency": currency, "customer": form.get("customer"), "description": form.get("description"),
            "livemode": live, "metadata": _metadata(form), "payment_method_options": {}, "payment_method_types": ["card"],
            "status": "requires_payment_method",
        }  # fmt: skip
        self.intents[id] = intent
        return 200, dict(intent)

    def _confirm(
        self, intent: dict[str, Any], form: dict[str, str], request: web.Request, fault: Fault | None
    ) -> tuple[int, dict[str, Any]]:  # fmt: skip
        if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
            why = (
                f"This PaymentIntent's status is {intent['status']}, so it could not be confirmed."
            )
            return 400, _problem(why, "invalid_request_error", "payment_intent_unexpected_state", intent=dict(intent))  # fmt: skip
        method = form.get("payment_method", "")
        if not method.startswith("pm_"):
            return 400, _problem(f"No such PaymentMethod: '{method}'", "invalid_request_error", "resource_missing")  # fmt: skip
        decline = DECLINES.get(method)
        if fault is not None and fault.name == "declined":
            decline = DECLINES["pm_card_visa_chargeDeclined"]
        if method == AUTHENTICATION and form.get("off_session") == "true":
            decline = NEEDS_IT
        if decline is not None:
            code, decline_code, why = decline
            error = {
                "type": "card_error",
                "code": code,
                "decline_code": decline_code,
                "message": why,
            }
            intent["last_payment_error"] = error
            return 402, {"error": error | {"payment_intent": dict(intent)}}
        intent |= {"payment_method": method, "last_payment_error": None}
        if method == AUTHENTICATION:
            url = f"{request.url.origin()}/authenticate/{intent['id']}"
            redirect = {"return_url": form["return_url"], "url": url}
            intent |= {"status": "requires_action", "next_action": {"type": "redirect_to_url", "redirect_to_url": redirect}}  # fmt: skip
        elif method.startswith(SLOW_BANK):
            intent["status"] = "processing"
            self.looks[intent["id"]] = 0
        else:
            self._charge(intent)
        return 200, dict(intent)

    def _charge(self, intent: dict[str, Any]) -> None:
        self.charges.append(intent["id"])
        charge = f"ch_{self.name}{len(self.charges):06}"
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge, "next_action": None}  # fmt: skip

    def _look(self, intent: dict[str, Any]) -> dict[str, Any]:
        if intent["status"] == "processing":
            self.looks[intent["id"]] += 1
            if self.looks[intent["id"]] >= LOOKS_UNTIL_DONE:
                self._charge(intent)
        return dict(intent)

    def _cancel(self, intent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if intent["status"] in ("succeeded", "canceled", "processing"):
            why = f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}."
            return 400, _problem(why, "invalid_request_error", "payment_intent_unexpected_state", intent=dict(intent))  # fmt: skip
        intent |= {"status": "canceled", "canceled_at": MADE_AT, "next_action": None}
        return 200, dict(intent)

    def _refund(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        intent = self.intents.get(form.get("payment_intent", ""))
        if intent is None or intent["status"] != "succeeded":
            return 400, _problem("This PaymentIntent does not have a successful charge to refund.", "invalid_request_error")  # fmt: skip
        back = sum(
            r["amount"] for r in self.refunds.values() if r["payment_intent"] == intent["id"]
        )
        left, amount = intent["amount"] - back, int(form["amount"])
        if left == 0:
            return 400, _problem(
                f"Charge {intent['latest_charge']} has already been refunded.",
                "invalid_request_error",
                "charge_already_refunded",
            )
        if amount > left:
            return 400, _problem(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", "invalid_request_error")  # fmt: skip
        id = f"re_{self.name}{len(self.refunds) + 1:06}"
        self.refunds[id] = {
            "id": id, "object": "refund", "amount": amount, "balance_transaction": None, "charge": intent["latest_charge"],
            "created": MADE_AT, "currency": intent["currency"], "metadata": _metadata(form), "payment_intent": intent["id"],
            "reason": None, "receipt_number": None, "source_transfer_reversal": None, "status": "succeeded",
            "transfer_reversal": None,
        }  # fmt: skip
        return 200, dict(self.refunds[id])

    def _authenticate(self, id: str) -> web.Response:
        """The page of the bank: whoever visits it has confirmed the payment."""
        intent = self.intents.get(id)
        if intent is None or intent["status"] != "requires_action":
            return web.Response(text="There is nothing to confirm.", status=404)
        back = intent["next_action"]["redirect_to_url"]["return_url"]
        self._charge(intent)
        return web.Response(status=302, headers={"Location": back})


def _metadata(form: dict[str, str]) -> dict[str, str]:
    return {k.removeprefix("metadata[").removesuffix("]"): v for k, v in form.items() if k.startswith("metadata[")}  # fmt: skip


def failed(fault: Fault) -> web.Response:
    """An error, as Stripe words it; none of these is remembered under a key."""
    status, message, kind, code = {
        "rate": (429, "Request rate limit exceeded.", "invalid_request_error", "rate_limit"),
        "busy": (429, "This object cannot be accessed right now because another API request is accessing it.", "invalid_request_error", "lock_timeout"),
        "refused": (401, "Invalid API Key provided.", "invalid_request_error", None),
        "unavailable": (503, "Stripe is currently unavailable.", "api_error", None),
    }[fault.name]  # fmt: skip
    answer = _error(status, message, kind, code)
    if fault.seconds:
        answer.headers["Retry-After"] = f"{fault.seconds:g}"
    return answer


def _error(status: int, message: str, kind: str, code: str | None = None) -> web.Response:
    return web.json_response(_problem(message, kind, code), status=status)


def _problem(
    message: str, kind: str, code: str | None = None, *, intent: dict[str, Any] | None = None
) -> dict[str, Any]:
    error: dict[str, Any] = {"message": message, "type": kind}
    error |= {"code": code} if code else {}
    error |= {"payment_intent": intent} if intent else {}
    return {"error": error}
