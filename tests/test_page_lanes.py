"""The page of one lane: who has its slots, what is next, how long jobs waited, and what other limits would do."""

import json
import uuid

import pytest

from bellhand.dashboard.lane import Pace, forecast, histogram
from bellhand.sql import query
from bellhand.stats import Tally, within
from daemons import insert, until
from pages import browsing, text_of
from support import eventually

LANE = {"paused": False, "pending": 60, "concurrency": 2, "rate_per_second": None}


def test_waits_are_counted_by_how_long_they_were():
    found = histogram([0.0, 0.05, 0.1, 0.5, 5.0, 5.0])
    assert [(one["said"], one["jobs"], one["share"]) for one in found] == [
        ("up to 100 ms", 3, 100.0), ("up to 1.0 s", 1, 33.3), ("up to 10 s", 2, 66.7),
    ]  # fmt: skip
    assert histogram([5000.0])[-1] == {"said": "longer", "jobs": 1, "share": 100.0}
    assert [one["jobs"] for one in histogram([])] == [0]


async def test_how_long_jobs_waited_is_added_up_by_the_minute(conn):
    """What was counted is written once, also when a write failed and is tried with what came since."""
    tally = Tally(uuid.uuid4())
    tally.add("a", "completed", [0.004, 0.5, 2.0], [1.0, 1.0, 1.0])
    failed = tally.take()
    tally.add("a", "completed", [40.0], [1.0])
    tally.put_back(failed)
    await conn.fetch(query("add_stats"), *tally.take())
    tally.add("a", "completed", [4000.0], [1.0])
    await conn.fetch(query("add_stats"), *tally.take())
    assert tally.take() is None
    jobs, waits = await conn.fetchrow("select sum(jobs), array[sum(waits[1]), sum(waits[3]), sum(waits[4]), sum(waits[6]), sum(waits[10])] from bellhand.stats")  # fmt: skip
    assert (jobs, waits) == (5, [1, 1, 1, 1, 1])
    assert [within([1, 0, 1], part, (0.1, 1.0)) for part in (0.5, 0.95)] == [0.1, float("inf")]


@pytest.mark.parametrize(("pace", "limits", "seconds"), [
    (Pace(60, 10, hands=8, elsewhere=0), (2, None), 300),
    (Pace(60, 10, hands=8, elsewhere=0), (100, None), 75),
    (Pace(60, 10, hands=8, elsewhere=6), (None, None), 300),
    (Pace(60, 10, hands=8, elsewhere=8), (None, None), 600),
    (Pace(60, 10, hands=8, elsewhere=0), (8, 0.1), 600),
    (Pace(60, None, hands=8, elsewhere=0), (8, None), None),
    (Pace(60, 10, hands=0, elsewhere=0), (8, None), None),
])  # fmt: skip
def test_how_fast_a_lane_empties_depends_on_limits_and_hands(pace, limits, seconds):
    assert pace.empty_seconds(*limits) == seconds


def test_a_forecast_says_what_it_stands_on_or_why_there_is_none():
    said = forecast(LANE, Pace(60, 10, hands=8, elsewhere=5), {"concurrency": 4, "rate_per_second": None})  # fmt: skip
    assert (said["now"], said["would"], said["slots"], said["elsewhere"]) == (
        "5 min",
        "2 min",
        4,
        5,
    )
    assert "60 wait, one ran 10 s" in said["basis"]
    for lane, pace, word in (
        (LANE | {"pending": 0}, Pace(0, 10, 8, 0), "Nothing waits"),
        (LANE, Pace(60, 10, 0, 0), "No worker"),
        (LANE, Pace(60, None, 8, 0), "nobody knows"),
    ):
        assert word in forecast(lane, pace, None)["problem"]


async def test_a_lane_shows_its_slots_its_queue_and_its_waits(dsn, conn):
    async with browsing(dsn, lanes={"pages": {"concurrency": 1}}) as browser:
        ended = await insert(conn, "pages.plain")
        await until(conn, ended, "completed")
        await conn.execute("update bellhand.history set run_at = started_at - interval '5 seconds'")
        running = await insert(conn, "pages.steps", '{"wait_for": "never"}')
        await until(conn, running, "running")
        last = await insert(conn, "pages.plain", priority=3)
        first = await insert(conn, "pages.plain", priority=9, owner="ada")
        _, page, _ = await browser.get("/lanes/pages")
        assert str(running) in text_of(page, "#occupants")
        places = [int(row.attributes["data-row"] or 0) for row in page.css("#next tbody tr")]
        assert places == [first, last]
        assert "ada" in text_of(page, "#next")
        rows = {row.css_first("th").text(): row.css_first("td").text() for row in page.css("#waits tbody tr")}  # fmt: skip
        assert rows["up to 10 s"] == "1"
        _, page, _ = await browser.get(f"/jobs/{last}")
        assert page.css_first("#head a[href='/lanes/pages#next-title']")
        _, page, _ = await browser.get("/jobs?q=lane:pages+state:pending")
        assert "1 before it" in text_of(page, f"#job-{last}")
        assert "next in its lane" in text_of(page, f"#job-{first}")
        _, page, _ = await browser.get("/jobs?q=lane:pages+owner:nobody")
        links = [link.attributes["href"] for link in page.css("main .empty a[href*='q=']")]
        assert links == ["/jobs?q=owner%3Anobody", "/jobs?q=lane%3Apages"]
        code, page, _ = await browser.get("/lanes/pagse")
        assert (code, page.css_first(".card p a").attributes["href"]) == (404, "/lanes/pages")


async def test_what_limits_would_do_is_said_before_they_are_set(dsn, conn):
    async with browsing(dsn, worker={"concurrency": 8}, lanes={"fixed": {"concurrency": 2}}) as browser:  # fmt: skip
        _, page, _ = await browser.get("/lanes/pages")
        assert "Nothing waits" in text_of(page, "#forecast")
        await conn.execute(
            """insert into bellhand.stats (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram, waits)
                 select date_trunc('minute', bellhand.now()), 'pages.plain', o, gen_random_uuid(), n, n * 0.5, n * 30, array_fill(0, array[17]), '{0,6,0,0,4,0,0,0,0,0}'
                 from (values ('completed', 7), ('fail', 2), ('cancel', 1)) x(o, n)"""
        )
        await conn.execute("select bellhand.limit_lane('pages', '{\"concurrency\": 1}'), bellhand.pause_lane('pages', 'stock-taking')")  # fmt: skip

        async def paused() -> bool:
            return "stock-taking" in text_of((await browser.get("/lanes/pages"))[1], "#lane")

        await eventually(paused)
        await conn.execute("insert into bellhand.jobs (kind) select 'pages.plain' from generate_series(1, 20)")  # fmt: skip

        async def seen() -> bool:
            return "20 wait" in text_of((await browser.get("/lanes/pages"))[1], "#forecast")

        await eventually(seen)
        for path, place in (("/lanes/pages", "#lane"), ("/lanes", "#lane-cards")):
            said = text_of((await browser.get(path))[1], place)
            assert "half within 100 ms, 95 % within 30 s" in said
            assert "7 done, 2 failed, 1 cancelled" in said
        _, page, _ = await browser.get("/")
        assert page.css_first("#lane-table td[data-label=Waited]:not(:empty)")
        _, page, _ = await browser.get("/lanes/pages?concurrency=4&rate_per_second=")
        ended = [[cell.text() for cell in row.css("td")] for row in page.css("#hour tbody tr")]
        assert (len(ended), ended[-1]) == (12, ["7", "2", "0", "1"])
        assert "It is paused. Once it goes on" in text_of(page, "#forecast")
        assert "by its rate" not in text_of(page, "#lane")
        assert "done in about 10 min; with these limits in about 2 min, 4 at once" in text_of(page, "#forecast")  # fmt: skip
        assert (
            await conn.fetchval("select concurrency from bellhand.lanes where name = 'pages'") == 1
        )
        _, page, _ = await browser.get("/lanes/pages/forecast?concurrency=many")
        assert "is no number" in text_of(page, "p")
        assert (await browser.get("/lanes/pages?concurrency=0"))[0] == 422
        code, page, where = await browser.post("/lanes/pages/limits", {"concurrency": "4", "rate_per_second": "1000"})  # fmt: skip
        assert (code, where) == (200, "/lanes/pages?did=limit_lane")
        assert "4 at once 1,000 a second" in text_of(page, "#lane")
        assert "by its rate1 of 1" in text_of(page, "#lane")
        assert "by" in text_of(page, "#lane")
        event = await conn.fetchval("select data from bellhand.events where type = 'lane_limited' order by seq desc limit 1")  # fmt: skip
        assert json.loads(event)["concurrency"] == 4
        _, page, _ = await browser.get("/lanes/fixed")
        assert "in the configuration" in text_of(page)
        assert not page.css("form[action$='/limits']")
