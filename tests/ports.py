"""The port of a daemon for tests, with its guard and all that is served there, and who asks it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncpg

from bellhand.callers import digest, new_token
from bellhand.db import Database
from bellhand.settings import Status
from bellhand.surfaces import status_port
from test_status import WELL

Given = dict[str, str] | None


class Nothing:
    """Metrics of nothing."""

    def render(self) -> bytes:
        return b""

    def follow(self, followers: Callable[[], int]) -> None: ...

    def answered(self, route: str, method: str, code: int, seconds: float | None) -> None: ...


class Client:
    """Requests to a port, each with what it is told to bring."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.session = session

    async def ask(
        self, path: str, method: str = "GET", headers: Given = None, **kind: Any
    ) -> tuple[int, Any, Any]:
        async with self.session.request(
            method, self.base + path, headers=headers, allow_redirects=False, **kind
        ) as said:
            text = await said.text()
            told = json.loads(text) if "json" in said.content_type else text
            return said.status, told, said.headers

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """A JSON body."""
        return await self.ask(path, "POST", headers, json=body)

    async def status(self, path: str, method: str = "GET", headers: Given = None) -> int:
        return (await self.ask(path, method, headers))[0]


def of(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@asynccontextmanager
async def client_of(port: int) -> AsyncIterator[Client]:
    """Requests to a port that somebody else serves."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Client(port, session)


@asynccontextmanager
async def whole(dsn: str, **settings: Any) -> AsyncIterator[Client]:
    """The port as a daemon has it."""
    database = Database(dsn, connect_seconds=2)
    served = status_port(Status(**({"port": 0} | settings)), Nothing(), lambda: WELL, database)
    await served.start()
    try:
        async with client_of(served.port) as client:
            yield client
    finally:
        await served.stop()
        for link in database.links:
            link.drop()


async def make(
    conn: asyncpg.Connection, name: str, *scopes: str, seconds: float | None = None
) -> str:
    token = new_token()
    await conn.execute(
        "select bellhand.create_token($1, $2, $3, $4)", name, scopes, digest(token), seconds
    )
    return token
