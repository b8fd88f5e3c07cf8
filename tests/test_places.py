"""Google Places: the new API against the stand-in, the older one's answers as they were recorded."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
import re
from pathlib import Path

import pytest

from bellhand.clients.errors import ServiceError
from bellhand.clients.places import Place, PlacesPage, read_page
from bellhand.clients.services import Services
from bellhand.clients.wire import Answer
from bellhand.dev.standins.server import StandIns
from bellhand.outcomes import Snooze
from outside import KEYS, _impatient, outside, sections, services, stand_ins


def answer(body: object, status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps(body).encode())


async def test_pages_follow_one_another_with_the_same_words(
    outside: Services, stand_ins: StandIns
) -> None:
    seen: list[Place] = []
    token = None
    while True:
        page = await outside.places.search("plumbers in Austin, Texas", page_token=token)
        seen += page.places
        token = page.next_page_token
        if token is None:
            break
    assert len(seen) > 20
    assert len({place.place_id for place in seen}) == len(seen)
    assert all(place.phone and place.phone.startswith("+1 ") for place in seen)
    assert all(place.source == "places" and place.latitude for place in seen)
    for one in stand_ins.asked("places"):
        assert one.headers["X-Goog-Api-Key"] == KEYS["places"]
        mask = one.headers["X-Goog-FieldMask"].split(",")
        assert {"places.id", "places.websiteUri", "nextPageToken"} <= set(mask)
        assert json.loads(one.body)["textQuery"] == "plumbers in Austin, Texas"


async def test_nothing_found_is_an_empty_object(outside: Services) -> None:
    assert await outside.places.search("nothing in Austin") == PlacesPage([])


async def test_a_quota_of_the_minute_passes_and_one_of_the_day_does_not(
    outside: Services, stand_ins: StandIns
) -> None:
    stand_ins.faults.set("places", "rate", times=2)
    assert (await outside.places.search("plumbers in Austin")).places
    stand_ins.faults.set("places", "quota")
    with pytest.raises(Snooze, match="per day") as caught:
        await outside.places.search("plumbers in Austin")
    assert 3600 <= caught.value.seconds <= 4400
    assert len(stand_ins.asked("places")) == 4


async def test_a_key_that_google_refuses_with_400_is_no_bad_question(
    outside: Services, stand_ins: StandIns
) -> None:
    stand_ins.faults.set("places", "refused")
    with pytest.raises(Snooze, match="the key is refused: API key not valid"):
        await outside.places.search("plumbers in Austin")


async def test_a_bad_question_is_ours(outside: Services) -> None:
    with pytest.raises(ServiceError) as caught:
        await outside.places.search("plumbers in Austin", page_token="made up")
    assert (caught.value.code, caught.value.retryable, caught.value.sick) == ("bad_request", False, False)  # fmt: skip


def test_a_place_that_is_closed_for_good_is_left_out() -> None:
    rows = [
        {"displayName": {"text": "Open"}, "nationalPhoneNumber": "030 1", "types": ["cafe"]},
        {"displayName": {"text": "Gone"}, "businessStatus": "CLOSED_PERMANENTLY"},
        {"displayName": {}}, {"displayName": "x"}, {}, None, 3,
    ]  # fmt: skip
    assert read_page(answer({"places": rows})).places == [
        Place("Open", phone="030 1", category="cafe")
    ]


@pytest.mark.parametrize(
    ("status", "code", "pause", "retryable"),
    [
        ("OVER_QUERY_LIMIT", "quota", True, True),
        ("REQUEST_DENIED", "key_refused", True, True),
        ("INVALID_REQUEST", "bad_request", False, False),
        ("UNKNOWN_ERROR", "unavailable", False, True),
        ("SOMETHING_NEW", "bad_answer", False, True),
    ],
)
def test_the_older_api_says_in_http_200_what_is_wrong(
    status: str, code: str, pause: bool, retryable: bool
) -> None:
    body = {"status": status, "results": [], "error_message": "because"}
    with pytest.raises(ServiceError, match="because") as caught:
        read_page(answer(body))
    found = (caught.value.code, caught.value.pause, caught.value.retryable)
    assert found == (code, pause, retryable)
    assert read_page(answer({"status": "ZERO_RESULTS", "results": []})) == PlacesPage([])


def recorded(folder: Path, name: str) -> Answer:
    """A recorded answer; its file is JSON with comments, single quotes and commas at ends."""
    text = (folder / "leads" / "places" / f"maps_http_places_{name}_response.yml").read_text()
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"'(<a [^']*>[^']*)'", lambda m: json.dumps(m[1]), text)
    return Answer(200, {}, re.sub(r",(\s*[\]}])", r"\1", text).encode())


def test_recorded_answers_are_read(test_data: Path) -> None:
    page = read_page(recorded(test_data, "textsearch"))
    assert len(page.places) == 20
    assert page.next_page_token
    first = page.places[0]
    assert first.title == "Aria Restaurant Sydney"
    assert first.address == "1 Macquarie St, Sydney NSW 2000, Australia"
    assert first.place_id == "ChIJdxxU1WeuEmsR11c4fswX-Io"
    assert (first.latitude, first.longitude) == (-33.8592041, 151.2132635)
    assert (first.rating, first.reviews, first.category) == (4.5, 1681, "restaurant")
    assert len(read_page(recorded(test_data, "textsearch_weighted")).places) == 20
    with pytest.raises(ServiceError, match="INVALID_REQUEST"):
        read_page(recorded(test_data, "textsearch_pagetoken"))
