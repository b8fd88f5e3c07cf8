"""The pages as a browser without scripts has them: found, filtered, acted on, safe, and there when the database is not."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from selectolax.lexbor import LexborHTMLParser

from daemons import at_work, insert, until
from pages import GO, HANDLERS, PATHS, fill

HTML = {"Accept": "text/html"}


class Browser:
    """Asks as a browser without scripts does, and follows where it is sent."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.session = session

    async def get(self, path: str) -> tuple[int, LexborHTMLParser, aiohttp.ClientResponse]:
        async with self.session.get(self.base + path, headers=HTML) as answer:
            return answer.status, LexborHTMLParser(await answer.text()), answer

    async def post(
        self, path: str, form: Any = (), **headers: str
    ) -> tuple[int, LexborHTMLParser, str]:
        given = HTML | {"Origin": self.base} | headers
        async with self.session.post(self.base + path, data=form, headers=given) as answer:
            return answer.status, LexborHTMLParser(await answer.text()), str(answer.url.relative())


@asynccontextmanager
async def browsing(dsn: str, **sections: Any) -> AsyncIterator[Browser]:
    GO.clear()
    async with (
        at_work(dsn, *HANDLERS, **sections) as daemon,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        yield Browser(daemon.status.port, session)
        for event in GO.values():
            event.set()


def text_of(page: LexborHTMLParser, selector: str = "main") -> str:
    found = page.css_first(selector)
    assert found, f"no {selector}"
    return " ".join(found.text().split())


def rows_of(page: LexborHTMLParser) -> list[int]:
    return [int(row.attributes["data-row"] or 0) for row in page.css("tr[data-row]")]


# Pages


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
        assert (await browser.get("/assets/..%2fsite.py"))[0] == 404
        code, page, _ = await browser.get("/nothing")
        assert code == 404
        assert "nothing is at /nothing" in text_of(page)


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


@pytest.mark.parametrize(
    "query", ["", "state:over", "kind:pages.plain", "state:failed", "state:paused"]
)
async def test_every_job_is_on_one_page_and_only_one(dsn, conn, query):
    async with browsing(dsn) as browser:
        wanted = {"": "true", "state:over": "finished_at is not null", "kind:pages.plain": "true", "state:failed": "state = 'failed'"}  # fmt: skip
        await conn.execute(
            """insert into bellhand.jobs (kind, payload, state) select 'pages.plain', case when n % 2 = 0 then '{}' else '{"raise": "x"}' end::jsonb,
                 case when n > 120 then 'paused' else 'pending' end from generate_series(1, 240) n"""
        )
        while await conn.fetchval("select count(*) from bellhand.jobs where state = 'pending'"):
            pass
        condition = wanted.get(query, "state = 'paused'")
        ids = [
            row[0]
            for row in await conn.fetch(f"select id from bellhand.all_jobs where {condition}")
        ]
        seen: list[int] = []
        path = f"/jobs?q={query}"
        while path:
            _, page, _ = await browser.get(path)
            seen += rows_of(page)
            older = page.css_first("a[rel=next]")
            path = older.attributes["href"] if older else ""
            assert len(seen) <= 300
        assert len(seen) == len(set(seen))
        assert sorted(seen) == sorted(ids)


# Acts


async def test_a_job_is_cancelled_and_retried_without_scripts(dsn, conn):
    """S4-19: a failed job has a retry button; one that runs can be cancelled."""
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        code, page, where = await browser.post(f"/jobs/{jobs['later']}/cancel")
        assert (code, where) == (200, f"/jobs/{jobs['later']}?did=cancel")
        assert "Cancelled" in text_of(page, "#notice")
        assert "cancelled" in text_of(page, "#head .state")
        code, page, _ = await browser.post(f"/jobs/{jobs['later']}/pause")
        assert code == 409
        assert text_of(page, "h1")
        await browser.post(f"/jobs/{jobs['failed']}/retry")
        actor = await conn.fetchval("select actor from bellhand.events where type = 'retried' or type = 'retry' order by seq desc limit 1")  # fmt: skip
        assert actor == "http:loopback"
        await browser.post(f"/jobs/{jobs['running']}/cancel")
        await until(conn, jobs["running"], "cancelled")


async def test_all_that_match_are_told_though_only_some_are_shown(dsn, conn):
    async with browsing(dsn) as browser:
        await conn.execute(
            """insert into bellhand.jobs (kind, run_at, owner, tags)
                 select 'pages.plain', bellhand.now() + interval '1 day', 'ada', '{"team": "core"}' from generate_series(1, 70)"""
        )
        await conn.execute("insert into bellhand.jobs (kind, run_at) values ('pages.plain', bellhand.now() + interval '1 day')")  # fmt: skip
        _, page, _ = await browser.get("/jobs?q=owner:ada tag.team:core state:scheduled")
        assert len(rows_of(page)) == 50
        whole = page.css_first("[name=whole]").attributes["value"]
        _, page, _ = await browser.post("/jobs/bulk", {"whole": whole, "action": "cancel", "back": "/jobs"})  # fmt: skip
        assert text_of(page, "h1") == "Cancel 70 jobs?"
        form = [(field.attributes["name"], field.attributes.get("value")) for field in page.css("main form input[name]")]  # fmt: skip
        await browser.post("/jobs/bulk", form)
        assert await conn.fetchval("select count(*) from bellhand.jobs") == 1
        _, page, _ = await browser.get("/jobs?q=nowhere owner:ada")
        assert not page.css("[name=whole]"), "no index knows which these are"


async def test_whoever_needs_a_token_signs_in_with_it_and_out_again(dsn, conn):
    token = "a-token-of-the-configuration"
    async with browsing(dsn, status={"port": 0, "token": token}) as browser:
        code, page, _ = await browser.get("/jobs?q=state:failed")
        assert code == 401
        assert page.css_first("form[action='/login'] input[type=password]")
        assert page.css_first("[name=next]").attributes["value"] == "/jobs?q=state:failed"
        code, page, _ = await browser.post("/login", {"token": "wrong", "next": "/jobs"})
        assert (code, bool(page.css_first("form[action='/login']"))) == (401, True)
        code, page, where = await browser.post("/login", {"token": token, "next": "/jobs?q=state:failed"})  # fmt: skip
        assert (code, where, text_of(page, "h1")) == (200, "/jobs?q=state:failed", "Jobs")
        await browser.post("/logout")
        assert (await browser.get("/"))[0] == 401


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


async def test_another_site_cannot_act(dsn, conn):
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        code, _, _ = await browser.post(
            f"/jobs/{jobs['later']}/cancel", Origin="http://evil.example"
        )
        assert code == 403
        code, _, _ = await browser.post("/jobs/bulk", {"id": jobs["later"], "action": "cancel", "expected": 1}, **{"Sec-Fetch-Site": "cross-site"})  # fmt: skip
        assert code == 403
        assert (
            await conn.fetchval("select state from bellhand.all_jobs where id = $1", jobs["later"])
            == "scheduled"
        )


async def test_many_are_told_after_a_preview_and_it_can_be_undone(dsn, conn):
    async with browsing(dsn) as browser:
        ids = [
            await conn.fetchval("insert into bellhand.jobs (kind, run_at) values ('pages.plain', bellhand.now() + interval '1 day') returning id")
            for _ in range(3)
        ]  # fmt: skip
        form = [("id", str(number)) for number in ids] + [
            ("action", "cancel"),
            ("back", "/jobs?q=state:scheduled"),
        ]
        code, page, _ = await browser.post("/jobs/bulk", form)
        assert (code, text_of(page, "h1")) == (200, "Cancel 3 jobs?")
        assert await conn.fetchval("select count(*) from bellhand.jobs") == 3
        form = [
            (field.attributes["name"], field.attributes.get("value"))
            for field in page.css("main form input[name]")
        ]
        code, page, where = await browser.post("/jobs/bulk", form)
        assert where.startswith("/jobs?q=state:scheduled&did=cancel&n=3&failed=0&operation=")
        assert "3 jobs" in text_of(page, "#notice")
        assert await conn.fetchval("select count(*) from bellhand.jobs") == 0
        undo = page.css_first("#notice form").attributes["action"]
        code, page, _ = await browser.post(undo, {"back": "/jobs?q=state:scheduled"})
        assert sorted(rows_of(page)) == sorted(ids)
        wrong = [(name, "7" if name == "expected" else value) for name, value in form]
        code, page, _ = await browser.post("/jobs/bulk", wrong)
        assert code >= 400, "what was counted is not there any more"


async def test_a_form_queues_a_job_or_says_what_is_wrong(dsn, conn):
    async with browsing(dsn) as browser:
        code, page, where = await browser.post("/kinds/pages.steps", {"p.names": "one\r\ntwo", "p.wait_for": "", "owner": "ada", "wait": "1h", "priority": "9"})  # fmt: skip
        row = await conn.fetchrow("select * from bellhand.jobs")
        assert (code, where) == (200, f"/jobs/{row['id']}?did=enqueue")
        assert (json.loads(row["payload"]), row["owner"], row["priority"]) == (
            {"names": ["one", "two"]},
            "ada",
            9,
        )
        assert row["source"] == "http:loopback"
        code, page, _ = await browser.post("/kinds/pages.steps", {"p.names": "one", "wait": "soon"})
        assert code == 422
        assert "is no duration" in text_of(page, ".wrong .says")
        code, page, _ = await browser.post("/kinds/pages.plain", {"json": "{"})
        assert code == 422
        assert "this is no JSON" in text_of(page, ".wrong .says")
        code, page, _ = await browser.get(f"/kinds/pages.steps?like={row['id']}")
        assert page.css_first("[name='p.names']").text() == "one\ntwo"
        code, page, _ = await browser.get("/kinds/pages.steps/quote?p.names=one")
        assert (code, await conn.fetchval("select count(*) from bellhand.jobs")) == (200, 1)
        assert (await browser.get("/kinds/no.such"))[0] == 404


async def test_lanes_and_kinds_are_paused_for_a_reason_that_every_page_shows(dsn, conn):
    async with browsing(dsn) as browser:
        await browser.post("/lanes/pages/pause", {"reason": "moving house <b>"})
        _, page, _ = await browser.get("/lanes")
        assert "moving house <b>" in text_of(page)
        await browser.post("/lanes/pages/resume")
        await browser.post("/kinds/pages.plain/pause")
        rows = await conn.fetchrow("select (select paused from bellhand.lanes where name = 'pages'), (select paused from bellhand.kinds where name = 'pages.plain')")  # fmt: skip
        assert tuple(rows) == (False, True)


async def test_matches_are_reviewed(dsn, conn):
    async with browsing(dsn) as browser:
        await fill(conn)
        match = await conn.fetchval("select id from bellhand_matching.matches")
        code, page, _ = await browser.post(
            f"/matching/{match}/accepted", {"back": "/matching?project=p"}
        )
        assert "Accepted" in text_of(page, "#notice")
        row = await conn.fetchrow("select status, reviewed_by from bellhand_matching.matches")
        assert tuple(row) == ("accepted", "http:loopback")
        code, page, answer = await browser.get("/seo/1")
        assert (code, text_of(page, "h1")) == (200, "Report")
        assert "sandbox" in answer.headers["Content-Security-Policy"]


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
        assert code == 200
        stood = re.sub(r"\d+ (ms|s)", "", text_of(page, "#lane-cards"))
        private_server.stop()
        try:
            code, page, _ = await browser.get("/lanes")
            assert code == 503
            assert "The database does not answer" in text_of(page)
            assert re.sub(r"\d+ (ms|s)", "", text_of(page, "#lane-cards")) == stood
            code, page, _ = await browser.get("/workers")
            assert (code, bool(page.css_first("h1"))) == (503, True), (
                "never seen before: a problem as a page"
            )
        finally:
            private_server.start()
