"""What the gauges read from a real database, and the canaries that go through it."""

import asyncio
from typing import Any

import aiohttp
import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bellhand import Job, job_kind
from bellhand.app import Daemon
from bellhand.canary import NAME
from bellhand.sql import query
from daemons import at_work, insert, until
from support import eventually

HURRY = {"grace_seconds": 0.1}  # what is held here never ends by itself


@job_kind("look.hold", lane="held", timeout_seconds=40)
async def hold() -> None:
    await asyncio.sleep(3600)


@job_kind("look.tell")
async def tell(job: Job) -> None:
    job.progress(done=1, total=2)
    await asyncio.sleep(3600)


@job_kind("look.step", lane="steps", timeout_seconds=None, step_timeout_seconds=30)
async def step(job: Job) -> None:
    await job.step("first", _quick)
    await job.step("second", asyncio.sleep, 3600)


@job_kind("look.quick")
async def quick(job: Job) -> None:
    job.count("leads_found", 2)


async def _quick() -> None:
    pass


def shown(daemon: Daemon) -> dict[str, float]:
    """What a scrape says, by name and label values."""
    families = text_string_to_metric_families(daemon.metrics.render().decode())
    return {
        " ".join([sample.name.removeprefix("bellhand_"), *sample.labels.values()]): sample.value
        for family in families
        for sample in family.samples
    }


async def sampled(daemon: Daemon) -> dict[str, float]:
    await daemon.keeper.sample()
    await daemon.keeper.sample_database()
    return shown(daemon)


async def test_gauges_tell_what_a_lane_holds(dsn: str, conn: asyncpg.Connection) -> None:
    lanes = {"held": {"concurrency": 1, "wait_slo_seconds": 7}}
    async with at_work(dsn, hold, quick, worker=HURRY, lanes=lanes) as daemon:
        first = await insert(conn, "look.hold")
        await until(conn, first, "running")
        for _ in range(3):
            await insert(conn, "look.hold")
        await insert(conn, "look.quick", depends_on=[first])
        await conn.execute("update bellhand.jobs set run_at = run_at - interval '90 seconds'")
        found = await sampled(daemon)
        assert [found[f"lane_jobs held {s}"] for s in ("pending", "running")] == [3, 1]
        assert found["lane_jobs default blocked"] == 1
        assert found["lane_unclaimable_jobs default dependency"] == 1
        assert 90 <= found["lane_oldest_due_seconds held"] < 120
        assert found["lane_wait_slo_seconds held"] == 7
        assert found["lane_wait_slo_seconds default"] == 900
        assert found["lane_concurrency_limit held"] == 1
        assert found["lane_step_timeout_seconds held"] == 40
        assert found["lane_drain_seconds held"] == float("inf")
        assert found["jobs_enqueued_total"] == 5
        assert found["jobs_deduplicated_total"] == 0
        assert found["worker_slots_busy"] == 1
        await conn.execute("select bellhand.pause_lane('held', 'because')")
        found = await sampled(daemon)
        assert found["lane_paused held"] == 1
        assert found["lane_oldest_due_seconds held"] == 0, "nobody is late who may not go"
        assert found["lane_unclaimable_jobs held lane_paused"] == 3


async def test_duplicates_progress_and_streams_are_counted(
    dsn: str, conn: asyncpg.Connection
) -> None:
    again = "select bellhand.enqueue('look.tell', unique_key => 'one')"
    async with at_work(dsn, tell, worker=HURRY) as daemon, aiohttp.ClientSession() as session:
        for _ in range(3):
            await conn.execute(again)
        await conn.fetchval("select bellhand.quote('look.tell', unique_key => 'one')")
        assert (await sampled(daemon))["jobs_deduplicated_total"] == 2
        await eventually(lambda: _shows(daemon, "progress_writes_total written", 1))
        assert shown(daemon)["progress_writes_total lost"] == 0
        assert shown(daemon)["sse_clients"] == 0
        where = f"http://127.0.0.1:{daemon.status.port}/v1/events"
        async with session.get(where, headers={"Accept": "text/event-stream"}) as stream:
            assert stream.status == 200
            await eventually(lambda: _shows(daemon, "sse_clients", 1))


async def _shows(daemon: Daemon, name: str, value: float) -> bool:
    return shown(daemon)[name] == value


async def test_a_step_older_than_its_timeout_shows_though_its_worker_hangs(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """S0-07: every step has a limit, so what is older hangs; read from the database, not from the worker."""
    async with at_work(dsn, step, hold, worker=HURRY) as daemon:
        job = await insert(conn, "look.step")
        await eventually(lambda: conn.fetchval("select count(*) from bellhand.steps"))
        await conn.execute("update bellhand.leases set claimed_at = claimed_at - interval '1 hour'")
        await conn.execute(
            "update bellhand.steps set finished_at = finished_at - interval '50 seconds'"
        )
        found = await sampled(daemon)
        assert 50 <= found["lane_oldest_running_step_seconds steps"] < 80, "since its last step"
        assert found["lane_step_timeout_seconds steps"] == 30
        assert found["lane_oldest_running_step_seconds held"] == 0
        assert (await until(conn, job, "running"))["id"] == job


async def test_parked_jobs_show_by_why(dsn: str, conn: asyncpg.Connection) -> None:
    async with at_work(dsn, quick, queue={"unknown_kinds": "hold"}) as daemon:
        await insert(conn, "nobody.knows")
        await conn.execute("select bellhand.pause_kind('look.quick', 'because')")
        await daemon.keeper.look_around()
        await insert(conn, "look.quick")
        parked = "select count(*) from bellhand.parked"
        await eventually(lambda: _is(conn, parked, 2))
        found = await sampled(daemon)
        assert found["lane_unclaimable_jobs default kind_paused"] == 1
        assert found["lane_unclaimable_jobs other unknown_kind"] == 1
        await conn.execute(
            "update bellhand.parked set reason = 'no_handler' where kind = 'look.quick'"
        )
        found = await sampled(daemon)
        assert found["lane_unclaimable_jobs default no_handler"] == 0, "a live daemon has it"
        assert found["lane_unclaimable_jobs default elsewhere"] == 1


async def _is(conn: asyncpg.Connection, sql: str, wanted: Any) -> bool:
    return bool(await conn.fetchval(sql) == wanted)


async def test_postgres_shows_its_tables_and_its_oldest_transaction(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with at_work(dsn, quick, retention={"history_days": 1}) as daemon:
        job = await insert(conn, "look.quick")
        await until(conn, job, "completed")
        async with conn.transaction():
            await conn.fetchval("select 1")
            await asyncio.sleep(0.05)
            found = await sampled(daemon)
        assert found["oldest_transaction_seconds"] >= 0.05
        assert found["table_bytes history"] > 8192
        assert found["table_bytes jobs"] > 8192
        assert found["retention_lag_seconds"] == 0
        assert found["results_total look.quick leads_found"] == 2
        assert found["db_connections"] >= 3
        await conn.execute(
            "create table bellhand.history_20200101 partition of bellhand.history "
            "for values from ('2020-01-01 UTC') to ('2020-01-02 UTC')"
        )
        assert (await sampled(daemon))["retention_lag_seconds"] > 86400 * 365


async def test_ticks_that_nobody_enqueued_in_time_are_counted(
    dsn: str, conn: asyncpg.Connection
) -> None:
    schedules = {
        # No oftener: it must not come due by itself meanwhile.
        "hourly": {"cron": "0 * * * *", "kind": "look.quick"},
        "fine": {"cron": "0 0 1 1 *", "kind": "look.quick"},
    }
    async with at_work(dsn, quick, schedules=schedules) as daemon:
        await eventually(lambda: _is(conn, "select count(next_at) from bellhand.schedules", 2))
        found = await sampled(daemon)
        assert found["schedule_missed_total fine"] == 0
        assert found["schedule_overdue_seconds fine"] == 0
        before = found["schedule_missed_total hourly"]
        await conn.execute(
            "update bellhand.schedules set next_at = date_trunc('hour', bellhand.now()) - interval '4 hours' where name = 'hourly'"
        )
        assert (await sampled(daemon))["schedule_overdue_seconds hourly"] >= 4 * 3600
        await daemon.keeper.fire_schedules()
        found = await sampled(daemon)
        assert 3 <= found["schedule_missed_total hourly"] - before <= 5
        assert found["schedule_overdue_seconds hourly"] == 0
        assert found["schedule_last_tick_timestamp_seconds hourly"] > 1.6e9


CANARIES: dict[str, Any] = {"metrics": {"canary_seconds": 0.2}}


async def test_a_canary_goes_through_every_lane_and_leaves_nothing(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with at_work(dsn, quick, hold, **CANARIES) as daemon:

        async def both_back() -> bool:
            found = await sampled(daemon)
            lanes = ("default", "held")
            return all(found.get(f"canary_roundtrip_seconds {lane}", 0) > 0 for lane in lanes)

        await eventually(both_back)
        found = shown(daemon)
        assert found["canary_last_success_timestamp_seconds held"] > 1.6e9
        assert found["canary_waiting_seconds held"] < 30
        # None of them is counted as work, none stays.
        assert not [name for name in found if NAME in name]
        assert (
            found["jobs_finished_total default other completed"] == 0
            if ("jobs_finished_total default other completed" in found)
            else True
        )
        await eventually(lambda: _is(conn, _LEFT, 0))
        assert await conn.fetchval("select count(*) from bellhand.stats") == 0
        async with at_work(dsn, quick, hold, **CANARIES):
            sent = await conn.fetchval("select max(sent_at) from bellhand.canaries")
            more = "select min(sent_at) > $1 from bellhand.canaries"
            await eventually(lambda: conn.fetchval(more, sent))
    left = await conn.fetchval("select count(*) from bellhand.history")
    assert left <= 4, "those that were out when the daemons went"


_LEFT = "select count(*) from bellhand.history h where not exists (select from bellhand.canaries c where c.job = h.id)"


async def test_no_canary_goes_where_it_would_disturb(dsn: str, conn: asyncpg.Connection) -> None:
    lanes = {"held": {"concurrency": 1}, "steps": {"rate_per_second": 5}}
    async with at_work(dsn, quick, hold, step, worker=HURRY, lanes=lanes, **CANARIES) as daemon:
        out = "select n.name from bellhand.canaries c join bellhand.lanes n on n.id = c.lane where c.back_at is not null"

        async def came_back() -> set[str]:
            return {row["name"] for row in await conn.fetch(out)}

        await eventually(lambda: _same(came_back, {"default", "held"}))
        assert await came_back() == {"default", "held"}, "a rate would lose a token"
        job = await insert(conn, "look.hold")
        await until(conn, job, "running")
        await conn.execute("select bellhand.pause_lane('default', 'because')")
        await daemon.keeper.keep_canaries()
        await eventually(lambda: _is(conn, "select count(job) from bellhand.canaries", 0))
        sent = await conn.fetchval("select max(sent_at) from bellhand.canaries")
        for _ in range(3):
            await conn.execute("update bellhand.canaries set sent_at = sent_at - interval '1 h'")
            await daemon.keeper.keep_canaries()
        assert await conn.fetchval("select max(sent_at) from bellhand.canaries") < sent
        assert await conn.fetchval("select count(*) from bellhand.jobs") == 1


async def _same(look: Any, wanted: set[str]) -> bool:
    return bool(await look() >= wanted)


async def test_a_canary_whose_worker_died_still_goes_through_its_own_lane(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """Rescued jobs are placed in the lane of their kind, which here nobody serves."""
    async with at_work(dsn, hold, worker={"lanes": ["held"]}, **CANARIES) as daemon:
        await eventually(lambda: _is(conn, "select count(back_at) from bellhand.canaries", 1))
        await conn.execute("select bellhand.pause_lane('held', 'so that one stays out')")
        await daemon.keeper.look_around()
        await daemon.keeper.keep_canaries()
        async with conn.transaction():
            await conn.execute("lock table bellhand.canaries")
            await conn.execute("select bellhand.resume_lane('held')")
            job = await conn.fetchval(
                "insert into bellhand.jobs (kind, source) values ($1, 'canary') returning id", NAME
            )
            await conn.execute("update bellhand.canaries set job = $1, sent_at = now()", job)
        lane = "select lane from bellhand.queue where id = $1"
        assert await conn.fetchval(lane, job) == 1, "where a rescue would place it"
        await eventually(lambda: _is(conn, "select back_at > sent_at from bellhand.canaries", True))


async def test_a_canary_that_nobody_takes_is_seen_and_one_that_is_in_the_way_taken_back(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """No daemon runs here: its worker died, and the lane keeps its canary."""
    async with at_work(dsn, quick, hold, **CANARIES):
        await eventually(lambda: _is(conn, "select count(back_at) from bellhand.canaries", 2))
    await conn.execute("delete from bellhand.jobs")
    await conn.execute("delete from bellhand.queue")
    keep = query("keep_canaries")
    await conn.fetch(keep, 0.0)
    await conn.fetch(keep, 0.0)
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 2, "one a lane, no more"
    rows = await conn.fetch(query("sample_lanes"), [], [])
    waiting = {row["lane"]: row["canary_waiting_seconds"] for row in rows}
    assert waiting["held"] is not None
    await conn.execute("insert into bellhand.jobs (kind) values ('look.hold')")
    await conn.fetch(keep, 0.0)
    kinds = await conn.fetch("select kind, payload from bellhand.jobs order by id")
    assert [row["kind"] for row in kinds] == [NAME, "look.hold"], "a job waits: it tells as much"
    await conn.execute("update bellhand.canaries set served_at = served_at - interval '8 days'")
    await conn.fetch(keep, 0.0)
    assert await conn.fetchval("select count(*) from bellhand.canaries") == 0, "the lanes are gone"
    assert await conn.fetchval("select count(*) from bellhand.queue") == 1


async def test_metrics_have_a_port_of_their_own_where_one_is_wanted(dsn: str) -> None:
    own = {"metrics": {"port": 0, "canary_seconds": 0}}
    token = "0123456789abcdef-token"
    import aiohttp

    async with (
        at_work(dsn, quick, status={"port": 0, "token": token}, **own) as daemon,
        aiohttp.ClientSession() as session,
    ):
        base = f"http://127.0.0.1:{daemon.ports[1].port}"
        known = {"Authorization": f"Bearer {token}"}
        codes: dict[str, int] = {}
        for path, headers in (("/metrics", {}), ("/v1/stats", known), ("/livez", {})):
            async with session.get(base + path, headers=headers) as answer:
                codes[path] = answer.status
        assert codes == {"/metrics": 401, "/v1/stats": 404, "/livez": 200}
        async with session.get(f"{base}/metrics", headers=known) as answer:
            text = await answer.text()
        assert 'bellhand_http_requests_total{code="401",method="GET",route="/metrics"} 1.0' in text
        assert 'route="none"' in text
    with pytest.raises(aiohttp.ClientConnectorError):
        async with aiohttp.ClientSession() as session, session.get(f"{base}/livez"):
            pass
