"""`make bench-sizing`: what one daemon and its Postgres need: memory for what runs, connections, disk and WAL for what is kept.

A daemon of its own process over a private durable Postgres. Memory is the proportional set size, with all families loaded;
disk is what the tables with their indexes grow by, WAL what the server wrote, divided by the jobs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from bellhand.dev.postgres import DevPostgres
from bellhand.migrate import migrate

from .machine import children, described, memory_megabytes
from .place import private_server

ROOT = Path(__file__).parents[1]
MODULES = ["bench.sizing_kinds", *(f"bellhand.families.{name}" for name in ("crm", "leads", "seo", "sites")), "bellhand.notify"]  # fmt: skip
WAIT_SECONDS = 120
PAYLOAD = {"business_id": 17, "website": "https://bakery.invalid/", "note": "x" * 100}
ADD = "insert into bellhand.jobs (kind, payload) select $1, $2 from generate_series(1, $3)"
RUNNING = (
    "select count(*) from bellhand.running r join bellhand.jobs j on j.id = r.id where j.kind = $1"
)
LEFT = "select count(*) from bellhand.jobs"
KEPT = """select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'bellhand' and c.relkind = 'r' and (c.relname like 'history%' or c.relname = 'steps')"""
WAL = "select (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint"
ALIVE = "select count(*) from bellhand.workers where beat > bellhand.now() - interval '10 s'"
CONNECTIONS = "select count(*) from pg_stat_activity where application_name like 'bellhand%'"


@asynccontextmanager
async def daemon(dsn: str, **worker: int) -> AsyncIterator[tuple[int, asyncpg.Connection]]:
    """A daemon's process id once it is ready, and a connection to look with."""
    conn = await asyncpg.connect(dsn)
    with tempfile.TemporaryDirectory() as name:
        child = _start(Path(name), dsn, worker)
        try:
            await until(conn, ALIVE, 1)
            await asyncio.sleep(8)  # what loads late has loaded
            yield child.pid, conn
        finally:
            child.kill()  # what still waits is of no interest any more
            child.wait()
            await conn.close()


def _start(folder: Path, dsn: str, worker: dict[str, int]) -> subprocess.Popen[bytes]:
    env = {**os.environ, "BELLHAND_DSN": dsn, "BELLHAND_MODULES": json.dumps(MODULES), "BELLHAND_STATUS__PORT": "0", "PYTHONPATH": str(ROOT)}  # fmt: skip
    env |= {f"BELLHAND_WORKER__{key.upper()}": str(value) for key, value in worker.items()}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "bellhand", "run"], env=env, cwd=folder, stdout=log, stderr=log)  # fmt: skip


async def until(conn: asyncpg.Connection, sql: str, wanted: int, *arguments: Any) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while await conn.fetchval(sql, *arguments) != wanted:
            await asyncio.sleep(0.2)


async def fresh(server: DevPostgres, name: str) -> str:
    dsn = server.create_database(name)
    await migrate(dsn)
    return dsn


async def memory(server: DevPostgres, kind: str, jobs: int) -> dict[str, float]:
    """Megabytes of a daemon (with its children) before and while so many jobs run, and what its sessions are."""
    dsn = await fresh(server, f"memory_{kind.rpartition('.')[2]}")
    async with daemon(dsn, concurrency=jobs, threads=jobs) as (pid, conn):
        before = memory_megabytes(pid)["pss"]
        await conn.execute(ADD, kind, '{"seconds": 600}', jobs)
        await until(conn, RUNNING, jobs, kind)
        await asyncio.sleep(5)
        during = sum(memory_megabytes(one)["pss"] for one in [pid, *children(pid)])
        sessions = await conn.fetchval(CONNECTIONS)
    return {"jobs": jobs, "idle_mb": before, "mb_per_1000": (during - before) / jobs * 1000, "connections": sessions}  # fmt: skip


async def disk(server: DevPostgres, kind: str, jobs: int, payload: dict[str, Any]) -> dict[str, float]:  # fmt: skip
    """Bytes that a job leaves behind, and that its life wrote to the log."""
    dsn = await fresh(server, f"disk_{kind.rpartition('.')[2]}_{len(payload)}")
    async with daemon(dsn) as (_, conn):
        await conn.execute("checkpoint")
        wal, size = await conn.fetchval(WAL), await conn.fetchval(KEPT)
        await conn.execute(ADD, kind, json.dumps(payload), jobs)
        await until(conn, LEFT, 0)
        await asyncio.sleep(1)
        grown = await conn.fetchval(KEPT) - size
        written = await conn.fetchval(WAL) - wal
    return {"jobs": jobs, "kept_bytes": grown / jobs, "wal_bytes": written / jobs}


async def main() -> None:
    """All of it, a line a figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--jobs", type=int, default=100_000, help="how many jobs disk is measured on"
    )
    jobs = parser.parse_args().jobs
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(30)
    )  # figures, not migrations
    print(json.dumps(described()))
    with private_server("system") as server:
        for kind, count in (("sizing.wait", 5000), ("sizing.thread", 200), ("sizing.process", 16)):
            print(kind, show(await memory(server, kind, count)), flush=True)
        for payload in ({}, PAYLOAD):
            size = len(json.dumps(payload))
            print(f"sizing.nothing, payload of {size} bytes:", show(await disk(server, "sizing.nothing", jobs, payload)), flush=True)  # fmt: skip
        print("sizing.steps, ten steps:", show(await disk(server, "sizing.steps", jobs // 10, {})))


def show(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:,.1f}" for name, value in figures.items())


if __name__ == "__main__":
    asyncio.run(main())
