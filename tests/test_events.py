"""Streams of events over real HTTP from a real daemon: each event once, whatever breaks in between."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import asyncpg
import pytest

from bellhand import Job, job_kind
from bellhand.api import live, stream
from bellhand.api.cursor import Cursor, Snapshot
from bellhand.dev.postgres import DevPostgres
from bellhand.sql import query
from daemons import at_work, insert
from processes import Fleet, fleet
from streams import reading
from support import eventually


@job_kind("slow", lane="slow", attempts_max=2, backoff_base_seconds=0.01)
async def slow(args: dict[str, Any], job: Job) -> dict[str, Any]:
    async def part(n: int) -> int:
        await asyncio.sleep(args.get("seconds", 0.3))
        job.count("parts")
        return n

    await job.each(range(args.get("parts", 3)), part, name=lambda n: f"part {n}")
    if args.get("fails"):
        raise ValueError("it broke")
    return {"secret": "of the result"}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def test_a_stream_tells_of_a_job_from_waiting_to_its_end_and_is_closed_for_good(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    gates = {1: asyncio.Event(), 2: asyncio.Event()}

    @job_kind("gated", lane="slow")
    async def gated(job: Job) -> dict[str, Any]:
        async def part(n: int) -> None:
            await (gates[n].wait() if n in gates else asyncio.sleep(0.05))

        await job.each(range(1, 16), part, name=lambda n: f"part {n}")
        return {"secret": "of the result"}

    async with at_work(dsn, gated) as daemon:
        base = f"http://127.0.0.1:{daemon.status.port}"
        await conn.execute("select bellhand.pause_lane('slow')")
        await eventually(lambda: daemon.worker.positions.paused("slow"))
        job = await insert(conn, "gated")
        url = f"{base}/v1/jobs/{job}/events"
        async with reading(session, url) as reader:
            assert reader.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert reader.headers["X-Accel-Buffering"] == "no"
            first = await reader.until("job.snapshot")
            assert reader.retry_ms == 3000
            assert (first.data["state"], first.data["position"]["ahead"]) == ("pending", 0)
            await conn.execute("select bellhand.resume_lane('slow')")
            await reader.until("job.started")
            for done, gate in gates.items():
                gate.set()
                if done == 1:  # else a stream may have no time to tell of it
                    await reader.first(lambda one: one.data["progress"]["steps_done"] == 1)
            freed = time.monotonic()
            await reader.until("job.completed")
            await reader.end()
        names = reader.names()
        assert names[0] == "job.snapshot"
        assert names.count("job.started") == names.count("job.completed") == 1
        steps = [one.data["progress"]["steps_done"] for one in reader.said]
        assert {1, 15} <= set(steps)
        assert [s for s in steps if s is not None] == sorted(s for s in steps if s is not None)
        assert reader.said[-1].data["result"] == {"secret": "of the result"}
        later = [one.at for one in reader.said if one.event == "job.progress" and one.at > freed]
        assert len(later) <= 4 * (reader.said[-1].at - freed) + 1, "four times a second at most"
        async with reading(session, url, last_id=reader.said[-1].id) as again:
            assert again.status == 204
        async with reading(session, url) as fresh:
            await fresh.end()
            assert fresh.names() == ["job.completed"]
        async with session.get(f"{base}/v1/jobs/{job}") as answer:
            assert fresh.said[0].data == await answer.json()


async def test_what_fails_is_told_with_the_log_between(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    async with at_work(dsn, slow) as daemon:
        job = await insert(conn, "slow", '{"parts": 1, "seconds": 0.4, "fails": true}')
        async with reading(session, f"http://127.0.0.1:{daemon.status.port}/v1/jobs/{job}/events") as reader:  # fmt: skip
            await reader.until("job.failed")
            await reader.end()
        types = [one.data["type"] for one in reader.said if one.event == "event"]
        assert types == ["attempt_failed", "failed"]
        assert "it broke" in reader.said[-1].data["error"]
        assert len({one.id for one in reader.said}) == len(reader.said)


async def test_the_first_update_comes_within_250_ms_of_its_commit(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    """The target on an idle machine; with room for a loaded one."""
    async with at_work(dsn) as daemon:
        await publish(conn)
        delays = []
        for _ in range(5):
            job = await quiet(conn)
            async with reading(session, f"http://127.0.0.1:{daemon.status.port}/v1/jobs/{job}/events") as reader:  # fmt: skip
                await reader.until("job.snapshot")
                await asyncio.sleep(0.05 * len(delays))
                await conn.execute("select bellhand.cancel($1)", job)
                committed = time.monotonic()
                delays.append((await reader.until("job.cancelled")).at - committed)
        assert sorted(delays)[2] < 0.25, delays


async def test_what_commits_late_is_neither_lost_nor_told_twice(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    """Two transactions draw numbers in one order and commit in the other; a reader is away in between."""
    async with at_work(dsn) as daemon:
        await publish(conn)
        early, late, last = [await quiet(conn) for _ in range(3)]
        url = f"http://127.0.0.1:{daemon.status.port}/v1/events"
        other = await asyncpg.connect(dsn, timeout=10)
        try:
            async with reading(session, url) as reader:
                slow = other.transaction()
                await slow.start()
                await other.execute("select bellhand.cancel($1)", late)  # draws the lower number
                await conn.execute("select bellhand.cancel($1)", early)
                first = await reader.first(lambda one: one.data.get("job") == early)
            async with reading(session, url, last_id=first.id) as again:
                await slow.commit()
                second = await again.first(lambda one: one.data.get("job") == late)
                assert second.data["seq"] < first.data["seq"]
                await conn.execute("select bellhand.cancel($1)", last)
                await again.first(lambda one: one.data["job"] == last)
            assert [one.data["job"] for one in again.said] == [late, last]
        finally:
            await other.close(timeout=5)


async def test_a_stream_goes_on_after_an_id_in_its_address_unless_a_header_knows_better(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    """As a browser's tab that takes over from another needs it: an EventSource that is new can send no header."""
    async with at_work(dsn) as daemon:
        await publish(conn)
        first, second, third = [await quiet(conn) for _ in range(3)]
        url = f"http://127.0.0.1:{daemon.status.port}/v1/events"
        async with reading(session, url) as reader:
            for job in (first, second):
                await conn.execute("select bellhand.cancel($1)", job)
                await reader.first(lambda one, job=job: one.data.get("job") == job)
        ids = [one.id for one in reader.said]
        await conn.execute("select bellhand.cancel($1)", third)
        for after, last_id, wanted in ((ids[0], None, [second, third]), (ids[0], ids[1], [third])):
            async with reading(session, f"{url}?after={after}", last_id=last_id) as again:
                await again.first(lambda one: one.data.get("job") == third)
                assert [one.data["job"] for one in again.said] == wanted
        async with reading(session, f"{url}?after=nonsense") as odd:
            await odd.until("reset")


async def test_a_stream_goes_on_at_another_daemon_after_a_kill_without_gap_or_repeat(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession, fleet: Fleet
) -> None:
    """Acceptance A6: kill -9 of the daemon that runs the job and serves the stream; what it missed is told, and nothing twice."""
    first = fleet.start(dsn)
    port = (await first.until("ready"))["status_port"]
    job = await insert(conn, "p.steps", '{"steps": 6, "seconds": 0.3}')
    async with reading(session, f"http://127.0.0.1:{port}/v1/jobs/{job}/events") as before:
        await before.first(lambda one: (one.data.get("progress") or {}).get("steps_done") == 2)
        first.tell(signal.SIGKILL)
        await before.end()
    last = before.said[-1].id
    second = fleet.start(dsn)
    port = (await second.until("ready"))["status_port"]
    await eventually(lambda: fleet.lines("start", job, "s4"), because="it should go on")
    async with reading(session, f"http://127.0.0.1:{port}/v1/jobs/{job}/events", last_id=last) as after:  # fmt: skip
        await after.until("job.completed")
        await after.end()
    said = [*before.said, *after.said]
    logged = [one.data["seq"] for one in said if one.event == "event"]
    kept = await conn.fetch("select seq from bellhand.events where job = $1 order by xid, seq", job)
    assert logged == [row["seq"] for row in kept]
    seen = [one.id for one in said if one.event != "event"]
    assert len(set(seen)) == len(seen)
    assert [one.event for one in said].count("job.completed") == 1
    done = [one.data["progress"]["steps_done"] or 0 for one in said if one.event != "event"]
    assert done == sorted(done)


async def test_a_page_that_was_cut_is_read_to_its_end_and_what_came_since_too(
    dsn: str,
    conn: asyncpg.Connection,
    session: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever event was the last, the next stream tells the rest, once each and in order."""
    monkeypatch.setattr(live, "PAGE_ROWS", 2)
    monkeypatch.setattr(stream, "PAGE_ROWS", 2)
    async with at_work(dsn) as daemon:
        url = f"http://127.0.0.1:{daemon.status.port}/v1/events"
        many = "insert into bellhand.events (type) select 'n' || n from generate_series(%d, %d) n"
        async with reading(session, url) as reader:
            await conn.execute(many % (1, 5))
            await eventually(lambda: len(reader.said) == 5)
        await conn.execute(many % (6, 8))
        for n, one in enumerate(reader.said, start=1):
            async with reading(session, url, last_id=one.id) as again:
                await eventually(lambda left=8 - n: len(again.said) == left, because=f"after {n}")
                assert [said.data["type"] for said in again.said] == [
                    f"n{m}" for m in range(n + 1, 9)
                ]


async def test_a_cursor_that_is_too_old_begins_anew_and_says_so(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    async with at_work(dsn) as daemon:
        await publish(conn)
        base = f"http://127.0.0.1:{daemon.status.port}"
        job, other = await quiet(conn), await quiet(conn)
        async with session.get(f"{base}/v1/events") as answer:
            cursor = (await answer.json())["cursor"]
        await conn.execute("select bellhand.cancel($1)", other)
        async with session.get(f"{base}/v1/events?after={cursor}") as answer:
            told = await answer.json()
            assert [one["type"] for one in told["data"]] == ["cancelled"]
        await conn.execute("update bellhand.events set at = at - interval '100 days'")
        await conn.execute("select bellhand.delete_old(90, 90)")
        async with session.get(f"{base}/v1/events?after={cursor}") as answer:
            assert (answer.status, (await answer.json())["code"]) == (410, "cursor_too_old")
        far = str(Cursor(Snapshot(10**12)))
        for last in (f"{cursor}~scheduled.l.1", far, "nonsense!", "zz_1"):
            async with reading(session, f"{base}/v1/jobs/{job}/events", last_id=last) as reader:
                await reader.until("job.snapshot")
                assert reader.names() == ["reset", "job.snapshot"]
                assert reader.said[0].data["snapshot"].startswith("/v1/jobs/")
        async with session.get(f"{base}/v1/events?after={told['cursor']}") as answer:
            assert (await answer.json())["data"] == []


async def test_one_stream_follows_many_jobs_and_filters_the_log(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    async with at_work(dsn, slow) as daemon:
        await publish(conn)
        base = f"http://127.0.0.1:{daemon.status.port}/v1/events"
        jobs = [await quiet(conn) for _ in range(3)]
        async with (
            reading(session, f"{base}?job={jobs[0]}&job={jobs[1]}") as both,
            reading(session, f"{base}?lane=slow") as lane,
            reading(session, f"{base}?kind=quiet&kind=other") as kind,
        ):
            await eventually(lambda: both.names() == ["job.snapshot"] * 2)
            for job in jobs:
                await conn.execute("select bellhand.cancel($1)", job)
            await conn.execute("select bellhand.pause_lane('slow')")
            await eventually(lambda: len(kind.said) == 3)
            await eventually(lambda: len(both.said) == 6)
            await eventually(lambda: len(lane.said) == 1)
        assert lane.said[0].data["type"] == "lane_paused"
        assert {one.data["job"] for one in both.said if one.event == "event"} == set(jobs[:2])
        assert [one.data["job"] for one in kind.said] == jobs


async def test_nothing_is_asked_while_nobody_watches(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    async with at_work(dsn) as daemon:
        await publish(conn)
        job = await quiet(conn)
        async with reading(session, f"http://127.0.0.1:{daemon.status.port}/v1/jobs/{job}/events") as reader:  # fmt: skip
            await reader.until("job.snapshot")
            running = [task for task in asyncio.all_tasks() if "Watch._run" in repr(task)]
            assert len(running) == 1
        await conn.execute("select bellhand.cancel($1)", job)  # the write that finds out
        await eventually(lambda: running[0].done())


async def test_who_reads_too_slowly_is_let_go_and_comes_back_for_the_rest(
    dsn: str,
    conn: asyncpg.Connection,
    session: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "UNREAD_MAX", 20)
    monkeypatch.setattr(stream, "WRITE_SECONDS_MAX", 0.5)
    async with at_work(dsn) as daemon:
        await publish(conn)
        port = daemon.status.port
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, ("127.0.0.1", port))
        await loop.sock_sendall(deaf, b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")  # fmt: skip
        heard = await loop.sock_recv(deaf, 100)
        assert heard.startswith(b"HTTP/1.1 200")
        big = "insert into bellhand.events (type, data) select 'big', jsonb_build_object('x', repeat(md5(n::text), 30000)) from generate_series(1, 10) n"  # fmt: skip
        dropped: list[Any] = []

        async def gone() -> bool:
            await conn.execute(big)
            dropped[:] = [t for t in asyncio.all_tasks() if "Watch._run" in repr(t)]
            return not dropped

        with deaf:
            await eventually(gone, 60, because="it is still being served")


async def test_so_many_may_watch_and_no_more(dsn: str, session: aiohttp.ClientSession) -> None:
    async with at_work(dsn, status={"port": 0, "connections_max": 3}) as daemon:
        url = f"http://127.0.0.1:{daemon.status.port}/v1/events"
        async with reading(session, url), reading(session, url), reading(session, url) as third:
            assert third.status == 503
            assert third.headers["Retry-After"] == "30"


async def publish(conn: asyncpg.Connection) -> None:
    """A kind that nobody runs."""
    kind = {"name": "quiet", "lane": "default", "priority": 5, "attempts_max": 3, "timeout_seconds": 9}  # fmt: skip
    await conn.fetch(query("publish_kinds"), json.dumps([kind]))


async def quiet(conn: asyncpg.Connection) -> int:
    """A job to which nothing happens by itself."""
    return await insert(conn, "quiet", run_at=datetime(2999, 1, 1, tzinfo=UTC))


async def test_a_stream_outlives_a_restart_of_postgres(
    private_server: DevPostgres, private_dsn: str, session: aiohttp.ClientSession
) -> None:
    async with at_work(private_dsn) as daemon:
        conn = await asyncpg.connect(private_dsn, timeout=10)
        await publish(conn)
        job = await quiet(conn)
        async with reading(session, f"http://127.0.0.1:{daemon.status.port}/v1/jobs/{job}/events") as reader:  # fmt: skip
            await reader.until("job.snapshot")
            await conn.close(timeout=5)
            await asyncio.to_thread(private_server.stop)
            await asyncio.to_thread(private_server.start)
            again = await asyncpg.connect(private_dsn, timeout=10)
            await again.execute("select bellhand.cancel($1)", job)
            await again.close(timeout=5)
            await reader.until("job.cancelled")
            await reader.end()
        assert reader.names() == ["job.snapshot", "event", "job.cancelled"]


async def test_in_a_restored_dump_the_log_is_old_and_no_cursor_holds(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    """Another server counts transactions anew: rows of the log may seem to come from its future."""
    async with at_work(dsn) as daemon:
        await publish(conn)
        job = await quiet(conn)
        base = f"http://127.0.0.1:{daemon.status.port}"
        await conn.execute("select bellhand.cancel($1)", job)
        async with session.get(f"{base}/v1/events") as answer:
            cursor = (await answer.json())["cursor"]
    await conn.execute("update bellhand.events set xid = '1000000000000'")
    await conn.execute("update bellhand.meta set value = '1' where name = 'system_identifier'")
    async with at_work(dsn) as daemon:
        base = f"http://127.0.0.1:{daemon.status.port}"
        async with session.get(f"{base}/v1/events?after={cursor}") as answer:
            assert answer.status == 410
        async with session.get(f"{base}/v1/jobs/{job}/events") as answer:
            assert "cancelled" in [one["type"] for one in (await answer.json())["data"]]
        async with reading(session, f"{base}/v1/events") as reader:
            await conn.execute("select bellhand.pause_lane('default')")
            await reader.until("lane.paused")
        assert [one.data["type"] for one in reader.said] == ["lane_paused"]
