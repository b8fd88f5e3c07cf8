"""Finding: what is written into a search is completed from what there is; searches that were given a name; failures by their fingerprint."""

import json
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from bellhand.dashboard.completion import quoted
from bellhand.dashboard.search import parse
from daemons import insert, until
from pages import HTML, Browser, browsing, fill, rows_of, text_of
from ports import make, of


async def words(browser: Browser, text: str) -> list[str]:
    async with browser.session.get(f"{browser.base}/jobs/words", params={"q": text}) as answer:
        assert answer.status == 200
        found: list[dict[str, Any]] = await answer.json()
    return [one["text"] for one in found]


async def test_a_search_is_completed_from_what_there_is(dsn, conn):
    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        tagged = await insert(
            conn, "pages.plain", '{"site": {"id": 5}, "api_key": "sk-secret-secret", "note": "two words"}', owner="ada lovelace", tags='{"team": "core"}'
        )  # fmt: skip
        await until(conn, tagged, "completed")
        for text, wanted in {
            "sta": ["state:"], "state:fa": ["state:failed"], "lane:pa": ["lane:pages"], "plain": ["kind:pages.plain"],
            "state:over kind:steps": ["state:over kind:pages.steps"], "owner:": ['owner:"ada lovelace"', "owner:u_17"], "owner:AD": ['owner:"ada lovelace"'],
            "tag.": ["tag.team:"], "tag.team:": ["tag.team:core"], "payload.si": ["payload.site:"], "payload.site.": ["payload.site.id:"],
            "payload.site.id:": ["payload.site.id:5"], "payload.api_key:": [], "payload.note:": ['payload.note:"two words"'], "error:Val": ["error:ValueError"],
            "since:1": ["since:15min", "since:1h"], "nothing.of:this": [], "": [],
        }.items():  # fmt: skip
            assert sorted(await words(browser, text)) == sorted(wanted), text
        assert "payload.api_key:" not in await words(browser, "payload.")
        assert jobs


@pytest.mark.parametrize("value", ["ada", "ada lovelace", 'a "b" c', "o'neill"])
def test_what_is_completed_is_read_back_as_it_was(value):
    assert parse(f"owner:{quoted(value)}").owner == value


async def test_a_search_is_saved_by_name_for_all_who_look(dsn, conn):
    async with browsing(dsn) as browser:
        _, page, _ = await browser.get("/jobs")
        assert not page.css("form[action='/views']"), "there is nothing to save"
        path = "/jobs?q=state%3Afailed+owner%3Aada"
        _, page, _ = await browser.get(path)
        form = page.css_first("form[action='/views']")
        given = {one.attributes["name"]: one.attributes.get("value") for one in form.css("input")}
        _, page, where = await browser.post("/views", given | {"name": "Ada's failures <b>"})
        assert where.startswith("/jobs?q=state")
        assert "Saved" in text_of(page, "#notice")
        assert "Ada's failures <b>" in text_of(page, "ul[aria-label='Saved by name']")
        assert page.css_first("#palette-places option[value=\"Ada's failures <b>\"]").attributes["data-path"] == path  # fmt: skip
        assert "state:failed owner:ada" in (page.css_first("#q").attributes["value"] or "")
        _, page, _ = await browser.get("/jobs")
        assert page.css_first("ul[aria-label='Saved by name'] a").attributes["href"] == path
        _, page, _ = await browser.get(path)
        assert page.css_first("form[action='/views/remove']")
        for name, there in (("", path), ("x" * 81, path), ("else", "https://evil.example/"), ("else", "//evil.example")):  # fmt: skip
            assert (await browser.post("/views", {"name": name, "path": there}))[0] == 422
        await browser.post("/views/remove", {"name": "Ada's failures <b>", "back": "/jobs"})
        assert await conn.fetchval("select count(*) from bellhand.views") == 0
        events = await conn.fetch("select type, actor, data from bellhand.events where type like 'view%' order by seq")  # fmt: skip
        assert [(row["type"], row["actor"]) for row in events] == [("view_saved", "http:loopback"), ("view_removed", "http:loopback")]  # fmt: skip
        assert json.loads(events[0]["data"])["path"] == path
        token = await make(conn, "reader", "read")
        browser.session.headers["Authorization"] = f"Bearer {token}"
        assert (await browser.post("/views", {"name": "mine", "path": path}))[0] == 403
        assert not (await browser.get(path))[1].css("form[action='/views']")


async def test_a_failure_is_found_by_its_fingerprint(dsn, conn):
    async with browsing(dsn) as browser:
        await fill(conn)
        await until(conn, await insert(conn, "pages.steps", '{"fail": "second"}', owner="ada"), "failed")  # fmt: skip
        await conn.execute("select bellhand.group_failures()")
        failure = await conn.fetchval("select fingerprint from bellhand.failures")
        _, page, _ = await browser.get(f"/jobs?q={failure}")
        assert "ValueError" in text_of(page, "h1")
        assert "after the deploy of 0" in text_of(page, "#group")
        assert "Owners of those1" in text_of(page, "#group")
        for form, said in (({"for": "ever", "reason": "known"}, "somebody unmutes it: known"), ({"for": "7d"}, "in 7 d"), ({"for": "deploy"}, "the next deploy"), ({"for": "off"}, "Mute it")):  # fmt: skip
            _, page, there = await browser.post(f"/failures/{failure}/mute", form)
            assert said in text_of(page), form
            assert there == f"/failures/{failure}?did={'unmute' if form['for'] == 'off' else 'mute'}"  # fmt: skip
        _, page, _ = await browser.get(f"/jobs?q={failure[::-1]}")
        assert "No job matches" in text_of(page)


async def test_who_may_only_look_finds_no_secret_by_looking_for_it(dsn, conn):
    """A search that tells whether a payload holds a text would give away, letter by letter, what the pages hide."""
    reader = of(await make(conn, "reader", "read"))
    async with browsing(dsn) as browser:
        await conn.execute(
            """insert into bellhand.jobs (kind, run_at, payload) values ('pages.plain', bellhand.now() + interval '1 day', '{"api_key": "s3cr3t", "url": "x.org"}')"""
        )
        for words, all_of_them, his in (
            ("s3cr", 1, 0),
            ("payload.api_key:s3cr3t", 1, 1),
            ("payload.url:x.org", 1, 1),
            ("payload.api_key:wrong", 0, 1),
        ):
            for headers, count in (({}, all_of_them), (reader, his)):
                async with browser.session.get(
                    f"{browser.base}/jobs", params={"q": words}, headers=HTML | headers
                ) as said:
                    page = LexborHTMLParser(await said.text())
                assert len(rows_of(page)) == count, (words, headers)
                told = "is looked for only by who may operate" in text_of(page)
                assert told == (bool(headers) and "api_key" in words)


async def test_nor_in_what_is_hidden_of_an_error(dsn, conn):
    reader = of(await make(conn, "reader", "read"))
    async with browsing(dsn) as browser:
        await fill(conn)
        for table, state in ("jobs", "pending"), ("history", "failed"):
            await conn.execute(f"update bellhand.{table} set error = 'OSError: token=h1dden' where state = '{state}'")  # fmt: skip
        found = {}
        for who, headers in {"admin": {}, "reader": reader}.items():
            for words in "h1dd", "OSError":
                async with browser.session.get(
                    f"{browser.base}/jobs", params={"q": words}, headers=HTML | headers
                ) as said:
                    found[who, words] = len(rows_of(LexborHTMLParser(await said.text())))
        assert found["reader", "h1dd"] == 0
        assert found["admin", "h1dd"] == found["admin", "OSError"] == found["reader", "OSError"] > 1


async def test_a_kind_tells_how_long_it_takes_by_which_code_it_fails_and_what_fits_no_longer(dsn, conn):  # fmt: skip
    async with browsing(dsn) as browser:
        await fill(conn)
        _, page, _ = await browser.get("/kinds/pages.steps")
        assert not page.css_first("#times-title")
        assert "50.0 %" in text_of(page, "section[aria-labelledby='codes-title']")
        await conn.execute(
            """insert into bellhand.run_times (kind, step, samples, mean, deviation, quantiles, since)
                 select 'pages.steps', s, 214, 20, 9, array(select n::float8 from generate_series(0, 40) n), bellhand.now() from unnest(array['', 'first']) s"""
        )
        await insert(conn, "pages.steps", '{"names": ["a"]}', run_at=await conn.fetchval("select bellhand.now() + interval '1 hour'"))  # fmt: skip
        _, page, _ = await browser.get("/kinds/pages.steps")
        times = [row.text(separator=" ").split() for row in page.css("section[aria-labelledby='times-title'] tbody tr")]  # fmt: skip
        assert times == [
            ["the", "whole", "run", "20", "s", "38", "s", "214"],
            ["first", "20", "s", "38", "s", "214"],
        ]
        assert "takes no longer" not in text_of(page)
        await conn.execute("update bellhand.kinds set checks = jsonb_set(checks, '{0}', '{\"key\": \"colour\", \"types\": [\"string\"], \"required\": true}') where name = 'pages.steps'")  # fmt: skip
        _, page, _ = await browser.get("/kinds/pages.steps")
        assert "of its jobs that wait" in text_of(page)
