"""Keys of outside services: a daemon that has them, and is told them back by every answer, shows them to nobody."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import signal
from pathlib import Path

import aiohttp
import asyncpg
import psutil
import pytest
from aiohttp import web
from pydantic import SecretStr

from bellhand.clients.secret import Key, fingerprint, without
from bellhand.settings import load
from daemons import insert
from outside import sections
from processes import Fleet, fleet
from support import eventually
from websites import serving

CANARY = "c4n4ry/+key"  # with what an address would escape
TABLES = (
    "all_jobs",
    "events",
    "steps",
    "services",
    "usage",
    "service_cache",
    "meta",
    "kinds",
    "workers",
)


async def parrot(request: web.Request) -> web.StreamResponse:
    """Says back whatever it was told, key and all, in every way an answer can go wrong."""
    told = f"you said {dict(request.query)} {dict(request.headers)} {request.raw_path}"
    words = request.query.get("q", "") + await request.text()
    headers = {"X-Echo": told.replace("\n", " ")[:2000], "Location": f"https://x.example/?{told}"}
    if "reset" in words:
        assert request.transport is not None
        request.transport.abort()
    if "malformed" in words:
        return web.Response(text='{"error": "' + told, content_type="application/json")
    if "truncated" in words:
        response = web.StreamResponse(headers=headers)
        response.content_length = 100_000
        await response.prepare(request)
        await response.write(told.encode())
        assert request.transport is not None
        request.transport.close()
        return response
    status = next((s for s in (302, 400, 401, 403, 404, 429, 500, 503) if str(s) in words), 400)
    error = {"message": told, "code": told, "type": told, "status": told}
    legacy = {"search_metadata": {"status": "Error"}}
    body = {"error": told, **legacy} if request.method == "GET" else {"error": error}
    return web.json_response(body, status=status, headers=headers)


@pytest.mark.parametrize("format", ["json", "console"])
async def test_a_daemon_shows_no_key_whatever_the_services_say_s0_35(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet, tmp_path: Path, format: str
) -> None:
    """The keys come by the plain names that the seed uses, and by a file."""
    file = tmp_path / "places.key"
    file.write_text(CANARY + "\n")
    async with serving(("/{path:.*}", parrot)) as port:
        settings = sections(port, retries_max=1, breaker_failures=1000, rate_per_second=1000)
        env = {"BELLHAND_SERVICES__ALLOW_NETWORKS": ",".join(settings.pop("allow_networks"))}
        for service, section in settings.items():
            del section["key"]
            prefix = f"BELLHAND_SERVICES__{service.upper()}__"
            env |= {prefix + name.upper(): str(value) for name, value in section.items()}
        plain = {"SERPAPI_KEY": CANARY, "OPENAI_API_KEY": CANARY, "PYTHONASYNCIODEBUG": "1"}
        env |= plain | {"BELLHAND_SERVICES__PLACES__KEY_FILE": str(file)}
        log = {"format": format, "level": "debug"}
        daemon = fleet.start(dsn, modules=["service_handlers"], env=env, log=log)
        await eventually(lambda: "ready" in daemon.text)
        words = ("302", "400", "404", "500", "503", "reset", "malformed", "truncated", "429", "401")
        for word in words:
            for kind in ("svc.local", "svc.places", "svc.judge"):
                await insert(conn, kind, f'{{"words": "{word}"}}')

        async def tried() -> bool:
            rest = await conn.fetchval("select count(*) from bellhand.jobs where error is null")
            return rest == 0

        await eventually(tried, 30)
        heard = [str(dict(row)) for t in TABLES for row in await conn.fetch(f"select * from bellhand.{t}")]  # fmt: skip
        errors = "".join(heard)
        for said in (
            "the key is refused",
            "it sends us elsewhere",
            "the connection was lost",
            "you said",
        ):
            assert said in errors, "it was to say this, without the key in it"
        process = psutil.Process(daemon.pid)
        status = next(x.laddr.port for x in process.net_connections() if x.status == "LISTEN")
        async with aiohttp.ClientSession() as session:
            for path in ("/metrics", "/v1/stats", "/readyz?verbose", "/v1/jobs/1", "/v1/jobs/2"):
                async with session.get(f"http://127.0.0.1:{status}{path}") as answer:
                    heard.append(await answer.text())
        heard += process.cmdline()
        daemon.tell(signal.SIGTERM)
        assert await daemon.exit_code() == 0
    heard.append(daemon.text)
    assert [text[:2000] for text in heard if "c4n4ry" in text] == []


def test_settings_and_clients_show_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERPAPI_KEY", CANARY)
    monkeypatch.setenv("BELLHAND_SERVICES__OPENAI__KEY", CANARY)
    settings = load()
    assert settings.services.serpapi.key == settings.services.openai.key == SecretStr(CANARY)
    key = Key(settings.services.serpapi.key, None)
    shown = [repr(settings), str(settings), settings.model_dump_json(), repr(key), str(vars(key))]
    assert [text for text in shown if CANARY in text] == []
    assert key.text() == CANARY
    assert len(fingerprint(CANARY)) == 12
    assert fingerprint(CANARY) != fingerprint(CANARY + "x")
    spellings = (CANARY, "c4n4ry%2F%2Bkey", "c4n4ry/%2bkey", r"c4n4ry\/+key", r"c4n4ry\\/+key")
    for spelling in spellings:
        assert without(CANARY, f"a {spelling} b {spelling}") == "a *** b ***"


def test_plain_names_give_way_to_ours_s0_35(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERPAPI_KEY", "plain")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    assert load().services.serpapi.key == SecretStr("plain")
    assert load().services.openai.key is None, "empty is none"
    (tmp_path / "config.toml").write_text('[services.serpapi]\nkey_file = "k"')
    assert load().services.serpapi.key is None
    monkeypatch.setenv("BELLHAND_SERVICES__SERPAPI__KEY", "ours")
    (tmp_path / "config.toml").unlink()
    assert load().services.serpapi.key == SecretStr("ours")


def test_a_key_file_is_read_anew_when_it_changes_and_kept_when_it_goes(tmp_path: Path) -> None:
    file = tmp_path / "key"
    key = Key(None, file)
    assert key.text() is None
    file.write_text("one\n")
    assert key.text() == "one"
    file.write_text("another\n")
    assert key.text() == "another"
    file.unlink()
    assert key.text() == "another", "a secret store that restarts must not stop the work"
    file.write_text("  \n")
    assert key.text() is None
    file.unlink()
    file.mkdir()
    with pytest.raises(OSError, match="directory"):
        key.text()
