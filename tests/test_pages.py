"""The pages as a browser without scripts has them: found, filtered, safe, and there when the database is not."""

import json
import re

import asyncpg
import pytest

from bellhand.dashboard import jobs as listing
from daemons import insert, until
from desk import Desk
from pages import PATHS, Browser, browsing, fill, rows_of, text_of
from ports import whole
from support import eventually


async def test_every_page_is_there_and_runs_nothing_inline(dsn, conn):
    """S4-17, S4-18, S4-20: statistics, active jobs and history are on pages."""
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        for path in (*PATHS, *(f"/jobs/{number}" for number in jobs.values())):
            code, page, answer = await browser.get(path)
            assert code == 200, f"{path}: {text_of(page)}"
            assert page.css_first("h1"), path
            policy = answer.headers["Content-Security-Policy"]
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
            for node in page.css("*"):
                assert not [
                    name for name in node.attributes if name.startswith("on") or name == "style"
                ], f"{path}: {node.html}"
                assert node.tag not in ("style", "iframe"), path
                assert node.tag != "script" or node.attributes["src"], path
        for asset in page.css("script[src], link[href]"):
            where = asset.attributes.get("src") or asset.attributes["href"]
            code, _, answer = await browser.get(where or "")
            assert (code, answer.headers["Cache-Control"]) == (
                200,
                "public, max-age=31536000, immutable",
            )
            assert answer.headers["Content-Encoding"] == "gzip"  # and the client could read it
        async with browser.session.get(browser.base + (where or ""), headers={"Accept-Encoding": "identity"}) as plain:  # fmt: skip
            assert "Content-Encoding" not in plain.headers
            assert len(await plain.read()) == int(plain.headers["Content-Length"])
        assert (await browser.get("/assets/..%2fsite.py"))[0] == 404
        code, page, _ = await browser.get("/nothing")
        assert code == 404
        assert "nothing is at /nothing" in text_of(page)
        code, page, _ = await browser.get("/jbos")
        assert (code, page.css_first(".card p a").attributes["href"]) == (404, "/jobs")


async def test_a_job_tells_everything_but_its_secrets(dsn, conn):
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        _, page, _answer = await browser.get(f"/jobs/{jobs['completed']}")
        assert "did second" in text_of(page, "#steps")
        assert "sk-very-secret" not in page.html
        assert (
            page.css_first("[role=progressbar]").attributes["aria-valuetext"]
            == "100 percent, 2 of 2"
        )
        _, page, _ = await browser.get(f"/jobs/{jobs['failed']}")
        assert "second cannot be done" in text_of(page, "#head")
        _, page, _ = await browser.get(f"/jobs/{jobs['blocked']}")
        assert f"It waits for job {jobs['running']}" in text_of(page, "#why")
        _, page, _ = await browser.get(f"/jobs/{jobs['partial']}")
        assert "12345678901234567890" in text_of(page)
        key = await conn.fetchval("select key from bellhand.all_jobs where id = $1", jobs["failed"])
        code, page, _ = await browser.get(f"/jobs?q={key}")
        assert (code, page.css_first("h1").attributes["data-id"]) == (200, str(key))
        assert (await browser.get("/jobs/99999"))[0] == 404
        assert (await browser.get("/jobs/no-such"))[0] == 404
        _, page, _ = await browser.get(f"/jobs/{jobs['failed'] // 10}")  # it begins like this one
        assert f"/jobs/{jobs['failed']}" in [one.attributes["href"] for one in page.css(".card p a")]  # fmt: skip
        await conn.execute("select bellhand.group_failures()")
        failure = await conn.fetchval("select fingerprint from bellhand.failures")
        code, page, _ = await browser.get(f"/failures/{failure[:-2]}zz")
        assert (code, page.css_first(".card p a").attributes["href"]) == (404, f"/failures/{failure}")  # fmt: skip
        await kept_as_files(browser, conn, jobs)


async def kept_as_files(browser: Browser, conn: asyncpg.Connection, jobs: dict[str, int]) -> None:
    """The job, its payload and its result as files: numbers are exact, secrets hidden."""

    async def file(job: str, part: str) -> tuple[str, str]:
        async with browser.session.get(f"{browser.base}/jobs/{jobs[job]}/{part}.json") as answer:  # fmt: skip
            return answer.headers["Content-Disposition"], await answer.text()

    named, text = await file("completed", "job")
    assert named == f'attachment; filename="job-{jobs["completed"]}.json"'
    job = json.loads(text)
    assert job["key"] == str(await conn.fetchval("select key from bellhand.all_jobs where id = $1", jobs["completed"]))  # fmt: skip
    assert (job["state"], job["payload"], job["result"]) == ("completed", {"api_key": "hidden"}, {"steps": 2})  # fmt: skip
    named, text = await file("partial", "payload")
    assert named.endswith('-payload.json"')
    assert text == '{\n  "big": 12345678901234567890\n}\n'
    assert (await file("running", "result"))[1] == "null\n"
    assert (await browser.get("/jobs/99999/job.json"))[0] == 404


async def test_jobs_are_found_by_what_they_hold(dsn, conn):
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        tagged = await insert(
            conn, "pages.plain", '{"site": {"id": 5}}', tags='{"team": "core"}', owner="ada"
        )
        await until(conn, tagged, "completed")
        for query, wanted in {
            "tag.team:core": [tagged], "payload.site.id:5": [tagged], "owner:ada kind:pages.plain": [tagged], "owner:ada state:failed": [],
            "state:failed": [jobs["failed"]], "error:cannot": [jobs["failed"]], "state:running": [jobs["running"]], "state:scheduled": [jobs["later"]],
            "lane:pages state:blocked": [jobs["blocked"]], "lane:none": [], "slow:1h": [], "state:over kind:pages.steps": [jobs["failed"], jobs["completed"]],
        }.items():  # fmt: skip
            _, page, _ = await browser.get(f"/jobs?q={query}")
            assert sorted(rows_of(page)) == sorted(wanted), query
        _, page, _ = await browser.get("/jobs?q=owner:u_17&state=completed")
        assert page.css_first("#q").attributes["value"] == "owner:u_17 state:completed"
        _, page, _ = await browser.get("/jobs?q=owner:nobody")
        assert "No job matches" in text_of(page)
        assert (await browser.get("/jobs?before=nonsense"))[0] in (400, 422)


async def test_a_list_says_when_what_waits_is_done(dsn, conn):
    desk = Desk(conn)
    await desk.publish("a", "b")
    await desk.measured("a", 60)
    await desk.worker(kinds=["a", "b"])
    known, unknown = await desk.insert("a"), await desk.insert("b")
    async with whole(dsn) as port:
        _, page, _ = await port.ask("/jobs")
    rows = {job: page.split(f'id="job-{job}"')[1].partition("</tr>")[0] for job in (known, unknown)}
    assert "confidence: fair" in rows[known]
    assert 'title="fewer than 3 runs of its kind were measured">?<' in rows[unknown]


async def test_what_runs_comes_first_and_all_of_it_before_what_waits(dsn, conn):
    async with browsing(dsn, worker={"concurrency": 60}) as browser:
        for _ in range(70):
            await insert(conn, "pages.steps", '{"wait_for": "never"}')

        async def running() -> bool:
            return await conn.fetchval("select count(*) from bellhand.running") == 60

        await eventually(running)
        seen: list[int] = []
        path: str | None = "/jobs?q=kind:pages.steps"
        while path:
            _, page, _ = await browser.get(path)
            seen += rows_of(page)
            older = page.css_first("a[rel=next]")
            path = older.attributes["href"] if older else None
        claimed = {row[0] for row in await conn.fetch("select id from bellhand.running")}
        assert set(seen[:60]) == claimed
        assert (len(seen), len(set(seen))) == (70, 70)


EVERY_JOB = {
    "": "true",
    "state:over": "finished_at is not null",
    "kind:pages.plain": "true",
    "state:failed": "state = 'failed'",
    "state:completed": "state = 'completed'",
    "state:paused": "state = 'paused'",
    "payload.raise:x": "payload ? 'raise'",
    "kind:pages.plain payload.raise:x state:over": "payload ? 'raise' and finished_at is not null",
}


@pytest.mark.parametrize("query", EVERY_JOB)
async def test_every_job_is_on_one_page_and_only_one(dsn, conn, query, monkeypatch):
    """Also where only some are looked at for a page, and where many ended in one moment."""
    monkeypatch.setattr(listing, "LOOKED_AT_FIRST", 9)
    monkeypatch.setattr(listing, "LOOKED_AT_MAX", 31)
    async with browsing(dsn) as browser:
        await conn.execute(
            """insert into bellhand.jobs (kind, payload, state) select 'pages.plain', case when n % 3 = 0 then '{}' else '{"raise": "x"}' end::jsonb,
                 case when n > 120 then 'paused' else 'pending' end from generate_series(1, 240) n"""
        )

        async def ended() -> bool:
            return not await conn.fetchval("select count(*) from bellhand.jobs where state = 'pending'")  # fmt: skip

        await eventually(ended)
        await conn.execute("update bellhand.history set finished_at = date_trunc('hour', finished_at) + make_interval(secs => id % 5)")  # fmt: skip
        found = await conn.fetch(f"select id from bellhand.all_jobs where {EVERY_JOB[query]}")
        seen: list[int] = []
        path: str | None = f"/jobs?q={query}"
        pages = 0
        while path:
            _, page, _ = await browser.get(path)
            seen += rows_of(page)
            older = page.css_first("a[rel=next]")
            path = older.attributes["href"] if older else None
            pages += 1
            assert pages <= 60
        assert len(seen) == len(set(seen))
        assert sorted(seen) == sorted(row["id"] for row in found)


async def test_charts_say_what_their_tables_say(dsn, conn):
    """S4-21: jobs over time, how long they run, how many fail."""
    await conn.execute(
        """insert into bellhand.stats (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram)
             select date_trunc('minute', bellhand.now()) - interval '3 minutes', 'pages.plain', o, gen_random_uuid(), 10, 5, 25, array_fill(1, array[17])
             from unnest(array['completed', 'fail', 'retry']) o"""
    )
    async with browsing(dsn) as browser:
        _, page, _ = await browser.get("/")
        minutes = [row.text(separator=" ").split() for row in page.css("#pace-chart tbody tr")]
        assert len(minutes) == 60
        assert [row[1:] for row in minutes if row[1] != "0"] == [["10", "10", "10"]]
        took = [row.text(separator=" ").split()[1] for row in page.css("#took-chart tbody tr")]
        assert sorted(took)[-1] == "2.5"
        assert "50.0 % of what ended" in text_of(page, "#tiles")


async def test_what_strangers_wrote_stays_text(dsn, conn, test_data):
    """XSS strings in payload, owner, tags, error, unique key and search make no element and no attribute."""
    strings = (test_data / "strings" / "BRUTELOGIC-XSS-STRINGS.txt").read_text().splitlines()
    async with browsing(dsn) as browser:
        payload = {"raise": "\n".join(strings), "list": strings} | {
            line[:100]: line for line in strings
        }
        bad = strings[0]
        job = await insert(conn, "pages.plain", json.dumps(payload), owner=bad, unique_key="".join(strings)[:400], tags=json.dumps({bad: bad}))  # fmt: skip
        await until(conn, job, "failed")
        await conn.execute(
            "insert into bellhand_leads.leads (name, website, latitude, longitude) values ($1, 'javascript:alert(1)', 1, 2)",
            bad,
        )
        clean = {}
        for path in ("/", f"/jobs/{job}", "/jobs", "/failures", "/leads", "/system"):
            _, page, _ = await browser.get(path)
            clean[path] = page
        _, clean["search"], _ = await browser.get(f"/jobs?q={bad}")
        for path, page in clean.items():
            for node in page.css("*"):
                assert not [name for name in node.attributes if name.startswith("on")], (
                    f"{path}: {node.html}"
                )
                assert node.tag not in (
                    "iframe",
                    "embed",
                    "object",
                    "math",
                    "x",
                    "base",
                    "img",
                    "style",
                ), path
                for name in ("href", "src", "action", "formaction"):
                    assert (
                        not (node.attributes.get(name) or "")
                        .strip()
                        .lower()
                        .startswith(("javascript:", "data:text"))
                    ), path
        assert bad in text_of(clean[f"/jobs/{job}"])


async def test_with_the_database_away_a_page_shows_how_it_stood(private_server, private_dsn):
    async with browsing(private_dsn, worker={"lease_seconds": 60.0}) as browser:
        code, page, _ = await browser.get("/lanes")
        assert (code, text_of(page, "#stale")) == (200, "")
        stood = re.sub(r"\d+ (ms|s)", "", text_of(page, "#lane-cards"))
        private_server.stop()
        try:

            async def is_away() -> bool:  # what is asked for every page is kept for two seconds
                return (await browser.get("/lanes"))[0] == 503

            await eventually(is_away)
            code, page, _ = await browser.get("/lanes")
            assert code == 503
            # In a part that is changed in place: who has the page open is told as well.
            assert "The database does not answer" in text_of(page, "#stale[data-live]")
            assert re.sub(r"\d+ (ms|s)", "", text_of(page, "#lane-cards")) == stood
            code, page, _ = await browser.get("/workers")
            assert (code, bool(page.css_first("h1"))) == (503, True), (
                "never seen before: a problem as a page"
            )
            assert page.css_first("meta[http-equiv=refresh]"), "it goes on asking too"
        finally:
            private_server.start()
