"""Changing a job before it begins, and deleting one that is over: by SQL, HTTP, the command line and the page."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from bellhand import __version__
from bellhand.dashboard.editing import changes_of
from bellhand.problems import HttpProblem
from commands import CHECKS, SCHEMA, Bellhand, bare, bellhand
from desk import Desk
from pages import browsing, fill, text_of
from ports import Client, make, of, whole
from test_api_jobs import ended


@pytest.fixture
async def desk(conn: asyncpg.Connection) -> Desk:
    found = Desk(conn)
    await found.publish("a", schema=SCHEMA, checks=CHECKS)
    return found


@pytest.fixture
async def port(dsn: str, desk: Desk) -> AsyncIterator[Client]:
    async with whole(dsn) as client:
        yield client


async def patch(port: Client, job: int, payload: Any, **headers: str) -> tuple[int, Any, Any]:
    body = {"payload": payload}
    return await port.ask(f"/v1/jobs/{job}", "PATCH", headers, json=body)


# Editing


async def test_a_payload_is_merged_and_checked_until_an_attempt_begins(
    port: Client, desk: Desk
) -> None:
    job = await desk.insert("a", payload='{"url": "x", "more": {"a": 1, "b": 2}, "n": 1.50}')
    code, said, _ = await patch(port, job, {"url": "y", "more": {"a": None, "c": [1]}})
    assert code == 200, said
    assert said["payload"] == {"url": "y", "more": {"b": 2, "c": [1]}, "n": 1.5}
    # What the database keeps exactly stays exact.
    kept = await desk.conn.fetchval("select payload::text from bellhand.jobs where id = $1", job)
    assert '"n": 1.50' in kept
    code, problem, _ = await patch(port, job, {"pages": "many"})
    assert (code, problem["code"], problem["errors"][0]["pointer"]) == (422, "invalid_payload", "#/payload/pages")  # fmt: skip
    assert (await patch(port, job, {"url": None}))[0] == 422, "a key that must be there"
    assert (await patch(port, job, {"url": "z"}, **{"If-Match": '"old"'}))[0] == 412
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"x": deep}
    assert (await patch(port, job, {"more": deep}))[0] == 422
    # It waits where the claim finds it, as it is now.
    worker = await desk.worker()
    (row,) = await desk.claim(worker)
    assert json.loads(row["payload"])["url"] == "y"
    code, problem, _ = await patch(port, job, {"url": "late"})
    assert (code, problem["state"], "cancel" in problem["allowed_actions"]) == (
        409,
        "running",
        True,
    )
    # The log knows who changed what, and how it was, but no values of a payload.
    data = json.loads(await desk.conn.fetchval("select data from bellhand.events where type = 'changed'"))  # fmt: skip
    assert data == {"payload": ["more", "url"]}


async def test_what_has_begun_keeps_its_payload(port: Client, desk: Desk) -> None:
    job, worker = await desk.insert("a", payload='{"url": "x"}'), await desk.worker()
    (row,) = await desk.claim(worker)
    await desk.end(row, "retry", wait=3600.0)
    code, problem, _ = await patch(port, job, {"url": "y"})
    assert (code, problem["code"], problem["state"]) == (409, "wrong_state", "retrying")
    assert (await patch(port, job, {"url": "x"}))[0] == 200, "nothing changes"
    assert (await port.ask(f"/v1/jobs/{job}", "PATCH", json={"priority": 9}))[0] == 200
    for state in ("paused", "blocked"):
        waiting = await desk.insert("a", payload='{"url": "x"}', **({"depends_on": [job]} if state == "blocked" else {}))  # fmt: skip
        if state == "paused":
            await desk.conn.execute("select bellhand.pause($1)", waiting)
        code, said, _ = await patch(port, waiting, {"url": state})
        assert (code, said["state"], said["payload"]["url"]) == (200, state, state)
    over = await ended(desk, await desk.insert("a", payload='{"url": "x"}'), "completed")
    assert (await patch(port, over, {"url": "y"}))[0] == 409


def test_edit_on_the_command_line(bellhand: Bellhand) -> None:
    bellhand.kind("a", schema=SCHEMA, checks=CHECKS)
    job = str(bellhand.job(payload='{"url": "x", "rest": 1}', tags='{"team": "core", "x": 1}'))
    said = bellhand.ok("edit", job, "url=y", "pages=3", "--unset", "rest", "--tag", "x=", "--priority", "9", "--run-at", "1h")  # fmt: skip
    assert "scheduled" in said.out
    assert f"back  bellhand edit {job} --priority 5 --run-at 2" in said.err
    shown = bellhand.ok("edit", job, "--attempts-max", "7", "--json").json
    assert (shown["payload"], shown["tags"]) == ({"url": "y", "pages": 3}, {"team": "core"})
    assert (shown["priority"], shown["attempts_max"], shown["state"]) == (9, 7, "scheduled")
    assert bellhand("edit", job).code == 2
    assert "whole number" in bellhand("edit", job, "pages:=1.5").err
    assert bellhand("edit", "99999999", "--priority", "1").code == 3
    # As it was, by the line that it printed.
    bellhand.ok("edit", job, *said.err.split(f"edit {job} ")[1].split()[:2])
    (row,) = bellhand.sql("select priority from bellhand.jobs")
    assert row["priority"] == 5


async def test_a_job_is_changed_and_deleted_on_its_page(dsn: str, conn: asyncpg.Connection) -> None:
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        later, failed = jobs["later"], jobs["failed"]
        _, page, _ = await browser.get(f"/jobs/{later}")
        version = page.css_first("#edit-form [name=version]").attributes["value"]
        assert text_of(page, "footer span") == f"Bellhand {__version__}"
        form = {
            "version": version,
            "attempts_max": "9",
            "tags": '{"team": "web"}',
            "payload": '{"note": "<b>"}',
        }
        code, page, _ = await browser.post(f"/jobs/{later}/edit", form)
        assert (code, "Changed." in text_of(page, "#notice")) == (200, True)
        row = await conn.fetchrow("select * from bellhand.jobs where id = $1", later)
        assert (row["attempts_max"], json.loads(row["tags"])["team"]) == (9, "web")
        assert json.loads(row["payload"])["note"] == "<b>"
        code, page, _ = await browser.post(f"/jobs/{later}/edit", form | {"tags": "{"})
        assert (code, "#/tags" in text_of(page)) == (422, True)
        assert (await browser.post(f"/jobs/{later}/edit", form))[0] == 412, "it has changed since"
        assert not page.css("#purge-form")
        _, page, _ = await browser.get(f"/jobs/{failed}")
        assert page.css("#purge-form [name=sure]")
        assert not page.css("#edit-form")
        assert (await browser.post(f"/jobs/{failed}/purge"))[0] == 422, "nobody was sure"
        code, page, where = await browser.post(f"/jobs/{failed}/purge", {"sure": "1", "reason": "asked for"})  # fmt: skip
        assert (code, where) == (200, "/jobs?did=purge")
        code, page, _ = await browser.get(f"/jobs/{failed}")
        assert code == 410
        assert "http:loopback purged it" in text_of(page)
        assert "(asked for)" in text_of(page)


def test_a_form_points_at_each_field_that_cannot_be_read() -> None:
    good = {"run_at": "2030-01-31T12:00", "attempts_max": " 3 ", "tags": "", "payload": '{"a": 1}'}
    found = changes_of(good)  # type: ignore[arg-type]
    assert found == {"run_at": "2030-01-31T12:00:00+00:00", "attempts_max": 3, "payload": {"a": 1}}
    bad = {"run_at": "soon", "attempts_max": "0", "tags": "[1]", "payload": "[" * 100_000}
    with pytest.raises(HttpProblem) as refused:
        changes_of(bad)  # type: ignore[arg-type]
    assert {place for place, _ in refused.value.errors} == {"#/run_at", "#/attempts_max", "#/tags", "#/payload"}  # fmt: skip


# Purging


async def leave_traces(desk: Desk, job: int) -> None:
    """All that is kept of a job, with a word in it that must be gone."""
    for statement in (
        "insert into bellhand.steps (job, name, position, state, result) values ($1, 's', 0, 'completed', '\"c4n4ry\"')",
        'insert into bellhand.job_lines (job, epoch, first, last, attempt, bytes, lines) values ($1, 1, 1, 1, 1, 9, \'[[0,"info",null,"c4n4ry",{}]]\')',
        "insert into bellhand.notices (target, state, job, error) values ('ops', 'failed', $1, 'c4n4ry')",
        "insert into bellhand.events (type, job, kind, data) values ('attempt_failed', $1, 'a', '{\"error\": \"c4n4ry\"}')",
    ):
        await desk.conn.execute(statement, job)
    await desk.conn.execute("update bellhand.looks set upto = '-infinity'")
    await desk.conn.execute("select bellhand.group_failures()")


async def mentions(conn: asyncpg.Connection, word: str) -> list[str]:
    """The tables that hold the word anywhere."""
    found = []
    for row in await conn.fetch("select oid::regclass::text as name from pg_class where relkind = 'r' and relnamespace = 'bellhand'::regnamespace"):  # fmt: skip
        if await conn.fetchval(f"select exists (select from {row['name']} t where t::text like '%{word}%')"):  # fmt: skip
            found.append(row["name"])
    return found


async def test_a_purge_leaves_nothing_but_a_tombstone(dsn: str, port: Client, desk: Desk) -> None:
    error = "ValueError: of c4n4ry"
    job = await ended(desk, await desk.insert("a", payload='{"url": "c4n4ry"}', tags='{"t": "c4n4ry"}'), "failed", error)  # fmt: skip
    other = await ended(desk, await desk.insert("a", payload='{"url": "o"}'), "failed", "ValueError: of 17")  # fmt: skip
    key = await desk.conn.fetchval("select key from bellhand.history where id = $1", job)
    await leave_traces(desk, job)
    assert len(await mentions(desk.conn, "c4n4ry")) >= 5
    running = await desk.insert("a", payload='{"url": "r"}')
    code, problem, _ = await port.ask(f"/v1/jobs/{running}?purge=true", "DELETE")
    assert (code, problem["state"]) == (409, "pending")
    code, said, _ = await port.ask(f"/v1/jobs/{job}?purge=true&reason=GDPR", "DELETE")
    assert (code, said) == (204, "")
    assert await mentions(desk.conn, "c4n4ry") == []
    assert await port.status(f"/v1/jobs/{job}?purge=true", "DELETE") == 204, "twice is once"
    for word in (job, key):
        code, problem, _ = await port.ask(f"/v1/jobs/{word}")
        assert (code, problem["code"]) == (410, "purged")
        assert "it was a job of kind a that failed at" in problem["detail"]
        assert "http:loopback purged it" in problem["detail"]
        assert "(GDPR)" in problem["detail"]
    assert await port.status(f"/v1/jobs/{other}") == 200
    with pytest.raises(asyncpg.PostgresError) as refused:
        await desk.conn.execute("select bellhand.retry($1)", job)
    assert "purged it" in refused.value.detail
    actor = await desk.conn.fetchval("select actor from bellhand.events where type = 'purged'")
    assert actor == "http:loopback"
    await desk.conn.execute(
        "update bellhand.tombstones set purged_at = purged_at - interval '91 days'"
    )
    await desk.conn.execute("select bellhand.delete_old(90, 90)")
    assert await port.status(f"/v1/jobs/{job}") == 404, "forgotten with the log"


async def test_only_an_admin_purges_and_only_who_reads_learns_what_was(
    dsn: str, desk: Desk
) -> None:
    conn = desk.conn
    operate, admin = await make(conn, "op", "operate"), await make(conn, "root", "admin")
    enqueue = await make(conn, "app", "enqueue")
    job = await ended(desk, await desk.insert("a", payload='{"url": "x"}'), "completed")
    async with whole(dsn) as port:
        path = f"/v1/jobs/{job}"
        assert await port.status(f"{path}?purge=true", "DELETE", of(operate)) == 403
        assert await port.status(f"{path}?purge=true", "DELETE", of(enqueue)) == 403
        assert await port.status(f"{path}?purge=true", "DELETE", of(admin)) == 204
        assert await port.status(path, headers=of(admin)) == 410
        code, problem, _ = await port.ask(path, headers=of(enqueue))
        assert (code, "purged" in json.dumps(problem)) == (404, False)


async def test_what_retention_took_is_told_and_what_may_be_meant(port: Client, desk: Desk) -> None:
    conn = desk.conn
    await conn.execute("alter sequence bellhand.jobs_id_seq restart 4711")
    day = await conn.fetchval(
        "select date_trunc('day', bellhand.now(), 'UTC') - interval '40 days'"
    )
    part = f"history_{day:%Y%m%d}"
    await conn.execute(f"create table bellhand.{part} partition of bellhand.history for values from ('{day}') to ('{day + timedelta(days=1)}')")  # fmt: skip
    old = [await ended(desk, await desk.insert("a", payload='{"url": "x"}'), "completed") for _ in range(3)]  # fmt: skip
    await conn.execute("update bellhand.history set finished_at = $1", day)
    kept = await desk.insert("a", payload='{"url": "x"}')
    assert await conn.fetchval("select bellhand.drop_history(30)") == part
    code, problem, _ = await port.ask(f"/v1/jobs/{old[1]}")
    assert code == 404
    assert f"those that ended on {day:%Y-%m-%d}, history is kept for 30 days" in problem["detail"]
    code, problem, _ = await port.ask(f"/v1/jobs/{kept // 10}")
    assert (code, problem["hint"].count(f"{kept} (a, pending)")) == (404, 1)
    code, problem, _ = await port.ask(f"/v1/jobs/{kept}5")
    assert f"{kept} (a, pending)" in problem["hint"]
    code, problem, _ = await port.ask("/v1/jobs/9223372036854775807")
    assert (code, problem["hint"]) == (404, "it was never committed, or retention has removed it")


def test_purge_on_the_command_line_wants_a_yes(bellhand: Bellhand) -> None:
    bellhand.kind()
    job, running = str(bellhand.over("failed", error="no")), str(bellhand.running())
    said = bellhand("purge", job)
    assert (said.code, bellhand.state(int(job))) == (7, "failed")
    assert "--yes" in said.err
    assert bellhand("purge", running, "--yes").code != 0
    assert bellhand.ok("purge", job, "--yes", "--reason", "mine", "--json").json == [{"id": int(job), "job": job, "state": "purged"}]  # fmt: skip
    gone = bellhand("show", job)
    assert gone.code == 3
    assert "purged it" in gone.err
    near = bellhand("show", f"{running}7")
    assert f"there are {running} (a, running)" in near.err
