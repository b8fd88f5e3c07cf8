"""The pages of workers and of the system: taking one out and what that costs, who was lost, and what the database will grow to."""

import json

import pytest

from bellhand.dashboard.system import kept
from bellhand.dashboard.workers import mixed
from bellhand.settings import Settings
from bellhand.surfaces import status_port
from daemons import insert, until
from pages import browsing, text_of
from support import eventually


def test_code_is_mixed_where_daemons_of_the_same_kinds_differ():
    def worker(version: str, code: str | None, serves: str = "a") -> dict[str, str | None]:
        return {"version": version, "code": code, "serves": serves}

    assert mixed([worker("1", "x"), worker("1", "x"), worker("1", "y", "b")]) == []
    assert mixed([worker("1", "x"), worker("1", "y")]) == ["1 (code x)", "1 (code y)"]
    assert mixed([worker("1", "x"), worker("2", "y", "b")]) == ["1", "2"]
    assert mixed([worker("1", None), worker("2", None)]) == ["1", "2"]


@pytest.mark.parametrize(("days", "told"), [
    ([], None),
    ([{"bytes": 8192, "rows": 0, "part": 0.5}], None),
    ([{"bytes": 500, "rows": 5, "part": 0.5}, {"bytes": 8192, "rows": 0, "part": -1.5}], (1000, 30_000, "today so far")),
    ([{"bytes": 1, "rows": 1, "part": 0.1}, {"bytes": 300, "rows": 5, "part": 1.1}, {"bytes": 100, "rows": 5, "part": 2.1}], (200, 6000, "2 whole days")),
])  # fmt: skip
def test_history_is_foretold_from_its_whole_days(days, told):
    found = kept(days, 30)
    assert (found and tuple(found.values())) == told


async def test_a_worker_is_drained_after_its_plan_was_seen_and_let_go_again(dsn, conn):
    async with browsing(dsn) as browser:
        job = await insert(conn, "pages.steps", '{"wait_for": "never"}')
        await until(conn, job, "running")

        async def has_a_step() -> bool:
            return await conn.fetchval("select count(*) from bellhand.steps where state = 'completed'") == 1  # fmt: skip

        await eventually(has_a_step)
        _, page, _ = await browser.get("/workers")
        where = page.css_first("#worker-cards a.button").attributes["href"]
        _, page, _ = await browser.get(where)
        assert "none of 1 finished step" in text_of(page, "#plan")
        assert "at most" in text_of(page, "#plan p"), "by its timeout of 5 minutes"
        assert str(job) in text_of(page, "#plan-jobs")
        assert not await conn.fetchval("select draining from bellhand.workers")
        _, page, there = await browser.post(where, {"reason": "a new disk <b>"})
        assert there == "/workers?did=drain"
        assert "a new disk <b>" in text_of(page, "#worker-cards")
        row = await conn.fetchrow("select actor, data from bellhand.events where type = 'worker_drained'")  # fmt: skip
        assert (row["actor"], json.loads(row["data"])["reason"]) == (
            "http:loopback",
            "a new disk <b>",
        )
        _, page, _ = await browser.post(where.replace("/drain", "/undrain"))
        assert "claims again" in text_of(page, "#notice")
        assert not await conn.fetchval("select draining from bellhand.workers")
        for path in (
            "/workers/no-such/drain",
            "/workers/00000000-0000-0000-0000-000000000000/drain",
        ):
            assert (await browser.get(path))[0] == 404
            assert (await browser.post(path))[0] == 404
        await conn.execute("select bellhand.cancel($1)", job)


async def test_a_lost_worker_is_shown_with_what_it_held_and_when_that_runs_again(dsn, conn):
    async with browsing(dsn, lanes={"pages": {"concurrency": 1}}) as browser:
        held = await insert(conn, "pages.plain", run_at=await conn.fetchval("select bellhand.now() + interval '1 hour'"))  # fmt: skip
        await conn.execute(
            """insert into bellhand.workers (id, name, host, pid, version, kinds, lanes, capacity, beat)
                 values ('00000000-0000-0000-0000-000000000001', 'gone', 'far', 7, '0.0.9', '{pages.plain,pages.steps}', '{}', 1, bellhand.now() - interval '20 seconds')"""
        )
        await conn.execute("select bellhand.take_out($1)", held)
        await conn.execute("insert into bellhand.leases (worker, ids, epochs) select '00000000-0000-0000-0000-000000000001', array[j.id], array[j.epoch] from bellhand.jobs j where j.id = $1", held)  # fmt: skip

        async def lost() -> bool:
            _, page, _ = await browser.get("/workers")
            return bool(page.css_first("#lost-workers section"))

        await eventually(lost)
        _, page, _ = await browser.get("/workers")
        said = text_of(page, "#lost-workers")
        assert "gone" in said
        assert "pid 7 on far" in said
        assert f"{held} pages.plain" in said
        assert ("again" in said) or ("for good" in said)


async def test_the_system_tells_what_it_is_made_of_and_where_to_read_on(dsn, conn):
    board = "https://grafana.example.com/d/bellhand"
    async with browsing(dsn, metrics={"grafana_url": board}) as browser:
        await until(conn, await insert(conn, "pages.plain"), "completed")
        for path, chosen in (("/lanes/pages", "?var-lane=pages"), ("/kinds/pages.plain", "?var-kind=pages.plain"), ("/system", "")):  # fmt: skip
            _, page, _ = await browser.get(path)
            assert page.css_first(f"main a[href='{board}{chosen}']"), path
        facts = text_of(page, "#facts")
        assert "1 of 1" in facts
        links = {one.attributes["href"] for one in page.css("#facts a[href^='/runbooks/']")}
        assert len(links) >= 3
        _, page, _ = await browser.get("/runbooks")
        links |= {one.attributes["href"] for one in page.css("main .list a")}
        assert len(links) > 20
        for link in links:
            assert (await browser.get(link or ""))[0] == 200, link
        async with browser.session.get(f"{browser.base}/system/rules.yml") as answer:
            assert answer.headers["Content-Disposition"].startswith("attachment")
            assert f"runbook_url: {browser.base}/runbooks/BellhandDown\n" in await answer.text()


async def test_settings_are_shown_with_where_they_are_from(dsn, conn):
    from bellhand.db import Database
    from bellhand.metrics import Metrics

    settings = Settings(dsn=dsn, status={"port": 0})
    origins = [("dsn", "postgresql://u:********@h/d", "/etc/bellhand/config.toml:3"), ("worker.concurrency", "64", "default")]  # fmt: skip
    database = Database(dsn)
    port = status_port(
        settings.status, Metrics({}, version="1"), lambda: None, database, origins=origins
    )  # type: ignore[arg-type,return-value]  # nobody asks for the health
    await port.start()
    try:
        from aiohttp import ClientSession
        from selectolax.lexbor import LexborHTMLParser

        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port.port}/system", headers={"Accept": "text/html"}) as answer:  # fmt: skip
            page = LexborHTMLParser(await answer.text())
        tables = [" ".join(table.text().split()) for table in page.css("section[aria-labelledby='settings-title'] table")]  # fmt: skip
        assert "@h/d/etc/bellhand/config.toml:3" in tables[0]
        assert "worker.concurrency" in tables[1]
    finally:
        await port.stop()
        for link in database.links:
            link.drop()
