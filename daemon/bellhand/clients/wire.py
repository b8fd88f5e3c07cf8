"""HTTP to one outside service: guarded addresses, bounded time and bytes, no redirects, no key in any text."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp.resolver import ThreadedResolver

from ..settings_services import Service as ServiceSettings
from .body import Bomb, Unpacker
from .errors import ServiceError, WebError, explained
from .guard import Network, inside_only, socket_guard

RATIO_MAX = 100
OURS = ("blocked_address", "bad_url")
CODES = {"disconnected": "connect", "bad_response": "bad_answer", "blocked_address": "blocked"}


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask: a path below the base address, and what goes with it."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole; header names are as in HTTP, found whatever their case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def wait_seconds(self) -> float | None:
        """How long the service asks to wait; None where it does not say, or says what cannot be read."""
        asked = self.headers.get("retry-after-ms") or ""
        if asked.isdecimal() and len(asked) < 12:
            return float(asked) / 1000
        asked = self.headers.get("Retry-After") or ""
        if asked.isdecimal() and len(asked) < 10:
            return float(asked)
        try:
            # A date: counted from the service's own clock, not ours (RFC 9110, 10.2.3).
            until, now = (parsedate_to_datetime(t) for t in (asked, self.headers["Date"]))
            return max(0.0, (until - now).total_seconds())
        except (KeyError, ValueError, TypeError, OverflowError):
            return None


class Wire:
    """One session to one service, opened when needed."""

    def __init__(self, name: str, settings: ServiceSettings, networks: tuple[Network, ...]) -> None:
        self.name = name
        self.settings = settings
        self._networks = networks
        self._session: aiohttp.ClientSession | None = None
        self._busy = 0
        self._retired = False

    async def retire(self) -> None:
        """Close once the last answer is there; nobody sends by it any more."""
        self._retired = True
        if not self._busy:
            await self.close()

    async def close(self) -> None:
        """Close every connection; a later request opens anew."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: Request) -> Answer:
        """Ask once; any status is an answer, none is a ServiceError with no trace of what was sent."""
        self._busy += 1
        try:
            with explained(self.settings.base_url):
                async with asyncio.timeout(self.settings.seconds_max):
                    return await self._send(request)
        except WebError as error:
            ours = error.code in OURS
            why = error.why
            if error.code == "blocked_address":
                why = f"{self.settings.base_url} leads there; list it in services.allow_networks, or use https"
            elif error.code == "timeout":
                why = f"no answer within {self.settings.seconds_max:g} s (seconds_max)"
            what = error.what.replace("the site", "the service")
            code = CODES.get(error.code, error.code)
            raise self._error(code, what, why, retryable=not ours, sick=not ours) from None
        finally:
            self._busy -= 1
            if self._retired and not self._busy:
                await self.close()

    def _error(
        self, code: str, what: str, why: str, *, retryable: bool = False, sick: bool = False
    ) -> ServiceError:
        return ServiceError(code, what, why, service=self.name, retryable=retryable, sick=sick)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            guard = socket_guard(self._networks)
            if self.settings.base_url.startswith("http:"):
                guard = inside_only(self._networks)
            connector = aiohttp.TCPConnector(
                socket_factory=guard, resolver=ThreadedResolver(), limit=0
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                headers={"User-Agent": "bellhand", "Accept-Encoding": "gzip, deflate"},
            )
            # It would send a GET again by itself when the connection breaks: a call that nobody counts and that is paid for.
            # There is no public way to say so (aiohttp 3.14; a test tells if it changes).
            self._session._retry_connection = False
        return self._session

    async def _send(self, request: Request) -> Answer:
        own = self.settings
        timeout = aiohttp.ClientTimeout(total=own.seconds_max, sock_connect=own.connect_seconds)
        async with self._client().request(
            request.method,
            own.base_url + request.path,
            params=request.params,
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
            timeout=timeout,
        ) as response:
            return Answer(response.status, response.headers.copy(), await self._read(response))

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body, limit = bytearray(), self.settings.answer_bytes_max
        try:
            encoding = response.headers.get("Content-Encoding", "")
            unpacker = Unpacker(encoding, ratio_max=RATIO_MAX)
            async for chunk in response.content.iter_chunked(65536):
                for piece in unpacker.feed(chunk):
                    body += piece
                    if len(body) > limit:
                        response.close()
                        why = f"more than answer_bytes_max, {limit}"
                        raise self._error("too_large", "the answer is too large", why)
        except aiohttp.ClientPayloadError:
            what = "the answer broke off"
            why = f"after {len(body)} bytes"
            raise self._error("bad_answer", what, why, retryable=True, sick=True) from None
        except (zlib.error, Bomb, ValueError) as error:
            what = "the answer cannot be unpacked"
            raise self._error("bad_answer", what, str(error), sick=True) from None
        return bytes(body)
