"""The guard of the port with routes of each sort behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from bellhand.api.status import StatusPort
from bellhand.callers import Callers, caller_of, needs, require
from bellhand.db import Database
from bellhand.look import Look
from bellhand.settings import Status
from ports import Client, client_of


@needs("enqueue")
async def enqueues(request: web.Request) -> web.Response:
    return web.json_response(caller_of(request).actor)


async def changes(request: web.Request) -> web.Response:
    return web.json_response(caller_of(request).name)


async def rules(request: web.Request) -> web.Response:
    return web.json_response(require(request, "admin").name)


async def slow(request: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    raise AssertionError


async def reads(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def moved(request: web.Request) -> web.Response:
    raise web.HTTPSeeOther("/reads")


ROUTES = [
    web.post("/enqueues", enqueues), web.get("/reads", changes), web.post("/changes", changes), web.get("/rules", rules),
    web.get("/moved", moved), web.get("/slow", needs("read", seconds=0.1)(slow)), web.post("/body", needs("read", seconds=0.3)(reads)),
]  # fmt: skip


@asynccontextmanager
async def guarded(dsn: str, **settings: Any) -> AsyncIterator[Client]:
    """The guard with routes of each sort behind it."""
    database = Database(dsn, connect_seconds=2)
    given = Status(**({"port": 0} | settings))
    token = given.token.get_secret_value() if given.token else None
    known = Callers(Look(database), token, asyncio.get_running_loop().time)
    served = StatusPort(given, known, ROUTES)
    await served.start()
    try:
        async with client_of(served.port) as client:
            yield client
    finally:
        await served.stop()
        for link in database.links:
            link.drop()
