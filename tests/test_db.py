"""Connections: bounded, kept alive, dropped when in doubt, opened anew."""

import asyncio
import os
import signal
import socket
import time
from contextlib import suppress

import asyncpg
import pytest

from bellhand.db import Again, Away, Backoff, Database, HandlerPool, NoConnection
from bellhand.dev.postgres import DevPostgres
from bellhand.reach import each_host
from bellhand.store import Store
from support import eventually


async def test_a_statement_that_takes_too_long_is_away_and_the_next_one_works(dsn: str) -> None:
    link = Database(dsn, statement_seconds=1.0).link("test")
    with pytest.raises(Away):
        await link.fetch("select pg_sleep(5)")
    assert await link.fetchval("select 1") == 1
    link.drop()


async def test_cancelling_in_mid_statement_drops_the_connection_at_once(
    dsn: str, conn: asyncpg.Connection
) -> None:
    link = Database(dsn).link("test")
    assert await link.fetchval("select 1") == 1
    task = asyncio.create_task(link.fetch("select pg_sleep(20)"))
    sleeping = "select count(*) from pg_stat_activity where query = 'select pg_sleep(20)'"
    await eventually(lambda: conn.fetchval(sleeping))
    before = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - before < 10
    assert link.connection is None
    assert await link.fetchval("select 2") == 2
    link.drop()


async def test_a_lock_that_is_not_had_is_tried_again_on_the_same_connection(
    dsn: str, conn: asyncpg.Connection
) -> None:
    link = Database(dsn, lock_seconds=0.2).link("test")
    async with conn.transaction():
        await conn.execute("lock table bellhand.meta in access exclusive mode")
        with pytest.raises(Again):
            await link.fetch("select * from bellhand.meta")
    assert link.connection is not None
    assert await link.fetch("select * from bellhand.meta")
    link.drop()


async def test_completions_are_on_disk_whatever_the_database_is_set_to_and_claims_need_not_be(
    dsn: str, conn: asyncpg.Connection
) -> None:
    name = await conn.fetchval("select current_database()")
    await conn.execute(f"alter database {name} set synchronous_commit = local")
    database = Database(dsn)
    store = Store(database, HandlerPool(database, 2))
    asked = {}
    for link in (store.claims, store.settles, store.chores):
        asked[link.role] = await link.fetchval("show synchronous_commit")
        link.drop()
    assert asked == {"claim": "off", "settle": "on", "keep": "local"}


async def test_a_full_queue_of_notifications_is_waited_for(private_server: DevPostgres) -> None:
    """It is found out at the commit, after all looks at how full it is, with the SQLSTATE of a row that is too long: a job that
    had succeeded, and settled alone, was written down as failed."""
    link = Database(private_server.dsn).link("test")
    if await link.fetchval("select current_setting('server_version_num')::int") < 170000:
        link.drop()
        pytest.skip("the length of the queue can be set from Postgres 17 on")
    await link.fetch("alter system set max_notify_queue_pages = 64")
    await asyncio.to_thread(private_server.stop)
    await asyncio.to_thread(private_server.start)
    await link.fetch("create table wide (row text primary key)")
    with pytest.raises(asyncpg.ProgramLimitExceededError):  # its own fault, for ever
        await link.fetch("insert into wide select string_agg(md5(i::text), '') from generate_series(1, 999) i")  # fmt: skip
    with pytest.raises(Away, match="NOTIFY"):
        await link.fetch("select pg_notify('a', repeat('x', 7000) || i) from generate_series(1, 80) i")  # fmt: skip
    link.drop()


async def test_a_frozen_server_is_noticed_within_the_time_allowed(
    private_server: DevPostgres,
) -> None:
    database = Database(
        private_server.dsn_for("postgres", tcp=True), statement_seconds=1.0, connect_seconds=5.0
    )
    link = database.link("test")
    backend = await link.fetchval("select pg_backend_pid()")
    os.kill(backend, signal.SIGSTOP)
    try:
        before = time.monotonic()
        with pytest.raises(Away):
            await link.fetch("select 1")
        assert time.monotonic() - before < 30
        assert await link.fetchval("select 1") == 1, "on another connection"
    finally:
        os.kill(backend, signal.SIGCONT)
        link.drop()


async def test_sockets_are_kept_alive(private_server: DevPostgres) -> None:
    connection = await Database(private_server.dsn_for("postgres", tcp=True)).connect("test")
    try:
        sock = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
        names = await connection.fetchval(
            "select application_name from pg_stat_activity where pid = pg_backend_pid()"
        )
        assert names == "bellhand:test"
    finally:
        connection.terminate()


async def test_a_handler_that_leaves_a_transaction_open_leaves_it_to_nobody(dsn: str) -> None:
    pool = HandlerPool(Database(dsn), 1)
    async with pool.connection() as connection:
        await connection.execute("begin")
        await connection.execute("create temp table leftover (x int)")
    async with pool.connection() as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("select to_regclass('pg_temp.leftover')") is None
    for link in pool.free:
        link.drop()


async def test_whoever_holds_a_connection_can_still_write_its_steps(dsn: str) -> None:
    """As many handlers as there were connections, each with one of them in hand, waited for ever for another to write a step over."""
    pool = HandlerPool(Database(dsn), 2)

    async def handler() -> None:
        async with pool.lent():
            await pool.fetch("select 1")

    async with asyncio.timeout(30):
        await asyncio.gather(handler(), handler(), handler())
    for link in pool.database.links:
        link.drop()


def test_backoff_doubles_up_to_its_limit_and_starts_small_again() -> None:
    backoff = Backoff(lambda: 1.0, first_seconds=0.1, max_seconds=1.0)
    assert [backoff.next_seconds() for _ in range(6)] == pytest.approx(
        [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    )
    backoff.reset()
    assert backoff.next_seconds() == pytest.approx(0.1)
    assert 0.05 <= Backoff(lambda: 0.0, first_seconds=0.1).next_seconds() <= 0.1


@pytest.mark.parametrize(
    ("dsn", "hosts"),
    [
        ("postgresql://u:p@a:1,b:2/db?x=1", ["postgresql://u:p@a:1/db?x=1", "postgresql://u:p@b:2/db?x=1"]),
        ("postgresql://a,[::1]:5/db", ["postgresql://a/db", "postgresql://[::1]:5/db"]),
        ("postgresql:///db?host=/run/a,/run/b&port=1,2", ["postgresql:///db?host=/run/a&port=1", "postgresql:///db?host=/run/b&port=2"]),
        ("postgresql:///db?host=a,b&port=7", ["postgresql:///db?host=a&port=7", "postgresql:///db?host=b&port=7"]),
        ("postgresql://u@a/db?options=a,b", ["postgresql://u@a/db?options=a,b"]),
        ("postgresql://[a,b/db", ["postgresql://[a,b/db"]),
    ],
)  # fmt: skip
def test_a_dsn_is_read_host_by_host(dsn: str, hosts: list[str]) -> None:
    found = [one.replace("%2F", "/") for one in each_host(dsn)]
    assert found == hosts


async def test_a_host_that_is_gone_without_a_word_does_not_keep_us_from_the_next(
    private_server: DevPostgres,
) -> None:
    asked = 0

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        with suppress(asyncio.CancelledError):  # at the end of the test
            await asyncio.sleep(30)
        writer.close()

    gone = await asyncio.start_server(silent, "127.0.0.1", 0)
    place = f"127.0.0.1:{gone.sockets[0].getsockname()[1]}"
    dsn = private_server.dsn_for("postgres", tcp=True).replace("@", f"@{place},")
    database = Database(f"{dsn}?target_session_attrs=read-write", connect_seconds=2.0)
    for _ in range(2):
        (await database.connect("test")).terminate()
    assert asked == 1, "the one that answered is asked first from now on"
    assert database.host == 1
    gone.close()


async def test_who_holds_a_connection_and_waits_for_another_that_cannot_come_hears_what_to_do(
    dsn: str,
) -> None:
    pool = HandlerPool(Database(dsn, statement_seconds=0.4), 3)
    both = asyncio.Barrier(2)

    async def greedy() -> str:
        async with pool.lent():
            await both.wait()
            async with pool.lent():
                return "got it"

    async def waits() -> int:
        async with pool.lent() as connection:
            return int(await connection.fetchval("select 1"))

    one, other = asyncio.create_task(greedy()), asyncio.create_task(greedy())
    await eventually(pool.loans.locked)
    patient = asyncio.create_task(
        waits()
    )  # it holds none, so its turn comes, however long that takes
    said = await asyncio.gather(one, other, return_exceptions=True)
    refused = [str(error) for error in said if isinstance(error, NoConnection)]
    assert refused
    assert "within 0.4 s: handlers hold all 2" in refused[0]
    assert "handler_connections under [database]" in refused[0]
    assert await patient == 1
    async with pool.lent(), pool.lent():  # where there is room nobody minds
        pass
    for link in pool.database.links:
        link.drop()
