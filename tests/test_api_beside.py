"""A job beside others of its kind, what leads from it to the rest, and the names of requests."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from bellhand.api import listing
from desk import Desk
from ports import Client, whole
from support import eventually
from test_api_jobs import ended


@pytest.fixture
async def desk(conn: asyncpg.Connection) -> Desk:
    desk = Desk(conn)
    await desk.publish("a", "b")
    return desk


@pytest.fixture
async def port(dsn: str, desk: Desk) -> AsyncIterator[Client]:
    async with whole(dsn) as client:
        yield client


async def test_a_job_is_set_beside_those_like_it(port: Client, desk: Desk) -> None:
    others = [await ended(desk, await desk.insert("a"), "completed") for _ in range(12)]
    same = await ended(desk, await desk.insert("a", payload='{"x": 1}'), "failed", "x")
    others += [await ended(desk, await desk.insert("a"), "completed") for _ in range(4)]
    await ended(desk, await desk.insert("b", payload='{"x": 1}'), "completed")
    job = await desk.insert("a", payload='{"x": 1}')
    _, said, _ = await port.ask(f"/v1/jobs/{job}/similar")
    assert (said["kind"], said["run_seconds"], said["longer_than"], said["measured"]) == (
        "a",
        None,
        None,
        None,
    )
    assert [one["id"] for one in said["data"]] == [same, *others[:-10:-1]]
    first = said["data"][0]
    assert (first["same_payload"], first["state"], first["error"]) == (True, "failed", "x")
    assert (await port.ask(first["links"]["self"]))[1]["id"] == same
    await desk.conn.execute(
        "insert into bellhand.run_times (kind, step, samples, mean, deviation, quantiles, since)"
        " values ('a', '', 30, 60, 1, array(select generate_series(40, 80)::float8), now())"
    )
    await desk.worker(kinds=["a"])
    await desk.claim(next(iter(desk.positions)), 1)
    await desk.conn.execute(
        "update bellhand.leases set claimed_at = now() - interval '70.5 seconds'"
    )
    _, said, _ = await port.ask(f"/v1/jobs/{job}/similar")
    assert 70 < said["run_seconds"] < 79
    assert said["longer_than"] == pytest.approx(31 / 41, abs=0.2)
    assert {n: said["measured"][n] for n in ("p05", "p50", "p95", "samples")} == {
        "p05": 42,
        "p50": 60,
        "p95": 78,
        "samples": 30,
    }
    code, problem, _ = await port.ask("/v1/jobs/999/similar")
    assert (code, problem["code"]) == (404, "not_found")


async def test_a_job_leads_to_what_there_is_of_it(port: Client, desk: Desk) -> None:
    job = await desk.insert("a")
    links = (await port.ask(f"/v1/jobs/{job}"))[1]["links"]
    assert links.keys() == {"self", "events", "logs", "page"}
    for place in links.values():
        assert await port.status(place) == 200


async def test_a_request_has_a_name_that_its_answer_and_its_problem_bear(port: Client) -> None:
    _, _, headers = await port.ask("/v1/jobs", headers={"X-Request-ID": "web-17.a:b"})
    assert headers["X-Request-ID"] == "web-17.a:b"
    code, problem, headers = await port.ask("/v1/none", headers={"X-Request-ID": "a\tb" * 50})
    assert code == 404
    assert problem["request_id"] == headers["X-Request-ID"]
    assert headers["X-Request-ID"].startswith("req_")
    _, again, _ = await port.ask("/v1/none")
    assert again["request_id"] != problem["request_id"]
    assert json.dumps(problem).count("request_id") == 1


async def test_about_how_many_fit_is_told_where_it_is_asked_for(
    port: Client, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.conn.execute(
        "insert into bellhand.jobs (kind, owner) select 'a', case when g % 4 = 0 then 'ann' end from generate_series(1, 400) g"
    )
    for _ in range(3):
        await ended(desk, await desk.insert("b"), "failed")
    assert "count" not in (await port.ask("/v1/jobs"))[1]
    for question, exactly in (
        ("", 403),
        ("owner=ann", 100),
        ("state=failed", 3),
        ("kind=b", 3),
        ("state=running", 0),
    ):
        _, page, _ = await port.ask(f"/v1/jobs?limit=1&count=estimated&{question}")
        assert page["count"] == {"estimated": exactly, "exact": True}, question
    monkeypatch.setattr(listing, "WALK", 40)

    async def about() -> bool:
        _, page, _ = await port.ask("/v1/jobs?limit=1&count=estimated")
        if page["count"] != {"estimated": 403, "exact": False}:
            return False
        _, page, _ = await port.ask("/v1/jobs?limit=1&count=estimated&owner=ann")
        assert not page["count"]["exact"]
        return bool(90 <= page["count"]["estimated"] <= 110)

    await eventually(about)  # Postgres counts with a delay


async def test_a_place_in_a_lane_is_told_with_how_many_wait_there(port: Client, desk: Desk) -> None:
    await desk.publish("b", lane="slow")
    jobs = [await desk.insert("a") for _ in range(3)]
    other = await desk.insert("b")
    places = {job["id"]: job["position"] for job in (await port.ask("/v1/jobs"))[1]["data"]}
    told = {job: (place["ahead"], place["queue_length"]) for job, place in places.items()}
    assert told == {jobs[0]: (0, 3), jobs[1]: (1, 3), jobs[2]: (2, 3), other: (0, 1)}
    await desk.conn.execute(
        "insert into bellhand.jobs (kind) select 'a' from generate_series(1, 997)"
    )
    assert (await port.ask(f"/v1/jobs/{jobs[0]}"))[1]["position"]["queue_length"] == 1000
    last = await desk.insert("a")
    for job, ahead in ((jobs[2], 2), (last, 1000)):
        position = (await port.ask(f"/v1/jobs/{job}"))[1]["position"]
        assert (position["ahead"], position["queue_length"]) == (ahead, "1000+")
