"""The Postgres of our own: it answers, keeps its data, and leaves nothing behind."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import pytest

from bellhand.dev.postgres import DevPostgres, dsn_of
from bellhand.dev.programs import NoPostgres, copy_programs, find_programs
from support import ROOT, eventually


async def ask(dsn: str, question: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetchval(question, timeout=10)
    finally:
        await connection.close(timeout=5)


async def test_it_keeps_its_data_over_a_stop_and_a_crash(private_server: DevPostgres) -> None:
    dsn = private_server.create_database("kept")
    assert private_server.create_database("kept") == dsn
    await ask(dsn, "create table t (n int)")
    await ask(dsn, "insert into t values (1)")
    private_server.stop()
    assert dsn_of(private_server.home) is None
    private_server.start()
    assert await ask(dsn, "select n from t") == 1
    private_server.stop(immediate=True)
    private_server.start()
    assert await ask(dsn, "select count(*) from t") == 1


async def test_another_process_finds_it_and_tcp_asks_for_the_password(
    private_server: DevPostgres,
) -> None:
    assert dsn_of(private_server.home, "postgres") == private_server.dsn
    dsn = private_server.dsn_for("postgres", tcp=True)
    assert await ask(dsn, "select 1") == 1
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(dsn.replace(private_server.password, "wrong"), "select 1")


async def test_it_goes_away_with_a_killed_owner() -> None:
    program = (
        "import time\nfrom bellhand.dev.postgres import DevPostgres\n"
        "server = DevPostgres(durable=False)\nserver.start()\n"
        "print(server.home, server.pid, flush=True)\ntime.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout
    with owner.stdout:
        home, pid = owner.stdout.readline().split()
    assert Path(f"/proc/{pid}").exists()
    owner.kill()
    owner.wait(10)

    def gone() -> bool:
        return not Path(home).exists() and not Path(f"/proc/{pid}").exists()

    await eventually(gone, because="the server and its home are gone")


def test_a_long_path_gets_a_short_socket_and_stays_exclusive() -> None:
    with tempfile.TemporaryDirectory() as parent:
        os.chmod(parent, 0o755)  # as root the server runs as another user
        home = Path(parent) / ("x" * 90)
        with DevPostgres(home, durable=False) as server:
            assert len(server.dsn) < 107
            assert dsn_of(home, "postgres") == server.dsn
            with pytest.raises(NoPostgres, match="already runs"):
                DevPostgres(home).start()


def test_a_home_closed_to_the_servers_user_is_moved_and_found() -> None:
    with tempfile.TemporaryDirectory() as closed:  # nobody but its owner may enter
        home = Path(closed) / "home"
        server = DevPostgres(home, durable=False)
        try:
            server.start()
            assert dsn_of(home, "postgres") == server.dsn
            assert (server.home == home) == (os.geteuid() != 0)
            server.stop()
            with DevPostgres(home, durable=False) as again:
                assert again.dsn == server.dsn
        finally:
            shutil.rmtree(server.home)


def test_programs_out_of_reach_are_copied_once(tmp_path: Path) -> None:
    programs = find_programs("embedded")
    copied = copy_programs(programs, tmp_path / "copy")
    assert copy_programs(programs, tmp_path / "copy") == copied
    said = subprocess.run([copied / "initdb", "-V"], capture_output=True, text=True, check=True)
    assert "PostgreSQL" in said.stdout


def test_no_programs_is_a_plain_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLHAND_PG_BIN", "/nowhere/bin")
    with pytest.raises(NoPostgres) as caught:
        find_programs()
    assert "/nowhere/bin" in caught.value.why
    assert "pip install" in caught.value.fix


def test_a_server_that_cannot_start_says_why_and_leaves_nothing() -> None:
    server = DevPostgres(durable=False, settings={"shared_buffers": "banana"})
    with pytest.raises(NoPostgres, match="banana"):
        server.start()
    with pytest.raises(AssertionError):
        _ = server.home
