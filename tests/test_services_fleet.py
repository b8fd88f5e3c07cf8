"""What daemons agree on about a service: breaker, rate, caps, and what the service asks for. Two of them on one database."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
import uuid
from typing import Any

import asyncpg
import pytest

from bellhand.clients.errors import ServiceError
from bellhand.clients.services import Services
from bellhand.clients.wire import Answer
from bellhand.dev.standins.server import StandIns
from bellhand.outcomes import Snooze
from bellhand.sql import query
from outside import _impatient, sections, services, stand_ins
from support import eventually

BREAKER = {"breaker_failures": 3, "breaker_seconds": 0.4, "retries_max": 0, "cache_seconds": 0}


async def ask(outside: Services, words: str = "plumbers") -> str:
    """How a search ended: ok, or the code of its error, or snooze."""
    try:
        await outside.serpapi.local(words, "Austin")
    except ServiceError as error:
        return error.code
    except Snooze:
        return "snooze"
    return "ok"


async def status(conn: asyncpg.Connection) -> asyncpg.Record:
    row = await conn.fetchrow("select * from bellhand.service_status where service = 'serpapi'")
    assert row is not None
    return row


async def events(conn: asyncpg.Connection) -> list[tuple[str, dict[str, Any]]]:
    rows = await conn.fetch("select type, data from bellhand.events where type like 'service%' order by seq")  # fmt: skip
    return [(row["type"], json.loads(row["data"])) for row in rows]


# The breaker (S4-32)


async def test_a_breaker_opens_for_all_lets_one_try_and_closes_for_all_s4_32(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    settings = sections(stand_ins.port, **BREAKER)
    async with services(dsn, settings) as one, services(dsn, settings) as other:
        stand_ins.faults.set("serpapi", "unavailable", times=3)
        assert [await ask(one), await ask(one), await ask(other)] == ["unavailable"] * 3
        assert (await status(conn))["breaker"] == "open"
        with pytest.raises(Snooze, match="breaker is open after 3 failures in a row, the last: the service has a fault"):  # fmt: skip
            await one.serpapi.local("plumbers", "Austin")
        assert await ask(other) == "snooze"
        assert len(stand_ins.asked("serpapi")) == 3, "nobody asks"

        async def due() -> bool:
            return (await status(conn))["retry_seconds"] == 0

        await eventually(due)
        # So long that all have asked before it ends.
        stand_ins.faults.set("serpapi", "slow", seconds=1.2)
        probes = await asyncio.gather(*(ask(who) for who in (one, other) * 5))
        assert sorted(probes) == ["ok"] + ["snooze"] * 9, "one call tries for everybody"
        assert (await status(conn))["breaker"] == "closed"
        assert await ask(one) == await ask(other) == "ok"
    opened, closed = await events(conn)
    assert opened == ("service_opened", {"service": "serpapi", "failures": 3, "error": "the service has a fault"})  # fmt: skip
    assert closed == ("service_closed", {"service": "serpapi"})


async def test_a_breaker_that_finds_no_better_waits_longer_each_time(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    settings = sections(stand_ins.port, **BREAKER | {"breaker_seconds": 100})
    async with services(dsn, settings) as one:
        stand_ins.faults.set("serpapi", "reset", times=99)
        for _ in range(3):
            assert await ask(one) == "connect"
        for wait in (100, 200, 400, 800, 1600, 3200, 3200):
            assert wait - 5 < (await status(conn))["retry_seconds"] <= wait
            await conn.execute("update bellhand.services set retry_at = bellhand.now()")
            assert await ask(one) == "connect"
    assert len(await events(conn)) == 1, "that it stays open is no news"


async def test_a_success_in_between_starts_the_count_anew(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    settings = sections(stand_ins.port, **BREAKER)
    async with services(dsn, settings) as one, services(dsn, settings) as other:
        for _ in range(3):
            stand_ins.faults.set("serpapi", "error", times=2)
            assert [await ask(one), await ask(other)] == ["unavailable"] * 2
            assert await ask(other) == "ok"
    assert (await status(conn))["failures"] == 0
    assert await events(conn) == []


async def test_bad_questions_and_slow_downs_are_no_failures_of_the_service(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    async with services(dsn, sections(stand_ins.port, **BREAKER)) as one:
        for _ in range(4):
            with pytest.raises(ServiceError):
                await one.serpapi.local("plumbers", "Atlantis")
        stand_ins.faults.set("serpapi", "rate", times=4)
        for _ in range(4):
            assert await ask(one) == "snooze"
    found = await status(conn)
    assert (found["breaker"], found["failures"]) == ("closed", 0)


async def test_a_probe_that_is_called_off_leaves_its_place_to_the_next(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    async with services(dsn, sections(stand_ins.port, **BREAKER)) as one:
        stand_ins.faults.set("serpapi", "error", times=3)
        for _ in range(3):
            await ask(one)
        await conn.execute("update bellhand.services set retry_at = bellhand.now()")
        stand_ins.faults.set("serpapi", "slow", seconds=30)
        probe = asyncio.create_task(ask(one))
        await eventually(lambda: len(stand_ins.asked("serpapi")) == 4)
        assert await ask(one) == "snooze"
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)

        async def well() -> bool:
            return await ask(one) == "ok"

        await eventually(well)
    assert (await status(conn))["breaker"] == "closed"


async def test_what_was_under_way_when_it_opened_comes_too_late_to_close_it(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    settings = sections(stand_ins.port, **BREAKER | {"breaker_seconds": 60})
    async with services(dsn, settings) as one, services(dsn, settings) as other:
        stand_ins.faults.set("serpapi", "slow", seconds=1.5)
        early = asyncio.create_task(ask(other))
        await eventually(lambda: stand_ins.asked("serpapi"))
        stand_ins.faults.set("serpapi", "error", times=3)
        for _ in range(3):
            await ask(one)
        assert await early == "ok"
    assert (await status(conn))["breaker"] == "open"


# By the hand of the clock


class Door:
    """service_enter.sql at a time of our choice."""

    def __init__(self, conn: asyncpg.Connection) -> None:
        self.conn = conn

    async def enter(self, at: str, *, key: str = "k", rate: float | None = None, burst: int = 1, **caps: int) -> asyncpg.Record:  # fmt: skip
        await self.conn.execute("select set_config('bellhand.now', $1, false)", at)
        limits = [caps.get(name) for name in ("day_calls", "month_calls", "day_cost", "month_cost")]
        row = await self.conn.fetchrow(
            query("service_enter"), "openai", key, uuid.uuid4(), rate, burst, 5.0, 40.0, *limits
        )
        assert row is not None
        return row


@pytest.fixture
async def door(conn: asyncpg.Connection) -> Door:
    return Door(conn)


async def test_tokens_come_at_the_rate_and_never_more_than_the_burst(door: Door) -> None:
    day = "2031-05-05 10:00:"
    fast = {"rate": 2.0, "burst": 3}
    waits = [(await door.enter(f"{day}00+00", **fast))["wait_seconds"] for _ in range(5)]
    assert waits == [0, 0, 0, 0.5, 1.0]
    assert (await door.enter(f"{day}02+00", **fast))["wait_seconds"] == 0
    assert (await door.enter(f"{day}40+00", **fast))["wait_seconds"] == 0
    waits = [(await door.enter(f"{day}40+00", **fast))["wait_seconds"] for _ in range(3)]
    assert waits == [0, 0, 0.5]


async def test_who_would_wait_for_too_long_takes_no_token(door: Door) -> None:
    slow = {"rate": 0.25, "burst": 1}
    first = [await door.enter("2031-05-05 10:00:00+00", **slow) for _ in range(5)]
    assert [row["verdict"] for row in first] == ["go", "go", "rate", "rate", "rate"]
    assert {row["wait_seconds"] for row in first[2:]} == {8.0}
    later = await door.enter("2031-05-05 10:00:04+00", **slow)
    assert (later["verdict"], later["wait_seconds"]) == ("go", 4.0)


async def test_a_caller_with_an_older_clock_takes_no_time_back(door: Door) -> None:
    """A statement that waited for the row began before the one that held it."""
    await door.enter("2031-05-05 10:00:10+00", rate=1.0)
    assert (await door.enter("2031-05-05 10:00:05+00", rate=1.0))["wait_seconds"] == 1.0
    assert (await door.enter("2031-05-05 10:00:12+00", rate=1.0))["wait_seconds"] == 0.0


async def test_caps_end_with_the_day_and_the_month_in_utc(door: Door) -> None:
    caps = {"day_calls": 2, "month_calls": 5}
    found = [await door.enter("2031-01-30 23:00:00+00", **caps) for _ in range(3)]
    assert [row["verdict"] for row in found] == ["go", "go", "capped"]
    assert found[2]["wait_seconds"] == 3600
    assert "2 calls of this day are spent (calls_per_day_max)" in found[2]["reason"]
    found = [await door.enter("2031-01-31 00:00:00+00", **caps) for _ in range(3)]
    assert [row["verdict"] for row in found] == ["go", "go", "capped"]
    # Still the 31st in UTC.
    late = await door.enter("2031-02-01 00:30:00+02", **caps)
    assert late["verdict"] == "capped"
    found = [await door.enter("2031-02-01 00:00:00+00", **caps) for _ in range(2)]
    assert [row["verdict"] for row in found] == ["go", "go"]
    found = [await door.enter("2031-02-02 00:00:00+00", month_calls=3) for _ in range(2)]
    assert [row["verdict"] for row in found] == ["go", "capped"]
    assert found[1]["wait_seconds"] == 27 * 86_400
    assert "3 calls of this month" in found[1]["reason"]


async def test_a_probe_whose_daemon_died_is_followed_by_another(
    door: Door, conn: asyncpg.Connection
) -> None:
    await door.enter("2031-05-05 10:00:00+00")
    await conn.execute("update bellhand.services set state = 'open', failures = 5, retry_at = bellhand.now(), error = 'x'")  # fmt: skip
    verdicts = [
        (await door.enter(f"2031-05-05 10:00:{second}+00"))["verdict"]
        for second in ("01", "02", "40", "41", "42")
    ]
    assert verdicts == ["probe", "open", "open", "probe", "open"]


async def test_a_pause_holds_for_the_key_that_met_it(door: Door, conn: asyncpg.Connection) -> None:
    """Another key is another account: who puts it in need not wait for the old one's pause."""
    await door.enter("2031-05-05 10:00:00+00")
    await conn.execute("update bellhand.services set paused_until = bellhand.now() + interval '1 hour', paused_key = 'k', paused_reason = 'spent'")  # fmt: skip
    paused = await door.enter("2031-05-05 10:30:00+00")
    assert (paused["verdict"], paused["wait_seconds"], paused["reason"]) == ("paused", 1800, "spent")  # fmt: skip
    assert (await door.enter("2031-05-05 10:30:00+00", key="new"))["verdict"] == "go"
    assert (await door.enter("2031-05-05 11:00:00+00"))["verdict"] == "go"


# Rate and caps over two daemons (S0-30)


async def test_two_daemons_together_keep_the_rate_s0_30(dsn: str, stand_ins: StandIns) -> None:
    settings = sections(stand_ins.port, rate_per_second=20, rate_burst=2, cache_seconds=0)
    async with services(dsn, settings) as one, services(dsn, settings) as other:
        began = asyncio.get_running_loop().time()
        ends = await asyncio.gather(*(ask(who) for who in (one, other) * 10))
    assert set(ends) == {"ok"}
    last = max(call.at for call in stand_ins.asked("serpapi"))
    assert len(stand_ins.asked("serpapi")) == 20
    # The burst, and then one each 50 ms; two buckets would be through in half of the time.
    assert last - began >= 0.85


async def test_who_would_wait_for_longer_than_a_few_seconds_is_put_off(
    dsn: str, stand_ins: StandIns
) -> None:
    settings = sections(stand_ins.port, rate_per_second=0.1, rate_burst=1, cache_seconds=0)
    async with services(dsn, settings) as one, services(dsn, settings) as other:
        assert await ask(one) == "ok"
        with pytest.raises(Snooze, match=r"its 0\.1 calls a second are taken") as caught:
            await other.serpapi.local("plumbers", "Austin")
    assert 5 < caught.value.seconds <= 20
    assert len(stand_ins.asked("serpapi")) == 1


async def test_a_cap_lets_through_exactly_as_many_as_it_says(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    settings = sections(stand_ins.port, calls_per_day_max=5, cache_seconds=0)
    async with services(dsn, settings) as one, services(dsn, settings) as other:
        ends = await asyncio.gather(*(ask(who) for who in (one, other) * 10))
    assert sorted(ends) == ["ok"] * 5 + ["snooze"] * 15
    assert len(stand_ins.asked("serpapi")) == 5
    found = await status(conn)
    assert (found["day_calls"], found["month_calls"]) == (5, 5)


async def test_a_cap_in_dollars_holds_once_the_money_is_spent(dsn: str, stand_ins: StandIns) -> None:  # fmt: skip
    settings = sections(stand_ins.port, dollars_per_month_max=0.03, cache_seconds=0)
    async with services(dsn, settings) as one, services(dsn, settings) as other:
        assert [await ask(one), await ask(other), await ask(one)] == ["ok", "ok", "snooze"]
        with pytest.raises(Snooze, match=r"its \$0\.03 of this month are spent") as caught:
            await other.serpapi.local("plumbers", "Austin")
    assert caught.value.seconds <= 4400, "somebody may raise the cap meanwhile"


async def test_what_the_service_asks_of_one_all_obey(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    async def told() -> bool:
        return (await status(conn))["paused_reason"] is not None

    settings = sections(stand_ins.port, cache_seconds=0)
    async with services(dsn, settings) as one, services(dsn, settings) as other:
        stand_ins.faults.set("serpapi", "rate", seconds=1)
        asked = asyncio.create_task(ask(one))
        await eventually(lambda: stand_ins.asked("serpapi"))
        await eventually(told)
        assert await ask(other) == "ok"
        assert await asked == "ok"
    first, *later = stand_ins.asked("serpapi")
    assert len(later) == 2
    assert all(call.at - first.at >= 0.99 for call in later)


async def test_no_more_calls_are_under_way_than_concurrency_allows(
    dsn: str, stand_ins: StandIns
) -> None:
    settings = sections(stand_ins.port, concurrency=2, rate_per_second=None, cache_seconds=0)
    async with services(dsn, settings) as one:
        stand_ins.faults.set("serpapi", "slow", times=6, seconds=0.1)
        assert set(await asyncio.gather(*(ask(one) for _ in range(6)))) == {"ok"}
    times = [call.at for call in stand_ins.asked("serpapi")]
    assert times[2] - times[0] >= 0.09
    assert times[4] - times[2] >= 0.09


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Wed, 21 Oct 2031 07:28:10 GMT", "Date": "Wed, 21 Oct 2031 07:28:00 GMT"}, 10),
        ({"Retry-After": "Wed, 21 Oct 2031 07:28:00 GMT", "Date": "Wed, 21 Oct 2031 07:29:00 GMT"}, 0),
        ({"Retry-After": "Wed, 21 Oct 2031 07:28:00 GMT"}, None),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"Retry-After": "-3"}, None), ({"Retry-After": "soon"}, None), ({"Retry-After": "9" * 400}, None), ({}, None),
    ],
)  # fmt: skip
def test_how_long_a_service_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert Answer(429, headers, b"").wait_seconds() == seconds
