"""`bellhand migrate plan`: what a migration locks, as its text says and as Postgres does it."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import subprocess
from collections import defaultdict
from pathlib import Path

import asyncpg
import pytest

from bellhand import migrate as module
from bellhand import sql
from bellhand.migration_locks import Lock, locks_of, makes
from commands import Bellhand, bare, bellhand
from support import Server

# From the weakest to the strongest.
LEVELS = ("access share", "row share", "row exclusive", "share update exclusive", "share", "share row exclusive", "exclusive", "access exclusive")  # fmt: skip
TABLES = "select c.oid, c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname like 'bellhand%' and c.relkind in ('r', 'p')"
HELD = "select l.relation as oid, l.mode from pg_locks l where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.relation = any ($1::oid[])"


def strongest(levels: list[str]) -> str:
    return max(levels, key=LEVELS.index)


async def test_what_the_text_says_is_what_postgres_locks(empty_dsn: str) -> None:
    """Every migration that we ship, in turn: the strongest lock on each table that existed before it."""
    conn = await asyncpg.connect(empty_dsn, timeout=10)
    seen = 0
    try:
        await conn.execute("set check_function_bodies = off")
        for name, text in sql.scripts():
            async with conn.transaction():
                before = {row["oid"]: row["name"] for row in await conn.fetch(TABLES)}
                await conn.execute(text)
                if "/migrations/" not in f"/{name}":
                    continue
                held: dict[str, list[str]] = defaultdict(list)
                for row in await conn.fetch(HELD, list(before)):
                    level = "".join(f" {c.lower()}" if c.isupper() else c for c in row["mode"].removesuffix("Lock"))  # fmt: skip
                    held[before[row["oid"]]].append(level.strip())
                really = {table: strongest(levels) for table, levels in held.items()}
                told: dict[str, list[str]] = defaultdict(list)
                for lock in locks_of(text):
                    told[lock.table].append(lock.level)
                # Reading in passing is no news.
                assert {t: strongest(levels) for t, levels in told.items()} == {
                    t: level for t, level in really.items() if LEVELS.index(level) > 0
                }, name
                seen += len(told)
    finally:
        await conn.close(timeout=5)
    assert seen > 8


@pytest.mark.parametrize(
    ("text", "locks"),
    [
        ("alter table bellhand.jobs add column n text; -- alter table bellhand.kinds", [Lock("bellhand.jobs", "access exclusive", False)]),
        ("alter table bellhand.jobs alter column n type bigint;", [Lock("bellhand.jobs", "access exclusive", True)]),
        ("alter table bellhand.jobs add constraint c check (n > 0);", [Lock("bellhand.jobs", "access exclusive", True)]),
        ("alter table bellhand.jobs add constraint c check (n > 0) not valid;", [Lock("bellhand.jobs", "access exclusive", False)]),
        ("alter table bellhand.jobs validate constraint c;", [Lock("bellhand.jobs", "share update exclusive", True)]),
        ("create unique index i on bellhand.jobs (n);", [Lock("bellhand.jobs", "share", True)]),
        ("create index concurrently i on bellhand.jobs (n);", [Lock("bellhand.jobs", "share update exclusive", True)]),
        ("create table bellhand.n (i int); create index on bellhand.n (i); insert into bellhand.n values (1);", []),
        ("create trigger t after insert on bellhand.jobs execute function bellhand.x();", [Lock("bellhand.jobs", "share row exclusive", False)]),
        ("do $$ begin update bellhand.jobs set n = 1; end $$;", []),
        ("update bellhand.kinds set n = 1;", [Lock("bellhand.kinds", "row exclusive", True)]),
    ],
)  # fmt: skip
def test_statements_are_told_apart(text: str, locks: list[Lock]) -> None:
    assert locks_of(text) == locks
    assert makes(text) == (frozenset({"bellhand.n"}) if "create table" in text else frozenset())


def test_a_plan_says_who_waits_and_which_daemons_go_on(
    bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert bellhand.ok("migrate", "plan").err == "the schema is up to date\n"
    bellhand.kind("a")
    bellhand.running(kind="a")
    bellhand.sql("insert into bellhand.events (type, data) select 'x', jsonb_build_object('t', repeat(md5(i::text), 40)) from generate_series(1, 50000) i")  # fmt: skip
    shipped = list(sql.scripts())
    added = "alter table bellhand.kinds add column more text;\ncreate index events_type on bellhand.events (type);"  # fmt: skip
    monkeypatch.setattr(sql, "scripts", lambda: iter([*shipped, ("migrations/0999_more.sql", added)]))  # fmt: skip
    monkeypatch.setattr(module, "scripts", sql.scripts)
    monkeypatch.setattr("bellhand.cli.migrations.READ_BYTES_PER_SECOND", 1e6)
    plan = bellhand.ok("migrate", "plan", "--json").json
    (step,) = plan["steps"]
    assert (step["name"], step["online"], step["reversible"], step["sql"]) == ("migrations/0999_more.sql", False, False, added)  # fmt: skip
    locks = {lock["table"]: lock for lock in step["locks"]}
    assert (locks["bellhand.kinds"]["level"], locks["bellhand.kinds"]["seconds"]) == ("access exclusive", 0)  # fmt: skip
    assert (locks["bellhand.events"]["level"], locks["bellhand.events"]["seconds"] > 1) == ("share", True)  # fmt: skip
    assert [worker["goes_on"] for worker in plan["workers"]] == [False], (
        "the test's worker is of version 0"
    )
    said = bellhand.ok("migrate", "plan", "--sql")
    assert "migrations/0999_more.sql  not online" in said.out
    assert "bellhand.kinds  access exclusive" in said.out
    assert "w1 on h (0): must be stopped before, and upgraded" in said.out
    assert "create index events_type" in said.out
    assert "programs from 0.1.0 on" in said.err


def psql(server: Server, dsn: str, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([server.psql, "-X", "-q", *words, dsn], input=text, capture_output=True, text=True, timeout=30, check=False)  # fmt: skip


def test_status_says_what_is_applied_pending_and_does_not_match(
    bellhand: Bellhand, empty_dsn: str, server: Server
) -> None:
    names = [name for name, _ in sql.scripts()]
    nothing = bellhand("migrate", "status", "--dsn", empty_dsn, "--json")
    assert (nothing.code, [one["name"] for one in nothing.json]) == (1, names)
    assert {one["state"] for one in nothing.json} == {"pending"}
    whole = bellhand.ok("migrate", "status")
    assert f"{sum('functions/' in name for name in names)} functions" in whole.out
    assert whole.err == "the schema is up to date\n"
    psql(server, bellhand.dsn, """
        update bellhand.migrations set checksum = 'x' where name in ('functions/cancel.sql', 'migrations/0003_notify.sql', 'migrations/0002_services.sql');
        update bellhand.migrations set version = '9.0' where name = 'migrations/0002_services.sql';
        insert into bellhand.migrations (name, checksum, version, tolerates) values ('families/old/migrations/0001_old.sql', 'x', '0.0.1', '0.0.1')""")  # fmt: skip
    now = {one["name"]: one["state"] for one in bellhand("migrate", "status", "--json").json}
    assert {name: state for name, state in now.items() if state != "applied"} == {
        "functions/cancel.sql": "pending", "migrations/0003_notify.sql": "changed", "migrations/0002_services.sql": "newer",
        "families/old/migrations/0001_old.sql": "gone",
    }  # fmt: skip
    text = bellhand("migrate", "status")
    assert (text.code, "restore the file" in text.err) == (1, True)


def test_the_sql_of_what_is_missing_goes_through_psql_and_notes_itself(
    bellhand: Bellhand, empty_dsn: str, server: Server
) -> None:
    whole = bellhand.ok("migrate", "sql", "--dsn", empty_dsn).out
    assert whole == bellhand.ok("migrate", "sql", "--all").out
    # Without ON_ERROR_STOP psql goes on; nothing may stand on what failed.
    broken = psql(
        server,
        empty_dsn,
        whole.replace("create table bellhand.lanes", "create tabel bellhand.lanes"),
    )
    assert "which is not there" in broken.stderr
    assert bellhand.ok("migrate", "sql", "--dsn", empty_dsn).out == whole, "nothing was applied"
    assert psql(server, empty_dsn, whole, "-v", "ON_ERROR_STOP=1").returncode == 0
    nothing = bellhand.ok("migrate", "sql", "--dsn", empty_dsn)
    assert (nothing.out, nothing.err) == ("", "the schema is up to date\n")
    assert "is applied already" in psql(server, empty_dsn, whole, "-v", "ON_ERROR_STOP=1").stderr
    psql(server, empty_dsn, "delete from bellhand.migrations where name = 'functions/cancel.sql'")
    rest = bellhand.ok("migrate", "sql", "--dsn", empty_dsn).out
    assert (rest.count("begin;\n"), "create table bellhand.jobs" in rest, "function bellhand.cancel(" in rest) == (1, False, True)  # fmt: skip
    assert psql(server, empty_dsn, rest, "-v", "ON_ERROR_STOP=1").returncode == 0
    assert bellhand.ok("migrate", "status", "--dsn", empty_dsn)
