"""`python -m bench.pages`: how long every page takes with 5 million jobs in history and 100,000 pending.

The jobs are made by SQL in a database of their own: thirty days of history, a tenth of a percent of it
failed, steps for the newest, a lane with all that is pending, and some jobs that run. Nothing claims
meanwhile. Each page is asked for REQUESTS times over HTTP, one at a time, after one that does not count;
besides, the longest that each statement took, from being sent until its rows are there. What pages keep for two
seconds, so as not to ask it for each who looks, is asked anew each time here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import quantiles
from typing import Any

import aiohttp
import asyncpg
import structlog

from bellhand.api.health import Health
from bellhand.dashboard import site
from bellhand.db import Database
from bellhand.dev.postgres import DevPostgres
from bellhand.kinds import find_kinds
from bellhand.look import Look
from bellhand.metrics import Metrics
from bellhand.migrate import migrate
from bellhand.settings import Settings, Status
from bellhand.sql import query
from bellhand.surfaces import status_port

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
MINUTES = """insert into bellhand.stats (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram)
         select date_trunc('minute', now()) - m * interval '1 minute', k.name, o, w.id, 30, 9, 50, array_fill(2, array[17])
         from generate_series(1, 1440) m, bellhand.kinds k, unnest(array['completed', 'fail', 'retry']) o, bellhand.workers w
         on conflict do nothing"""
BATCH = 250_000


class Timed:
    """Wraps Look.fetch: the longest that each statement took, in milliseconds."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = defaultdict(list)
        self.real = Look.fetch

    async def fetch(self, look: Look, name: str, *arguments: Any, **more: Any) -> Any:
        began = time.monotonic()
        found = await self.real(look, name, *arguments, **more)
        self.took[name].append((time.monotonic() - began) * 1000)
        return found


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
    site.FRESH_SECONDS = 0.0  # nothing is kept from one request to the next
    timed = Timed()
    Look.fetch = lambda look, name, *a, **k: timed.fetch(look, name, *a, **k)  # type: ignore[method-assign]
    database = Database(dsn)
    port = status_port(Status(port=0, requests_per_second=10_000, requests_burst=10_000), Metrics({}, version="1"), lambda: WELL, database)  # fmt: skip
    await port.start()
    connection = await asyncpg.connect(dsn, timeout=10)
    await connection.execute(MINUTES, timeout=60)
    failure = await connection.fetchval("select min(fingerprint) from bellhand.failures")
    await connection.close()
    ids = {
        "done": history - 1, "failed": history - history % 1000, "pending": history + 1000, "running": history + 1, "failure": failure,
    }  # fmt: skip
    kept = True
    print("| page | p50 ms | p95 ms | slowest statement | ms |\n| --- | ---: | ---: | --- | ---: |")
    async with aiohttp.ClientSession() as session:
        for path in PATHS:
            url = f"http://127.0.0.1:{port.port}{path.format(**ids)}"
            took = [await one(session, url)]
            timed.took.clear()
            took = [await one(session, url) for _ in range(requests)]
            cut = quantiles(took, n=20)
            slowest = max(timed.took, key=lambda name: max(timed.took[name]), default="-")
            longest = max(timed.took[slowest]) if slowest != "-" else 0.0
            kept = kept and cut[18] <= PAGE_MS_MAX and longest <= STATEMENT_MS_MAX
            print(
                f"| `{path}` | {cut[9]:.0f} | {cut[18]:.0f} | {slowest} | {longest:.0f} |",
                flush=True,
            )
    await port.stop()
    for link in database.links:
        link.drop()
    return kept


async def one(session: aiohttp.ClientSession, url: str) -> float:
    """The milliseconds of one request."""
    began = time.monotonic()
    async with session.get(url, headers={"Accept": "text/html"}) as answer:
        await answer.read()
        if answer.status != 200:
            raise SystemExit(f"{url} answered {answer.status}")
    return (time.monotonic() - began) * 1000


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
