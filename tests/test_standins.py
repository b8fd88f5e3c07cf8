"""The stand-ins themselves: the same for everybody, failing when told to, with websites that can be visited."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import aiohttp
import pytest

from bellhand.dev.standins import businesses
from bellhand.dev.standins.faults import FAULTS, Faults
from bellhand.dev.standins.server import StandIns, served
from outside import sections, services, stand_ins


def test_a_search_finds_the_same_each_time_and_shares_some_with_others_at_its_place() -> None:
    plumbers = {one.id for one in businesses.found("plumbers", "Austin")}
    assert plumbers == {one.id for one in businesses.found(" Plumbers ", "Austin")}
    roofers = {one.id for one in businesses.found("roofers", "Austin")}
    assert len(plumbers & roofers) == businesses.SHARED, "so that leads have something to merge"
    assert not plumbers & {one.id for one in businesses.found("plumbers", "Dallas")}
    assert businesses.found("plumbers", "Atlantis") == []


async def test_both_search_services_know_the_same_businesses_and_write_them_differently(
    dsn: str, stand_ins: StandIns
) -> None:
    async with services(dsn, sections(stand_ins.port)) as outside:
        one = (await outside.serpapi.local("plumbers", "Austin")).places
        other = (await outside.places.search("plumbers in Austin")).places
    assert len(one) == len(other) == 20
    for ours, theirs in zip(one, other, strict=True):
        assert theirs.title.startswith(ours.title)
        assert theirs.title != ours.title
        assert ours.phone
        assert theirs.phone
        digits = "".join(filter(str.isdigit, ours.phone))
        assert "1" + digits == "".join(filter(str.isdigit, theirs.phone))
        assert ours.website == theirs.website
        assert ours.place_id != theirs.place_id


async def test_each_business_has_a_website_of_its_own_that_can_be_visited(dsn: str) -> None:
    async with served(websites=True) as running, services(dsn, sections(running.port)) as outside:
        places = (await outside.serpapi.local("plumbers", "Austin")).places
        sites = {place.website: place for place in places if place.website}
        assert len(sites) > 5
        async with aiohttp.ClientSession() as session:
            for address, place in list(sites.items())[:3]:
                async with session.get(address) as answer:
                    text = await answer.text()
                assert answer.status == 200
                assert f"<h1>{place.title.replace('&', '&amp;')}</h1>" in text
                assert place.phone
                assert place.phone in text


async def test_faults_are_ordered_over_http_too(stand_ins: StandIns) -> None:
    base = f"http://127.0.0.1:{stand_ins.port}"
    search = f"{base}/search.json?engine=google_local&q=x&location=Austin&api_key=k"
    async with aiohttp.ClientSession() as session:
        order = {"service": "serpapi", "fault": "unavailable", "times": 2}
        async with session.post(f"{base}/faults", json=order) as answer:
            assert answer.status == 200
        statuses = []
        for _ in range(3):
            async with session.get(search) as answer:
                statuses.append(answer.status)
        assert statuses == [503, 503, 200]
        for bad in ({"service": "bing", "fault": "error"}, {"service": "serpapi", "fault": "bang"}, {}, []):  # fmt: skip
            async with session.post(f"{base}/faults", json=bad) as answer:
                assert answer.status == 400
        await session.post(f"{base}/faults", json=order)
        await session.delete(f"{base}/faults")
        async with session.get(search) as answer:
            assert answer.status == 200


def test_faults_come_in_the_order_they_were_set() -> None:
    faults = Faults()
    faults.set("places", "error")
    faults.set("places", "slow", times=2, seconds=1)
    faults.set("openai", "reset")
    taken = [faults.take("places") for _ in range(4)]
    assert [fault and fault.name for fault in taken] == ["error", "slow", "slow", None]
    assert faults.take("openai") is not None
    with pytest.raises(ValueError, match="there is rate, quota"):
        faults.set("places", "no such")
    assert len(FAULTS) > 10
