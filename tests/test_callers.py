"""Who is let in over HTTP and what he may: tokens, scopes, sessions, origins, hosts, budgets, slow clients."""

import asyncio
import json
import socket
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from bellhand import callers
from bellhand.callers import Caller, digest, new_token
from bellhand.look import Look
from guarding import guarded
from ports import Client, make, of, whole
from support import eventually
from test_status import NOWHERE, TOKEN

# Tokens


async def test_each_scope_opens_what_it_says_and_nothing_else(
    dsn: str, conn: asyncpg.Connection
) -> None:
    tokens = {scope: await make(conn, f"t-{scope}", scope) for scope in callers.SCOPES}
    asked = (("/reads", "GET"), ("/enqueues", "POST"), ("/changes", "POST"), ("/rules", "GET"))
    opened = {
        "read": (200, 403, 403, 403), "enqueue": (403, 200, 403, 403),
        "operate": (200, 200, 200, 403), "admin": (200, 200, 200, 200),
    }  # fmt: skip
    async with guarded(dsn, token=SecretStr(TOKEN)) as port:
        for scope, token in tokens.items():
            codes = [await port.status(path, method, of(token)) for path, method in asked]
            assert tuple(codes) == opened[scope], scope
        assert [await port.status(path, method) for path, method in asked] == [401] * 4
        code, said, _ = await port.ask("/rules", headers=of(tokens["operate"]))
        assert (code, said["code"]) == (403, "forbidden")
        assert "t-operate has enqueue, operate, read" in said["detail"]
        assert (await port.ask("/enqueues", "POST", of(tokens["enqueue"])))[1] == "http:t-enqueue"


async def test_two_scopes_together_open_what_each_opens(dsn: str, conn: asyncpg.Connection) -> None:
    token = await make(conn, "both", "read", "enqueue")
    async with guarded(dsn, token=SecretStr(TOKEN)) as port:
        assert await port.status("/reads", headers=of(token)) == 200
        assert await port.status("/enqueues", "POST", of(token)) == 200
        assert await port.status("/changes", "POST", of(token)) == 403


async def test_a_revoked_token_stops_working_within_two_seconds(
    dsn: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callers.FRESH_SECONDS <= 2
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0.2)
    token = await make(conn, "app", "read")
    async with guarded(dsn, token=SecretStr(TOKEN)) as port:
        assert await port.status("/reads", headers=of(token)) == 200
        await conn.execute("select bellhand.revoke_token('app')")

        async def refused() -> bool:
            return await port.status("/reads", headers=of(token)) == 401

        await eventually(refused)
        # The name is free again, and the old token stays out.
        again = await make(conn, "app", "read")
        assert await port.status("/reads", headers=of(again)) == 200
        assert await port.status("/reads", headers=of(token)) == 401
    events = await conn.fetch(
        "select type, data ->> 'token' as name from bellhand.events order by seq"
    )
    assert [tuple(row) for row in events] == [
        ("token_created", "app"), ("token_revoked", "app"), ("token_created", "app"),
    ]  # fmt: skip


async def test_a_token_expires_by_the_clock_of_the_database(
    dsn: str, conn: asyncpg.Connection
) -> None:
    token = await make(conn, "short", "read", seconds=60)
    async with guarded(dsn, token=SecretStr(TOKEN)) as port:
        assert await port.status("/reads", headers=of(token)) == 200
    await conn.execute("update bellhand.tokens set expires_at = now() - interval '1 second'")
    async with guarded(dsn, token=SecretStr(TOKEN)) as port:
        assert await port.status("/reads", headers=of(token)) == 401
    assert await make(conn, "short", "read")


async def test_the_database_holds_no_token_and_notes_the_last_use(
    dsn: str, conn: asyncpg.Connection
) -> None:
    token = await make(conn, "app", "read")
    async with guarded(dsn) as port:
        assert await port.status("/reads", headers=of(token)) == 200
    row = await conn.fetchrow("select t.*, t::text as line from bellhand.tokens t")
    assert token not in row["line"]
    assert (row["digest"], row["last_used_at"] is not None) == (digest(token), True)
    assert token.startswith("bellhand_")
    assert len({new_token() for _ in range(100)}) == 100


@pytest.mark.parametrize("name", ["loopback", "configured", "nobody", "", "a b", "x" * 81, "é"])
async def test_a_token_is_not_named_like_somebody_else(conn: asyncpg.Connection, name: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match="cannot name a token"):
        await make(conn, name, "read")


async def test_without_a_token_this_machine_may_all_but_a_shown_token_counts(
    dsn: str, conn: asyncpg.Connection
) -> None:
    token = await make(conn, "app", "read")
    async with guarded(dsn) as port:
        assert (await port.ask("/rules"))[:2] == (200, "loopback")
        assert (await port.ask("/reads", headers=of(token)))[:2] == (200, "app")
        assert await port.status("/rules", headers=of(token)) == 403
        assert await port.status("/reads", headers=of(new_token())) == 401
        # What came through a proxy did not come from this machine, whatever the address says.
        for name in ("Forwarded", "X-Forwarded-For", "Via"):
            assert await port.status("/reads", headers={name: "10.0.0.1"}) == 401


@pytest.mark.parametrize("name", ["token", "access_token", "api_key", "Token", "authorization"])
async def test_a_token_in_an_address_is_refused_and_not_said_back(name: str) -> None:
    async with guarded(NOWHERE, token=SecretStr(TOKEN)) as port:
        code, said, _ = await port.ask(f"/reads?{name}={TOKEN}")
        assert (code, said["code"]) == (400, "token_in_url")
        assert TOKEN not in json.dumps(said)
        assert await port.status(f"/reads?{name}={TOKEN}", headers=of(TOKEN)) == 400


async def test_wrong_tokens_are_counted_and_soon_refused_unread(
    dsn: str, conn: asyncpg.Connection
) -> None:
    good = await make(conn, "app", "read")
    async with guarded(dsn, token=SecretStr(TOKEN)) as port:
        codes = [await port.status("/reads", headers=of(new_token())) for _ in range(40)]
        assert codes.count(401) < 30
        code, said, headers = await port.ask("/reads", headers=of(good))
        assert (code, said["code"]) == (429, "too_many_requests")
        assert int(headers["Retry-After"]) >= 1


# Sessions


async def login(port: Client, token: str, **form: str) -> tuple[int, Any, Any]:
    return await port.ask("/login", "POST", {"Origin": port.base}, data={"token": token, **form})


async def test_a_browser_logs_in_with_a_token_and_gets_a_cookie_of_its_own(
    dsn: str, conn: asyncpg.Connection
) -> None:
    token = await make(conn, "ann", "operate")
    async with whole(dsn, token=SecretStr(TOKEN)) as port:
        code, _, headers = await login(port, token, next="/jobs?state=failed")
        assert (code, headers["Location"]) == (303, "/jobs?state=failed")
        cookie = headers["Set-Cookie"]
        assert all(
            word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200")
        )
        assert "Secure" not in cookie
        session = cookie.partition(";")[0]
        assert token not in cookie
        with_session = {"Cookie": session}
        assert await port.status("/v1/stats", headers=with_session) == 200
        # It is no token: it opens nothing as a header.
        assert await port.status("/v1/stats", headers=of(session.partition("=")[2])) == 401
        code, _, headers = await port.ask("/logout", "POST", with_session | {"Origin": port.base})
        assert (code, 'bellhand_session=""' in headers["Set-Cookie"]) == (303, True)
        assert await port.status("/v1/stats", headers=with_session) == 401
        assert (
            await conn.fetchval(
                "select count(*) from bellhand.tokens where opened_with is not null"
            )
            == 0
        )


async def test_a_session_ends_with_the_token_it_was_opened_with(
    dsn: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "FRESH_SECONDS", 0.0)
    token = await make(conn, "ann", "read")
    async with whole(dsn, token=SecretStr(TOKEN)) as port:
        own = (await login(port, token))[2]["Set-Cookie"].partition(";")[0]
        configured = (await login(port, TOKEN))[2]["Set-Cookie"].partition(";")[0]
        assert [
            await port.status("/v1/stats", headers={"Cookie": c}) for c in (own, configured)
        ] == [200, 200]
        await conn.execute("select bellhand.revoke_token('ann')")
        assert await port.status("/v1/stats", headers={"Cookie": own}) == 401
    async with whole(dsn, token=SecretStr("another" + TOKEN)) as port:
        assert await port.status("/v1/stats", headers={"Cookie": configured}) == 401


@pytest.mark.parametrize(
    "where", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "/a\nb"]
)
async def test_a_login_leads_to_no_other_site(dsn: str, where: str) -> None:
    async with whole(dsn, token=SecretStr(TOKEN)) as port:
        code, _, headers = await login(port, TOKEN, next=where)
        assert (code, headers["Location"]) == (303, "/")


async def test_a_wrong_token_opens_no_session(dsn: str) -> None:
    async with whole(dsn, token=SecretStr(TOKEN)) as port:
        for wrong in ("", "x", new_token(), "x" * 500):
            code, said, headers = await login(port, wrong)
            assert (code, said["code"], "Set-Cookie" in headers) == (401, "unauthorized", False)


async def test_no_token_and_no_session_is_ever_logged(
    dsn: str,
    conn: asyncpg.Connection,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Through logins, refusals, a failure of ours and a database that is away."""
    token = await make(conn, "ann", "operate")

    async def fails(_request: object) -> None:
        raise RuntimeError("a fault of ours")

    async with whole(dsn, token=SecretStr(TOKEN)) as port:
        session = (await login(port, token))[2]["Set-Cookie"].partition(";")[0].partition("=")[2]
        brought = of(token) | {"Cookie": f"bellhand_session={session}"}
        for path in (
            "/v1/stats",
            "/nothing",
            f"/v1/jobs/{token}",
            f"/v1/stats?token={token}",
            f"/{session}",
        ):
            await port.ask(path, headers=brought)
        monkeypatch.setattr(Look, "fetch", fails)
        assert await port.status("/v1/lanes", headers=of(TOKEN)) == 500
    async with whole(NOWHERE, token=SecretStr(TOKEN)) as port:
        assert await port.status("/v1/lanes", headers=of(TOKEN)) in (500, 503)
    said = "".join(capfd.readouterr())
    assert "request_failed" in said
    for secret in (TOKEN, token, session):
        assert secret not in said


# Browsers of others


async def test_a_page_of_another_origin_changes_nothing(dsn: str, conn: asyncpg.Connection) -> None:
    token = await make(conn, "app", "operate")
    async with guarded(dsn) as port:
        own = port.base
        for headers, code in (
            ({}, 200), ({"Origin": own}, 200), ({"Sec-Fetch-Site": "same-origin"}, 200), ({"Sec-Fetch-Site": "none"}, 200),
            ({"Origin": "https://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Origin": "http://localhost:1"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Origin": own, "Sec-Fetch-Site": "cross-site"}, 403),
            # A token in the header is meant; no page can send it by itself.
            (of(token) | {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 200),
        ):  # fmt: skip
            assert await port.status("/changes", "POST", headers) == code, headers
            assert await port.status("/reads", "GET", headers) == 200, headers


async def test_a_cookie_without_a_sign_of_our_own_page_changes_nothing(
    dsn: str, conn: asyncpg.Connection
) -> None:
    token = await make(conn, "ann", "operate")
    async with whole(dsn, token=SecretStr(TOKEN)) as port:
        cookie = (await login(port, token))[2]["Set-Cookie"].partition(";")[0]
        code, said, _ = await port.ask("/logout", "POST", {"Cookie": cookie})
        assert (code, said["code"]) == (403, "foreign_origin")


async def test_only_hosts_of_ours_are_served_to_who_shows_no_token(dsn: str) -> None:
    async with guarded(dsn, token=SecretStr(TOKEN), hosts=("jobs.example",)) as port:
        for host, code in (
            ("jobs.example", 401), ("JOBS.example:8443", 401), ("localhost", 401), ("evil.example", 421), ("jobs.example.evil", 421),
        ):  # fmt: skip
            assert await port.status("/reads", headers={"Host": host}) == code, host
        assert await port.status("/reads", headers=of(TOKEN) | {"Host": "evil.example"}) == 200


# What takes too much


async def test_every_caller_has_a_budget_and_hears_of_it(
    dsn: str, conn: asyncpg.Connection
) -> None:
    one, other = await make(conn, "one", "read"), await make(conn, "other", "read")
    async with guarded(
        dsn, requests_per_second=0.01, requests_burst=5, token=SecretStr(TOKEN)
    ) as port:
        for left in (4, 3, 2, 1, 0):
            code, _, headers = await port.ask("/reads", headers=of(one))
            assert (code, headers["RateLimit-Policy"]) == (200, '"requests";q=5;w=500')
            assert headers["RateLimit"].startswith(f'"requests";r={left};t=')
        code, said, headers = await port.ask("/reads", headers=of(one))
        assert (code, said["code"]) == (429, "too_many_requests")
        assert 50 < int(headers["Retry-After"]) <= 100
        assert await port.status("/reads", headers=of(other)) == 200


async def test_who_says_nothing_is_hung_up_on(dsn: str) -> None:
    async with guarded(dsn, header_seconds=0.5) as port:
        number = int(port.base.rpartition(":")[2])
        held = [socket.create_connection(("127.0.0.1", number)) for _ in range(3)]
        held[1].sendall(b"GET /reads HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        try:
            for one in held:
                one.settimeout(60)
                assert await asyncio.to_thread(_ends, one)
        finally:
            for one in held:
                one.close()
        # One that has spoken may idle.
        assert await port.status("/reads") == 200
        await asyncio.sleep(1.2)
        assert await port.status("/reads") == 200


def _ends(connection: socket.socket) -> bool:
    try:
        head = connection.recv(100)
        while connection.recv(1000):
            pass
        return head.startswith(b"HTTP/1.1 408 ")
    except ConnectionResetError:
        return True


async def test_a_body_that_drips_is_given_up_with_its_request() -> None:
    async with guarded(NOWHERE) as port:
        number = int(port.base.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", number)
        writer.write(b"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\ndrip")
        async with asyncio.timeout(60):
            head = await reader.readuntil(b"\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 408")


async def test_a_handler_that_takes_too_long_is_stopped() -> None:
    async with guarded(NOWHERE) as port:
        code, said, _ = await port.ask("/slow")
        assert (code, said["code"]) == (503, "database_away")


async def test_bodies_are_bounded(dsn: str) -> None:
    async with guarded(dsn, body_bytes_max=2000) as port:
        code, said, _ = await port.ask("/changes", "POST", data=b"x" * 2001)
        assert (code, said["code"]) == (413, "body_too_large")


def test_a_caller_sees_all_or_what_he_made() -> None:
    app = Caller("app", callers.SCOPES["enqueue"])
    assert [app.sees(source) for source in ("http:app", "http:other", "sql", None)] == [
        True,
        False,
        False,
        False,
    ]
    assert callers.LOOPBACK.sees("sql")


async def test_what_is_no_request_is_refused_and_fills_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with guarded(NOWHERE) as port:
        number = int(port.base.rpartition(":")[2])
        for raw in (
            b"\x16\x03\x01\x02\x00",
            b"GET  / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nA b: c\r\n\r\n",
            b"\0" * 100 + b"\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", number)
            writer.write(raw)
            async with asyncio.timeout(60):
                said = await reader.read(100)
            writer.close()
            assert said.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400")), raw
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


async def test_a_redirect_of_a_handler_is_an_answer() -> None:
    async with guarded(NOWHERE) as port:
        code, _, headers = await port.ask("/moved")
        assert (code, headers["Location"]) == (303, "/reads")
