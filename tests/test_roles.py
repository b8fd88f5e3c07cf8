"""Who may do what: producers insert and nothing else, workers run the daemon, readers look; no superuser anywhere."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from bellhand import job_kind
from bellhand.migrate import migrate
from daemons import at_work, insert, until
from desk import Desk
from support import as_role


@pytest.fixture
async def owner(server: object, empty_dsn: str) -> AsyncIterator[str]:
    """A database owned and migrated by a plain role that may create roles; its DSN as that role."""
    boss = await asyncpg.connect(empty_dsn)
    for role, options in (
        ("t_owner", "createrole"),
        ("t_app", ""),
        ("t_daemon", ""),
        ("t_reader", ""),
    ):
        await boss.execute(
            f"do $$ begin create role {role} login {options}; exception when duplicate_object then null; end $$"
        )
    name = await boss.fetchval("select current_database()")
    await boss.execute(f'alter database "{name}" owner to t_owner')
    dsn = as_role(empty_dsn, "t_owner")
    await migrate(dsn)
    for role, user in (("producer", "t_app"), ("worker", "t_daemon"), ("reader", "t_reader")):
        await boss.execute(f"grant bellhand_{role} to {user}")
    yield dsn
    await boss.close()


@pytest.fixture
async def app(owner: str) -> AsyncIterator[asyncpg.Connection]:
    """A producer's connection, with one kind to enqueue."""
    conn = await asyncpg.connect(owner)
    await Desk(conn).publish("a")
    await conn.close()
    conn = await asyncpg.connect(as_role(owner, "t_app"))
    yield conn
    await conn.close()


async def test_a_producer_inserts_copies_and_gets_ids_back(app: asyncpg.Connection) -> None:
    row = await app.fetchrow(
        "insert into bellhand.jobs (kind, payload, unique_key) values ('a', '{}', 'k') returning id, key"
    )
    assert row["id"] == 1
    insert_again = "insert into bellhand.jobs (kind, unique_key) values ('a', 'k') on conflict (kind, unique_key) where unique_key is not null do nothing returning id"
    assert await app.fetchval(insert_again) is None
    await app.copy_records_to_table(
        "jobs", schema_name="bellhand", columns=["kind", "payload"], records=[("a", "{}")] * 10
    )
    enqueued = await app.fetchrow("select * from bellhand.enqueue('a', unique_key => 'k')")
    assert (enqueued["id"], enqueued["created"]) == (1, False)


@pytest.mark.parametrize(
    "forbidden",
    [
        "insert into bellhand.jobs (kind, state) values ('a', 'paused')",
        "insert into bellhand.jobs (kind, epoch) values ('a', 7)",
        "insert into bellhand.jobs (id, kind) overriding system value values (1, 'a')",
        "insert into bellhand.jobs (kind, source) values ('a', 'http')",
        "select payload from bellhand.jobs",
        "select * from bellhand.all_jobs",
        "update bellhand.jobs set priority = 10",
        "delete from bellhand.jobs",
        "insert into bellhand.queue (lane, rank, epoch, id) values (1, 0, 0, 1)",
        "select bellhand.cancel(1)",
        "select bellhand.prepare_history(1)",
        "select bellhand.drop_history(0)",
        "select setval('bellhand.jobs_id_seq', 1)",
        "update bellhand.meta set value = 'hold'",
    ],
)
async def test_a_producer_may_do_nothing_else(app: asyncpg.Connection, forbidden: str) -> None:
    await app.execute("insert into bellhand.jobs (kind) values ('a')")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute(forbidden)


async def test_a_producer_cannot_bend_what_runs_as_the_owner(
    app: asyncpg.Connection, owner: str
) -> None:
    """Shadowing tables, functions and operators by search path must not reach SECURITY DEFINER code."""
    await app.execute("create temp table kinds (name text, lane smallint, checks jsonb)")
    await app.execute("create temp table new_jobs (id bigint)")
    await app.execute("set search_path = pg_temp, bellhand, public")
    with pytest.raises(asyncpg.PostgresError, match="unknown kind"):
        await app.execute("insert into bellhand.jobs (kind) values ('evil')")
    await app.execute("insert into bellhand.jobs (kind) values ('a')")
    conn = await asyncpg.connect(owner)
    unpinned = await conn.fetch(
        "select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname like 'bellhand%' and p.prosecdef"
        " and not coalesce(array_to_string(p.proconfig, ' '), '') like '%search_path=pg_catalog, pg_temp%'"
    )
    await conn.close()
    assert unpinned == []


async def test_a_reader_sees_and_changes_nothing(app: asyncpg.Connection, owner: str) -> None:
    await app.execute("insert into bellhand.jobs (kind) values ('a')")
    conn = await asyncpg.connect(as_role(owner, "t_reader"))
    try:
        assert await conn.fetchval("select state from bellhand.all_jobs") == "pending"
        assert (
            await conn.fetchval("select pending from bellhand.lane_stats where lane = 'default'")
            == 1
        )
        for forbidden in (
            "select * from bellhand.jobs",
            "select bellhand.cancel(1)",
            "insert into bellhand.jobs (kind) values ('a')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(forbidden)
    finally:
        await conn.close()


async def test_a_daemon_works_as_a_plain_role(app: asyncpg.Connection, owner: str) -> None:
    ran: list[int] = []

    @job_kind("t.plain")
    async def plain(args: dict[str, int]) -> None:
        ran.append(args["n"])
        if args["n"] == 2:
            raise ValueError("boom")

    conn = await asyncpg.connect(owner)
    try:
        async with at_work(as_role(owner, "t_daemon"), plain):
            good = await insert(app, "t.plain", '{"n": 1}')
            bad = await insert(app, "t.plain", '{"n": 2}', attempts_max=1)
            await until(conn, good, "completed")
            await until(conn, bad, "failed")
    finally:
        await conn.close()
