"""What a language model says of leads, within a budget; and whether businesses run ads, with the evidence."""

import json

import pytest
from aiohttp import web

from bellhand.clients.serpapi import Ad
from bellhand.families.leads.ads import evidence
from bellhand.families.leads.enrich import Judgement, answer_model, bounded
from leads_town import Town, collected, ended, enqueue, row, shop, steps, town_at_work

WHERE = ("glass", "Austin, TX")
CALL_COST = 1000 * 0.4e-6 + 100 * 1.6e-6  # of the tokens that the town's model says it used


async def enriched(conn, job):
    rows = await conn.fetch(
        "select name, ai_category, fit_score, summary from bellhand_leads.leads"
        " where enriched_at is not null order by id"
    )
    return [tuple(found.values()) for found in rows]


async def collect(conn, **payload):
    given = {"services": WHERE[0], "locations": [WHERE[1]], "source": "serpapi", "enrich": True}
    return await enqueue(conn, "leads.collect", **(given | {"pages_max": 20} | payload))


async def test_leads_are_judged_ten_a_call_and_once(dsn, conn):
    town = Town({WHERE: [shop(n) for n in range(23)]})
    async with town_at_work(dsn, town):
        job = await collect(conn)
        told = await collected(conn, job)
        calls = [call for call in town.asked if call.startswith("judge")]
        assert sorted(len(call.split(",")) for call in calls) == [3, 10, 10]
        assert told["leads_enriched"] == 23
        assert "not_enriched" not in told
        assert told["cost"] == pytest.approx(12 * 0.015 + 3 * CALL_COST, abs=1e-4)
        assert told["api_calls"] == 15
        assert (await enriched(conn, job))[0] == ("Shop 000 AAA", "Shop", 80, "Shop 000 AAA")
        names = [name for name, _ in await steps(conn, job)]
        assert names[0] == "glass in Austin, TX"
        assert len([name for name in names if name.startswith("enrich leads")]) == 3
        town.asked.clear()
        await collected(conn, await collect(conn))
        assert not [call for call in town.asked if call.startswith("judge")]


async def test_with_the_budget_spent_the_rest_stays_and_the_job_says_so(dsn, conn):
    town = Town({WHERE: [shop(n) for n in range(40)]})
    async with town_at_work(dsn, town):
        # Enough for one call at what it could cost at most, not for four.
        job = await collect(conn, enrich_cost_max=0.006)
        told = await collected(conn, job)
        done = await ended(conn, job)
    assert 10 <= told["leads_enriched"] < 40
    assert told["not_enriched"] == 40 - told["leads_enriched"]
    assert "budget" in told["not_enriched_why"]
    assert told["leads_new"] == 40
    assert not done["partial"]
    assert "not enriched" in json.loads(done["progress"])["message"]


async def test_a_call_that_fails_leaves_the_others_and_is_made_again_on_retry(dsn, conn):
    town = Town({WHERE: [shop(n) for n in range(20)]})
    refused = {"error": {"message": "no", "type": "invalid_request_error", "code": "x"}}
    town.trouble = lambda call: (
        web.json_response(refused, status=400) if call.startswith("judge Shop 010") else None
    )
    async with town_at_work(dsn, town):
        job = await conn.fetchval(
            "insert into bellhand.jobs (kind, payload, attempts_max) values ('leads.collect', $1, 1) returning id",
            json.dumps({"services": WHERE[0], "locations": [WHERE[1]], "enrich": True, "pages_max": 20}),
        )  # fmt: skip
        done = await ended(conn, job)
        assert (done["state"], done["partial"]) == ("completed", True)
        told = json.loads(done["result"])
        assert (told["leads_enriched"], told["not_enriched"]) == (10, 10)
        town.trouble = lambda _: None
        town.asked.clear()
        await conn.execute("select bellhand.retry($1)", job)
        told = await collected(conn, job)
        while told["leads_enriched"] < 20:
            told = await collected(conn, job)
    assert [call[:14] for call in town.asked] == ["judge Shop 010"]
    assert len(await enriched(conn, job)) == 20


async def test_excluded_leads_are_not_judged(dsn, conn):
    town = Town({WHERE: [shop(1), shop(2)]})
    async with town_at_work(dsn, town):
        await conn.execute("insert into bellhand_leads.exclusions (field, pattern) values ('name', 'shop 001*')")  # fmt: skip
        await collected(conn, await collect(conn))
    assert [call for call in town.asked if call.startswith("judge")] == ["judge Shop 002 CCC"]


def test_what_a_model_says_is_kept_within_bounds():
    said = Judgement(category=" Shop\x00 ", fit_score=900, summary="x" * 900)
    assert bounded(said) == {"category": "Shop\\x00", "fit_score": 100, "summary": "x" * 500}
    assert bounded(Judgement(category="", fit_score=-5, summary=""))["fit_score"] == 0


def test_the_answer_has_a_field_for_each_lead_and_no_other():
    schema = answer_model(3).model_json_schema()
    assert schema["required"] == ["lead_1", "lead_2", "lead_3"] == list(schema["properties"])


AD = {
    "position": 1,
    "block_position": "top",
    "title": "Best Glass",
    "link": "https://www.acme-glass.com/offer",
    "displayed_link": "www.acme-glass.com",
}


async def test_a_business_that_advertises_is_told_with_the_ad_that_shows_it(dsn, conn):
    """S0-02: `google-ads-check`, by lead and by name, with history."""
    acme = row("Acme Glass", website="https://acme-glass.com", phone="(512) 555-0142")
    town = Town({WHERE: [acme, row("Zenith Tiles")]}, ads={"glass": [{**AD, "position": 2, "title": "Tiles", "link": "https://other.com"}, AD]})  # fmt: skip
    async with town_at_work(dsn, town):
        await collected(conn, await collect(conn, enrich=False))
        rows = await conn.fetch("select id, name from bellhand_leads.leads order by id")
        ids = {r["name"]: r["id"] for r in rows}
        town.asked.clear()
        payload = {
            "lead_ids": [*ids.values(), 999],
            "businesses": [{"domain": "nobody.com", "location": "Dhaka"}],
        }
        job = await enqueue(conn, "google-ads-check", **payload)
        told = await collected(conn, job)
        again = await enqueue(conn, "leads.check_google_ads", lead_ids=[ids["Acme Glass"]])
        await collected(conn, again)
    assert (told["checked"], told["runs_ads"], told["unknown_lead_ids"]) == (3, 1, [999])
    # By its name first, then by what it was found for.
    assert town.asked[:2] == ["ads Acme Glass in Austin, TX", "ads glass in Austin, TX"]
    looks = await conn.fetch("select * from bellhand_leads.ads_checks order by id")
    assert [(c["name"], c["runs_ads"], c["ads_seen"]) for c in looks] == [
        ("Acme Glass", True, 2), ("Zenith Tiles", False, 2), ("nobody.com", False, 0), ("Acme Glass", True, 2),
    ]  # fmt: skip
    (proof, later) = await conn.fetch("select * from bellhand_leads.ads_evidence order by check_id")
    assert (proof["query"], proof["title"], proof["link"]) == ("glass", "Best Glass", AD["link"])
    assert (proof["position"], proof["block"], proof["matched_by"]) == (1, "top", "domain")
    assert later["check_id"] == looks[3]["id"]
    assert looks[0]["checked_at"] is not None


@pytest.mark.parametrize(
    ("ad", "domain", "why"),
    [
        (Ad("x", domain="shop.acme.com"), "acme.com", "domain"),
        (Ad("x", domain="other.com"), "acme.com", None),
        (Ad("x", domain="other.com", advertiser="Acme Glass LLC"), "acme.com", None),
        (Ad("x", advertiser="ACME Glass Inc."), None, "advertiser"),
        (Ad("Acme Glass", domain="directory.com"), None, None),
        (Ad("x", domain="other.com", advertiser="Grady Acme Glass LLC"), None, None),
        (Ad("x", domain="127.0.0.9"), "127.0.0.9", "domain"),
        (Ad("x", domain="facebook.com", advertiser="Acme Glass"), "acme.com", "advertiser"),
    ],
)
def test_an_ad_is_evidence_by_its_domain_or_its_advertiser(ad: Ad, domain: str | None, why):
    found = evidence([ad], "glass", "Acme Glass", domain)
    assert [one["matched_by"] for one in found] == ([why] if why else [])


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({}, "give lead_ids or businesses"),
        ({"businesses": [{"location": "Dhaka"}]}, "give a name or a domain"),
        ({"businesses": [{"name": "Acme"}]}, "location"),
    ],
)
async def test_a_check_of_nobody_fails_at_once_and_says_why(dsn, conn, payload, why):
    async with town_at_work(dsn, Town()):
        job = await enqueue(conn, "leads.check_google_ads", **payload)
        done = await ended(conn, job)
    assert (done["state"], done["attempts"]) == ("failed", 1)
    assert why in done["error"]
