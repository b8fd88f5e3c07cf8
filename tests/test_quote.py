"""A quote: what would become of a job, in the words of an INSERT, and nothing stored; and why a job stands where it stands."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
from typing import Any

import asyncpg
import pytest

from bellhand.sql import query
from daemons import insert
from desk import Desk, desk
from security import Cast, cast
from test_eta import past

CHECKS = [{"key": "url", "required": True, "types": ["string"]}]


async def quote(
    conn: asyncpg.Connection, kind: str = "a", payload: str = "{}", **more: Any
) -> dict[str, Any]:
    names = "".join(f", {name} => ${n + 3}" for n, name in enumerate(more))
    said = await conn.fetchval(
        f"select bellhand.quote($1, $2{names})", kind, payload, *more.values()
    )
    return dict(json.loads(said))


async def test_a_quote_tells_place_and_times_and_stores_nothing(desk: Desk) -> None:
    await desk.lane("one", concurrency=1)
    await desk.publish("a", lane="one")
    await past(desk, "a", [60.0] * 30)
    jobs = [await desk.insert() for _ in range(3)]
    await desk.claim(await desk.worker(), room=1)
    before = [
        await desk.conn.fetch(f"select * from bellhand.{t}")
        for t in ("jobs", "queue", "events", "watched")
    ]
    said = await quote(desk.conn)
    after = [
        await desk.conn.fetch(f"select * from bellhand.{t}")
        for t in ("jobs", "queue", "events", "watched")
    ]
    assert before == after
    assert (said["kind"], said["lane"], said["state"], said["ahead"]) == ("a", "one", "pending", 2)
    assert said["eta"]["starts_at"].startswith("2030-01-07T09:0")
    assert said["eta"]["confidence"] == "fair"
    assert said["lane_adds_seconds"] == pytest.approx(60)
    assert said["warnings"] == ["same_payload"]
    assert said["same_payload_as"] in jobs
    assert (await quote(desk.conn, priority=9))["ahead"] == 0
    assert (await quote(desk.conn, payload='{"n": 1}'))["warnings"] == []


async def test_a_quote_refuses_what_an_insert_would(desk: Desk) -> None:
    await desk.publish("b", schema={}, checks=CHECKS)
    refused: list[tuple[str, dict[str, Any]]] = [
        ("BH001", {"kind": "nope"}), ("BH002", {"kind": "b"}), ("BH004", {"priority": 11}),
        ("BH006", {"depends_on": [987654]}), ("BH004", {"timeout_seconds": -1.0}),
    ]  # fmt: skip
    for state, given in refused:
        with pytest.raises(asyncpg.PostgresError) as as_quote:
            await quote(desk.conn, **{"kind": "a"} | given)
        names = ", ".join(f"{name} => ${n + 1}" for n, name in enumerate({"kind": "a"} | given))
        enqueue = f"select bellhand.enqueue({names})"
        with pytest.raises(asyncpg.PostgresError) as as_job:
            await desk.conn.fetch(enqueue, *({"kind": "a"} | given).values())
        assert as_quote.value.sqlstate == state == as_job.value.sqlstate
        assert str(as_quote.value) == str(as_job.value)


async def test_a_quote_names_the_job_that_a_unique_key_has(desk: Desk) -> None:
    job = await desk.insert(unique_key="k")
    said = await quote(desk.conn, unique_key="k")
    assert (said["duplicate_of"], said["warnings"]) == (job, ["no_worker", "duplicate"])
    assert (await quote(desk.conn, unique_key="other"))["duplicate_of"] is None


async def test_a_kinds_own_function_is_asked_what_a_payload_takes_s0_08(desk: Desk) -> None:
    """S0-08: two services in three locations are six steps."""
    payload = '{"services": ["Web Development", "SEO"], "locations": "Dhaka, Delhi, Singapore", "pages_max": 2}'
    await desk.publish("leads.collect", estimate="bellhand_leads.quote")
    said = (await quote(desk.conn, "leads.collect", payload))["estimate"]
    assert (said["steps"], said["seconds"], said["measured"], said["searches_max"]) == (
        6,
        3600,
        0,
        24,
    )
    for odd in (
        "{}",
        '{"services": 3, "pages_max": "x"}',
        '{"services": null, "locations": [1, {}]}',
    ):
        assert (await quote(desk.conn, "leads.collect", odd))["kind"] == "leads.collect"
    # Steps that are known before it starts, at the pace that others had.
    await past(desk, "leads.collect", [100.0] * 30, units=10)
    await desk.worker(kinds=("leads.collect",))
    eta = (await quote(desk.conn, "leads.collect", payload))["eta"]
    assert eta["finishes_at"].startswith("2030-01-07T09:01:0"), "six steps of ten seconds"


async def test_a_function_that_could_change_something_is_not_asked(desk: Desk) -> None:
    await desk.conn.execute(
        "create function bellhand.grow(jsonb) returns jsonb language sql as $$ insert into bellhand.meta values ('x', 'y') returning '{}'::jsonb $$"
    )
    await desk.publish("a", estimate="bellhand.grow")
    assert (await quote(desk.conn))["estimate"] is None
    assert await desk.conn.fetchval("select bellhand.estimate('pg_catalog.to_jsonb', '{}')") is None


async def test_only_a_function_of_the_schemas_owner_is_asked(cast: Cast) -> None:
    await cast.owner.execute(
        "create schema bellhand_foreign; grant create, usage on schema bellhand_foreign to public"
    )
    await cast.worker.execute(
        "create function bellhand_foreign.steal(jsonb) returns jsonb language plpgsql as "
        "$$ begin execute 'create table bellhand.stolen ()'; return '{}'; end $$"
    )
    await cast.owner.execute(
        "update bellhand.kinds set estimate = 'bellhand_foreign.steal' where name = 'a'"
    )
    said = await quote(cast.producer)
    assert (said["estimate"], said["same_payload_as"]) == (None, None)
    await insert(cast.owner, "a")
    assert (await quote(cast.producer))["same_payload_as"] is None, (
        "who may not read payloads learns none"
    )
    for who in (cast.reader, cast.stranger):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await quote(who)


async def why(desk: Desk, job: int) -> dict[str, str]:
    return {row["gate"]: row["detail"] for row in await desk.conn.fetch(query("cli_why"), job)}


async def test_why_names_who_has_the_slots_and_when_it_starts(desk: Desk) -> None:
    await desk.lane("one", concurrency=1)
    await desk.publish("a", lane="one")
    await past(desk, "a", [60.0] * 30)
    first, second = await desk.insert(), await desk.insert()
    await desk.claim(await desk.worker())
    await desk.at("2030-01-07 09:00:20Z")
    said = await why(desk, second)
    assert (
        said["lane_full"]
        == f"Lane one allows 1 at once, and all are taken, longest by {first} (a, for 20 s)."
    )
    assert "0 ready jobs stand before it in its lane. It should start in 40 s (" in said["waiting"]
    running = await why(desk, first)
    assert "It should be done in 40 s" in running["running"]
    child = await desk.insert(depends_on=[first])
    assert (
        f"It waits for job {first} (a, running). It should be done in 40 s"
        in (await why(desk, child))["blocked"]
    )


async def test_why_names_the_step_the_hands_and_a_silent_worker(desk: Desk) -> None:
    jobs = [await desk.insert() for _ in range(2)]
    worker = await desk.worker()
    (row,) = await desk.claim(worker, room=1)
    await desk.conn.execute("update bellhand.workers set busy = 10")
    assert "10 hands of 1 worker for lane" in (await why(desk, jobs[1]))["workers_full"]
    await desk.conn.execute(
        'update bellhand.jobs set progress = \'{"step": "SEO in Dhaka"}\' where id = $1', row["id"]
    )
    await desk.at("2030-01-07 09:00:40Z")
    said = await why(desk, row["id"])
    assert said["step"] == 'It is in step "SEO in Dhaka", for at most 40 s.'
    assert said["worker_silent"].startswith("Its worker has been silent for 40 s")


async def test_why_names_the_steps_that_failed_and_who_failed_alike(desk: Desk) -> None:
    jobs = [await desk.insert() for _ in range(2)]
    for row in await desk.claim(await desk.worker()):
        await desk.conn.execute(
            "insert into bellhand.steps (job, name, position, state, error) values ($1, 'b', 1, 'failed', 'E: step'), ($1, 'a', 0, 'completed', null)",
            row["id"],
        )
        await desk.end(row, "fail", error="ValueError: row 3")
    await desk.conn.execute("select bellhand.learn_now()")
    said = await why(desk, jobs[0])
    assert said["failed"] == "ValueError: row 3"
    assert said["step_failed"] == 'Step "b" failed: E: step'
    assert said["failure"].startswith("2 jobs of a ended so since")


async def test_why_names_a_service_that_the_kind_uses_and_that_answers_nobody(desk: Desk) -> None:
    job = await desk.insert()
    await desk.worker()
    await desk.conn.execute(
        "insert into bellhand.services (name, tokens, day, state, failures, retry_at, paused_until, paused_reason) values"
        " ('serpapi', 1, bellhand.now()::date, 'closed', 0, null, bellhand.now() + interval '10 minutes', 'quota spent'),"
        " ('places', 1, bellhand.now()::date, 'open', 5, bellhand.now() + interval '30 seconds', null, null),"
        " ('llm', 1, bellhand.now()::date, 'open', 5, bellhand.now() + interval '30 seconds', null, null)"
    )
    for service in ("serpapi", "places"):
        await desk.conn.execute(
            "insert into bellhand.usage values (bellhand.now()::date, $1, 'search', 'a', '', 1, 0, 0, 0, 0)",
            service,
        )
    rows = await desk.conn.fetch(query("cli_why"), job)
    told = {row["detail"]: row["fix"] for row in rows if row["gate"] == "service"}
    assert told == {
        "serpapi waits: quota spent, for another 10 min": "see to [services.serpapi] in the configuration",
        "places is not asked after 5 failures, for another 30 s": "see to [services.places] in the configuration",
    }


async def test_a_daemons_role_may_do_all_of_it(cast: Cast) -> None:
    desk = Desk(cast.worker)
    for n in range(6):
        await insert(cast.owner, "a", json.dumps({"n": n}))
    for row in (await desk.claim(await desk.worker()))[:4]:
        await desk.end(row, "fail", error="ValueError: no")
    await insert(cast.owner, "a")
    for statement in (
        "select bellhand.measure_kind('a')", "select bellhand.learn_now()", "select * from bellhand.eta(7)", "select * from bellhand.why(7)",
        "select * from bellhand.why(1)", "select bellhand.quote('a')", "select bellhand.foretell(array[7])", "select * from bellhand.eta_calibration",
        "select bellhand.failure_contrast(fingerprint), bellhand.failures_open(fingerprint), bellhand.mute_failure(fingerprint) from bellhand.failure_groups",
        """select * from bellhand.bulk_preview('{"kind": "a"}', 'retry')""", """select * from bellhand.bulk_act('{"kind": "a"}', 'retry', 4)""",
        "select * from bellhand.undo(1)", """select * from bellhand.bulk_act('{"ids": [7]}', 'cancel', 1)""", "select * from bellhand.undo(2)",
        """select * from bellhand.bulk_act('{"ids": [7]}', 'pause', 1)""", "select * from bellhand.undo(3)",
        "select bellhand.forget_failures(0)", query("keep_score"), query("group_failures"), query("gather_stats"), query("measure_runs"),
    ):  # fmt: skip
        await cast.worker.fetch(statement)
    assert await cast.owner.fetchval("select sum(undone) from bellhand.operations") == 6
