"""Leads as CSV and JSON: whole, streamed, and nothing in them that a spreadsheet would run."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bellhand.api.status import STOP_SECONDS
from bellhand.families.leads.export import COLUMNS, cell, exported
from commands import Bellhand, bare, bellhand
from pages import browsing, rows_of
from ports import client_of, make, of, whole
from support import eventually
from test_status import NOWHERE, TOKEN

INSERT = "insert into bellhand_leads.leads (name, phone, address, excluded) values ($1, $2, $3, $4) returning id"


async def text_of(conn: asyncpg.Connection, **options: object) -> str:
    return "".join([part async for part in exported(conn, **options)])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("+4930901820", "+4930901820"),
        ("+49 30 901820", "'+49 30 901820"),
        ("+49+1", "'+49+1"),
        ("Acme = Glass", "Acme = Glass"),
        (-97.5, "-97.5"),
        (None, ""),
        (True, "yes"),
        (["a", "b"], "a; b"),
        (["=a"], "'=a"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
    ],
)
def test_no_cell_is_a_formula_and_phone_numbers_stay_whole(value: object, shown: str):
    assert cell(value) == shown


@given(st.text(max_size=50))
def test_whatever_the_text_a_cell_begins_with_nothing_active(text: str):
    shown = cell(text)
    assert not shown.startswith(("=", "-", "@", "\t", "\r"))
    assert not shown.startswith("+") or shown[1:].isdecimal()
    assert shown.removeprefix("'") == text.removeprefix("'")


async def test_csv_and_json_hold_the_same_leads(conn):
    await conn.execute(INSERT, 'Acme "Glass",\nLtd', "+15125550142", "=HYPERLINK(1)", False)
    await conn.execute(INSERT, "ঢাকা গ্লাস", None, None, False)
    await conn.execute(INSERT, "Excluded", None, None, True)
    rows = list(csv.DictReader(io.StringIO(await text_of(conn, as_json=False), newline="")))
    assert [row["name"] for row in rows] == ['Acme "Glass",\nLtd', "ঢাকা গ্লাস"]
    assert (rows[0]["phone"], rows[0]["address"]) == ("+15125550142", "'=HYPERLINK(1)")
    found = json.loads(await text_of(conn, as_json=True))
    assert [one["name"] for one in found] == [row["name"] for row in rows]
    assert found[0]["address"] == "=HYPERLINK(1)"
    assert list(found[0]) == list(COLUMNS)
    assert len(json.loads(await text_of(conn, as_json=True, excluded=None))) == 3
    assert len(json.loads(await text_of(conn, as_json=True, excluded=True))) == 1


async def test_an_export_of_nothing_is_a_head_or_an_empty_list(conn):
    assert (await text_of(conn, as_json=False)).count("\n") == 1
    assert json.loads(await text_of(conn, as_json=True)) == []


async def test_leads_are_chosen_by_job_and_time(conn):
    ids = [await conn.fetchval(INSERT, f"Shop {n}", None, None, False) for n in range(3)]
    await conn.execute(
        "insert into bellhand_leads.sources (lead_id, job_id, service, location, source, position, matched_by, found)"
        " values ($1, 7, 'glass', 'Dhaka', 'places', 1, 'new', '{}'), ($1, 7, 'tiles', 'Dhaka', 'places', 1, 'phone', '{}')",
        ids[1],
    )
    await conn.execute("update bellhand_leads.leads set last_seen_at = '2020-01-01' where id = $1", ids[2])  # fmt: skip
    (one,) = json.loads(await text_of(conn, as_json=True, job_id=7))
    assert (one["id"], one["services"], one["sources"]) == (ids[1], ["glass", "tiles"], ["places"])
    since = datetime(2021, 1, 1, tzinfo=UTC)
    found = json.loads(await text_of(conn, as_json=True, since=since))
    assert [lead["id"] for lead in found] == ids[:2]


async def test_what_the_sites_family_found_comes_along(conn):
    await conn.execute("insert into bellhand_leads.leads (name, website) values ('Acme', 'https://acme-glass.com/')")  # fmt: skip
    await conn.execute("update bellhand_sites.businesses set emails = '{info@acme-glass.com}', website_status = 'ok'")  # fmt: skip
    (lead,) = json.loads(await text_of(conn, as_json=True))
    assert (lead["emails"], lead["website_status"]) == (["info@acme-glass.com"], "ok")


async def test_many_leads_come_in_pieces(conn):
    await conn.execute(
        "insert into bellhand_leads.leads (name) select 'Shop ' || n from generate_series(1, 1200) n"
    )
    parts = [part async for part in exported(conn, as_json=False)]
    assert len(parts) == 4  # the head, and 500, 500, 200 rows
    assert "".join(parts).count("\r\n") == 1201


def test_the_command_writes_to_stdout_or_to_a_new_file(bellhand: Bellhand, tmp_path: Path):
    bellhand.sql(INSERT, "=Acme", None, None, False)
    said = bellhand("leads", "export")
    assert (said.code, said.out.splitlines()[1].split(",")[1]) == (0, '"\'=Acme"')
    assert bellhand("leads", "export", "--json", "--since", "1h").json[0]["name"] == "=Acme"
    assert bellhand("leads", "export", "--json", "--excluded").json == []
    target = tmp_path / "leads.csv"
    said = bellhand("leads", "export", "--output", str(target))
    assert said.code == 0
    assert "'=Acme" in target.read_text()
    again = bellhand("leads", "export", "--output", str(target))
    assert again.code == 2
    assert "cannot be written" in again.err
    assert bellhand("leads", "export", "--job", "x").code == 2


# Over HTTP

EXPORTING = "select count(*) from pg_stat_activity where application_name = 'bellhand:export'"


async def test_the_page_links_to_files_of_all_that_its_search_finds(dsn, conn):
    """Not of the fifty that a page shows; and nothing in them is a formula."""
    await conn.execute("insert into bellhand_leads.leads (name, address) select '=Glass ' || n, 'Dhaka' from generate_series(1, 60) n")  # fmt: skip
    await conn.execute(INSERT, "Tiles", "+8801711123456", "Dhaka", False)
    await conn.execute(INSERT, "Glass & Co", None, None, True)
    async with browsing(dsn) as browser:
        for path, shown, found in (
            ("/leads", 50, 61), ("/leads?q=GLASS", 50, 60), ("/leads?q=glass&excluded=1", 1, 1), ("/leads?q=%2b%26", 0, 0),
        ):  # fmt: skip
            _, page, _ = await browser.get(path)
            assert len(rows_of(page)) == shown
            csv_path, json_path = [link.attributes["href"] for link in page.css("a[download]")]
            async with browser.session.get(browser.base + csv_path) as said:
                text = await said.text()
                assert said.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
                assert said.headers["Content-Disposition"] == 'attachment; filename="leads.csv"'
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
            async with browser.session.get(browser.base + json_path) as said:
                leads = await said.json()
            assert len(rows) == len(leads) == found
            for row, lead in zip(rows, leads, strict=True):
                assert row["name"].removeprefix("'") == lead["name"]
                assert not row["name"].startswith("=")


async def test_a_file_is_that_of_the_command_for_who_may_read(dsn, conn):
    ids = [await conn.fetchval(INSERT, f"Shop {n}", None, None, n == 2) for n in range(3)]
    reader, maker = of(await make(conn, "r", "read")), of(await make(conn, "m", "enqueue"))
    async with whole(dsn, token=SecretStr(TOKEN)) as port:
        path = "/v1/leads/export.csv"
        assert await port.status(path) == 401
        assert await port.status(path, headers=maker) == 403
        code, text, _ = await port.ask(path, headers=reader)
        assert (code, text) == (200, await text_of(conn, as_json=False))
        code, text, headers = await port.ask(path, "HEAD", headers=reader)
        assert (code, text, "leads.csv" in headers["Content-Disposition"]) == (200, "", True)
        for query, wanted in {
            "": ids[:2], "?excluded=too": ids, "?excluded=only": ids[2:], "?job=7": [], "?since=2999-01-01T00:00:00Z": [], "?q=shop+1": ids[1:2],
        }.items():  # fmt: skip
            code, found, _ = await port.ask(f"/v1/leads/export.json{query}", headers=reader)
            assert (code, [lead["id"] for lead in found]) == (200, wanted), query
        assert await port.status("/v1/leads/export.csv?excluded=1", headers=reader) == 422


async def test_an_export_that_cannot_begin_says_so_and_one_that_breaks_is_no_whole_file(dsn, conn):
    await conn.execute("insert into bellhand_leads.leads (name, summary) select 'x', repeat('x', 4000) from generate_series(1, 6000)")  # fmt: skip
    async with whole(NOWHERE) as port:
        assert (await port.ask("/v1/leads/export.csv"))[1]["code"] == "database_away"
    async with whole(dsn) as port, port.session.get(port.base + "/v1/leads/export.csv") as said:
        assert said.status == 200
        await said.content.read(10)
        await conn.fetch("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'bellhand:export'")  # fmt: skip
        with pytest.raises(aiohttp.ClientPayloadError):
            await said.read()
    async with client_of(0) as stranger:
        async with whole(dsn) as port:
            path = f"{port.base}/v1/leads/export.csv"
            said = await stranger.session.get(path)
            begun = asyncio.get_running_loop().time()
        # The port gives those who hang on to it STOP_SECONDS, twice.
        assert asyncio.get_running_loop().time() - begun < 1.5 * STOP_SECONDS
        with pytest.raises(aiohttp.ClientError):
            await said.read()


async def test_two_export_at_once_and_who_goes_away_makes_room(dsn, conn):
    """A file is held back by who reads it, and takes neither memory nor the pages' connections."""
    await conn.execute("insert into bellhand_leads.leads (name, summary) select 'x', repeat('x', 4000) from generate_series(1, 6000)")  # fmt: skip
    path = "/v1/leads/export.json?q=x"
    async with whole(dsn) as port:
        slow = [await port.session.get(port.base + path) for _ in range(2)]
        code, said, headers = await port.ask(path)
        assert (code, said["code"], headers["Retry-After"]) == (503, "too_many_exports", "10")
        assert await conn.fetchval(EXPORTING) == 2
        assert await port.status("/leads") == 200
        for one in slow:
            one.close()

        async def gone() -> bool:
            return await conn.fetchval(EXPORTING) == 0

        await eventually(gone)
        assert len((await port.ask(path))[1]) == 6000
