"""The schema comes up to date: once, in order, all or nothing, and never backwards."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from bellhand import migrate as module
from bellhand import sql
from bellhand.migrate import MigrationChanged, MigrationFailed, SchemaTooNew, migrate, pending
from support import Server, administer, as_role, database_of, eventually


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small tree of SQL of our own, with the queries of the real one."""
    for folder in ("migrations", "functions", "families/zoo/migrations"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "queries").symlink_to(sql.ROOT / "queries")
    write(tmp_path, "migrations/0001_one.sql", "create table bellhand.one (n int);")
    write(tmp_path, "functions/two.sql", "select 1;")
    write(tmp_path, "families/zoo/migrations/0001_zoo.sql", "create table bellhand.zoo (n int);")
    sql.query.cache_clear()
    monkeypatch.setattr(sql, "ROOT", tmp_path)
    yield tmp_path
    sql.query.cache_clear()


def write(tree: Path, name: str, text: str) -> None:
    (tree / name).write_text(f"-- A file of a test.\n{text}\n")


def function(n: int) -> str:
    return (
        "create or replace function bellhand.two() returns int language sql as "
        f"$$ select n + {n} from bellhand.one $$;"
    )


async def ask(dsn: str, question: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(question, timeout=10)
    finally:
        await connection.close(timeout=5)


async def test_everything_is_applied_once_and_in_order(empty_dsn: str, tree: Path) -> None:
    names = ["migrations/0001_one.sql", "functions/two.sql", "families/zoo/migrations/0001_zoo.sql"]
    assert await migrate(empty_dsn) == names
    assert await migrate(empty_dsn) == []
    write(tree, "migrations/0002_more.sql", "alter table bellhand.one add m int;")
    assert await migrate(empty_dsn) == ["migrations/0002_more.sql"]


async def test_the_real_schema_is_applied_and_its_functions_hold_water(empty_dsn: str) -> None:
    assert "migrations/0001_core.sql" in await migrate(empty_dsn)
    connection = await asyncpg.connect(empty_dsn, timeout=10)
    try:
        assert await pending(connection) == []
        # Bodies are not checked while they may refer to what comes later; now all of it is there.
        for name, text in sql.scripts():
            if "functions/" in name:
                await connection.execute(text)
    finally:
        await connection.close(timeout=5)


async def test_a_function_runs_again_whenever_it_changed(empty_dsn: str, tree: Path) -> None:
    await migrate(empty_dsn)
    await ask(empty_dsn, "insert into bellhand.one values (1)")
    for n in (1, 2):
        write(tree, "functions/two.sql", function(n))
        assert await migrate(empty_dsn) == ["functions/two.sql"]
        assert await ask(empty_dsn, "select bellhand.two()") == 1 + n
    (tree / "functions/two.sql").unlink()
    write(tree, "functions/three.sql", "select 3;")
    assert await migrate(empty_dsn) == ["functions/three.sql"]
    write(tree, "functions/two.sql", function(2))
    assert await migrate(empty_dsn) == ["functions/two.sql"], "it came back, so it runs again"


async def test_many_at_once_apply_everything_once(empty_dsn: str, tree: Path) -> None:
    write(tree, "migrations/0002_slow.sql", "select pg_sleep(0.1);")
    applied = await asyncio.gather(*(migrate(empty_dsn) for _ in range(5)))
    names = [name for one in applied for name in one]
    assert len(names) == len(set(names)) == 4


async def test_a_step_that_fails_leaves_no_trace_and_says_why(empty_dsn: str, tree: Path) -> None:
    write(tree, "migrations/0002_bad.sql", "create table bellhand.half (n int); select 1/0;")
    with pytest.raises(MigrationFailed, match="0002_bad") as caught:
        await migrate(empty_dsn)
    assert "division by zero" in caught.value.why
    assert await ask(empty_dsn, "select to_regclass('bellhand.half')") is None
    assert await ask(empty_dsn, "select to_regclass('bellhand.one')::text") == "bellhand.one"
    write(tree, "migrations/0002_bad.sql", "create table bellhand.half (n int);")
    assert "migrations/0002_bad.sql" in await migrate(empty_dsn)


async def test_an_edited_migration_is_refused(empty_dsn: str, tree: Path) -> None:
    await migrate(empty_dsn)
    write(tree, "migrations/0001_one.sql", "create table bellhand.one (n bigint);")
    with pytest.raises(MigrationChanged, match="0001_one") as caught:
        await migrate(empty_dsn)
    assert "new migration" in caught.value.fix


async def test_a_schema_from_the_future_is_refused(
    empty_dsn: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tree, "migrations/0002_future.sql", "select 1;")
    await migrate(empty_dsn)
    (tree / "migrations/0002_future.sql").unlink()
    with pytest.raises(SchemaTooNew, match="newer than this program"):
        await migrate(empty_dsn)
    write(tree, "migrations/0002_future.sql", "select 1;")
    monkeypatch.setattr(module, "__version__", "0.2.0")
    monkeypatch.setattr(module, "TOLERATES", "0.2.0")
    write(tree, "functions/two.sql", function(5))
    await migrate(empty_dsn)
    monkeypatch.setattr(module, "__version__", "0.1.9")
    assert await migrate(empty_dsn) == [], "a newer program that changed nothing is no obstacle"
    write(tree, "functions/two.sql", function(4))
    with pytest.raises(SchemaTooNew, match=r"0\.1\.9") as caught:
        await migrate(empty_dsn)
    assert "0.2.0" in caught.value.fix


async def test_a_program_goes_on_with_a_newer_schema_that_tolerates_it_and_no_other(
    empty_dsn: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schema N works with code N and N-1."""

    async def left() -> list[str]:
        connection = await asyncpg.connect(empty_dsn, timeout=10)
        try:
            return await pending(connection)
        finally:
            await connection.close(timeout=5)

    await migrate(empty_dsn)
    write(tree, "functions/two.sql", function(5))
    write(tree, "migrations/0002_more.sql", "alter table bellhand.one add m int;")
    monkeypatch.setattr(module, "__version__", "0.2.0")
    await migrate(empty_dsn)
    write(tree, "functions/two.sql", function(4))
    (tree / "migrations/0002_more.sql").unlink()
    monkeypatch.setattr(module, "__version__", "0.1.0")
    assert await left() == []
    assert await migrate(empty_dsn) == [], "and it puts nothing back"
    monkeypatch.setattr(module, "__version__", "0.0.9")
    with pytest.raises(SchemaTooNew, match=r"0\.0\.9") as caught:
        await left()
    assert caught.value.fix.startswith("run bellhand 0.2.0 or newer")
    # What a family of this program needs and nobody has applied is missing, and only a newer program may apply it.
    monkeypatch.setattr(module, "__version__", "0.1.0")
    write(tree, "families/zoo/migrations/0002_more.sql", "select 1;")
    assert await left() == ["families/zoo/migrations/0002_more.sql"]
    with pytest.raises(SchemaTooNew):
        await migrate(empty_dsn)
    await ask(empty_dsn, "update bellhand.migrations set tolerates = '0.2.0' where name = 'functions/two.sql' returning 1")  # fmt: skip
    with pytest.raises(SchemaTooNew):
        await left()


async def test_a_family_that_was_taken_out_is_no_obstacle(empty_dsn: str, tree: Path) -> None:
    await migrate(empty_dsn)
    (tree / "families/zoo/migrations/0001_zoo.sql").unlink()
    assert await migrate(empty_dsn) == []


async def test_a_migration_waits_its_turn_for_a_lock(
    empty_dsn: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(empty_dsn)
    write(
        tree,
        "migrations/0002_locks.sql",
        "set local lock_timeout = '50ms';\nalter table bellhand.one add m int;",
    )
    monkeypatch.setattr(module, "LOCK_TRIES_APART_SECONDS", 0.05)
    reader = await asyncpg.connect(empty_dsn, timeout=10)
    transaction = reader.transaction()
    await transaction.start()
    await reader.execute("select from bellhand.one")
    waiting = asyncio.create_task(migrate(empty_dsn))
    await eventually(lambda: seen_waiting(empty_dsn))
    await transaction.rollback()
    await reader.close(timeout=5)
    assert await waiting == ["migrations/0002_locks.sql"]


async def seen_waiting(dsn: str) -> bool:
    return bool(
        await ask(
            dsn, "select exists (select from pg_locks where not granted and locktype = 'relation')"
        )
    )


async def test_the_printed_script_makes_the_same_schema(empty_dsn: str, server: Server) -> None:
    done = subprocess.run(
        [server.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", empty_dsn],
        input=module.script(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert await migrate(empty_dsn) == []


def test_the_printed_script_leaves_out_what_is_there(tree: Path) -> None:
    one = module.Script("migrations/0001_one.sql", (tree / "migrations/0001_one.sql").read_text())
    printed = module.script({one.name: module.Applied(one.checksum, "0.1.0")})
    assert "0001_one" not in printed
    assert "functions/two.sql" in printed
    assert printed.count("begin;") == printed.count("commit;") == 2


@pytest.fixture
def role(empty_dsn: str, server: Server) -> Iterator[str]:
    """Somebody who may log in and nothing else."""
    name = f"role_of_{database_of(empty_dsn)}"
    administer(server.dsn, f"create role {name} login password 'x'")
    yield name
    administer(empty_dsn, f"reassign owned by {name} to current_user", f"drop owned by {name}")
    administer(server.dsn, f"drop role {name}")


async def test_it_works_without_superuser(empty_dsn: str, role: str) -> None:
    await ask(empty_dsn, f"alter database {database_of(empty_dsn)} owner to {role}")
    plain = as_role(empty_dsn, role)
    assert await ask(plain, "select current_user") == role
    assert "migrations/0001_core.sql" in await migrate(plain)
    assert await migrate(plain) == []


async def test_a_role_that_may_not_is_told_who_may(empty_dsn: str, role: str) -> None:
    with pytest.raises(MigrationFailed) as caught:
        await migrate(as_role(empty_dsn, role))
    assert "permission denied" in caught.value.why
    assert "bellhand migrate sql" in caught.value.fix


def test_every_script_can_be_quoted() -> None:
    for name, _ in sql.scripts():
        assert "'" not in name
        assert "$" not in name


def test_no_query_of_that_name_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        sql.query("nonsense")
