"""Sizes and numbers have bounds: what a job may carry, what a bell that never stops costs, what is counted."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
from typing import Any

import aiohttp
import asyncpg
import pytest

from bellhand import job_kind
from daemons import at_work, insert, until
from desk import Desk
from security import Cast, cast
from support import eventually

# Sizes


async def test_names_keys_and_payloads_have_bounds_and_the_largest_fit_every_index(
    cast: Cast,
) -> None:
    # Four bytes a letter, and nothing for a compressor.
    letters = "".join(chr(0x10000 + 7919 * n % 60000) for n in range(501))
    kind = "k" * 100
    await Desk(cast.owner).publish(kind)
    await insert(cast.producer, kind, unique_key=letters[:500], owner=letters[:500])
    for column in ("unique_key", "owner"):
        with pytest.raises(asyncpg.CheckViolationError):
            await insert(cast.producer, kind, **{column: letters})
    for name in ("k" * 101, ""):
        with pytest.raises(asyncpg.CheckViolationError):
            await Desk(cast.owner).publish(name)
        with pytest.raises(asyncpg.CheckViolationError):
            await Desk(cast.owner).publish("fine", lane=name)
    fits = json.dumps({"x": "é" * 524_000})
    await insert(cast.producer, kind, fits)
    for door in (
        "insert into bellhand.jobs (kind, payload) values ('a', $1)",
        "select bellhand.enqueue('a', $1)",
    ):
        with pytest.raises(asyncpg.PostgresError) as caught:
            await cast.producer.execute(door, json.dumps({"x": "é" * 530_000}))
        assert caught.value.sqlstate == "BH003"


MOMENTS = ("-infinity", "infinity", "20000-01-01", "294276-01-01", "0001-01-01 BC", "4713-01-01 BC")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_moment_that_no_calendar_holds_is_refused(cast: Cast, moment: str) -> None:
    """Before Postgres 17 one row with an infinite time stopped every claim or promotion; no Python reads year 20000."""
    for statement in (
        f"insert into bellhand.jobs (kind, run_at) values ('a', '{moment}')",
        f"select bellhand.enqueue('a', run_at => '{moment}')",
        f'select bellhand.enqueue_many(\'[{{"kind": "a", "run_at": "{moment}"}}]\')',
    ):
        with pytest.raises(asyncpg.PostgresError):
            await cast.producer.execute(statement)
    await cast.producer.execute(f"set bellhand.now = '{moment}'")
    with pytest.raises(asyncpg.PostgresError):
        await cast.producer.execute("insert into bellhand.jobs (kind) values ('a')")


@pytest.mark.parametrize("seconds", ["NaN", "Infinity"])
async def test_a_timeout_is_a_number_of_seconds(cast: Cast, seconds: str) -> None:
    for statement in (
        f"insert into bellhand.jobs (kind, timeout_seconds) values ('a', '{seconds}')",
        f"select bellhand.enqueue('a', timeout_seconds => '{seconds}')",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await cast.producer.execute(statement)


async def test_a_payload_that_was_stored_compressed_is_measured_as_it_unpacks(cast: Cast) -> None:
    await cast.producer.execute(
        "create temp table packed as select jsonb_build_object('x', repeat('x', 30000000)) as payload"
    )
    assert await cast.producer.fetchval("select pg_column_size(payload) from packed") < 1_000_000
    with pytest.raises(asyncpg.PostgresError) as caught:
        await cast.producer.execute(
            "insert into bellhand.jobs (kind, payload) select 'a', payload from packed"
        )
    assert caught.value.sqlstate == "BH003"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("tags", "jsonb_build_object('x', repeat('x', 1000000))"),
        ("notify", "jsonb_build_object('x', repeat('x', 1000000))"),
        ("depends_on", "array_fill(1::bigint, array[100000])"),
    ],
)
async def test_what_a_job_carries_beside_its_payload_has_bounds_too(
    cast: Cast, column: str, value: str
) -> None:
    await insert(cast.owner, "a")
    with pytest.raises(asyncpg.PostgresError) as caught:
        await cast.producer.execute(
            f"insert into bellhand.jobs (kind, {column}) values ('a', {value})"
        )
    assert caught.value.sqlstate == "BH004"


@pytest.mark.parametrize("unknown", ["refuse", "hold"])
async def test_a_kind_of_any_length_costs_nothing_and_is_not_repeated(
    cast: Cast, unknown: str
) -> None:
    await cast.owner.execute(
        "update bellhand.meta set value = $1 where name = 'unknown_kinds'", unknown
    )
    await cast.producer.execute("set statement_timeout = '2s'")
    with pytest.raises(asyncpg.PostgresError) as caught:
        await cast.producer.execute("insert into bellhand.jobs (kind) values (repeat('x', 100000))")
    assert caught.value.sqlstate == "BH004"
    assert len(str(caught.value)) < 2000


# The bell


async def test_the_bell_says_nothing_about_jobs(cast: Cast) -> None:
    heard: list[Any] = []
    await cast.owner.add_listener("bellhand", lambda *told: heard.append(told[-1]))
    # Somebody sleeps, so that every insert rings.
    await cast.owner.execute("select setval('bellhand.asleep_until', 9e15::bigint)")
    job = await insert(
        cast.producer,
        "a",
        '{"x": "c4n4ry"}',
        unique_key="c4n4ry",
        owner="c4n4ry",
        tags='{"c4n4ry": 1}',
    )
    await cast.owner.execute("select bellhand.cancel($1, 'c4n4ry')", job)
    await cast.owner.execute("select bellhand.call_workers()")
    await eventually(lambda: "look" in heard)
    assert set(heard) == {"", "look"}


@pytest.mark.parametrize(
    "payload",
    ["", "look", "probe:0.5", "x" * 7990, "\x1b[2J"],
    ids=["", "look", "probe", "long", "escape"],
)
async def test_whoever_rings_the_bell_without_end_buys_few_looks(
    cast: Cast, dsn: str, payload: str
) -> None:
    """Anybody may NOTIFY on our channel. A burst in one transaction counts as one ring or a few."""
    ran: list[int] = []

    @job_kind("t.rung")
    async def rung(args: dict[str, int]) -> None:
        ran.append(args["n"])

    async with at_work(dsn, rung) as daemon:

        def looks() -> int:
            return int(series(daemon.metrics.render().decode())["bellhand_claim_seconds_count"])

        await eventually(lambda: daemon.sleep.sound)
        before = looks()
        # The numbers keep Postgres from sending it once.
        burst = "select pg_notify('bellhand', $1 || n) from generate_series(1, 10000) n"
        await cast.stranger.execute(burst, payload)
        for n in range(1, 41):
            await cast.stranger.execute("select pg_notify('bellhand', $1)", payload)
            if n % 20 == 0:
                job = await insert(cast.producer, "t.rung", json.dumps({"n": n}))
                await until(cast.owner, job, "completed")

        async def at_rest() -> bool:
            seen = looks()
            await asyncio.sleep(0.3)
            return looks() == seen and daemon.sleep.sound

        await eventually(at_rest, 30, because="it goes back to sleep")
        assert looks() - before < 500, "10,040 rings"
    assert ran == [20, 40]


def series(text: str) -> dict[str, float]:
    """What /metrics says, by name and labels."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def test_ten_thousand_kinds_that_a_daemon_does_not_know_add_no_series(
    dsn: str, conn: asyncpg.Connection
) -> None:
    @job_kind("t.known")
    async def known() -> None: ...

    queue = {"unknown_kinds": "hold"}
    async with at_work(dsn, known, queue=queue) as daemon, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{daemon.status.port}"
        await insert(conn, "t.known")

        async def scrape() -> dict[str, float]:
            async with session.get(f"{url}/metrics") as answer:
                return series(await answer.text())

        await eventually(lambda: scrape_says(scrape, "bellhand_claimed_jobs_total", 1))
        await daemon.keeper.sample_database()
        await scrape()  # from now on requests for it are counted
        before = await scrape()
        # Half are kinds of some other daemon, which ours claims and puts aside; half nobody knows.
        await Desk(conn).publish(*(f"flood.{n}" for n in range(5000)))
        await conn.execute(
            "insert into bellhand.jobs (kind, owner, tags) select 'flood.' || n, 'owner' || n,"
            " jsonb_build_object('tag' || n, n) from generate_series(0, 9999) n"
        )
        parked = "select count(*) from bellhand.parked"
        await eventually(lambda: fetches(conn, parked, 10_000), 30)
        await daemon.keeper.sample()
        after = await scrape()
        async with session.get(f"{url}/v1/stats") as answer:
            stats = await answer.text()
    assert set(after) == set(before)
    assert after["bellhand_claimed_jobs_total"] == 5001
    assert after['bellhand_lane_jobs{lane="default",state="parked"}'] == 5000
    assert "flood" not in stats
    assert len(stats) < 5000


async def scrape_says(scrape: Any, name: str, value: float) -> bool:
    return bool((await scrape())[name] == value)


async def fetches(conn: asyncpg.Connection, sql: str, value: Any) -> bool:
    return bool(await conn.fetchval(sql) == value)
