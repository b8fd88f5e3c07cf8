"""Payments: each made once, and what becomes of those that the bank, the customer or Stripe does not want."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json

import aiohttp
import asyncpg
import pytest

from bellhand.dev.standins.server import StandIns
from crm import job
from daemons import until
from outside import _impatient, stand_ins
from payments import CARD, charge, charging, history, payer, payment
from support import eventually


async def test_a_payment_is_made_once_whatever_jobs_ask(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    """S4-01, S4-11: process_payment; the ledger, Stripe's side of it, and the mode."""
    await payer(conn)
    async with charging(dsn, stand_ins):
        row = await until(conn, await charge(conn, description="May"), "completed")
        many = [await charge(conn) for _ in range(5)]
        for one in many:
            again = await until(conn, one, "completed")
    result = json.loads(row["result"])
    ((id, intent),) = stand_ins.stripe.intents.items()
    assert result == {
        "payment_id": 1, "key": "invoice-1", "charged": True, "amount": 1099, "currency": "eur", "intent_id": id, "live": False,
    }  # fmt: skip
    assert stand_ins.stripe.charges == [id]
    assert (intent["customer"], intent["description"]) == ("cus_ann", "May")
    assert intent["metadata"] == {"bellhand_payment": "1", "bellhand_key": "invoice-1"}
    said = json.loads(again["result"])
    assert said["charged"] is False
    assert f"by job {row['id']}" in said["why"]
    assert await history(conn) == ["new", "confirming", "succeeded"]
    posts = [one.headers for one in stand_ins.asked("stripe") if one.body]
    assert len({one["Idempotency-Key"] for one in posts}) == len(posts) == 2
    assert all(one["Authorization"] == "Bearer sk_test_canary" for one in posts)


async def test_jobs_for_the_same_payment_at_the_same_time_make_one(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    await payer(conn)
    async with charging(dsn, stand_ins):
        jobs = [await charge(conn) for _ in range(20)]

        async def settled() -> bool:
            states = [(await job(conn, one))["state"] for one in jobs]
            return "completed" in states and set(states) <= {"completed", "scheduled"}

        await eventually(settled)
    assert len(stand_ins.stripe.intents) == len(stand_ins.stripe.charges) == 1


async def test_what_cannot_be_paid_says_why_and_charges_nobody(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    """S4-29: unknown customer, no card, a key that stands for something else, what Stripe refuses."""
    await payer(conn)
    await payer(conn, "bob", payment_customer="cus_none", payment_method=None)
    await payer(conn, "gone", deleted_at=await conn.fetchval("select bellhand.now()"))
    async with charging(dsn, stand_ins):
        await until(conn, await charge(conn, "paid"), "completed")
        for why, key, more in (
            ("there is no customer nobody", "a", {"customerId": "nobody"}),
            ("customer gone is deleted", "b", {"customerId": "gone"}),
            ("customer bob has no payment method", "c", {"customerId": "bob"}),
            ("payment paid is 1099 eur of customer ann, and this job wants 1100", "paid", {"amount": 1100}),
            ("and this job wants 1099 usd", "paid", {"currency": "usd"}),
            ("it refuses the question: No such customer: 'cus_none'", "d", {"customerId": "bob", "paymentMethod": CARD}),
            ("No such PaymentMethod: 'card'", "e", {"paymentMethod": "card"}),
            ("Amount must be at least", "f", {"amount": 1}),
        ):  # fmt: skip
            row = await until(conn, await charge(conn, key, **more), "failed")
            assert why in row["error"]
            assert (await job(conn, row["id"]))["attempts"] == 1, "nothing that helps to repeat"
        failed = await payment(conn, "d")
        # Put right, the same job can go on: no card has been tried.
        await conn.execute("update bellhand_crm.customers set payment_customer = null")
        await conn.execute("select bellhand.retry($1)", failed["job_id"])
        await until(conn, failed["job_id"], "completed")
    assert failed["state"] == "failed"
    assert "cus_none" in failed["said"]
    assert len(stand_ins.stripe.charges) == 2


async def test_a_declined_card_is_not_tried_again_by_itself(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    await payer(conn, payment_method="pm_card_visa_chargeDeclinedInsufficientFunds")
    async with charging(dsn, stand_ins):
        row = await until(conn, await charge(conn), "failed")
        assert "Your card has insufficient funds. (card_declined, insufficient_funds)" in row["error"]  # fmt: skip
        declined = await payment(conn)
        asked = len(stand_ins.asked("stripe"))
        await conn.execute("select bellhand.retry($1)", row["id"])
        again = await until(conn, row["id"], "failed")
        assert "insufficient funds" in again["error"]
        assert len(stand_ins.asked("stripe")) == asked
        other = await until(conn, await charge(conn, paymentMethod=CARD), "completed")
    assert (declined["state"], declined["decline_code"]) == ("declined", "insufficient_funds")
    assert declined["said"] == "Your card has insufficient funds."
    assert json.loads(other["result"])["charged"]
    assert len(stand_ins.stripe.charges) == 1
    assert await history(conn) == ["new", "confirming", "declined", "new", "confirming", "succeeded"]  # fmt: skip


async def test_a_bank_that_takes_its_time_is_asked_again(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    await payer(conn, payment_method="pm_usBankAccount_success")
    async with charging(dsn, stand_ins):
        id = await charge(conn)
        for _ in range(2):
            row = await until(conn, id, "scheduled")
            assert (await payment(conn))["state"] == "processing"
            assert row["attempts"] == 0
            assert "the bank takes its time" in row["error"]
            before = len(stand_ins.asked("stripe"))
            await conn.execute("select bellhand.run_now($1)", id)
            await eventually(lambda: len(stand_ins.asked("stripe")) > before)  # noqa: B023 (it is over before the next round)
        await until(conn, id, "completed")
    assert len(stand_ins.stripe.charges) == 1
    assert [one.path.rpartition("/")[2] for one in stand_ins.asked("stripe")].count("confirm") == 1


async def test_the_customer_confirms_it_by_a_link_or_it_is_called_off(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    """3-D Secure: the link is in the ledger, not in what is logged and shown of the job."""
    await payer(conn, payment_method="pm_card_authenticationRequired")
    back = "https://shop.example.com/thanks"
    async with charging(dsn, stand_ins):
        row = await until(conn, await charge(conn, "alone"), "failed")
        assert "requires authentication" in row["error"]
        first = await charge(conn, "one", returnUrl=back)
        second = await charge(conn, "two", returnUrl=back)
        for id in (first, second):
            row = await until(conn, id, "scheduled")
            assert "has to confirm it at the action_url of payment" in row["error"]
        url = (await payment(conn, "one"))["action_url"]
        assert url not in str(dict(row))
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, allow_redirects=False) as page,
        ):
            assert page.headers["Location"] == back
        await conn.execute(
            "update bellhand_crm.payments set action_at = action_at - interval '25 hours' where key = 'two'"
        )
        for id in (first, second):
            await conn.execute("select bellhand.run_now($1)", id)
        await until(conn, first, "completed")
        late = await until(conn, second, "failed")
        assert "called off, and nothing was charged" in late["error"]
    assert (await payment(conn, "one"))["action_url"] is None
    assert (await payment(conn, "two"))["state"] == "canceled"
    assert len(stand_ins.stripe.charges) == 1


async def test_a_key_for_tests_and_one_for_real_money_are_told_apart(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    await payer(conn)
    async with charging(dsn, stand_ins, key="sk_live_canary"):
        await until(conn, await charge(conn), "completed")
    assert (await payment(conn))["live"] is True


@pytest.mark.parametrize("role", ["producer", "reader"])
async def test_who_may_read_what_of_a_payment(conn: asyncpg.Connection, role: str) -> None:
    """The link that confirms a payment is for the app, not for whoever may look."""
    granted = await conn.fetch(
        "select column_name from information_schema.column_privileges where table_schema = 'bellhand_crm'"
        " and table_name = 'payments' and grantee = $1 and privilege_type = 'SELECT'",
        f"bellhand_{role}",
    )
    names = {row["column_name"] for row in granted}
    assert {"state", "said", "intent_id"} <= names
    assert ("action_url" in names) == (role == "producer")
    assert not await conn.fetchval(
        "select has_table_privilege($1, 'bellhand_crm.payments', 'update')", f"bellhand_{role}"
    )
