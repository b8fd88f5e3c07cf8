"""Steps and lines of log in a stream of one job: for who asks for them, and for nobody else."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
from typing import Any

import aiohttp
import asyncpg

from bellhand import Job, job_kind
from daemons import at_work, insert
from desk import Desk
from ports import make, of, whole
from streams import Reader, reading
from support import eventually
from test_joblog import logging_on


@job_kind("told", attempts_max=2, backoff_base_seconds=0.01)
async def told(args: dict[str, Any], job: Job) -> int:
    async def part(n: int) -> int:
        job.log.info("at_work", n=n, password="c4n4ry")
        if n == 2 and job.attempt == 1:
            raise ValueError("api_key=c4n4ry is not good")
        return n

    parts = [await job.step(f"part {n}", part, n) for n in range(2)]
    job.log.warning("between")
    await job.step("part 2", part, 2)
    return len(parts)


def data_of(reader: Reader, name: str) -> list[Any]:
    return [one.data for one in reader.said if one.event == name]


async def test_steps_and_lines_are_told_to_who_asks_and_go_on_after_an_id(
    dsn: str, conn: asyncpg.Connection, logging_on: None
) -> None:
    async with at_work(dsn, told) as daemon, aiohttp.ClientSession() as session:
        await conn.execute("select bellhand.pause_lane('default')")
        await eventually(lambda: daemon.worker.positions.paused("default"))
        job = await insert(conn, "told")
        url = f"http://127.0.0.1:{daemon.status.port}/v1/jobs/{job}/events"
        both = f"{url}?include=steps,logs"
        async with reading(session, url) as plain, reading(session, both) as reader:
            await reader.until("job.snapshot")
            await conn.execute("select bellhand.resume_lane('default')")
            await plain.end()
            await reader.end(20)
            async with session.get(f"{url.removesuffix('events')}steps") as answer:
                steps = (await answer.json())["data"]
            async with session.get(f"{url.removesuffix('events')}logs") as answer:
                lines = (await answer.json())["data"]
        assert not {"job.step", "job.log"} & set(plain.names())
        assert data_of(reader, "job.log") == lines
        assert [one["message"] for one in lines].count("at_work") == 4
        assert data_of(reader, "job.step")[-1] == steps[-1]
        ends = [(one["name"], one["state"], one["attempts"]) for one in data_of(reader, "job.step")]
        assert ends[:2] == [("part 0", "completed", 1), ("part 1", "completed", 1)]
        assert ends[-1] == ("part 2", "completed", 2)
        assert len(ends) == len(set(ends)), "each once"
        names = reader.names()
        assert max(n for n, one in enumerate(names) if one == "job.step") < names.index("job.completed")  # fmt: skip
        assert "c4n4ry" not in json.dumps([one.data for one in reader.said])
        assert len({one.id for one in reader.said}) == len(reader.said)
        async with reading(session, both, last_id=reader.said[-1].id) as again:
            assert again.status == 204
        middle = next(one for one in reader.said if one.event == "job.log" and one.data["message"] == "between")  # fmt: skip
        async with reading(session, both, last_id=middle.id) as rest:
            await rest.end()
        seen = reader.said.index(middle)
        after = [one.data for one in reader.said[seen + 1 :] if one.event == "job.log"]
        assert data_of(rest, "job.log") == after
        assert rest.names()[-1] == "job.completed" or "job.completed" in names[:seen]
        async with reading(session, f"{url}?include=logs") as fresh:
            await fresh.end()
            assert sorted(set(fresh.names())) == ["job.completed", "job.log"]
        async with session.get(f"{url}?include=all") as refused:
            assert refused.status == 422


async def test_a_reader_sees_no_secret_in_the_result_of_a_step(
    dsn: str, conn: asyncpg.Connection
) -> None:
    desk = Desk(conn)
    await desk.publish("a")
    job = await desk.insert("a")
    await conn.execute(
        """insert into bellhand.steps (job, name, position, state, result, finished_at)
        select $1, 'step ' || n, n, 'completed', '{"token": "c4n4ry"}', bellhand.now() from generate_series(1, 1203) n""",
        job,
    )
    await conn.execute("select bellhand.take_out($1)", job)
    await conn.execute("select bellhand.finish(array[$1::bigint], 'failed', 'x')", job)
    async with whole(dsn) as port:
        for scope, shown in (("read", "***"), ("operate", "c4n4ry")):
            token = of(await make(conn, scope, scope))
            async with reading(port.session, f"{port.base}/v1/jobs/{job}/events?include=steps", **token) as reader:  # fmt: skip
                await reader.end()
            steps = data_of(reader, "job.step")
            assert [one["position"] for one in steps] == [*range(1, 1204)]
            assert {one["result"]["token"] for one in steps} == {shown}
            assert reader.names()[-1] == "job.failed"
