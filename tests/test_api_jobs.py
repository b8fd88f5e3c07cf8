"""Looking at jobs over HTTP: pages of them, one as it stands, waiting for a change; and telling them what to do."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, get_args

import asyncpg
import pytest

from bellhand import Job, job_kind
from bellhand.api import listing
from bellhand.db import Database
from bellhand.look import Look
from bellhand.sql import query
from daemons import at_work, insert, until
from desk import Desk
from ports import Client, client_of, make, of, whole


@pytest.fixture
async def desk(conn: asyncpg.Connection) -> Desk:
    found = Desk(conn)
    await found.publish("a")
    await found.publish("b", lane="slow")
    return found


@pytest.fixture
async def port(dsn: str, desk: Desk) -> AsyncIterator[Client]:
    async with whole(dsn) as client:
        yield client


async def ended(desk: Desk, job: int, state: str, error: str | None = None) -> int:
    """Puts a waiting job into history."""
    await desk.conn.execute("select bellhand.take_out($1)", job)
    await desk.conn.execute("select bellhand.finish(array[$1::bigint], $2, $3)", job, state, error)
    return job


async def listed(port: Client, question: str = "") -> list[int]:
    """Ids over all pages."""
    ids: list[int] = []
    path = f"/v1/jobs?limit=2&{question}"
    for _ in range(50):
        code, page, headers = await port.ask(path)
        assert code == 200, page
        assert len(page["data"]) <= 2
        ids += [job["id"] for job in page["data"]]
        assert page["has_more"] == (page["next_cursor"] is not None) == ("Link" in headers)
        if not page["has_more"]:
            return ids
        path = headers["Link"].partition(">")[0].removeprefix("<")
    raise AssertionError("it never ends")


# Lists


async def test_jobs_are_listed_page_by_page_and_by_what_they_are(port: Client, desk: Desk) -> None:
    conn = desk.conn
    worker = await desk.worker()
    over = [await ended(desk, await desk.insert("a", owner="ann"), "completed") for _ in range(3)]
    failed = [await ended(desk, await desk.insert(k), "failed", "Timeout 504") for k in "aab"]
    cancelled = await ended(desk, await desk.insert("b", tags='{"x": "1"}'), "cancelled")
    running = await desk.insert("a", priority=9)
    assert await desk.ids(worker, 1) == [running]
    pending = [
        await desk.insert("a", tags='{"x": "1", "y": "2"}'),
        await desk.insert("b", owner="ann"),
    ]
    scheduled = await desk.insert(
        "a", run_at=await conn.fetchval("select now() + interval '1 day'")
    )
    live = [scheduled, *pending[::-1], running]
    everything = [*live, cancelled, *failed[::-1], *over[::-1]]
    for question, wanted in (
        ("", everything), ("state=live", live), ("state=over", everything[4:]), ("state=running", [running]), ("state=busy", [running]),
        ("state=queued,later", [scheduled, *pending[::-1]]), ("state=queued&state=done", [*pending[::-1], *over[::-1]]),
        ("state=error", failed[::-1]), ("state=failed,cancelled", [cancelled, *failed[::-1]]),
        ("kind=a", [scheduled, pending[0], running, *failed[1::-1], *over[::-1]]), ("kind=b&state=over", [cancelled, failed[2]]),
        ("lane=slow", [pending[1], cancelled, failed[2]]), ("lane=slow&kind=a", []), ("lane=none", []), ("kind=none", []),
        ("owner=ann", [pending[1], *over[::-1]]), ("tag.x=1", [pending[0], cancelled]), ("tag.x=1&tag.y=2", [pending[0]]), ("tag.x=2", []),
        ("error=timeout", failed[::-1]), ("error=%25", []), ("kind=a&error=504&state=failed", failed[1::-1]),
    ):  # fmt: skip
        assert await listed(port, question) == wanted, question


async def test_a_page_tells_where_each_stands_and_when_it_is_done(port: Client, desk: Desk) -> None:
    await desk.measured("a", 60)
    await desk.worker(kinds=["a", "b"])
    ids = [await desk.insert("a"), await desk.insert("a"), await desk.insert("b")]
    over = await ended(desk, await desk.insert("a"), "completed")
    jobs = {job["id"]: job for job in (await port.ask("/v1/jobs"))[1]["data"]}
    assert [jobs[job]["position"]["ahead"] for job in ids] == [0, 1, 0]
    assert jobs[ids[1]]["eta"]["basis"].endswith("30 runs of its kind")
    assert jobs[ids[2]]["eta"]["reason"] == "fewer than 3 runs of its kind were measured"
    assert (jobs[over]["position"], jobs[over]["eta"]) == (None, None)
    one = (await port.ask(f"/v1/jobs/{ids[1]}"))[1]
    assert one["eta"].keys() == jobs[ids[1]]["eta"].keys()


async def test_a_page_leaves_out_what_may_be_large(port: Client, desk: Desk) -> None:
    await desk.insert("a", payload='{"big": 1}')
    (job,) = (await port.ask("/v1/jobs"))[1]["data"]
    assert {"payload", "result"}.isdisjoint(job)
    assert (job["kind"], job["state"], job["allowed_actions"]) == (
        "a",
        "pending",
        ["cancel", "pause"],
    )


async def test_jobs_are_picked_by_when_they_were_made(port: Client, desk: Desk) -> None:
    first, second = await desk.insert("a"), await desk.insert("a")
    moment = await desk.conn.fetchval("select created_at from bellhand.jobs where id = $1", second)
    middle = (moment - timedelta(microseconds=1)).isoformat().replace("+", "%2B")
    await desk.conn.execute(
        "update bellhand.jobs set created_at = created_at - interval '1 hour' where id = $1", first
    )
    assert await listed(port, f"created_after={middle}") == [second]
    assert await listed(port, f"created_before={middle}") == [first]


async def test_pages_that_end_in_one_batch_neither_skip_nor_repeat(
    port: Client, desk: Desk
) -> None:
    """Jobs of one settled batch end at one moment."""
    jobs = [await desk.insert("a") for _ in range(9)]
    await desk.conn.execute("select bellhand.take_out(i) from unnest($1::bigint[]) i", jobs)
    await desk.conn.execute("select bellhand.finish($1::bigint[], 'failed', 'x')", jobs)
    for question in ("kind=a", "state=failed", "state=over"):
        assert await listed(port, question) == jobs[::-1], question


async def test_a_page_walks_no_further_than_its_bound(
    port: Client, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "FIRST_WALK_PER_JOB", 1)
    monkeypatch.setattr(listing, "WALK", 3)
    rare = await desk.insert("a", owner="rare")
    old = await ended(desk, await desk.insert("a", owner="rare"), "completed")
    for _ in range(10):
        await desk.insert("a")
        await ended(desk, await desk.insert("a"), "completed")
    for question in ("", "&kind=a", "&lane=default"):
        page = (await port.ask(f"/v1/jobs?owner=rare&limit=2{question}"))[1]
        assert (page["data"], page["has_more"]) == ([], True)
        assert await listed(port, f"owner=rare{question}") == [rare, old]


@pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "////", "e30"])
async def test_a_cursor_that_is_none_is_refused(port: Client, cursor: str) -> None:
    code, said, _ = await port.ask(f"/v1/jobs?cursor={cursor}")
    assert (code, said["code"]) == (400, "bad_cursor")


async def test_a_cursor_belongs_to_its_question(port: Client, desk: Desk) -> None:
    for _ in range(3):
        await desk.insert("a")
    cursor = (await port.ask("/v1/jobs?limit=1"))[1]["next_cursor"]
    assert (await port.ask(f"/v1/jobs?limit=2&cursor={cursor}"))[0] == 200
    for question in ("kind=a", "state=failed"):
        code, said, _ = await port.ask(f"/v1/jobs?{question}&cursor={cursor}")
        assert (code, said["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize(
    ("question", "pointer", "word"),
    [
        ("state=faild", "state", "did you mean failed"), ("limit=0", "limit", "1"), ("limit=201", "limit", "200"), ("limit=x", "limit", "integer"),
        ("knd=a", "knd", "did you mean 'kind'"), ("kind=a&kind=b", "kind", "more than once"), ("created_after=now", "created_after", "RFC 3339"),
        ("owner=%00", "owner", "NUL"),
    ],
)  # fmt: skip
async def test_a_question_that_does_not_fit_is_pointed_at(
    port: Client, question: str, pointer: str, word: str
) -> None:
    code, said, _ = await port.ask(f"/v1/jobs?{question}")
    assert (code, said["code"], said["errors"][0]["pointer"]) == (422, "invalid_request", pointer)
    assert word in said["errors"][0]["detail"]


async def test_no_way_to_a_page_reads_a_whole_table(desk: Desk) -> None:
    """By their plans on tables that are large: positions by index, no sort of all, no scan of all."""
    conn = desk.conn
    await conn.execute(
        "insert into bellhand.history (id, key, kind, payload, priority, run_at, depends_policy, source, created_at, state, epoch, attempts,"
        " crashes, partial, finished_at) select n, gen_random_uuid(), 'a', '{}', 5, now(), 'cancel', 'sql', now(),"
        " case when n % 50 = 0 then 'failed' else 'completed' end, 1, 0, 0, false, now() - n * interval '1 second' from generate_series(1, 30000) n"
    )
    await conn.execute("insert into bellhand.jobs (kind) select 'a' from generate_series(1, 5000)")
    await conn.execute("analyze bellhand.history; analyze bellhand.jobs")
    await conn.execute("set plan_cache_mode = force_generic_plan")
    for way in get_args(listing.Way):
        kinds = "array['a']" if way.startswith("kind") else "null"
        given = [str(listing.Place.first(way).id), kinds, *["null"] * 5]
        given += ["10"] if way == "running" else ["array['failed','completed','pending']", "10", "100"]  # fmt: skip
        given += ["null"] if way in listing.BY_END else []
        given += ["""'{"paths": {"x": "1"}}'"""]
        await conn.execute(f"prepare {way} as {query(f'api_list_{way}')}")
        plan = await conn.fetchval(f"explain (analyze, format json) execute {way}({', '.join(given)})")  # fmt: skip
        assert max(rows_read(json.loads(plan)[0]["Plan"])) <= 2000, plan


def rows_read(node: dict[str, Any]) -> list[float]:
    """Rows of each node, with those that its filter removed."""
    own = node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0)
    return [own, *(n for inner in node.get("Plans", ()) for n in rows_read(inner))]


async def test_jobs_are_found_by_what_they_hold(port: Client, desk: Desk, dsn: str) -> None:
    for n in range(4):
        payload = json.dumps(
            {"site": {"id": n % 2}, "url": f"https://x.org/{n}", "api_key": "s3cr3t"}
        )
        job = await desk.insert("a", payload=payload)
        if n > 1:
            await ended(desk, job, "failed", "Timeout of upstream")
    first, second, third, fourth = (row["id"] for row in await desk.conn.fetch("select id from bellhand.all_jobs order by id"))  # fmt: skip
    for question, ids in (
        ("payload.site.id=1", [second, fourth]), ("payload.site.id=1&state=live", [second]), ("payload.url=https://x.org/2", [third]),
        ("q=ORG/3", [fourth]), ("q=upstream", [fourth, third]), ("q=upstream&payload.site.id=0&kind=a", [third]),
        ("payload.site=1", []), ("sort=-finished_at&state=failed", [fourth, third]), ("sort=-id&kind=a&state=over", [fourth, third]), ("sort=id", [first, second, third, fourth]), ("sort=finished_at&kind=a&state=over", [third, fourth]),
        ("sort=finished_at&state=failed", [third, fourth]), ("sort=id&q=upstream", [third, fourth]),
    ):  # fmt: skip
        assert await listed(port, question) == ids, question
    code, problem, _ = await port.ask("/v1/jobs?sort=-finished_at")
    assert (code, problem["errors"][0]["pointer"]) == (422, "sort")
    assert problem["errors"][0]["detail"].endswith("-id and id are on offer for all")
    # Who may only look finds nothing out by guessing.
    reader = of(await make(desk.conn, "reader", "read"))
    assert len((await port.ask("/v1/jobs?q=upstream", headers=reader))[1]["data"]) == 2
    assert (await port.ask("/v1/jobs?q=s3cr", headers=reader))[1]["data"] == []
    assert (await port.ask("/v1/jobs?payload.api_key=s3cr3t", headers=reader))[0] == 422
    assert len((await port.ask("/v1/jobs?payload.api_key=s3cr3t"))[1]["data"]) == 4


async def test_a_page_that_no_index_fills_is_bounded_and_says_so(port: Client, desk: Desk) -> None:
    await desk.conn.execute(
        "insert into bellhand.jobs (kind) select 'a' from generate_series(1, 4000)"
    )
    code, page, _ = await port.ask("/v1/jobs?payload.x=1&limit=10")
    assert (code, page["data"], page["has_more"]) == (200, [], True)
    assert page["warnings"][0]["code"] == "no_index"
    assert "payload.x" in page["warnings"][0]["detail"]
    code, page, _ = await port.ask("/v1/jobs?limit=10")
    assert "warnings" not in page


# One job


async def test_a_job_has_an_etag_that_changes_with_it(port: Client, desk: Desk) -> None:
    job = await desk.insert("a")
    path = f"/v1/jobs/{job}"
    tag = (await port.ask(path))[2]["ETag"]
    await desk.insert("a", priority=10)  # stands before it: its position is not its own
    code, _, headers = await port.ask(path, headers={"If-None-Match": tag})
    assert (code, headers["ETag"], headers["Retry-After"]) == (304, tag, "1")
    assert await port.status(f"{path}?since={tag.strip(chr(34))}") == 304
    await desk.conn.execute(
        'update bellhand.jobs set progress = \'{"message": "x"}\' where id = $1', job
    )
    code, said, headers = await port.ask(path, headers={"If-None-Match": tag})
    assert (code, said["progress"]["message"], headers["ETag"] != tag) == (200, "x", True)


async def test_whoever_waits_hears_of_a_change_soon_and_of_none_in_time(
    port: Client, desk: Desk
) -> None:
    job = await desk.insert("a")
    path = f"/v1/jobs/{job}"
    tag = (await port.ask(path))[2]["ETag"].strip('"')
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert await port.status(f"{path}?wait=0.5&since={tag}") == 304
    assert 0.5 <= loop.time() - before < 10
    asked = [asyncio.create_task(port.ask(f"{path}?wait=30&since={tag}")) for _ in range(5)]
    await asyncio.sleep(0.3)
    await desk.conn.execute("select bellhand.cancel($1)", job)
    before = loop.time()
    said = [await one for one in asked]
    assert loop.time() - before < 10
    assert {(code, told["state"]) for code, told, _ in said} == {(200, "cancelled")}


async def test_waiting_is_one_statement_for_all_and_none_for_nobody(dsn: str, desk: Desk) -> None:
    from bellhand.api.waiting import Waiting

    asked: list[list[int]] = []

    class Counting(Look):
        async def fetch(self, name: str, *arguments: Any, actor: str | None = None) -> Any:
            asked.append(list(arguments[0]))
            return await super().fetch(name, *arguments, actor=actor)

    database = Database(dsn)
    waiting = Waiting(Counting(database))
    jobs = [await desk.insert("a") for _ in range(20)]
    versions = [await waiting.version(job) for job in jobs]
    asked.clear()
    ended = await asyncio.gather(
        *(waiting.change(j, v, 0.7) for j, v in zip(jobs, versions, strict=True))
    )
    assert ended == versions
    assert len(asked) <= 5
    assert max(len(one) for one in asked) == 20
    await asyncio.sleep(0.5)
    asked.clear()
    await asyncio.sleep(0.5)
    assert asked == []
    waiting.look.close()


async def test_steps_attempts_and_the_result_are_told(dsn: str, conn: asyncpg.Connection) -> None:
    @job_kind("t.steps", attempts_max=2, backoff_base_seconds=0.01, backoff_max_seconds=0.01)
    async def steps(args: dict[str, Any], job: Job) -> dict[str, int]:
        await job.step("first", one)
        if job.attempt == 1:
            raise ValueError("boom")
        return {"n": 1}

    async def one() -> int:
        return 1

    async with at_work(dsn, steps) as daemon, client_of(daemon.status.port) as port:
        job = await insert(conn, "t.steps")
        await until(conn, job, "completed")
        data = (await port.ask(f"/v1/jobs/{job}/steps"))[1]["data"]
        assert [(step["name"], step["state"], step["result"]) for step in data] == [
            ("first", "completed", 1)
        ]
        data = (await port.ask(f"/v1/jobs/{job}/attempts"))[1]["data"]
        assert [(one["type"], one["data"]["attempt"]) for one in data] == [("attempt_failed", 1)]
        assert "boom" in data[0]["data"]["error"]
        assert (await port.ask(f"/v1/jobs/{job}/result"))[:2] == (200, {"n": 1})
        later = await insert(
            conn, "t.steps", run_at=await conn.fetchval("select now() + interval '1 h'")
        )
        code, said, headers = await port.ask(f"/v1/jobs/{later}/result")
        assert (code, said["code"], said["state"], headers["Retry-After"]) == (
            409,
            "no_result",
            "scheduled",
            "60",
        )


async def test_who_may_only_read_changes_nothing(port: Client, desk: Desk) -> None:
    token = of(await make(desk.conn, "r", "read"))
    job = await desk.insert("a")
    assert await port.status(f"/v1/jobs/{job}", headers=token) == 200
    for method, path in (
        ("POST", "cancel"), ("POST", "pause"), ("POST", "resume"), ("POST", "retry"), ("POST", "run-now"), ("PATCH", ""), ("DELETE", ""),
    ):  # fmt: skip
        assert await port.status(f"/v1/jobs/{job}/{path}".rstrip("/"), method, token) == 403


async def test_who_may_only_read_sees_no_secrets_by_name(port: Client, desk: Desk) -> None:
    payload = {
        "url": "https://x",
        "api_key": "c4n4ry",
        "n": [{"Password": "c4n4ry", "token": None}],
    }
    job = await desk.insert("a", payload=json.dumps(payload))
    step = json.dumps({"secret": "c4n4ry"})
    await desk.conn.execute(
        "insert into bellhand.steps (job, name, position, state, result) values ($1, 's', 1, 'completed', $2)",
        job,
        step,
    )
    tokens = {scope: of(await make(desk.conn, scope, scope)) for scope in ("read", "operate")}
    paths = (f"/v1/jobs/{job}", f"/v1/jobs/{job}/steps")
    told = {s: [await port.ask(path, headers=t) for path in paths] for s, t in tokens.items()}
    assert "c4n4ry" not in str(told["read"])
    shown = {"url": "https://x", "api_key": "***", "n": [{"Password": "***", "token": None}]}
    assert told["read"][0][1]["payload"] == shown
    assert told["operate"][0][1]["payload"] == payload
    assert told["operate"][1][1]["data"][0]["result"] == {"secret": "c4n4ry"}


async def test_retry_after_says_when_something_may_have_happened(port: Client, desk: Desk) -> None:
    later = await desk.conn.fetchval("select now() + interval '20 seconds'")
    for columns, least, most in (
        ({}, 1, 1),
        ({"run_at": later}, 10, 20),
        ({"run_at": later + timedelta(days=1)}, 60, 60),
    ):
        job = await desk.insert("a", **columns)
        assert least <= int((await port.ask(f"/v1/jobs/{job}"))[2]["Retry-After"]) <= most
    await port.post(f"/v1/jobs/{job}/pause")
    assert (await port.ask(f"/v1/jobs/{job}"))[2]["Retry-After"] == "5"
    await port.post(f"/v1/jobs/{job}/cancel")
    assert "Retry-After" not in (await port.ask(f"/v1/jobs/{job}"))[2]
