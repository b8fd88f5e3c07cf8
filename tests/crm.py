"""What the tests of the crm family share: customers, a daemon that mails to a real server, jobs and the ledger."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from bellhand.app import Daemon
from bellhand.families import crm
from daemons import at_work, insert
from mailserver import MailServer

KINDS = tuple(getattr(crm, name) for name in crm.__all__)
UNSUBSCRIBE = "https://shop.example.com/newsletter/unsubscribe?customer={token}"


@asynccontextmanager
async def mailing(dsn: str, server: MailServer, **sections: Any) -> AsyncIterator[Daemon]:
    async with at_work(dsn, *KINDS, mail=server.settings(), **sections) as daemon:
        yield daemon


async def no_quiet(conn: asyncpg.Connection) -> None:
    """A policy under which mail goes out at any hour."""
    await conn.execute(
        "update bellhand_crm.policy set quiet_from = '00:00', quiet_until = '00:00', unsubscribe_url = $1, postal_address = 'Acme, 1 High Street'",
        UNSUBSCRIBE,
    )


async def put(conn: asyncpg.Connection, table: str, **columns: Any) -> str:
    places = ", ".join(f"${i + 1}" for i in range(len(columns)))
    names = ", ".join(columns)
    return await conn.fetchval(
        f"insert into bellhand_crm.{table} ({names}) values ({places}) returning id",
        *columns.values(),
    )


async def customer(conn: asyncpg.Connection, id: str, **columns: Any) -> str:
    """One with an address, who takes promotional mail."""
    return await put(
        conn,
        "customers",
        **({"id": id, "email": f"{id}@example.com", "consent": True} | columns),
    )


async def promotion(conn: asyncpg.Connection, id: str, **columns: Any) -> str:
    given = {"id": id, "subject": "Half price", "body": "Only this week."}
    return await put(conn, "promotions", **(given | columns))


async def ask(conn: asyncpg.Connection, verb: str, **payload: Any) -> int:
    return await insert(conn, f"crm.{verb}", json.dumps(payload))


async def promote(conn: asyncpg.Connection, who: str, what: str) -> int:
    return await ask(conn, "send_promotion", customerId=who, promotionId=what)


async def remind(conn: asyncpg.Connection, who: str, **more: Any) -> int:
    return await ask(
        conn,
        "send_reminder",
        **({"customerId": who, "subject": "Tuesday", "message": "At ten."} | more),
    )


async def job(conn: asyncpg.Connection, id: int) -> asyncpg.Record:
    row = await conn.fetchrow("select * from bellhand.all_jobs where id = $1", id)
    assert row is not None
    return row


async def ledger(conn: asyncpg.Connection) -> list[asyncpg.Record]:
    return await conn.fetch("select * from bellhand_crm.messages order by id")
