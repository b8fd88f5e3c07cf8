"""`bellhand bench`: drain jobs that do nothing as fast as this machine can, and say where the time goes.

Full durability (fsync and synchronous commits on), history kept, one task a job, timeouts armed: what a user gets.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from .. import __version__
from ..app import Daemon, collect_garbage_seldom
from ..kinds import ATTRIBUTE, job_kind
from ..migrate import migrate
from ..settings import Settings, Status, Worker
from ..sql import query
from .postgres import DevPostgres

TICKS = os.sysconf("SC_CLK_TCK")


@job_kind("bench.nothing", side_effects="none")
async def nothing() -> None:
    """Does nothing."""


@dataclass
class Run:
    """One drain: seconds, jobs, CPU of both sides, WAL and commits."""

    jobs: int
    enqueue_seconds: float
    drain_seconds: float
    python_seconds: float
    postgres_seconds: float
    wal_bytes: int
    commits: int


def main(arguments: list[str]) -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="bellhand bench", description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--concurrency", type=int, default=1000)
    parser.add_argument("--latency-jobs", type=int, default=300)
    parser.add_argument("--postgres", choices=["system", "embedded"], default="system")
    chosen = parser.parse_args(arguments)
    tuned = {"shared_buffers": "1GB", "max_wal_size": "4GB", "min_wal_size": "2GB"}
    with DevPostgres(prefer=chosen.postgres, durable=True, settings=tuned) as server:
        dsn = server.create_database("bench")
        try:
            import uvloop

            loop: Any = uvloop.run
        except ImportError:
            loop = asyncio.run
        loop(_bench(dsn, server, chosen, "uvloop" if loop is not asyncio.run else "asyncio"))
    return 0


async def _bench(dsn: str, server: DevPostgres, chosen: argparse.Namespace, loop_name: str) -> None:
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    await migrate(dsn)
    settings = Settings(
        dsn=dsn, worker=Worker(concurrency=chosen.concurrency), status=Status(port=0)
    )
    conn = await asyncpg.connect(dsn)
    version = await conn.fetchval("show server_version")
    print(f"bellhand {__version__}, Python {platform.python_version()} ({loop_name}), Postgres {version}, "
          f"{os.cpu_count()} cores, fsync {await conn.fetchval('show fsync')}, "
          f"synchronous_commit {await conn.fetchval('show synchronous_commit')}")  # fmt: skip
    daemon = Daemon(settings, kinds={"bench.nothing": getattr(nothing, ATTRIBUTE)})
    collect_garbage_seldom()
    running = asyncio.create_task(daemon.run())
    await daemon.ready.wait()
    try:
        runs = [await _drain(conn, daemon, server, chosen.jobs) for _ in range(chosen.runs)]
        _report(runs)
        await _latency(conn, daemon, chosen.latency_jobs)
    finally:
        daemon.stop()
        await running
        await conn.close()


async def _drain(
    conn: asyncpg.Connection[Any], daemon: Daemon, server: DevPostgres, jobs: int
) -> Run:
    """Fill while the lane is paused, then let it run dry; committed is what counts."""
    await conn.fetch(query("cli_pause_lane"), "default", "to fill it", None, "bench")
    await _until(lambda: daemon.worker.positions.paused("default"))
    started = time.perf_counter()
    await conn.execute(query("bench_fill"), jobs)
    enqueue_seconds = time.perf_counter() - started
    await conn.execute("checkpoint")
    (before,) = await conn.fetch(query("bench_counters"))
    python, postgres = time.process_time(), _cpu_seconds(server)
    started = time.perf_counter()
    await conn.fetch(query("cli_resume_lane"), "default", "bench")
    wanted = daemon.worker.started_jobs + jobs
    await _until(
        lambda: (
            daemon.worker.started_jobs >= wanted
            and not daemon.worker.running
            and not daemon.settler.backlog
        )
    )
    drain_seconds = time.perf_counter() - started
    (after,) = await conn.fetch(query("bench_counters"))
    if not after["drained"]:
        raise SystemExit("jobs are left over: this is a fault, please report it")
    return Run(jobs, enqueue_seconds, drain_seconds, time.process_time() - python, _cpu_seconds(server) - postgres,
               int(after["wal_bytes"] - before["wal_bytes"]), after["commits"] - before["commits"])  # fmt: skip


async def _latency(conn: asyncpg.Connection[Any], daemon: Daemon, jobs: int) -> None:
    """From the start of an INSERT to the claim that brought the job, on an idle daemon."""
    seconds: list[float] = []
    for _ in range(jobs):
        await _until(lambda: daemon.sleep.sound)
        before = daemon.worker.started_jobs
        started = time.perf_counter()
        await conn.execute(query("bench_insert"))
        await _until(lambda before=before: daemon.worker.started_jobs > before, 0.0)  # type: ignore[misc]
        seconds.append(time.perf_counter() - started)
    seconds.sort()
    p50, p99 = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
    print(
        f"pickup by an idle worker, INSERT begun to handler begun ({jobs} times): p50 {p50 * 1000:.2f} ms, p99 {p99 * 1000:.2f} ms"
    )


async def _until(condition: Callable[[], bool], apart_seconds: float = 0.001) -> None:
    """Look again and again: an event would cost the daemon something for each job."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(apart_seconds)


def _report(runs: list[Run]) -> None:
    def median(values: list[float]) -> float:
        return statistics.median(values)

    n = runs[0].jobs
    rates = [run.jobs / run.drain_seconds for run in runs]
    print(
        f"enqueue, one INSERT ... SELECT of {n}: {median([n / run.enqueue_seconds for run in runs]):,.0f} jobs/s"
    )
    print(
        f"drain of {n} no-op jobs, median of {len(runs)}: {median(rates):,.0f} jobs/s (from {min(rates):,.0f} to {max(rates):,.0f})"
    )
    for label, values, unit in (
        ("Python", [run.python_seconds / n * 1e6 for run in runs], "us"),
        ("Postgres", [run.postgres_seconds / n * 1e6 for run in runs], "us"),
        ("WAL", [run.wal_bytes / n for run in runs], "bytes"),
        ("commits", [run.commits / n * 1000 for run in runs], "a thousand"),
    ):
        print(
            f"  {label:9} {median(values):8.1f} {unit} a job"
            if unit != "a thousand"
            else f"  {label:9} {median(values):8.1f} a thousand jobs"
        )


def _cpu_seconds(server: DevPostgres) -> float:
    """CPU that the server and all its processes, ended ones too, have used."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(entry.name) == server.pid:
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == server.pid:
            total += sum(map(int, fields[11:13]))
    return total / TICKS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
