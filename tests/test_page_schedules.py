"""The page of schedules: when each is due, in its own zone too, how its last job ended, and how long the last runs took."""

from datetime import UTC, datetime

from bellhand.dashboard.schedules import told, trends
from daemons import insert, until
from pages import browsing, fill, text_of


def test_ticks_are_told_by_the_clock_of_the_schedules_zone():
    words, ticks, wrong = told("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 23, 12, tzinfo=UTC))  # fmt: skip
    assert (words, wrong) == ("At 02:30 every day", None)
    assert [tick["there"] for tick in ticks[:3]] == ["Sat 24 Oct, 02:30 CEST", "Sun 25 Oct, 02:30 CEST", "Mon 26 Oct, 02:30 CET"]  # fmt: skip
    assert [tick["twice"] for tick in ticks[:3]] == [False, True, False]
    assert ticks[1]["at"].astimezone(UTC).hour == 0, "in the first pass"
    assert told("30 2 * * *", "Europe/Nowhere", datetime(2026, 1, 1, tzinfo=UTC))[1:] == ([], "unknown time zone 'Europe/Nowhere'; use a name such as Europe/Berlin or UTC")  # fmt: skip


def test_a_trend_says_in_words_what_its_bars_show():
    rows = [
        {"schedule": "a", "state": state, "seconds": seconds}
        for state, seconds in (
            ("completed", 10.0),
            ("failed", 40.0),
            (None, None),
            ("completed", 0.0),
        )
    ]
    only = trends([*rows, {"schedule": "b", "state": None, "seconds": None}])
    assert [one["schedule"] for one in only] == ["a"], "b has nothing to show yet"
    assert only[0]["said"] == "2 of 3 completed, half within 10 s, the longest 40 s, the last 0 ms"
    assert [run["height"] for run in only[0]["runs"]] == [0.25, 1.0, 0.0, 0.04]


async def test_a_schedule_tells_how_its_last_runs_ended(dsn, conn):
    async with browsing(dsn) as browser:
        await fill(conn)
        await browser.post("/schedules/nightly/run")
        job = await conn.fetchval("select max(id) from bellhand.all_jobs")
        await until(conn, job, "completed")
        _, page, _ = await browser.get("/schedules")
        assert text_of(page, "#trends") == "", "what was run by hand is no tick"
        bad = await insert(conn, "pages.steps", '{"fail": "first"}')
        await until(conn, bad, "failed")
        await conn.execute("update bellhand.history set started_at = finished_at - interval '8 seconds' where id = $1", job)  # fmt: skip
        await conn.execute("insert into bellhand.schedule_ticks select 'nightly', bellhand.now() - interval '1 day' * n, case n when 1 then $1::bigint when 2 then $2 end from generate_series(1, 25) n", job, bad)  # fmt: skip
        await conn.execute("update bellhand.schedules set last_job = $1, last_at = bellhand.now()", job)  # fmt: skip
        _, page, _ = await browser.get("/schedules")
        assert "completed" in text_of(page, "#schedule-table")
        assert "UTC" in text_of(page, "#schedule-table details")
        assert "1 of 2 completed, half within" in text_of(page, "#trends")
        rows = [row.text(separator=" ").split() for row in page.css("#trends tbody tr")]  # fmt: skip
        assert len(rows) == 20
        assert rows[0][-4:] == [str(job), "completed", "8.0", "s"]
        assert [rect.attributes["class"] for rect in page.css("#trends svg rect")][1:] == ["fill-error", "fill-bar"]  # fmt: skip
