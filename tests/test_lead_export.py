"""Leads as CSV and JSON: whole, streamed, and nothing in them that a spreadsheet would run."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellhand.families.leads.export import COLUMNS, cell, exported
from commands import Bellhand, bare, bellhand

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
