"""What fails alike: groups that the keeper fills, what sets them apart, and telling a group what to do."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
from typing import Any

import asyncpg
import pytest

from bellhand.sql import query
from desk import Desk, desk

TRACE = """Traceback (most recent call last):
  File "/srv/jobs.py", line {n}, in handler
    fetch(url)
{last}
"""
ALIKE = [
    ("httpx.ReadTimeout: GET https://a.example/x?q=1 took 31.5 s",
     "httpx.ReadTimeout: GET http://b.example:8080/ took 4 s"),
    ("ValueError: row 17 of 'Müller & Co' has no price", "ValueError: row 8 of \"Jones\" has no price"),
    ("KeyError: 'sku-1'", "KeyError: 'sku-2'"),
    ("OSError: [Errno 2] No such file or directory: '/tmp/a b/c'",
     "OSError: [Errno 2] No such file or directory: '/var/x'"),
    ("Error: job 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is gone", "Error: job 9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d is gone"),
    ("smtplib.SMTPRecipientsRefused: ann@example.org: unknown", "smtplib.SMTPRecipientsRefused: bob.x@mail.example.net: unknown"),
    ("gaierror: cannot resolve shop.example.com", "gaierror: cannot resolve www.other.example"),
    ("Error: digest deadbeef01 differs", "Error: digest 00c0ffee42 differs"),
]  # fmt: skip
UNLIKE = [
    ("ValueError: no price", "ValueError: no name"),
    ("ValueError: no price", "TypeError: no price"),
    ("it's gone", "it's here"),
    ("Error: don't do 'a' when it isn't 'b'", "Error: don't do 'a' when it is"),
]


async def pattern(conn: asyncpg.Connection, error: str) -> tuple[str, str]:
    row = await conn.fetchrow(
        "select bellhand.error_class($1) as class, bellhand.error_pattern($1) as pattern", error
    )
    assert row
    return row["class"], row["pattern"]


async def test_what_varies_is_no_part_of_a_failure(conn: asyncpg.Connection) -> None:
    for n, (one, other) in enumerate(ALIKE):
        traced = TRACE.format(n=n, last=one)
        assert await pattern(conn, traced) == await pattern(conn, other), one
    for one, other in UNLIKE:
        assert await pattern(conn, one) != await pattern(conn, other), one
    assert await pattern(conn, TRACE.format(n=1, last="a.b.Late: x 1\n  more")) == (
        "Late",
        "Late: x <n>",
    )
    assert await pattern(conn, "") == ("error", "")
    assert (await pattern(conn, "no class here"))[0] == "error"


async def test_any_text_has_a_pattern_in_bounded_time(conn: asyncpg.Connection) -> None:
    for text in (
        "'" * 20_000,
        '"a' * 10_000,
        "a." * 20_000,
        "@" * 20_000,
        "/" * 20_000,
        "a@b." * 9000,
        "ſ\u202e" * 9000,
    ):
        said = await conn.fetchval("select bellhand.error_pattern($1)", f"E: {text}", timeout=2)
        assert len(said) <= 300


async def ended(
    desk: Desk,
    outcome: str,
    *payloads: dict[str, Any],
    error: str = "ValueError: no",
    **columns: Any,
) -> list[int]:
    """Jobs with these payloads that ended so."""
    jobs = [await desk.insert(payload=json.dumps(one), **columns) for one in payloads]
    worker = await desk.worker()
    for row in await desk.claim(worker, room=len(jobs)):
        if outcome == "complete":
            await desk.complete(row)
        else:
            await desk.end(row, outcome, error=error)
    return jobs


async def groups(desk: Desk) -> dict[str, int]:
    await desk.conn.execute("select bellhand.learn_now()")
    rows = await desk.conn.fetch("select message, jobs from bellhand.failure_groups")
    return {row["message"]: row["jobs"] for row in rows}


async def test_failures_are_grouped_once_each_and_as_often_as_they_happen(desk: Desk) -> None:
    await desk.publish("a", "b")
    first = await ended(desk, "fail", {"n": 1}, {"n": 2}, error="ValueError: row 1")
    await ended(desk, "complete", {"n": 3})
    await ended(desk, "cancel", {"n": 4})
    assert await groups(desk) == {"ValueError: row <n>": 2}
    assert await groups(desk) == {"ValueError: row <n>": 2}
    await ended(desk, "fail", {"n": 5}, error="TypeError: no")
    assert await groups(desk) == {"ValueError: row <n>": 2, "TypeError: no": 1}
    await desk.at("2030-01-07 11:00Z")
    await desk.conn.execute("select bellhand.retry($1)", first[0])
    (row,) = await desk.claim(await desk.worker())
    await desk.end(row, "fail", error="ValueError: row 7")
    assert (await groups(desk))["ValueError: row <n>"] == 3
    (shown,) = [
        r for r in await desk.conn.fetch(query("failures"), False, None, 10) if r["jobs"] == 3
    ]
    assert shown["open"] == 2, "one of them ran again and failed again"
    assert shown["trend"] == [0] * 21 + [2, 0, 1]
    assert shown["error_class"] == "ValueError"
    (again, *_) = await desk.conn.fetch(query("failure_jobs"), shown["fingerprint"], 5)
    assert (again["id"], again["error"]) == (first[0], "ValueError: row 7")


async def test_a_partial_job_is_a_failure_and_a_flood_is_grouped_in_parts(desk: Desk) -> None:
    await desk.conn.execute(
        "insert into bellhand.history (id, key, kind, payload, priority, run_at, depends_policy, source, created_at, state, epoch, attempts,"
        " crashes, error, partial, finished_at) select n, gen_random_uuid(), 'a', '{}', 5, bellhand.now(), 'cancel', 'sql', bellhand.now(),"
        " 'completed', 1, 0, 0, 'StepError: ' || n, true, bellhand.now() - n * interval '1 millisecond' from generate_series(1, 4500) n"
    )
    grouped = [await desk.conn.fetchval("select bellhand.learn_now()") for _ in range(4)]
    assert grouped == [2000, 2000, 500, 0]
    assert await groups(desk) == {"StepError: <n>": 4500}
    await desk.conn.execute(
        "update bellhand.history set error = null, finished_at = bellhand.now() where id = 1"
    )
    await desk.conn.execute(
        "insert into bellhand.steps (job, name, position, state, error) values (1, 'one', 0, 'completed', null),"
        " (1, 'two', 1, 'failed', 'ValueError: nobody is no address'), (1, 'three', 2, 'failed', 'KeyError: x')"
    )
    await desk.conn.execute("select bellhand.learn_now()")
    assert (await groups(desk))["ValueError: nobody is no address"] == 1, (
        "told by its first failed step"
    )
    own = await desk.conn.fetchval(
        "select fingerprint from bellhand.failures where error_class = 'ValueError'"
    )
    (told,) = await desk.conn.fetch(query("failure_jobs"), own, 1)
    assert "nobody" in told["error"]


async def test_contrast_names_what_failures_share_and_successes_have_not(desk: Desk) -> None:
    large = [
        {"pages": 600 + n, "mode": "deep", "url": f"https://big.example/{n}"} for n in range(12)
    ]
    small = [
        {"pages": 10 + n * 12, "mode": "deep" if n % 2 else "flat", "url": f"https://s{n}.example/"}
        for n in range(40)
    ]
    await ended(desk, "complete", *small[:20], owner="ann")
    await ended(desk, "complete", *small[20:], owner="bob")
    await ended(desk, "fail", *large, owner="ann", error="MemoryError: 3 GB")
    await desk.conn.execute("select bellhand.learn_now()")
    fingerprint = await desk.conn.fetchval("select fingerprint from bellhand.failures")
    facts = {
        row["fact"]: (row["failures"], row["failures_of"], row["successes"], row["successes_of"])
        for row in await desk.conn.fetch(query("failure_contrast"), fingerprint)
    }
    assert facts["payload.pages > 478"] == (12, 12, 0, 40)
    assert facts['host of payload.url is "big.example"'] == (12, 12, 0, 40)
    assert not any("mode" in fact or "owner" in fact for fact in facts), (
        "half of the successes are so too"
    )


async def test_contrast_says_nothing_of_too_few(desk: Desk) -> None:
    await ended(desk, "complete", *({"n": n} for n in range(4)))
    await ended(desk, "fail", *({"x": n} for n in range(5)))
    await desk.conn.execute("select bellhand.learn_now()")
    fingerprint = await desk.conn.fetchval("select fingerprint from bellhand.failures")
    assert await desk.conn.fetch(query("failure_contrast"), fingerprint) == []


async def test_a_muted_group_is_left_out_until_its_time(desk: Desk) -> None:
    await ended(desk, "fail", {})
    await desk.conn.execute("select bellhand.learn_now()")
    fingerprint = await desk.conn.fetchval("select fingerprint from bellhand.failures")
    await desk.conn.fetch(query("mute_failure"), fingerprint, 3600.0, "known", False, "ann")
    assert await desk.conn.fetch(query("failures"), False, None, 10) == []
    (row,) = await desk.conn.fetch(query("failures"), True, "a", 10)
    assert (row["muted"], row["muted_by"], row["muted_reason"]) == (True, "ann", "known")
    await desk.at("2030-01-07 10:01Z")
    assert len(await desk.conn.fetch(query("failures"), False, None, 10)) == 1
    await desk.conn.fetch(query("mute_failure"), fingerprint, None, "mended", True, "ann")
    assert await desk.conn.fetch(query("failures"), False, None, 10) == []
    await desk.conn.execute("insert into bellhand.deploys (version) values ('2')")
    (row,) = await desk.conn.fetch(query("failures"), False, None, 10)
    assert (row["muted"], row["muted_by"], row["muted_until_deploy"]) == (False, None, False)
    with pytest.raises(asyncpg.PostgresError, match="there is no group of failures"):
        await desk.conn.fetch(query("mute_failure"), "nope", None, None, False, "ann")


async def test_a_group_is_retried_as_one_and_what_history_lost_is_forgotten(desk: Desk) -> None:
    jobs = await ended(desk, "fail", {}, {}, error="ValueError: a")
    (other,) = await ended(desk, "fail", {}, error="ValueError: b")
    await desk.conn.execute("select bellhand.learn_now()")
    chosen = json.dumps(
        {
            "failure": await desk.conn.fetchval(
                "select fingerprint from bellhand.failures where jobs = 2"
            )
        }
    )
    await desk.conn.fetch(query("bulk_act"), chosen, "retry", 2, None, "{}", "ann")
    assert [await desk.state(job) for job in (*jobs, other)] == ["scheduled", "scheduled", "failed"]
    await desk.at("2030-03-07 09:00Z")
    while await desk.conn.fetchval("select bellhand.forget_failures(30)"):
        pass
    for table in ("failures", "failure_jobs", "failure_hours", "operations", "operation_jobs"):
        assert await desk.conn.fetchval(f"select count(*) from bellhand.{table}") == 0, table
