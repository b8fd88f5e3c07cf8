"""Clients of outside services on the test's database, for servers on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from bellhand.clients import service
from bellhand.clients.services import Services
from bellhand.db import Database
from bellhand.dev.standins.server import StandIns, served
from bellhand.settings_services import Services as Settings

KEYS = {
    "serpapi": "canary-serpapi",
    "places": "canary-places",
    "openai": "canary-openai",
    "stripe": "sk_test_canary",
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow one another in milliseconds; what the service asks for is waited for as always."""
    monkeypatch.setattr(service, "RETRY_FIRST_SECONDS", 0.01)


@pytest.fixture
async def stand_ins() -> AsyncIterator[StandIns]:
    """Stand-ins of all of them."""
    async with served() as running:
        yield running


@pytest.fixture
async def outside(dsn: str, stand_ins: StandIns) -> AsyncIterator[Services]:
    """A daemon's clients of these, which remember no answer."""
    async with services(dsn, sections(stand_ins.port, cache_seconds=0)) as made:
        yield made


def sections(port: int, **changes: Any) -> dict[str, Any]:
    """Settings of all services at this port of loopback, each with a key; `changes` go into all of them."""
    own = {name: {"key": key, **changes} for name, key in KEYS.items()}
    own["serpapi"] |= {"base_url": f"http://127.0.0.1:{port}"}
    own["places"] |= {"base_url": f"http://127.0.0.1:{port}/v1"}
    own["openai"] |= {"base_url": f"http://127.0.0.1:{port}/v1"}
    own["stripe"] |= {"base_url": f"http://127.0.0.1:{port}"}
    return {"allow_networks": ["127.0.0.0/8"], **own}


@asynccontextmanager
async def services(
    dsn: str, settings: dict[str, Any], *, random: float = 0.0, now: str | None = None
) -> AsyncIterator[Services]:
    """One daemon's clients; `random` is what chance always says, `now` stops its database's clock."""
    database = Database(dsn, settings={"bellhand.now": now} if now else {})
    made = Services(
        Settings(**settings),
        database=database,
        random=lambda: random,
        registry=CollectorRegistry(),
    )
    try:
        yield made
    finally:
        await made.close()
        for link in database.links:
            link.drop()


async def usage(conn: asyncpg.Connection) -> list[dict[str, Any]]:
    """What bellhand.usage says, without the day."""
    rows = await conn.fetch("select * from bellhand.usage order by service, operation, kind, owner")
    return [{k: v for k, v in row.items() if k != "day"} for row in rows]
