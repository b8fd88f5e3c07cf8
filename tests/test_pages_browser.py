"""The pages in a real Chromium: they move by themselves, obey keys and clicks, say what they show, and run nothing foreign.

Skipped where Chromium, playwright or axe-core is missing; `make test-browser` installs all three.
"""

import json
from typing import Any

import pytest

from daemons import at_work, insert, until
from pages import HANDLERS, PATHS, fill
from support import eventually, quiet_port
from tabs import AXE, NARROW, UNHURRIED, WIDE, Seen, let, looking, tab
from test_browser import chromium  # noqa: F401  # a fixture

# What an hour of work leaves: attempts that ended, calls to a service.
PAST = """
    insert into bellhand.stats (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram, waits)
      select date_trunc('minute', bellhand.now()) - interval '9 minutes', 'pages.steps', o, gen_random_uuid(), 9, 9, 9, array_fill(1, array[17]), array_fill(1, array[10])
      from unnest(array['completed', 'fail', 'retry', 'cancel']) o;
    insert into bellhand.usage_days values ((bellhand.now() at time zone 'UTC')::date, 'openai', 'pages.steps', 9, 1, 900, 20, 4200, 1);
    insert into bellhand.services (name, tokens, day, state, retry_at, error) values ('openai', 1, '2020-01-01', 'open', bellhand.now() + interval '1 hour', '503')"""


async def test_a_job_moves_without_a_reload(dsn, conn, chromium):  # noqa: F811
    """S0-20, S4-18: progress as it happens; the page is the same one, and what is opened in it stays so."""
    async with looking(dsn, chromium) as seen:
        job = await insert(
            conn, "pages.steps", json.dumps({"names": ["a", "b", "c", "d"], "wait_for": "x"})
        )
        await until(conn, job, "running")
        await seen.go(f"/jobs/{job}")
        await seen.page.evaluate("window.theSame = true")
        await seen.page.evaluate(
            "document.querySelector('#payload-title').closest('section').querySelector('details').open = false"
        )
        await seen.until_says("#head", "25 %")
        let("x", 1)
        await seen.until_says("#head", "50 %")
        let("x", 2)
        bar = seen.page.get_by_role("progressbar")
        await seen.until_says("#head", "75 %")
        assert "75 percent, 3 of 4" in await bar.first.get_attribute("aria-valuetext")
        let("x", 3)
        await seen.until_says("#head", "completed")
        await seen.until_says("#result", "steps: 4")
        assert (await seen.page.title()).startswith("completed: pages.steps")
        assert await seen.page.evaluate("window.theSame")
        assert not await seen.page.evaluate(
            "document.querySelector('#payload-title').closest('section').querySelector('details').open"
        )
        assert seen.complaints == []


async def test_a_page_lives_through_a_restart_of_the_daemon(dsn, conn, chromium):  # noqa: F811
    """The page says that nobody answers, keeps what it shows, and goes on by its stream and its poll afterwards."""
    port = quiet_port()
    async with tab(chromium, f"http://127.0.0.1:{port}") as seen:
        async with at_work(dsn, *HANDLERS, worker=UNHURRIED, status={"port": port}):
            job = await conn.fetchval(
                "insert into bellhand.jobs (kind, run_at) values ('pages.steps', bellhand.now() + interval '1 hour') returning id"
            )
            streams: list[str] = []
            seen.page.on("request", lambda sent: streams.append(sent.url) if "/events" in sent.url else None)  # fmt: skip
            await seen.go(f"/jobs/{job}")
            await seen.page.evaluate("window.theSame = true")
            await seen.until_says("#head .state", "scheduled")
            await eventually(lambda: streams)
        await eventually(lambda: seen.page.is_visible("#lost"))
        assert "scheduled" in await seen.text("#head .state")
        async with at_work(dsn, *HANDLERS, worker=UNHURRIED, status={"port": port}):
            await conn.execute("select bellhand.run_now($1)", job)
            await seen.until_says("#head .state", "completed")
            assert await seen.page.is_hidden("#lost")
            assert await seen.page.evaluate("window.theSame")


async def test_cancel_and_retry_by_mouse_and_by_key(dsn, conn, chromium):  # noqa: F811
    """S4-19."""
    async with looking(dsn, chromium) as seen:
        jobs = await fill(conn)
        await seen.go(f"/jobs/{jobs['running']}")
        await seen.page.get_by_role("button", name="Cancel").click()
        await seen.until_says("#notice", "Cancelled")
        await seen.until_says("#head .state", "cancelled")
        await seen.go(f"/jobs/{jobs['failed']}")
        await seen.page.keyboard.press("r")
        await seen.until_says("#notice", "Queued again")
        await until(conn, jobs["failed"], "failed")
        await seen.until_says("#head .state", "failed")
        assert await conn.fetchval("select count(*) from bellhand.events where job = $1 and actor = 'http:loopback'", jobs["failed"]) == 1  # fmt: skip
        assert seen.complaints == []


async def test_a_list_keeps_its_rows_and_tells_of_new_ones(dsn, conn, chromium):  # noqa: F811
    async with looking(dsn, chromium) as seen:
        jobs = await fill(conn)
        await seen.go("/jobs")
        await seen.page.check(f"#job-{jobs['running']} input")
        before = await seen.page.eval_on_selector_all(
            "[data-row]", "rows => rows.map(row => row.id)"
        )
        await conn.execute("select bellhand.cancel($1)", jobs["running"])
        await insert(conn, "pages.steps", '{"wait_for": "never"}')
        await seen.until_says("[data-more]", "new job")
        await seen.until_says(f"#job-{jobs['running']} .state", "cancelled")
        after = await seen.page.eval_on_selector_all(
            "[data-row]", "rows => rows.map(row => row.id)"
        )
        assert after == before
        assert await seen.page.is_checked(f"#job-{jobs['running']} input")
        await seen.page.keyboard.press("j")
        assert await seen.page.evaluate("document.activeElement.closest('[data-row]') !== null")
        assert seen.complaints == []


async def test_an_empty_list_tells_of_the_first_job(dsn, conn, chromium):  # noqa: F811
    async with looking(dsn, chromium) as seen:
        await seen.go("/jobs?q=owner:ada")
        assert "No job matches" in await seen.text("main")
        job = await insert(conn, "pages.plain", owner="ada")
        await seen.until_says("[data-more]", "1 new job")
        await seen.page.click("[data-more]")
        await seen.page.click(f"#job-{job} a")
        await seen.page.wait_for_url(f"**/jobs/{job}")
        assert seen.complaints == []


async def test_keys_change_theme_and_times_and_go_places(dsn, conn, chromium):  # noqa: F811
    async with looking(dsn, chromium, color_scheme="light", timezone_id="Asia/Dhaka") as seen:
        jobs = await fill(conn)
        await seen.go(f"/jobs/{jobs['completed']}")
        first = seen.page.locator("#head time").first
        assert "UTC" not in await first.inner_text()
        await seen.page.keyboard.press("z")
        await seen.page.keyboard.press("z")
        assert (await first.inner_text()).endswith("UTC")
        assert "UTC" in await first.get_attribute("title")
        await seen.page.keyboard.press("t")
        await seen.go("/jobs")
        assert await seen.page.get_attribute("html", "data-theme") == "dark"
        await seen.page.keyboard.press("?")
        assert await seen.page.is_visible("#keys")
        await seen.page.keyboard.press("Escape")
        await seen.page.wait_for_selector("#keys", state="hidden")
        await seen.page.keyboard.type("gl")
        await seen.page.wait_for_url("**/lanes")
        await seen.page.keyboard.press("/")
        await seen.page.keyboard.type(str(jobs["failed"]))
        await seen.page.keyboard.press("Enter")
        await seen.page.wait_for_url(f"**/jobs/{jobs['failed']}")
        assert seen.complaints == []


async def test_everything_important_works_without_scripts(dsn, conn, chromium):  # noqa: F811
    async with looking(dsn, chromium, java_script_enabled=False) as seen:
        jobs = await fill(conn)
        await seen.go("/jobs")
        await seen.page.click(f"#job-{jobs['failed']} a")
        await seen.page.wait_for_url(f"**/jobs/{jobs['failed']}")
        await seen.page.get_by_role("button", name="Retry").click()
        await seen.until_says("#notice", "Queued again")
        await seen.go(f"/jobs/{jobs['running']}")
        await seen.page.get_by_role("button", name="Cancel").click()
        await until(conn, jobs["running"], "cancelled")
        await seen.go("/jobs?q=state:scheduled")
        await seen.page.check(f"#job-{jobs['later']} input")
        await seen.page.get_by_role("button", name="Preview").click()
        await seen.page.get_by_role("button", name="Cancel 1", exact=True).click()
        await seen.page.get_by_role(
            "button", name="Undo"
        ).click()  # there only once it is cancelled
        await seen.until_says("#notice", "Undone")
        await until(conn, jobs["later"], "scheduled")


# Nothing can be asked of the page between its clicks, as it is leaving.
TWICE = """() => {
    const button = [...document.querySelectorAll("button")].find((one) => one.textContent === "Queue it");
    setTimeout(() => button.click(), 0);
    setTimeout(() => { button.click(); console.log(document.querySelector("#flash").textContent); }, 100);
}"""


async def test_a_new_job_is_quoted_while_it_is_filled_in(dsn, conn, chromium):  # noqa: F811
    async with looking(dsn, chromium) as seen:
        await seen.go("/kinds/pages.steps")
        await seen.until_says("#quote", "before it")
        await seen.page.fill("[name='p.names']", "one\ntwo\nthree")
        posts: list[Any] = []
        told: list[str] = []
        seen.page.on("console", lambda said: told.append(said.text))
        await seen.page.route(seen.page.url, lambda route: posts.append(route))
        await seen.page.evaluate(TWICE)
        await eventually(lambda: posts and told)  # the second while the answer to the first is away
        assert ("on its way" in told[0], len(posts)) == (True, 1)
        await posts[0].continue_()
        await seen.until_says("#notice", "Queued")
        await seen.until_says("#result", "steps: 3")
        assert seen.complaints == []


async def in_the_way(seen: Seen, axe: str) -> list[str]:
    """What axe-core finds on the page that is open: light, dark, and 320 px wide; and what has to be scrolled sideways."""
    await seen.page.wait_for_load_state()  # words are there before the looks are
    path = seen.page.url.removeprefix(seen.base)
    found: list[str] = []
    await seen.page.set_viewport_size(WIDE)
    await seen.page.evaluate(axe)
    for name in ("light", "dark", "narrow"):
        await seen.page.emulate_media(
            color_scheme="dark" if name == "dark" else "light", reduced_motion="reduce"
        )
        if name == "narrow":
            await seen.page.set_viewport_size(NARROW)
            await seen.page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")  # fmt: skip
            wide = await seen.page.evaluate("document.documentElement.scrollWidth")
            found += [f"{path}: {wide} px wide on 320"] if wide > 320 else []
        rules = "{}" if name != "dark" else "{runOnly: ['color-contrast']}"
        said = await seen.page.evaluate(f"axe.run(document, {rules}).then(r => r.violations)")
        found += [
            f"{path} {name}: {one['id']} {[node['html'][:200] for node in one['nodes']]}"
            for one in said
        ]
    return found


@pytest.fixture
def axe() -> str:
    if not AXE.exists():
        pytest.skip("there is no axe-core; make test-browser installs it")
    return AXE.read_text()


@pytest.mark.timeout(300)
async def test_nothing_stands_in_the_way_of_anybody(dsn, conn, chromium, axe):  # noqa: F811
    """axe-core finds nothing on any page."""
    async with looking(dsn, chromium) as seen:
        jobs = await fill(conn)
        await conn.execute("select bellhand.group_failures()")
        await conn.execute(
            """insert into bellhand.run_times (kind, step, samples, mean, deviation, quantiles, since)
                 select 'pages.steps', '', 214, 1, 1, array(select n / 20.0 from generate_series(0, 40) n), bellhand.now()"""
        )
        await conn.execute(PAST)
        await conn.execute("insert into bellhand.schedule_ticks select 'nightly', bellhand.now() - interval '1 day', $1::bigint", jobs["failed"])  # fmt: skip
        await conn.execute("update bellhand.schedules set last_job = $1, last_at = bellhand.now()", jobs["failed"])  # fmt: skip
        failure = await conn.fetchval("select fingerprint from bellhand.failures limit 1")
        worker = await conn.fetchval("select id from bellhand.workers")
        await conn.execute("insert into bellhand.views (name, path) values ('mine', '/jobs?q=owner:nobody')")  # fmt: skip
        await conn.execute("insert into bellhand.lanes (name) values ('shut'); select bellhand.pause_lane('shut', 'known')")  # fmt: skip
        await insert(conn, "pages.steps", '{"wait_for": "never"}')
        paths = [
            f"/workers/{worker}/drain",
            f"/failures/{failure}",
            "/schedules?did=run_now&n=3&failed=1&operation=1",
            *PATHS,
            *(f"/jobs/{number}" for number in jobs.values()),
            "/kinds/pages.plain",
            "/docs/performance",  # a guide, with tables and code
            "/docs/search?q=lease",
            "/jobs?q=owner:nobody",
        ]
        found: list[str] = []
        for path in paths:
            await seen.page.emulate_media(color_scheme="light")
            await seen.page.set_viewport_size(WIDE)
            await seen.go(path)
            found += await in_the_way(seen, axe)
        assert found == []
        assert seen.complaints == []
        await seen.page.emulate_media(media="print")
        shown = [await seen.page.is_visible(part) for part in ("main h1", ".top", ".side", "main form")]  # fmt: skip
        assert shown == [True, False, False, False], "on paper there is nothing to click"


async def test_nothing_stands_in_the_way_of_who_signs_in_errs_or_acts(dsn, conn, chromium, axe):  # noqa: F811
    """axe-core finds nothing where no address alone leads: the login, a problem, the preview of a bulk act, a new link."""
    token = "a-token-of-the-configuration"
    async with looking(dsn, chromium, {"status": {"port": 0, "token": token}}) as seen:
        jobs = await fill(conn)
        page = seen.page
        await page.goto(f"{seen.base}/jobs?q=state:scheduled")
        found = await in_the_way(seen, axe)
        await page.fill("#token", "wrong")
        await page.click("text=Sign in")
        await page.wait_for_url("**/login")
        assert "the token is unknown" in await seen.text("main")
        found += await in_the_way(seen, axe)
        await page.fill("#token", token)
        await page.click("text=Sign in")
        await page.wait_for_url(
            f"{seen.base}/jobs?q=state:scheduled"
        )  # what was asked for at first
        await page.goto(f"{seen.base}/jobs/99999")
        assert "no job 99999" in await seen.text("main")
        found += await in_the_way(seen, axe)
        await page.set_viewport_size(WIDE)
        await seen.go("/jobs?q=state:scheduled")
        await page.check(f"#job-{jobs['later']} input")
        await page.get_by_role("button", name="Preview").click()
        await seen.until_says("h1", "1 job?")
        found += await in_the_way(seen, axe)
        await page.set_viewport_size(WIDE)
        await seen.go(f"/jobs/{jobs['later']}")
        await page.click("text=Make a link")
        await seen.until_says("h1", "A link to job")
        found += await in_the_way(seen, axe)
        await seen.go(f"/jobs/{jobs['later']}?a=b")
        await seen.context.clear_cookies()  # as when a session has ended
        await page.click("[data-act=pause]")
        await page.fill("#token", token)
        await page.click("text=Sign in")
        await page.wait_for_url(
            f"{seen.base}/jobs/{jobs['later']}?a=b"
        )  # an act is no place to go to
        assert found == []
        # What the browser itself says of a 401 and a 404.
        assert [one for one in seen.complaints if "responded with a status of 40" not in one] == []


async def test_what_strangers_wrote_runs_nowhere(dsn, conn, chromium, test_data):  # noqa: F811
    """XSS strings in payload, owner, tags and errors open no dialog, break no rule of the policy, and make no element."""
    strings = (test_data / "strings" / "BRUTELOGIC-XSS-STRINGS.txt").read_text().splitlines()
    strings += [
        one
        for one in json.loads((test_data / "strings" / "blns.json").read_text())
        if "\0" not in one
    ]
    async with looking(dsn, chromium) as seen:
        bad = strings[0]
        payload = {"raise": "\n".join(strings[:100]), "list": strings}
        job = await insert(
            conn, "pages.plain", json.dumps(payload), owner=bad, tags=json.dumps({bad: bad})
        )
        await until(conn, job, "failed")
        for path in (f"/jobs/{job}", "/jobs", "/", "/failures", "/system"):
            await seen.go(path)
            await seen.page.evaluate(
                "document.querySelectorAll('details').forEach(d => { d.open = true })"
            )
            await seen.page.wait_for_timeout(50)
            assert (
                await seen.page.evaluate(
                    "document.querySelectorAll('main script, main img, main iframe, main [onload]').length"
                )
                == 0
            )
        assert seen.complaints == []
