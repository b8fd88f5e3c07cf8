"""What an INSERT is told at the door: what is wrong, why, and what to do; and what any driver may do."""

import json

import asyncpg
import pytest

from bellhand.kinds import checks
from desk import Desk

SCHEMA = {
    "type": "object",
    "properties": {
        "locations": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "pages_max": {"type": "integer", "minimum": 1, "maximum": 500},
        "mode": {"enum": ["fast", "deep"], "type": "string"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["locations"],
    "additionalProperties": False,
}


@pytest.fixture
async def desk(conn: asyncpg.Connection) -> Desk:
    desk = Desk(conn)
    await desk.publish("sites.validate", "sites.emails")
    await desk.publish("leads.collect", schema=SCHEMA, checks=checks(SCHEMA))
    return desk


async def refused(desk: Desk, **columns: object) -> asyncpg.PostgresError:
    """The error that an INSERT of one job ends with; nothing may be left behind."""
    with pytest.raises(asyncpg.PostgresError) as caught:
        await desk.insert(**columns)  # type: ignore[arg-type]
    assert await desk.conn.fetchval("select count(*) from bellhand.jobs") == 0
    return caught.value


async def test_an_unknown_kind_is_refused_with_the_nearest_name(desk: Desk) -> None:
    error = await refused(desk, kind="site.validat")
    assert (error.sqlstate, error.message) == ("BH001", 'unknown kind "site.validat"')
    assert 'Did you mean "sites.validate"?' in error.hint
    assert "kinds publish" in error.hint
    assert (await refused(desk, kind="xq.zz")).hint.startswith("Add the module"), "nothing is near"


async def test_unknown_kinds_wait_when_the_queue_holds_them(desk: Desk) -> None:
    await desk.conn.execute("update bellhand.meta set value = 'hold' where name = 'unknown_kinds'")
    job = await desk.insert(kind="not.yet")
    w = await desk.worker(kinds=["not.yet"])
    assert await desk.ids(w) == []
    await desk.publish("not.yet")
    assert await desk.conn.fetchval("select bellhand.unpark(array['not.yet'], 10)") == 1
    assert await desk.ids(w) == [job]


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ("{}", '"locations" is missing'),
        ('{"locations": "Dhaka"}', '"locations" must be array, not string'),
        ('{"locations": []}', '"locations" must have at least 1 items'),
        ('{"locations": ["x"], "pages_max": 0}', '"pages_max" must be at least 1'),
        ('{"locations": ["x"], "pages_max": 501}', '"pages_max" must be at most 500'),
        ('{"locations": ["x"], "pages_max": 1.5}', '"pages_max" must be a whole number, not 1.5'),
        ('{"locations": ["x"], "mode": "slow"}', '"mode" must be one of ["fast", "deep"]'),
        ('{"locations": ["x"], "note": 5}', '"note" must be null, string, not number'),
        (
            '{"locations": ["x"], "locaton": 1}',
            'unknown key "locaton"; known are ["locations", "pages_max", "mode", "note"]',
        ),
        ("[1]", "the payload must be an object, not array"),
        ("null", "the payload must be an object, not null"),
    ],
)
async def test_a_payload_that_does_not_fit_its_kind_is_refused(
    desk: Desk, payload: str, problem: str
) -> None:
    error = await refused(desk, kind="leads.collect", payload=payload)
    assert (error.sqlstate, error.detail) == ("BH002", problem)
    assert "leads.collect" in error.hint


async def test_a_fitting_payload_passes(desk: Desk) -> None:
    payload = '{"locations": ["Dhaka"], "pages_max": 500, "mode": "deep", "note": null}'
    assert await desk.insert(kind="leads.collect", payload=payload)


async def test_one_bad_row_refuses_the_whole_statement(desk: Desk) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await desk.conn.execute(
            "insert into bellhand.jobs (kind, payload) select 'leads.collect',"
            " case g when 500 then '{}' else '{\"locations\": [\"x\"]}' end::jsonb from generate_series(1, 1000) g"
        )
    assert await desk.conn.fetchval("select count(*) from bellhand.jobs") == 0
    assert await desk.conn.fetchval("select count(*) from bellhand.queue") == 0


@pytest.mark.parametrize("priority", [0, 11, -1])
async def test_a_bad_priority_is_refused(desk: Desk, priority: int) -> None:
    error = await refused(desk, kind="sites.validate", priority=priority)
    assert error.sqlstate == "BH004"
    assert "1 to 10" in error.hint
    with pytest.raises(asyncpg.PostgresError, match="outside 1 to 10"):
        await desk.conn.execute(
            "select bellhand.enqueue('sites.validate', priority => $1)", priority
        )


async def test_an_oversized_payload_is_refused_and_the_limit_can_be_moved(desk: Desk) -> None:
    big = '{"x": "' + "é" * 600_000 + '"}'
    error = await refused(desk, kind="sites.validate", payload=big)
    assert error.sqlstate == "BH003"
    assert "payload_bytes_max" in error.hint
    await desk.conn.execute(
        "update bellhand.meta set value = '2000000' where name = 'payload_bytes_max'"
    )
    assert await desk.insert(kind="sites.validate", payload=big)


async def test_a_dependency_that_does_not_exist_is_refused(desk: Desk) -> None:
    error = await refused(desk, kind="sites.validate", depends_on=[4711])
    assert error.sqlstate == "BH006"
    assert "4711" in error.message


@pytest.mark.parametrize(
    "column",
    [
        {"tags": "[1]"},
        {"depends_policy": "explode"},
        {"attempts_max": 0},
    ],
)
async def test_other_nonsense_is_refused_by_constraints(
    desk: Desk, column: dict[str, object]
) -> None:
    assert (await refused(desk, kind="sites.validate", **column)).sqlstate == "23514"


@pytest.mark.parametrize(
    "column", [{"timeout_seconds": -1.0}, {"timeout_seconds": float("nan")}, {"tags": json.dumps({"t": "x" * 10_000})}]
)  # fmt: skip
async def test_values_that_would_hurt_later_are_refused_with_a_reason(
    desk: Desk, column: dict[str, object]
) -> None:
    error = await refused(desk, kind="sites.validate", **column)
    assert (error.sqlstate, bool(error.detail), bool(error.hint)) == ("BH004", True, True)


async def test_enqueue_returns_the_existing_job_of_a_unique_key(desk: Desk) -> None:
    enqueue = (
        "select id, created from bellhand.enqueue('sites.validate', unique_key => 'business:1')"
    )
    first = await desk.conn.fetchrow(enqueue)
    assert first["created"] is True
    assert tuple(await desk.conn.fetchrow(enqueue)) == (first["id"], False)
    with pytest.raises(asyncpg.UniqueViolationError):
        await desk.insert(kind="sites.validate", unique_key="business:1")
    assert await desk.insert(kind="sites.emails", unique_key="business:1"), (
        "the key is the kind's own"
    )
    w = await desk.worker()
    (row,) = [row for row in await desk.claim(w) if row["id"] == first["id"]]
    await desk.complete(row)
    assert (await desk.conn.fetchrow(enqueue))["created"] is True, "a job that is over holds no key"


async def test_enqueue_takes_what_a_job_can_have(desk: Desk) -> None:
    await desk.publish("notify.email")
    parent = await desk.insert(kind="sites.validate")
    row = await desk.conn.fetchrow(
        "select id, key, created from bellhand.enqueue(kind => 'sites.emails', payload => '{\"url\": \"x\"}', priority => 8, attempts_max => 7,"
        ' timeout_seconds => 2.5, tags => \'{"batch": 3}\', owner => \'u_17\', depends_on => array[$1::bigint], notify => \'[{"on": ["failed"], "to": "a@b.example"}]\')',
        parent,
    )
    job = await desk.see(row["id"])
    assert (job["key"], job["priority"], job["attempts_max"], job["timeout_seconds"]) == (
        row["key"],
        8,
        7,
        2.5,
    )
    assert (job["owner"], job["tags"], job["depends_on"], job["state"]) == (
        "u_17",
        '{"batch": 3}',
        [parent],
        "blocked",
    )


async def test_enqueue_many_is_all_or_nothing_and_keeps_the_order(desk: Desk) -> None:
    rows = await desk.conn.fetch(
        'select * from bellhand.enqueue_many(\'[{"kind": "sites.validate", "unique_key": "k"}, {"kind": "sites.emails"},'
        ' {"kind": "sites.validate", "unique_key": "k"}]\')'
    )
    assert [row["created"] for row in rows] == [True, True, False]
    assert rows[0]["id"] == rows[2]["id"]
    with pytest.raises(asyncpg.PostgresError, match="unknown kind"):
        await desk.conn.execute(
            'select bellhand.enqueue_many(\'[{"kind": "sites.validate"}, {"kind": "nonsense"}]\')'
        )
    assert await desk.conn.fetchval("select count(*) from bellhand.jobs") == 2


async def test_copy_and_insert_select_of_a_hundred_thousand_rows(desk: Desk) -> None:
    await desk.conn.execute(
        "insert into bellhand.jobs (kind, payload) select 'sites.validate', jsonb_build_object('n', g) from generate_series(1, 100000) g"
    )
    await desk.conn.copy_records_to_table(
        "jobs",
        schema_name="bellhand",
        columns=["kind", "payload"],
        records=[("sites.emails", '{"n": 1}')] * 100_000,
    )
    assert await desk.conn.fetchval("select count(*) from bellhand.queue") == 200_000
    assert await desk.conn.fetchval("select count(distinct key) from bellhand.jobs") == 200_000


async def test_the_key_of_a_job_is_a_version_8_uuid_that_holds_its_id(desk: Desk) -> None:
    id, key = await desk.conn.fetchrow(
        "insert into bellhand.jobs (kind) values ('sites.validate') returning id, key"
    )
    text = str(key)
    assert (text[14], text[19] in "89ab", int(text[:8] + text[9:13] + text[15:18], 16)) == (
        "8",
        True,
        id,
    )


@pytest.mark.parametrize(
    ("urgency", "tier", "value", "expected"),
    [
        ("medium", "standard", 0, 5),
        ("critical", "vip", 20000, 10),
        ("low", "standard", 0, 3),
        ("high", "premium", 6000, 10),
        ("LOW", "VIP", 1001, 7),
    ],
)
async def test_priority_is_computed_as_the_crm_seed_says(
    desk: Desk, urgency: str, tier: str, value: int, expected: int
) -> None:
    assert (
        await desk.conn.fetchval("select bellhand.priority($1, $2, $3)", urgency, tier, value)
        == expected
    )
