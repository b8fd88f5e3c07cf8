"""What happens to lanes and workers is told by name on the stream of the log, each once, from the rows that the audit log has."""

import asyncio
import re

import aiohttp
import asyncpg

from bellhand import job_kind
from bellhand.event_sorts import EVENTS
from daemons import at_work, insert
from streams import reading
from support import ROOT, eventually


async def test_lanes_and_workers_are_told_of_by_name(dsn: str, conn: asyncpg.Connection) -> None:
    began = asyncio.Event()

    @job_kind("names.slow", lane="slow")
    async def slow() -> None:
        began.set()
        await eventually(lambda: other.worker.stopping)

    async with (
        aiohttp.ClientSession() as session,
        at_work(dsn, slow, worker={"name": "one"}) as daemon,
    ):
        url = f"http://127.0.0.1:{daemon.status.port}/v1/events"
        async with reading(session, url) as reader, reading(session, f"{url}?lane=slow") as lane:
            await conn.execute("select bellhand.pause_lane('slow', 'the cat')")
            await conn.execute("select bellhand.limit_lane('slow', '{\"concurrency\": 3}')")
            await conn.execute("select bellhand.resume_lane('slow')")
            await conn.execute("select bellhand.drain_worker('one', 'new kernel')")
            await conn.execute("select bellhand.undrain_worker('one')")
            async with at_work(dsn, slow, worker={"name": "two"}) as other:
                await eventually(
                    lambda: other.worker.drained is None and daemon.worker.drained is None
                )
                await conn.execute("select bellhand.drain_worker('one')")
                await eventually(lambda: daemon.worker.drained is not None)
                await insert(conn, "names.slow")
                async with asyncio.timeout(60):
                    await began.wait()
            await conn.execute("select bellhand.undrain_worker('one')")
            await conn.execute("insert into bellhand.workers (id, name, host, pid, version, kinds, lanes, capacity, beat) "
                "values (gen_random_uuid(), 'three', 'h', 1, '0', '{}', '{}', 1, bellhand.now() - interval '1 hour')")  # fmt: skip
            daemon.keeper.somebody_is_silent()
            lost = await reader.until("worker.lost")
        assert (lost.data["type"], lost.data["data"]["worker"]) == ("worker_lost", "three")
        names = [(one.event, one.data["data"].get("worker")) for one in reader.said]
        assert names == [
            ("lane.paused", None), ("lane.limited", None), ("lane.resumed", None), ("worker.draining", "one"), ("worker.resumed", "one"),
            ("worker.started", "two"), ("worker.draining", "one"), ("worker.draining", "two"), ("worker.stopped", "two"),
            ("worker.resumed", "one"), ("worker.lost", "three"),
        ]  # fmt: skip
        assert [one.event for one in lane.said] == ["lane.paused", "lane.limited", "lane.resumed"]
        assert lane.said[0].data["data"]["reason"] == "the cat"
        # Whoever heard the first alone comes back for the others, and they are told once.
        async with reading(session, url, last_id=reader.said[0].id) as again:
            await eventually(lambda: len(again.said) == len(names) - 1)
        assert [(one.event, one.data["data"].get("worker")) for one in again.said] == names[1:]


def test_every_sort_of_event_is_told_of_and_none_is_in_vain() -> None:
    """By what SQL writes as the first value of a row of the log."""
    written = {"failed", "cancelled"}  # as finish() is told
    for path in (ROOT / "sql").rglob("*.sql"):
        rows = r"insert into bellhand\.events \(type[^)]*\)\s*(?:values \(|select )(case .*? end|'\w+' \|\| \w+|'\w+')"
        for first in re.findall(rows, path.read_text(), re.DOTALL):
            if first.startswith("'bulk_'"):
                actions = ("cancel", "pause", "resume", "retry", "run_now", "reprioritize")
                written |= {f"bulk_{action}" for action in actions}
            else:
                written |= set(re.findall(r"(?:then|else|^)\s*'(\w+)'", first))
    assert written == set(EVENTS)
