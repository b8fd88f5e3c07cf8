"""Politeness: who waits for whom at a host, and what a host that asks for peace gets."""

import asyncio

import pytest
from aiohttp import web

from bellhand.clients.errors import Busy
from bellhand.clients.retry_after import retry_after_seconds
from bellhand.clients.turns import TurnIsFar, Turns
from websites import local_web, serving

SUNDAY = "Sun, 01 Mar 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "999999"}, 3600),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
        ({"Retry-After": "Sun, 01 Mar 2026 10:00:09 GMT", "Date": SUNDAY}, 9),
        ({"Retry-After": "Sun, 01 Mar 2026 09:00:00 GMT", "Date": SUNDAY}, 0),
        ({"Retry-After": "Sun, 01 Mar 2099 10:00:00 GMT", "Date": SUNDAY}, 3600),
        ({"Retry-After": "Sun, 01 Mar 2026 10:00:09 GMT"}, None),
        ({"Retry-After": "Sun, 01 Mar 2026 10:00:09 -0000", "Date": SUNDAY}, None),
    ],
)
def test_retry_after_is_read_with_care(headers, seconds):
    assert retry_after_seconds(headers) == seconds


@pytest.mark.parametrize("status", [429, 503])
async def test_a_host_that_asks_for_peace_gets_it_from_everybody(status):
    answers = [web.Response(status=status, headers={"Retry-After": "1"})]
    loop = asyncio.get_running_loop()
    at = []

    async def busy(_):
        at.append(loop.time())
        return answers.pop() if answers else web.Response(text="ok")

    async with serving(("/", busy)) as port, local_web(port) as fetcher:
        page = await fetcher.get(f"http://127.0.0.1:{port}/")
        assert page.status == status
        pages = await asyncio.gather(*(fetcher.get(f"http://127.0.0.1:{port}/") for _ in range(3)))
        assert [page.text for page in pages] == ["ok"] * 3
    assert at[1] - at[0] > 0.95


async def test_a_turn_that_is_far_off_is_said_at_once_and_holds_nobody():
    async def busy(_):
        return web.Response(status=503, headers={"Retry-After": "600"})

    async with serving(("/", busy)) as port, local_web(port, wait_seconds_max=5) as fetcher:
        await fetcher.get(f"http://127.0.0.1:{port}/")
        async with asyncio.timeout(20):
            with pytest.raises(Busy) as caught:
                await fetcher.get(f"http://127.0.0.1:{port}/")
    assert caught.value.code == "host_busy"
    assert 590 < caught.value.after_seconds <= 600


async def test_who_waits_behind_many_others_is_sent_away_in_time():
    turns = Turns(width=9, width_per_host=1, wait_seconds_max=0.05)
    async with turns.turn("a"):
        with pytest.raises(TurnIsFar) as caught:
            async with turns.turn("a"):
                pytest.fail("somebody else is in there")
        async with turns.turn("b"):
            pass
    assert caught.value.after_seconds == 0.05
    async with turns.turn("a"):
        pass
    assert turns._hosts == {}


async def test_those_who_waited_are_spaced_out_after_a_pause_too():
    turns = Turns(width=9, width_per_host=4, delay_seconds=0.05)
    loop = asyncio.get_running_loop()
    at = []

    async def visit():
        async with turns.turn("a"):
            at.append(loop.time())

    began = loop.time()
    visits = [asyncio.create_task(visit()) for _ in range(4)]
    turns.back_off("a", 0.1)
    await asyncio.gather(*visits)
    # Who is woken late makes the gap after it shorter.
    assert min(when - began - 0.05 * n for n, when in enumerate(at, start=2)) > -0.02, at


async def test_hosts_that_asked_for_a_delay_are_kept_within_bounds():
    turns = Turns(width=9, width_per_host=1)
    for number in range(11_000):
        turns.slow_down(f"shop{number}", 5)
    assert len(turns._delays) == 10_000
    turns.slow_down("shop10999", 0)
    assert len(turns._delays) == 9_999
