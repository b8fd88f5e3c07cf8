"""Telling jobs over HTTP what to do."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from desk import Desk
from ports import Client, whole
from test_api_jobs import ended


@pytest.fixture
async def desk(conn: asyncpg.Connection) -> Desk:
    found = Desk(conn)
    await found.publish("a")
    return found


@pytest.fixture
async def port(dsn: str, desk: Desk) -> AsyncIterator[Client]:
    async with whole(dsn) as client:
        yield client


async def patch(port: Client, job: int, body: Any, **headers: str) -> tuple[int, Any, Any]:
    return await port.ask(f"/v1/jobs/{job}", "PATCH", headers, json=body)


async def test_a_job_is_held_let_go_cancelled_and_run_again(port: Client, desk: Desk) -> None:
    job = await desk.insert("a")
    for action, state in (
        ("pause", "paused"), ("pause", "paused"), ("resume", "pending"), ("resume", "pending"), ("run-now", "pending"),
        ("cancel", "cancelled"), ("cancel", "cancelled"), ("retry", "pending"),
    ):  # fmt: skip
        code, said, _ = await port.post(f"/v1/jobs/{job}/{action}")
        assert (code, said["state"]) == (200, state), action
    code, said, _ = await port.ask(f"/v1/jobs/{job}", "DELETE")
    assert (code, said["state"]) == (200, "cancelled")
    actors = await desk.conn.fetch(
        "select distinct actor from bellhand.events where type <> 'schema'"
    )
    assert [row["actor"] for row in actors] == ["http:loopback"]


async def test_a_running_job_is_asked_to_stop(port: Client, desk: Desk) -> None:
    job, worker = await desk.insert("a"), await desk.worker()
    await desk.claim(worker)
    code, said, _ = await port.post(f"/v1/jobs/{job}/pause")
    assert (code, said["state"], said["stopping"]) == (200, "running", "pause")
    code, said, _ = await port.post(f"/v1/jobs/{job}/resume")
    assert (code, said["state"], said["stopping"]) == (200, "running", None)
    code, said, _ = await port.post(f"/v1/jobs/{job}/cancel", {"reason": "too late"})
    assert (code, said["state"], said["stopping"]) == (200, "running", "cancel")
    data = await desk.conn.fetchval(
        "select data ->> 'reason' from bellhand.events where type = 'cancel_asked'"
    )
    assert data == "too late"


async def test_a_wrong_state_is_409_with_what_is_allowed(port: Client, desk: Desk) -> None:
    done = await ended(desk, await desk.insert("a"), "completed")
    failed = await ended(desk, await desk.insert("a"), "failed", "x")
    pending = await desk.insert("a")
    for job, action, state, allowed in (
        (done, "cancel", "completed", []), (done, "retry", "completed", []), (done, "pause", "completed", []), (done, "run-now", "completed", []),
        (failed, "pause", "failed", ["retry"]), (failed, "resume", "failed", ["retry"]), (pending, "retry", "pending", ["cancel", "pause"]),
    ):  # fmt: skip
        code, said, _ = await port.post(f"/v1/jobs/{job}/{action}")
        assert (code, said["code"]) == (409, "wrong_state"), action
        assert (said["state"], said["allowed_actions"]) == (state, allowed), action
        assert "select" not in said.get("hint", "")
    assert (await port.post("/v1/jobs/999/cancel"))[0] == 404


async def test_a_retry_keeps_steps_or_begins_again(port: Client, desk: Desk) -> None:
    for scope, kept in (("failed_steps", 1), ("all", 0)):
        job = await desk.insert("a")
        await desk.conn.execute(
            "insert into bellhand.steps (job, name, position, state) values ($1, 's', 1, 'completed')",
            job,
        )
        await ended(desk, job, "failed", "x")
        code, said, _ = await port.post(f"/v1/jobs/{job}/retry", {"scope": scope})
        assert (code, said["state"], said["progress"]["steps_done"]) == (
            200,
            "pending",
            kept or None,
        )
    assert (await port.post("/v1/jobs/1/retry", {"scope": "some"}))[0] == 422


# Changing


async def test_what_a_job_says_of_itself_may_be_changed(port: Client, desk: Desk) -> None:
    job = await desk.insert("a", tags='{"keep": "1", "drop": "2"}')
    other = await desk.insert("a")
    code, said, _ = await patch(
        port, job, {"priority": 9, "attempts_max": 8, "tags": {"drop": None, "new": "3"}}
    )
    assert (code, said["priority"], said["attempts_max"]) == (200, 9, 8)
    assert (said["tags"], said["position"]["ahead"]) == ({"keep": "1", "new": "3"}, 0)
    assert (await port.ask(f"/v1/jobs/{other}"))[1]["position"]["ahead"] == 1
    code, said, _ = await patch(port, job, {"run_at": "2999-01-01T00:00:00Z"})
    assert (code, said["state"], said["run_at"]) == (
        200,
        "scheduled",
        "2999-01-01T00:00:00.000000Z",
    )
    code, said, _ = await patch(
        port, job, {"run_at": None, "priority": None, "attempts_max": None, "tags": None}
    )
    assert (code, said["state"], said["priority"], said["attempts_max"], said["tags"]) == (
        200,
        "pending",
        5,
        3,
        {},
    )
    (row,) = await desk.conn.fetch(
        "select count(*) as places from bellhand.queue where id = $1", job
    )
    assert row["places"] == 1
    assert await desk.conn.fetchval("select count(*) from bellhand.scheduled") == 0
    events = await desk.conn.fetch(
        "select data::text from bellhand.events where type = 'changed' order by seq"
    )
    changed = json.loads(events[1][0])
    assert changed["run_at"] == "2999-01-01T00:00:00.000000Z"
    assert changed["was"].keys() == {"run_at"}


async def test_nothing_to_change_changes_nothing(port: Client, desk: Desk) -> None:
    job = await desk.insert("a")
    before = await desk.conn.fetchval("select xmin::text from bellhand.jobs where id = $1", job)
    assert (await patch(port, job, {}))[0] == 200
    assert (
        await desk.conn.fetchval("select xmin::text from bellhand.jobs where id = $1", job)
        == before
    )


async def test_a_change_may_insist_on_what_was_seen(port: Client, desk: Desk) -> None:
    job = await desk.insert("a")
    tag = (await port.ask(f"/v1/jobs/{job}"))[2]["ETag"]
    code, _, headers = await patch(port, job, {"priority": 8}, **{"If-Match": tag})
    assert (code, headers["ETag"] != tag) == (200, True)
    code, said, _ = await patch(port, job, {"priority": 1}, **{"If-Match": tag})
    assert (code, said["code"]) == (412, "precondition_failed")
    assert await desk.conn.fetchval("select priority from bellhand.jobs") == 8


async def test_a_change_that_came_between_is_seen_under_the_lock(desk: Desk) -> None:
    job = await desk.insert("a")
    version = await desk.conn.fetchval("select xmin::text from bellhand.jobs where id = $1", job)
    await desk.conn.execute("select bellhand.change($1, '{\"priority\": 2}')", job)
    with pytest.raises(asyncpg.PostgresError) as caught:
        await desk.conn.execute("select bellhand.change($1, '{\"priority\": 3}', $2)", job, version)
    assert caught.value.sqlstate == "BH012"


async def test_a_running_job_takes_what_counts_later(port: Client, desk: Desk) -> None:
    job, worker = await desk.insert("a"), await desk.worker()
    (claimed,) = await desk.claim(worker)
    code, said, _ = await patch(port, job, {"priority": 10, "tags": {"x": "y"}})
    assert (code, said["state"], said["priority"]) == (200, "running", 10)
    code, said, _ = await patch(port, job, {"run_at": "2999-01-01T00:00:00Z"})
    assert (code, said["code"], said["allowed_actions"]) == (
        409,
        "wrong_state",
        ["cancel", "pause"],
    )
    assert await desk.complete(claimed) == [job]
    code, said, _ = await patch(port, job, {"priority": 1})
    assert (code, said["state"]) == (409, "completed")


async def test_held_and_blocked_jobs_are_changed_where_they_are(port: Client, desk: Desk) -> None:
    parent = await desk.insert("a")
    blocked = await desk.insert("a", depends_on=[parent])
    paused = await desk.insert("a")
    await port.post(f"/v1/jobs/{paused}/pause")
    for job, state in ((blocked, "blocked"), (paused, "paused")):
        code, said, _ = await patch(port, job, {"priority": 2, "run_at": "2999-01-01T00:00:00Z"})
        assert (code, said["state"], said["priority"]) == (200, state, 2)
    assert (await port.post(f"/v1/jobs/{paused}/resume"))[1]["state"] == "scheduled"
