"""Passes over a source that stop and go on: faults, patience, circles, kills; and related writes in one statement."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
import signal

import asyncpg
import pytest
from aiohttp import web

from crm import customer, put
from daemons import until
from processes import Fleet, fleet
from sources import customers, passed, person, reading, source, sync
from support import eventually
from test_crm_sync import counts

PEOPLE = [person(n) for n in range(1, 8)]


def json_of(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (lambda: web.Response(status=502), "page 3 of source shop: HTTP 502"),
        (lambda: json_of('{"data": [{"id"'), "the answer is not JSON"),
        (lambda: json_of("[" * 100_000), "the answer is not JSON (RecursionError)"),
        (lambda: json_of('{"rows": []}'), "there is no list at 'data'"),
        (lambda: json_of('{"data": [], "next_cursor": {}}'), "the cursor is neither"),
        (lambda: web.Response(status=429, headers={"Retry-After": "1800"}), "it asks for patience (HTTP 429)"),
        (lambda: web.Response(status=503, headers={"Retry-After": "90"}), "it asks for patience (HTTP 503)"),
        (lambda: web.Response(status=429), "it asks for patience"),
    ],
)  # fmt: skip
async def test_a_page_that_cannot_be_had_is_asked_for_again_and_those_before_it_are_not(
    dsn: str, conn: asyncpg.Connection, say, why: str
) -> None:
    """S4-28: a pass goes on at the page where it stopped, with its counts."""
    async with source(conn, PEOPLE) as shop, reading(dsn, shop):
        shop.say[3] = say
        id = await sync(conn)
        row = await until(conn, id, "scheduled")
        assert why in row["error"]
        assert row["attempts"] == 0, "it has come further"
        if "1800" in str(say().headers):
            seconds = "select extract(epoch from run_at - bellhand.now()) from bellhand.all_jobs where id = $1"
            assert 1700 < await conn.fetchval(seconds, id) <= 1800
        assert len(await customers(conn, "name")) == 4, "two pages are there"
        assert (await passed(conn))["pages"] == 2
    # Another daemon: the first one leaves the host alone for as long as it was told.
    async with source(conn, PEOPLE, name="other") as whole:
        await conn.execute("update bellhand_crm.sources s set url = o.url from bellhand_crm.sources o where o.name = 'other' and s.name = 'shop'")  # fmt: skip
        async with reading(dsn, whole):
            await conn.execute("select bellhand.run_now($1)", id)
            row = await until(conn, id, "completed")
            assert counts(row) == {"pages": 4, "created": 7}
            assert whole.pages() == ["cursor=c3", "cursor=c4"]


async def test_a_source_that_brings_nothing_burns_attempts(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with source(conn, PEOPLE) as shop, reading(dsn, shop):
        shop.say[1] = lambda: web.Response(status=502)
        row = await until(conn, await sync(conn), "retrying")
        assert row["attempts"] == 1
        assert "page 1 of source shop: HTTP 502" in row["error"]


async def test_a_circle_is_found_and_the_next_attempt_begins_anew(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with source(conn, PEOPLE) as shop, reading(dsn, shop):
        shop.say[3] = lambda: web.json_response({"data": [person(99)], "next_cursor": "c2"})
        id = await sync(conn)
        row = await until(conn, id, "retrying")
        assert "page 3 leads to the same page as page 1" in row["error"]
        shop.say[3] = lambda: web.json_response({"data": PEOPLE[:2], "next_cursor": "c9"})
        await conn.execute("select bellhand.run_now($1)", id)

        async def second() -> bool:
            row = await passed(conn)
            return row["id"] == 2 and row["state"] == "failed"

        await eventually(second)
        assert (await passed(conn))["error"] == "page 3 brings nothing but what came before"
        assert not any(one[0] for one in (await customers(conn, "deleted_at")).values())
        shop.say.clear()
        await until(conn, id, "retrying")
        await conn.execute("select bellhand.run_now($1)", id)
        row = await until(conn, id, "completed")
        assert counts(row) == {"pages": 4, "created": 3, "unchanged": 4, "deleted": 1}
    states = await conn.fetch("select state from bellhand_crm.syncs order by id")
    assert [row["state"] for row in states] == ["failed", "failed", "completed"]


async def test_more_pages_than_anybody_expected_and_a_cursor_that_is_too_old(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with source(conn, PEOPLE, pages_max=2) as shop, reading(dsn, shop):
        row = await until(conn, await sync(conn), "retrying")
        assert "it has more than 2 pages (pages_max)" in row["error"]
        await conn.execute("update bellhand_crm.sources set pages_max = 100")
        shop.say[2] = lambda: web.Response(status=410)
        await conn.execute("select bellhand.cancel($1)", row["id"])
        row = await until(conn, await sync(conn), "retrying")
        assert "page 2 of source shop is refused (HTTP 410); the next one begins at its first page" in row["error"]  # fmt: skip


async def test_one_pass_at_a_time_and_a_pause_takes_effect_between_pages(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with source(conn, PEOPLE) as shop, reading(dsn, shop) as daemon:
        shop.hold, shop.held = asyncio.Event(), 2
        first = await sync(conn)
        await eventually(lambda: len(shop.asked) == 2)
        second = await sync(conn)
        row = await until(conn, second, "scheduled")
        assert f"job {first} is reading this source" in row["error"]
        await conn.execute("select bellhand.pause($1)", first)
        await eventually(lambda: daemon.worker.running[first].asked)
        shop.hold.set()
        await until(conn, first, "paused")
        assert (await passed(conn))["pages"] == 2
        await conn.execute("select bellhand.resume($1)", first)
        row = await until(conn, first, "completed")
        assert counts(row) == {"pages": 4, "created": 7}
        assert len(shop.asked) == 4


async def test_killed_in_the_middle_it_reads_no_page_twice_that_was_taken_in(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    """kill -9 of a real daemon while the third page is on its way."""
    async with source(conn, PEOPLE) as shop:
        shop.hold, shop.held = asyncio.Event(), 3
        given = {"modules": ["bellhand.families.crm"], "web": shop.web}
        first = fleet.start(dsn, **given)
        await first.until("ready")
        id = await sync(conn)
        await eventually(lambda: len(shop.asked) == 3)
        first.tell(signal.SIGKILL)
        await first.exit_code()
        shop.hold.set()
        second = fleet.start(dsn, **given)
        await second.until("ready")
        row = await until(conn, id, "completed")
        assert counts(row) == {"pages": 4, "created": 7}
        assert shop.pages() == ["", "cursor=c2", "cursor=c3", "cursor=c3", "cursor=c4"]


async def test_a_batch_of_opportunities_changes_as_a_whole_or_not_at_all(
    conn: asyncpg.Connection,
) -> None:
    """S4-34: process_opportunity_batch, with the seed's names."""
    await customer(conn, "ann")
    for n in range(3):
        await put(conn, "opportunities", id=f"o{n}", customer_id="ann", title="t", offer="o")
    batch = "select bellhand_crm.process_opportunity_batch(opportunity_ids => $1, status => $2)"
    assert await conn.fetchval(batch, ["o0", "o1"], "qualified") == 2
    assert await conn.fetchval(batch, ["o0", "o1", "o2", "o2"], "qualified") == 1
    with pytest.raises(asyncpg.NoDataFoundError, match="there are no opportunities x, y; none was"):
        await conn.fetchval(batch, ["y", "o0", "x"], "won")
    with pytest.raises(asyncpg.CheckViolationError):
        await conn.fetchval(batch, ["o0"], "sold")
    rows = await conn.fetch("select distinct status from bellhand_crm.opportunities")
    assert [row["status"] for row in rows] == ["qualified"]
