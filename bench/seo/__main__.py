"""`python -m bench.seo check`: against linkinator on Debian's documentation; `grow`: pace and memory to 30,000 pages."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from urllib.parse import urlsplit

import structlog

from bench.machine import memory_megabytes

from .parts import DOCUMENTS, OWN, Crawler, Served, check, checker, crawler, documents, served

WIDTH = 8
MARKS = [1000, 5000, 10_000, 20_000, 30_000]
ADDRESSES = """
    select url, status, content_type, facts is not null as is_page from bellhand_seo.pages
      where role in ('page', 'resource') and state = 'done'"""
BROKEN = """
    select count(*) from bellhand_seo.links l join bellhand_seo.pages t on t.id = l.to_page
      where t.status >= 400 or t.error_code is not null"""


async def crawled(ours: Crawler, url: str, **payload: object) -> tuple[dict[str, int], float]:
    """The result of one crawl, and how long it took."""
    began = time.monotonic()
    job = await ours.enqueue(url=url, analyze=False, respect_robots=False, **payload)
    while (result := await ours.result(job)) is None:
        await asyncio.sleep(0.05)
    return result, time.monotonic() - began


async def compare(package: str) -> bool:
    """Crawl and check one package's documentation; whether both saw the same."""
    with served(str(documents(package))) as site:
        async with crawler(site.port, width=WIDTH) as ours:
            result, seconds = await crawled(
                ours, site.url, max_pages=100_000, concurrency=WIDTH, sitemaps=False
            )
            rows = await ours.conn.fetch(ADDRESSES)
            broken_links = await ours.conn.fetchval(BROKEN)
            memory, cpu = memory_megabytes(ours.pid), ours.cpu_seconds()
        began = time.monotonic()
        theirs = await asyncio.to_thread(check, site.url)
        their_seconds = time.monotonic() - began
    our_all = {row["url"] for row in rows}
    our_broken = {row["url"] for row in rows if row["status"] is None or row["status"] >= 400}
    our_pages = sum(row["is_page"] for row in rows)
    their_broken = {url for url, (_, state) in theirs.items() if state == "BROKEN"}
    their_pages = _pages_asked(site)
    print(f"\n{package}")
    print(f"  {'':24}{'bellhand':>10}{'linkinator':>12}")
    for name, own, other in (
        ("HTML pages", our_pages, their_pages),
        ("addresses", len(our_all), len(theirs)),
        ("broken addresses", len(our_broken), len(their_broken)),
    ):
        print(f"  {name:24}{own:>10}{other:>12}")
    print(f"  {'seconds':24}{seconds:>10.1f}{their_seconds:>12.1f}")
    print(
        f"  links {result['links']}, broken ones {broken_links}; {our_pages / seconds:.0f} pages/s,"
        f" CPU {cpu[0]:.1f} s and {cpu[1]:.1f} s of Postgres, {memory['rss']:.0f} MB"
    )
    for name, only in (
        ("only bellhand saw", our_all - theirs.keys()), ("only linkinator saw", theirs.keys() - our_all),
        ("broken to bellhand alone", our_broken - their_broken), ("broken to linkinator alone", their_broken - our_broken),
    ):  # fmt: skip
        for url in sorted(only)[:20]:
            print(f"  {name}: {urlsplit(url).path}")
    return (our_pages, our_broken) == (their_pages, their_broken)


def _pages_asked(site: Served) -> int:
    """HTML pages that the other client was given, by the server's own log."""
    return len(
        {
            path
            for client, method, status, kind, path in site.asked()
            if client != "bellhand" and method == "GET" and status == 200 and kind == "text/html"
        }
    )


async def grow(pages: int) -> None:
    """Crawl a site of so many pages and tell pace and memory as it grows."""
    OWN.mkdir(parents=True, exist_ok=True)
    with served(str(pages)) as site:
        async with crawler(site.port, width=WIDTH) as ours:
            await ours.enqueue(
                url=site.url, analyze=False, sitemaps=False, max_pages=pages, concurrency=WIDTH,
                pattern_pages_max=pages,
            )  # fmt: skip
            began = last = time.monotonic()
            before, spent = 0, ours.cpu_seconds()
            columns = ("pages", "seconds", "pages/s", "CPU ms", "Postgres ms", "RSS MB", "PSS MB")
            print("".join(f"{column:>13}" for column in columns))
            for mark in [*(m for m in MARKS if m < pages), pages]:
                while (done := await _pages(ours)) < mark:
                    await asyncio.sleep(0.1)
                now, cpu, memory = time.monotonic(), ours.cpu_seconds(), memory_megabytes(ours.pid)
                each = [
                    (after - start) / (done - before) * 1e3
                    for after, start in zip(cpu, spent, strict=True)
                ]
                values = (
                    done,
                    now - began,
                    (done - before) / (now - last),
                    *each,
                    memory["rss"],
                    memory["pss"],
                )
                print("".join(f"{value:>13.1f}" for value in values), flush=True)
                last, before, spent = now, done, cpu


async def _pages(ours: Crawler) -> int:
    return int(await ours.conn.fetchval("select coalesce(max(pages), 0) from bellhand_seo.crawls"))


async def check_all() -> int:
    checker()
    same = [await compare(package) for package in DOCUMENTS]
    print("\nBoth see the same." if all(same) else "\nThey differ.")
    return 0 if all(same) else 1


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if sys.argv[1:2] == ["grow"]:
        asyncio.run(grow(int(sys.argv[2]) if len(sys.argv) > 2 else MARKS[-1]))
    else:
        sys.exit(asyncio.run(check_all()))
