"""Daemons as processes: killed, told to stop at any moment, cut off from their database, never read."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections import Counter

import asyncpg
import pytest

from bellhand.dev.postgres import DevPostgres
from daemons import insert, state, until
from processes import WORKER, Fleet, Process, Systemd, fleet, systemd
from support import administer, as_role, eventually

pytestmark = pytest.mark.timeout(120)


async def over(conn: asyncpg.Connection) -> int:
    return int(await conn.fetchval("select count(*) from bellhand.history"))


async def test_a_job_whose_daemon_is_killed_goes_on_at_its_next_step(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    """kill -9 three times, each time while others stand by: the job would not wait for one to start."""
    daemons = [fleet.start(dsn) for _ in range(4)]
    for daemon in daemons:
        await daemon.until("ready")
    job = await insert(conn, "p.steps", '{"steps": 10, "seconds": 0.15}')
    recoveries = []
    for kill in range(3):
        await eventually(lambda: len(fleet.lines("done", job)) >= 2 * (kill + 1))  # noqa: B023
        runs_at = int(fleet.lines("start", job)[-1][-1])
        victim = next(daemon for daemon in daemons if daemon.pid == runs_at)
        victim.tell(signal.SIGKILL)
        killed = time.monotonic()
        await victim.exit_code()

        def elsewhere() -> bool:
            return int(fleet.lines("start", job)[-1][-1]) != runs_at  # noqa: B023

        await eventually(elsewhere, because="the other daemon takes over")
        recoveries.append(time.monotonic() - killed)
    row = await until(conn, job, "completed")
    assert (row["attempts"], row["crashes"]) == (3, 3)
    done = Counter(line[2] for line in fleet.lines("done", job))
    starts = Counter(line[2] for line in fleet.lines("start", job))
    assert set(done) == {f"s{n}" for n in range(10)}
    again = sum(starts.values()) - 10
    assert again <= 3, f"only the step that was cut off runs again: {starts}"
    bound = WORKER["lease_seconds"] + WORKER["heartbeat_seconds"]
    print(
        f"recovered after {', '.join(f'{s:.2f}' for s in recoveries)} s; the bound is {bound} s + a beat"
    )
    assert max(recoveries) < bound + 6.0, "with room for a busy machine"


async def test_a_job_that_kills_its_daemon_is_given_up(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    job = await insert_when_published(fleet, dsn, conn, "p.kills")
    for death in range(3):
        daemon = fleet.start(dsn, worker={"crashes_max": 3})
        assert await daemon.exit_code() == -signal.SIGKILL
        assert len(fleet.lines("kills", job)) == death + 1
    last = fleet.start(dsn, worker={"crashes_max": 3})
    row = await until(conn, job, "failed")
    assert (row["crashes"], len(fleet.lines("kills", job))) == (3, 3)
    assert row["error"].startswith("worker_lost")
    other = await insert(conn, "p.nap")
    await until(conn, other, "completed")
    assert last.child.poll() is None


async def insert_when_published(
    fleet: Fleet, dsn: str, conn: asyncpg.Connection, kind: str, payload: str = "{}"
) -> int:
    """Inserts while no daemon runs: the first one has only published the kinds."""
    first = fleet.start(dsn)
    await first.until("ready")
    first.tell(signal.SIGTERM)
    assert await first.exit_code() == 0
    return await insert(conn, kind, payload)


async def test_sigterm_at_any_moment_ends_with_0_and_hands_everything_back(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    daemon = fleet.start(dsn)
    await daemon.until("ready")
    await eventually(lambda: asleep(conn), because="idle")
    assert await stopped(daemon) == 0, "idle"
    jobs = 0
    for pause in (0.0, 0.01, 0.03, 0.07, 0.15):
        daemon = fleet.start(dsn)
        await daemon.until("ready")
        await conn.execute(
            "insert into bellhand.jobs (kind, payload) select 'p.nap', '{\"seconds\": 0.02}' from generate_series(1, 300)"
        )
        jobs += 300
        await asyncio.sleep(pause)
        assert await stopped(daemon) == 0, f"{pause} s into a burst: {daemon.text[-2000:]}"
        running = await conn.fetchval(
            "select count(*) from bellhand.all_jobs where state = 'running'"
        )
        leases = await conn.fetchval("select count(*) from bellhand.leases")
        workers = await conn.fetchval("select count(*) from bellhand.workers")
        assert (running, leases, workers) == (0, 0, 0)
    assert await over(conn) + await conn.fetchval("select count(*) from bellhand.jobs") == jobs
    burned = await conn.fetchval("select count(*) from bellhand.jobs where attempts > 0")
    assert burned == 0
    assert len(fleet.lines("woke")) == await over(conn), "what ran to its end is over, once"


async def asleep(conn: asyncpg.Connection) -> bool:
    return bool(await conn.fetchval("select last_value > 0 from bellhand.asleep_until"))


async def stopped(daemon: Process, seconds: float = 30) -> int:
    daemon.tell(signal.SIGTERM)
    return await daemon.exit_code(seconds)


async def test_sigterm_during_start_up_is_obeyed(dsn: str, fleet: Fleet) -> None:
    codes = []
    for moment in (0.1, 0.5, 0.8, 1.0, 1.2):
        daemon = fleet.start(dsn)
        await asyncio.sleep(moment)
        codes.append(await stopped(daemon))
        assert "Traceback" not in daemon.text, daemon.text
    # Before the program is loaded the signal ends it by itself; systemd takes that for a clean end too.
    assert set(codes) <= {0, -signal.SIGTERM}


async def test_sigterm_while_the_database_is_away(fleet: Fleet, tmp_path: object) -> None:
    daemon = fleet.start("postgresql://nobody:x@127.0.0.1:1/nowhere")
    await daemon.until("database_away")
    assert await stopped(daemon) == 0


async def test_a_second_sigterm_does_not_wait_for_the_grace(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    daemon = fleet.start(dsn, worker={"grace_seconds": 100})
    await daemon.until("ready")
    job = await insert(conn, "p.nap", '{"seconds": 1000}')
    stepping = await insert(conn, "p.steps", '{"steps": 100, "seconds": 0.1}')
    await eventually(lambda: fleet.lines("nap", job) and len(fleet.lines("done", stepping)) > 1)
    daemon.tell(signal.SIGTERM)
    await daemon.until("draining")
    await until(conn, stepping, "pending")  # its next step is where it stops
    assert daemon.child.poll() is None, "the other may take its grace"
    assert await state(conn, job) == "running"
    before = time.monotonic()
    assert await stopped(daemon) == 0
    assert time.monotonic() - before < 20
    row = await until(conn, job, "pending")
    assert row["attempts"] == 0


async def test_sighup_takes_in_what_is_good_and_keeps_what_was(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    daemon = fleet.start(dsn)
    await daemon.until("ready")
    job = await insert(conn, "p.nap", '{"seconds": 3}')
    await eventually(lambda: fleet.lines("nap", job))
    good = daemon.config.read_text()
    daemon.config.write_text(good.replace("[worker]\n", "[worker]\nconcurrency = 7\n"))
    daemon.tell(signal.SIGHUP)
    assert (await daemon.until("reloaded"))["concurrency"] == 7
    for bad in ("[worker\n", good + "[nonsense]\nx = 1\n", good.replace("2", '"two"')):
        refusals = len(daemon.said("reload_refused"))
        daemon.config.write_text(bad)
        daemon.tell(signal.SIGHUP)
        await daemon.until("reload_refused", times=refusals + 1)
    daemon.config.write_text(good.replace("[worker]\n", "[worker]\nconcurrency = 3\n"))
    for _ in range(100):
        daemon.tell(signal.SIGHUP)
        await asyncio.sleep(0.002)
    await eventually(lambda: daemon.said("reloaded")[-1]["concurrency"] == 3)
    row = await until(conn, job, "completed")
    assert row["attempts"] == 0, "what ran was left alone"
    assert await stopped(daemon) == 0


async def test_systemd_hears_the_truth(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet, systemd: Systemd
) -> None:
    daemon = fleet.start(dsn, env={"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "900000"})
    await eventually(lambda: "READY=1" in systemd.listen())
    ears = await conn.fetch(
        "select pid from pg_stat_activity where application_name = 'bellhand:listen' and datname = current_database()"
    )
    assert len(ears) == 1, "READY comes after LISTEN"
    # What it says goes through a pipe of its own, and may be read later.
    await eventually(lambda: len(daemon.said("claiming")) == 1, because="and after a claim")
    fed = systemd.listen().count("WATCHDOG=1")
    await eventually(lambda: systemd.listen().count("WATCHDOG=1") >= fed + 4)
    await eventually(lambda: any(line.startswith("STATUS=0/64 busy · 0 pending") for line in systemd.listen()))  # fmt: skip
    before = time.monotonic_ns() // 1000
    daemon.tell(signal.SIGHUP)
    await eventually(lambda: systemd.listen().count("READY=1") == 2)
    lines = systemd.listen()
    reloading = lines.index("RELOADING=1")
    assert reloading < len(lines) - 1 - lines[::-1].index("READY=1")
    name, _, usec = lines[reloading + 1].partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(usec) <= time.monotonic_ns() // 1000
    # A database that refuses what is published, not for being away: systemd is not left with a reload that never ends.
    await conn.execute("alter table bellhand.lanes rename to gone")
    daemon.tell(signal.SIGHUP)
    await eventually(lambda: systemd.listen().count("READY=1") == 3)
    await conn.execute("alter table bellhand.gone rename to lanes")
    assert await stopped(daemon) == 0
    assert "STOPPING=1" in systemd.listen()


async def test_systemd_is_asked_for_as_much_time_as_a_drain_may_take(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet, systemd: Systemd
) -> None:
    """And fed meanwhile, so that neither its stop timeout nor its watchdog ends what may still run."""
    daemon = fleet.start(
        dsn, worker={"grace_seconds": 300, "kill_grace_seconds": 1, "poll_seconds": 0.2},
        env={"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "900000"},
    )  # fmt: skip
    await eventually(lambda: "READY=1" in systemd.listen())
    job = await insert(conn, "p.nap", '{"seconds": 3}', timeout_seconds=100)
    await eventually(lambda: fleet.lines("nap", job))
    daemon.tell(signal.SIGTERM)
    await eventually(lambda: "STOPPING=1" in systemd.listen())
    stopping = systemd.listen().index("STOPPING=1")
    assert await daemon.exit_code() == 0
    after = systemd.listen()[stopping:]
    asked = [int(line.partition("=")[2]) / 1e6 for line in after if line.startswith("EXTEND_TIMEOUT_USEC=")]  # fmt: skip
    assert 100 < asked[0] <= 116, "its timeout is nearer than the end of the grace"
    assert asked == sorted(asked, reverse=True)
    assert after.count("WATCHDOG=1") >= 3
    assert any(line.startswith("STATUS=1/64 busy · draining, 1m") for line in after)
    assert await state(conn, job) == "completed"


async def test_a_daemon_that_nobody_reads_works_on(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet
) -> None:
    """Its standard output is a pipe that is full: the log lines go nowhere, the jobs do not wait for them."""
    daemon = fleet.start(dsn, options={"stdout": subprocess.PIPE})
    await conn.execute("select 1")
    await eventually(lambda: conn.fetchval("select count(*) from bellhand.workers"))
    jobs = [await insert(conn, "p.chatty") for _ in range(10)]
    for job in jobs:
        await until(conn, job, "completed")
    before = time.monotonic()
    await until(conn, await insert(conn, "p.nap"), "completed")
    assert time.monotonic() - before < 15
    assert await stopped(daemon) == 0
    assert daemon.child.stdout
    daemon.child.stdout.close()
