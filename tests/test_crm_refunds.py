"""Refunds: each once, never more than was paid, whatever breaks."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
from typing import Any

import asyncpg
import pytest

from bellhand.dev.standins.server import StandIns
from crm import ask, job
from daemons import until
from outside import _impatient, stand_ins
from payments import charge, charging, payer


async def refund(conn: asyncpg.Connection, payment: str = "invoice-1", **more: Any) -> int:
    return await ask(conn, "refund_payment", paymentKey=payment, **more)


async def ledger(conn: asyncpg.Connection) -> list[tuple[Any, ...]]:
    rows = await conn.fetch("select key, amount, state from bellhand_crm.refunds order by id")
    return [tuple(row) for row in rows]


def given_back(stand_ins: StandIns) -> list[int]:
    return [one["amount"] for one in stand_ins.stripe.refunds.values()]


async def test_a_payment_is_given_back_once_whatever_jobs_ask_and_never_more_than_it_was(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    await payer(conn)
    async with charging(dsn, stand_ins):
        await until(conn, await charge(conn), "completed")
        row = await until(conn, await refund(conn, key="part", amount=300), "completed")
        assert json.loads(row["result"]) == {
            "refund_id": 1, "key": "part", "amount": 300, "state": "succeeded", "refunded": True,
        }  # fmt: skip
        again = await until(conn, await refund(conn, key="part", amount=300), "completed")
        assert json.loads(again["result"])["refunded"] is False
        for _ in range(3):
            await until(conn, await refund(conn), "completed")
        await until(conn, await charge(conn, "other"), "completed")
        await until(conn, await charge(conn, "poor", paymentMethod="pm_card_visa_chargeDeclined"), "failed")  # fmt: skip
        for why, payment, more in (
            ("there is no payment nothing", "nothing", {}),
            ("payment poor is declined: only what was paid can be given back", "poor", {}),
            ("0 of payment invoice-1 is left to give back", "invoice-1", {"key": "more"}),
            ("1099 of payment other is left to give back", "other", {"amount": 1100}),
            ("refund part is 300 of payment invoice-1, and this job wants 301 of", "invoice-1", {"key": "part", "amount": 301}),
            ("and this job wants the rest of payment other", "other", {"key": "part"}),
        ):  # fmt: skip
            row = await until(conn, await refund(conn, payment, **more), "failed")
            assert why in row["error"]
    assert given_back(stand_ins) == [300, 799]
    assert await ledger(conn) == [("part", 300, "succeeded"), ("invoice-1", 799, "succeeded")]


@pytest.mark.parametrize("fault", ["reset", "truncated", "unavailable", "error"])
async def test_whatever_breaks_and_however_late_it_is_given_back_once(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns, fault: str
) -> None:
    """Stripe has forgotten the key when the job comes back, and would give the part back once more."""
    await payer(conn)
    async with charging(dsn, stand_ins, retries_max=0):
        await until(conn, await charge(conn), "completed")
        stand_ins.faults.set("stripe", fault)
        id = await refund(conn, amount=300)
        await until(conn, id, "retrying")
        assert len(given_back(stand_ins)) == (fault in ("reset", "truncated"))
        stand_ins.stripe.keys.clear()
        await conn.execute("select bellhand.run_now($1)", id)
        await until(conn, id, "completed")
    assert given_back(stand_ins) == [300]
    assert await ledger(conn) == [("invoice-1", 300, "succeeded")]


async def test_what_stripe_refuses_is_written_down_and_can_be_asked_for_anew(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    await payer(conn)
    async with charging(dsn, stand_ins):
        await until(conn, await charge(conn), "completed")
        (intent,) = stand_ins.stripe.intents.values()
        intent["status"] = "processing"  # a dispute, say
        row = await until(conn, await refund(conn), "failed")
        assert "does not have a successful charge to refund" in row["error"]
        assert (await job(conn, row["id"]))["attempts"] == 1
        assert await ledger(conn) == [("invoice-1", 1099, "failed")]
        intent["status"] = "succeeded"
        await conn.execute("select bellhand.retry($1)", row["id"])
        await until(conn, row["id"], "completed")
    assert given_back(stand_ins) == [1099]
