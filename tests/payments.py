"""What the tests of payments share: customers who pay by card, jobs that charge them, the ledger."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from bellhand.app import Daemon
from bellhand.dev.standins.server import StandIns
from crm import KINDS, ask, put
from daemons import at_work
from outside import sections

CARD = "pm_card_visa"
PATIENT = {"breaker_failures": 1000, "rate_per_second": None}


@asynccontextmanager
async def charging(dsn: str, stand_ins: StandIns, **stripe: Any) -> AsyncIterator[Daemon]:
    """A daemon with our Stripe; `stripe` changes its settings."""
    services = sections(stand_ins.port)
    services["stripe"] |= PATIENT | stripe
    async with at_work(dsn, *KINDS, services=services) as daemon:
        yield daemon


async def payer(conn: asyncpg.Connection, id: str = "ann", **columns: Any) -> str:
    given = {"id": id, "payment_customer": f"cus_{id}", "payment_method": CARD}
    return await put(conn, "customers", **(given | columns))


async def charge(conn: asyncpg.Connection, key: str = "invoice-1", **more: Any) -> int:
    """A job that charges ann 10.99 euros."""
    given = {"customerId": "ann", "key": key, "amount": 1099, "currency": "EUR"}
    return await ask(conn, "process_payment", **(given | more))


async def payment(conn: asyncpg.Connection, key: str = "invoice-1") -> asyncpg.Record:
    row = await conn.fetchrow("select * from bellhand_crm.payments where key = $1", key)
    assert row is not None
    return row


async def history(conn: asyncpg.Connection, key: str = "invoice-1") -> list[str]:
    """The states that a payment went through."""
    rows = await conn.fetch(
        "select e.state from bellhand_crm.payment_events e join bellhand_crm.payments p on p.id = e.payment_id"
        " where p.key = $1 order by e.id",
        key,
    )
    return [row["state"] for row in rows]
