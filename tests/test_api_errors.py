"""What the text of an error tells: everywhere the same, without what looks like a secret in it, whoever asks."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from bellhand.logs import without_secrets
from desk import Desk
from ports import Client, make, of, whole
from test_security_terminal import SECRETS

TOKEN = "t0k3n-of-the-configuration"
SECRET = "sk-4711-h1dd3n"
ERROR = f"Traceback (most recent call last):\n  File x\nValueError: no such api_key={SECRET}, row 7"


@pytest.fixture
async def desk(conn: asyncpg.Connection) -> Desk:
    found = Desk(conn)
    await found.publish("a", "crm.process_payment")
    return found


@pytest.fixture
async def port(dsn: str, desk: Desk) -> AsyncIterator[Client]:
    async with whole(dsn, token=SecretStr(TOKEN), requests_burst=10_000) as client:
        yield client


async def failed(desk: Desk, kind: str = "a") -> int:
    """A job whose second attempt failed as the first and its step did."""
    job = await desk.insert(kind)
    await desk.conn.execute(
        "insert into bellhand.steps (job, name, position, state, error) values ($1, 's', 1, 'failed', $2)", job, ERROR
    )  # fmt: skip
    await desk.conn.execute(
        "insert into bellhand.events (type, job, kind, actor, data) values ('attempt_failed', $1, 'a', 'w', $2)",
        job, json.dumps({"error": ERROR}),
    )  # fmt: skip
    await desk.conn.execute("select bellhand.take_out($1)", job)
    await desk.conn.execute("select bellhand.finish(array[$1::bigint], 'failed', $2)", job, ERROR)
    return job


async def test_no_route_tells_a_secret_that_an_error_holds(port: Client, desk: Desk) -> None:
    """Every GET of the API and the seeds' own, for an admin and for who may only look."""
    start = (await port.ask("/v1/events", headers=of(TOKEN)))[1]["cursor"]
    jobs = [await failed(desk) for _ in range(3)] + [await failed(desk, "crm.process_payment")]
    await desk.conn.execute("select bellhand.learn_now()")
    group = await desk.conn.fetchval(
        "select fingerprint from bellhand.failure_groups where kind = 'a'"
    )
    await desk.conn.execute(
        "select bellhand.set_channel('shop', 'webhook', 'https://shop.example/')"
    )
    await desk.conn.execute("update bellhand.channels set last_error = $1", ERROR)
    told: dict[str, str] = {}
    tokens = [of(TOKEN), of(await make(desk.conn, "reader", "read"))]
    document = (await port.ask("/openapi.json"))[1]
    places = [path for path, methods in document["paths"].items() if "get" in methods]
    names = {"job": str(jobs[0]), "failure": group, "kind": "a", "channel": "shop"}
    seeds = [
        f"/api/jobs/{jobs[0]}/status", "/api/jobs/queue", "/api/admin/jobs/failed", "/api/jobs/status", "/api/jobs/process",
    ]  # fmt: skip
    for headers in tokens:
        for place in [*places, f"/v1/events?after={start}", *seeds]:
            path = re.sub(r"{(\w+)}", lambda found: names.get(found[1], "default"), place)
            _, said, _ = await port.ask(path, headers=headers)
            assert SECRET not in str(said), path
            told[place] = told.get(place, "") + str(said)
    carriers = {place for place, said in told.items() if "api_key=***" in said}
    assert carriers >= {
        "/v1/jobs", "/v1/jobs/{job}", "/v1/jobs/{job}/steps", "/v1/jobs/{job}/attempts", "/v1/jobs/{job}/similar", "/v1/jobs/{job}/why",
        "/v1/jobs/{job}/result", "/v1/jobs/{job}/events", "/v1/failures", "/v1/failures/{failure}", "/v1/audit", "/v1/channels", f"/v1/events?after={start}",
        f"/api/jobs/{jobs[0]}/status", "/api/admin/jobs/failed",
    }  # fmt: skip


async def test_who_acts_on_a_job_and_who_watches_it_are_told_no_more(
    port: Client, desk: Desk
) -> None:
    """A retry leaves the last error in the job; its stream begins with that, and what an admin asks for with a reason is the whole."""
    job, admin = await failed(desk), of(TOKEN)
    stream = {"Accept": "text/event-stream"} | admin
    code, said, _ = await port.ask(f"/v1/jobs/{job}/events", headers=stream)
    assert (code, SECRET in said, "api_key=***" in said) == (200, False, True)
    code, said, _ = await port.ask(f"/v1/jobs/{job}/retry", "POST", admin)
    assert code == 200
    tag = (await port.ask(f"/v1/jobs/{job}", headers=admin))[2]["ETag"]
    change: dict[str, Any] = {"json": {"priority": 9}}
    code, said, _ = await port.ask(f"/v1/jobs/{job}", "PATCH", admin | {"If-Match": tag}, **change)
    assert (code, SECRET in str(said)) == (200, False)
    over = await failed(desk)
    shown = await port.ask(f"/v1/jobs/{over}/reveal", "POST", admin, json={"reason": "ticket 7"})
    assert shown[1]["error"] == ERROR


async def test_what_is_hidden_in_an_error_is_not_found_by_looking_for_it(
    port: Client, desk: Desk
) -> None:
    """Letter by letter it would be: neither the list, nor its count, nor where its next page begins may tell."""
    jobs = [await failed(desk) for _ in range(3)]
    reader, operator = [of(await make(desk.conn, s, s)) for s in ("read", "operate")]
    for name in ("q", "error"):
        for headers, word, found in (
            (reader, "API_KEY=sk-4", 0), (reader, "sk-4711", 0), (reader, "no such API_KEY", 3), (operator, "sk-4711", 3),
        ):  # fmt: skip
            path = f"/v1/jobs?{name}={word}&count=estimated&limit=2"
            _, said, _ = await port.ask(path, headers=headers)
            assert said["count"] == {"estimated": found, "exact": True}, path
            assert [one["id"] for one in said["data"]] == jobs[::-1][: min(2, found)], path
            assert said["has_more"] == (found > 2), path


async def test_postgres_hides_what_is_hidden_in_what_is_shown(desk: Desk) -> None:
    for secret in SECRETS:
        text = f"before {secret} after"
        assert "c4n4ry" not in without_secrets(text)
        hidden = await desk.conn.fetchval("select bellhand.without_secrets($1)", text)
        assert "c4n4ry" not in hidden, secret
        assert hidden.startswith("before ")
    plain = "ValueError: the keyboard at https://x.org/a?b=1 is monkeyed: 12 of 40; passwords were reset"
    assert await desk.conn.fetchval("select bellhand.without_secrets($1)", plain) == plain
