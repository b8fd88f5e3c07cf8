"""Scrapy: `python -m bench.workers.scrapy_sites PORT AT_ONCE EXTRACT`, addresses on stdin, JSON on stdout.

As its documentation has it for broad crawls (no cookies, no retries, little logging), on the
asyncio reactor with uvloop, with robots.txt obeyed and telnet console and statistics off.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess

from bench.sites.work import Tally

TALLY = Tally(extract=bool(int(sys.argv[3]))) if len(sys.argv) > 3 else Tally(extract=False)


class Pages(scrapy.Spider):
    """Visits what it is given and follows nothing."""

    name = "pages"
    urls: tuple[str, ...] = ()
    started = cpu = 0.0

    async def start(self) -> AsyncIterator[Any]:
        """All addresses; the clock begins here."""
        type(self).started, type(self).cpu = time.perf_counter(), time.process_time()
        for url in self.urls:
            yield scrapy.Request(url, dont_filter=True)

    def parse(self, response: Any) -> None:
        """The same work as ours."""
        TALLY.page(response.text, response.url)

    def closed(self, reason: str) -> None:
        """The clock ends here, and the figures are printed."""
        seconds, cpu = time.perf_counter() - self.started, time.process_time() - self.cpu
        print(json.dumps(TALLY.result(seconds, cpu) | {"reason": reason}))


if __name__ == "__main__":
    at_once = int(sys.argv[2])
    settings = {
        "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
        "AUTOTHROTTLE_ENABLED": False,
        "CONCURRENT_REQUESTS": at_once,
        "CONCURRENT_REQUESTS_PER_DOMAIN": at_once,
        "COOKIES_ENABLED": False,
        "DOWNLOAD_DELAY": 0,
        "LOG_LEVEL": "ERROR",
        "RETRY_ENABLED": False,
        "ROBOTSTXT_OBEY": True,
        "TELNETCONSOLE_ENABLED": False,
        "TWISTED_REACTOR": "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
        "EXTENSIONS": {
            "scrapy.extensions.corestats.CoreStats": None,
            "scrapy.extensions.logstats.LogStats": None,
            "scrapy.extensions.memusage.MemoryUsage": None,
        },
    }
    process = CrawlerProcess(settings)
    Pages.urls = tuple(sys.stdin.read().split())
    process.crawl(Pages)
    process.start()
