"""A daemon killed in the middle of judging a crawl, and of writing its reports: the next one ends up where none would have died."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from daemons import insert, until
from processes import Fleet, Process, fleet
from seo_sites import crawl, links, site
from support import eventually
from test_seo_analyze import issues
from test_seo_report import body

pytestmark = pytest.mark.timeout(120)
PAGES = 250  # more than are judged at once
# Lets the first statement through and holds up what comes behind it, while somebody has the lock.
HOLD = """
  create function public.hold() returns trigger language plpgsql as $$
  declare begun boolean;
  begin
    execute format('select exists (select from bellhand_seo.%I)', tg_table_name) into begun;
    if begun then perform pg_advisory_xact_lock_shared(42); end if;
    return null;
  end $$;
  create trigger hold before insert on bellhand_seo.issues for each statement execute function public.hold();
  create trigger hold before insert on bellhand_seo.report_parts for each statement execute function public.hold();"""
HELD = "select count(*) = 1 from pg_locks where locktype = 'advisory' and not granted"


def pages() -> dict[str, str]:
    """Thin pages with the same title, each of which links to the next few."""
    found = {f"/p{n}": links(*(f"/p{n + step}" for step in (1, 2, 3))) for n in range(PAGES - 1)}
    return {"/": links("/p0"), **found}


@asynccontextmanager
async def held(dsn: str) -> AsyncIterator[None]:
    other = await asyncpg.connect(dsn, timeout=10)
    try:
        await other.execute("select pg_advisory_lock(42)")
        yield
    finally:
        await other.close(timeout=5)


async def killed_in_the_middle(
    dsn: str, conn: asyncpg.Connection, daemon: Process, kind: str, **payload: Any
) -> int:
    """Enqueue a job, and kill the daemon once it has written a part of what it will write."""
    async with held(dsn):
        job = await insert(conn, kind, json.dumps(payload))
        await eventually(lambda: conn.fetchval(HELD), because="it should be in the middle")
        daemon.tell(signal.SIGKILL)
        await daemon.exit_code()
    return job


async def test_whoever_takes_over_ends_with_the_same_issues_and_the_same_reports(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    """S3-13 for analyses and reports: resumed, equal, nothing double."""
    await conn.execute(HOLD)
    async with site(pages()) as shop:
        web = {"ports": [shop.port], "allow_networks": ["127.0.0.0/8"]}
        given: dict[str, Any] = {"modules": ["bellhand.families.seo"], "web": web}
        first = fleet.start(dsn, **given)
        await first.until("ready")
        crawl_id = (await crawl(conn, shop.url, seconds=60, sitemaps=False))["crawl_id"]
        judged = await killed_in_the_middle(dsn, conn, first, "seo.analyze", crawl_id=crawl_id)
        assert await conn.fetchval("select count(*) from bellhand_seo.issues") > 0, "half of them"
        assert await issues(conn, crawl_id) == [], "and nobody sees them"

        second = fleet.start(dsn, **given)
        assert (await until(conn, judged, "completed", 40))["crashes"] == 1
        found = await issues(conn, crawl_id)
        again = await insert(conn, "seo.analyze", json.dumps({"crawl_id": crawl_id}))
        await until(conn, again, "completed", 40)
        assert found == await issues(conn, crawl_id), "the same as where nobody dies"
        assert len(found) > PAGES
        everything = "select count(*) from bellhand_seo.issues"
        assert await conn.fetchval(everything) == len(found), "nothing is left of the half"

        formats = {"crawl_id": crawl_id, "formats": ["html", "csv"]}
        reported = await killed_in_the_middle(dsn, conn, second, "seo.report", **formats)
        steps = await conn.fetch("select name from bellhand.steps where job = $1", reported)
        assert [step["name"] for step in steps] == ["html"], "one is written, one in the middle"
        assert await conn.fetchval("select bool_or(completed) from bellhand_seo.reports") is False

        third = fleet.start(dsn, **given)
        row = await until(conn, reported, "completed", 40)
        assert row["crashes"] == 1
        made = json.loads(row["result"])["reports"]
        bodies = {name: await body(conn, made[name]) for name in made}
        shown = await conn.fetch("select id, format, completed from bellhand_seo.reports")
        assert {(one["format"], one["id"]) for one in shown} == set(made.items()), "none twice"
        undisturbed = await insert(conn, "seo.report", json.dumps(formats))
        row = await until(conn, undisturbed, "completed", 40)
        for name, report in json.loads(row["result"])["reports"].items():
            assert await body(conn, report) == bodies[name], name
        third.tell(signal.SIGTERM)
        assert await third.exit_code() == 0
