"""Minutes that several workers counted become one row each: nothing is lost by it, and reading costs the same however many they were."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from bellhand.sql import query
from desk import Desk, desk
from support import eventually

NOBODY = UUID(int=0)
SUMS = """select s.minute, s.kind, s.outcome, sum(s.jobs) as jobs, sum(s.wait_seconds) as waits, sum(s.run_seconds) as runs,
  (select array_agg(b.n order by b.place) from (select h.place, sum(h.n) as n from bellhand.stats x cross join unnest(x.histogram || x.waits) with ordinality h(n, place)
    where (x.minute, x.kind, x.outcome) = (s.minute, s.kind, s.outcome) group by 1) b) as histogram
  from bellhand.stats s group by 1, 2, 3 order by 1, 2, 3"""
COUNTED = """insert into bellhand.stats (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram, waits)
  select date_trunc('minute', bellhand.now()) - m * interval '1 minute', k, o, w, m + length(o), w_n * 0.5, m, array_fill(w_n, array[17]), array_fill(w_n + 1, array[10])
  from generate_series(0, 11) m, unnest(array['a', 'b']) k, unnest(array['completed', 'fail']) o, unnest($1::uuid[]) with ordinality x(w, place)
    cross join lateral (select place::integer as w_n) y
  where k = 'b' or place = 1"""


async def gathered(conn: asyncpg.Connection) -> int:
    """How many calls it took."""
    calls = 1
    while await conn.fetchval(query("gather_stats")):
        calls += 1
    return calls


async def test_a_minute_is_one_row_when_it_is_over(conn: asyncpg.Connection) -> None:
    workers = [uuid4() for _ in range(3)]
    await conn.execute("set bellhand.now = '2030-01-07 09:00:30Z'")
    await conn.execute(COUNTED, workers)
    before = await conn.fetch(SUMS)
    assert await gathered(conn) > 1, "a call looks at few minutes"
    assert await conn.fetch(SUMS) == before
    rows = await conn.fetch("select extract(epoch from bellhand.now() - minute) / 60 as age, kind, worker from bellhand.stats")  # fmt: skip
    assert {row["worker"] for row in rows if row["kind"] == "b" and row["age"] > 2} == {NOBODY}
    assert {row["worker"] for row in rows if row["kind"] == "b" and row["age"] < 2} == {*workers}
    assert {row["worker"] for row in rows if row["kind"] == "a"} == {workers[0]}, "one row stays"
    # What comes too late stays beside, and counts.
    late = (
        uuid4(),
        ["b"],
        ["completed"],
        [4],
        [1.0],
        [2.0],
        [",".join(["1"] * 17)],
        [",".join(["1"] * 10)],
    )
    await conn.execute("set bellhand.now = '2030-01-07 08:52:30Z'")
    await conn.fetch(query("add_stats"), *late)
    await conn.execute("set bellhand.now = '2030-01-07 09:00:30Z'")
    await gathered(conn)
    counted = dict(await conn.fetch("select minute, sum(jobs) from bellhand.stats where kind = 'b' and outcome = 'completed' group by 1"))  # fmt: skip
    assert sum(counted.values()) == sum(r["jobs"] for r in before if r["kind"] == "b" and r["outcome"] == "completed") + 4  # fmt: skip
    # Gathered all anew, as after a move without its bookmarks.
    await conn.execute("update bellhand.looks set upto = '-infinity' where name = 'stats'")
    await gathered(conn)
    again = dict(await conn.fetch("select minute, sum(jobs) from bellhand.stats where kind = 'b' and outcome = 'completed' group by 1"))  # fmt: skip
    assert again == counted
    assert await conn.fetchval("select count(*) from bellhand.stats where kind = 'b' and minute = '2030-01-07 08:52Z'") == 2  # fmt: skip


async def test_what_a_worker_adds_meanwhile_is_not_lost(dsn: str, conn: asyncpg.Connection) -> None:
    workers = [uuid4() for _ in range(2)]
    await conn.execute("set bellhand.now = '2030-01-07 09:00:30Z'")
    await conn.execute(COUNTED, workers)
    other, third = await asyncpg.connect(dsn, timeout=10), await asyncpg.connect(dsn, timeout=10)
    try:
        for connection in (other, third):
            await connection.execute("set bellhand.now = '2030-01-07 08:55:30Z'")
        before = await conn.fetchval("select sum(jobs) from bellhand.stats")
        slow = other.transaction()
        await slow.start()
        await other.fetch(query("add_stats"), workers[1], ["b"], ["fail"], [100], [0.0], [0.0], [",".join(["0"] * 17)], [",".join(["0"] * 10)])  # fmt: skip
        gathering = asyncio.create_task(gathered(conn))

        async def waits() -> bool:
            return bool(await third.fetchval("select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"))  # fmt: skip

        await eventually(waits)
        assert await third.fetchval(query("gather_stats")) is False, "one daemon at a time"
        await slow.commit()
        await gathering
        assert await conn.fetchval("select sum(jobs) from bellhand.stats") == before + 100
    finally:
        await other.close(timeout=5)
        await third.close(timeout=5)


LARGE = """insert into bellhand.history (id, key, kind, payload, priority, run_at, depends_policy, source, created_at, state, epoch, attempts, crashes, partial,
    started_at, finished_at, error, owner, worker)
  select n, gen_random_uuid(), 'a', jsonb_build_object('n', n), 5, at, 'cancel', 'sql', at, case when n % 50 = 0 then 'failed' else 'completed' end, 1, 1, 0, false,
    at, at, case when n % 50 = 0 then 'ValueError: no' end, 'u', (select id from bellhand.workers limit 1)
  from (select n, now() - n * interval '1 second' as at from generate_series(1, 30000) n) x"""


async def test_no_statement_of_a_page_reads_a_whole_table(desk: Desk) -> None:
    """By their plans, whatever is asked, on tables that are large (see the same of the API's lists in test_api_jobs)."""
    conn = desk.conn
    await desk.worker()
    await conn.execute(LARGE)
    await conn.execute("insert into bellhand.jobs (kind) select 'a' from generate_series(1, 8000)")
    await conn.execute("insert into bellhand.events (type, job, kind) select 'retry', n, 'a' from generate_series(1, 8000) n")  # fmt: skip
    await conn.execute("select bellhand.group_failures(600)")
    await conn.execute(COUNTED, [uuid4() for _ in range(3)])
    await conn.execute("analyze")
    await conn.execute("set plan_cache_mode = force_generic_plan")
    failure = await conn.fetchval("select fingerprint from bellhand.failures")
    job = await conn.fetchval("select max(id) from bellhand.jobs")
    found = "null, null, null, null, null, null, '{payload.n}', '{7}'"
    for name, given in (
        ("page_overview", "3600, 5, 15"), ("page_lanes", "3600"), ("page_lane", "'default', 20"), ("page_kinds", "3600"), ("page_kind", "'a'"), ("page_failure", f"'{failure}'"),
        ("page_job", f"{job}, 'a'"), ("page_jobs_live", f"50, 1000, null, '{{pending}}', {found}, true, true"),
        *(("page_jobs_over", f"50, 1000, null, '{{completed}}', {found}, '{way}', null, true") for way in ("any", "kind", "trouble")),
        ("status_outcomes", "3600"), ("api_series", "3600, 60, null"), ("api_audit", "100000, null, null, 50, 50"), ("page_frame", ""), ("page_failures", "3600, 20, false"),
    ):  # fmt: skip
        await conn.execute(f"prepare looked as {query(name)}")
        call = f"looked({given})" if given else "looked"
        plan = json.loads(await conn.fetchval(f"explain (analyze, format json) execute {call}"))[0]["Plan"]  # fmt: skip
        for scan in scans(plan):
            read = (scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"]  # fmt: skip
            # Positions are counted, by their index, up to a bound of their own.
            most = 100_000 if scan["Relation Name"] == "queue" else 2000
            assert read <= most, (name, read, scan)
        await conn.execute("deallocate looked")


def scans(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a plan that read a table."""
    own = [node] if "Relation Name" in node else []
    return own + [scan for inner in node.get("Plans", ()) for scan in scans(inner)]
