"""A worker that is drained from afar: it claims nothing more, loses nothing, keeps no slots, and comes back when told to."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
from typing import Any

import aiohttp
import asyncpg
import pytest
import structlog

from bellhand import Job, job_kind
from bellhand.app import Daemon
from commands import Bellhand, bare, bellhand
from daemons import at_work, insert, until
from desk import Desk
from ports import Client, whole
from support import eventually

BOTH = {"lanes": {"narrow": {"concurrency": 2}}}


class Gate:
    """Jobs that wait to be let through, by name; `began` says in which daemon each did."""

    def __init__(self) -> None:
        self.began: dict[str, asyncio.Event] = {}
        self.let: dict[str, asyncio.Event] = {}

    def started(self, name: str) -> asyncio.Event:
        return self.began.setdefault(name, asyncio.Event())

    def open(self, name: str) -> asyncio.Event:
        return self.let.setdefault(name, asyncio.Event())

    async def through(self, name: str) -> None:
        self.started(name).set()
        await self.open(name).wait()


async def _code(daemon: Daemon, path: str) -> int:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{daemon.status.port}{path}") as said,
    ):
        return said.status


async def _drain(conn: asyncpg.Connection, daemon: Daemon, reason: str | None = "new kernel") -> None:  # fmt: skip
    await conn.execute("select bellhand.drain_worker($1, $2)", str(daemon.worker.id), reason)
    await eventually(
        lambda: daemon.worker.drained is not None,
        because="the bell tells it, or nobody for five minutes",
    )


async def _undrain(conn: asyncpg.Connection, daemon: Daemon) -> None:
    await conn.execute("select bellhand.undrain_worker($1)", str(daemon.worker.id))
    await eventually(
        lambda: daemon.worker.drained is None,
        because="the bell tells it, or nobody for five minutes",
    )


async def test_a_drained_worker_claims_nothing_and_its_job_goes_on_elsewhere_after_a_step(
    dsn: str, conn: asyncpg.Connection
) -> None:
    gate = Gate()
    steps: list[str] = []

    @job_kind("t.steps")
    async def two(job: Job) -> dict[str, Any]:
        async def first() -> None:
            steps.append("first")
            await gate.through("first")

        async def second() -> None:
            steps.append("second")

        await job.step("first", first)
        await job.step("second", second)
        return {}

    async with at_work(dsn, two, worker={"name": "one"}) as one:
        job = await insert(conn, "t.steps")
        await gate.started("first").wait()
        async with at_work(dsn, two, worker={"name": "two"}) as other:
            await _drain(conn, one)
            assert (await _code(one, "/readyz"), await _code(one, "/livez")) == (503, 200)
            assert await _code(other, "/readyz") == 200
            gate.open("first").set()
            row = await until(conn, job, "completed")
            assert (row["attempts"], row["crashes"], steps) == (0, 0, ["first", "second"])
            assert not one.worker.running
            before = one.worker.started_jobs
            await conn.execute(
                "insert into bellhand.jobs (kind) select 't.steps' from generate_series(1, 40)"
            )
            await eventually(lambda: len(steps) == 82, because="the other does them all")
            assert one.worker.started_jobs == before
            status = one.vitals.status(one.vitals.health())
            assert status.endswith("drained, claims nothing: new kernel")
            await _drain(conn, other)
            last = await insert(conn, "t.steps")
            why = (await conn.fetch("select * from bellhand.why($1)", last))[0]
            assert (why["gate"], why["fix"]) == ("drained", "bellhand undrain one")
            assert "one (new kernel), two (new kernel)" in why["detail"]
            await _undrain(conn, one)
            await until(conn, last, "completed")
            await eventually(lambda: _is(_code(one, "/readyz"), 200))
    told = await conn.fetch("select type, data ->> 'worker' as worker, data ->> 'reason' as reason from bellhand.events where type ~ '^worker_(un)?drained' order by seq")  # fmt: skip
    assert [tuple(row) for row in told] == [
        ("worker_drained", "one", "new kernel"), ("worker_drained", "two", "new kernel"), ("worker_undrained", "one", None),
    ]  # fmt: skip


async def _is(code: Any, wanted: int) -> bool:
    return bool(await code == wanted)


async def test_a_drain_outlives_its_workers_name_and_not_its_process(
    dsn: str, conn: asyncpg.Connection
) -> None:
    @job_kind("t.any")
    async def any_() -> None:
        pass

    async with at_work(dsn, any_, worker={"name": "one"}) as one:
        await _drain(conn, one, None)
        first = one.worker.id
        # Another daemon gave it up, as after a lease of silence: it enters anew.
        await conn.execute("delete from bellhand.workers")
        await eventually(lambda: one.worker.id != first and one.worker.registered.is_set())
        await insert(conn, "t.any")

        async def beat() -> Any:
            return await conn.fetchval("select draining and busy = 0 and drain_asked_at is not null from bellhand.workers where id = $1", one.worker.id)  # fmt: skip

        await eventually(beat, because="it is drained under its new name too")
        assert one.worker.started_jobs == 0
        await _undrain(conn, one)
        await eventually(lambda: one.worker.started_jobs == 1)
        await _drain(conn, one)
    async with at_work(dsn, any_, worker={"name": "one"}) as again:
        assert again.worker.drained is None
        await until(conn, await insert(conn, "t.any"), "completed")


async def test_a_beat_that_misses_the_entry_of_who_has_left_brings_nobody_back(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """Then a clean stop was told as a loss of leases, and its worker entered anew as it ended: somebody the others miss."""

    @job_kind("t.last")
    async def last() -> None:  # who runs something beats often
        await eventually(lambda: daemon.worker.stopping)

    beats = {"lease_seconds": 20.0, "heartbeat_seconds": 0.1}
    with structlog.testing.capture_logs() as said:
        async with at_work(dsn, last, worker=beats) as daemon:
            await until(conn, await insert(conn, "t.last"), "running")
            daemon.heartbeat.beat_now()
            # The goodbye takes its time, so that a beat waits for its commit.
            await conn.execute("""
                create function public.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.6); return new; end $$;
                create trigger slow before insert on bellhand.events for each row when (new.type = 'worker_stopped') execute function public.slow()""")
    assert [line for line in said if line["log_level"] == "error"] == []
    assert await conn.fetch("select name from bellhand.workers") == []


@pytest.mark.parametrize("how", ["drained", "stopped"])
async def test_a_worker_that_claims_nothing_more_keeps_no_slots_of_a_limited_lane(
    dsn: str, conn: asyncpg.Connection, how: str
) -> None:
    gate = Gate()

    @job_kind("t.narrow", lane="narrow")
    async def narrow(args: dict[str, str]) -> None:
        await gate.through(args["name"])

    async with at_work(dsn, narrow, worker={"grace_seconds": 20.0}, **BOTH) as one:
        for name in ("a", "b"):
            await insert(conn, "t.narrow", f'{{"name": "{name}"}}')
            await gate.started(name).wait()
        async with at_work(dsn, narrow, **BOTH):
            waiting = [await insert(conn, "t.narrow", f'{{"name": "{name}"}}') for name in ("c", "d")]  # fmt: skip
            if how == "drained":
                await _drain(conn, one)
            else:
                one.stop()
                await eventually(lambda: one.worker.stopping)
            gate.open("a").set()
            # One of its two slots is free: the other has it, and no more than it.
            async with asyncio.timeout(30):
                await gate.started("c").wait()
            held = "select sum(slots) from bellhand.lane_holds"
            assert await conn.fetchval(held) == 2
            assert not gate.started("d").is_set()
            for name in ("b", "c", "d"):
                gate.open(name).set()
            for job in waiting:
                await until(conn, job, "completed")


async def test_who_is_meant_by_a_name(conn: asyncpg.Connection) -> None:
    desk = Desk(conn)
    first, _ = await desk.worker("w"), await desk.worker("w")
    with pytest.raises(asyncpg.PostgresError, match="2 workers go by the name") as several:
        await conn.execute("select bellhand.drain_worker('w')")
    assert str(first) in str(several.value.detail)  # type: ignore[attr-defined]
    with pytest.raises(asyncpg.PostgresError, match='there is no worker "x"'):
        await conn.execute("select bellhand.drain_worker('x')")
    await conn.execute("select bellhand.drain_worker($1, 'disk')", str(first))
    (beat,) = await desk.beat(first)
    assert beat["drained"] == "disk"
    await conn.execute("select bellhand.undrain_worker($1)", str(first))
    (beat,) = await desk.beat(first)
    assert beat["drained"] is None


async def test_a_worker_is_drained_over_http(dsn: str, conn: asyncpg.Connection) -> None:
    id = await Desk(conn).worker("w1")
    async with whole(dsn) as port:
        code, worker, _ = await port.post("/v1/workers/w1/drain", {"reason": "new disk"})
        assert (code, worker["id"], worker["draining"], worker["drain_reason"]) == (200, str(id), True, "new disk")  # fmt: skip
        assert worker["drain_asked_at"].endswith("Z")
        code, worker, _ = await port.post(f"/v1/workers/{id}/undrain")
        assert (code, worker["draining"], worker["drain_asked_at"]) == (200, False, None)
        assert (await port.post("/v1/workers/w2/drain"))[0] == 404
        await Desk(conn).worker("w1")
        code, said, _ = await port.post("/v1/workers/w1/drain")
        assert (code, said["code"], said["hint"]) == (422, "invalid_value", "Name one by its id.")


def test_workers_are_drained_from_the_command_line(bellhand: Bellhand) -> None:
    bellhand.kind("a", timeout_seconds=3600)
    job = bellhand.running(kind="a")
    (worker,) = bellhand.ok("status", "--json").json["workers"]
    plan = bellhand.ok("drain", worker["name"], "--plan", "--json").json
    assert (plan["running"], plan["others"], plan["jobs"][0]["id"]) == (1, 0, job)
    assert not bellhand.ok("status", "--json").json["workers"][0]["draining"], "a plan changes nothing"  # fmt: skip
    said = bellhand("drain", "--host", worker["host"], "--reason", "new disk", "--until", "0.2s")
    assert (said.code, f"1 still run: {job}" in said.err) == (6, True)
    assert f"bellhand undrain --host {worker['host']}" in said.out
    assert "drained: new disk" in bellhand.ok("status").out
    (found,) = [one for one in bellhand("doctor", "--json").json if "has been drained" in one["what"]]  # fmt: skip
    assert (found["fix"], "new disk" in found["why"]) == (f"bellhand undrain {worker['name']}", True)  # fmt: skip
    bellhand.sql("select bellhand.take_out($1)", job)
    bellhand.sql("select bellhand.finish(array[$1::bigint], 'completed', null)", job)
    assert "nothing runs there" in bellhand.ok("drain", worker["id"], "--until", "5s").out
    assert "claims again" in bellhand.ok("undrain", worker["name"]).out
    assert not bellhand.ok("status", "--json").json["workers"][0]["draining"]
    for words, code in ((("drain", "nobody"), 3), (("drain", "--host", "h9"), 3), (("undrain",), 2), (("drain", "--until", "5m"), 2)):  # fmt: skip
        assert bellhand(*words).code == code, words
