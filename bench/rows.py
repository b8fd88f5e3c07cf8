"""The rows of the main table."""

from __future__ import annotations

from dataclasses import dataclass

from .figures import drain, notifies, pickup, single, steady

OURS = "bellhand"
BEST = "*"  # of each peer the variant that did best


@dataclass(frozen=True)
class Row:
    """One value of one figure."""

    label: str
    unit: str
    figure: str
    variant: str
    value: str
    more_is_better: bool = False


(IDLE_WORKER,) = pickup.VARIANTS[""]
(STEADY,) = steady.VARIANTS[""]
HEADLINE = (
    Row("drain, one worker process", "jobs/s", "drain", drain.ONE, "per_second", True),
    Row("drain, two worker processes", "jobs/s", "drain", drain.TWO, "per_second", True),
    Row("bulk enqueue", "jobs/s", "enqueue", BEST, "per_second", True),
    Row("one-row INSERTs, 16 producers, a worker working", "jobs/s", "single", single.WORKING, "per_second", True),
    Row("one-row INSERTs, of which done in that time", "jobs/s", "single", single.WORKING, "done_per_second", True),
    Row("pickup by an idle worker, p50", "ms", "pickup", IDLE_WORKER, "p50"),
    Row("pickup by an idle worker, p95", "ms", "pickup", IDLE_WORKER, "p95"),
    Row("pickup by an idle worker, p99", "ms", "pickup", IDLE_WORKER, "p99"),
    Row("its INSERT alone, p50", "ms", "pickup", IDLE_WORKER, "insert_p50"),
    Row("500 jobs/s for 20 s, p50", "ms", "steady", STEADY, "p50"),
    Row("500 jobs/s for 20 s, p99", "ms", "steady", STEADY, "p99"),
    Row("500 jobs/s for 20 s, CPU of the worker", "s", "steady", STEADY, "worker_cpu"),
    Row("500 jobs/s for 20 s, CPU of Postgres", "s", "steady", STEADY, "postgres_cpu"),
    Row("idle, statements a minute", "", "idle", "a minute", "statements"),
    Row("idle, transactions a minute", "", "idle", "a minute", "commits"),
    Row("idle, CPU of the worker a minute", "s", "idle", "a minute", "worker_cpu"),
    Row("idle, CPU of its backends a minute", "s", "idle", "a minute", "postgres_cpu"),
    Row("idle, memory of the worker (PSS)", "MB", "idle", "a minute", "pss"),
    Row("idle, memory of the worker (RSS)", "MB", "idle", "a minute", "rss"),
    Row("drained job, CPU of the worker", "us", "drain", drain.ONE, "worker_us"),
    Row("drained job, CPU of Postgres", "us", "drain", drain.ONE, "postgres_us"),
    Row("drained job, WAL", "bytes", "drain", drain.ONE, "wal_bytes"),
    Row("drained job, transactions that write, a thousand", "", "drain", drain.ONE, "writes_per_1000"),
    Row("drained job, dead tuples afterwards", "", "drain", drain.ONE, "dead_tuples_per_job"),
    Row("NOTIFYs a thousand jobs, drain", "", "notifies", notifies.DRAIN, "per_1000"),
    Row("NOTIFYs a thousand jobs, 16 producers", "", "notifies", notifies.SINGLE, "per_1000"),
)  # fmt: skip
