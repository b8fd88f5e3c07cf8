"""A real browser for pages that are empty until their scripts have run; it has no network of its own.

Whatever a page asks for is fetched by our own guarded fetcher and handed in, so private addresses,
names that turn and endless bodies meet the same checks as everywhere. What would go round that
(sockets, workers, peer connections) finds a proxy that is not there.
"""

import asyncio
import importlib.util
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bellhand.errors import Problem

from .errors import WebError
from .page import Page

if TYPE_CHECKING:
    from playwright.async_api import Browser as Chromium
    from playwright.async_api import BrowserContext, Playwright, Route

# Nothing listens there, and it is asked for whatever our fetcher was not asked for.
_NOWHERE = "http://127.0.0.1:9"
_ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-first-run",
)
_UNNEEDED = ("image", "media", "font", "websocket", "eventsource", "ping", "manifest")
# What describes the packing of a body that is handed in unpacked, or ties the browser to a policy.
_DROPPED = ("content-encoding", "content-length", "transfer-encoding", "set-cookie", "connection",
            "keep-alive", "alt-svc", "strict-transport-security", "content-security-policy")  # fmt: skip
_IDLE_SECONDS = 60.0
_END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class BrowserLimits:
    """Which program renders (none where that is empty), and how far a page may go with it."""

    executable: str = ""
    seconds_max: float = 20.0
    quiet_seconds_max: float = 5.0
    pages: int = 2
    requests_max: int = 200


class Unrendered(WebError):
    """The browser brought no page: code `browser`."""

    def __init__(self, why: str, *, url: str) -> None:
        what = "the page could not be rendered"
        super().__init__("browser", what, why, url=url, retryable=True)


class Browser:
    """Starts Chromium when a page needs it, and ends it when none did for a minute.

    `fetch` brings what pages ask for, or raises WebError. Raises Problem where the program or the
    extra `browser` is missing.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[Page]], limits: BrowserLimits) -> None:
        _check(limits.executable)
        self._fetch = fetch
        self.limits = limits
        self._room = asyncio.Semaphore(limits.pages)
        self._starting = asyncio.Lock()
        self._users = 0
        self._playwright: Playwright | None = None
        self._chromium: Chromium | None = None
        self._idle: asyncio.Task[None] | None = None

    async def render(self, page: Page) -> str:
        """The HTML of a page once its scripts have run and it has come to rest; raises Unrendered."""
        from playwright.async_api import Error

        async with self._room:
            try:
                async with asyncio.timeout(self.limits.seconds_max), self._context() as context:
                    return await self._visit(context, page)
            except TimeoutError as error:
                why = f"it took longer than browser.seconds_max, {self.limits.seconds_max:g}"
                raise Unrendered(why, url=page.final_url) from error
            except (Error, OSError) as error:
                raise Unrendered(str(error)[:500], url=page.final_url) from error

    async def close(self) -> None:
        """End the browser; a later page starts it anew."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        chromium, self._chromium = self._chromium, None
        playwright, self._playwright = self._playwright, None
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                if chromium is not None:
                    await chromium.close()
        if playwright is not None:
            await playwright.stop()  # ends its driver, and the browser with it

    async def _visit(self, context: "BrowserContext", page: Page) -> str:
        from playwright.async_api import TimeoutError as NotYet

        asked = 0

        async def answer(route: "Route") -> None:
            nonlocal asked
            asked += 1
            if asked == 1:
                await _hand_in(route, page)
            elif asked > self.limits.requests_max:
                await route.abort()
            else:
                await self._answer(route)

        await context.route("**/*", answer)
        tab = await context.new_page()
        await tab.goto(page.final_url, wait_until="load")
        quiet = 1000 * self.limits.quiet_seconds_max
        with suppress(NotYet):
            # Pages that never stop asking are taken as they are by then.
            await tab.wait_for_load_state("networkidle", timeout=quiet)
        html: str = await tab.content()
        return html

    async def _answer(self, route: "Route") -> None:
        request = route.request
        if request.method != "GET" or request.resource_type in _UNNEEDED:
            await route.abort()
            return
        try:
            page = await self._fetch(request.url)
        except WebError:
            await route.abort()
        else:
            await _hand_in(route, page)

    @asynccontextmanager
    async def _context(self) -> "AsyncIterator[BrowserContext]":
        self._users += 1
        try:
            chromium = await self._running()
            # A context of its own for each page: no cookies, no storage, nothing of another site.
            context = await chromium.new_context(service_workers="block", accept_downloads=False)
            context.set_default_timeout(1000 * self.limits.seconds_max)
            try:
                yield context
            finally:
                await self._end(context)
        finally:
            self._users -= 1
            if self._users == 0:
                self._idle = asyncio.create_task(self._end_when_idle())

    async def _end(self, context: "BrowserContext") -> None:
        try:
            async with asyncio.timeout(_END_SECONDS):
                await context.close()
        except TimeoutError:
            await self.close()  # it hangs: the next page starts another

    async def _running(self) -> "Chromium":
        from playwright.async_api import async_playwright

        async with self._starting:
            if self._idle is not None:
                self._idle.cancel()
                self._idle = None
            if self._chromium is not None and self._chromium.is_connected():
                return self._chromium
            await self.close()
            self._playwright = await async_playwright().start()
            self._chromium = await self._playwright.chromium.launch(
                executable_path=self.limits.executable,
                args=list(_ARGUMENTS),
                # Root may not have it; a daemon should not be root.
                chromium_sandbox=os.geteuid() != 0,
                proxy={"server": _NOWHERE, "bypass": "<-loopback>"},
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
            return self._chromium

    async def _end_when_idle(self) -> None:
        await asyncio.sleep(_IDLE_SECONDS)
        self._idle = None
        async with self._starting:
            if self._users == 0:
                await self.close()


def _check(executable: str) -> None:
    if importlib.util.find_spec("playwright") is None:
        raise Problem(
            "pages cannot be rendered",
            why="browser.executable is set, but the extra is not installed",
            fix="pip install 'bellhand[browser]', or take browser.executable out",
        )
    if not os.access(executable, os.X_OK) or not Path(executable).is_file():
        raise Problem(
            "pages cannot be rendered",
            why=f"browser.executable is {executable!r}, which is no program that may be run",
            fix="on Debian: apt-get install chromium, and browser.executable = '/usr/bin/chromium'",
        )


async def _hand_in(route: "Route", page: Page) -> None:
    headers = {name: value for name, value in page.headers.items() if name.lower() not in _DROPPED}
    await route.fulfill(status=page.status, headers=headers, body=page.body)
