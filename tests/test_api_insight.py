"""What only we have, over HTTP."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from desk import Desk, desk
from ports import Client, make, of, whole
from test_eta import past
from test_failures import ended

__all__ = ["desk"]  # a fixture


@pytest.fixture
async def port(dsn: str, desk: Desk) -> AsyncIterator[Client]:
    async with whole(dsn) as client:
        yield client


async def test_why_and_when(port: Client, desk: Desk) -> None:
    await past(desk, "a", [60.0] * 30)
    await desk.at("")  # the real clock, which the port has
    job = await desk.insert()
    code, said, _ = await port.ask(f"/v1/jobs/{job}/why")
    assert (code, said["state"], said["gates"][0]["gate"]) == (200, "pending", "no_worker")
    assert (await port.ask(f"/v1/jobs/{job}/eta"))[1]["eta"][
        "reason"
    ] == "no live worker handles it"
    await desk.worker()
    code, said, _ = await port.ask(f"/v1/jobs/{job}/eta")
    assert said["eta"]["starts_low"] <= said["eta"]["starts_at"] <= said["eta"]["finishes_at"]
    assert said["eta"]["confidence"] == "fair"
    assert await desk.conn.fetchval("select count(*) from bellhand.eta_predictions") == 1
    assert (await port.ask(f"/v1/jobs/{job}"))[1]["eta"]["basis"] == said["eta"]["basis"]
    assert (await port.ask("/v1/jobs/987/eta"))[0] == 404
    assert (await port.ask("/v1/eta/calibration"))[1] == {"data": []}


async def test_failures(port: Client, desk: Desk) -> None:
    await ended(desk, "fail", {}, {}, {}, error="ValueError: row 7")
    await desk.conn.execute("select bellhand.learn_now()")
    code, said, _ = await port.ask("/v1/failures")
    (group,) = said["data"]
    assert (code, group["message"], group["open"], len(group["trend"])) == (
        200,
        "ValueError: row <n>",
        3,
        24,
    )
    path = f"/v1/failures/{group['fingerprint'][:5]}"
    code, said, _ = await port.ask(path)
    assert (code, said["fingerprint"], said["contrast"]) == (200, group["fingerprint"], [])
    assert [one["error"] for one in said["examples"]] == ["ValueError: row 7"] * 3
    code, said, _ = await port.post(f"{path}/mute", {"reason": "known"})
    assert (code, said["muted"], said["muted_until"]) == (200, True, "forever")
    assert (await port.ask("/v1/failures"))[1] == {"data": []}
    assert len((await port.ask("/v1/failures?muted=true&kind=a"))[1]["data"]) == 1
    assert (await port.post(f"{path}/mute", {"until_deploy": True}))[1]["muted_until"] == "deploy"
    assert (await port.post(f"{path}/mute", {"seconds": 0}))[1]["muted"] is False
    code, said, _ = await port.ask("/v1/failures/zzz")
    assert (code, said["code"]) == (404, "not_found")


async def test_a_bulk_action_is_counted_done_and_undone(port: Client, desk: Desk) -> None:
    jobs = [await desk.insert() for _ in range(3)]
    chosen: dict[str, Any] = {"filter": {"kind": "a"}, "action": "cancel"}
    code, said, _ = await port.post("/v1/jobs:bulk", chosen | {"dry_run": True})
    assert (code, said["jobs"], said["kinds"], said["examples"]) == (200, 3, {"a": 3}, jobs)
    assert said["side_effects"] == {"unknown": 3}
    for expected in (None, 2):
        code, said, _ = await port.post("/v1/jobs:bulk", chosen | {"expected_count": expected})
        assert (code, said["code"]) == (409, "unconfirmed")
        assert "3 jobs match" in said["detail"]
    code, said, headers = await port.post(
        "/v1/jobs:bulk", chosen | {"expected_count": 3, "reason": "no"}
    )
    assert (code, said["jobs"], said["actor"], said["undoable"]) == (202, 3, "http:loopback", True)
    assert said["job_ids"] == jobs
    where = headers["Location"]
    assert (await port.ask(where))[1]["filter"] == {"kind": "a"}
    code, undone, _ = await port.post(f"{where}/undo")
    assert (code, undone["undone"], undone["kept"]) == (200, 3, 0)
    code, problem, _ = await port.post(f"{where}/undo")
    assert (code, problem["code"]) == (409, "wrong_state")
    (listed,) = (await port.ask("/v1/operations"))[1]["data"]
    assert (listed["undone"], listed["undone_by"], listed["undoable"]) == (
        3,
        "http:loopback",
        False,
    )
    assert (await port.ask(f"/v1/operations?before={listed['id']}"))[1] == {"data": []}
    assert {await desk.state(job) for job in jobs} == {"pending"}


async def test_a_bulk_action_names_jobs_by_key_and_states_in_any_words(
    port: Client, desk: Desk
) -> None:
    await desk.at("")
    job = await desk.insert()
    key = str(await desk.conn.fetchval("select key from bellhand.jobs where id = $1", job))
    body = {"filter": {"ids": [key], "states": ["queued"]}, "action": "reprioritize", "priority": 9}
    assert (await port.post("/v1/jobs:bulk", body | {"expected_count": 1}))[0] == 202
    assert await desk.conn.fetchval("select priority from bellhand.jobs where id = $1", job) == 9


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"filter": {"kinds": "a"}, "action": "cancel"}, "#/filter/kinds"),
        ({"filter": {"states": ["pendin"]}, "action": "cancel"}, "#/filter/states"),
        ({"filter": {"kind": "a"}, "action": "erase"}, "#/action"),
        ({"filter": {"kind": "a"}, "action": "cancel", "expected_count": -1}, "#/expected_count"),
        ({"filter": {}, "action": "cancel"}, None),
        ({"filter": {"kind": "a"}, "action": "reprioritize"}, None),
        ({"filter": {"states": ["running"]}, "action": "retry"}, None),
        ({"filter": {"owner": "\0"}, "action": "cancel"}, "#/filter/owner"),
        ({"filter": {"tags": {"a": "\0"}}, "action": "cancel"}, None),
    ],
)
async def test_what_makes_no_sense_is_refused(port: Client, body: Any, pointer: str | None) -> None:
    code, said, _ = await port.post("/v1/jobs:bulk", body | {"dry_run": True})
    assert code == 422, said
    if pointer:
        assert said["errors"][0]["pointer"] == pointer
    else:
        assert said["detail"]


async def test_who_may_do_what(port: Client, desk: Desk) -> None:
    body = json.dumps({"filter": {"kind": "a"}, "action": "cancel", "dry_run": True})
    reader = of(await make(desk.conn, "r", "read")) | {"Content-Type": "application/json"}
    assert await port.status("/v1/failures", headers=reader) == 200
    assert (await port.ask("/v1/jobs:bulk", "POST", reader, data=body))[0] == 403
    job = await desk.insert()
    enqueuer = of(await make(desk.conn, "e", "enqueue"))
    assert await port.status(f"/v1/jobs/{job}/why", headers=enqueuer) == 404, "somebody else's"
    assert await port.status("/v1/failures", headers=enqueuer) == 403
