"""The client of Stripe and its stand-in: shapes as Stripe's own, idempotency keys as Stripe honours them."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import web

from bellhand.clients.errors import ServiceError
from bellhand.clients.payments import Intent
from bellhand.clients.services import Services
from bellhand.dev.standins.server import StandIns
from bellhand.outcomes import Snooze
from outside import _impatient, outside, sections, services, stand_ins, usage
from support import eventually
from websites import serving

CARD = {"payment_method": "pm_card_visa", "return_url": None}


def bill(amount: int = 1099, key: str = "k1") -> dict[str, Any]:
    return {
        "amount": amount, "currency": "eur", "customer": None, "description": None, "redirects": False, "metadata": {}, "key": key,
    }  # fmt: skip


def resources(test_data: Path) -> dict[str, Any]:
    return json.loads((test_data / "crm" / "stripe-fixtures3.json").read_text())["resources"]


async def test_the_stand_in_answers_in_stripes_shapes(
    outside: Services, stand_ins: StandIns, test_data: Path
) -> None:
    made = await outside.payments.create(**bill())
    await outside.payments.confirm(made.id, **CARD, key="k2")
    ((_, ours),) = stand_ins.stripe.intents.items()
    theirs = resources(test_data)["payment_intent"]
    assert set(ours) <= set(theirs)
    assert set(theirs) - set(ours) <= {"customer_account", "excluded_payment_method_types", "managed_payments"}  # fmt: skip
    for name, value in ours.items():
        if value is not None and theirs[name] is not None:
            assert type(value) is type(theirs[name]), name


async def test_a_refund_has_stripes_shape_and_is_found_again(
    outside: Services, stand_ins: StandIns, test_data: Path
) -> None:
    made = await outside.payments.create(**bill())
    await outside.payments.confirm(made.id, **CARD, key="k2")
    back = await outside.payments.refund(made.id, amount=99, metadata={"n": "1"}, key="k3")
    assert (back.status, back.amount, back.metadata) == ("succeeded", 99, {"n": "1"})
    assert await outside.payments.refunds(made.id) == [back]
    assert await outside.payments.refunds("pi_of_somebody_else") == []
    ((_, ours),) = stand_ins.stripe.refunds.items()
    theirs = resources(test_data)["refund"]
    assert set(ours) <= set(theirs)
    for name, value in ours.items():
        if value is not None and theirs[name] is not None:
            assert type(value) is type(theirs[name]), name


async def test_stripes_own_example_is_read(dsn: str, test_data: Path) -> None:
    theirs = resources(test_data)["payment_intent"]

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(theirs)

    async with (
        serving(("/v1/payment_intents/{id}", answer)) as port,
        services(dsn, sections(port)) as outside,
    ):
        found = await outside.payments.retrieve(theirs["id"])
    assert found == Intent(theirs["id"], "requires_payment_method", 1099, "usd", False)


async def test_a_key_makes_it_one_request_however_often_it_is_sent(
    outside: Services, stand_ins: StandIns, conn: asyncpg.Connection
) -> None:
    first = await outside.payments.create(**bill())
    assert await outside.payments.create(**bill()) == first
    assert len(stand_ins.stripe.intents) == 1
    with pytest.raises(ServiceError, match="the key stands for another payment") as caught:
        await outside.payments.create(**bill(amount=500))
    assert (caught.value.code, caught.value.retryable) == ("bad_request", False)
    paid = await outside.payments.confirm(first.id, **CARD, key="k2")
    assert paid.status == "succeeded"
    assert await outside.payments.confirm(first.id, **CARD, key="k2") == paid
    # With another key Stripe tells how it stands instead.
    assert await outside.payments.confirm(first.id, **CARD, key="k3") == paid
    assert await outside.payments.cancel(first.id, key="k4") == paid
    assert stand_ins.stripe.charges == [first.id]
    counted = {row["operation"]: (row["calls"], row["failures"]) for row in await usage(conn)}
    assert counted == {"create": (3, 1), "confirm": (3, 0), "cancel": (1, 0)}


async def test_two_requests_with_one_key_at_the_same_time_are_one(
    outside: Services, stand_ins: StandIns
) -> None:
    """The second gets a 409, and its job comes again later."""
    stand_ins.faults.set("stripe", "slow", seconds=1.5)
    first = asyncio.create_task(outside.payments.create(**bill()))
    await eventually(lambda: stand_ins.asked("stripe"))
    with pytest.raises(Snooze, match="it is busy with the same payment"):
        await outside.payments.create(**bill())
    made = await first
    assert await outside.payments.create(**bill()) == made
    assert len(stand_ins.stripe.intents) == 1


async def test_a_declined_card_is_an_answer_and_no_fault_of_the_service(
    outside: Services, stand_ins: StandIns
) -> None:
    made = await outside.payments.create(**bill())
    stand_ins.faults.set("stripe", "declined")
    told = await outside.payments.confirm(made.id, **CARD, key="k2")
    assert (told.status, told.code, told.decline_code) == ("requires_payment_method", "card_declined", "generic_decline")  # fmt: skip
    assert told.message == "Your card was declined."
    assert (await outside.payments.retrieve(made.id)).code == "card_declined"


@pytest.mark.parametrize(
    ("fault", "code", "tries"),
    [("error", "unavailable", 3), ("unavailable", "unavailable", 3), ("reset", "connect", 3), ("truncated", "bad_answer", 3),
     ("malformed", "bad_answer", 3), ("moved", "bad_answer", 1)],
)  # fmt: skip
async def test_each_fault_is_told_by_its_code(
    outside: Services, stand_ins: StandIns, fault: str, code: str, tries: int
) -> None:
    stand_ins.faults.set("stripe", fault, times=9)
    with pytest.raises(ServiceError) as caught:
        await outside.payments.retrieve("pi_1")
    assert caught.value.code == code
    assert len(stand_ins.asked("stripe")) == tries, "the package's own retries are off"


async def test_a_refused_key_and_a_rate_limit_let_jobs_wait(
    outside: Services, stand_ins: StandIns
) -> None:
    stand_ins.faults.set("stripe", "rate", times=3)
    with pytest.raises(Snooze, match="it asks for fewer calls"):
        await outside.payments.create(**bill())
    stand_ins.faults.set("stripe", "refused")
    with pytest.raises(Snooze, match="the key is refused"):
        await outside.payments.create(**bill())
