"""Server-sent events as a browser reads them, and what of them a test wants to know."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from support import eventually


@dataclass
class Said:
    """One event; `at` by the monotonic clock."""

    event: str
    data: Any
    id: str
    at: float


@dataclass
class Reader:
    """What one stream has said so far."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    last_id: str = ""
    retry_ms: int = 0
    beats: int = 0
    ended: bool = False

    def take(self, block: str, at: float) -> None:
        name, data = "message", []
        for line in block.split("\n"):
            word, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if word == "":
                self.beats += 1
            elif word == "id":
                self.last_id = value
            elif word == "event":
                name = value
            elif word == "data":
                data.append(value)
            elif word == "retry":
                self.retry_ms = int(value)
        if data:
            self.said.append(Said(name, json.loads("\n".join(data)), self.last_id, at))

    def names(self) -> list[str]:
        return [one.event for one in self.said]

    async def until(self, name: str, seconds: float = 30) -> Said:
        """The first event of that name, once it is there."""
        return await self.first(lambda one: one.event == name, seconds, name)

    async def first(
        self, wanted: Callable[[Said], bool], seconds: float = 30, what: str = ""
    ) -> Said:
        def found() -> Said | None:
            return next((one for one in self.said if wanted(one)), None)

        said = await eventually(found, seconds, because=f"no {what}: {self.names()}")
        assert said
        return said

    async def end(self, seconds: float = 30) -> None:
        await eventually(lambda: self.ended, seconds, because=f"it goes on: {self.names()}")


@asynccontextmanager
async def reading(
    session: aiohttp.ClientSession, url: str, *, last_id: str = "", **headers: str
) -> AsyncIterator[Reader]:
    """A stream that is read until the block is left, or it ends."""
    reader = Reader(last_id=last_id)
    given = {"Accept": "text/event-stream"} | {k.replace("_", "-"): v for k, v in headers.items()}
    given |= {"Last-Event-ID": last_id} if last_id else {}

    async def read() -> None:
        with suppress(aiohttp.ClientError, ConnectionError):
            async with session.get(
                url, headers=given, timeout=aiohttp.ClientTimeout(None)
            ) as answer:
                reader.headers = dict(answer.headers)
                reader.status = answer.status
                rest = ""
                async for chunk in answer.content.iter_any():
                    rest += chunk.decode()
                    *blocks, rest = rest.split("\n\n")
                    for block in blocks:
                        reader.take(block, time.monotonic())
        reader.ended = True

    task = asyncio.create_task(read())
    try:
        await eventually(lambda: reader.status or reader.ended, because="no answer")
        yield reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
