"""Every key that the pages list does what it says, in a real Chromium; searches complete as one types, and charts mark deploys."""

import json

from bellhand.dashboard.site import KEYBOARD
from daemons import insert, until
from pages import fill
from support import eventually
from tabs import looking
from test_browser import chromium  # noqa: F401  # a fixture

PRESSED = {
    "/", "?", "Ctrl+K", "g o", "j k", "Enter", "x", "r c p", "n", "u", "y Y", "[ ]", "l", "z", "t"
}  # fmt: skip
PLACES = {"o": "/", "j": "/jobs", "f": "/failures", "q": "/lanes", "k": "/kinds", "l": "/lanes", "s": "/schedules", "w": "/workers", "y": "/system"}  # fmt: skip


async def test_keys_find_choose_and_open_rows(dsn, conn, chromium):  # noqa: F811
    """/ ? Ctrl+K g j k Enter x [ ] and the bulk act of a chosen row; l z t are pressed in the other tests."""
    assert {keys for keys, _ in KEYBOARD} == PRESSED, "a key is listed that nobody tries"
    async with looking(dsn, chromium) as seen:
        page, press = seen.page, seen.page.keyboard.press
        jobs = await fill(conn)
        await conn.execute("insert into bellhand.jobs (kind, run_at) select 'pages.plain', bellhand.now() + interval '1 day' from generate_series(1, 60)")  # fmt: skip
        await seen.go("/leads")
        for letter, path in PLACES.items():
            await page.keyboard.type(
                f"g{letter}"
            )  # at once: who waits for long after `g` goes nowhere
            await page.wait_for_url(seen.base + path)
        for word, path in (("Lanes", "/lanes"), ("pages.plain", "/kinds/pages.plain")):
            await press("Control+k")
            await page.keyboard.type(word)
            await press("Enter")
            await page.wait_for_url(seen.base + path)
        await seen.go("/jobs?q=state:live")
        await press("]")
        await page.wait_for_url("**before=*")
        await press("[")
        await page.wait_for_url(f"{seen.base}/jobs?q=state%3Alive")
        focused = "document.activeElement.closest('[data-row]')?.dataset.row"
        rows = await page.eval_on_selector_all("[data-row]", "rows => rows.map(row => row.dataset.row)")  # fmt: skip
        for key, at in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
            await press(key)
            assert await page.evaluate(focused) == rows[at]
        await press("x")  # of a job, the one that `k` went back to
        assert "1 chosen" in await seen.text("[data-chosen]")
        await press("c")
        await seen.until_says("h1", "Cancel 1 job?")
        await seen.go("/jobs?q=state:failed")
        await press("j")
        await press("Enter")
        await page.wait_for_url(f"**/jobs/{jobs['failed']}")
        await conn.execute("update bellhand_leads.leads set website = null, domain = null")
        await seen.go("/leads")  # nothing in its rows can be opened now
        rows = await page.eval_on_selector_all("[data-row]", "rows => rows.map(row => row.dataset.row)")  # fmt: skip
        for at in (0, 1, 2):
            await press("j")
            assert await page.evaluate(focused) == rows[at]
        await conn.execute("select bellhand.group_failures()")
        await seen.go(
            f"/failures/{await conn.fetchval('select fingerprint from bellhand.failures')}"
        )
        await press("r")
        await seen.until_says("h1", "Retry 1 job?")
        assert seen.complaints == []


async def test_keys_act_on_a_job_and_undo(dsn, conn, chromium):  # noqa: F811
    """c u p n r y Y on a job's page."""
    async with looking(dsn, chromium, permissions=["clipboard-read", "clipboard-write"]) as seen:
        page, press = seen.page, seen.page.keyboard.press
        job = await conn.fetchval("insert into bellhand.jobs (kind, run_at) values ('pages.plain', bellhand.now() + interval '1 day') returning id")  # fmt: skip
        key = str(await conn.fetchval("select key from bellhand.jobs"))
        await seen.go(f"/jobs/{job}")
        for one, did, state in (("c", "cancel", "cancelled"), ("u", "undo", "scheduled"), ("p", "pause", "paused"), ("p", "resume", "scheduled")):  # fmt: skip
            await seen.acts(one, did)
            await seen.until_says("#head .state", state)
        await press("y")
        copied = "navigator.clipboard.readText()"

        async def has_the_key() -> bool:
            return await page.evaluate(copied) == key

        await eventually(has_the_key)
        await press("Y")

        async def has_a_command() -> bool:
            return await page.evaluate(copied) == f"curl {seen.base}/v1/jobs/{key}"

        await eventually(has_a_command)
        # Over plain HTTP from another machine a browser has no clipboard for pages.
        await page.evaluate("window.kept = navigator.clipboard; Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # fmt: skip
        await page.click("[data-copies$='payload.json'] button")

        async def has_the_payload() -> bool:
            return (await page.evaluate("kept.readText()")).split() == ["{}"]

        await eventually(has_the_payload)
        assert await page.evaluate("document.activeElement.textContent") == "Copy", "the focus stays where it was"  # fmt: skip
        await seen.acts("n", "run_now")
        await seen.until_says("#head .state", "completed")
        await press("?")
        await page.check("[data-keys-off]")
        await press("Escape")
        await page.wait_for_selector("#keys", state="hidden")
        await press("?")
        assert await page.is_hidden("#keys"), "single keys are off"
        await page.click("[data-help]")
        await page.uncheck("[data-keys-off]")
        await press("Escape")
        await page.wait_for_selector("#keys", state="hidden")
        await press("?")
        assert await page.is_visible("#keys"), "and on again"
        assert seen.complaints == []


async def test_a_search_completes_while_it_is_written(dsn, conn, chromium):  # noqa: F811
    async with looking(dsn, chromium) as seen:
        job = await insert(conn, "pages.plain", "{}", owner="ada", tags=json.dumps({"team": "core"}))  # fmt: skip
        await until(conn, job, "completed")
        await seen.go("/jobs")

        async def offers(text: str, wanted: list[str]) -> None:
            await seen.page.fill("#q", text)

            async def there() -> bool:
                found = await seen.page.eval_on_selector_all("#q-words option", "all => all.map(one => one.value)")  # fmt: skip
                return found == wanted

            await eventually(there, because=f"{text} should offer {wanted}")

        await offers("tag.team:core ow", ["tag.team:core owner:"])
        await offers("tag.team:core owner:a", ["tag.team:core owner:ada"])
        await offers("nothing:here", [])
        assert seen.complaints == []


async def test_charts_mark_deploys(dsn, conn, chromium):  # noqa: F811
    """A column of the chart where nothing else is drawn has the colour of the mark once there was a deploy; also after the page was changed in place."""
    drawn = """() => {
        const canvas = document.querySelector('#pace-chart canvas');
        return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
    }"""
    marked = """() => {
        const canvas = document.querySelector('#pace-chart canvas'), [x, y] = [canvas.width, canvas.height];
        const pixels = canvas.getContext('2d').getImageData(0, 0, x, y).data;
        let columns = 0;
        for (let column = 0; column < x; column += 1) {
            let blue = 0;
            for (let row = 0; row < y; row += 1) {
                const at = 4 * (row * x + column);
                if (pixels[at + 3] > 100 && pixels[at + 2] - pixels[at] > 50) blue += 1;
            }
            if (blue > y / 5) columns += 1;
        }
        return columns;
    }"""
    async with looking(dsn, chromium, color_scheme="light") as seen:
        await conn.execute("update bellhand.deploys set at = at - interval '1 day'")
        await insert(conn, "pages.plain")
        await seen.go("/")
        await seen.page.wait_for_selector("#pace-chart canvas")
        await eventually(lambda: seen.page.evaluate(drawn))
        assert await seen.page.evaluate(marked) == 0
        await conn.execute("insert into bellhand.deploys (at, version) values (bellhand.now() - interval '30 minutes', 'a1b2')")  # fmt: skip

        async def there() -> bool:
            return await seen.page.evaluate(marked) > 0

        await seen.until_says("#deploys", "a1b2")
        await eventually(there)
        assert seen.complaints == []
