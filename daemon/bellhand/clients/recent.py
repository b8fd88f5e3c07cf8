"""Pages fetched a moment ago, for other jobs that want the same page at the same time."""

import asyncio
from collections.abc import Awaitable, Callable

from .once import Once
from .page import Page

KEEP_SECONDS = 300.0
BYTES_MAX = 32_000_000


class Recent:
    """Keeps pages for a few minutes, within a budget of bytes; several who ask at once share a fetch."""

    def __init__(
        self, fetch: Callable[[str], Awaitable[Page]], *, bytes_max: int = BYTES_MAX
    ) -> None:
        self._fetch = fetch
        self._bytes_max = bytes_max
        self._bytes = 0
        self._pages: dict[str, tuple[float, Page]] = {}  # when it was asked for; the oldest first
        self._begun: dict[str, float] = {}
        self._once = Once[Page]()

    async def get(self, url: str, since: float) -> Page:
        """The page as it was asked for at or after `since` (the loop's clock), else asked for now."""
        asked_at, page = self._pages.get(url, (-1.0, None))
        if page is not None and asked_at >= since:
            return page
        if self._begun.get(url, since) >= since:
            return await self._once.get(url, lambda: self._get(url))
        return await self._fetch(url)  # what is under way began too early for this one

    async def close(self) -> None:
        """End what is under way and forget everything."""
        await self._once.close()
        self._pages.clear()
        self._bytes = 0

    async def _get(self, url: str) -> Page:
        loop = asyncio.get_running_loop()
        self._begun[url] = now = loop.time()
        try:
            page = await self._fetch(url)
        finally:
            del self._begun[url]
        if page.status < 500 and page.status != 429 and _weight(page) <= self._bytes_max:
            self._forget(url)
            self._pages[url] = now, page
            self._bytes += _weight(page)
            while self._bytes > self._bytes_max:
                self._forget(next(iter(self._pages)))
            loop.call_later(KEEP_SECONDS, self._expire, url, now)
        return page

    def _expire(self, url: str, asked_at: float) -> None:
        if url in self._pages and self._pages[url][0] == asked_at:
            self._forget(url)

    def _forget(self, url: str) -> None:
        _, page = self._pages.pop(url, (0.0, None))
        if page is not None:
            self._bytes -= _weight(page)


def _weight(page: Page) -> int:
    """About what it takes in memory: text of a page takes one byte a letter, or up to four."""
    return 2000 + len(page.body) + 2 * len(page.text)
