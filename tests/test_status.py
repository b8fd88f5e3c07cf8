"""The status port over real HTTP: what it tells, whom it lets in, what it costs."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp
import asyncpg
import pytest
from pydantic import SecretStr

from bellhand.api.health import Health
from bellhand.api.status import StatusPort
from bellhand.db import Database
from bellhand.errors import Problem
from bellhand.metrics import Metrics
from bellhand.settings import Status
from bellhand.sql import query
from bellhand.surfaces import status_port
from desk import Desk
from support import eventually

TOKEN = "0123456789abcdef-token"
WELL = Health(
    db_up=True, schema_ok=True, listen_up=True, polling=False, draining=False, worker_alive=True,
    lag_seconds=0.2,
)  # fmt: skip
NOWHERE = "postgresql://127.0.0.1:1/nowhere"


class Port:
    """A status port, and requests to it."""

    def __init__(self, served: StatusPort, session: aiohttp.ClientSession) -> None:
        self.served = served
        self.session = session

    async def get(self, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.served.port}{path}"
        async with self.session.get(url, headers=named) as answer:
            return answer.status, await answer.text(), dict(answer.headers)

    async def json(self, path: str, **headers: str) -> Any:
        code, text, _ = await self.get(path, **headers)
        assert code == 200, text
        return json.loads(text)


@asynccontextmanager
async def serving(
    dsn: str, health: Callable[[], Health] = lambda: WELL, **settings: Any
) -> AsyncIterator[Port]:
    database = Database(dsn, connect_seconds=2)
    given = Status(**({"port": 0} | settings))
    served = status_port(given, Metrics({"a": "default"}, version="1"), health, database)
    await served.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Port(served, session)
    finally:
        await served.stop()
        for link in database.links:
            link.drop()


async def publish(conn: asyncpg.Connection) -> None:
    kind = {"name": "a", "lane": "default", "priority": 5, "attempts_max": 3, "timeout_seconds": 9}
    await conn.fetch(query("publish_kinds"), json.dumps([kind]))


async def insert(conn: asyncpg.Connection, **columns: Any) -> asyncpg.Record:
    await publish(conn)
    columns = {"kind": "a"} | columns
    places = ", ".join(f"${i + 1}" for i in range(len(columns)))
    return await conn.fetchrow(
        f"insert into bellhand.jobs ({', '.join(columns)}) values ({places}) returning id, key",
        *columns.values(),
    )


async def test_alive_ready_and_metrics_need_no_database() -> None:
    async with serving(NOWHERE) as port:
        assert (await port.get("/livez"))[:2] == (200, "ok\n")
        assert (await port.get("/readyz"))[:2] == (200, "ok\n")
        code, text, headers = await port.get("/metrics")
        assert code == 200
        assert 'bellhand_build_info{version="1"} 1.0' in text
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert headers["Server"].startswith("bellhand/")
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"db_up": False}, "[-]db away"),
        ({"schema_ok": False}, "[-]schema not checked yet"),
        ({"listen_up": False}, "[-]listen not yet"),
        ({"worker_alive": False}, "[-]worker the claim loop stands still"),
        ({"lag_seconds": 31.0}, "[-]heartbeat 31.0 s ago"),
        ({"draining": True}, "[-]draining yes"),
    ],
)
async def test_not_ready_says_what_is_missing_and_stays_alive(
    change: dict[str, Any], line: str
) -> None:
    async with serving(NOWHERE, lambda: replace(WELL, **change)) as port:
        assert (await port.get("/readyz"))[:2] == (503, "not ready\n")
        code, text, _ = await port.get("/readyz?verbose")
        assert code == 503
        assert line in text.splitlines()
        assert text.splitlines()[-1] == "not ready"
        assert text.count("[-]") == 1
        assert (await port.get("/livez"))[0] == 200


async def test_polling_is_slower_but_ready() -> None:
    async with serving(NOWHERE, lambda: replace(WELL, listen_up=False, polling=True)) as port:
        code, text, _ = await port.get("/readyz?verbose")
        assert code == 200
        assert text.splitlines() == [
            "[+]db ok", "[+]schema ok", "[+]listen polling", "[+]worker ok",
            "[+]heartbeat 0.2 s ago", "[+]draining no", "ready",
        ]  # fmt: skip


async def test_a_job_is_told_by_its_id_and_by_its_key(dsn: str, conn: asyncpg.Connection) -> None:
    made = await insert(conn, payload='{"n": 1}', owner="me", tags='{"x": "y"}')
    async with serving(dsn) as port:
        code, text, headers = await port.get(f"/v1/jobs/{made['id']}")
        job = json.loads(text)
        assert code == 200
        assert headers["Retry-After"] == "1"
        assert (await port.json(f"/v1/jobs/{made['key']}"))["id"] == job["id"]
        assert job["id"] == made["id"]
        assert job["key"] == str(made["key"])
        assert (job["kind"], job["lane"], job["state"], job["payload"]) == (
            "a",
            "default",
            "pending",
            {"n": 1},
        )
        assert (job["owner"], job["tags"], job["attempts_max"]) == ("me", {"x": "y"}, 3)
        assert job["position"]["ahead"] == 0
        assert job["allowed_actions"] == ["cancel", "pause"]


async def test_a_job_that_is_over_says_how_it_went(dsn: str, conn: asyncpg.Connection) -> None:
    made = await insert(conn)
    await conn.execute(
        "select bellhand.take_out($1), bellhand.finish(array[$1::bigint], 'failed', 'it broke')",
        made["id"],
    )
    async with serving(dsn) as port:
        code, text, headers = await port.get(f"/v1/jobs/{made['key']}")
        job = json.loads(text)
        assert (code, job["state"], job["error"]) == (200, "failed", "it broke")
        assert job["finished_at"].endswith("Z")
        assert job["position"] is None
        assert job["allowed_actions"] == ["retry"]
        assert "Retry-After" not in headers


async def test_progress_counts_steps(dsn: str, conn: asyncpg.Connection) -> None:
    made = await insert(conn)
    await conn.execute(
        "insert into bellhand.steps (job, name, position, state) "
        "values ($1, 'x', 1, 'completed'), ($1, 'y', 2, 'failed')",
        made["id"],
    )
    said = json.dumps({"steps_total": 4, "message": "page 3", "counters": {"leads": 80}})
    await conn.execute("update bellhand.jobs set progress = $2 where id = $1", made["id"], said)
    async with serving(dsn) as port:
        progress = (await port.json(f"/v1/jobs/{made['id']}"))["progress"]
    assert progress == {
        "percent": 50.0, "ending": None, "steps_done": 1, "steps_failed": 1, "steps_total": 4, "items_done": None,
        "items_total": None, "stage": None, "step": None, "message": "page 3",
        "counters": {"leads": 80},
    }  # fmt: skip


async def test_what_is_not_there_is_a_problem_with_a_hint(
    dsn: str, conn: asyncpg.Connection
) -> None:
    made = await insert(conn)
    key = str(made["key"])
    other = key[:-1] + ("0" if key[-1] != "0" else "1")
    async with serving(dsn) as port:
        for path, wanted, code in (
            (f"/v1/jobs/{made['id'] + 1}", 404, "not_found"),
            (f"/v1/jobs/{other}", 404, "not_found"),
            ("/v1/jobs/abc", 400, "bad_job_id"),
            ("/v1/jobs/0", 400, "bad_job_id"),
            (f"/v1/jobs/{2**63}", 400, "bad_job_id"),
            ("/v1/jobs/" + "9" * 400, 400, "bad_job_id"),
            ("/v1/jobs/6ba7b810-9dad-11d1-80b4-00c04fd430c8", 400, "bad_job_id"),
            ("/v1/jobs/%00", 400, "bad_job_id"),
            ("/nothing", 404, "not_found"),
        ):
            status_code, text, headers = await port.get(path)
            problem = json.loads(text)
            assert (status_code, problem["status"], problem["code"]) == (wanted, wanted, code), path
            assert headers["Content-Type"].startswith("application/problem+json")
            assert problem["hint"]
        async with port.session.post(f"http://127.0.0.1:{port.served.port}/v1/stats") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_stats_add_up_lanes_workers_and_the_last_hour(
    dsn: str, conn: asyncpg.Connection
) -> None:
    await publish(conn)
    await conn.execute("insert into bellhand.jobs (kind) select 'a' from generate_series(1, 3)")
    await conn.execute(
        "insert into bellhand.jobs (kind, run_at) values ('a', now() + interval '1 day')"
    )
    await Desk(conn).publish("b", lane="other")
    await conn.execute(
        "insert into bellhand.jobs (kind, run_at) select 'b', now() + interval '1 day' from generate_series(1, 2)"
    )
    await conn.execute(
        "insert into bellhand.stats select date_trunc('minute', now()), 'a', o, gen_random_uuid(), "
        "n, 1, 2, '{1}' from (values ('completed', 5), ('fail', 2), ('retry', 4)) x(o, n)"
    )
    await conn.execute(
        "insert into bellhand.workers (id, name, host, pid, version, kinds, lanes, capacity) "
        "values (gen_random_uuid(), 'w', 'h', 1, '0', '{a}', '{}', 8)"
    )
    async with serving(dsn) as port:
        stats = await port.json("/v1/stats")
    assert stats["jobs"] == {"pending": 3, "scheduled": 3, "running": 0, "parked": 0}
    assert [lane["scheduled"] for lane in stats["lanes"]] == [1, 2]
    assert stats["last_hour"] == {"completed": 5, "failed": 2, "retry": 4}
    assert stats["lanes"][0]["last_hour"] == stats["last_hour"]
    assert stats["lanes"][0]["oldest_due_seconds"] >= 0
    assert (stats["workers"][0]["name"], stats["workers"][0]["capacity"]) == ("w", 8)


async def test_a_database_that_is_away_is_503_and_nothing_else_suffers() -> None:
    async with serving(NOWHERE) as port:
        for path in ("/v1/jobs/1", "/v1/stats"):
            code, text, headers = await port.get(path)
            assert (code, json.loads(text)["code"]) == (503, "database_away")
            assert headers["Retry-After"] == "5"
        assert (await port.get("/livez"))[0] == 200
        assert (await port.get("/metrics"))[0] == 200, "a scrape runs no SQL"


async def test_a_question_that_takes_too_long_is_given_up(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with serving(dsn) as port, conn.transaction():
        await conn.execute("lock table bellhand.workers in access exclusive mode")
        async with asyncio.timeout(20):
            code, text, _ = await port.get("/v1/stats")
        assert (code, json.loads(text)["code"]) == (503, "database_away")
        assert (await port.get("/livez"))[0] == 200


async def test_who_goes_away_before_the_answer_is_no_failure_of_ours(
    dsn: str, conn: asyncpg.Connection, capfd: pytest.CaptureFixture[str]
) -> None:
    """With an answer in one piece and with one that would have been a stream."""
    loop, hurried = asyncio.get_running_loop(), struct.pack("ii", 1, 0)
    async with serving(dsn) as port:
        job = (await insert(conn))["id"]
        async with conn.transaction():
            await conn.execute("lock table bellhand.jobs, bellhand.workers in access exclusive mode")  # fmt: skip
            for path, accept in (
                ("/v1/stats", "application/json"),
                (f"/v1/jobs/{job}/events", "text/event-stream"),
            ):
                with socket.socket() as client:
                    client.setblocking(False)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hurried)
                    await loop.sock_connect(client, ("127.0.0.1", port.served.port))
                    asked = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
                    before = await waiting(conn)
                    await loop.sock_sendall(client, asked.encode())
                    await eventually(partial(is_more, conn, before), because=f"{path} asks nothing")
            served = port.served._runner.server.connections
            await eventually(lambda: all(one.transport is None for one in served))
        counted = [f'code="{code}",method="GET",route="{route}"' for route, code in (("/v1/stats", 200), ("/v1/jobs/{job}/events", 499))]  # fmt: skip

        async def over() -> bool:
            text = (await port.get("/metrics"))[1]
            return all(labels in text for labels in counted)

        await eventually(over)
    said = "".join(capfd.readouterr())
    assert not {"request_failed", "no_request"} & set(said.split()), said


async def waiting(conn: asyncpg.Connection) -> int:
    """How many statements wait for a lock; asks what does not stand still within a transaction."""
    return await conn.fetchval("select count(*) from pg_locks join pg_database d on d.oid = database where datname = current_database() and not granted")  # fmt: skip


async def is_more(conn: asyncpg.Connection, than: int) -> bool:
    return await waiting(conn) > than


async def test_a_name_of_somebody_elses_making_is_not_served_on_loopback() -> None:
    async with serving(NOWHERE) as port:
        for host in ("evil.example", "evil.example:7700", "127.0.0.1.evil.example", "10.0.0.1", ""):
            code, text, _ = await port.get("/livez", Host=host)
            assert (code, json.loads(text)["code"]) == (421, "misdirected"), host
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1:7700", "[::1]:7700", "127.1.2.3"):
            assert (await port.get("/livez", Host=host))[0] == 200, host


async def test_the_token_opens_everything_but_probes_are_open_anyway() -> None:
    async with serving(NOWHERE, token=SecretStr(TOKEN)) as port:
        for path in ("/livez", "/readyz"):
            assert (await port.get(path))[0] == 200
        for path in ("/metrics", "/readyz?verbose", "/v1/stats", "/v1/jobs/1", "/nothing"):
            for header in ("", f"Bearer {TOKEN}x", "Bearer", f"Basic {TOKEN}", "Bearer \xff"):
                code, text, headers = await port.get(path, Authorization=header)
                assert (code, json.loads(text)["code"]) == (401, "unauthorized")
                assert headers["WWW-Authenticate"].startswith("Bearer")
        good = f"bearer {TOKEN}"
        assert (await port.get("/metrics", Authorization=good))[0] == 200
        assert (await port.get("/metrics", Authorization=good, Host="bellhand.example"))[0] == 200


async def test_another_address_is_refused_without_a_token_and_served_with_one() -> None:
    open_to_all = Status.model_construct(host="0.0.0.0", port=0, token=None, hosts=())
    with pytest.raises(Problem, match="without a token"):
        status_port(open_to_all, Metrics({}, version="1"), lambda: WELL, Database(NOWHERE))
    async with serving(NOWHERE, host="0.0.0.0", token=SecretStr(TOKEN)) as port:
        assert (await port.get("/livez", Host="bellhand.example"))[0] == 200
        assert (await port.get("/metrics", Host="127.0.0.1"))[0] == 401


async def test_a_port_that_is_taken_is_a_problem_with_a_fix() -> None:
    async with serving(NOWHERE) as port:
        with pytest.raises(Problem) as caught:
            async with serving(NOWHERE, port=port.served.port):
                pass
        assert "port = 0" in caught.value.fix


async def test_large_requests_are_turned_away() -> None:
    async with serving(NOWHERE) as port:
        url = f"http://127.0.0.1:{port.served.port}/livez"
        async with port.session.get(url, data=b"x" * 2000) as answer:
            assert answer.status == 413
        async with port.session.get(url, headers={"X": "y" * 20_000}) as answer:
            assert answer.status in (400, 431)
        assert (await port.get("/livez"))[0] == 200


async def test_too_many_connections_are_turned_away_and_forgotten() -> None:
    async with serving(NOWHERE, connections_max=3) as port:
        held = [socket.create_connection(("127.0.0.1", port.served.port)) for _ in range(3)]
        url = f"http://127.0.0.1:{port.served.port}/livez"

        async def answer() -> int:
            async with aiohttp.request("GET", url, headers={"Connection": "close"}) as said:
                return said.status

        try:
            await eventually(lambda: is_now(answer, 503))
        finally:
            for one in held:
                one.close()
        await eventually(lambda: is_now(answer, 200))


async def is_now(answer: Callable[[], Awaitable[int]], wanted: int) -> bool:
    return await answer() == wanted


async def test_it_stops_while_somebody_holds_a_connection() -> None:
    async with serving(NOWHERE) as port:
        held = socket.create_connection(("127.0.0.1", port.served.port))
        assert (await port.get("/livez"))[0] == 200
        async with asyncio.timeout(20):
            await port.served.stop()
        held.close()
        with pytest.raises(aiohttp.ClientError):
            await port.get("/livez")
