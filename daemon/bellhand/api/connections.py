"""Connections to the port: so many at a time, and none that keeps us waiting for its first request."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import structlog
from aiohttp import web

log = structlog.get_logger()

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
SWEEP_SECONDS = 1.0


class Connections:
    """Makes the protocol of each connection: the server's, or one that turns it away.

    aiohttp closes connections that idle between requests, and waits for ever for the headers of the first one.
    """

    def __init__(self, server: web.Server, connections_max: int, header_seconds: float) -> None:
        self.server = server
        self.connections_max = connections_max
        self.header_seconds = header_seconds
        self._arriving: set[asyncio.BaseProtocol] = set()
        self._heard: set[asyncio.BaseProtocol] = set()
        self._silent: dict[Any, float] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    def protocol(self) -> asyncio.BaseProtocol:
        """For a connection that was just accepted."""
        if len(self._arriving.union(self.server.connections)) >= self.connections_max:
            return _Busy()
        # The server knows a connection only once it is made, a turn or two of the loop from now.
        arriving = self.server()
        self._arriving.add(arriving)
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._arriving.discard, arriving)
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep)
        return arriving

    def heard(self, connection: asyncio.BaseProtocol) -> None:
        """A whole request came over it."""
        self._heard.add(connection)

    def stop(self) -> None:
        """No more sweeps."""
        if self._sweeping is not None:
            self._sweeping.cancel()

    def _sweep(self) -> None:
        """Drops connections whose first request did not come in time."""
        loop = asyncio.get_running_loop()
        now, live = loop.time(), set(self.server.connections)
        self._heard &= live
        self._silent = {one: self._silent.get(one, now) for one in live - self._heard}
        for one, since in self._silent.items():
            if now - since >= self.header_seconds and one.transport is not None:
                one.transport.abort()
        self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep) if live else None


class Murmur:
    """What aiohttp has to say of requests that are none: anybody can send those, so they must not fill the log."""

    def debug(self, message: str, *arguments: object, **more: Any) -> None:
        log.debug("no_request", note=message % arguments, error=str(more.get("exc_info") or ""))

    exception = debug


class _Busy(asyncio.Protocol):
    """Turns a connection away when there are too many: the daemon needs its file handles."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it
        transport.write(BUSY)
        transport.close()
