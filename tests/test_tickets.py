"""What a browser may see with a ticket, what it may not, and which pages of other sites may ask at all."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import asyncpg
import pytest

from bellhand import Job, job_kind
from bellhand.settings import Status
from daemons import at_work, insert, until
from streams import reading

TOKEN = "0123456789abcdef-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SECRETS = ("card-4111", "result-4222", "error-4333", "tag-4444", "owner-4555")


@job_kind("pay", lane="pay")
async def pay(args: dict[str, Any], job: Job) -> dict[str, Any]:
    async def part(n: int) -> None:
        await asyncio.sleep(0.2)

    await job.each(range(args.get("parts", 2)), part, name=lambda n: f"part {n + 1}")
    if args.get("fails"):
        raise ValueError("error-4333")
    return {"is": "result-4222"}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def secretive(conn: asyncpg.Connection, **columns: Any) -> int:
    payload = json.dumps({"card": "card-4111"} | columns.pop("payload", {}))
    given = {"owner": "owner-4555", "tags": '{"t": "tag-4444"}'} | columns
    return await insert(conn, "pay", payload, **given)


async def make(session: aiohttp.ClientSession, base: str, job: int, **more: Any) -> dict[str, Any]:
    async with session.post(
        f"{base}/v1/tickets", json={"job": job} | more, headers=BEARER
    ) as answer:
        assert answer.status == 201, await answer.text()
        made: dict[str, Any] = await answer.json()
        return made


async def test_a_ticket_shows_how_far_a_job_is_and_nothing_of_what_is_in_it(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    """S0-17, S0-18, S0-20 for people without a token."""
    async with at_work(dsn, pay, status={"port": 0, "token": TOKEN}) as daemon:
        base = f"http://127.0.0.1:{daemon.status.port}"
        ran = await secretive(conn)
        broke = await secretive(conn, payload={"fails": True}, attempts_max=1)
        for job, end in ((ran, "completed"), (broke, "failed")):
            made = await make(session, base, job)
            assert re.fullmatch(r"/p/bht_[A-Za-z0-9_-]{43}", made["page"])
            async with reading(session, base + made["events"]) as reader:
                last = await reader.until(f"job.{end}")
                await reader.end()
            assert not last.data["can_cancel"]
            told = json.dumps([one.data for one in reader.said])
            async with session.get(base + made["page"]) as answer:
                assert answer.status == 200
                assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]  # fmt: skip
                told += await answer.text()
            async with session.get(base + made["page"] + "/job") as answer:
                told += await answer.text()
            assert not [secret for secret in SECRETS if secret in told]
        assert made["ticket"] not in str(await conn.fetch("select * from bellhand.tickets"))


async def test_a_page_without_javascript_comes_again_until_the_job_is_over_and_can_cancel(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    async with at_work(dsn, pay, status={"port": 0, "token": TOKEN}) as daemon:
        base = f"http://127.0.0.1:{daemon.status.port}"
        job = await secretive(conn, payload={"parts": 100})
        await until(conn, job, "running")
        looks, cancels = await make(session, base, job), await make(session, base, job, cancel=True)
        async with session.get(base + looks["page"]) as answer:
            page = await answer.text()
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
        assert "<form" not in page
        async with session.post(f"{base}{looks['page']}/cancel") as answer:
            assert answer.status == 403
        async with session.get(base + cancels["page"]) as answer:
            assert f'<form method="post" action="{cancels["page"]}/cancel">' in await answer.text()
        html = {"Accept": "text/html", "Origin": base, "Sec-Fetch-Site": "same-origin"}
        async with session.post(f"{base}{cancels['page']}/cancel", headers=html) as answer:
            assert "Cancelled" in await answer.text() or "Cancelling" in await answer.text()
        await until(conn, job, "cancelled")
        async with session.get(base + cancels["page"]) as answer:
            page = await answer.text()
        assert "http-equiv" not in page
        assert "<form" not in page
        actor = await conn.fetchval("select actor from bellhand.events where job = $1 limit 1", job)
        assert actor == "http:ticket"


async def test_a_ticket_expires_and_opens_nothing_else(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    async with at_work(dsn, pay, status={"port": 0, "token": TOKEN}) as daemon:
        base = f"http://127.0.0.1:{daemon.status.port}"
        later = datetime(2999, 1, 1, tzinfo=UTC)
        job, other = await secretive(conn, run_at=later), await secretive(conn, run_at=later)
        made = await make(session, base, job)
        for path in (f"/v1/jobs/{job}", f"/v1/jobs/{other}/events", "/v1/events", "/v1/jobs"):
            for headers in ({}, {"Authorization": f"Bearer {made['ticket']}"}):
                async with session.get(base + path, headers=headers) as answer:
                    assert answer.status in (401, 404), path
        await conn.execute(
            "update bellhand.tickets set expires_at = bellhand.now() + interval '0.5 s'"
        )
        async with reading(session, base + made["events"]) as reader:
            await reader.until("expired")
            await reader.end()
        for path, status in (("", 410), ("/job", 410), ("/events", 410)):
            async with session.get(base + made["page"] + path) as answer:
                assert answer.status == status
                assert "expired" in await answer.text()
        await conn.execute(
            "update bellhand.tickets set expires_at = expires_at - interval '2 days'"
        )
        await conn.execute("select bellhand.delete_old(90, 90)")
        for ticket in (made["ticket"], "bht_" + "x" * 43, "x"):
            async with session.get(f"{base}/p/{ticket}") as answer:
                assert answer.status == 404


async def test_a_ticket_is_for_a_job_that_the_caller_may_see(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    async with at_work(dsn, pay, status={"port": 0, "token": TOKEN}) as daemon:
        base = f"http://127.0.0.1:{daemon.status.port}"
        job = await secretive(conn, run_at=datetime(2999, 1, 1, tzinfo=UTC))
        for body, status in (
            ({"job": job, "expires_seconds": 1}, 422), ({"job": 999}, 404), ({"job": "x"}, 422),
            ({"jobs": [job]}, 422), ({}, 422),
        ):  # fmt: skip
            async with session.post(f"{base}/v1/tickets", json=body, headers=BEARER) as answer:
                assert answer.status == status, await answer.text()
        async with session.post(f"{base}/v1/tickets", json={"job": job}) as answer:
            assert answer.status == 401


async def test_the_script_is_kept_by_browsers_and_asked_for_anew_by_its_tag(
    dsn: str, session: aiohttp.ClientSession
) -> None:
    async with at_work(dsn, status={"port": 0, "token": TOKEN}) as daemon:
        url = f"http://127.0.0.1:{daemon.status.port}/bellhand.js"
        async with session.get(url) as answer:
            assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
            tag = answer.headers["ETag"]
            assert "export class JobManager" in await answer.text()
        async with session.get(url, headers={"If-None-Match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")


async def test_pages_of_other_sites_may_ask_when_they_are_named_and_not_otherwise(
    dsn: str, conn: asyncpg.Connection, session: aiohttp.ClientSession
) -> None:
    app, other = "https://app.example.com", "https://else.example.com"
    async with at_work(
        dsn, pay, status={"port": 0, "token": TOKEN, "cors_origins": [app]}
    ) as daemon:
        base = f"http://127.0.0.1:{daemon.status.port}"
        job = await secretive(conn, run_at=datetime(2999, 1, 1, tzinfo=UTC))
        made = await make(session, base, job, cancel=True)
        asks = {"Access-Control-Request-Method": "POST"}
        async with session.options(f"{base}/v1/jobs", headers=asks | {"Origin": app}) as answer:
            assert answer.status == 204
            assert answer.headers["Access-Control-Allow-Origin"] == app
            assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
            assert "Access-Control-Allow-Credentials" not in answer.headers
        async with session.options(f"{base}/v1/jobs", headers=asks | {"Origin": other}) as answer:
            assert answer.status != 204
            assert "Access-Control-Allow-Origin" not in answer.headers
        url = f"{base}{made['page']}/cancel"
        foreign = {"Sec-Fetch-Site": "cross-site"}
        async with session.post(url, headers=foreign | {"Origin": other}) as answer:
            assert answer.status == 403
        async with session.post(url, headers=foreign | {"Origin": app}) as answer:
            assert answer.status == 200
            assert answer.headers["Access-Control-Allow-Origin"] == app
            assert (await answer.json())["state"] == "cancelled"


@pytest.mark.parametrize("origin", ["*", "app.example.com", "https://app.example.com/", "null"])
def test_an_origin_is_a_scheme_and_a_host(origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        Status(cors_origins=[origin])
