"""Daemons as processes whose database goes away, comes back, loses connections, is unfit, or hides behind a pooler."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from bellhand.dev.postgres import DevPostgres
from bellhand.migrate import migrate
from daemons import insert, until
from processes import Fleet, Process, Systemd, fleet, systemd
from support import Server, administer, as_role, database_of, eventually

pytestmark = pytest.mark.timeout(120)
BACK_SECONDS = 20.0  # a second or two, with room for a busy machine


async def connected(dsn: str) -> asyncpg.Connection:
    """A connection, as soon as the server gives one."""

    async def connect() -> asyncpg.Connection | None:
        try:
            return await asyncpg.connect(dsn, timeout=5)
        except (OSError, asyncpg.PostgresError):
            return None

    found = await eventually(connect)
    assert found is not None
    return found


async def stopped(daemon: Process, seconds: float = 30) -> int:
    daemon.tell(signal.SIGTERM)
    return await daemon.exit_code(seconds)


@pytest.mark.parametrize("immediate", [False, True])
async def test_a_database_that_was_away_is_worked_for_again_within_seconds(
    private_server: DevPostgres, private_dsn: str, fleet: Fleet, systemd: Systemd, immediate: bool
) -> None:
    """Stopped, or as sudden as a crash; the daemon neither ends nor spins, and systemd does not restart it for that."""
    worker = {"lease_seconds": 10, "heartbeat_seconds": 1}
    env = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "2000000"}
    daemon = fleet.start(private_dsn, worker=worker, env=env)
    await daemon.until("ready")
    conn = await connected(private_dsn)
    finished_meanwhile = await insert(conn, "p.nap", '{"seconds": 1.5}')
    goes_on = await insert(conn, "p.steps", '{"steps": 5, "seconds": 1}')
    await eventually(
        lambda: fleet.lines("nap", finished_meanwhile) and fleet.lines("start", goes_on)
    )
    conn.terminate()
    await asyncio.to_thread(private_server.stop, immediate=immediate)
    cpu, since = daemon.cpu_seconds(), time.monotonic()
    await asyncio.sleep(4)  # the length of the outage is what is tested
    away = time.monotonic() - since
    spent = daemon.cpu_seconds() - cpu
    assert spent < away * 0.2, f"{spent:.2f} s of CPU in {away:.1f} s without a database"
    lines = len(daemon.text.splitlines())
    assert lines < 60, daemon.text
    fed = [when for when, line in systemd.heard if line == "WATCHDOG=1"] if systemd.listen() else []
    assert max(b - a for a, b in pairwise(fed)) < 5, "an outage is no reason to restart it"
    await asyncio.to_thread(private_server.start)
    conn = await connected(private_dsn)
    back = time.monotonic()
    fresh = await insert(conn, "p.nap")
    await until(conn, fresh, "completed", BACK_SECONDS)
    print(f"back after {time.monotonic() - back:.2f} s, {spent:.2f} s of CPU in {away:.1f} s away")
    for job in (finished_meanwhile, goes_on):
        await until(conn, job, "completed")
    again = [
        name
        for name, n in Counter(line[2] for line in fleet.lines("done", goes_on)).items()
        if n > 1
    ]
    assert len(again) <= 1, "at most the step whose checkpoint the outage swallowed"
    assert daemon.child.poll() is None
    await conn.close(timeout=5)
    assert await stopped(daemon) == 0


async def test_sigterm_while_the_database_is_down_ends_with_0(
    private_server: DevPostgres, private_dsn: str, fleet: Fleet
) -> None:
    daemon = fleet.start(private_dsn, worker={"grace_seconds": 1})
    await daemon.until("ready")
    conn = await connected(private_dsn)
    job = await insert(conn, "p.nap", '{"seconds": 1000}')
    await eventually(lambda: fleet.lines("nap", job))
    conn.terminate()
    await asyncio.to_thread(private_server.stop)
    before = time.monotonic()
    assert await stopped(daemon) == 0
    assert time.monotonic() - before < 20
    assert daemon.said("left_without_goodbye")
    await asyncio.to_thread(private_server.start)
    conn = await connected(private_dsn)
    heir = fleet.start(private_dsn, worker={"grace_seconds": 1})
    await heir.until("worker_lost")
    await eventually(lambda: len(fleet.lines("nap", job)) == 2, because="the lease has run out")
    await conn.close(timeout=5)
    assert await stopped(heir) == 0


async def test_backends_killed_all_the_time_lose_nothing_and_settle_nothing_twice(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    worker = {"lease_seconds": 6, "heartbeat_seconds": 0.5, "poll_seconds": 1, "concurrency": 20}
    daemons = [fleet.start(dsn, worker=worker) for _ in range(2)]
    for daemon in daemons:
        await daemon.until("ready")
    killed = inserted = 0
    end = time.monotonic() + 6
    while time.monotonic() < end:
        await conn.execute(
            "insert into bellhand.jobs (kind, payload) select 'p.nap', '{\"seconds\": 0.02}' from generate_series(1, 15)"
        )
        inserted += 15
        killed += await conn.fetchval(
            "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity where datname = current_database() "
            "and application_name like 'bellhand:%' order by random() limit 2) one"
        )
        await asyncio.sleep(0.2)  # the rhythm of the fault

    async def all_over() -> bool:
        return bool(await conn.fetchval("select count(*) = $1 from bellhand.history", inserted))

    await eventually(all_over, 45, because=f"{inserted} jobs should be over")
    states = await conn.fetch(
        "select state, attempts, count(*), count(distinct id) as ids from bellhand.history group by 1, 2"
    )
    print(f"{killed} backends killed, {inserted} jobs: {[tuple(row) for row in states]}, "
          f"{len(fleet.lines('woke')) - inserted} ran twice")  # fmt: skip
    assert all(row["state"] == "completed" and row["count"] == row["ids"] for row in states)
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 0
    for daemon in daemons:
        assert await stopped(daemon) == 0


async def test_a_database_that_cannot_be_reached_is_waited_for_and_livez_answers(
    fleet: Fleet,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    daemon = fleet.start("postgresql://nobody:secret-x@127.0.0.1:1/nowhere", status={"port": port})
    await daemon.until("database_away")

    def get(path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    assert await asyncio.to_thread(get, "/livez") == 200
    assert await asyncio.to_thread(get, "/readyz") == 503
    cpu, since = daemon.cpu_seconds(), time.monotonic()
    await asyncio.sleep(2)  # long enough to see it spin
    assert daemon.cpu_seconds() - cpu < 0.2 * (time.monotonic() - since)
    assert "secret-x" not in daemon.text
    assert await stopped(daemon) == 0


UNFIT = {
    "no such module": ({"modules": ["no_such_module"]}, "no_such_module"),
    "a module with a mistake in it": ({"modules": ["mistaken"]}, "mistaken"),
    "an unknown setting": ({"worker": {"concurency": 3}}, "concurrency"),
    "a lease shorter than three beats": ({"worker": {"lease_seconds": 0.5}}, "lease_seconds"),
}


@pytest.mark.parametrize("what", sorted(UNFIT))
async def test_what_only_a_person_can_put_right_is_said_once_with_exit_code_78(
    what: str, dsn: str, fleet: Fleet, tmp_path: Path
) -> None:
    settings, named = UNFIT[what]
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "mistaken.py").write_text("import asyncio\nasyncio.no_such_name\n")
    env = {
        "PYTHONPATH": f"{modules}:{Path(__file__).parents[1] / 'daemon'}:{Path(__file__).parent}"
    }
    daemon = fleet.start(dsn, env=env, **settings)  # type: ignore[arg-type]
    await unfit(daemon, named)


async def unfit(daemon: Process, *named: str) -> None:
    """It ends with 78 and one message: what, why, and what to do."""
    assert await daemon.exit_code() == 78, daemon.text
    for word in (*named, "fix: "):
        assert word in daemon.text, daemon.text
    assert "File " not in daemon.text, daemon.text


async def test_a_schema_that_is_missing_or_newer_is_refused(
    empty_dsn: str, dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    await unfit(fleet.start(empty_dsn), "no Bellhand schema", "bellhand migrate")
    await conn.execute(
        "insert into bellhand.migrations (name, checksum, version, tolerates) values ('migrations/9999_later.sql', 'x', '99.0.0', '98.0.0')"
    )
    await unfit(fleet.start(dsn), "newer", "99.0.0")


async def test_a_role_without_rights_is_named_with_the_grant_that_helps(
    server: Server, dsn: str, fleet: Fleet
) -> None:
    role = f"poor_{database_of(dsn)[-8:]}"
    await asyncio.to_thread(administer, server.dsn, f"create role {role} login password 'x'")
    try:
        await asyncio.to_thread(administer, dsn, f"grant usage on schema bellhand to {role}", f"grant select on bellhand.migrations to {role}")  # fmt: skip
        daemon = fleet.start(as_role(dsn, role))
        await unfit(daemon, role, "grant bellhand_worker")
        await asyncio.to_thread(administer, dsn, f"grant bellhand_worker to {role}")
        allowed = fleet.start(as_role(dsn, role))
        await allowed.until("ready")
        assert await stopped(allowed) == 0
    finally:
        await asyncio.to_thread(administer, dsn, f"drop owned by {role}")
        await asyncio.to_thread(administer, server.dsn, f"drop role {role}")


async def test_a_replica_is_refused(fleet: Fleet) -> None:
    """A server in recovery; standby.signal is all that Postgres looks at."""
    choice = "system" if os.environ.get("BELLHAND_TEST_PG") == "system" else "embedded"
    with DevPostgres(prefer=choice, settings={"wal_level": "replica"}) as server:  # type: ignore[arg-type]
        dsn = await asyncio.to_thread(server.create_database, "bellhand")
        await migrate(dsn)
        await asyncio.to_thread(server.stop)
        standby = server.data / "standby.signal"
        standby.touch()
        shutil.chown(standby, server.data.owner())
        await asyncio.to_thread(server.start)
        await unfit(fleet.start(dsn), "replica", "primary")


@pytest.fixture
def pooled_dsn(
    server: Server, dsn: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The same database behind PgBouncer, which pools by transaction, or as the test asks for."""
    mode = getattr(request, "param", "transaction")
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    place = {name: values[0] for name, values in parse_qs(urlsplit(dsn).query).items()}
    if "host" not in place:
        pytest.skip("the pooler needs the socket of a server of our own")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    name = database_of(dsn)
    (tmp_path / "pgbouncer.ini").write_text(
        f"[databases]\n{name} = host={place['host']} port={place.get('port', '5432')} dbname={name} user={place['user']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = {mode}\n"
        + (f"user = {Path(place['host']).owner()}\n" if os.geteuid() == 0 else "")
    )
    with (tmp_path / "pgbouncer.log").open("wb") as log:
        child = subprocess.Popen([program, str(tmp_path / "pgbouncer.ini")], stdout=log, stderr=log)
    try:
        yield f"postgresql://nobody@127.0.0.1:{port}/{name}"
    finally:
        child.terminate()
        child.wait(10)


@pytest.mark.parametrize("pooler", ["auto", "transaction"])
async def test_behind_a_transaction_pooler_it_says_so_and_polls(
    pooled_dsn: str, conn: asyncpg.Connection, fleet: Fleet, pooler: str
) -> None:
    daemon = fleet.start(pooled_dsn, database={"pooler": pooler}, worker={"poll_seconds": 0.5})
    await daemon.until("ready", 30)
    assert daemon.said("bell_is_deaf")
    assert bool(daemon.said("pooler_found")) == (pooler == "auto")
    assert daemon.said("ready")[-1]["listening"] is False
    jobs = [await insert(conn, "p.nap") for _ in range(20)]
    stepping = await insert(conn, "p.steps", '{"steps": 3, "seconds": 0.05}')
    for job in (*jobs, stepping):
        row = await until(conn, job, "completed")
        assert (row["attempts"], row["crashes"]) == (0, 0)
    await conn.execute(
        "insert into bellhand.jobs (kind, run_at) values ('p.nap', now() + interval '0.5 s')"
    )
    await eventually(lambda: len(fleet.lines("woke")) == 21)
    assert await stopped(daemon) == 0


@pytest.mark.parametrize("pooled_dsn", ["session"], indirect=True)
@pytest.mark.parametrize("pooler", ["auto", "session"])
async def test_behind_a_session_pooler_it_listens_and_keeps_its_time_limits(
    pooled_dsn: str, conn: asyncpg.Connection, fleet: Fleet, pooler: str
) -> None:
    """One that was taken for a transaction pooler made the daemon poll and go without limits on the server."""
    daemon = fleet.start(pooled_dsn, database={"pooler": pooler}, worker={"poll_seconds": 120.0})
    await daemon.until("ready", 30)
    assert [line["pools"] for line in daemon.said("pooler_found")] == ["session"] * (
        pooler == "auto"
    )
    assert daemon.said("ready")[-1]["listening"] is True
    before = await conn.fetchval("select extract(epoch from clock_timestamp())")
    row = await until(conn, await insert(conn, "p.nap"), "completed")
    assert row["attempts"] == 0
    assert await conn.fetchval("select extract(epoch from clock_timestamp())") - before < 60
    names = await conn.fetch("select application_name from pg_stat_activity where application_name like 'bellhand:%'")  # fmt: skip
    assert {"bellhand:claim", "bellhand:listen"} <= {row[0] for row in names}
    assert await stopped(daemon) == 0


async def test_a_worker_that_cannot_enter_anew_ends_with_its_daemon(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    """Given up, and the database refuses what no patience mends: half a daemon would beat, serve pages and claim nothing."""
    daemon = fleet.start(dsn)
    await daemon.until("ready")
    async with conn.transaction():
        await conn.execute(
            "alter function bellhand.register_worker rename to register_worker_of_old"
        )
        await conn.execute("delete from bellhand.workers")
    assert await daemon.exit_code() == 1
    assert daemon.said("leases_lost")
    (failed,) = daemon.said("part_failed")
    assert "register_worker" in failed["exception"]
