"""What pages cost: how many statements each asks, and how much a browser loads for the first one."""

import gzip
from typing import Any

from bellhand.dashboard.assets import Assets
from bellhand.look import Look
from pages import PATHS, browsing, fill

PACKED_BYTES_MAX = 60_000
OF_EVERY_PAGE = ("page_frame", "caller_of")  # asked once in two seconds, or for a session
STATEMENTS_MAX = 3
# Of jobs that are not over it is asked besides when they will be.
FORETOLD = "eta"


def test_scripts_and_styles_are_small():
    loaded = {name: body for name, (body, sort) in Assets().files.items() if sort != "image/svg+xml"}  # fmt: skip
    packed = {name: len(gzip.compress(body, 9)) for name, body in loaded.items()}
    assert sum(packed.values()) <= PACKED_BYTES_MAX, packed


def test_a_script_is_named_by_what_it_imports_too():
    """A change in one changes the address of those that import it, or browsers would keep the old one for ever."""
    assets = Assets()
    body = assets.files["dashboard.js"][0].decode()
    assert set(assets.imported) == {
        "charts.js",
        "find.js",
        "keys.js",
        "once.js",
        "page.js",
        "stream.js",
    }
    for name in assets.imported:
        assert f'"./{name}?v={assets.digests[name]}"' in body


async def test_no_page_asks_more_than_three_statements(dsn, conn, monkeypatch):
    asked: list[str] = []
    fetch = Look.fetch

    async def counted(self: Look, name: str, *arguments: Any, **more: Any) -> Any:
        asked.append(name)
        return await fetch(self, name, *arguments, **more)

    async with browsing(dsn) as browser:
        jobs = await fill(conn)
        await conn.execute("select bellhand.group_failures()")
        failure = await conn.fetchval("select fingerprint from bellhand.failures")
        worker = await conn.fetchval("select id from bellhand.workers")
        monkeypatch.setattr(Look, "fetch", counted)
        for path in (*PATHS, *(f"/jobs/{number}" for number in jobs.values()), f"/failures/{failure}", f"/workers/{worker}/drain"):  # fmt: skip
            asked.clear()
            code, _, _ = await browser.get(path)
            own = [name for name in asked if name not in OF_EVERY_PAGE and not name.startswith(FORETOLD)]  # fmt: skip
            assert code == 200
            assert len(own) <= STATEMENTS_MAX, f"{path}: {own}"
        await conn.execute("select bellhand.cancel($1)", jobs["running"])
