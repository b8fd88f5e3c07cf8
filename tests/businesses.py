"""Businesses, their jobs, and a daemon that checks them, for the tests of the sites family."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from bellhand.app import Daemon
from bellhand.families import sites
from daemons import at_work
from nameserver import names_served
from support import eventually

KINDS = (
    sites.validate_site,
    sites.collect_emails,
    sites.collect_phones,
    sites.collect_socials,
    sites.revalidate,
)


@asynccontextmanager
async def daemon(
    dsn: str, *ports: int, records: dict | None = None, browser: dict | None = None, **web: object
) -> AsyncIterator[Daemon]:
    """A daemon with the family, allowed to visit loopback at these ports; every domain has mail."""
    web_settings = {"ports": ports, "allow_networks": ("127.0.0.0/8",), "seconds_max": 5, **web}
    async with names_served(records) as (server, _):
        web_settings["dns_servers"] = (server,)
        async with at_work(dsn, *KINDS, web=web_settings, browser=browser or {}) as ours:
            yield ours


async def enter(conn: asyncpg.Connection, website: str | None, **columns: object) -> int:
    columns = {"website": website, **columns}
    names = ", ".join(columns)
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    return await conn.fetchval(
        f"insert into bellhand_sites.businesses ({names}) values ({places}) returning id",
        *columns.values(),
    )


async def business(conn: asyncpg.Connection, number: int) -> asyncpg.Record:
    return await conn.fetchrow("select * from bellhand_sites.businesses where id = $1", number)


async def jobs(conn: asyncpg.Connection) -> list[asyncpg.Record]:
    return await conn.fetch("select * from bellhand.all_jobs order by id")


async def all_over(conn: asyncpg.Connection, number: int) -> list[asyncpg.Record]:
    over = await eventually(lambda: _over(conn, number), 60, because=f"{number} jobs over")
    return over


async def _over(conn: asyncpg.Connection, number: int) -> list[asyncpg.Record] | None:
    rows = await jobs(conn)
    done = [row for row in rows if row["state"] in ("completed", "failed", "cancelled")]
    return rows if len(done) == len(rows) == number else None
