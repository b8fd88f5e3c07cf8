"""When the jobs of a list start and are done: one statement for all of them, which says what it says of each."""

# ruff: noqa: F401, F811 (fixtures are used by name)

from datetime import timedelta

from bellhand.sql import query
from desk import Desk, desk
from test_eta import NINE, eta, past


async def test_many_are_foretold_at_once_as_each_alone(desk: Desk) -> None:
    """One statement for a page of jobs, whatever they wait for; each lane's queue is walked once."""
    for name, lane in (("a", "one"), ("b", "one"), ("c", "two")):
        await desk.lane(lane, concurrency=2)
        await desk.publish(name, lane=lane)
        await past(desk, name, [20.0 + len(lane) + n for n in range(30)], units=4)
    worker = await desk.worker(kinds=["a", "b", "c"])
    jobs = [await desk.insert("abc"[n % 3], priority=1 + n % 10) for n in range(40)]
    await desk.claim(worker)
    jobs += [await desk.insert("a", run_at=NINE + timedelta(minutes=n)) for n in (5, 1)]
    jobs += [await desk.insert("c", depends_on=jobs[-2:]), await desk.insert("b")]
    jobs.append(await desk.insert("b", depends_on=[jobs[-2]]))
    await desk.conn.execute("select bellhand.pause($1)", jobs[-4])
    await desk.at("2030-01-07 09:00:07Z")
    together = {row["job"]: row for row in await desk.conn.fetch(query("eta"), jobs[::-1])}
    assert together.keys() == set(jobs)
    for job in jobs:
        (alone,) = await desk.conn.fetch(query("eta"), [job])
        assert alone == together[job], job
    assert [together[job]["state"] for job in jobs[-5:]] == [
        "scheduled",
        "paused",
        "blocked",
        "pending",
        "blocked",
    ]
    assert "waits for other jobs" in together[jobs[-3]]["reason"]
    places = {
        row["id"]: row["ahead"] for row in await desk.conn.fetch(query("watch_positions"), jobs)
    }
    assert places == {
        job: row["ahead"] for job, row in together.items() if row["ahead"] is not None
    }


async def test_a_job_with_more_parents_than_are_looked_at_says_so(desk: Desk) -> None:
    await past(desk, "a", [60.0] * 30)
    await desk.worker()
    parents = [await desk.insert(run_at=NINE + timedelta(minutes=n)) for n in range(1, 22)]
    child = await desk.insert(depends_on=parents)
    assert "waits for other jobs" in (await eta(desk, child))["reason"]
    few = await desk.insert(depends_on=parents[:20])
    assert (await eta(desk, few))["starts_at"] > 20 * 60
