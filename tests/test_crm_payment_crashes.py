"""Never twice: whatever dies, breaks off or fails between us and Stripe, a payment is charged once."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import signal
from pathlib import Path

import asyncpg
import pytest

from bellhand.dev.standins.server import StandIns, served
from bellhand.families import crm
from bellhand.testing import Bellhand
from daemons import until
from outside import _impatient, sections, stand_ins
from payments import PATIENT, charge, charging, history, payer, payment
from processes import Fleet, fleet
from support import eventually

pytest_plugins = ["testing_fixtures"]

FORGET = "truncate bellhand_crm.payments, bellhand_crm.payment_events, bellhand_crm.refunds restart identity"


async def test_a_payment_is_crash_safe_at_every_step(desk: Bellhand) -> None:
    """S4-28: killed before, inside and after each step, and when the handler has returned."""

    async def paid() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(desk.dsn, timeout=10)
        try:
            rows = await connection.fetch("select key, state, intent_id, tries from bellhand_crm.payments")  # fmt: skip
            return [tuple(row) for row in rows]
        finally:
            await connection.close(timeout=5)

    async def forget() -> None:
        connection = await asyncpg.connect(desk.dsn, timeout=10)
        try:
            await connection.execute(FORGET)
        finally:
            await connection.close(timeout=5)

    connection = await asyncpg.connect(desk.dsn, timeout=10)
    await payer(connection)
    await connection.close(timeout=5)
    async with served() as stand_ins:
        account = stand_ins.stripe

        def reset() -> None:
            account.clear()
            asyncio.run(forget())

        def prove() -> None:
            desk.use(*(getattr(crm, name) for name in crm.__all__))
            desk.use_services(stripe=sections(stand_ins.port)["stripe"])
            desk.assert_crash_safe(
                "crm.process_payment", customerId="ann", key="invoice-1", amount=1099, currency="eur",
                effects=lambda: [list(account.charges), list(account.intents), asyncio.run(paid())], reset=reset,
            )  # fmt: skip

        await asyncio.to_thread(prove)
        assert account.charges == list(account.intents) != []


# What goes wrong with the first request, or with the second, which charges; how often, and where that leaves the job.
FAULTS = [
    ("reset", 1, ""), ("reset", 3, "retrying"), ("truncated", 1, ""), ("truncated", 3, "retrying"), ("malformed", 3, "retrying"),
    ("error", 1, "retrying"), ("unavailable", 1, ""), ("unavailable", 3, "retrying"), ("rate", 2, ""), ("rate", 3, "scheduled"),
    ("busy", 2, ""), ("slow", 1, "scheduled"),
]  # fmt: skip


@pytest.mark.parametrize("which", ["create", "confirm"])
async def test_whatever_breaks_it_is_charged_once(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns, which: str
) -> None:
    await payer(conn)
    faults = stand_ins.faults
    async with charging(dsn, stand_ins, seconds_max=1.5):
        for number, (fault, times, waits) in enumerate(FAULTS):
            key = f"{number} {fault}"
            if which == "confirm":
                faults.set("stripe", "slow", seconds=0)  # the first request, a little late
            faults.set("stripe", fault, times=times, seconds=2 if fault == "slow" else 0)
            id = await charge(conn, key)
            if waits:
                row = await until(conn, id, waits)
                assert row["attempts"] == (waits == "retrying"), (key, row["error"])
                if fault == "slow":  # it did happen, and while it does the same key is answered 409
                    await eventually(lambda: None not in [k.body for k in stand_ins.stripe.keys.values()])  # fmt: skip
                await conn.execute("select bellhand.run_now($1)", id)
            await until(conn, id, "completed")
            assert len(stand_ins.stripe.charges) == number + 1, key
            assert len(stand_ins.stripe.intents) == number + 1, f"{key}: the key was another one"
            assert (await payment(conn, key))["intent_id"] == stand_ins.stripe.charges[-1]


async def test_a_fault_that_stripe_repeats_for_a_day_does_not_stop_a_payment(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    """The answer to a key is kept, even a 500: the next attempt asks the same PaymentIntent with another key."""
    await payer(conn)
    async with charging(dsn, stand_ins):
        stand_ins.faults.set("stripe", "slow", seconds=0)
        stand_ins.faults.set("stripe", "error")
        row = await until(conn, await charge(conn), "retrying")
        assert "the service has a fault: An unknown error occurred (HTTP 500)" in row["error"]
        await conn.execute("select bellhand.run_now($1)", row["id"])
        await until(conn, row["id"], "completed")
    confirms = [one for one in stand_ins.asked("stripe") if one.path.endswith("/confirm")]
    assert len({one.path for one in confirms}) == 1
    keys = [one.headers["Idempotency-Key"] for one in confirms]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert (await payment(conn))["tries"] == 2


async def test_keys_that_stripe_has_forgotten_make_no_second_payment(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    """Keys live a day; a job that comes back later finds the PaymentIntent charged and says so."""
    await payer(conn)
    async with charging(dsn, stand_ins, retries_max=0):
        stand_ins.faults.set("stripe", "slow", seconds=0)
        stand_ins.faults.set("stripe", "reset")  # charged, and the answer lost
        id = await charge(conn)
        await until(conn, id, "retrying")
        assert len(stand_ins.stripe.charges) == 1
        stand_ins.stripe.keys.clear()
        await conn.execute("select bellhand.run_now($1)", id)
        await until(conn, id, "completed")
    assert len(stand_ins.stripe.charges) == len(stand_ins.stripe.intents) == 1


async def test_killed_between_the_charge_and_its_commit_it_is_found_paid(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns, fleet: Fleet
) -> None:
    """kill -9 of a real daemon while the answer of the bank is on its way into the ledger."""
    await payer(conn)
    stripe = sections(stand_ins.port)["stripe"]
    given = {
        "modules": ["bellhand.families.crm"],
        "services": {"allow_networks": ["127.0.0.0/8"]},
        "env": {f"BELLHAND_SERVICES__STRIPE__{name.upper()}": stripe[name] for name in ("base_url", "key")},
    }  # fmt: skip
    first = fleet.start(dsn, **given)
    await first.until("ready")
    stand_ins.faults.set("stripe", "slow", seconds=0)
    stand_ins.faults.set("stripe", "slow", seconds=2.5)
    other = await asyncpg.connect(dsn, timeout=10)
    try:
        id = await charge(conn)

        async def confirming() -> bool:
            return await history(conn) == ["new", "confirming"]

        await eventually(confirming)
        async with other.transaction():
            await other.execute("lock table bellhand_crm.payments in share mode")

            async def waits() -> bool:
                return await other.fetchval("select count(*) from pg_locks where not granted") > 0

            await eventually(waits)
            assert len(stand_ins.stripe.charges) == 1
            first.tell(signal.SIGKILL)
            await first.exit_code()
    finally:
        await other.close(timeout=5)
    second = fleet.start(dsn, **given)
    await second.until("ready")
    await until(conn, id, "completed")
    assert len(stand_ins.stripe.charges) == len(stand_ins.stripe.intents) == 1
    assert (await payment(conn))["state"] == "succeeded"
