"""Lanes, kinds, schedules, workers, channels, tokens, statistics and the audit log over HTTP."""

import json
from collections.abc import AsyncIterator
from datetime import datetime

import asyncpg
import pytest

from bellhand.sql import query
from desk import Desk
from ports import Client, make, of, whole
from test_api_jobs import ended


@pytest.fixture
async def desk(conn: asyncpg.Connection) -> Desk:
    found = Desk(conn)
    await found.publish("a", schema={"type": "object", "title": "A"})
    await found.publish("b", lane="slow")
    return found


@pytest.fixture
async def port(dsn: str, desk: Desk) -> AsyncIterator[Client]:
    async with whole(dsn) as client:
        yield client


# Lanes


async def test_a_lane_is_limited_held_and_let_go_while_all_runs(port: Client, desk: Desk) -> None:
    code, lane, _ = await port.ask(
        "/v1/lanes/slow", "PATCH", json={"concurrency": 2, "rate_per_second": 0.5}
    )
    assert (code, lane["concurrency"], lane["rate_per_second"]) == (200, 2, 0.5)
    code, lane, _ = await port.ask("/v1/lanes/slow", "PATCH", json={"concurrency": None})
    assert (code, lane["concurrency"], lane["rate_per_second"]) == (200, None, 0.5)
    code, lane, _ = await port.post("/v1/lanes/slow/pause", {"reason": "too hot"})
    assert (code, lane["paused"], lane["paused_reason"]) == (200, True, "too hot")
    code, lane, _ = await port.post("/v1/lanes/slow/resume")
    assert (code, lane["paused"], lane["paused_reason"]) == (200, False, None)
    names = [lane["lane"] for lane in (await port.ask("/v1/lanes"))[1]["data"]]
    assert names == ["default", "slow"]
    code, said, _ = await port.ask("/v1/lanes/slwo")
    assert (code, said["hint"]) == (404, "did you mean slow?")


@pytest.mark.parametrize("rate", [1e-320, 1e-7, 1e7, 0])
async def test_a_rate_that_a_claim_cannot_reckon_with_is_refused(
    port: Client, desk: Desk, rate: float
) -> None:
    """Postgres divides by it: one of 1e-320 ended every daemon of the fleet, again at each start."""
    await desk.publish("a", lane="slow")
    code, said, _ = await port.ask("/v1/lanes/slow", "PATCH", json={"rate_per_second": rate})
    assert (code, said["errors"][0]["pointer"]) == (422, "#/rate_per_second")
    for number in (rate, "NaN", "Infinity"):
        with pytest.raises(asyncpg.PostgresError, match="rate_per_second is not accepted"):
            await desk.conn.execute("select bellhand.limit_lane('slow', jsonb_build_object('rate_per_second', $1::text))", str(number))  # fmt: skip
    with pytest.raises(asyncpg.CheckViolationError):
        await desk.conn.execute("update bellhand.lanes set rate_per_second = $1", rate)
    for least in (1e-6, 1e6):
        code, _, _ = await port.ask("/v1/lanes/slow", "PATCH", json={"rate_per_second": least})
        assert code == 200
        await desk.insert("a")
        await desk.claim(await desk.worker(f"w{least}"))


async def test_limits_of_the_configuration_are_changed_there(port: Client, desk: Desk) -> None:
    await desk.lane("slow", concurrency=3)
    code, said, _ = await port.ask("/v1/lanes/slow", "PATCH", json={"concurrency": 9})
    assert (code, said["code"]) == (409, "in_configuration")
    assert "[lanes.slow]" in said["hint"]
    assert (await port.ask("/v1/lanes/slow"))[1]["concurrency"] == 3


# Kinds


async def test_a_kind_shows_its_schema_and_may_be_held(port: Client, desk: Desk) -> None:
    code, schema, _ = await port.ask("/v1/kinds/a/schema")
    assert (code, schema["title"]) == (200, "A")
    assert (await port.ask("/v1/kinds/b/schema"))[:2] == (200, {})
    await desk.worker(kinds=["a"])
    kinds = {kind["name"]: kind for kind in (await port.ask("/v1/kinds"))[1]["data"]}
    assert [(k["lane"], k["workers"], "schema" in k) for k in kinds.values()] == [
        ("default", 1, False), ("slow", 0, False),
    ]  # fmt: skip
    code, kind, _ = await port.post("/v1/kinds/a/pause", {"reason": "x"})
    assert (code, kind["paused"], kind["paused_reason"]) == (200, True, "x")
    assert (await port.post("/v1/kinds/a/resume"))[1]["paused"] is False
    assert (kind["side_effects"], kind["run"], kind["stages"]) == (None, None, [])
    await desk.publish("a", side_effects="keyed", backoff_base_seconds=2, step_timeout_seconds=30)
    await desk.conn.execute("""insert into bellhand.run_times (kind, step, samples, mean, deviation, quantiles, since)
        select 'a', s, 9, 1, 0, array(select n from generate_series(0, 40) n), bellhand.now() from unnest(array['read', '', '*']) s""")  # fmt: skip
    kind = (await port.ask("/v1/kinds/a"))[1]
    took = {"samples": 9, "p50_seconds": 20, "p95_seconds": 38}
    assert (kind["run"], kind["each_step"], kind["stages"]) == (
        took,
        took,
        [{"name": "read"} | took],
    )
    assert (kind["side_effects"], kind["priority"], "step_timeout_seconds" in kind) == (
        "keyed",
        5,
        False,
    )
    assert kind["defaults"] == {
        "lane": "default", "priority": 5, "attempts_max": 3, "timeout_seconds": 60, "step_timeout_seconds": 30,
        "backoff_base_seconds": 2, "backoff_max_seconds": None,
    }  # fmt: skip
    assert (await port.post("/v1/kinds/aa/pause"))[0] == 404


async def test_a_caller_who_enqueues_sees_what_kinds_take(port: Client, desk: Desk) -> None:
    token = of(await make(desk.conn, "app", "enqueue"))
    assert await port.status("/v1/kinds/a/schema", headers=token) == 200
    assert await port.status("/v1/lanes", headers=token) == 403


async def test_a_lane_tells_within_which_time_its_jobs_began(port: Client, desk: Desk) -> None:
    lane = (await port.ask("/v1/lanes/default"))[1]
    assert (lane["wait_p50_seconds"], lane["wait_p95_seconds"]) == (None, None)
    await desk.worker()
    await desk.conn.execute("""insert into bellhand.stats (minute, worker, kind, outcome, jobs, wait_seconds, run_seconds, histogram, waits)
        select date_trunc('minute', bellhand.now()), w.id, 'a', o, 20, 0, 0, array_fill(0, array[17])::bigint[], h::bigint[] from bellhand.workers w,
        (values ('completed', '{0,18,0,0,0,0,0,0,0,0}'), ('fail', '{0,0,0,0,0,0,0,0,0,2}')) v(o, h)""")  # fmt: skip
    lane = (await port.ask("/v1/lanes/default"))[1]
    assert (lane["wait_p50_seconds"], lane["wait_p95_seconds"]) == (0.1, "3600+")


# Schedules, workers, statistics


async def test_a_schedule_is_held_let_go_and_run_by_hand(port: Client, desk: Desk) -> None:
    one = {
        "name": "nightly",
        "cron": "0 3 * * *",
        "timezone": "UTC",
        "kind": "a",
        "payload": {"n": 1},
        "priority": 4,
        "missed": "latest",
    }
    await desk.conn.fetch(query("publish_schedules"), json.dumps([one | {"missed_max": 10}]))
    await desk.conn.execute("update bellhand.schedules set next_at = now()")
    code, said, _ = await port.post("/v1/schedules/nightly/pause", {"reason": "holidays"})
    assert (code, said["paused"]) == (200, True)
    code, job, headers = await port.post("/v1/schedules/nightly/run")
    assert (code, headers["Location"]) == (202, f"/v1/jobs/{job['key']}")
    made = (await port.ask(headers["Location"]))[1]
    assert (made["payload"], made["priority"], made["tags"]) == (
        {"n": 1},
        4,
        {"schedule": "nightly"},
    )
    code, said, _ = await port.post("/v1/schedules/nightly/resume")
    assert (code, said["paused"], said["next_at"]) == (200, False, None)
    assert (await port.ask("/v1/schedules"))[1]["data"] == [
        (await port.ask("/v1/schedules/nightly"))[1]
    ]
    for path in ("pause", "resume", "run"):
        assert (await port.post(f"/v1/schedules/none/{path}"))[0] == 404
    types = await desk.conn.fetch("select type from bellhand.events order by seq")
    assert [row["type"] for row in types] == ["schedule_paused", "schedule_run", "schedule_resumed"]


async def test_a_schedule_is_made_changed_and_taken_out(port: Client, desk: Desk) -> None:
    """At once for all daemons; what its jobs would be refused for, it is refused for."""
    await desk.publish(
        "c",
        schema={"type": "object", "required": ["url"]},
        checks=[{"key": "url", "required": True}],
    )
    await desk.publish("notify.slack")
    place, wish = "/v1/schedules/weekly", [{"on": ["failed"], "to": "ops"}]
    await desk.conn.execute("insert into bellhand.channels (name, kind, address) values ('ops', 'slack', 'https://hooks.example/x')")  # fmt: skip
    asked = {"cron": "30 2 * * 1", "timezone": "Europe/Berlin", "kind": "b", "payload": {"n": 1}, "missed": "all", "missed_max": 3, "notify": wish}  # fmt: skip
    code, made, _ = await port.ask(place, "PUT", json=asked)
    assert (code, made | asked) == (200, made)
    assert (made["priority"], made["source"], made["paused"]) == (5, "sql", False)
    assert datetime.fromisoformat(made["next_at"]) > await desk.conn.fetchval("select now()")
    await port.post(f"{place}/pause")
    code, said, _ = await port.ask(place, "PUT", json={"cron": "30 2 * * 1", "timezone": "Europe/Berlin", "kind": "b"})  # fmt: skip
    assert (code, said["payload"], said["notify"], said["paused"]) == (200, {}, None, True)
    assert said["next_at"] == made["next_at"]
    for wrong, sort in (({"cron": "at noon"}, "invalid_value"), ({"timezone": "Mars/Base"}, "invalid_value"), ({"cron": "0 0 30 2 *"}, "invalid_value"),
                        ({"kind": "none"}, "unknown_kind"), ({"kind": "c"}, "invalid_payload"), ({"notify": [{"on": ["failed"], "to": "who"}]}, "invalid_value"),
                        ({"when": "now"}, "invalid_request")):  # fmt: skip
        code, told, _ = await port.ask(place, "PUT", json=asked | wrong)
        assert (code, told["code"]) == (422, sort), told
        where = "payload/url" if sort == "invalid_payload" else next(iter(wrong))
        assert told["errors"][0]["pointer"] == f"#/{where}", told
    assert (await port.ask("/v1/schedules/a%20b", "PUT", json=asked))[1]["code"] == "invalid_value"
    assert (await port.ask(place, "DELETE"))[0] == 204
    assert (await port.ask(place, "DELETE"))[0] == 404
    await desk.conn.execute("insert into bellhand.schedules (name, cron, kind, source) values ('weekly', '@daily', 'b', 'config')")  # fmt: skip
    for method in ("PUT", "DELETE"):
        code, told, _ = await port.ask(place, method, json=asked)
        assert (code, told["code"], "[schedules.\"weekly\"]" in told["hint"]) == (409, "in_configuration", True)  # fmt: skip
    events = await desk.conn.fetch("select type, actor from bellhand.events where data ->> 'schedule' = 'weekly' order by seq")  # fmt: skip
    assert [row["type"] for row in events] == ["schedule_added", "schedule_paused", "schedule_changed", "schedule_removed"]  # fmt: skip
    assert len({row["actor"] for row in events}) == 1


async def test_workers_are_listed(port: Client, desk: Desk) -> None:
    await desk.worker("w1")
    (worker,) = (await port.ask("/v1/workers"))[1]["data"]
    assert (worker["name"], worker["capacity"], worker["draining"]) == ("w1", 10, False)


async def test_the_past_is_told_in_buckets(port: Client, desk: Desk) -> None:
    await desk.conn.execute(
        "insert into bellhand.stats select date_trunc('minute', now()) - m * interval '1 minute', k, o, gen_random_uuid(), 2, 1, 3, '{1}'"
        " from generate_series(0, 9) m, unnest('{a,b}'::text[]) k, unnest('{completed,fail}'::text[]) o"
    )
    data = (await port.ask("/v1/stats/series?seconds=3600&bucket_seconds=3600"))[1]["data"]
    assert {one["outcome"] for one in data} == {"completed", "failed"}
    assert sum(one["jobs"] for one in data) == 80
    data = (await port.ask("/v1/stats/series?seconds=3600&kind=a"))[1]["data"]
    assert (len(data), {one["kind"] for one in data}, {one["jobs"] for one in data}) == (
        20,
        {"a"},
        {2},
    )
    code, said, _ = await port.ask("/v1/stats/series?seconds=604800")
    assert (code, said["errors"][0]["pointer"]) == (422, "bucket_seconds")
    assert "at least 404 seconds" in said["hint"]


# Tokens, the audit log, cleanup


async def test_an_admin_makes_and_takes_back_tokens(port: Client, desk: Desk) -> None:
    code, made, _ = await port.post(
        "/v1/tokens", {"name": "app", "scopes": ["read"], "expires_seconds": 60}
    )
    assert code == 201
    assert (await port.ask("/v1/workers", headers=of(made["token"])))[0] == 200
    assert (await port.post("/v1/tokens", {"name": "x", "scopes": ["read"]}, **of(made["token"])))[
        0
    ] == 403
    code, said, _ = await port.post("/v1/tokens", {"name": "app", "scopes": ["read"]})
    assert (code, said["code"]) == (409, "wrong_state")
    (shown,) = (await port.ask("/v1/tokens"))[1]["data"]
    assert (shown["name"], shown["state"], shown["made_by"]) == ("app", "good", "http:loopback")
    assert made["token"] not in json.dumps(shown)
    assert (await port.ask("/v1/tokens/app", "DELETE"))[0] == 204
    assert (await port.ask("/v1/tokens/app", "DELETE"))[0] == 404
    assert (await port.ask("/v1/tokens"))[1]["data"][0]["state"] == "revoked"


async def test_the_audit_log_says_who_did_what(port: Client, desk: Desk) -> None:
    token = of(await make(desk.conn, "ann", "operate"))
    jobs = [await desk.insert("a") for _ in range(3)]
    for job in jobs:
        await port.post(f"/v1/jobs/{job}/cancel", {"reason": "why not"}, **token)
    page = (await port.ask("/v1/audit?actor=http:ann&limit=2"))[1]
    assert [event["job"] for event in page["data"]] == [jobs[2], jobs[1]]
    assert (page["has_more"], page["data"][0]["type"]) == (True, "cancelled")
    rest = (await port.ask(f"/v1/audit?actor=http:ann&limit=2&cursor={page['next_cursor']}"))[1]
    assert ([event["job"] for event in rest["data"]], rest["has_more"]) == ([jobs[0]], False)
    assert [e["type"] for e in (await port.ask(f"/v1/audit?job={jobs[1]}"))[1]["data"]] == [
        "cancelled"
    ]
    assert [e["type"] for e in (await port.ask("/v1/audit?type=token_created"))[1]["data"]] == [
        "token_created"
    ]


async def test_what_is_old_may_be_forgotten_now(port: Client, desk: Desk) -> None:
    kept, old = [await ended(desk, await desk.insert("a"), "completed") for _ in range(2)]
    await desk.conn.execute(
        "update bellhand.history set finished_at = finished_at - interval '40 days' where id = $1",
        old,
    )
    code, said, _ = await port.post("/v1/maintenance/cleanup", {"history_days": 30})
    assert (code, said) == (200, {"history": ["history_default"], "deleted": 0, "more": False})
    assert await desk.conn.fetchval("select array_agg(id) from bellhand.history") == [kept]
    assert (await port.post("/v1/maintenance/cleanup", {}))[0] == 422


async def test_tokens_sessions_and_keys_of_no_use_are_forgotten(desk: Desk) -> None:
    conn = desk.conn
    for name in ("good", "revoked", "long revoked", "expired"):
        await make(
            conn, name.replace(" ", "-"), "read", seconds=3600 if name == "expired" else None
        )
    await conn.execute(
        "update bellhand.tokens set revoked_at = now() - interval '10 days' where name = 'revoked';"
        "update bellhand.tokens set revoked_at = now() - interval '100 days' where name = 'long-revoked';"
        "update bellhand.tokens set expires_at = now() - interval '100 days' where name = 'expired';"
        "select bellhand.open_session(sha256(n::text::bytea), sha256('x'), 'ann', '{read}', n * 3600) from generate_series(1, -1, -2) n;"
        "insert into bellhand.idempotency select 'c', n::text, sha256('x'), '[]', now() - n * interval '20 hours' from generate_series(0, 2) n"
    )
    assert await conn.fetchval("select bellhand.delete_old(90, 90)") == 4
    left = await conn.fetch("select name from bellhand.tokens order by name")
    assert [row["name"] for row in left] == ["ann", "good", "revoked"]
    assert await conn.fetchval("select array_agg(key order by key) from bellhand.idempotency") == [
        "0",
        "1",
    ]
