"""`python -m bench.seo.judge`: an analysis of 30,000 pages, its pace and memory; what it finds on Debian's documentation
beside an independent reading of the same files by another parser."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import structlog
from lxml import html

from bellhand.families.seo import facts
from bellhand.families.seo.urls import address
from bench.machine import memory_megabytes

from .parts import DOCUMENTS, OWN, Crawler, crawler, documents, served

HOST = "http://127.0.0.1:9/"
LINKS_PER_PAGE = 60
WORDS_PER_PAGE = 300
COUNTED = {
    "title-missing": "pages without a title", "title-duplicate": "pages with a title of another",
    "description-missing": "pages without a description", "h1-missing": "pages without h1",
    "h1-several": "pages with several h1", "lang-missing": "pages without a language",
    "canonical-missing": "pages without a canonical", "viewport-missing": "pages without a viewport",
    "image-alt": "pages with images without alt", "fragment-missing": "links to parts that are not there",
}  # fmt: skip
FOUND = """
    select rule, coalesce(sum((evidence ->> 'count')::integer) filter (where rule = 'fragment-missing'), count(*)) as n
      from bellhand_seo.issues where analysis_id = $1 group by rule"""
PAGES = """
    select url, coalesce(facts ->> 'url', url) as final from bellhand_seo.pages
      where role = 'page' and state = 'done' and status = 200 and facts is not null"""


async def analyzed(ours: Crawler, crawl_id: int) -> tuple[dict[str, int], float, float]:
    """The result of an analysis, how long it took, and the most memory seen meanwhile."""
    began, most = time.monotonic(), 0.0
    job = await ours.enqueue_as("seo.analyze", crawl_id=crawl_id)
    while (result := await ours.result(job)) is None:
        most = max(most, memory_megabytes(ours.pid)["rss"])
        await asyncio.sleep(0.05)
    return result, time.monotonic() - began, most


async def grow(pages: int) -> None:
    """Fill the tables with so many made-up pages, as a crawl would, and have them judged twice."""
    OWN.mkdir(parents=True, exist_ok=True)
    async with crawler(9, width=1) as ours:
        before = memory_megabytes(ours.pid)["rss"]
        for _ in range(2):
            crawl_id = await _fill(ours.conn, pages)
            cpu = ours.cpu_seconds()
            result, seconds, most = await analyzed(ours, crawl_id)
            used = [now - then for now, then in zip(ours.cpu_seconds(), cpu, strict=True)]
            issues = sum(result["issues"].values())  # type: ignore[attr-defined]
            print(
                f"{pages} pages, {pages * LINKS_PER_PAGE} links: judged in {seconds:.1f} s ({pages / seconds:.0f} pages/s), {issues} issues, "
                f"CPU {used[0]:.1f} s and {used[1]:.1f} s of Postgres, RSS {before:.0f} to {most:.0f} MB",
                flush=True,
            )


async def _fill(conn: asyncpg.Connection, pages: int) -> int:
    """A completed crawl of made-up pages that link to each other; every tenth has a twin, some links are dead."""
    site = await conn.fetchval("select bellhand_seo.site_of($1, null)", HOST)
    crawl = await conn.fetchval(
        "insert into bellhand_seo.crawls (site_id, job_id, job_key, epoch, url, options, state, pages, previous_id)"
        " values ($1, 1, gen_random_uuid(), 1, $2, '{}', 'completed', $3,"
        " (select max(id) from bellhand_seo.crawls where site_id = $1)) returning id",
        site, HOST, pages,
    )  # fmt: skip
    first = 1 + (await conn.fetchval("select coalesce(max(id), 0) from bellhand_seo.pages"))
    await conn.copy_records_to_table(
        "pages", schema_name="bellhand_seo", records=_rows(crawl, first, pages), timeout=300,
        columns=["id", "crawl_id", "url", "url_key", "role", "state", "depth", "status", "content_type",
                 "body_bytes", "response_seconds", "text_hash", "simhash", "facts"],
    )  # fmt: skip
    chance = random.Random(5)
    links = (
        (crawl, first + n, first + (m if m < 20 else chance.randrange(pages)), "a", "Words", 1)
        for n in range(pages)
        for m in range(LINKS_PER_PAGE)
    )
    await conn.copy_records_to_table(
        "links", schema_name="bellhand_seo", records=links, timeout=300,
        columns=["crawl_id", "from_page", "to_page", "kind", "text", "times"],
    )  # fmt: skip
    return int(crawl)


def _rows(crawl: int, first: int, pages: int) -> Iterator[tuple[object, ...]]:
    chance = random.Random(4)
    for n in range(pages):
        url = f"{HOST}page/{n}.html"
        known = address(url)
        assert known is not None
        seed = n - n % 10 + min(n % 10, 8)  # the last of ten repeats the one before
        words = random.Random(seed)
        text = " ".join(f"w{words.randrange(20_000)}" for _ in range(WORDS_PER_PAGE))
        page = f"<!doctype html><title>Page {seed}</title><h1>Of {n}</h1><p>{text}<img src=x.png>"
        read = facts.read(page, url, {"Content-Type": "text/html"})
        status = 404 if chance.random() < 0.02 else 200
        yield (
            first + n, crawl, url, known.key, "page", "done", n % 7, status, "text/html", len(page), 0.1,
            read.text_hash, read.simhash, json.dumps(read.as_json()) if status == 200 else None,
        )  # fmt: skip


async def compare(package: str) -> bool:
    """Whether the rules count on one package's documentation what another parser counts on its files."""
    folder = documents(package)
    with served(str(folder)) as site:
        async with crawler(site.port, width=8) as ours:
            job = await ours.enqueue(
                url=site.url, analyze=False, max_pages=100_000, sitemaps=False, respect_robots=False
            )
            while (crawl := await ours.result(job)) is None:
                await asyncio.sleep(0.05)
            result, seconds, _ = await analyzed(ours, crawl["crawl_id"])
            rows = await ours.conn.fetch(FOUND, result["analysis_id"])
            found = {row["rule"]: row["n"] for row in rows}
            urls = [row["url"] for row in await ours.conn.fetch(PAGES)]
    read = await asyncio.to_thread(_read_by_lxml, folder, site.url, urls)
    print(f"\n{package}: {len(urls)} pages judged in {seconds:.1f} s, score {result['score']}")
    print(f"  {'':36}{'bellhand':>10}{'lxml':>8}")
    for rule, what in COUNTED.items():
        print(f"  {what:36}{found.get(rule, 0):>10}{read[rule]:>8}")
    return all(found.get(rule, 0) == read[rule] for rule in COUNTED)


def _read_by_lxml(folder: Path, base: str, urls: list[str]) -> Counter[str]:
    """The same counts without a line of ours: libxml2's parser, XPath, the files on disk."""
    counts: Counter[str] = Counter()
    titles: Counter[str] = Counter()
    ids: dict[str, set[str]] = {}
    wanted: set[tuple[str, str, str]] = set()
    for url in urls:
        path = url.removeprefix(base).partition("?")[0] or "index.html"
        tree = html.parse(str(folder / path), html.HTMLParser(encoding="utf-8", huge_tree=True))
        title = " ".join("".join(tree.xpath("(//head/title)[1]//text()")).lower().split())
        titles[title] += 1
        tree_ids = set(tree.xpath("//@id")) | set(tree.xpath("//a/@name"))
        ids[url] = tree_ids
        checks = {
            "title-missing": not title,
            "description-missing": not any(tree.xpath("//meta[@name='description']/@content")),
            "h1-missing": not tree.xpath("//h1"),
            "h1-several": len(tree.xpath("//h1")) > 1,
            "lang-missing": not tree.xpath("/html/@lang"),
            "canonical-missing": not tree.xpath("//link[@rel='canonical']"),
            "viewport-missing": not tree.xpath("//meta[@name='viewport']"),
            "image-alt": bool(tree.xpath("//img[not(@alt)]")),
        }
        counts.update(name for name, broken in checks.items() if broken)
        tree.getroot().make_links_absolute(url)
        for href in tree.xpath("//a/@href"):
            target, mark, part = href.partition("#")
            if mark and part and part != "top":
                wanted.add((url, target, part))
    counts["title-duplicate"] = sum(n for title, n in titles.items() if n > 1 and title)
    counts["fragment-missing"] = sum(
        target in ids and part not in ids[target] for _, target, part in wanted
    )
    return counts


async def main() -> int:
    if sys.argv[1:2] == ["grow"]:
        await grow(int(sys.argv[2]) if len(sys.argv) > 2 else 30_000)
        return 0
    same = [await compare(package) for package in DOCUMENTS]
    print("\nBoth count the same." if all(same) else "\nThey differ.")
    return 0 if all(same) else 1


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    sys.exit(asyncio.run(main()))
