"""The accounts: every call once, whatever happens between it and the database."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
from contextlib import suppress

import asyncpg
import pytest
import structlog

from bellhand.clients import usage as accounts
from bellhand.clients.errors import ServiceError
from bellhand.clients.services import Services
from bellhand.clients.usage import Call, Used, health_of, usage_of
from bellhand.dev.postgres import DevPostgres
from bellhand.dev.standins.server import StandIns
from bellhand.outcomes import Snooze
from outside import _impatient, sections, services, stand_ins, usage
from proxy import proxy
from support import eventually

SEARCH = 15_000  # microdollars


async def search(outside: Services, words: str = "plumbers") -> None:
    with suppress(ServiceError, Snooze):
        await outside.serpapi.local(words, "Austin")


async def test_the_sums_are_exact_with_many_calls_side_by_side(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    settings = sections(stand_ins.port, cache_seconds=0, rate_per_second=None, concurrency=20, breaker_failures=1000)  # fmt: skip
    stand_ins.faults.set("serpapi", "error", times=7)
    stand_ins.faults.set("serpapi", "reset", times=6)
    async with services(dsn, settings) as one, services(dsn, settings) as other:
        await asyncio.gather(*(search(who, f"trade {n}") for n in range(40) for who in (one, other)))  # fmt: skip
    (row,) = await usage(conn)
    days = dict(await conn.fetchrow("select * from bellhand.usage_recent"))
    assert days.pop("today")
    assert days == {name: row[name] for name in days}, "the days are the same sums"
    sent = len(stand_ins.asked("serpapi"))
    assert (row["calls"], row["failures"]) == (sent, 13)
    assert row["units_in"] == sent - 13
    assert row["cost_microdollars"] == (sent - 13) * SEARCH
    found = await conn.fetchrow("select * from bellhand.service_status")
    assert found is not None
    assert (found["day_calls"], found["month_calls"]) == (sent, sent)
    assert found["day_cost_microdollars"] == found["month_cost_microdollars"] == (sent - 13) * SEARCH  # fmt: skip


async def test_a_call_that_is_cancelled_counts_as_one(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    stand_ins.faults.set("serpapi", "slow", seconds=30)
    async with services(dsn, sections(stand_ins.port)) as outside:
        asked = asyncio.create_task(search(outside))
        await eventually(lambda: stand_ins.asked("serpapi"))
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    (row,) = await usage(conn)
    assert (row["calls"], row["failures"], row["cost_microdollars"]) == (1, 1, 0)
    assert await conn.fetchval("select failures from bellhand.services") == 0, "nobody's fault"


async def test_a_batch_whose_answer_was_lost_counts_once(
    private_server: DevPostgres, private_dsn: str, stand_ins: StandIns
) -> None:
    conn = await asyncpg.connect(private_dsn, timeout=10)

    async def calls() -> int:
        return int(await conn.fetchval("select coalesce(sum(calls), 0) from bellhand.usage"))

    async with (
        proxy(private_server.dsn_for("bellhand", tcp=True)) as way,
        services(way.dsn, sections(stand_ins.port, cache_seconds=0)) as outside,
    ):
        await search(outside)
        stand_ins.faults.set("serpapi", "slow", seconds=0.3)
        asked = asyncio.create_task(search(outside))
        await eventually(lambda: len(stand_ins.asked("serpapi")) == 2)
        way.mute = True
        await eventually(lambda: calls_are(calls, 2), because="it was committed")
        assert not asked.done(), "it does not know"
        way.cut()
        way.mute = False
        await asked
        await search(outside)
    assert await calls() == 3
    assert await conn.fetchval("select cost_microdollars from bellhand.usage") == 3 * SEARCH
    assert await conn.fetchval("select day_cost_microdollars from bellhand.services") == 3 * SEARCH
    await conn.close(timeout=5)


async def calls_are(calls: object, wanted: int) -> bool:
    return await calls() == wanted  # type: ignore[operator]


async def test_while_the_database_is_away_answers_are_used_and_written_down_later(
    private_server: DevPostgres, private_dsn: str, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(accounts, "RECORD_SECONDS_MAX", 0.2)
    stand_ins.faults.set("serpapi", "slow", seconds=0.3)
    async with services(private_dsn, sections(stand_ins.port, cache_seconds=0)) as outside:
        asked = asyncio.create_task(outside.serpapi.local("plumbers", "Austin"))
        await eventually(lambda: stand_ins.asked("serpapi"))
        await asyncio.to_thread(private_server.stop)
        assert (await asked).places, "it came, and was paid for"
        await asyncio.to_thread(private_server.start)
    conn = await asyncpg.connect(private_dsn, timeout=10)
    assert await conn.fetchval("select cost_microdollars from bellhand.usage") == SEARCH
    await conn.close(timeout=5)


async def test_what_cannot_be_written_at_the_end_is_logged_to_be_entered_by_hand(
    private_server: DevPostgres, private_dsn: str, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(accounts, "RECORD_SECONDS_MAX", 0.1)
    monkeypatch.setattr(accounts, "CLOSE_SECONDS", 0.3)
    stand_ins.faults.set("serpapi", "slow", seconds=1.0)  # the server is down before it answers
    with structlog.testing.capture_logs() as said:
        async with services(private_dsn, sections(stand_ins.port, cache_seconds=0)) as outside:
            asked = asyncio.create_task(outside.serpapi.local("plumbers", "Austin"))
            await eventually(lambda: stand_ins.asked("serpapi"))
            await asyncio.to_thread(private_server.stop)
            await asked
    (lost,) = [line for line in said if line["event"] == "usage_lost"]
    assert lost["calls"] == [
        {"service": "serpapi", "operation": "local", "kind": "", "owner": "", "calls": 1, "failures": 0,
         "units_in": 1, "units_out": 0, "cost": SEARCH, "unpriced": 0}
    ]  # fmt: skip


def test_calls_of_one_batch_are_added_up() -> None:
    used = Used(10, 2, 7)
    calls = [
        Call("openai", "parse", "ok", used=used, alive=True),
        Call("openai", "parse", "unavailable", alive=False, error="down"),
        Call("openai", "embed", "ok", used=used, alive=True),
        Call("openai", "parse", "timeout", alive=False, error="slow"),
        Call("places", "search", "cancelled"),
        Call("places"),  # a probe that never went out
    ]
    rows = {(row["service"], row["operation"]): row for row in usage_of(calls)}
    assert {key: (row["calls"], row["failures"], row["cost"]) for key, row in rows.items()} == {
        ("openai", "parse"): (3, 2, 7),
        ("openai", "embed"): (1, 0, 7),
        ("places", "search"): (1, 1, 0),
    }
    openai, places = health_of(calls)
    assert (openai["alive"], openai["sick"], openai["error"], openai["cost"]) == (True, 1, "slow", 14)  # fmt: skip
    assert (places["alive"], places["sick"]) == (False, 0)


async def test_old_usage_and_old_answers_are_dropped(conn: asyncpg.Connection) -> None:
    await conn.execute(
        "insert into bellhand.usage select current_date - d, 'places', 'search', '', '', 1, 0, 1, 0, 1 from generate_series(0, 99) d"
    )
    await conn.execute(
        "insert into bellhand.service_cache select 'places', int4send(d), '{}', bellhand.now() - d * interval '1 day' from generate_series(0, 99) d"
    )
    await conn.execute(
        "insert into bellhand.usage_writers select gen_random_uuid(), 1, bellhand.now() - d * interval '1 day' from generate_series(0, 99) d"
    )
    while await conn.fetchval("select bellhand.delete_usage(50, 7)"):
        pass
    counts = [await conn.fetchval(f"select count(*) from bellhand.{t}") for t in ("usage", "service_cache", "usage_writers")]  # fmt: skip
    assert counts == [51, 30, 7]
