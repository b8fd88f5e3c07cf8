"""The open web, fetched with care: guarded addresses, bounded time and bytes, polite to hosts."""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from .body import Bomb, Unpacker
from .browser import Browser, BrowserLimits
from .dns import Dns
from .errors import BadAnswer, Busy, Unreachable, explained
from .guard import networks, socket_guard
from .page import Page, Response
from .recent import Recent
from .retry_after import retry_after_seconds
from .robots import BODY_BYTES_MAX as ROBOTS_BYTES_MAX
from .robots import Answer, Robots
from .text import text_of
from .turns import TurnIsFar, Turns
from .urls import parse
from .walk import Walk, sendable

__all__ = ["BrowserLimits", "Page", "Web", "WebLimits"]

_REDIRECTS = (301, 302, 303, 307, 308)
# What is larger is decoded in a thread: some encodings take tens of milliseconds a megabyte.
_LARGE_BYTES = 200_000
# Answers whose Retry-After holds for the whole host, whoever asks next.
_LEAVE_ALONE = (429, 503)
_TEXTUAL = ("text/", "application/xhtml+xml", "application/xml", "application/json")


@dataclass(frozen=True, slots=True)
class WebLimits:
    """How far a fetch may go; `allow_networks` lists CIDRs that the guard lets through."""

    user_agent: str = "bellhand/0.1"
    seconds_max: float = 20.0
    connect_seconds: float = 5.0
    body_bytes_max: int = 5_000_000
    ratio_max: int = 100
    redirects_max: int = 5
    ports: tuple[int, ...] = (80, 443)
    allow_networks: tuple[str, ...] = ()
    connections: int = 100
    connections_per_host: int = 4
    host_delay_seconds: float = 0.0
    wait_seconds_max: float = 60.0
    obey_robots: bool = True
    robots_seconds: float = 3600.0
    crawl_delay_seconds_max: float = 30.0
    dns_servers: tuple[str, ...] = ()
    dns_seconds_max: float = 5.0


class Web:
    """One session for the whole daemon; every connection it opens passes the guard.

    `resolver` and `tls` replace the system's lookup and trust, for tests and private setups.
    `browser` renders pages for those who ask; None where there is none.
    """

    def __init__(
        self,
        limits: WebLimits = WebLimits(),
        *,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        browser: BrowserLimits | None = None,
    ) -> None:
        self.limits = limits
        self._guard = socket_guard(networks(limits.allow_networks), limits.ports)
        self._resolver = resolver
        self._tls = tls
        self._turns = Turns(
            width=limits.connections,
            width_per_host=limits.connections_per_host,
            delay_seconds=limits.host_delay_seconds,
            wait_seconds_max=limits.wait_seconds_max,
        )
        self.robots = Robots(
            self._robots_txt,
            user_agent=limits.user_agent,
            keep_seconds=limits.robots_seconds,
            crawl_delay_seconds_max=limits.crawl_delay_seconds_max,
            slow_down=self._turns.slow_down,
        )
        self._recent = Recent(lambda url: self.get(url, html_only=True, obey_robots=True))
        self.browser: Browser | None = None
        if browser is not None and browser.executable:
            self.browser = Browser(self._for_browser, browser)
        self.dns = Dns(servers=limits.dns_servers, seconds_max=limits.dns_seconds_max)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Web":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection; a later fetch opens anew."""
        await self.robots.close()
        await self.dns.close()
        await self._recent.close()
        if self.browser is not None:
            await self.browser.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def get(
        self,
        address: str,
        *,
        headers: Mapping[str, str] | None = None,
        html_only: bool = False,
        whole: bool = False,
        follow: bool = True,
        seconds_max: float | None = None,
        body_bytes_max: int | None = None,
        obey_robots: bool = False,
    ) -> Page:
        """Fetch a page, following redirects; any status is a page, no answer is a WebError.

        `html_only` leaves the body of anything else unread. `whole` raises body_too_large where
        otherwise the body is cut. Without `follow` a redirect is a page too. `obey_robots` asks each
        hop's robots.txt first (unless the settings say that nothing does). The time a fetch waits
        for its turn does not count against it; a turn that is too far off is Busy.
        """
        url = parse(address, ports=self.limits.ports)
        sent = sendable(headers or {}, str(url))
        limit = body_bytes_max or self.limits.body_bytes_max
        fetch = Walk(
            url, sent, html_only=html_only, whole=whole, follows=follow, body_bytes_max=limit
        )
        return await self._walk(fetch, seconds_max, obey_robots)

    async def head(
        self, address: str, *, seconds_max: float | None = None, obey_robots: bool = False
    ) -> Page:
        """Ask for the headers alone, following redirects; otherwise as get."""
        url = parse(address, ports=self.limits.ports)
        fetch = Walk(url, {}, method="HEAD", body_bytes_max=self.limits.body_bytes_max)
        return await self._walk(fetch, seconds_max, obey_robots)

    async def _walk(self, fetch: "Walk", seconds_max: float | None, obey_robots: bool) -> Page:
        seconds_left = seconds_max or self.limits.seconds_max
        loop = asyncio.get_running_loop()
        while True:
            if obey_robots and self.limits.obey_robots:
                verdict = await self.robots.allowed(str(fetch.url))
                if verdict.error is not None:
                    raise verdict.error
            async with self._turn(fetch.url):
                started = loop.time()
                fetch.ask()
                try:
                    with explained(str(fetch.url)):
                        async with asyncio.timeout(seconds_left):
                            page = await self._hop(fetch, seconds_left, started)
                except Unreachable as error:
                    if not fetch.asks_again(error):
                        raise
                    page = None
                seconds_left -= loop.time() - started
                fetch.seconds += loop.time() - started
            if page is not None:
                return page

    async def recent(self, address: str, *, since: float) -> Page:
        """An HTML page that robots may read, asked for at or after `since` (the loop's clock).

        Several jobs that read the same site at the same time make one visit of it.
        """
        return await self._recent.get(str(parse(address, ports=self.limits.ports)), since)

    @asynccontextmanager
    async def _turn(self, url: URL) -> AsyncIterator[None]:
        try:
            async with self._turns.turn(url.raw_host or ""):
                yield
        except TurnIsFar as error:
            raise Busy(str(error), url=str(url), after_seconds=error.after_seconds) from error

    async def _for_browser(self, address: str) -> Page:
        return await self.get(address, obey_robots=True)

    async def _robots_txt(self, address: str) -> Answer:
        page = await self.get(address, body_bytes_max=ROBOTS_BYTES_MAX)
        text = page.body.decode("utf-8-sig", "replace")
        if page.truncated:
            text = text.rpartition("\n")[0]  # half a rule may forbid or allow more than a whole one
        return Answer(page.status, text)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                socket_factory=self._guard,
                # Said, not left to whether aiodns happens to be installed: its channels keep uvloop from closing.
                resolver=self._resolver or ThreadedResolver(),
                ssl=self._tls or True,
                limit=0,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                response_class=Response,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                max_line_size=32768,
                max_field_size=32768,
                trace_configs=[_telling_of_kept_connections()],
                headers={
                    "User-Agent": self.limits.user_agent,
                    "Accept": "text/html,application/xhtml+xml,*/*;q=0.5",
                    "Accept-Encoding": "gzip, deflate",
                    "Accept-Language": "en,*;q=0.5",
                },
            )
            # It would send a request again by itself when a connection breaks, past the host's turns and delays: see Walk.
            # There is no public way to say so (aiohttp 3.14; a test tells if it changes).
            self._session._retry_connection = False
        return self._session

    async def _hop(self, fetch: "Walk", seconds_left: float, started: float) -> Page | None:
        """Ask one address; None says that the answer sent the fetch on to another."""
        timeout = aiohttp.ClientTimeout(
            total=seconds_left, sock_connect=self.limits.connect_seconds
        )
        async with self._client().request(
            fetch.method,
            fetch.url,
            headers=fetch.headers,
            cookies=fetch.jar.filter_cookies(fetch.url),
            allow_redirects=False,
            timeout=timeout,
            trace_request_ctx=fetch,
        ) as response:
            fetch.kept = False  # whatever breaks now, the request was answered
            seconds = retry_after_seconds(response.headers)
            if response.status in _LEAVE_ALONE and seconds:
                self._turns.back_off(fetch.url.raw_host or "", seconds)
            location = response.headers.get("Location", "")
            if response.status in _REDIRECTS and location and fetch.follows:
                response.close()
                fetch.jar.update_cookies(response.cookies, fetch.url)
                fetch.follow(
                    location, redirects_max=self.limits.redirects_max, ports=self.limits.ports
                )
                return None
            body, truncated = await self._read(response, fetch)
        declared = response.headers.get("Content-Type", "")
        text = ""
        if body and (not declared or declared.lower().startswith(_TEXTUAL)):
            if len(body) > _LARGE_BYTES:
                text = await asyncio.to_thread(text_of, declared, body)
            else:
                text = text_of(declared, body)
        return Page(
            url=fetch.first,
            final_url=str(fetch.url),
            status=response.status,
            headers=response.headers,
            body=body,
            text=text,
            redirects=tuple(fetch.redirects),
            truncated=truncated,
            elapsed_seconds=fetch.seconds + asyncio.get_running_loop().time() - started,
            tls_expires=getattr(response, "tls_expires", None),
            ip=getattr(response, "ip", None),
            requests=fetch.requests,
        )

    async def _read(self, response: aiohttp.ClientResponse, fetch: "Walk") -> tuple[bytes, bool]:
        """Read the body up to its limit; an answer that breaks off counts as cut."""
        url, limit, body = str(fetch.url), fetch.body_bytes_max, bytearray()
        if fetch.html_only and not _maybe_html(response.headers.get("Content-Type", "")):
            response.close()
            return b"", False
        try:
            unpacker = Unpacker(
                response.headers.get("Content-Encoding", ""), ratio_max=self.limits.ratio_max
            )
            async for chunk in response.content.iter_chunked(65536):
                for piece in unpacker.feed(chunk):
                    body += piece
                    if len(body) > limit:
                        break
                if max(len(body), unpacker.arrived) > limit:
                    response.close()
                    if fetch.whole:
                        why = f"more than {limit} bytes"
                        raise BadAnswer(
                            "body_too_large", "the body is too large", why, url=url, retryable=False
                        )
                    return bytes(body[:limit]), True
        except (aiohttp.ClientPayloadError, zlib.error) as error:
            if not body:
                what = "the body cannot be read"
                raise BadAnswer(
                    "bad_response", what, str(error), url=url, retryable=True
                ) from error
            return bytes(body), True
        except Bomb as error:
            what = "the body is a decompression bomb"
            raise BadAnswer("bomb", what, str(error), url=url, retryable=False) from error
        except ValueError as error:
            what = "the body is packed in an unknown way"
            raise BadAnswer("bad_encoding", what, str(error), url=url, retryable=False) from error
        return bytes(body), False


def _telling_of_kept_connections() -> aiohttp.TraceConfig:
    """Marks the walk whose request goes over a connection that has carried another before."""
    config = aiohttp.TraceConfig()

    async def reused(_session: aiohttp.ClientSession, context: Any, _params: object) -> None:
        context.trace_request_ctx.kept = True

    config.on_connection_reuseconn.append(reused)
    return config


def _maybe_html(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind in ("", "text/html", "application/xhtml+xml")
