"""SerpApi: its pages and its quirks, against the stand-in, hand-made answers and recorded ones."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
from pathlib import Path

import asyncpg
import pytest

from bellhand.clients.errors import ServiceError
from bellhand.clients.places import Place
from bellhand.clients.serpapi import Ad, LocalPage, read_ads, read_local
from bellhand.clients.services import Services
from bellhand.clients.wire import Answer
from bellhand.dev.standins.server import StandIns
from bellhand.outcomes import Snooze
from outside import _impatient, outside, sections, services, stand_ins, usage


def answer(body: object, status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps(body).encode())


async def test_pages_follow_one_another_to_the_end_s0_30(outside: Services) -> None:
    seen: list[Place] = []
    page = await outside.serpapi.local("plumbers", "Austin, Texas")
    while True:
        assert page.raw_count == len(page.places)
        seen += page.places
        if page.next_start is None:
            break
        assert page.next_start == len(seen)
        page = await outside.serpapi.local("plumbers", "Austin, Texas", start=page.next_start)
    assert len(seen) > 20, "more than one page, or nothing was followed"
    assert len({place.place_id for place in seen}) == len(seen)
    assert all(place.source == "serpapi" and place.phone and place.address for place in seen)
    assert any(place.website for place in seen)
    assert not all(place.website for place in seen)


async def test_nothing_found_is_an_error_in_words_and_a_success_in_fact(
    outside: Services, conn: asyncpg.Connection
) -> None:
    assert await outside.serpapi.local("nothing at all", "Austin") == LocalPage([], None, 0)
    (row,) = await usage(conn)
    assert (row["calls"], row["failures"]) == (1, 0)


async def test_a_place_nobody_knows_is_said_to_be_one(
    outside: Services, stand_ins: StandIns
) -> None:
    with pytest.raises(ServiceError) as caught:
        await outside.serpapi.local("dentist", "Atlantis")
    assert caught.value.code == "bad_request"
    assert not caught.value.retryable
    assert "Unsupported `Atlantis` location" in str(caught.value)
    assert len(stand_ins.asked("serpapi")) == 1, "the same question has the same answer"


@pytest.mark.parametrize(
    "fault", ["error", "unavailable", "truncated", "malformed", "reset", "rate"]
)
async def test_what_passes_is_asked_again_at_once(
    outside: Services, stand_ins: StandIns, conn: asyncpg.Connection, fault: str
) -> None:
    stand_ins.faults.set("serpapi", fault, times=2)
    page = await outside.serpapi.local("plumbers", "Austin")
    assert page.places
    assert len(stand_ins.asked("serpapi")) == 3
    (row,) = await usage(conn)
    assert (row["calls"], row["failures"], row["cost_microdollars"]) == (3, 2, 15_000)


@pytest.mark.parametrize(
    ("fault", "code"),
    [("error", "unavailable"), ("malformed", "bad_answer"), ("truncated", "bad_answer"), ("reset", "connect")],
)  # fmt: skip
async def test_what_does_not_pass_is_an_error_of_the_service(
    outside: Services, stand_ins: StandIns, fault: str, code: str
) -> None:
    stand_ins.faults.set("serpapi", fault, times=9)
    with pytest.raises(ServiceError) as caught:
        await outside.serpapi.local("plumbers", "Austin")
    assert (caught.value.code, caught.value.retryable, caught.value.sick) == (code, True, True)
    assert len(stand_ins.asked("serpapi")) == 3, "once, and retries_max times again"


async def test_retry_after_is_obeyed_and_a_long_one_puts_the_job_off(
    outside: Services, stand_ins: StandIns
) -> None:
    stand_ins.faults.set("serpapi", "rate", seconds=1)
    await outside.serpapi.local("plumbers", "Austin")
    first, second = stand_ins.asked("serpapi")
    assert second.at - first.at >= 1
    stand_ins.faults.set("serpapi", "rate", seconds=120)
    with pytest.raises(Snooze, match="serpapi: it asks for fewer calls") as caught:
        await outside.serpapi.local("plumbers", "Dallas")
    assert 120 <= caught.value.seconds <= 150
    with pytest.raises(Snooze, match="fewer calls"):
        await outside.serpapi.local("plumbers", "Boston")
    assert len(stand_ins.asked("serpapi")) == 3, "nobody asks again before that"


@pytest.mark.parametrize(("fault", "said"), [("quota", "run out of searches"), ("refused", "Invalid API key")])  # fmt: skip
async def test_a_spent_account_and_a_refused_key_let_jobs_wait_and_open_no_breaker(
    outside: Services, stand_ins: StandIns, conn: asyncpg.Connection, fault: str, said: str
) -> None:
    stand_ins.faults.set("serpapi", fault)
    for _ in range(8):
        with pytest.raises(Snooze, match=said) as caught:
            await outside.serpapi.local("plumbers", "Austin")
        assert 240 <= caught.value.seconds <= 4400
    assert len(stand_ins.asked("serpapi")) == 1, "the first one told all others"
    status = await conn.fetchrow("select * from bellhand.service_status")
    assert status is not None
    assert (status["breaker"], status["failures"]) == ("closed", 0)
    assert said in status["paused_reason"]


async def test_an_answer_without_end_is_cut(dsn: str, stand_ins: StandIns) -> None:
    stand_ins.faults.set("serpapi", "large")
    async with services(dsn, sections(stand_ins.port, answer_bytes_max=2_000_000)) as outside:
        with pytest.raises(ServiceError, match="answer_bytes_max, 2000000") as caught:
            await outside.serpapi.local("plumbers", "Austin")
    assert (caught.value.code, caught.value.retryable) == ("too_large", False)


async def test_a_slow_answer_is_given_up(dsn: str, stand_ins: StandIns) -> None:
    stand_ins.faults.set("serpapi", "slow", seconds=5)
    settings = sections(stand_ins.port, seconds_max=0.3, retries_max=0)
    async with services(dsn, settings) as outside:
        with pytest.raises(ServiceError, match=r"no answer within 0\.3 s") as caught:
            await outside.serpapi.local("plumbers", "Austin")
    assert (caught.value.code, caught.value.retryable) == ("timeout", True)


async def test_google_maps_asks_in_its_own_way(dsn: str, stand_ins: StandIns) -> None:
    settings = sections(stand_ins.port)
    settings["serpapi"]["engine"] = "google_maps"
    async with services(dsn, settings) as outside:
        page = await outside.serpapi.local("plumbers", "Austin, Texas")
    (asked,) = stand_ins.asked("serpapi")
    assert asked.query["engine"] == "google_maps"
    assert asked.query["q"] == "plumbers in Austin, Texas"
    assert len(page.places) == 20
    assert any(place.website for place in page.places)


async def test_ads_say_who_pays_and_where_they_lead(outside: Services) -> None:
    ads = await outside.serpapi.ads("plumbers", "Austin, Texas")
    assert ads
    for ad in ads:
        assert ad.domain
        assert ad.link
        assert f"www.{ad.domain}" in ad.link
        assert ad.advertiser
        assert ad.block in ("top", "bottom")
    assert [ad.position for ad in ads] == list(range(1, len(ads) + 1))
    assert await outside.serpapi.ads("nothing", "Austin") == []


def test_a_search_that_fits_one_business_shows_its_page() -> None:
    body = {
        "search_metadata": {"status": "Success"},
        "place_results": {"title": "Harbour Bakery", "type": ["Bakery", "Cafe"], "website": "https://h.example",
                          "gps_coordinates": {"latitude": 1.5, "longitude": -2}, "reviews": "1,234"},
    }  # fmt: skip
    page = read_local(answer(body))
    assert page.places == [
        Place("Harbour Bakery", category="Bakery", website="https://h.example", latitude=1.5, longitude=-2, reviews=1234, source="serpapi")
    ]  # fmt: skip
    assert page.next_start is None


def test_a_search_that_failed_over_there_is_told_by_its_metadata() -> None:
    body = {"search_metadata": {"status": "Error"}, "error": "We couldn't get valid results."}
    with pytest.raises(ServiceError) as caught:
        read_local(answer(body))
    assert (caught.value.code, caught.value.retryable, caught.value.sick) == ("unavailable", True, True)  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [None, [], {}, "x", 3, [None, 3, "x", {}, {"title": None}, {"title": "  "}], {"places": None}],
)
def test_rows_of_no_use_are_passed_by(rows: object) -> None:
    page = read_local(answer({"local_results": rows}))
    assert page.places == []
    assert page.raw_count == (len(rows) if isinstance(rows, list) else 0)


@pytest.mark.parametrize("link", ["https://s.example/x?start=20", "https://s.example/x?start=-1", "https://s.example/x", "https://s.example/?start=" + "9" * 400, 7, None])  # fmt: skip
def test_the_next_page_lies_ahead_or_is_none(link: object) -> None:
    body = {"local_results": [{"title": "x"}], "serpapi_pagination": {"next": link}}
    assert read_local(answer(body), 20).next_start is None


def test_ads_are_found_in_every_block() -> None:
    body = {
        "ads": [{"title": "A", "displayed_link": "www.a.example > menu", "block_position": "bottom", "position": 3}],
        "local_ads": {"ads": [{"title": "B", "link": "https://b.example/x"}, {"link": "https://c.example"}]},
    }  # fmt: skip
    assert read_ads(answer(body)) == [
        Ad("A", displayed_link="www.a.example > menu", domain="a.example", position=3, block="bottom"),
        Ad("B", link="https://b.example/x", domain="b.example", block="local"),
    ]  # fmt: skip


def test_recorded_answers_are_read(test_data: Path) -> None:
    """Real ones: local results of a web search, a search without any, an account without credit."""
    recorded = test_data / "leads" / "serpapi"
    coffee = read_local(answer(json.loads((recorded / "search_coffee_sample.json").read_text())))
    assert coffee.places[0].title == "Houndstooth Coffee"
    assert coffee.places[0].address == "401 Congress Ave #100c"
    assert coffee.places[0].category == "Coffee Shop"
    assert coffee.places[0].reviews == 318
    assert coffee.raw_count == len(coffee.places) == 3
    plain = answer(json.loads((recorded / "basic_search_result.json").read_text()))
    assert read_local(plain) == LocalPage([], None, 0)
    assert read_ads(plain) == []
    for status in (200, 400, 429):
        broke = answer(json.loads((recorded / "error_sample.json").read_text()), status)
        with pytest.raises(ServiceError) as caught:
            read_local(broke)
        assert (caught.value.code, caught.value.pause) == ("quota", True)


async def test_a_search_of_the_web_needs_no_place(outside: Services) -> None:
    found = await outside.serpapi.search("acoustic panel 60x60")
    assert [one.position for one in found] == list(range(1, len(found) + 1))
    assert found, "the stand-in knows something about everything"
