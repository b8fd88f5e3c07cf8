"""A crawl that is interrupted goes on where it was: killed, paused, drained, sent away, retried."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
import signal
from typing import Any

import asyncpg
from aiohttp import web

from daemons import insert, until
from processes import Fleet, fleet
from seo_sites import crawl, crawler, links, pages, site, states
from support import eventually

PAGES = 200


def tree(number: int = PAGES) -> dict[str, str]:
    """A home page and pages below it, seven links each."""
    found = {"/": links(*[f"/p{n}" for n in range(1, 8)], title="Home")}
    for n in range(1, number):
        below = [f"/p{c}" for c in range(7 * n + 1, 7 * n + 8) if c < number]
        found[f"/p{n}"] = links("/", *below, title=f"Page {n}")
    return found


async def begun(conn: asyncpg.Connection, url: str, **payload: Any) -> int:
    asked = {"url": url, "analyze": False, "sitemaps": False, "retry_seconds": 0} | payload
    return await insert(conn, "seo.crawl", json.dumps(asked))


async def stored(conn: asyncpg.Connection, number: int) -> None:
    """Wait for so many pages."""

    async def there() -> bool:
        done = "select count(*) from bellhand_seo.pages where state = 'done'"
        return await conn.fetchval(done) >= number

    await eventually(there, 30)


async def test_after_a_kill_nothing_stored_is_fetched_again(dsn, conn, fleet: Fleet):
    """S3-13: the site's access log has each page once, but for those on their way at the kill."""
    async with site(tree()) as acme:
        acme.seconds = 0.02
        web_settings = {"ports": [acme.port], "allow_networks": ["127.0.0.0/8"]}
        given = {"modules": ["bellhand.families.seo"], "web": web_settings}
        first = fleet.start(dsn, **given)
        await first.until("ready")
        job = await begun(conn, acme.url)
        await stored(conn, 50)
        first.tell(signal.SIGKILL)
        await first.exit_code()
        done = {p for p, state in (await states(conn, acme.url)).items() if state == "done"}
        on_their_way = set(acme.asked) - done - {"/robots.txt"}
        assert len(done) < PAGES, "it was killed too late to show anything"
        assert len(on_their_way) <= 40, on_their_way
        second = fleet.start(dsn, **given)
        await second.until("ready")
        row = await until(conn, job, "completed", 40)
    assert json.loads(row["result"])["pages"] == PAGES
    assert row["crashes"] == 1
    del acme.asked["/robots.txt"]
    assert set(acme.asked) == set(acme.pages)
    assert {path for path, times in acme.asked.items() if times > 1} <= on_their_way
    assert await conn.fetchval("select count(*) from bellhand_seo.crawls") == 1
    twice = "select count(*) from (select from bellhand_seo.links group by from_page, to_page having count(*) > 1) t"
    assert await conn.fetchval(twice) == 0


async def test_a_paused_crawl_keeps_what_it_has_and_goes_on(dsn, conn):
    async with site(tree(60)) as acme, crawler(dsn, acme.port):
        acme.seconds = 0.02
        job = await begun(conn, acme.url)
        await stored(conn, 10)
        await conn.execute("select bellhand.pause($1)", job)
        await until(conn, job, "paused")
        asked = acme.asked.total()
        known = await states(conn, acme.url)
        assert asked - 1 == sum(state == "done" for state in known.values()) < 60
        await conn.execute("select bellhand.resume($1)", job)
        await until(conn, job, "completed")
        del acme.asked["/robots.txt"]
        assert acme.asked == dict.fromkeys(acme.pages, 1)


async def test_a_daemon_that_drains_hands_the_crawl_back_unharmed(dsn, conn):
    async with site(tree(60)) as acme:
        acme.seconds = 0.02
        async with crawler(dsn, acme.port):
            job = await begun(conn, acme.url)
            await stored(conn, 10)
        async with crawler(dsn, acme.port):
            row = await until(conn, job, "completed")
        assert row["attempts"] == 0, "no attempt was burned"
        assert max(acme.asked[path] for path in acme.pages) == 1


async def test_a_cancelled_crawl_stops_asking(dsn, conn):
    """S3-12."""
    async with site(tree(100)) as acme, crawler(dsn, acme.port):
        acme.seconds = 0.05
        job = await begun(conn, acme.url)
        await stored(conn, 5)
        await conn.execute("select bellhand.cancel($1)", job)
        await until(conn, job, "cancelled")
        asked = acme.asked.total()
        assert asked < 100
        await crawl(conn, acme.url + "/p50", max_pages=2, sitemaps=False)
        assert acme.asked.total() == asked + 2


async def test_a_crawl_stands_as_its_job_does_however_that_ends(dsn, conn):
    """While it runs and waits, cancelled in both, failed with its worker, and after retention has dropped the job."""

    async def stands(job: int) -> tuple[str, str]:
        row = await conn.fetchrow("select * from bellhand_seo.all_crawls where job_id = $1", job)
        return (row["state"], row["error"] or "") if row else ("", "")

    async def to_be(job: int, state: str) -> None:
        await eventually(lambda: _same(stands(job), state))

    async def _same(found, state: str) -> bool:
        return (await found)[0] == state

    async with site(tree(100)) as acme:
        acme.seconds = 0.1
        async with crawler(dsn, acme.port):
            ran, waited, handed_back = [await begun(conn, f"{acme.url}/p{n}") for n in range(3)]
            for job in (ran, waited, handed_back):
                await to_be(job, "running")
            await conn.execute("select bellhand.cancel($1)", ran)
            await conn.execute("select bellhand.pause($1)", waited)
            await to_be(ran, "cancelled")
            await to_be(waited, "paused")
        assert await stands(ran) == ("cancelled", "cancelled while it ran")
        await conn.execute("select bellhand.cancel($1)", waited)
        await to_be(waited, "cancelled")
        await to_be(handed_back, "pending")
        await conn.execute(
            "update bellhand.jobs set error = 'worker_lost' where id = $1", handed_back
        )
        await conn.execute(
            "select bellhand.take_out($1), bellhand.finish(array[$1], 'failed')", handed_back
        )
        assert await stands(handed_back) == ("failed", "worker_lost")
        over = "select count(finished_at) from bellhand_seo.all_crawls"
        assert await conn.fetchval(over) == 3
        await conn.execute("delete from bellhand.history")
        state, why = await stands(ran)
    assert state == "failed"
    assert "not kept any more" in why


async def test_pages_that_fail_in_passing_are_asked_for_again_at_the_end(dsn, conn):
    """S3-13: within one attempt, so that one busy moment of the site spoils nothing."""
    busy = {"/p1": 2, "/p2": 99}

    async def sometimes(request: web.Request) -> web.Response:
        busy[request.path] -= 1
        if busy[request.path] >= 0:
            return web.Response(status=503)
        return web.Response(text=links("/late"), content_type="text/html")

    served = {"/": links("/p1", "/p2", "/p3"), "/p1": sometimes, "/p2": sometimes, "/p3": "x"}
    async with site(served | {"/late": "x"}) as acme, crawler(dsn, acme.port):
        result = await crawl(conn, acme.url, sitemaps=False)
        found = await pages(conn, acme.url)
    assert {p: (r["status"], r["attempts"]) for p, r in found.items()} == {
        "/": (200, 1), "/p1": (200, 3), "/p2": (503, 3), "/p3": (200, 1), "/late": (200, 1),
    }  # fmt: skip
    assert (result["pages"], result["errors"]) == (5, 1)


async def test_a_site_that_goes_away_fails_the_attempt_and_a_retry_asks_only_for_the_rest(
    dsn, conn
):
    """S3-13: a manual retry starts with fresh attempts and keeps what was stored."""
    away = False

    async def page(request: web.Request) -> web.Response:
        if away and request.path != "/":
            request.transport.abort()
        return web.Response(text=served[request.path], content_type="text/html")

    served = tree(90)
    async with site(dict.fromkeys(served, page)) as acme, crawler(dsn, acme.port):
        acme.seconds = 0.01
        job = await begun(conn, acme.url)
        await conn.execute("update bellhand.jobs set attempts_max = 1 where id = $1", job)
        await stored(conn, 20)
        away = True
        row = await until(conn, job, "failed")
        assert "cannot be reached any more" in row["error"]
        assert await conn.fetchval("select state from bellhand_seo.crawls") == "failed"
        done = {p for p, r in (await pages(conn, acme.url)).items() if r["status"] == 200}
        assert 20 <= len(done) < 90
        away = False
        acme.asked.clear()
        await conn.execute("select bellhand.retry($1)", job)
        row = await until(conn, job, "completed")
        assert json.loads(row["result"])["pages"] == 90
        assert not set(acme.asked) & done
        assert {r["status"] for r in (await pages(conn, acme.url)).values()} == {200}


async def test_a_site_that_asks_for_an_hour_of_peace_gets_it(dsn, conn):
    async def peace(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "3000"})

    served = {"/": links(*[f"/p{n}" for n in range(30)]), "/p0": peace}
    async with site(served) as acme, crawler(dsn, acme.port):
        job = await begun(conn, acme.url)
        await until(conn, job, "scheduled")
        row = await conn.fetchrow("select * from bellhand.all_jobs where id = $1", job)
        assert row["attempts"] == 0, "no attempt was burned"
        assert "left alone" in row["error"]
        assert acme.asked.total() < 30


async def test_a_site_that_asks_for_a_moment_of_peace_loses_no_page(dsn, conn):
    asked = 0

    async def moment(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        return web.Response(text="x", content_type="text/html")

    served = {f"/p{n}": "x" for n in range(30)} | {"/p0": moment}
    served |= {"/": links(*served)}
    async with site(served) as acme, crawler(dsn, acme.port, wait_seconds_max=0.5):
        result = await crawl(conn, acme.url, sitemaps=False)
        found = await pages(conn, acme.url)
    assert {row["status"] for row in found.values()} == {200}
    assert (result["pages"], len(found), asked) == (31, 31, 2)


async def test_a_crawl_delay_is_kept_also_after_a_restart(dsn, conn):
    """Fetches of one host must not wait for one another longer than they have patience."""
    served = tree(14) | {"/robots.txt": b"User-agent: *\nCrawl-delay: 0.2"}
    async with site(served) as acme:
        async with crawler(dsn, acme.port, wait_seconds_max=1):
            job = await begun(conn, acme.url, concurrency=20)
            await stored(conn, 3)
        loop = asyncio.get_running_loop()
        began, before = loop.time(), acme.asked.total()
        async with crawler(dsn, acme.port, wait_seconds_max=1):
            await until(conn, job, "completed")
        assert loop.time() - began >= 0.2 * (acme.asked.total() - before - 2)
    assert max(acme.asked[path] for path in served) <= 2
    assert {row["status"] for row in (await pages(conn, acme.url)).values()} == {200}
