"""Hostile text through every door into the database: it stays text, and nothing else changes."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest

from bellhand import job_kind
from bellhand.cron import ticks_after
from bellhand.sql import query
from commands import Bellhand, bare, bellhand
from daemons import at_work, insert
from desk import Desk
from security import OURS, public_strings

NAME = re.compile(r"[a-z0-9_.:-]{1,100}")
SCHEDULE_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
LATER = datetime(2100, 1, 1, tzinfo=UTC)
DOORS = ("s.insert", "s.enqueue", "s.many", "s.copy")
CATALOG = """
    select md5(string_agg(thing, ',' order by thing)) from (
      select 'relation ' || oid::regclass || relkind::text || coalesce(relacl::text, '') from pg_class where relnamespace::regnamespace::text like 'bellhand%'
      union all select 'function ' || oid::regprocedure || coalesce(proacl::text, '') || md5(prosrc) from pg_proc where pronamespace::regnamespace::text like 'bellhand%'
      union all select 'role ' || rolname || rolsuper || rolcreaterole from pg_roles where rolname like 'bellhand%'
      union all select 'member ' || roleid || member from pg_auth_members) x(thing)"""


@pytest.fixture(params=["ours", "public"])
def strings(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "ours":
        return OURS
    return public_strings(request.getfixturevalue("test_data"))


async def test_whatever_a_text_says_it_is_stored_as_it_is(
    conn: asyncpg.Connection, strings: list[str]
) -> None:
    desk = Desk(conn)
    await desk.publish(*DOORS)
    before = await conn.fetchval(CATALOG)
    rows = [(json.dumps({"x": s}), s, s, json.dumps({s: s})) for s in strings]
    await conn.executemany(
        "insert into bellhand.jobs (kind, payload, unique_key, owner, tags) values ('s.insert', $1, $2, $3, $4)",
        rows,
    )
    await conn.executemany(
        "select bellhand.enqueue('s.enqueue', $1, unique_key => $2, owner => $3, tags => $4)", rows
    )
    jobs = [
        {"kind": "s.many", "payload": {"x": s}, "unique_key": s, "owner": s, "tags": {s: s}}
        for s in strings
    ]
    await conn.fetch("select * from bellhand.enqueue_many($1)", json.dumps(jobs))
    await conn.copy_records_to_table(
        "jobs",
        schema_name="bellhand",
        columns=["kind", "payload", "unique_key", "owner", "tags"],
        records=[("s.copy", *row) for row in rows],
    )
    found = await conn.fetch(
        "select kind, payload::text p, unique_key, owner, tags::text t from bellhand.jobs order by id"
    )
    assert len(found) == len(DOORS) * len(strings)
    for door in DOORS:
        ours = [row for row in found if row["kind"] == door]
        for s, row in zip(strings, ours, strict=True):
            assert (row["unique_key"], row["owner"]) == (s, s)
            assert (json.loads(row["p"]), json.loads(row["t"])) == ({"x": s}, {s: s})
    assert await conn.fetchval(CATALOG) == before


async def test_no_text_is_a_kind_a_lane_or_a_schedule_by_being_clever(
    conn: asyncpg.Connection, strings: list[str]
) -> None:
    desk = Desk(conn)
    await desk.publish("s.known")
    before = await conn.fetchval(CATALOG)
    doors = (
        "insert into bellhand.jobs (kind) values ($1)",
        "select bellhand.enqueue($1)",
        "select bellhand.enqueue_many(jsonb_build_array(jsonb_build_object('kind', $1::text)))",
    )
    odd = ["s.known\n", "s.known' --", "S.KNOWN", "s.known\u200b"]
    for s in [*(text for text in strings if len(text) <= 100), *odd]:
        for door in doors:
            with pytest.raises(asyncpg.PostgresError) as caught:
                await conn.execute(door, s)
            assert caught.value.sqlstate == "BH001", s
            assert caught.value.message == f"unknown kind {json.dumps(s, ensure_ascii=False)}"
        for name, lane in ((s, "default"), ("s.new", s), (s + "\n", "default")):
            if not (NAME.fullmatch(name) and NAME.fullmatch(lane)):
                with pytest.raises(asyncpg.CheckViolationError):
                    await desk.publish(name, lane=lane)
        if not SCHEDULE_NAME.fullmatch(s):
            with pytest.raises(asyncpg.CheckViolationError):
                await publish_schedule(conn, s)
    assert await conn.fetchval("select count(*) from bellhand.jobs") == 0
    assert await conn.fetchval("select array_agg(name) from bellhand.kinds") == ["s.known"]
    assert await conn.fetchval("select count(*) from bellhand.schedules") == 0
    assert await conn.fetchval(CATALOG) == before


async def publish_schedule(conn: asyncpg.Connection, name: str) -> None:
    given = {"name": name, "cron": "* * * * *", "timezone": "UTC", "kind": "s.known", "payload": {}}
    rest = {"priority": 5, "missed": "latest", "missed_max": 1}
    await conn.fetch(query("publish_schedules"), json.dumps([given | rest]))


async def test_kinds_that_wait_are_text_too(conn: asyncpg.Connection, strings: list[str]) -> None:
    await conn.execute("update bellhand.meta set value = 'hold' where name = 'unknown_kinds'")
    kinds = [text for text in strings if len(text) <= 100]
    await conn.executemany("insert into bellhand.jobs (kind) values ($1)", [(s,) for s in kinds])
    for s in kinds:
        (job,) = await conn.fetch("select id from bellhand.all_jobs where kind = $1", s)
        gate = await conn.fetchrow("select * from bellhand.why($1)", job["id"])
        assert gate is not None
        assert gate["gate"] == "unknown_kind"
        assert json.dumps(s, ensure_ascii=False) in gate["detail"]
    assert await conn.fetchval("select count(*) from bellhand.parked") == len(kinds)


def test_no_text_is_a_cron_expression_or_the_path_of_a_time_zone(strings: list[str]) -> None:
    paths = ["/etc/passwd", "../../etc/passwd", "..", "", "Europe", "Europe/../UTC", "\0", "\ud800"]
    for s in [*strings, *paths]:
        for expression, zone in ((s, "UTC"), ("* * * * *", s)):
            with suppress(ValueError):  # nothing else may come out, and hardly anything may pass
                next(ticks_after(expression, zone, LATER))
                assert (expression, zone) == ("* * * * *", "Zulu"), s


def test_the_command_line_passes_texts_on_as_they_are(bellhand: Bellhand) -> None:
    bellhand.kind("s.cli")
    before = bellhand.sql(CATALOG)
    for s in OURS:
        given = ["--unique-key=" + s, "--owner=" + s, "--tag=k=" + s]
        made = bellhand.ok("enqueue", "s.cli", json.dumps({"x": s}), *given, "--json").json
        (job,) = bellhand.ok("list", "--owner=" + s, "--json").json
        assert job["id"] == made["id"]
        assert (job["unique_key"], job["owner"]) == (s, s)
        assert (job["payload"], job["tags"]) == ({"x": s}, {"k": s})
        if len(s) <= 100:
            refused = bellhand("enqueue", "--json", "--", s)
            assert (refused.code, json.loads(refused.err)["code"]) == (2, "BH001"), s
    assert bellhand.sql(CATALOG) == before


async def test_the_status_port_takes_no_text_for_more_than_a_name(
    dsn: str, conn: asyncpg.Connection, strings: list[str]
) -> None:
    @job_kind("s.http")
    async def never() -> None: ...

    patient = {"port": 0, "requests_burst": 100_000}
    async with at_work(dsn, never, status=patient) as daemon, aiohttp.ClientSession() as session:
        before = await conn.fetchval(CATALOG)
        base = f"http://127.0.0.1:{daemon.status.port}"
        for s in strings:
            name = quote(s, safe="") or "%20"
            async with session.get(f"{base}/v1/jobs/{name}", allow_redirects=False) as answer:
                problem = json.loads(await answer.text())
                assert (answer.status, problem["code"]) in ((400, "bad_job_id"), (404, "not_found"))
                assert answer.content_type == "application/problem+json"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                policy = answer.headers["Content-Security-Policy"]
                assert policy == "default-src 'none'; frame-ancestors 'none'"
        for s in strings[:: 1 + len(strings) // 50]:
            columns = {"owner": s, "unique_key": s, "tags": json.dumps({s: s}), "run_at": LATER}
            job = await insert(conn, "s.http", json.dumps({"x": s}), **columns)
            async with session.get(f"{base}/v1/jobs/{job}") as answer:
                told = json.loads(await answer.text())
            assert (told["owner"], told["unique_key"], told["tags"]) == (s, s, {s: s})
            assert told["payload"] == {"x": s}
        assert await conn.fetchval(CATALOG) == before
