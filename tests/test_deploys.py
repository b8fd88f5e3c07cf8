"""Deploys: daemons find them as they enter with other code, scripts tell of others, and the charts show when it was."""

import sys
from pathlib import Path
from types import ModuleType
from uuid import UUID, uuid4

import aiohttp
import asyncpg

from bellhand import job_kind
from bellhand.handler_code import code_digest
from daemons import at_work, kinds_of
from pages import HANDLERS, browsing, text_of
from ports import make


def module(folder: Path, name: str, text: str, package: str = "") -> ModuleType:
    """A loaded module of that name whose source lies in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name.rpartition('.')[2]}.py"
    file.write_text(text)
    made = ModuleType(name)
    made.__file__, made.__package__ = str(file), package
    sys.modules[name] = made
    return made


def digest(name: str) -> str:
    async def handler() -> None:
        """Does nothing."""

    handler.__module__ = name
    return code_digest(kinds_of(job_kind("some.kind")(handler)).values())


def test_a_digest_is_of_the_handlers_own_package_wherever_it_lies(tmp_path):
    module(tmp_path / "a" / "acme", "acme.jobs", "one = 1", "acme")
    (tmp_path / "a" / "acme" / "deep").mkdir()
    (tmp_path / "a" / "acme" / "deep" / "tools.py").write_text("two = 2")
    first = digest("acme.jobs")
    assert (len(first), digest("acme.jobs")) == (12, first)
    (tmp_path / "a" / "elsewhere.py").write_text("it is not part of it")
    for folder in ("site-packages", ".venv", "__pycache__"):
        (tmp_path / "a" / "acme" / folder).mkdir()
        (tmp_path / "a" / "acme" / folder / "foreign.py").write_text("nor is this")
    assert digest("acme.jobs") == first
    (tmp_path / "a").rename(tmp_path / "b")
    sys.modules["acme.jobs"].__file__ = str(tmp_path / "b" / "acme" / "jobs.py")
    assert digest("acme.jobs") == first
    (tmp_path / "b" / "acme" / "deep" / "tools.py").write_text("two = 3")
    assert digest("acme.jobs") != first
    module(tmp_path / "loose", "loose_jobs", "one = 1")
    loose = digest("loose_jobs")
    (tmp_path / "loose" / "helper.py").write_text("three = 3")
    assert digest("loose_jobs") != loose


async def enter(conn: asyncpg.Connection, code: str, version: str = "1", kinds: str = "a") -> tuple[UUID, bool]:  # fmt: skip
    """A worker that enters with such code, and whether that was a deploy."""
    id = uuid4()
    await conn.execute("select bellhand.register_worker($1, $2, 'h', 1, $3, $4, '{}', 1)", id, f"w {code}", version, kinds.split(","))  # fmt: skip
    return id, await conn.fetchval("select bellhand.note_deploy($1, $2)", id, code)


async def leave(conn: asyncpg.Connection, id: UUID) -> None:
    await conn.execute("delete from bellhand.workers where id = $1", id)


async def test_a_deploy_is_what_comes_with_other_code_and_once(conn):
    first, news = await enter(conn, "c1")
    assert news
    assert not (await enter(conn, "c1"))[1], "another of the same"
    assert (await enter(conn, "c1", kinds="b"))[1], "other kinds are deployed apart"
    second, news = await enter(conn, "c2")
    assert news
    assert not (await enter(conn, "c1"))[1], "one of the old, started again while others of it live"
    await leave(conn, second)
    assert not (await enter(conn, "c2"))[1], "the last deploy was of it"
    assert (await enter(conn, "c2", version="2"))[1]
    await conn.execute("delete from bellhand.workers where code = 'c1'")
    assert (await enter(conn, "c1"))[1], "back to what was before"
    rows = await conn.fetch("select version, code from bellhand.deploys where serves = md5('a') order by id")  # fmt: skip
    assert [tuple(row) for row in rows] == [("1", "c1"), ("1", "c2"), ("2", "c2"), ("1", "c1")]
    assert not await conn.fetchval("select bellhand.note_deploy($1, 'c9')", uuid4()), "it was given up"  # fmt: skip
    assert first


async def test_a_daemon_tells_which_code_it_runs_and_charts_show_since_when(dsn, conn):
    async with browsing(dsn) as browser:
        row = await conn.fetchrow("select version, code from bellhand.deploys")
        assert row["code"] == code_digest(kinds_of(*HANDLERS).values())
        _, page, _ = await browser.get("/")
        assert row["code"] in text_of(page, "#deploys [data-mark]")
        assert page.css_first("#deploys [data-mark] time[datetime]")
        _, page, _ = await browser.get("/workers")
        assert row["code"] in text_of(page, "#worker-cards")
    async with at_work(dsn, *HANDLERS):
        assert await conn.fetchval("select count(*) from bellhand.deploys") == 1


async def test_a_script_tells_of_a_deploy(dsn, conn):
    token = await make(conn, "reader", "read")
    async with browsing(dsn) as browser, aiohttp.ClientSession() as session:
        url = f"{browser.base}/v1/deploys"
        given = {"version": "a1b2c3", "note": "the new web shop", "at": "2026-01-31T12:00:00Z"}
        async with session.post(url, json=given) as answer:
            made = await answer.json()
            assert answer.status == 201
        told = {name: made[name] for name in ("version", "note", "code", "actor", "at")}
        assert told == {**given, "code": None, "actor": "http:loopback", "at": "2026-01-31T12:00:00.000000Z"}  # fmt: skip
        async with session.post(url, json={"version": "now"}) as answer:
            assert answer.status == 201
        async with session.get(f"{url}?limit=1") as answer:
            assert [one["version"] for one in (await answer.json())["data"]] == ["now"]
        for wrong in ({}, {"version": ""}, {"version": "x", "at": "yesterday"}, {"version": "x", "else": 1}):  # fmt: skip
            async with session.post(url, json=wrong) as answer:
                assert answer.status == 422
        async with session.post(url, json=given, headers={"Authorization": f"Bearer {token}"}) as answer:  # fmt: skip
            assert answer.status == 403
        _, page, _ = await browser.get("/")
        assert "now told by http:loopback" in text_of(page, "#deploys")
        assert await conn.fetchval("select count(*) from bellhand.events where type = 'deploy_added' and actor = 'http:loopback'") == 2  # fmt: skip
