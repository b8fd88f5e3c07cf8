"""What a worker costs that has nothing to do: statements, CPU and memory."""

from __future__ import annotations

import asyncio

import asyncpg

from ..machine import cpu_seconds, memory_megabytes
from ..producer import ready
from ..stage import Stage, Values

VARIANTS = {"": ("a minute",)}
SECONDS = 60
REST_SECONDS = 15  # what follows a start and a first job is over, and counters have been written
COUNT = "create extension if not exists pg_stat_statements; alter database \"{name}\" set pg_stat_statements.track = 'top'"
STATEMENTS = """select coalesce(sum(calls), 0)::bigint from pg_stat_statements s join pg_database d on d.oid = s.dbid
  where d.datname = $1"""
COMMITS = "select xact_commit from pg_stat_database where datname = $1"
BACKENDS = "select pid from pg_stat_activity where datname = $1 and pid <> all ($2::integer[])"


async def measure(stage: Stage) -> Values:
    """Nobody needs the machine for himself to be idle, so no lock is held."""
    name, seconds = stage.place.name, stage.seconds(SECONDS)
    # From another database, so that looking is not counted.
    outside = await asyncpg.connect(stage.place.server.dsn)
    try:
        await outside.execute(COUNT.format(name=name))
        with stage.peer.crew(stage.place) as crew:
            await ready(stage, crew)
            own = [stage.place.conn.get_server_pid(), outside.get_server_pid()]
            await asyncio.sleep(min(REST_SECONDS, seconds))
            backends = [row["pid"] for row in await outside.fetch(BACKENDS, name, own)]
            statements = await outside.fetchval(STATEMENTS, name)
            commits = await outside.fetchval(COMMITS, name)
            worker, server = crew.cpu_seconds, sum(map(cpu_seconds, backends))
            await asyncio.sleep(seconds)
            a_minute = 60 / seconds
            memory = memory_megabytes(crew.pids[0])
            return {
                "statements": (await outside.fetchval(STATEMENTS, name) - statements) * a_minute,
                "commits": (await outside.fetchval(COMMITS, name) - commits) * a_minute,
                "worker_cpu": (crew.cpu_seconds - worker) * a_minute,
                "postgres_cpu": (sum(map(cpu_seconds, backends)) - server) * a_minute,
                "connections": len(backends),
                **memory,
            }
    finally:
        await outside.close()
