"""Enqueuing over HTTP: one job, many, once for a key, and refusals that point at what is wrong."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from pydantic import BaseModel, Field

from bellhand import job_kind
from bellhand.kinds import ATTRIBUTE
from bellhand.sql import query
from daemons import at_work
from desk import Desk
from ports import Client, client_of, make, of, whole
from support import eventually


class Greeting(BaseModel, extra="forbid"):
    name: str = Field(min_length=1, max_length=20)
    times: int = Field(default=1, ge=1, le=9)


@job_kind("t.greet", priority=7)
async def greet(args: Greeting) -> dict[str, str]:
    return {"said": f"hello {args.name}"}


@pytest.fixture
async def port(dsn: str, conn: asyncpg.Connection) -> AsyncIterator[Client]:
    """A port on a database that knows t.greet; no worker lives."""
    published = [getattr(greet, ATTRIBUTE).published()]
    await conn.fetch(query("publish_kinds"), json.dumps(published))
    async with whole(dsn) as client:
        yield client


def ada(**more: Any) -> dict[str, Any]:
    return {"kind": "t.greet", "payload": {"name": "Ada"}} | more


async def test_a_job_is_enqueued_and_its_address_told(
    port: Client, conn: asyncpg.Connection
) -> None:
    code, job, headers = await port.post(
        "/v1/jobs",
        ada(owner="u_1", tags={"campaign": "spring", "n": 3}, run_at="2999-01-01T00:00:00+01:00", attempts_max=2,
            timeout_seconds=9, unique_key="k"),
    )  # fmt: skip
    assert code == 202
    assert headers["Location"] == f"/v1/jobs/{job['key']}"
    assert (job["state"], job["priority"], job["source"]) == ("scheduled", 7, "http:loopback")
    assert (job["owner"], job["tags"]) == ("u_1", {"campaign": "spring", "n": 3})
    assert (job["run_at"], job["attempts_max"]) == ("2998-12-31T23:00:00.000000Z", 2)
    assert job["deduplicated"] is False
    assert (await port.ask(headers["Location"]))[1]["payload"] == {"name": "Ada"}
    assert await conn.fetchval("select timeout_seconds from bellhand.jobs") == 9


async def test_a_kind_without_a_live_worker_is_taken_with_a_warning(
    port: Client, conn: asyncpg.Connection
) -> None:
    code, job, _ = await port.post("/v1/jobs", ada())
    assert (code, [one["code"] for one in job["warnings"]]) == (202, ["no_worker"])
    assert "no live worker handles t.greet" in job["warnings"][0]["detail"]
    await Desk(conn).worker(kinds=["t.greet"])
    assert (await port.post("/v1/jobs", ada()))[1]["warnings"] == []
    await port.post("/v1/kinds/t.greet/pause", {"reason": "too hot"})
    (warning,) = (await port.post("/v1/jobs", ada()))[1]["warnings"]
    assert (warning["code"], warning["detail"]) == (
        "kind_paused",
        "kind t.greet is paused: too hot",
    )


async def test_a_unique_key_answers_the_job_that_is_there(port: Client) -> None:
    first = (await port.post("/v1/jobs", ada(unique_key="k")))[1]
    code, again, headers = await port.post("/v1/jobs", ada(unique_key="k", priority=1))
    assert (code, again["id"], again["deduplicated"]) == (200, first["id"], True)
    assert headers["Location"] == f"/v1/jobs/{first['key']}"
    assert again["priority"] == 7


async def test_dependencies_are_named_by_id_or_key(port: Client) -> None:
    first, second = [(await port.post("/v1/jobs", ada()))[1] for _ in range(2)]
    code, job, _ = await port.post("/v1/jobs", ada(depends_on=[first["id"], second["key"]]))
    assert (code, job["state"], job["depends_on"]) == (202, "blocked", [first["id"], second["id"]])
    code, said, _ = await port.post("/v1/jobs", ada(depends_on=[10**9]))
    assert (code, said["code"]) == (422, "unknown_parent")
    assert said["errors"][0]["pointer"] == "#/depends_on"


async def test_a_caller_may_wait_for_the_end(dsn: str) -> None:
    async with at_work(dsn, greet) as daemon, client_of(daemon.status.port) as port:
        code, job, headers = await port.post("/v1/jobs", ada(), Prefer="respond-async, wait=20")
        assert (code, job["state"], job["result"]) == (200, "completed", {"said": "hello Ada"})
        assert headers["Preference-Applied"] == "wait=20"
        assert job["warnings"] == []
        later = ada(run_at="2999-01-01T00:00:00Z")
        code, job, _ = await port.post("/v1/jobs", later, Prefer="wait=1")
        assert (code, job["state"]) == (202, "scheduled")


async def test_a_dry_run_says_what_would_become_of_it_and_stores_nothing(
    port: Client, conn: asyncpg.Connection
) -> None:
    await Desk(conn).worker(kinds=["t.greet"])
    await port.post("/v1/jobs", ada())
    code, quote, headers = await port.post("/v1/jobs?dry_run=true", ada(payload={"name": "Bob"}))
    assert (code, quote["kind"], quote["ahead"], quote["duplicate_of"]) == (200, "t.greet", 1, None)
    assert quote["warnings"] == []
    assert "Location" not in headers
    code, said, _ = await port.post("/v1/jobs?dry_run=true", ada(payload={"name": ""}))
    assert (code, said["errors"][0]["pointer"]) == (422, "#/payload/name")
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 1


# Once


async def test_an_idempotency_key_makes_it_happen_once(
    port: Client, conn: asyncpg.Connection
) -> None:
    answers = [
        await port.post("/v1/jobs", ada(), **{"Idempotency-Key": key})
        for key in ('"8e03978e"', "8e03978e", '"other"')
    ]
    assert [code for code, _, _ in answers] == [202, 202, 202]
    assert answers[0][1]["id"] == answers[1][1]["id"] != answers[2][1]["id"]
    assert ["Idempotency-Replayed" in headers for _, _, headers in answers] == [False, True, False]
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 2


async def test_a_key_that_was_used_for_something_else_is_refused(port: Client) -> None:
    key = {"Idempotency-Key": "k"}
    assert (await port.post("/v1/jobs", ada(), **key))[0] == 202
    for path, body in (("/v1/jobs", ada(priority=3)), ("/v1/jobs/batch", {"jobs": [ada()]})):
        code, said, _ = await port.post(path, body, **key)
        assert (code, said["code"]) == (422, "idempotency_mismatch")


async def test_a_refused_request_may_be_corrected_under_its_key(port: Client) -> None:
    key = {"Idempotency-Key": "k"}
    assert (await port.post("/v1/jobs", ada(kind="t.gret"), **key))[0] == 422
    assert (await port.post("/v1/jobs", ada(), **key))[0] == 202


async def test_two_requests_at_once_with_one_key_are_not_both_done(
    port: Client, dsn: str, conn: asyncpg.Connection
) -> None:
    other = await asyncpg.connect(dsn)
    key = {"Idempotency-Key": "k"}
    async with other.transaction():
        await other.execute("select pg_advisory_xact_lock(hashtextextended('loopback k', 7700))")
        code, said, headers = await port.post("/v1/jobs", ada(), **key)
        assert (code, said["code"], headers["Retry-After"]) == (409, "idempotency_in_progress", "1")
    await other.close()
    answers = await asyncio.gather(*(port.post("/v1/jobs", ada(), **key) for _ in range(8)))
    assert {code for code, _, _ in answers} <= {202, 409}
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 1


async def test_keys_are_each_callers_own_and_forgotten_after_a_day(
    port: Client, conn: asyncpg.Connection
) -> None:
    key = {"Idempotency-Key": "k"}
    token = await make(conn, "app", "enqueue")
    ids = {
        (await port.post("/v1/jobs", ada(), **key))[1]["id"],
        (await port.post("/v1/jobs", ada(), **key, **of(token)))[1]["id"],
    }
    await conn.execute("update bellhand.idempotency set at = at - interval '25 hours'")
    ids.add((await port.post("/v1/jobs", ada(), **key))[1]["id"])
    assert len(ids) == 3
    assert await conn.fetchval("select count(*) from bellhand.idempotency") == 1


async def test_a_request_whose_answer_was_lost_is_sent_again_and_done_once(
    port: Client, conn: asyncpg.Connection
) -> None:
    body = json.dumps(ada())
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", int(port.base.rpartition(":")[2]))
    writer.write((head + body).encode())
    await writer.drain()
    writer.close()

    async def made() -> bool:
        return bool(await conn.fetchval("select count(*) from bellhand.jobs"))

    await eventually(made, because="the request was whole before the connection went")
    code, job, headers = await port.post("/v1/jobs", ada(), **{"Idempotency-Key": "k"})
    assert (code, job["id"], headers["Idempotency-Replayed"]) == (202, 1, "true")
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 1


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "a b", "é", 'a"b'])
async def test_a_key_that_is_none_is_refused(port: Client, key: str) -> None:
    code, said, _ = await port.post("/v1/jobs", ada(), **{"Idempotency-Key": key})
    assert (code, said["code"]) == (400, "bad_idempotency_key")


async def test_a_job_that_is_made_is_told_even_if_it_cannot_be_looked_at(
    port: Client, conn: asyncpg.Connection
) -> None:
    """Else it would be sent, and enqueued, again."""
    await conn.execute("alter view bellhand.all_jobs rename to hidden")
    code, job, headers = await port.post("/v1/jobs", ada())
    assert (code, job["id"], headers["Location"]) == (202, 1, f"/v1/jobs/{job['key']}")
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 1


# Many


async def test_a_batch_is_all_or_nothing_and_keeps_its_order(
    port: Client, conn: asyncpg.Connection
) -> None:
    jobs = [ada(payload={"name": f"n{n}"}, unique_key=f"k{n % 900}") for n in range(1000)]
    code, said, _ = await port.post("/v1/jobs/batch", {"jobs": jobs})
    assert code == 202
    data = said["data"]
    assert [one["deduplicated"] for one in data] == [False] * 900 + [True] * 100
    assert [one["id"] for one in data[900:]] == [one["id"] for one in data[:100]]
    names = await conn.fetch("select id, payload ->> 'name' as name from bellhand.jobs order by id")
    assert [(row["id"], row["name"]) for row in names] == [
        (one["id"], f"n{n}") for n, one in enumerate(data[:900])
    ]
    assert [one["code"] for one in said["warnings"]] == ["no_worker"]
    jobs = [ada(), ada(payload={"name": ""}), ada()]
    code, said, _ = await port.post("/v1/jobs/batch", {"jobs": jobs})
    assert (code, said["code"]) == (422, "invalid_payload")
    assert said["errors"] == [
        {"pointer": "#/jobs/1/payload/name", "detail": "must have at least 1 characters"}
    ]
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 900


async def test_a_batch_may_be_a_job_a_line(port: Client) -> None:
    lines = "\n".join(json.dumps(ada(payload={"name": f"n{n}"})) for n in range(3)) + "\n\n"
    headers = {"Content-Type": "application/x-ndjson"}
    code, said, _ = await port.ask("/v1/jobs/batch", "POST", headers, data=lines)
    assert (code, len(said["data"])) == (202, 3)
    code, said, _ = await port.ask("/v1/jobs/batch", "POST", headers, data=lines + "{")
    assert (code, said["code"]) == (400, "bad_json")
    assert said["detail"].startswith("line 5: ")


async def test_a_batch_has_bounds(port: Client) -> None:
    for jobs in ([], [ada()] * 1001):
        code, said, _ = await port.post("/v1/jobs/batch", {"jobs": jobs})
        assert (code, said["errors"][0]["pointer"]) == (422, "#/jobs")


# What does not fit


@pytest.mark.parametrize(
    ("body", "pointer", "word"),
    [
        ({}, "#/kind", "is missing"),
        ({"kind": "t.greet", "payolad": {}}, "#/payolad", "did you mean 'payload'"),
        ({"kind": "t.greet", "payload": []}, "#/payload", "must be an object"),
        (ada(priority="5"), "#/priority", "integer"),
        (ada(priority=11), "#/priority", "10"),
        (ada(priority=True), "#/priority", "integer"),
        (ada(run_at="tomorrow"), "#/run_at", "RFC 3339"),
        (ada(run_at="2026-01-31T12:00:00"), "#/run_at", "zone"),
        (ada(run_at=5), "#/run_at", "text"),
        (ada(run_at="0001-01-01T00:00:00+14:00"), "#/run_at", "years"),
        (ada(owner="a\0b"), "#/owner", "NUL"),
        (ada(tags={"a": {"b": 1}}), "#/tags/a", ""),
        (ada(tags={"a/b~c": None}), "#/tags/a~1b~0c", ""),
        (ada(unique_key=""), "#/unique_key", "at least 1"),
        (ada(timeout_seconds=0), "#/timeout_seconds", "greater than or equal to 0.001"),
        (ada(depends_policy="x"), "#/depends_policy", "cancel"),
        (ada(payload={}), "#/payload/name", "missing"),
        (ada(payload={"name": "Ada", "tims": 2}), "#/payload/tims", "is unknown; did you mean 'times'?"),
        (ada(payload={"name": "Ada", "times": 99}), "#/payload/times", "at most 9"),
        (ada(payload={"name": 5}), "#/payload/name", "must be string"),
        ([], "#", ""),
        (None, "#", ""),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_pointed_at(
    port: Client, body: Any, pointer: str, word: str
) -> None:
    code, said, headers = await port.post("/v1/jobs", body)
    assert (code, headers["Content-Type"]) == (422, "application/problem+json; charset=utf-8")
    assert said["errors"][0]["pointer"].split("/int")[0].split("/str")[0] == pointer, said
    assert word in said["errors"][0]["detail"], said


async def test_an_unknown_kind_suggests_the_nearest_and_lists_those_there_are(port: Client) -> None:
    code, said, _ = await port.post("/v1/jobs", ada(kind="t.gret"))
    assert (code, said["code"], said["kinds"]) == (422, "unknown_kind", ["t.greet"])
    assert said["errors"][0]["pointer"] == "#/kind"
    assert 'Did you mean "t.greet"?' in said["hint"]


async def test_a_payload_that_is_too_large_is_413(port: Client) -> None:
    body = io.BytesIO(json.dumps(ada(payload={"name": "x" * 2_000_000})).encode())
    headers = {"Content-Type": "application/json"}
    code, said, _ = await port.ask("/v1/jobs", "POST", headers, data=body)
    assert (code, said["code"], said["errors"][0]["pointer"]) == (
        413,
        "payload_too_large",
        "#/payload",
    )


@pytest.mark.parametrize(
    "text",
    ["{", "nan", '{"kind": NaN}', '{"a": 1e999}', "[" * 200_000, '{"kind": "\\ud800"}', "{} {}", '{"a": ' + "9" * 5000 + "}", "\xff"],
)  # fmt: skip
async def test_what_is_no_json_is_400(port: Client, text: str) -> None:
    headers = {"Content-Type": "application/json"}
    data = text.encode("latin-1")
    code, said, _ = await port.ask("/v1/jobs", "POST", headers, data=data)
    assert (code, said["code"]) == (400, "bad_json"), said


async def test_another_sort_of_body_is_415_and_says_what_to_send(port: Client) -> None:
    code, said, _ = await port.ask("/v1/jobs", "POST", data=json.dumps(ada()))
    assert (code, said["code"]) == (415, "unsupported_media_type")
    assert "Content-Type: application/json" in said["hint"]


async def test_nothing_a_column_cannot_hold_is_a_fault_of_ours(port: Client) -> None:
    for payload in (
        {"name": "a\0"},
        {"name": "Ada", "times": 1.5},
        {"name": "Ada", "times": 10**300},
    ):
        code, said, _ = await port.post("/v1/jobs", ada(payload=payload))
        assert (code, said["code"] in ("invalid_value", "invalid_payload")) == (422, True), said


async def test_who_may_only_enqueue_sees_what_he_enqueued(
    port: Client, conn: asyncpg.Connection
) -> None:
    token = of(await make(conn, "app", "enqueue"))
    own = (await port.post("/v1/jobs", ada(unique_key="own"), **token))[1]
    foreign = (await port.post("/v1/jobs", ada(unique_key="foreign")))[1]
    assert await port.status(f"/v1/jobs/{own['id']}", headers=token) == 200
    assert await port.status(f"/v1/jobs/{own['id']}/steps", headers=token) == 200
    for path in ("", "/steps", "/attempts", "/result"):
        assert await port.status(f"/v1/jobs/{foreign['id']}{path}", headers=token) == 404
    assert await port.status(f"/v1/jobs/{foreign['id']}/cancel", "POST", token) == 404
    assert await port.status("/v1/jobs", headers=token) == 403
    # A key that somebody else's job has tells no more than that job's name.
    code, job, _ = await port.post("/v1/jobs", ada(unique_key="foreign"), **token)
    assert (code, job["deduplicated"], "payload" in job) == (200, True, False)
    assert await port.status(f"/v1/jobs/{own['id']}/cancel", "POST", token) == 200
