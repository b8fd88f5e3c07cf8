"""The address of a job by who asks: a page for a browser, JSON for a program, text for a terminal."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from bellhand.callers import digest, new_token
from desk import Desk
from ports import Client, of, whole

TOKEN = "t0k3n-of-the-configuration"
CURL = {"User-Agent": "curl/8.5.0", "Accept": "*/*"}


@pytest.fixture
async def desk(conn: asyncpg.Connection) -> Desk:
    desk = Desk(conn)
    await desk.publish("a")
    return desk


@pytest.fixture
async def port(dsn: str, desk: Desk) -> AsyncIterator[Client]:
    async with whole(dsn, token=SecretStr(TOKEN)) as client:
        yield client


async def test_one_address_is_a_page_json_and_text(port: Client, desk: Desk) -> None:
    payload = {"api_key": "c4n4ry", "site": "\x1b[2J", "note": "password=c4n4ry", "long": "x" * 900}
    job = await desk.insert(
        payload=json.dumps(payload),
        run_at=await desk.conn.fetchval("select now() + interval '1 day'"),
    )
    await desk.conn.execute(
        "insert into bellhand.steps (job, name, position, state, error) values ($1, 'read it', 0, 'failed', $2)",
        job, "Traceback\nValueError: secret=c4n4ry",
    )  # fmt: skip
    path, admin = f"/jobs/{job}", of(TOKEN)
    status, text, headers = await port.ask(path, headers=admin | CURL)
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    lines = text.splitlines()
    assert lines[0] == f"job {job}  a  scheduled"
    assert f"           bellhand run-now {job}" in lines, "why it waits, and what changes that"
    assert "  ! read it  ValueError: secret=***" in lines
    assert "c4n4ry" not in text
    assert "\x1b" not in text
    status, told, _ = await port.ask(path, headers=admin | {"Accept": "application/json"})
    assert (told["id"], told["payload"]["site"]) == (job, payload["site"])
    for accept in ("text/html,application/xhtml+xml,*/*;q=0.8", "*/*"):
        _, _, headers = await port.ask(path, headers=admin | {"Accept": accept})
        assert headers["Content-Type"].startswith("text/html"), accept
    key = await desk.conn.fetchval("select key from bellhand.jobs")
    by_key = await port.ask(f"/jobs/{key}", headers=admin | {"Accept": "text/plain"})
    assert by_key[1].splitlines()[0] == lines[0]
    assert (await port.ask("/jobs/77", headers=admin | CURL))[1]["code"] == "not_found"


async def test_who_only_enqueues_reads_what_is_his_and_sees_no_page(
    port: Client, desk: Desk
) -> None:
    token = new_token()
    await desk.conn.execute(
        "insert into bellhand.tokens (name, digest, scopes) values ('app', $1, '{enqueue}')", digest(token)
    )  # fmt: skip
    mine, other = await desk.insert(source="http:app"), await desk.insert()
    app = of(token)
    assert await port.status(f"/jobs/{mine}", headers=app | CURL) == 200
    assert await port.status(f"/jobs/{other}", headers=app | CURL) == 404
    assert await port.status(f"/jobs/{mine}", headers=app | {"Accept": "text/html"}) == 403
    assert await port.status(f"/jobs/{mine}", headers=CURL) == 401
    status, _, headers = await port.ask(f"/v1/jobs/{mine}", "OPTIONS", of(TOKEN))
    assert (status, headers["Allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH")
    assert await port.status("/v1/jobs", "OPTIONS") == 401
