"""The public page and <job-progress> in a real Chromium: they move by themselves, cancel, come back after a restart, keep nobody out.

Skipped where Chromium, playwright or axe-core is missing; `make test-browser` installs all three.
"""

import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from daemons import at_work, insert, until
from pages import HANDLERS
from support import quiet_port
from tabs import AXE, NARROW, UNHURRIED, WIDE, let, tab
from test_browser import chromium  # noqa: F401  # a fixture
from websites import html, serving

SAYS = "job-progress .head"  # in its shadow, where inner_text does not look from outside
BAR = "job-progress [role=progressbar]"
NASTY = "<img src=x onerror=alert(1)>"


async def ticket(base: str, job: int, **more: Any) -> str:
    async with aiohttp.ClientSession() as session, session.post(f"{base}/v1/tickets", json={"job": job} | more) as answer:  # fmt: skip
        assert answer.status == 201
        made: str = (await answer.json())["ticket"]
        return made


def steps(*names: str, wait_for: str) -> str:
    return json.dumps({"names": names, "wait_for": wait_for})


async def test_the_public_page_moves_by_itself_and_cancels(dsn, conn, chromium):  # noqa: F811
    """S0-17, S0-19, S0-20 for people without a token; what a job says of itself is text."""
    async with at_work(dsn, *HANDLERS, worker=UNHURRIED) as daemon:
        base = f"http://127.0.0.1:{daemon.status.port}"
        job = await insert(conn, "pages.steps", steps("a", NASTY, "c", wait_for="p"))
        await until(conn, job, "running")
        async with tab(chromium, base) as seen:
            await seen.go(f"/p/{await ticket(base, job, cancel=True)}")
            await seen.until_says(SAYS, "33 percent, 1 of 3")
            bar = seen.page.locator(BAR)
            assert await bar.get_attribute("aria-valuenow") == "33"
            assert await bar.get_attribute("aria-label") == "Progress of pages.steps"
            let("p", 1)
            await seen.until_says(SAYS, "67 percent, 2 of 3")
            assert (await bar.get_attribute("aria-valuetext")).startswith("Running: 67 percent")
            assert await seen.page.locator("job-progress img").count() == 0
            await seen.page.get_by_role("button", name="Cancel").click()
            await until(conn, job, "cancelled")
            await seen.until_says(SAYS, "Cancelled")
            assert await seen.page.get_by_role("button", name="Cancel").count() == 0
            assert seen.complaints == []


async def test_the_page_goes_on_after_the_daemon_was_restarted(dsn, conn, chromium):  # noqa: F811
    port = quiet_port()
    base = f"http://127.0.0.1:{port}"
    async with tab(chromium, base) as seen:
        async with at_work(dsn, *HANDLERS, status={"port": port}, worker=UNHURRIED | {"grace_seconds": 0.2}) as _:  # fmt: skip
            job = await insert(conn, "pages.steps", steps("a", "b", wait_for="r"))
            await until(conn, job, "running")
            await seen.go(f"/p/{await ticket(base, job)}")
            await seen.until_says(SAYS, "50 percent")
            await seen.page.evaluate("window.theSame = true")
        async with at_work(dsn, *HANDLERS, worker=UNHURRIED, status={"port": port}):
            await until(conn, job, "running")
            let("r", 1)
            await seen.until_says(SAYS, "Completed")
        assert await seen.page.evaluate("window.theSame")


async def test_a_page_of_another_site_shows_a_job_and_hears_when_it_is_done(dsn, conn, chromium):  # noqa: F811
    """S0-22; only an origin on the list may."""
    body = '<job-progress base="{base}" ticket="{ticket}"></job-progress><output></output><script type="module" src="{base}/bellhand.js"></script><script>document.addEventListener("job-done", (e) => {{ document.querySelector("output").textContent = "done " + e.detail.state; }});</script>'  # fmt: skip
    for listed in (True, False):
        site: dict[str, str] = {}

        async def page(request: web.Request, site: dict[str, str] = site) -> web.StreamResponse:
            return await html(site["body"])(request)

        async with serving(("/", page)) as other:
            origin = f"http://127.0.0.1:{other}"
            status = {"port": 0, "cors_origins": [origin] if listed else []}
            async with at_work(dsn, *HANDLERS, worker=UNHURRIED, status=status) as daemon:
                base = f"http://127.0.0.1:{daemon.status.port}"
                job = await insert(conn, "pages.steps", '{"names": ["a"]}')
                await until(conn, job, "completed")
                site["body"] = body.format(base=base, ticket=await ticket(base, job))
                async with tab(chromium, origin) as seen:
                    await seen.go("/")
                    if listed:
                        await seen.until_says("output", "done completed")
                        await seen.until_says(SAYS, "100 percent")
                    else:
                        await seen.until_complains("CORS")
                        assert await seen.text("output") == ""


async def test_the_page_keeps_nobody_out(dsn, conn, chromium):  # noqa: F811
    """axe-core finds nothing: running and over, light, dark and 320 px wide, with and without the script."""
    if not AXE.exists():
        pytest.skip("there is no axe-core; make test-browser installs it")
    axe = AXE.read_text()
    async with at_work(dsn, *HANDLERS, worker=UNHURRIED) as daemon:
        base = f"http://127.0.0.1:{daemon.status.port}"
        runs = await insert(conn, "pages.steps", steps("a", "b", wait_for="q"))
        over = await insert(conn, "pages.steps", json.dumps({"fail": "first"}))
        await until(conn, runs, "running")
        await until(conn, over, "failed")
        places = [f"/p/{await ticket(base, job, cancel=True)}" for job in (runs, over)]
        looks = (("light", WIDE), ("dark", WIDE), ("dark", NARROW))
        async with tab(chromium, base) as seen:
            for scheme, size in looks:
                await seen.page.emulate_media(color_scheme=scheme)
                await seen.page.set_viewport_size(size)
                for place in places:
                    await seen.go(place)
                    await seen.page.locator(BAR).wait_for()
                    await seen.page.evaluate(axe)
                    found = await seen.page.evaluate("axe.run().then((r) => r.violations.map((v) => v.id + ' ' + v.nodes[0].html))")  # fmt: skip
                    assert found == [], (scheme, size, place)
                    wide = await seen.page.evaluate("document.documentElement.scrollWidth > innerWidth")  # fmt: skip
                    assert not wide
