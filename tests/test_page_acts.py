"""What the pages can be told: one job, many, lanes and kinds, matches; by whom; and taken back."""

import json

import pytest

from daemons import until
from pages import browsing, fill, rows_of, text_of
from ports import make
from support import eventually


async def test_a_job_is_cancelled_and_retried_without_scripts(dsn, conn):
    """S4-19: a failed job has a retry button; one that runs can be cancelled."""
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        code, page, where = await browser.post(f"/jobs/{jobs['later']}/cancel")
        assert (code, where) == (200, f"/jobs/{jobs['later']}?did=cancel&operation=1")
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
        code, page, _ = await browser.get("/kinds/pages.stesp")
        assert (code, page.css_first(".card p a").attributes["href"]) == (404, "/kinds/pages.steps")


async def test_lanes_and_kinds_are_paused_for_a_reason_that_every_page_shows(dsn, conn):
    # Before there is a worker, which could claim in the moment before it hears of the pause.
    await conn.execute("insert into bellhand.lanes (name) values ('pages'); select bellhand.pause_lane('pages')")  # fmt: skip
    async with browsing(dsn) as browser:
        await browser.post("/lanes/pages/pause", {"reason": "moving house <b>"})
        late = "insert into bellhand.jobs (kind, run_at, owner) values ('pages.plain', bellhand.now() - interval '1 hour', 'ada') returning id"
        await conn.execute(late)

        async def told() -> bool:  # what pages share is asked every two seconds
            said = text_of((await browser.get("/"))[1])
            return "by http:loopback; 1 waits: moving house <b>" in said and "1 waits, the oldest has been due for" in said  # fmt: skip

        await eventually(told)
        _, page, _ = await browser.get("/lanes/pages")
        assert "ada 1" in text_of(page, "#lane")
        await browser.post(page.css_first("#warnings form").attributes["action"] or "")
        assert await conn.fetchval("select (paused, paused_at, paused_by)::text from bellhand.lanes where name = 'pages'") == "(f,,)"  # fmt: skip
        await browser.post("/lanes/pages/pause")
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


async def test_schedules_are_told_in_words_run_paused_and_resumed(dsn, conn):
    async with browsing(dsn) as browser:
        await fill(conn)
        _, page, _ = await browser.get("/schedules")
        assert "At 03:00 every day" in text_of(page)
        _, page, where = await browser.post("/schedules/nightly/run")
        assert where.endswith("?did=schedule")
        assert "pages.steps" in text_of(page, "h1")
        await browser.post("/schedules/nightly/pause")
        assert await conn.fetchval("select paused from bellhand.schedules")
        _, page, _ = await browser.post("/schedules/nightly/resume")
        assert "goes on" in text_of(page, "#notice")
        assert (await browser.post("/schedules/none/run"))[0] == 404


async def test_a_lane_is_given_limits_and_freed_of_them(dsn, conn):
    async with browsing(dsn) as browser:
        await browser.post("/lanes/pages/limits", {"concurrency": "3", "rate_per_second": "0.5"})
        row = "select concurrency, rate_per_second from bellhand.lanes where name = 'pages'"
        assert tuple(await conn.fetchrow(row)) == (3, 0.5)
        _, page, _ = await browser.post("/lanes/pages/limits", {"concurrency": ""})
        assert tuple(await conn.fetchrow(row)) == (None, None)
        code, page, _ = await browser.post("/lanes/pages/limits", {"concurrency": "many"})
        assert (code, "is no number" in text_of(page)) == (422, True)
        assert (await browser.post("/lanes/none/limits", {"concurrency": "1"}))[0] == 404


async def test_who_may_only_read_is_shown_nothing_to_press(dsn, conn):
    token = await make(conn, "reader", "read")
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        browser.session.headers["Authorization"] = f"Bearer {token}"
        for path in ("/jobs", f"/jobs/{jobs['running']}", "/kinds/pages.steps", "/lanes", "/schedules", "/matching"):  # fmt: skip
            code, page, _ = await browser.get(path)
            assert code == 200
            acts = [form.attributes["action"] for form in page.css("form[method=post]")]
            assert set(acts) <= {"/preferences", "/jobs/bulk"}, path
            assert not page.css("button[form=bulk]")
        for path in (f"/jobs/{jobs['running']}/cancel", f"/jobs/{jobs['later']}/priority", f"/jobs/{jobs['later']}/ticket", "/jobs/bulk", "/lanes/pages/pause", "/kinds/pages.steps"):  # fmt: skip
            code, page, _ = await browser.post(path, {"id": str(jobs["later"]), "action": "cancel", "expected": "1"})  # fmt: skip
            assert code == 403, path
        assert "reader" in text_of((await browser.get("/"))[1], "footer")


async def test_a_job_that_waits_is_given_another_priority(dsn, conn):
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        later = f"/jobs/{jobs['later']}"
        _, page, _ = await browser.get(later)
        form = page.css_first("#priority form")
        assert form.css_first("option[selected]").text() == "5"
        code, page, where = await browser.post(form.attributes["action"], {"priority": "9"})
        assert (code, where) == (200, f"{later}?did=priority&operation=1")
        assert "another priority" in text_of(page, "#notice")
        assert "9 of 10" in text_of(page, "#head")
        row = await conn.fetchrow("select j.priority, e.actor from bellhand.jobs j join bellhand.events e on e.job = j.id and e.type = 'changed' where j.id = $1", jobs["later"])  # fmt: skip
        assert tuple(row) == (9, "http:loopback")
        for priority in ("11", "0", "high", ""):
            code, page, _ = await browser.post(f"{later}/priority", {"priority": priority})
            assert (code, "is no priority" in text_of(page)) == (422, True)
        for name in ("running", "failed"):
            _, page, _ = await browser.get(f"/jobs/{jobs[name]}")
            assert not page.css_first("#priority form")
        code, _, _ = await browser.post(f"/jobs/{jobs['failed']}/priority", {"priority": "9"})
        assert code == 409
        assert (await browser.post("/jobs/99999/priority", {"priority": "9"}))[0] == 404


async def test_what_one_job_was_told_can_be_taken_back(dsn, conn):
    """Cancel, pause, another priority and retry of one job can be undone, as bulk acts can; what ran when it was cancelled cannot."""
    async with browsing(dsn) as browser:
        jobs = await fill(conn)

        async def state(name: str) -> str:
            return await conn.fetchval("select state from bellhand.all_jobs where id = $1", jobs[name])  # fmt: skip

        async def undo(name: str, action: str, form: tuple[str, str] | None = None) -> str:
            _, page, _ = await browser.post(f"/jobs/{jobs[name]}/{action}", dict([form] if form else []))  # fmt: skip
            button = page.css_first("#notice form")
            assert button, f"{action} offers no undo: {text_of(page, '#notice')}"
            there = await state(name)
            _, page, where = await browser.post(button.attributes["action"], {"back": button.css_first("input").attributes["value"]})  # fmt: skip
            assert where.startswith(f"/jobs/{jobs[name]}?did=undo")
            assert "Undone" in text_of(page, "#notice")
            return there

        assert (await undo("later", "cancel"), await state("later")) == ("cancelled", "scheduled")
        assert (await undo("later", "pause"), await state("later")) == ("paused", "scheduled")
        assert (await undo("failed", "retry"), await state("failed")) == ("scheduled", "failed")
        await undo("later", "priority", ("priority", "9"))
        assert await conn.fetchval("select priority from bellhand.jobs where id = $1", jobs["later"]) == 5  # fmt: skip
        told = await conn.fetch("select type, actor from bellhand.events where job = $1 order by seq", jobs["later"])  # fmt: skip
        assert [row["type"] for row in told if row["type"] != "undone"] == ["cancelled", "paused", "changed"]  # fmt: skip
        assert {row["actor"] for row in told} == {"http:loopback"}
        _, page, _ = await browser.post(f"/jobs/{jobs['running']}/cancel")
        assert not page.css_first("#notice form"), "its handler has heard of it: nothing brings it back"  # fmt: skip
        await until(conn, jobs["running"], "cancelled")


async def test_a_link_to_the_public_page_is_shown_once(dsn, conn):
    token = "a-token-of-the-configuration"
    async with browsing(dsn, status={"port": 0, "token": token}) as browser:
        jobs = await fill(conn)
        here = f"/jobs/{jobs['running']}"
        stranger = dict(browser.session.headers)
        browser.session.headers["Authorization"] = f"Bearer {token}"
        _, page, _ = await browser.get(here)
        action = page.css_first("form[action$='/ticket']").attributes["action"]
        code, page, _ = await browser.post(action, {"hours": "8", "cancel": "1"})
        link = text_of(page, "[data-copy]")
        assert (code, link.startswith(f"{browser.base}/p/bht_")) == (200, True)
        assert "can cancel it" in text_of(page)
        assert not page.css_first("[data-live-path]"), "it is not asked for again"
        row = await conn.fetchrow("select job, cancel, made_by, extract(epoch from expires_at - bellhand.now())::float8 as seconds from bellhand.tickets")  # fmt: skip
        assert tuple(row)[:3] == (jobs["running"], True, "http:configured")
        assert row["seconds"] == pytest.approx(8 * 3600, abs=60)
        for path in (here, "/system", "/"):
            assert "bht_" not in (await browser.get(path))[1].html
        _, page, _ = await browser.post(action, {"hours": "1"})
        assert "can cancel it" not in text_of(page)
        assert (await browser.post(action, {"hours": "1000000"}))[0] == 422
        assert (await browser.post("/jobs/99999/ticket", {"hours": "1"}))[0] == 404
        browser.session.headers.clear()
        browser.session.headers.update(stranger)
        code, page, _ = await browser.get(link.removeprefix(browser.base))
        assert (code, "pages.steps" in page.html) == (200, True)
        assert (await browser.get(here))[0] == 401


async def test_a_run_stands_beside_those_that_were_measured(dsn, conn):
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        _, page, _ = await browser.get(f"/jobs/{jobs['completed']}")
        assert not page.css_first("#alike section"), "its kind was not measured yet"
        await conn.execute(
            """insert into bellhand.run_times (kind, step, samples, mean, deviation, quantiles, since)
                 select 'pages.steps', '', 214, 120, 9, array(select 100.0 + n from generate_series(0, 40) n), bellhand.now()"""
        )
        said = {name: text_of((await browser.get(f"/jobs/{jobs[name]}"))[1], "#alike") for name in ("completed", "running")}  # fmt: skip
        assert "214 measured runs" in said["completed"]
        assert "shorter than any of them. Half of them take 1 min 50 s to 2 min 10 s" in said["completed"]  # fmt: skip
        assert "less than any of them took" in said["running"]
        _, page, _ = await browser.get(f"/jobs/{jobs['later']}")
        assert not page.css_first("#alike section"), "it is of another kind"
