"""Who follows a stream over HTTP, for as long as he may."""

import asyncio

import aiohttp
import asyncpg
import pytest
from pydantic import SecretStr

from bellhand import callers
from desk import Desk
from ports import make, of, whole
from test_status import TOKEN

SECONDS = 30


async def ended(answer: aiohttp.ClientResponse) -> None:
    """Read until its connection is closed."""
    try:
        while await answer.content.readany():
            pass
    except aiohttp.ClientPayloadError:
        pass  # in the middle of a stream


async def test_a_stream_ends_when_its_token_was_revoked_or_has_expired(
    dsn: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it was open it told of everything for as long as it lasted."""
    assert callers.STREAM_SECONDS + callers.FRESH_SECONDS <= 7
    monkeypatch.setattr(callers, "STREAM_SECONDS", 0.1)
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0.1)
    desk = Desk(conn)
    await desk.publish("a")
    job = await desk.insert("a")
    tokens = {name: await make(conn, name, "read") for name in ("revoked", "expired", "good")}
    async with whole(dsn, token=SecretStr(TOKEN)) as port:

        async def following(name: str, path: str) -> aiohttp.ClientResponse:
            headers = of(tokens[name]) | {"Accept": "text/event-stream"}
            answer = await port.session.get(port.base + path, headers=headers)
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
            return answer

        paths = ("/v1/events", f"/v1/jobs/{job}/events", f"/v1/jobs/{job}/logs")
        gone = [await following(name, path) for name in ("revoked", "expired") for path in paths]
        good = await following("good", "/v1/events")
        await conn.execute("select bellhand.revoke_token('revoked')")
        await conn.execute("update bellhand.tokens set expires_at = bellhand.now() - interval '1 second' where name = 'expired'")  # fmt: skip
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*[ended(answer) for answer in gone])
            await conn.execute("select bellhand.pause_lane('default')")
            async for line in good.content:
                if line == b"event: lane.paused\n":
                    break
        assert await port.status("/v1/jobs", headers=of(tokens["revoked"])) == 401
        good.close()
