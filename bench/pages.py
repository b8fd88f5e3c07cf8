"""`python -m bench.pages`: how long every page takes with 5 million jobs in history and 100,000 pending.

The jobs are made by SQL in a database of their own: thirty days of history, a tenth of a percent of it
failed, steps for the newest, a lane with all that is pending, and some jobs that run. Nothing claims
meanwhile. Each page is asked for REQUESTS times over HTTP, one at a time, after one that does not count. Beside the
clock, which a busy machine stretches, stands the CPU that a request took: in the daemon, and in Postgres for its
statements with the heaviest of them. What pages keep for two seconds, so as not to ask it for each who looks, is asked
anew each time here. Last, how soon who watches a job is told of it (watching.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections import defaultdict
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

import asyncpg
import structlog

from bellhand.api import stats
from bellhand.api.health import Health
from bellhand.dashboard import site
from bellhand.db import Database, Link
from bellhand.dev.postgres import DevPostgres
from bellhand.kinds import find_kinds
from bellhand.look import Look
from bellhand.metrics import Metrics
from bellhand.migrate import migrate
from bellhand.settings import Settings, Status
from bellhand.sql import query
from bellhand.surfaces import status_port

from .watching import UPDATES, watched

HISTORY = 5_000_000
PENDING = 100_000
REQUESTS = 40
PAGE_MS_MAX = 200.0
STATEMENT_MS_MAX = 50.0
DAYS = 30
WELL = Health(
    db_up=True, schema_ok=True, listen_up=True, polling=False, draining=False, worker_alive=True, lag_seconds=0.1
)  # fmt: skip
PATHS = (
    "/", "/jobs", "/jobs?q=state:over", "/jobs?q=state:failed", "/jobs?q=state:pending", "/jobs?q=kind:demo.report", "/jobs?q=kind:demo.report+state:failed",
    "/jobs?q=owner:u_77", "/jobs?q=payload.n:4711", "/jobs?q=kind:demo.report+nowhere", "/jobs/{done}", "/jobs/{failed}", "/jobs/{pending}", "/jobs/{running}",
    "/failures", "/failures/{failure}", "/lanes", "/lanes/demo", "/lanes/demo/forecast?concurrency=8", "/jobs/words?q=owner:u_1", "/jobs/words?q=payload.region:r", "/kinds", "/kinds/demo.report", "/kinds/demo.report/quote", "/schedules", "/workers", "/system", "/leads", "/matching", "/sites", "/seo", "/crm",
    "/v1/jobs", "/v1/jobs?state=failed", "/v1/jobs/{pending}", "/v1/jobs/{pending}/why", "/v1/lanes", "/v1/kinds", "/v1/failures", "/v1/workers", "/v1/schedules", "/v1/stats", "/v1/stats/series", "/v1/audit",
)  # fmt: skip
FILL = (
    # A partition a day, as the keeper would have made them.
    """do $$ declare day timestamptz; begin
         for n in 0 .. {days} loop
           day := date_trunc('day', now(), 'UTC') - n * interval '1 day';
           execute format('create table if not exists bellhand.%I partition of bellhand.history for values from (%L) to (%L)',
             'history_' || to_char(day at time zone 'UTC', 'YYYYMMDD'), day, day + interval '1 day');
         end loop; end $$""",
    """insert into bellhand.workers (id, name, host, pid, version, kinds, lanes, capacity, busy)
         select gen_random_uuid(), 'bench' || n, 'bench', n, '1', array(select name from bellhand.kinds), '{{}}', 64, 8 from generate_series(1, 4) n""",
    """insert into bellhand.history (id, key, kind, payload, priority, run_at, depends_policy, source, created_at, state, epoch, attempts, crashes, worker, started_at,
           error, partial, result, finished_at, owner, tags)
         select n, gen_random_uuid(), (array['demo.report', 'demo.letters', 'demo.greet', 'demo.tick'])[1 + n % 4], jsonb_build_object('n', n, 'region', 'r' || n % 97), 5,
           at, 'cancel', 'sql', at, case when n % 1000 = 0 then 'failed' else 'completed' end, 1, (n % 1000 = 0)::int, 0, w.id, at + interval '1 second',
           case when n % 1000 = 0 then 'Traceback (most recent call last):' || E'\n' || 'ConnectionError: host ' || n % 7 || ' did not answer' end, n % 5000 = 1,
           jsonb_build_object('total', n), at + (1 + n % 30) * interval '1 second', 'u_' || n % 500, jsonb_build_object('team', 't' || n % 20)
         from (select n, now() - interval '2 hours' - ({history} - n) * (interval '{days} days' - interval '3 hours') / {history} as at from generate_series({first}, {last}) n) x
         cross join lateral (select id from bellhand.workers order by name offset (x.n % 4) limit 1) w""",
    "select setval('bellhand.jobs_id_seq', {history})",
    """insert into bellhand.steps (job, name, position, state, attempts, result, finished_at)
         select n, 'step ' || s, s, 'completed', 1, '"done"', now() from generate_series({history} - 2000, {history}) n, generate_series(1, 20) s""",
    """insert into bellhand.jobs (kind, payload, priority, owner) select 'demo.report', jsonb_build_object('step_seconds', n % 60), 1 + n % 10, 'u_' || n % 500
         from generate_series(1, {pending}) n""",
    # Some run: their places are taken, and a lease names them.
    """with taken as (delete from bellhand.queue q using (select id from bellhand.queue order by id limit 32) x where q.id = x.id returning q.id, q.epoch)
       insert into bellhand.leases (worker, ids, epochs) select (select id from bellhand.workers order by name limit 1), array_agg(id), array_agg(epoch) from taken""",
    "insert into bellhand.events (type, job, kind) select 'retry', n, 'demo.report' from generate_series({history} - 200000, {history}) n",
    "vacuum (analyze)",
)
# The last hours, minute by minute, whenever the rest was made.
MINUTES = """insert into bellhand.stats (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram, waits)
         select date_trunc('minute', now()) - m * interval '1 minute', k.name, o, w.id, 30, 9, 50, array_fill(2, array[17]), array_fill(3, array[10])
         from generate_series(1, 1440) m, bellhand.kinds k, unnest(array['completed', 'fail', 'retry']) o, bellhand.workers w
         on conflict do nothing"""
BATCH = 250_000


class Timed:
    """Wraps Link.fetch: for each statement the milliseconds until its rows are there, and those of CPU that its backend took."""

    def __init__(self) -> None:
        self.took: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.names: dict[str, str] = {}
        self.real_look, self.real_link = Look.fetch, Link.fetch

    async def look(self, look: Look, name: str, *arguments: Any, **more: Any) -> Any:
        self.names[query(name)] = name
        return await self.real_look(look, name, *arguments, **more)

    async def link(self, link: Link, sql: str, *arguments: Any) -> Any:
        before, began = busy_ms(link), time.monotonic()
        found = await self.real_link(link, sql, *arguments)
        took = (time.monotonic() - began) * 1000
        self.took[self.names.get(sql, "?")].append((took, busy_ms(link) - before))
        return found

    def listen(self) -> None:
        Look.fetch = lambda look, name, *a, **k: self.look(look, name, *a, **k)  # type: ignore[method-assign]
        Link.fetch = lambda link, sql, *a: self.link(link, sql, *a)  # type: ignore[method-assign]


def busy_ms(link: Link) -> float:
    """What the backend of a connection has taken of a CPU so far, as Linux counts it; 0 where that is not told."""
    if link.connection is None or link.connection.is_closed():
        return 0.0
    with suppress(OSError):
        return int(Path(f"/proc/{link.connection.get_server_pid()}/schedstat").read_text().split()[0]) / 1e6  # fmt: skip
    return 0.0


async def fill(dsn: str, history: int, pending: int) -> None:
    """The data; minutes for millions."""
    connection = await asyncpg.connect(dsn, timeout=10)
    kinds = [
        kind.published()
        for kind in find_kinds(["bellhand.dev.demo", *Settings(dsn=dsn).modules]).values()
    ]
    await connection.fetch(query("publish_kinds"), json.dumps(kinds))
    for statement in FILL:
        parts = range(1, history + 1, BATCH) if "{first}" in statement else (1,)
        for first in parts:
            last = min(history, first + BATCH - 1)
            text = statement.format(
                history=history, pending=pending, days=DAYS, first=first, last=last
            )
            await connection.execute(text, timeout=900)
    for _ in range(history // 1000):
        if not await connection.fetchval("select bellhand.group_failures()"):
            break
    await connection.close()


async def measure(dsn: str, history: int, requests: int) -> bool:
    """Asks for every page and tells how long that took; whether all kept the bounds."""
    site.FRESH_SECONDS = stats.FRESH_SECONDS = 0.0  # nothing is kept from one request to the next
    timed = Timed()
    timed.listen()
    database = Database(dsn)
    port = status_port(Status(port=0, requests_per_second=10_000, requests_burst=10_000), Metrics({}, version="1"), lambda: WELL, database)  # fmt: skip
    await port.start()
    connection = await asyncpg.connect(dsn, timeout=10)
    await connection.execute(MINUTES, timeout=60)
    while await connection.fetchval("select bellhand.gather_stats()"):  # as the daemons do
        pass
    await connection.execute("vacuum (analyze) bellhand.stats", timeout=60)
    failure = await connection.fetchval("select min(fingerprint) from bellhand.failures")
    await connection.close()
    ids = {
        "done": history - 1, "failed": history - history % 1000, "pending": history + 1000, "running": history + 1, "failure": failure,
    }  # fmt: skip
    kept = True
    print(f"load average {load()}")
    print("| page | p50 ms | p95 ms | CPU ms: daemon | statements | the heaviest | CPU ms | longest ms |\n| --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |")  # fmt: skip
    for path in PATHS:
        line = HTTPConnection("127.0.0.1", port.port, timeout=10)
        given = path.format(**ids)
        await asyncio.to_thread(one, line, given)
        timed.took.clear()
        took = [await asyncio.to_thread(one, line, given) for _ in range(requests)]
        line.close()
        cut = quantiles([wall for wall, _ in took], n=20)
        ours = fmean(cpu for _, cpu in took)
        theirs = {name: sum(cpu for _, cpu in each) / requests for name, each in timed.took.items()}
        longest = max((wall for each in timed.took.values() for wall, _ in each), default=0.0)
        kept = kept and cut[18] <= PAGE_MS_MAX and longest <= STATEMENT_MS_MAX
        most = max(theirs, key=lambda name: theirs[name], default="-")
        print(f"| `{path}` | {cut[9]:.0f} | {cut[18]:.0f} | {ours:.1f} | {sum(theirs.values()):.1f} | {most} | {theirs.get(most, 0):.1f} | {longest:.0f} |", flush=True)  # fmt: skip
    print(f"load average {load()}\n")
    waiting = list(range(history + 2000, history + 2000 + UPDATES))
    kept = await watched(dsn, f"http://127.0.0.1:{port.port}", ids["running"], waiting) and kept
    print(f"load average {load()}")
    await port.stop()
    for link in database.links:
        link.drop()
    return kept


def load() -> str:
    """How many processes wanted a CPU in the last minute, as a mean."""
    return f"{os.getloadavg()[0]:.1f}"


def one(line: HTTPConnection, path: str) -> tuple[float, float]:
    """The milliseconds of one request, and those of CPU that the daemon took: this process without the thread that asks."""
    began, ours, mine = time.monotonic(), time.process_time(), time.thread_time()
    line.request("GET", path, headers={"Accept": "application/json" if path.startswith("/v1/") else "text/html"})  # fmt: skip
    answer = line.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}")
    took = time.monotonic() - began
    return took * 1000, (time.process_time() - ours - (time.thread_time() - mine)) * 1000


def main() -> int:
    """Fill, measure, print a table; 1 if a bound was broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages")
    parser.add_argument("--history", type=int, default=HISTORY)
    parser.add_argument("--pending", type=int, default=PENDING)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--home", type=Path, help="keep the database here and use it again")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with DevPostgres(given.home, durable=False) as server:
        dsn = server.create_database("pages")
        began = time.monotonic()
        if not asyncio.run(filled(dsn)):
            asyncio.run(migrate(dsn))
            asyncio.run(fill(dsn, given.history, given.pending))
            print(f"{given.history:,} jobs in history, {given.pending:,} pending, made in {time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
        return 0 if asyncio.run(measure(dsn, given.history, given.requests)) else 1


async def filled(dsn: str) -> bool:
    """Whether an earlier run has left the data here."""
    connection = await asyncpg.connect(dsn, timeout=10)
    made = await connection.fetchval("select to_regclass('bellhand.workers') is not null")
    found = made and await connection.fetchval("select exists (select from bellhand.workers)")
    await connection.close()
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
