"""Payments behind Stripe's API, through the `stripe` package: made, confirmed, looked at, called off, given back.

What is sent and read goes through stripe_wire.py, which is imported when first needed: the package is large.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import structlog

from .answers import body_of, refused, text
from .errors import ServiceError
from .service import Service
from .usage import NOTHING
from .wire import Answer, Request

if TYPE_CHECKING:
    from .stripe_wire import StripeWire

log = structlog.get_logger()

NAME = "stripe"
BUSY_CODES = ("lock_timeout", "idempotency_key_in_use")


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment as Stripe has it: a PaymentIntent, which can be charged once at most.

    `status` is Stripe's: requires_confirmation, requires_payment_method (none, or declined: then `code` and `decline_code` say
    why, and `message` says it to people), requires_action (the customer has to visit `action_url`), processing, succeeded,
    canceled. `amount` is in the currency's smallest unit; `live` is false in test mode.
    """

    id: str
    status: str
    amount: int
    currency: str
    live: bool
    action_url: str | None = None
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back; `status` is Stripe's: pending, requires_action, succeeded, failed, canceled; `metadata` is what it was made with."""

    id: str
    status: str
    amount: int
    metadata: Mapping[str, str]


class Payments:
    """Calls about payments; see Service.ask for what they raise.

    Each call that changes something takes an idempotency key: with the same key and parameters it happens once, however often
    it is asked for within a day. A declined card is no error but an Intent that says so.
    """

    def __init__(self, service: Service, base_url: str) -> None:
        self.service = service
        self._base_url = base_url
        self._opening = asyncio.Lock()
        self._wire: StripeWire | None = None
        self._live: bool | None = None  # as the last one that was made

    def take(self, base_url: str) -> None:
        """Ask there from now on; what is under way ends where it began."""
        if base_url != self._base_url:
            self._wire = None  # it holds no connection: requests leave by our Service
        self._base_url = base_url

    async def close(self) -> None:
        """Close the connections."""
        await self.service.close()

    async def create(
        self,
        *,
        amount: int,
        currency: str,
        customer: str | None,
        description: str | None,
        redirects: bool,
        metadata: Mapping[str, str],
        key: str,
    ) -> Intent:
        """A payment that charges nobody until it is confirmed; `redirects`: it may send the customer elsewhere."""
        params: dict[str, Any] = {
            "amount": amount,
            "currency": currency,
            "automatic_payment_methods": {
                "enabled": True,
                "allow_redirects": "always" if redirects else "never",
            },
            "metadata": dict(metadata),
        }
        params |= {"customer": customer} if customer else {}
        params |= {"description": description} if description else {}
        made = await (await self._open()).create(params, key)
        if made.live is not self._live:
            self._live = made.live
            note = "real money" if made.live else "test mode, no money moves"
            log.info("payments_mode", live=made.live, note=note)
        return made

    async def confirm(
        self, intent_id: str, *, payment_method: str, return_url: str | None, key: str
    ) -> Intent:
        """Charge it. With `return_url` the customer is at hand and may be asked to confirm; without, their bank's wish to ask
        them declines it (authentication_required).
        """
        params: dict[str, Any] = {"payment_method": payment_method}
        params |= {"return_url": return_url} if return_url else {"off_session": True}
        return await (await self._open()).confirm(intent_id, params, key)

    async def retrieve(self, intent_id: str) -> Intent:
        """Where it stands."""
        return await (await self._open()).retrieve(intent_id)

    async def cancel(self, intent_id: str, *, key: str) -> Intent:
        """Call it off, unless it has succeeded meanwhile: the Intent tells."""
        return await (await self._open()).cancel(intent_id, key)

    async def refund(
        self, intent_id: str, *, amount: int, metadata: Mapping[str, str], key: str
    ) -> Refund:
        """Give `amount` of a payment back."""
        return await (await self._open()).refund(intent_id, amount, dict(metadata), key)

    async def refunds(self, intent_id: str) -> list[Refund]:
        """What of a payment is on its way back or there: at most the last hundred."""
        return await (await self._open()).refunds(intent_id)

    async def _open(self) -> StripeWire:
        async with self._opening:
            if self._wire is None:
                module = await asyncio.to_thread(import_module, ".stripe_wire", __package__)
                self._wire = module.StripeWire(self._send, self._base_url)
            return cast("StripeWire", self._wire)

    async def _send(self, operation: str, request: Request) -> Answer:
        """One request of the package's, by our Service."""
        return await self.service.ask(
            operation, request, lambda answer: _read(operation, answer), NOTHING
        )


Send = Callable[[str, Request], Awaitable[Answer]]


def sign(key: str) -> tuple[dict[str, str], dict[str, str]]:
    """The key goes into a header."""
    return {"Authorization": f"Bearer {key}"}, {}


def _read(operation: str, answer: Answer) -> Answer:
    """The answer, if it says how the payment stands; else what it means for us and for everybody."""
    body = body_of(NAME, answer)
    if answer.status == 200:
        if operation == "refunds":
            if not isinstance(body.get("data"), list):
                raise stripe_error("bad_answer", "the answer is no list", "", retryable=True)
        elif not isinstance(body.get("id"), str) or not isinstance(body.get("status"), str):
            raise stripe_error("bad_answer", "the answer is no payment", "", retryable=True)
        return answer
    told = body.get("error")
    told = told if isinstance(told, dict) else {}
    if answer.status == 402 or isinstance(told.get("payment_intent"), dict):
        return answer
    message, code = text(told.get("message")) or "", text(told.get("code")) or ""
    if told.get("type") == "idempotency_error" and answer.status == 400:
        why = f"{message} (HTTP 400)"
        raise stripe_error("bad_request", "the key stands for another payment", why)
    if answer.status == 409 or code in BUSY_CODES:
        why = f"{message} (HTTP {answer.status})"
        raise stripe_error("rate_limited", "it is busy with the same payment", why, retryable=True)
    raise refused(NAME, answer, message)


def stripe_error(code: str, what: str, why: str, *, retryable: bool = False) -> ServiceError:
    """A ServiceError of this service."""
    return ServiceError(code, what, why, service=NAME, retryable=retryable)
