"""Reports of customers: HTML, PDF and workbooks that say what the tables hold, and never run what people wrote."""

import io
import json
import re
import zipfile
from datetime import date
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import asyncpg
import pytest
from selectolax.lexbor import LexborHTMLParser

from bellhand.clients.pdf import NoPdf
from bellhand.families import crm
from bellhand.families.crm import charts, page, report
from crm import ask, customer
from daemons import at_work, until

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
NASTY = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "<script>alert(1)</script>", "http://evil.example/", "a\x01b", "{{ 7*7 }}"]  # fmt: skip
ORDERS = """
  insert into bellhand_crm.orders (customer_id, ordered_at, amount) values
    ('ann', '2025-01-10Z', 100), ('ann', '2025-02-10Z', 50), ('ben', '2025-01-20Z', 30), ('cis', '2025-02-03Z', 20),
    ('ann', '2025-04-01Z', 10), ('cis', '2025-04-02Z', 5)"""
OPPORTUNITIES = """
  insert into bellhand_crm.opportunities (customer_id, title, offer, status, estimated_value)
    values ('ann', 'Hall', 'x', 'new', 500), ('ann', 'Hall', 'x', 'won', 100), ('ben', 'Hall', 'x', 'won', 50), ('cis', 'Hall', 'x', 'lost', 9)"""
MAILS = """
  insert into bellhand_crm.messages (customer_id, purpose, key, promotional, address, subject, state, job_id)
    select 'ann', 'promotion', n::text, true, 'ann@example.com', 'Hello', case when n <= 7 then 'sent' else 'bounced' end, 1
      from generate_series(1, 10) n"""
PAYMENTS = """
  insert into bellhand_crm.payments (key, customer_id, amount, currency, payment_method, state, live, idempotency_key, job_id)
    values ('a', 'ann', 1099, 'usd', 'pm', 'succeeded', true, gen_random_uuid(), 1), ('b', 'ann', 1000, 'usd', 'pm', 'succeeded', true, gen_random_uuid(), 1),
      ('c', 'ben', 700, 'jpy', 'pm', 'declined', true, gen_random_uuid(), 1), ('d', 'ben', 5, 'usd', 'pm', 'succeeded', false, gen_random_uuid(), 1)"""
REFUNDS = """
  insert into bellhand_crm.refunds (payment_id, key, amount, state, idempotency_key, job_id)
    select id, 'r' || n, 99, (array['succeeded', 'failed'])[n], gen_random_uuid(), 1 from bellhand_crm.payments, generate_series(1, 2) n where key = 'a'"""
HEAD: dict[str, Any] = {
    "made_at": "2026-01-02 03:04", "time_zone": "UTC", "currency": None, "customers": 3, "buyers": 2, "repeat_buyers": 1,
    "orders": 3, "amount": Decimal("12.50"), "quantity": 3, "this_month": date(2026, 1, 1), "expected_amount": None,
}  # fmt: skip


async def town(conn: asyncpg.Connection) -> None:
    for who in ("ann", "ben", "cis"):
        await customer(conn, who, name=who.capitalize())
    for statement in (ORDERS, OPPORTUNITIES, MAILS, PAYMENTS, REFUNDS):
        await conn.execute(statement)


async def made(conn: asyncpg.Connection, *formats: str, **payload: Any) -> dict[str, bytes]:
    """The reports of one job."""
    job = await ask(conn, "generate_report", formats=list(formats), **payload)
    done = json.loads((await until(conn, job, "completed", 50))["result"])
    return {name: await body(conn, id) for name, id in done["reports"].items()}


async def body(conn: asyncpg.Connection, report_id: int) -> bytes:
    rows = await conn.fetch("select body from bellhand_crm.report_parts where report_id = $1 order by place", report_id)  # fmt: skip
    return b"".join(row["body"] for row in rows)


def cells(workbook: bytes) -> dict[str, list[list[Any]]]:
    """The sheets of a workbook as rows of text and numbers, read without the library that wrote them."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as files:
        names = re.findall(r'<sheet name="([^"]+)"', files.read("xl/workbook.xml").decode())
        shared = ElementTree.fromstring(files.read("xl/sharedStrings.xml"))
        texts = ["".join(t.text or "" for t in item.iter(f"{SHEET}t")) for item in shared]
        sheets = {}
        for number, name in enumerate(names, start=1):
            tree = ElementTree.fromstring(files.read(f"xl/worksheets/sheet{number}.xml"))
            assert not list(tree.iter(f"{SHEET}f")), "a formula"
            assert not list(tree.iter(f"{SHEET}hyperlink")), "a link"
            sheets[name] = [
                [texts[int(c[0].text or "")] if c.get("t") == "s" else float(c[0].text or "nan") for c in row if len(c)]
                for row in tree.iter(f"{SHEET}row")
            ]  # fmt: skip
    return sheets


async def test_what_the_tables_hold_is_in_every_format(dsn: str, conn: asyncpg.Connection) -> None:
    """S4-11 generateReport, from orders, opportunities and mails."""
    await town(conn)
    async with at_work(dsn, crm.generate_report):
        done = await made(conn, "html", "xlsx")
    sheets = cells(done["xlsx"])
    assert [row[1:4] for row in sheets["Months"][1:]] == [
        [130, 130, 0], [70, 20, 50], [0, 0, 0], [15, 0, 15],
    ]  # fmt: skip
    assert [row[1:] for row in sheets["Cohorts"][1:]] == [[2, 190, 95, 0.5, 0, 0.5], [1, 25, 25, 0, 1]]  # fmt: skip
    assert [row[:2] + row[4:6] for row in sheets["Customers"][1:]] == [
        ["ann", "Ann", 160, 3], ["ben", "Ben", 30, 1], ["cis", "Cis", 25, 2],
    ]  # fmt: skip
    assert sheets["Opportunities"][1:] == [["new", 1, 500], ["qualified", 0, 0], ["proposal", 0, 0], ["won", 2, 150], ["lost", 1, 9]]  # fmt: skip
    assert sheets["Mail"][1:] == [["promotion", 7, 0, 0, 3, 0]]
    assert sheets["Payments"][1:] == [
        ["declined", "JPY", "live", 1, 700, 0], ["succeeded", "USD", "live", 2, 20.99, 0.99], ["succeeded", "USD", "test", 1, 0.05, 0],
    ]  # fmt: skip
    assert ["Revenue", 215] in sheets["Summary"]
    text = " ".join(LexborHTMLParser(done["html"]).body.text(separator=" ").split())
    assert "January 2025 to April 2025" in text
    assert (
        "215 revenue, ever 6 orders 3 customers who bought, of 3 67 % of them bought again" in text
    )
    assert "67 % of those that are decided were won" in text
    assert "Succeeded USD 2 20.99 0.99 Succeeded (test mode) USD 1 0.05" in text
    assert "7 sent, 3 bounced" in text
    assert re.search(r"Jan 2025 2 95 50 % 0 % 50 % Feb 2025 1 25 0 % 100 %", text), text


async def test_of_nothing_there_is_a_report_that_says_so(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with at_work(dsn, crm.generate_report):
        done = await made(conn, "html", "xlsx")
    text = LexborHTMLParser(done["html"]).body.text()
    for said in ("No purchases yet", "There are no orders in bellhand_crm.orders", "There are none", "None was begun", "None was sent"):  # fmt: skip
        assert said in text
    assert ["There are no orders in bellhand_crm.orders yet."] in cells(done["xlsx"])["Summary"]


async def test_a_job_of_the_seed_makes_a_page_and_the_newest_are_kept(
    dsn: str, conn: asyncpg.Connection
) -> None:
    """S4-01: generate_report without a payload."""
    async with at_work(dsn, crm.generate_report):
        first = await ask(conn, "generate_report")
        await until(conn, first, "completed", 30)
        await made(conn, "html")
        await made(conn, "html", reports_kept=2)
    rows = await conn.fetch("select job_id, format, body_bytes from bellhand_crm.reports order by id")  # fmt: skip
    assert [row["format"] for row in rows] == ["html", "html"]
    assert first not in [row["job_id"] for row in rows]


async def test_what_people_wrote_stays_words(dsn: str, conn: asyncpg.Connection) -> None:
    for place, words in enumerate(NASTY):
        await customer(conn, f"c{place}", name=words)
        await conn.execute("insert into bellhand_crm.orders (customer_id, amount) values ($1, 5)", f"c{place}")  # fmt: skip
    async with at_work(dsn, crm.generate_report):
        done = await made(conn, "html", "xlsx")
    named = [row[1] for row in cells(done["xlsx"])["Customers"][1:]]
    assert named == [words.replace("\x01", "") for words in NASTY]
    tree = LexborHTMLParser(done["html"])
    assert tree.css_first("script, iframe, object, img, link, form, a") is None
    shown = tree.body.text()
    assert all(words.strip().replace("\x01", "") in shown.replace("\x01", "") for words in NASTY)


async def test_a_pdf_is_made_where_the_machine_can(dsn: str, conn: asyncpg.Connection) -> None:
    await town(conn)
    async with at_work(dsn, crm.generate_report):
        job = await ask(conn, "generate_report", formats=["pdf", "html"])
        result = json.loads((await until(conn, job, "completed", 50))["result"])
    if "needs" in result["left_out"].get("pdf", ""):
        pytest.skip(result["left_out"]["pdf"])
    made = await body(conn, result["reports"]["pdf"])
    assert made.startswith(b"%PDF")
    assert len(made) > 10_000


async def test_without_the_library_the_other_formats_are_made(
    dsn: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(_: str) -> bytes:
        raise NoPdf("PDF needs weasyprint, which is not installed: pip install 'bellhand[pdf]'")

    monkeypatch.setattr("bellhand.families.crm.reporting.pdf_of", none)
    async with at_work(dsn, crm.generate_report):
        job = await ask(conn, "generate_report", formats=["pdf", "html"])
        result = json.loads((await until(conn, job, "completed", 30))["result"])
        assert list(result["reports"]) == ["html"]
        assert "pip install" in result["left_out"]["pdf"]
        failed = await until(conn, await ask(conn, "generate_report", formats=["pdf"]), "failed")
        assert "pip install" in failed["error"]


async def test_a_large_report_is_kept_in_parts_and_replaced_as_a_whole(
    conn: asyncpg.Connection,
) -> None:
    parts = [b"a" * 1048576, b"b" * 10]
    for given in (parts, parts[1:]):
        id = await conn.fetchval("select bellhand_crm.save_report(7, 'html', $1, 5)", given)
        assert await body(conn, id) == b"".join(given)
    assert await conn.fetchval("select array_agg(body_bytes) from bellhand_crm.reports") == [10]


def test_a_page_needs_no_other_file_and_can_be_read_aloud() -> None:
    shown = page.as_html(told())
    tree = LexborHTMLParser(shown)
    assert "url(" not in shown
    assert "@import" not in shown
    assert "default-src 'none'" in shown
    assert tree.css_first("html").attributes["lang"] == "en"
    assert (len(tree.css("h1")), len(tree.css("main"))) == (1, 1)
    assert all(node.attributes.get("scope") for node in tree.css("th"))
    assert all(node.attributes.get("aria-label") for node in tree.css("svg"))


def told(months: int = 30) -> report.Report:
    rows = [
        {"month": report.later(date(2023, 1, 1), n), "customers": 1, "orders": 1, "amount": Decimal(10 if n < 18 else 20),
         "new_customers": 0, "new_amount": Decimal(0)}
        for n in range(months)
    ]  # fmt: skip
    empty: list[Any] = []
    return report.gather(
        {"head": [HEAD], "months": rows, "cohorts": empty, "segments": empty, "customers": empty, "opportunities": empty, "mails": empty, "payments": empty}
    )  # fmt: skip


def test_a_year_is_compared_with_the_one_before_where_there_is_one() -> None:
    assert told().last_year == (240, 120)
    assert "+100.0 % against the twelve before" in page.as_html(told())
    assert told(20).last_year == (10 * 10 + 2 * 20, None)
    assert len(told().months) == report.MONTHS_SHOWN


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (1.1, 1.2), (2.3, 2.4), (99, 100), (101, 120), (26_000, 32_000), (0.05, 0.06)]
)  # fmt: skip
def test_a_scale_ends_at_a_round_number(value: float, top: float) -> None:
    assert charts.ceiling(value) == pytest.approx(top)


@pytest.mark.parametrize(("value", "text"), [(950, "950"), (1200, "1.2k"), (35_000, "35k"), (2.5e6, "2.5M"), (0, "0")])  # fmt: skip
def test_amounts_are_short_on_a_scale(value: float, text: str) -> None:
    assert page.short(value) == text


def test_months_of_a_year_are_counted_over_its_end() -> None:
    assert report.later(date(2025, 11, 1), 3) == date(2026, 2, 1)
    assert report.later(date(2026, 2, 1), -3) == date(2025, 11, 1)
    assert report.apart(date(2025, 11, 1), date(2026, 2, 1)) == 3
