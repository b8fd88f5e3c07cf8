"""Matching end to end: items in, a daemon at work, matches that people review."""

import json

import asyncpg
import pytest
import structlog

from bellhand import logs
from daemons import insert, state, until
from matching import CATALOGUE, SOURCES, by_word, items, matcher, matches, project, run, serving
from support import eventually

LOCAL = ["identifiers", "fuzzy"]


async def test_stages_follow_one_another_over_what_is_left(dsn, conn):
    """S1-01, S1-02, S1-14, S1-25: identifiers first, then texts, then the model, each over what the earlier ones left."""
    await project(conn)
    async with serving() as services, matcher(dsn, services):
        services.judge = by_word("iP4500")
        job = await run(conn, jobType="ai")
        found = await matches(conn)
        assert found["SRC-1001"] == ("T-1", "identifier", "proposed")
        assert found["SRC-1002"] == ("T-2", "fuzzy", "proposed")
        assert found["SRC-1003"] == ("T-3", "fuzzy", "proposed")
        assert found["SRC-1004"] == ("T-4", "fuzzy", "proposed")
        asked = [item["title"] for question in services.questions for item in question]
        assert set(asked) <= {SOURCES[4]["title"], SOURCES[5]["title"]}, (
            "only what is uncertain is asked"
        )
        told = json.loads(job["result"])
        assert told["total_items"] == 6
        assert told["matches_found"] == len(found)
        assert told["items"]["identifier"] == 1
        assert sum(told["items"].values()) == 6
        assert not job["partial"]


async def test_the_view_tells_how_far_a_job_is(dsn, conn):
    """S1-03, S1-12, S1-13, S1-21, S1-23, S1-26: the record by project, with progress and match rate from counts."""
    await project(conn)
    async with matcher(dsn):
        await insert(conn, "matching.run", '{"projectId": "p1", "config": {"jobType": "ai"}, "stages": ["identifiers"]}', run_at=await conn.fetchval("select bellhand.now() + interval '1 day'"))  # fmt: skip
        waiting = await conn.fetchrow("select * from bellhand_matching.matching_jobs where project_id = 'p1'")  # fmt: skip
        assert (waiting["status"], waiting["total_items"], waiting["processed_items"]) == ("pending", 6, 0)  # fmt: skip
        await run(conn, stages=LOCAL)
        row = await conn.fetchrow(
            "select * from bellhand_matching.matching_jobs where project_id = 'p1' and status = 'completed'"
        )
        assert (row["total_items"], row["processed_items"], row["matches_found"]) == (6, 6, 4)
        assert float(row["progress_percentage"]) == 100.0
        assert float(row["match_rate"]) == 66.7
        assert (row["current_stage"], row["current_stage_name"]) == (2, "Fuzzy Matching")
        assert row["started_at"] <= row["completed_at"]
        assert row["estimated_completion"] is None, "it is over"
        match = await conn.fetchrow("select * from bellhand_matching.matches where method = 'fuzzy' order by id limit 1")  # fmt: skip
        assert 0.3 <= match["confidence"] <= 1
        assert json.loads(match["evidence"])["cosine"] > 0.3


async def test_the_log_tells_what_a_run_does(dsn, conn):
    """S1-22: begin, stages, matches and end, each line with the job's id and kind."""
    await project(conn)
    with structlog.testing.capture_logs([logs._add_job]) as said:
        async with matcher(dsn):
            job = await run(conn, stages=LOCAL)
    own = [line for line in said if line.get("job") == job["id"] and line["kind"] == "matching.run"]
    told = {line["event"]: line for line in own}
    assert told["matching_begins"]["unmatched"] == 6
    stages = [line["name"] for line in own if line["event"] == "matching_stage"]
    assert stages == ["Identifiers", "Fuzzy Matching"]
    assert told["catalogues_compared"]["items"] == 5
    found = [line for line in own if line["event"] == "match_found"]
    assert [line["method"] for line in found] == ["identifier", "fuzzy", "fuzzy", "fuzzy"]
    assert all(0.3 <= line["confidence"] <= 1 for line in found)


async def test_a_second_run_takes_only_what_has_no_match(dsn, conn):
    """S1-20, S1-26: running again neither repeats nor overwrites."""
    await project(conn)
    async with matcher(dsn):
        await run(conn, stages=LOCAL)
        before = await matches(conn)
        job = await run(conn, stages=LOCAL)
        assert json.loads(job["result"])["total_items"] == 2
        assert await matches(conn) == before


async def test_what_a_person_decided_stays(dsn, conn):
    """A rejected pair is not proposed again, an accepted or locked one is kept; only a review changes either."""
    await project(conn)
    async with matcher(dsn):
        await run(conn, stages=LOCAL)
        ids = {row["sku"]: row["id"] for row in await conn.fetch(
            "select s.sku, m.id from bellhand_matching.matches m join bellhand_matching.items s on s.id = m.source_id")}  # fmt: skip
        review = "select status from bellhand_matching.review($1, $2, 'ann')"
        assert await conn.fetchval(review, ids["SRC-1002"], "rejected") == "rejected"
        assert await conn.fetchval(review, ids["SRC-1003"], "locked") == "locked"
        await conn.execute(review, ids["SRC-1004"], "accepted")
        with pytest.raises(asyncpg.RaiseError, match="is locked"):
            await conn.execute(review, ids["SRC-1003"], "rejected")
        with pytest.raises(asyncpg.RaiseError, match="was reviewed by ann"):
            await conn.execute("update bellhand_matching.matches set confidence = 0 where id = $1", ids["SRC-1004"])  # fmt: skip
        await run(conn, stages=LOCAL)
        found = await matches(conn)
        assert found["SRC-1002"] == ("T-2", "fuzzy", "rejected")
        assert found["SRC-1003"] == ("T-3", "fuzzy", "locked")
        assert found["SRC-1004"] == ("T-4", "fuzzy", "accepted")


async def test_a_person_makes_a_match_by_hand(dsn, conn):
    """What was merely proposed gives way, what was reviewed does not."""
    await project(conn)
    async with matcher(dsn):
        await run(conn, stages=LOCAL)
        ids = dict(await conn.fetch("select sku, id from bellhand_matching.items"))
        by_hand = "select (bellhand_matching.match_by_hand($1, $2, 'ann')).status"
        assert await conn.fetchval(by_hand, ids["SRC-1006"], ids["T-2"]) == "accepted"
        found = await matches(conn)
        assert found["SRC-1006"] == ("T-2", "person", "accepted")
        assert "SRC-1002" not in found
        with pytest.raises(asyncpg.UniqueViolationError):
            await conn.execute(by_hand, ids["SRC-1002"], ids["T-2"])
        with pytest.raises(asyncpg.RaiseError, match="of one project"):
            await conn.execute(by_hand, ids["T-2"], ids["SRC-1002"])


async def test_a_project_learns_from_reviews(dsn, conn):
    await project(conn)
    async with matcher(dsn):
        await run(conn, stages=LOCAL)
        early = await insert(conn, "matching.learn", '{"project_id": "p1"}')
        row = await until(conn, early, "cancelled")
        assert "nothing to learn from" in row["error"]
        verdicts = {1: "rejected", 2: "accepted", 3: "accepted", 4: "accepted"}
        for match in await conn.fetch("select id from bellhand_matching.matches order by id"):
            verdict = verdicts.pop(min(verdicts))
            await conn.execute("select bellhand_matching.review($1, $2)", match["id"], verdict)
        job = await insert(conn, "matching.learn", '{"project_id": "p1"}')
        row = await until(conn, job, "completed", 30)
        assert json.loads(row["result"]) == {"project_id": "p1", "accepted": 3, "rejected": 1}
        assert await conn.fetchval("select verifier_pairs from bellhand_matching.projects") == 4
        await run(conn, stages=LOCAL)


async def test_accepted_matches_alone_are_enough_to_learn_from(dsn, conn):
    """Who reviews what was proposed may find nothing to reject."""
    await project(conn)
    async with matcher(dsn):
        await run(conn, stages=LOCAL)
        await conn.execute("select bellhand_matching.review(id, 'accepted') from bellhand_matching.matches")  # fmt: skip
        job = await insert(conn, "matching.learn", '{"project_id": "p1"}')
        row = await until(conn, job, "completed", 30)
        assert json.loads(row["result"]) == {"project_id": "p1", "accepted": 4, "rejected": 0}


async def test_without_one_to_one_items_share_a_target(dsn, conn):
    twins = [{"sku": f"A{n}", "title": "Sony Turntable PSLX350H"} for n in range(2)]
    await project(conn, twins, CATALOGUE, one_to_one=False)
    async with matcher(dsn):
        await run(conn, stages=LOCAL)
        assert {sku: found[0] for sku, found in (await matches(conn)).items()} == {"A0": "T-1", "A1": "T-1"}  # fmt: skip


async def test_a_duplicate_sku_is_named_and_the_job_is_partial(dsn, conn):
    """Nobody can know which of the two is meant: the later one is left out, and says so."""
    twice = [{"sku": "SRC-1001 ", "title": "Sony Turntable PSLX350H, used"}]
    await project(conn, [*SOURCES, *twice], [*CATALOGUE, {"sku": "t-1", "title": "Another"}])
    async with matcher(dsn):
        job = await run(conn, stages=LOCAL)
        assert job["partial"]
        fared = await items(conn)
        state_, error = fared["SRC-1001 "]
        assert state_ == "failed"
        assert "duplicate sku" in error
        assert fared["t-1"][0] == "failed"
        assert (await matches(conn))["SRC-1001"][0] == "T-1"
        told = json.loads(job["result"])
        assert (told["total_items"], told["failed_items"]) == (7, 1)


@pytest.mark.parametrize(
    ("sources", "catalogue", "said"),
    [
        (SOURCES, (), "has no items on side catalogue"),
        ((), CATALOGUE, "has no items on side source"),
    ],
)
async def test_an_empty_side_fails_at_once(dsn, conn, sources, catalogue, said):
    await project(conn, sources, catalogue)
    async with matcher(dsn):
        job = await run(conn, "failed")
        assert said in job["error"]
        assert job["attempts"] == 1


async def test_a_project_that_is_not_there_fails_at_once(dsn, conn):
    """S1-27: an invalid project id is told."""
    async with matcher(dsn):
        job = await insert(conn, "matching.run", '{"projectId": "nowhere", "jobType": "ai"}')
        row = await until(conn, job, "failed")
        assert "there is no project nowhere" in row["error"]


async def test_stages_that_cannot_follow_one_another_are_refused(dsn, conn):
    await project(conn)
    async with matcher(dsn):
        job = await run(conn, "failed", stages=["identifiers", "ai"])
        assert "name both" in job["error"]
        assert job["attempts"] == 1


async def test_many_items_with_the_same_title(dsn, conn):
    """Nothing tells them apart: what is unmatched says so, each target goes to one item at most, in bounded time."""
    same = [{"sku": f"S{n}", "title": "Cable 2 m black"} for n in range(1500)]
    targets = [{"sku": f"C{n}", "title": "Black cable, 2 m"} for n in range(1500)]
    await project(conn, same, targets)
    async with matcher(dsn):
        job = await run(conn, stages=LOCAL, seconds=50)
        told = json.loads(job["result"])
        pairs = await conn.fetch("select source_id, target_id from bellhand_matching.matches")
        assert len({p["target_id"] for p in pairs}) == len(pairs) == told["matches_found"]
        assert told["failed_items"] == 0
        assert told["matches_found"] < 20
        why = await conn.fetchval("select error from bellhand_matching.run_items where state = 'unmatched' limit 1")  # fmt: skip
        assert str(why).endswith("entries of the catalogue are equally likely")


async def test_a_pause_and_a_kill_go_on_where_they_stopped(dsn, conn):
    """S1-F1, S1-11: a paused run keeps its candidates and compares no block twice."""
    many = [{"sku": f"S{n}", "title": f"Widget model WX{n:05d}"} for n in range(1200)]
    targets = [{"sku": f"C{n}", "title": f"WX{n:05d} widget"} for n in range(1200)]
    await project(conn, many, targets)
    async with matcher(dsn):
        job = await insert(conn, "matching.run", json.dumps({"project_id": "p1", "stages": LOCAL}))

        async def some_candidates() -> bool:
            return await conn.fetchval("select count(*) > 0 from bellhand_matching.candidates")

        await eventually(some_candidates, 30)
        await conn.execute("select bellhand.pause($1)", job)
        await until(conn, job, "paused")
        early = await conn.fetchval("select count(*) from bellhand_matching.candidates")
    async with matcher(dsn):
        await conn.execute("select bellhand.resume($1)", job)
        row = await until(conn, job, "completed", 40)
        assert 0 < early <= await conn.fetchval("select count(*) from bellhand_matching.candidates")
        assert json.loads(row["result"])["matches_found"] > 1150
        assert await conn.fetchval("select count(*) from bellhand_matching.runs") == 1


async def test_a_cancelled_run_leaves_no_process(dsn, conn):
    """S1-F2."""
    import psutil

    many = [{"sku": f"S{n}", "title": f"Widget model WX{n:05d} of the series {n % 7}"} for n in range(3000)]  # fmt: skip
    await project(conn, many, [{**one, "sku": f"C{n}"} for n, one in enumerate(many)])
    async with matcher(dsn):
        job = await insert(conn, "matching.run", json.dumps({"project_id": "p1", "stages": ["fuzzy"]}))  # fmt: skip

        def comparing() -> list[psutil.Process]:
            children = psutil.Process().children(recursive=True)
            return [one for one in children if "bellhand.families.matching.compare" in one.cmdline()]  # fmt: skip

        await eventually(comparing)
        await conn.execute("select bellhand.cancel($1)", job)
        await until(conn, job, "cancelled")
        await eventually(lambda: not comparing())
        assert await state(conn, job) == "cancelled"
