"""Secrets: a daemon that is given canaries and goes through failures must not sing them anywhere."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import ast
import hashlib
import hmac
import json
import signal
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg
import psutil
import pytest
from pydantic import SecretStr

from bellhand.api.health import Health
from bellhand.db import Database
from bellhand.dev.postgres import DevPostgres
from bellhand.metrics import Metrics
from bellhand.settings import Status
from bellhand.surfaces import status_port
from commands import Bellhand, bare, bellhand
from daemons import insert, until
from processes import Fleet, Process, fleet
from support import ROOT, eventually

CANARY = "c4n4ry"
TOKEN = f"{CANARY}-status-token-0123456789"
PAYLOAD = json.dumps({"password": f"{CANARY}-payload"})
KINDS = ("model", "locals", "logs", "web", "hang", "isolated", "dies")


def with_password(dsn: str) -> str:
    """The same over TCP with a password that nobody asks for (the test's server trusts)."""
    parts = urlsplit(dsn)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user or 'postgres'}:{CANARY}-dsn@{host}"))


@pytest.mark.parametrize("format", ["json", "console"])
async def test_a_daemon_in_trouble_tells_no_secret(
    private_server: DevPostgres, private_dsn: str, fleet: Fleet, format: str
) -> None:
    secrets = {
        "BELLHAND_DSN": with_password(private_dsn),
        "BELLHAND_STATUS__TOKEN": TOKEN,
        "PGPASSWORD": f"{CANARY}-env",
        "APP_DATABASE_URL": f"postgresql://me:{CANARY}-app@db/app",
    }
    daemon = fleet.start(
        private_dsn,
        modules=["leaky_handlers"],
        env=secrets,
        log={"format": format, "level": "debug"},
    )
    conn = await asyncpg.connect(private_dsn)
    await eventually(lambda: "ready" in daemon.text)
    heard = await jobs_that_fail(conn)
    heard += await answers_of(daemon.pid)
    await insert(conn, "leak.stays", PAYLOAD)
    children = await eventually(lambda: psutil.Process(daemon.pid).children())
    for process in (psutil.Process(daemon.pid), *children):
        heard += process.cmdline()
    await conn.close()

    bad_values = f'[worker]\nconcurrency = "{CANARY}"'
    for times, bad in enumerate(
        (f'dsn = "postgresql://me:{CANARY}@x" nonsense', bad_values), start=1
    ):
        daemon.config.write_text(bad)
        daemon.tell(signal.SIGHUP)
        await until_said(daemon, "reload_refused", times)
    private_server.stop()
    await until_said(daemon, "database_away", 1)
    private_server.start()
    await until_said(daemon, "claiming", 2)
    daemon.tell(signal.SIGTERM)
    assert await daemon.exit_code() == 0
    for event in (
        "logging_in",
        "cannot_log_in",
        "request headers",
        "handler_ignores_cancel",
        "is away",
    ):
        assert event in daemon.text, "it was to say this, without the secret in it"
    heard.append(daemon.text)
    assert [text for text in heard if CANARY in text] == []


async def until_said(daemon: Process, event: str, times: int) -> None:
    await eventually(lambda: daemon.text.count(event) >= times, because=event)


async def jobs_that_fail(conn: asyncpg.Connection) -> list[str]:
    """Lets every handler fail, and returns what Postgres then has to say, but for the payloads."""
    jobs = {kind: await insert(conn, f"leak.{kind}", PAYLOAD) for kind in KINDS}
    for kind, job in jobs.items():
        await until(conn, job, "completed" if kind in ("logs", "isolated") else "failed")
    rows = [dict(row) for row in await conn.fetch("select * from bellhand.all_jobs")]
    assert [row["result"] for row in rows if row["id"] == jobs["isolated"]] == ["[]"]
    for row in rows:
        assert row.pop("payload") == PAYLOAD
    told = [*rows]
    for table in (
        "bellhand.events",
        "bellhand.workers",
        "bellhand.kinds",
        "bellhand.meta",
        "pg_stat_activity",
    ):
        told += [dict(row) for row in await conn.fetch(f"select * from {table}")]
    return [str(row) for row in told]


async def answers_of(pid: int) -> list[str]:
    """What the status port says to those who may not ask, and to one who may."""
    port = next(x.laddr.port for x in psutil.Process(pid).net_connections() if x.status == "LISTEN")
    right, wrong = f"Bearer {TOKEN}", f"Bearer {CANARY}-wrong-token-0123456789"
    asked = [
        *((path, header, 401) for path in ("/metrics", "/v1/stats", "/v1/jobs/1", "/nothing") for header in ("", wrong)),
        *((path, right, 200) for path in ("/metrics", "/v1/stats", "/readyz?verbose", "/v1/jobs/1", "/v1/jobs/2")),
        *((path, right, 404) for path in ("/nothing", "/v1/jobs/999")),
    ]  # fmt: skip
    heard = []
    async with aiohttp.ClientSession() as session:
        for path, header, status in asked:
            url, headers = f"http://127.0.0.1:{port}{path}", {"Authorization": header}
            async with session.get(url, headers=headers) as answer:
                assert answer.status == status, path
                text = await answer.text()
                heard += [
                    str(dict(answer.headers)),
                    text.replace(json.dumps(json.loads(PAYLOAD)), ""),
                ]
    return heard


async def test_a_token_is_known_from_the_header_alone_and_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing in an address, a cookie or a body opens the port; what is compared are digests of one length."""
    compared: list[tuple[bytes, bytes]] = []
    in_constant_time = hmac.compare_digest

    def noted(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return in_constant_time(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    settings = Status(port=0, token=SecretStr(TOKEN))
    well = Health(True, True, True, False, False, True, 0.0)
    port = status_port(
        settings, Metrics({}, version="1"), lambda: well, Database("postgresql:///none")
    )
    await port.start()
    try:
        async with aiohttp.ClientSession() as session:
            base = f"http://127.0.0.1:{port.port}"
            for path, code in (
                ("/metrics", 401),
                (f"/metrics?token={TOKEN}", 400),
                (f"/metrics?access_token={TOKEN}", 400),
                (f"/{TOKEN}/metrics", 401),
            ):
                cookies = {"token": TOKEN, "bellhand_session": TOKEN}
                headers = {"X-Token": TOKEN, "X-Api-Key": TOKEN}
                async with session.get(base + path, cookies=cookies, headers=headers) as answer:
                    assert answer.status == code, path
                    assert TOKEN not in (await answer.text()).replace(f"/{TOKEN}/", "")
            assert compared == []
            digest = hashlib.sha256(TOKEN.encode()).digest()
            tried = ("", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "x" * 4000, TOKEN)
            for token in tried:
                async with session.get(
                    f"{base}/metrics", headers={"Authorization": f"Bearer {token}"}
                ) as answer:
                    assert answer.status == (200 if token == TOKEN else 401)
            assert [(len(one), other) for one, other in compared] == [(32, digest)] * len(tried)
    finally:
        await port.stop()


def test_the_token_is_compared_nowhere_else() -> None:
    """No == and no `in` with it, which end at the first letter that differs."""
    for module in ("api/status", "api/sessions", "callers", "surfaces"):
        tree = ast.parse((ROOT / f"daemon/bellhand/{module}.py").read_text())
        compares = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Compare)]
        secret = [text for text in compares if "token" in text or "digest" in text]
        # What is looked for among the remembered is a pair of a hash and a flag.
        assert set(secret) <= {"self._digest is not None", "0 < len(token) <= TOKEN_CHARS_MAX"}, (
            module
        )


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:{}@127.0.0.1:1/x",
        "postgresql://me:{}@127.0.0.1:1/x?sslmode=nonsense",
        "postgresql://me@127.0.0.1:1/x?password={}",
        "postgresql://me:{}@x.invalid:5432/x",
        "host=127.0.0.1 password={}",
    ],
)
def test_the_command_line_tells_no_password(
    bare: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    given = dsn.format(CANARY)
    monkeypatch.setenv("BELLHAND_DSN", given)
    program = Bellhand(given, capsys, monkeypatch)
    for words in (
        ("list",),
        ("list", "--json"),
        ("check",),
        ("check", "--print-config"),
        ("env",),
        ("run",),
        ("migrate",),
    ):
        said = program(*words)
        assert said.code in (0, 75, 78) or words == ("run",)
        assert CANARY not in said.out + said.err, words


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:{}/x@127.0.0.1:1/x",
        "postgresql://me:{}#x@127.0.0.1:1/x",
        "postgresql://me:x@{}@127.0.0.1:1/x",
        "postgresql://me:{}@[x]/x",
    ],
)
def test_a_password_that_breaks_the_dsn_is_not_told_in_pieces(
    bare: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    test_the_command_line_tells_no_password(bare, capsys, monkeypatch, dsn)
