"""The `stripe` package with our transport under it: it speaks the protocol, Service sends.

Its own retries and telemetry are off, and no request leaves by its HTTP client: rate, breaker, retries, guard, size and accounting
are those of every other service.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import stripe

from .payments import Intent, Refund, Send, stripe_error
from .wire import Request

LISTED_MAX = 100
SENT_HEADERS = ("Content-Type", "Idempotency-Key", "Stripe-Version")
# By how a path ends, and the method; what it is called in metrics and in bellhand.usage.
OPERATIONS = {
    ("post", "payment_intents"): "create",
    ("post", "confirm"): "confirm",
    ("post", "cancel"): "cancel",
    ("post", "refunds"): "refund",
    ("get", "refunds"): "refunds",
}

# It writes a file into the user's home, and tells Stripe of it.
stripe.enable_telemetry = False


class StripeWire:
    """Typed requests to one base address; `send` takes the operation and the request."""

    def __init__(self, send: Send, base_url: str) -> None:
        self._client = stripe.StripeClient(
            "of no use: each request is signed with the key of the moment",
            base_addresses={"api": base_url},
            http_client=_Transport(send, base_url),
            max_network_retries=0,
        )

    async def create(self, params: dict[str, Any], key: str) -> Intent:
        """See Payments.create."""
        with _explained():
            options = {"idempotency_key": key}
            return _intent(await self._intents.create_async(params, options))

    async def confirm(self, intent_id: str, params: dict[str, Any], key: str) -> Intent:
        """See Payments.confirm."""
        with _explained():
            try:
                options = {"idempotency_key": key}
                return _intent(await self._intents.confirm_async(intent_id, params, options))
            except (stripe.CardError, stripe.InvalidRequestError) as error:
                return _refused(error)

    async def retrieve(self, intent_id: str) -> Intent:
        """See Payments.retrieve."""
        with _explained():
            return _intent(await self._intents.retrieve_async(intent_id))

    async def cancel(self, intent_id: str, key: str) -> Intent:
        """See Payments.cancel."""
        with _explained():
            try:
                options = {"idempotency_key": key}
                return _intent(await self._intents.cancel_async(intent_id, {}, options))
            except stripe.InvalidRequestError as error:
                return _refused(error)

    async def refund(
        self, intent_id: str, amount: int, metadata: dict[str, str], key: str
    ) -> Refund:
        """See Payments.refund."""
        with _explained():
            made = await self._client.v1.refunds.create_async(
                {"payment_intent": intent_id, "amount": amount, "metadata": metadata},
                {"idempotency_key": key},
            )
            return _refund(made)

    async def refunds(self, intent_id: str) -> list[Refund]:
        """See Payments.refunds."""
        with _explained():
            found = await self._client.v1.refunds.list_async(
                {"payment_intent": intent_id, "limit": LISTED_MAX}
            )
            return [_refund(one) for one in found.data]

    @property
    def _intents(self) -> Any:
        return self._client.v1.payment_intents


class _Transport(stripe.HTTPClient):
    """Hands to `send` what the package wants to send, its own key left out."""

    name = "bellhand"

    def __init__(self, send: Send, base_url: str) -> None:
        super().__init__()
        self._send = send
        self._base = base_url

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        asked = urlsplit(url.removeprefix(self._base))
        path, params = asked.path, dict(parse_qsl(asked.query))
        operation = OPERATIONS.get((method, path.rpartition("/")[2]), "retrieve")
        sent = {name: headers[name] for name in SENT_HEADERS if name in headers}
        body = post_data.encode() if isinstance(post_data, str) else None
        answer = await self._send(operation, Request(method.upper(), path, params, sent, body))
        return answer.body, answer.status, dict(answer.headers)


def _intent(found: Any, error: Any = None) -> Intent:
    """What the package made of a PaymentIntent; `error` is that of the answer, else of its last try."""
    error = error or getattr(found, "last_payment_error", None)
    action = getattr(found, "next_action", None)
    redirect = getattr(action, "redirect_to_url", None)
    return Intent(
        found.id, found.status, found.amount, found.currency, found.livemode,
        action_url=getattr(redirect, "url", None), code=getattr(error, "code", None),
        decline_code=getattr(error, "decline_code", None), message=getattr(error, "message", None),
    )  # fmt: skip


def _refund(made: Any) -> Refund:
    metadata = made.metadata.to_dict() if made.metadata else {}
    return Refund(made.id, made.status, made.amount, metadata)


def _refused(error: stripe.CardError | stripe.InvalidRequestError) -> Intent:
    """The payment that an answer speaks of which is none: declined, or further than was thought."""
    told: Any = error.error
    found = getattr(told, "payment_intent", None)
    if found is None:
        raise error
    declined = isinstance(error, stripe.CardError)
    return _intent(found, told if declined else None)


@contextmanager
def _explained() -> Iterator[None]:
    """What the package raises, as our own errors; ours pass through it."""
    try:
        yield
    except stripe.CardError as error:
        why = error.user_message or ""
        raise stripe_error("bad_request", "it refuses the payment", why) from None
    except (stripe.StripeError, AttributeError) as error:
        # An answer that lacks what every payment has is an AttributeError of the package's objects.
        what = "the answer cannot be used"
        raise stripe_error("bad_answer", what, type(error).__name__, retryable=True) from None
