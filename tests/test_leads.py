"""Collecting leads end to end: jobs in, real HTTP to services on loopback, leads in the tables."""

import asyncio
import json

import asyncpg
import pytest
from aiohttp import web

from leads_town import (
    Town,
    collected,
    ended,
    enqueue,
    names,
    placed,
    row,
    shop,
    steps,
    town_at_work,
)
from support import eventually

ACME = row(
    "Acme Glass", phone="(512) 555-0142", address="12 Main St, Austin, TX 78701",
    website="https://www.acme-glass.com/?utm_source=maps", type="Glazier", rating=4.5, reviews=31,
    place_id="place-acme",
)  # fmt: skip


async def test_services_and_locations_become_steps_service_by_service(dsn, conn):
    """S0-02, S0-05, S0-06, S0-10: as comma-separated text, under the seed's name for the kind."""
    town = Town({("SEO", "Delhi"): [row("Delhi SEO")]})
    async with town_at_work(dsn, town):
        job = await enqueue(
            conn, "lead-collection", services="Web Development, SEO", locations="Dhaka, Delhi, Singapore"
        )  # fmt: skip
        told = await collected(conn, job)
        done = await ended(conn, job)
    pairs = [f"{s} in {p}" for s in ("Web Development", "SEO") for p in ("Dhaka", "Delhi", "Singapore")]  # fmt: skip
    assert await steps(conn, job) == [(pair, "completed") for pair in pairs]
    assert [call for call in town.asked if "places" not in call] == [f"{p} from 0" for p in pairs]
    assert (told["leads_found"], told["leads_new"], told["api_calls"]) == (1, 1, 11)
    progress = json.loads(done["progress"])
    assert (progress["steps_done"], progress["steps_total"]) == (6, 6)
    assert progress["counters"]["leads_found"] == 1
    assert "1 found, 1 new" in progress["message"]


async def test_pages_are_read_and_the_same_business_is_one_lead(dsn, conn):
    town = Town(
        {
            ("glass", "Austin, TX"): [ACME, shop(1), shop(2), shop(3), shop(4)],
            ("windows", "Austin, TX"): [shop(3), row("ACME GLASS LLC", phone="512.555.0142")],
        }
    )
    async with town_at_work(dsn, town):
        first = await enqueue(conn, "leads.collect", services=["glass", "windows"], locations=["Austin, TX"])  # fmt: skip
        told = await collected(conn, first)
        assert (told["leads_found"], told["leads_new"], told["leads_merged"]) == (7, 5, 2)
        assert told["cost"] == pytest.approx(4 * 0.015)
        again = await enqueue(conn, "leads.collect", services=["glass"], locations=["Austin, TX"])
        told = await collected(conn, again)
        assert (told["leads_found"], told["leads_new"], told["leads_merged"]) == (5, 0, 5)
    lead = await conn.fetchrow("select * from bellhand_leads.leads where name = 'Acme Glass'")
    assert (lead["phone"], lead["domain"], lead["country"]) == ("+15125550142", "acme-glass.com", "US")  # fmt: skip
    assert (lead["category"], lead["rating"], lead["reviews"]) == ("Glazier", 4.5, 31)
    sources = await conn.fetch(
        "select * from bellhand_leads.sources where lead_id = $1 order by found_at", lead["id"]
    )
    assert [(s["job_id"], s["service"], s["matched_by"]) for s in sources] == [
        (first, "glass", "new"),
        (first, "windows", "phone"),
        (again, "glass", "place"),
    ]
    assert json.loads(sources[1]["found"])["title"] == "ACME GLASS LLC"


async def test_pages_stop_where_the_payload_says(dsn, conn):
    town = Town({("glass", "Austin, TX"): [shop(n) for n in range(9)]})
    async with town_at_work(dsn, town):
        job = await enqueue(conn, "leads.collect", services="glass", locations=["Austin, TX"], pages_max=2)  # fmt: skip
        assert (await collected(conn, job))["leads_found"] == 4
    assert town.asked == ["glass in Austin, TX from 0", "glass in Austin, TX from 2"]


@pytest.mark.parametrize("broken", ["empty", "down", "no key"])
async def test_places_stands_in_where_serpapi_has_nothing_or_cannot_be_asked(dsn, conn, broken):
    town = Town(
        places={
            "glass in Dhaka": [
                placed("Dhaka Glass", internationalPhoneNumber="+880 1711-123456",
                       formattedAddress="5 Mirpur Rd, Dhaka, Bangladesh", websiteUri="https://dhakaglass.com/"),
                placed("Glass Two"),
                placed("Glass Three"),
            ]
        }
    )  # fmt: skip
    down = web.Response(status=503, text="{}")
    if broken == "down":
        town.trouble = lambda call: None if call.startswith("places") else down
    async with town_at_work(dsn, town, without="serpapi" if broken == "no key" else ""):
        job = await enqueue(conn, "leads.collect", services="glass", locations="Dhaka")
        told = await collected(conn, job)
        step = json.loads(await conn.fetchval("select result from bellhand.steps where job = $1", job))  # fmt: skip
    assert told["leads_new"] == 3
    assert step["places"] == 3
    why = {"empty": "0", "down": "the service has a fault", "no key": "waits for a key"}[broken]
    assert why in str(step["serpapi"])
    lead = await conn.fetchrow("select * from bellhand_leads.leads order by id limit 1")
    assert (lead["phone"], lead["country"]) == ("+8801711123456", "BD")
    assert await conn.fetchval("select count(distinct source) from bellhand_leads.sources") == 1


async def test_a_step_that_fails_leaves_the_others_and_a_retry_runs_only_what_failed(dsn, conn):
    """S0-27, S0-28, S0-29: the error is told, the job is partial, a retry pays for nothing twice."""
    town = Town(
        {
            ("glass", "Dhaka"): [row("Dhaka Glass")],
            ("glass", "Delhi"): [shop(n) for n in range(5)],
            ("glass", "Singapore"): [row("Singapore Glass")],
        }
    )
    town.trouble = lambda call: (
        web.Response(text="<html>oops") if call == "glass in Delhi from 2" else None
    )
    async with town_at_work(dsn, town):
        job = await conn.fetchval(
            "insert into bellhand.jobs (kind, payload, attempts_max) values ('leads.collect', $1, 1) returning id",
            json.dumps({"services": "glass", "locations": "Dhaka, Delhi, Singapore", "source": "serpapi"}),
        )  # fmt: skip
        done = await ended(conn, job)
        assert (done["state"], done["partial"]) == ("completed", True)
        assert dict(await steps(conn, job)) == {
            "glass in Dhaka": "completed", "glass in Delhi": "failed", "glass in Singapore": "completed",
        }  # fmt: skip
        error = await conn.fetchval(
            "select error from bellhand.steps where job = $1 and state = 'failed'", job
        )
        assert "serpapi: the answer is not the JSON" in error
        # The page before the one that failed is kept, and told of.
        assert json.loads(done["result"])["leads_found"] == 4
        town.trouble = lambda _: None
        town.asked.clear()
        await conn.execute("select bellhand.retry($1)", job)
        await eventually(lambda: town.asked)
        told = await collected(conn, job)
    assert town.asked == ["glass in Delhi from 2", "glass in Delhi from 4"]
    assert (told["leads_found"], told["leads_new"], told["api_calls"]) == (7, 7, 5)
    done = await ended(conn, job)
    assert done["partial"] is False
    assert json.loads(done["progress"])["counters"]["leads_found"] == 7


async def test_a_step_has_its_own_time_limit(dsn, conn, monkeypatch):
    """S0-07, S0-09: ten minutes a step and none for the job; shown here with a shorter one."""
    from dataclasses import replace

    from bellhand.families.leads import collect_leads
    from bellhand.kinds import ATTRIBUTE

    kind = getattr(collect_leads, ATTRIBUTE)
    assert (kind.step_timeout_seconds, kind.timeout_seconds) == (600, None)
    monkeypatch.setattr(collect_leads, ATTRIBUTE, replace(kind, step_timeout_seconds=1.5, attempts_max=1))  # fmt: skip
    town = Town({("glass", "Delhi"): [row("Delhi Glass")]})
    town.slow = lambda call: 60.0 if "Dhaka" in call else 0.0
    async with town_at_work(dsn, town):
        job = await enqueue(conn, "leads.collect", services="glass", locations="Dhaka, Delhi")
        done = await ended(conn, job)
    assert (done["state"], done["partial"]) == ("completed", True)
    error = await conn.fetchval("select error from bellhand.steps where job = $1 and error is not null", job)  # fmt: skip
    assert "timed out after 1.5 s" in error
    assert await names(conn) == ["Delhi Glass"]


async def test_two_jobs_that_find_a_business_at_once_make_one_lead_of_it(dsn, conn):
    shops = [shop(n) for n in range(40)]
    searches = {(f"s{i}", "Austin, TX"): shops[i % 3 :] + shops[: i % 3] for i in range(6)}
    town = Town(searches)
    async with town_at_work(dsn, town):
        jobs = [
            await enqueue(conn, "leads.collect", services=f"s{i}", locations=["Austin, TX"], pages_max=20)
            for i in range(6)
        ]  # fmt: skip
        told = [await collected(conn, job) for job in jobs]
    assert sum(one["leads_new"] for one in told) == 40
    assert sum(one["leads_merged"] for one in told) == 200
    assert len(await names(conn)) == 40
    assert await conn.fetchval("select count(*) from bellhand_leads.sources") == 240


async def test_a_missing_key_lets_the_job_wait_and_says_why(dsn, conn):
    town = Town()
    async with town_at_work(dsn, town, key=None):
        job = await enqueue(conn, "leads.collect", services="glass", locations="Dhaka")

        async def waits() -> bool:
            found = await conn.fetchrow("select * from bellhand.all_jobs where id = $1", job)
            return found["state"] == "scheduled" and "waits for a key" in (found["error"] or "")

        await eventually(waits)
        found = await conn.fetchrow("select * from bellhand.all_jobs where id = $1", job)
    assert found["attempts"] == 0
    assert town.asked == []


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"services": "", "locations": "Dhaka"}, "services"),
        ({"services": " , ", "locations": "Dhaka"}, "name at least one"),
        ({"services": "SEO", "locations": []}, "locations"),
        ({"services": "SEO", "locations": "Dhaka", "country": "Atlantis"}, "no country"),
        ({"services": "SEO", "locations": "Dhaka", "exclusions": "domain: x"}, "excludes nothing"),
        ({"services": "SEO", "locations": "Dhaka", "pages_max": 0}, "pages_max"),
        ({"services": "SEO", "locations": "Dhaka", "places": 1}, "places"),
        ({"services": ["x" * 201], "locations": "Dhaka"}, "200 characters"),
    ],
)
async def test_bad_input_is_refused_with_what_is_wrong(dsn, conn, payload, why):
    async with town_at_work(dsn, Town()):
        try:
            job = await enqueue(conn, "leads.collect", **payload)
        except asyncpg.PostgresError as error:
            told = str(error)
        else:
            done = await ended(conn, job)
            assert done["state"] == "failed"
            told = done["error"]
    assert why in told


async def test_a_place_nobody_knows_is_told_by_its_step(dsn, conn):
    town = Town({("glass", "Dhaka"): [row("Dhaka Glass")]})
    unknown = {"error": "Unsupported `Atlantis` location - location parameter."}
    town.trouble = lambda call: (
        web.json_response(unknown, status=400) if call == "glass in Atlantis from 0" else None
    )
    async with town_at_work(dsn, town):
        job = await conn.fetchval(
            "insert into bellhand.jobs (kind, payload, attempts_max) values ('leads.collect', $1, 2) returning id",
            json.dumps({"services": "glass", "locations": "Atlantis, Dhaka"}),
        )  # fmt: skip
        done = await ended(conn, job)
    assert (done["state"], done["partial"]) == ("completed", True)
    error = await conn.fetchval("select error from bellhand.steps where job = $1 and error is not null", job)  # fmt: skip
    assert "Unsupported `Atlantis` location" in error
    assert await names(conn) == ["Dhaka Glass"]
    # What was refused is not asked for again, and burns no attempt.
    assert done["attempts"] == 0
    assert town.asked.count("glass in Atlantis from 0") == 1
    assert town.asked.count("places glass in Atlantis from 0") == 1


async def test_a_daemon_that_goes_away_leaves_a_job_that_another_finishes(dsn, conn):
    """S0-31: nothing that was found is lost or searched for again."""
    town = Town({(f"s{n}", "Dhaka"): [row(f"Shop {n}")] for n in range(4)})
    held = asyncio.Event()
    town.slow = lambda call: 1.0 if call.startswith("s2") and not held.is_set() else 0.0
    async with town_at_work(dsn, town):
        job = await enqueue(conn, "leads.collect", services="s0,s1,s2,s3", locations="Dhaka")
        await eventually(lambda: any(call.startswith("s2") for call in town.asked))
        held.set()
    first = list(town.asked)
    town.asked.clear()
    async with town_at_work(dsn, town):
        told = await collected(conn, job)
    assert first[:2] == ["s0 in Dhaka from 0", "s1 in Dhaka from 0"]
    assert "s0 in Dhaka from 0" not in town.asked
    assert "s1 in Dhaka from 0" not in town.asked
    assert (told["leads_found"], told["leads_new"]) == (4, 4)


async def test_the_estimate_is_measured_or_says_that_it_is_not(dsn, conn):
    """S0-08: six steps of at most ten minutes before anything was measured."""
    estimate = "select * from bellhand_leads.estimate(2, 3)"
    guess = await conn.fetchrow(estimate)
    assert tuple(guess.values()) == (6, 3600.0, 3600.0, 0)
    town = Town({("glass", "Dhaka"): [row("Dhaka Glass")]})
    town.slow = lambda _: 0.2
    async with town_at_work(dsn, town):
        await collected(
            conn, await enqueue(conn, "leads.collect", services="glass", locations="Dhaka")
        )
    measured = await conn.fetchrow(estimate)
    assert (measured["steps"], measured["measured"]) == (6, 1)
    assert 1.2 <= measured["seconds"] < 60
