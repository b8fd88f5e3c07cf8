"""Our fetcher: `python -m bench.sites.ours PORT AT_ONCE EXTRACT`, addresses on stdin, JSON on stdout."""

import asyncio
import json
import sys
import time

import uvloop

from bellhand.clients.web import Web, WebLimits

from .work import Tally


async def visit(port: int, at_once: int, extract: bool, urls: list[str]) -> dict[str, float]:
    """Fetch all, so many at a time; the guard, the limits and robots.txt are as in a daemon."""
    tally = Tally(extract)
    limits = WebLimits(
        ports=(port,), allow_networks=("127.0.0.0/8",), connections_per_host=at_once,
        wait_seconds_max=3600,
    )  # fmt: skip
    waiting = iter(urls)

    async def hand(web: Web) -> None:
        for url in waiting:
            page = await web.get(url, html_only=True, obey_robots=True)
            tally.page(page.text, url)

    async with Web(limits) as web:
        started, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(hand(web) for _ in range(at_once)))
        return tally.result(time.perf_counter() - started, time.process_time() - cpu)


if __name__ == "__main__":
    port, at_once, extract = map(int, sys.argv[1:4])
    found = uvloop.run(visit(port, at_once, bool(extract), sys.stdin.read().split()))
    print(json.dumps(found))
