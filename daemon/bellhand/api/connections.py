"""Connections to the port: so many at a time, none that keeps us waiting for its first request, and an answer in our form to what
is no request at all."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any, cast

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import LineTooLong

from bellhand import __version__
from bellhand.problems import CONTENT_TYPE, HttpProblem

log = structlog.get_logger()

SWEEP_SECONDS = 1.0
LINE_BYTES_MAX, HEADER_BYTES_MAX = 8000, 8192  # two numbers, so that an error says which it was
HEADERS_MAX = 64
KEEP_ALIVE_SECONDS = 75.0
DETAIL_CHARS_MAX = 200
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
FIXED = {"Server": f"bellhand/{__version__}", "X-Content-Type-Options": "nosniff"}


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
        loop = asyncio.get_running_loop()
        arriving = _Connection(self.server, loop=loop, **OPTIONS)
        self._arriving.add(arriving)
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
                one.transport.write(_raw(HttpProblem("request-timeout")))
                one.transport.close()
        self._sweeping = loop.call_later(SWEEP_SECONDS, self._sweep) if live else None


class Murmur:
    """What aiohttp has to say of requests that are none: anybody can send those, so they must not fill the log."""

    def debug(self, message: str, *arguments: object, **more: Any) -> None:
        log.debug("no_request", note=message % arguments, error=str(more.get("exc_info") or ""))

    exception = debug


OPTIONS: dict[str, Any] = {
    "access_log": None, "logger": Murmur(), "keepalive_timeout": KEEP_ALIVE_SECONDS, "lingering_time": 0,
    "max_line_size": LINE_BYTES_MAX, "max_field_size": HEADER_BYTES_MAX, "max_headers": HEADERS_MAX,
}  # fmt: skip


class _Connection(web.RequestHandler):
    """aiohttp's, which answers what never reaches a route as plain text: here it is a problem document too."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:  # fmt: skip
        """The answer to what cannot be read as a request; ConnectionError if another answer is under way."""
        super().handle_error(request, status, exc, message)
        response = _unreadable(exc, message).response("")
        response.headers.update(HEADERS | FIXED)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends an answer; what aiohttp raised before any route was asked is told as a problem."""
        if isinstance(resp, web.HTTPExpectationFailed):
            resp = HttpProblem("expectation-failed", detail=resp.text or "").response(request.path)
        return await super().finish_response(request, resp, start_time)


def _unreadable(error: BaseException | None, message: str | None) -> HttpProblem:
    if isinstance(error, LineTooLong):
        line, bytes_max = error.args[:2]
        detail = f"more than {bytes_max} bytes, beginning {bytes(line[:50])!r}"
        if bytes_max == LINE_BYTES_MAX:
            return HttpProblem("line-too-long", detail=detail)
        return HttpProblem("headers-too-large", detail=detail)
    said = " ".join((message or "").split())
    if said.startswith("Too many headers"):
        return HttpProblem("headers-too-large", detail=f"more than {HEADERS_MAX} headers")
    return HttpProblem("bad-request", detail=said[:DETAIL_CHARS_MAX])


def _raw(problem: HttpProblem) -> bytes:
    """The problem as a whole answer, for where there is no request to answer; the connection ends with it."""
    body = json.dumps(problem.body("")).encode()
    status = HTTPStatus(problem.status)
    lines = {
        hdrs.CONTENT_TYPE: f"{CONTENT_TYPE}; charset=utf-8", hdrs.CONTENT_LENGTH: len(body), hdrs.CONNECTION: "close",
        **HEADERS, **FIXED, **problem.headers,
    }  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{head}\r\n".encode() + body


class _Busy(asyncio.Protocol):
    """Turns a connection away when there are too many: the daemon needs its file handles."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it
        transport.write(_raw(HttpProblem("too-many-connections", headers={"Retry-After": "1"})))
        transport.close()
