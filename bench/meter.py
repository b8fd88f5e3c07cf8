"""What a stretch of work cost: CPU on both sides, WAL, transactions."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .crew import Crew
from .machine import family_cpu_seconds
from .place import Place

# A transaction gets an id when it first writes, so ids count those that wrote: at once, where pg_stat_database lags.
COUNTERS = """select pg_current_wal_lsn() - '0/0'::pg_lsn as wal_bytes,
  pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xids"""
DEAD = """select coalesce(sum(n_dead_tup), 0)::bigint as dead_tuples,
  coalesce(sum(pg_total_relation_size(relid)), 0)::bigint as bytes from pg_stat_user_tables"""


@dataclass(frozen=True)
class Reading:
    """One look at the counters; the difference of two is what lay between."""

    seconds: float
    worker_cpu: float
    postgres_cpu: float
    wal_bytes: int
    xids: int


class Meter:
    """Reads the counters of a server and of a crew, if there is one, leaving out what its own connection costs."""

    def __init__(self, place: Place, crew: Crew | None = None) -> None:
        self.place = place
        self.crew = crew
        self.server_pid = place.server.pid or 0
        self.own = frozenset({place.conn.get_server_pid()})

    async def read(self) -> Reading:
        postgres = family_cpu_seconds(self.server_pid, self.own)
        worker = self.crew.cpu_seconds if self.crew else 0.0
        row = await self.place.row(COUNTERS)
        return Reading(time.monotonic(), worker, postgres, int(row["wal_bytes"]), row["xids"])


def spent(before: Reading, after: Reading, jobs: int) -> dict[str, float]:
    """What one job cost on average."""
    return {
        "worker_us": (after.worker_cpu - before.worker_cpu) / jobs * 1e6,
        "postgres_us": (after.postgres_cpu - before.postgres_cpu) / jobs * 1e6,
        "wal_bytes": (after.wal_bytes - before.wal_bytes) / jobs,
        "writes_per_1000": (after.xids - before.xids) / jobs * 1000,
    }


async def left_behind(place: Place, jobs: int) -> dict[str, float]:
    """Dead tuples and size of the tables; the processes that did the work must have ended, they report late."""
    row = await place.row(DEAD)
    return {"dead_tuples_per_job": row["dead_tuples"] / jobs, "megabytes": row["bytes"] / 1e6}
