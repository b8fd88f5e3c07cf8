"""Many jobs at once: counted first, told together, taken back where nothing else has touched them."""

import json
from typing import Any

import asyncpg
import pytest

from bellhand.sql import query
from desk import Desk, desk

__all__ = ["desk"]  # a fixture

NOON = "2026-03-01 12:00+00"
FAILED_STEP = "insert into bellhand.steps (job, name, position, state, for_good) values ($1, 'a', 0, 'failed', true)"


async def preview(desk: Desk, chosen: dict[str, Any], action: str, **more: Any) -> asyncpg.Record:
    (row,) = await desk.conn.fetch(
        query("bulk_preview"), json.dumps(chosen), action, json.dumps(more)
    )
    return row


async def act(desk: Desk, chosen: dict[str, Any], action: str, n: int, **more: Any) -> int:
    (row,) = await desk.conn.fetch(
        query("bulk_act"), json.dumps(chosen), action, n, "a test", json.dumps(more), "ann"
    )
    assert row["jobs"] == n
    return int(row["operation"])


async def undo(desk: Desk, operation: int) -> tuple[int, int]:
    (row,) = await desk.conn.fetch(query("undo"), operation, "ann")
    return row["undone"], row["kept"]


async def failed(desk: Desk, n: int, **columns: Any) -> list[int]:
    """Jobs that a worker has run and that failed."""
    jobs = [await desk.insert(**columns) for _ in range(n)]
    worker = await desk.worker()
    for row in await desk.claim(worker, room=n):
        await desk.end(row, "fail", error="ValueError: no")
    return jobs


async def whole(desk: Desk, table: str) -> list[dict[str, Any]]:
    return [
        dict(row) for row in await desk.conn.fetch(f"select * from bellhand.{table} order by 1")
    ]


async def test_a_retry_of_many_is_counted_first_and_begins_only_after_the_hold(desk: Desk) -> None:
    await desk.at(NOON)
    jobs = await failed(desk, 3)
    seen = await preview(desk, {"kind": "a"}, "retry")
    assert (seen["jobs"], seen["more"], json.loads(seen["kinds"])) == (3, False, {"a": 3})
    assert (json.loads(seen["states"]), seen["examples"]) == ({"failed": 3}, jobs)
    assert json.loads(seen["side_effects"]) == {"unknown": 3}
    await desk.publish("a", side_effects="external")
    assert json.loads((await preview(desk, {"kind": "a"}, "retry"))["side_effects"]) == {"external": 3}  # fmt: skip
    assert seen["undo_seconds"] == 10
    with pytest.raises(asyncpg.PostgresError, match="3 jobs match, not 2") as refused:
        await act(desk, {"kind": "a"}, "retry", 2)
    assert refused.value.sqlstate == "BH013"
    for job in jobs:
        await desk.conn.execute(FAILED_STEP, job)
    await act(desk, {"kind": "a"}, "retry", 3)
    for_good = "select count(*) from bellhand.steps where for_good"
    assert await desk.conn.fetchval(for_good) == 0, "somebody asked, so everything is tried again"
    assert [await desk.state(job) for job in jobs] == ["scheduled"] * 3
    worker = await desk.worker()
    assert await desk.ids(worker) == []
    await desk.at("2026-03-01 12:00:11+00")
    assert await desk.promote() == 3
    assert await desk.ids(worker) == jobs


async def test_a_retry_is_undone_as_if_it_had_never_been(desk: Desk) -> None:
    await desk.at(NOON)
    await failed(desk, 3, payload='{"n": 1}', owner="me", tags='{"x": 1}')
    before = await whole(desk, "history")
    operation = await act(desk, {"kind": "a"}, "retry", 3)
    assert await undo(desk, operation) == (3, 0)
    assert await whole(desk, "history") == before
    assert await whole(desk, "jobs") == []
    assert await whole(desk, "scheduled") == []
    with pytest.raises(asyncpg.PostgresError, match="cannot be undone"):
        await undo(desk, operation)
    told = await desk.conn.fetch(
        "select type, data ->> 'reason' as reason, actor from bellhand.events where type like 'bulk%' order by seq"
    )
    assert [tuple(row) for row in told] == [
        ("bulk_retry", "a test", "ann"), ("bulk_undone", None, "ann"),
    ]  # fmt: skip


async def test_what_was_touched_since_is_left_alone(desk: Desk) -> None:
    await desk.at(NOON)
    first, second, third = await failed(desk, 3)
    operation = await act(desk, {"states": ["failed"]}, "retry", 3)
    await desk.conn.execute("select bellhand.run_now($1)", first)
    await desk.conn.execute("select bellhand.cancel($1)", second)
    assert await undo(desk, operation) == (1, 2)
    assert [await desk.state(job) for job in (first, second, third)] == [
        "pending", "cancelled", "failed",
    ]  # fmt: skip


async def test_the_window_of_an_undo_ends(desk: Desk) -> None:
    await desk.at(NOON)
    await failed(desk, 1)
    operation = await act(desk, {"kind": "a"}, "retry", 1)
    await desk.at("2026-03-01 12:00:11+00")
    with pytest.raises(asyncpg.PostgresError, match="cannot be undone"):
        await undo(desk, operation)
    with pytest.raises(asyncpg.PostgresError, match="there is no operation"):
        await undo(desk, 999)


async def test_a_retry_leaves_alone_what_cannot_run_again(desk: Desk) -> None:
    old = (await failed(desk, 1, unique_key="k"))[0]
    new = (await failed(desk, 1, unique_key="k"))[0]
    taken = (await failed(desk, 1, unique_key="taken"))[0]
    await desk.insert(unique_key="taken")
    with pytest.raises(AssertionError):
        await act(desk, {"kind": "a"}, "retry", 3)
    assert {job: await desk.state(job) for job in (old, new, taken)} == {
        old: "failed", new: "scheduled", taken: "failed",
    }  # fmt: skip


@pytest.mark.parametrize("state", ["pending", "scheduled", "paused", "blocked", "retrying"])
async def test_a_cancel_is_undone_to_where_the_job_stood(desk: Desk, state: str) -> None:
    await desk.at(NOON)
    parent = await desk.insert()
    worker = await desk.worker()
    (held,) = await desk.claim(worker)
    assert held["id"] == parent
    columns: dict[str, Any] = {
        "scheduled": {"run_at": None},
        "blocked": {"depends_on": [parent]},
    }.get(state, {})
    if state == "scheduled":
        columns["run_at"] = await desk.conn.fetchval("select bellhand.now() + interval '1 hour'")
    job = await desk.insert(**columns)
    if state == "paused":
        await desk.conn.execute("select bellhand.pause($1)", job)
    if state == "retrying":
        (row,) = await desk.claim(worker)
        await desk.end(row, "retry", wait=60, error="it broke")
    before = dict(await desk.conn.fetchrow("select * from bellhand.jobs where id = $1", job))
    assert await desk.state(job) == state
    operation = await act(desk, {"ids": [job]}, "cancel", 1)
    assert await desk.state(job) == "cancelled"
    assert await undo(desk, operation) == (1, 0)
    after = dict(await desk.conn.fetchrow("select * from bellhand.jobs where id = $1", job))
    assert after.pop("epoch") > before.pop("epoch")
    if state != "blocked":
        before["depends_on"] = None
    assert after == before
    assert await desk.state(job) == state


async def test_a_parent_that_was_cancelled_stays_so(desk: Desk) -> None:
    parent = await desk.insert()
    child = await desk.insert(depends_on=[parent])
    assert (await preview(desk, {"ids": [parent]}, "cancel"))["dependents"] == 1
    operation = await act(desk, {"ids": [parent]}, "cancel", 1)
    assert await desk.state(child) == "cancelled"
    assert await undo(desk, operation) == (0, 1)


async def test_what_runs_is_reached_only_by_who_names_it(desk: Desk) -> None:
    await desk.worker()
    running, waiting = await desk.insert(), await desk.insert()
    worker = await desk.worker()
    (row,) = await desk.claim(worker, room=1)
    assert row["id"] == running
    assert (await preview(desk, {"kind": "a"}, "cancel"))["examples"] == [waiting]
    await act(desk, {"states": ["running"]}, "cancel", 1)
    assert await desk.end(row, "release") == "cancel"
    assert await desk.state(running) == "cancelled"


async def test_pausing_resuming_hurrying_and_ranking_are_undone(desk: Desk) -> None:
    await desk.at(NOON)
    job = await desk.insert()
    later = await desk.insert(
        run_at=await desk.conn.fetchval("select bellhand.now() + interval '1 hour'")
    )
    steps: list[tuple[str, dict[str, Any], str, str]] = [
        ("pause", {}, "paused", "pending"),
        ("reprioritize", {"priority": 9}, "pending", "pending"),
    ]
    for action, more, meanwhile, after in steps:
        operation = await act(desk, {"ids": [job]}, action, 1, **more)
        assert await desk.state(job) == meanwhile
        assert await undo(desk, operation) == (1, 0)
        assert await desk.state(job) == after
    row = await desk.conn.fetchrow("select * from bellhand.jobs where id = $1", job)
    assert row["priority"] == 5
    operation = await act(desk, {"ids": [later]}, "run_now", 1)
    assert await desk.state(later) == "pending"
    assert await undo(desk, operation) == (1, 0)
    assert await desk.state(later) == "scheduled"
    await act(desk, {"ids": [later]}, "pause", 1)
    operation = await act(desk, {"ids": [later]}, "resume", 1)
    assert await desk.state(later) == "scheduled"
    assert await undo(desk, operation) == (1, 0)
    assert await desk.state(later) == "paused"


async def test_another_priority_moves_a_job_in_its_lane(desk: Desk) -> None:
    first, second = await desk.insert(), await desk.insert()
    await act(desk, {"ids": [second]}, "reprioritize", 1, priority=10)
    worker = await desk.worker()
    (row,) = await desk.claim(worker, room=1)
    assert row["id"] == second
    assert await desk.ids(worker) == [first]


REFUSED: list[tuple[Any, str, dict[str, Any], str]] = [
    ({}, "cancel", {}, "names no jobs"),
    ([], "cancel", {}, "names no jobs"),
    ({"kinds": "a"}, "cancel", {}, 'has no "kinds"'),
    ({"kind": "a"}, "delete", {}, '"delete" is no action'),
    ({"kind": "a"}, "reprioritize", {}, "needs a priority"),
    ({"kind": "a"}, "reprioritize", {"priority": 11}, "needs a priority"),
    ({"kind": "a"}, "retry", {"hold_seconds": -1}, "hold_seconds must be"),
    ({"states": ["running"]}, "retry", {}, "a job that is running cannot be told to retry"),
]


@pytest.mark.parametrize(("chosen", "action", "more", "why"), REFUSED)
async def test_a_bulk_action_that_makes_no_sense_is_refused(
    desk: Desk, chosen: Any, action: str, more: dict[str, Any], why: str
) -> None:
    with pytest.raises(asyncpg.PostgresError, match=why) as refused:
        await preview(desk, chosen, action, **more)
    assert refused.value.sqlstate == "BH004"
    assert refused.value.hint
