"""Several tabs of one browser in a real Chromium: one stream for all, nothing lost when its keeper goes; and when a page leaves its reader alone."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from daemons import insert, until
from support import eventually
from tabs import PATIENCE_SECONDS, Seen, let, looking
from test_browser import chromium  # noqa: F401  # a fixture

# Where a tab has heard the stream by, from whichever tab tells it.
LISTENS = """() => {
    window.ears = new BroadcastChannel("bellhand.stream");
    window.ears.onmessage = ({ data }) => { if (data.job && data.place) window.heard = data.place; };
}"""
OVER = ("loadingFinished", "loadingFailed")


class Tab(Seen):
    """A tab that knows how many streams it has begun, and which of them are there still."""

    def __init__(self, seen: Seen, page: Any) -> None:
        super().__init__(seen.context, page, seen.base)
        self.streams: dict[str, str] = {}
        self.begun = 0

    @classmethod
    async def opened(cls, seen: Seen, path: str) -> "Tab":
        page = await seen.context.new_page()
        tab = cls(seen, page)
        devtools = await seen.context.new_cdp_session(page)
        await devtools.send("Network.enable")
        devtools.on("Network.requestWillBeSent", tab._begins)
        for name in OVER:
            devtools.on(f"Network.{name}", lambda said: tab.streams.pop(said["requestId"], None))
        await tab.go(path)
        return tab

    def _begins(self, said: dict[str, Any]) -> None:
        if "/events" in said["request"]["url"]:
            self.streams[said["requestId"]] = said["request"]["url"]
            self.begun += 1


async def waiting_job(conn: Any, name: str) -> int:
    """A job of four steps; each but the first waits for GO[name.number]."""
    payload = {"names": ["a", "b", "c", "d"], "wait_for": name}
    job = await insert(conn, "pages.steps", json.dumps(payload))
    await until(conn, job, "running")
    return job


async def test_all_tabs_share_one_stream_and_another_takes_over(dsn, conn, chromium):  # noqa: F811
    async with looking(dsn, chromium) as seen:
        jobs = {name: await waiting_job(conn, name) for name in ("x", "y")}
        tabs = [await Tab.opened(seen, f"/jobs/{jobs[name]}") for name in ("x", "y", "x")]

        def streams(of: list[Tab]) -> list[str]:
            return [url for tab in of for url in tab.streams.values()]

        async def one_for_both() -> bool:
            urls = streams(tabs)
            return len(urls) == 1 and all(f"job={job}" in urls[0] for job in jobs.values())

        await eventually(one_for_both, because="one stream for three tabs and both jobs")
        for tab in tabs:
            await tab.page.evaluate(LISTENS)
        for name in jobs:
            let(name, 1)
        for tab in tabs:
            await tab.until_says("#head", "50 %")
            # They may have seen it by asking, which does not tell where the stream is.
            await eventually(lambda tab=tab: tab.page.evaluate("window.heard"))
        await eventually(one_for_both)
        keeper = next(tab for tab in tabs if tab.streams)
        left = [tab for tab in tabs if tab is not keeper]
        await keeper.page.close()
        for name in jobs:
            let(name, 2)  # while nobody may be listening
        for tab in left:
            await tab.until_says("#head", "75 %")

        async def one_again() -> bool:
            urls = streams(left)
            return len(urls) == 1 and "after=" in urls[0]

        await eventually(one_again, because="another tab keeps it, from where it was")
        for name in jobs:
            let(name, 3)
        for tab in left:
            await tab.until_says("#head .state", "completed")

        async def none() -> bool:
            return not streams(left)

        await eventually(none, because="nobody follows anything any more")
        assert [tab.complaints for tab in tabs] == [[], [], []]


async def test_a_tab_without_locks_has_a_stream_of_its_own(dsn, conn, chromium):  # noqa: F811
    """As on a page over plain HTTP from another machine, where the browser has none."""
    async with looking(dsn, chromium) as seen:
        job = await waiting_job(conn, "x")
        await seen.context.add_init_script("delete Navigator.prototype.locks")
        tabs = [await Tab.opened(seen, f"/jobs/{job}") for _ in range(2)]

        async def each_has_one() -> bool:
            return [len(tab.streams) for tab in tabs] == [1, 1]

        await eventually(each_has_one)
        for number in (1, 2, 3):
            let("x", number)
        for tab in tabs:
            await tab.until_says("#head .state", "completed")
            assert tab.complaints == []


async def test_what_is_read_is_left_alone(dsn, conn, chromium):  # noqa: F811
    """While text is selected nothing changes, whatever comes; a page that is followed is asked for less often; `l` stops and starts all of it."""
    async with looking(dsn, chromium) as seen:
        job = await waiting_job(conn, "x")
        asked: list[float] = []
        loop = asyncio.get_running_loop()
        await seen.go(f"/jobs/{job}")
        await seen.until_says("#head", "25 %")
        seen.page.on("request", lambda sent: asked.append(loop.time()) if sent.url.endswith(f"/jobs/{job}") else None)  # fmt: skip
        async with late_answer(seen, f"**/jobs/{job}", "50 %", lambda: let("x", 1)):
            await seen.page.evaluate("getSelection().selectAllChildren(document.querySelector('#steps-title'))")  # fmt: skip
        await asyncio.sleep(1.5)  # the stream has had its turn
        assert "25 %" in await seen.text("#head")
        await seen.page.evaluate("getSelection().removeAllRanges()")
        await seen.until_says("#head", "50 %")
        # The stream tells of it, so it is asked for every six seconds; without one it would be every two.
        await eventually(lambda: loop.time() - asked[-1] > 5)
        await seen.page.keyboard.press("l")
        assert "not live" in await seen.text("#live")
        let("x", 2)
        await until_progress(conn, job, 3)
        await asyncio.sleep(2.2)  # a poll would have had its turn too
        assert "50 %" in await seen.text("#head")
        await seen.page.keyboard.press("l")
        await seen.until_says("#head", "75 %")
        let("x", 3)
        await seen.until_says("#head .state", "completed")
        assert seen.complaints == []


@asynccontextmanager
async def late_answer(
    seen: Seen, url: str, words: str, cause: Callable[[], None]
) -> AsyncIterator[None]:
    """What comes about meanwhile is done while the answer that says so is on its way; on leaving, that has come."""
    ready, go_on = asyncio.Event(), asyncio.Event()

    async def held(route: Any) -> None:
        answer = await route.fetch()
        if words in await answer.text():
            ready.set()
            await go_on.wait()
        await route.fulfill(response=answer)

    await seen.page.route(url, held)
    cause()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await ready.wait()
    yield
    await seen.page.evaluate("addEventListener('htmx:afterRequest', () => { window.answered = true; })")  # fmt: skip
    go_on.set()
    await eventually(lambda: seen.page.evaluate("window.answered"))
    await seen.page.unroute(url)


async def until_progress(conn: Any, job: int, steps: int) -> None:
    """So many steps are done, as the database knows."""

    async def done() -> bool:
        return await conn.fetchval("select count(*) from bellhand.steps where job = $1 and state = 'completed'", job) == steps  # fmt: skip

    await eventually(done)
