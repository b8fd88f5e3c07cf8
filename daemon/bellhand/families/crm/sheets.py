"""The report as a workbook, with charts that the spreadsheet draws itself."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import xlsxwriter

from .report import EXPECTED_WEEKS, MAIL_STATES, SEGMENTS, Report

# Text is written as text: whatever it begins with, a spreadsheet never runs it, follows it or counts with it.
OPTIONS = {
    "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "remove_timezone": True,
}  # fmt: skip
NAME_CHARS = 24


@dataclass(slots=True)
class _Column:
    head: str
    of: Callable[[Any], Any]
    form: str = "text"
    chars: int = 12


def as_xlsx(report: Report) -> bytes:
    """The workbook: a sheet a part of the report."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, OPTIONS) as book:
        book.set_properties({"title": "Customers", "created": _made_at(report)})
        write = _Writer(book)
        _summary(write, report)
        _months(write, report)
        _cohorts(write, report)
        _segments(write, report)
        _customers(write, report)
        _opportunities(write, report)
        _payments(write, report)
        _mails(write, report)
    return out.getvalue()


class _Writer:
    """Writes tables to new sheets, with the book's few formats."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self.book = book
        self.forms = {
            name: book.add_format({"num_format": form})
            for name, form in (
                ("text", "@"), ("count", "#,##0"), ("money", "#,##0.00"), ("month", "mmm yyyy"), ("share", "0.0%"),
            )
        }  # fmt: skip
        self.head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})

    def table(self, name: str, columns: Sequence[_Column], rows: Iterable[Any]) -> tuple[Any, int]:
        """A new sheet with a row of heads that stays in sight; the sheet, and how many rows it has."""
        sheet = self.book.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        for place, column in enumerate(columns):
            sheet.set_column(place, place, column.chars)
            sheet.write_string(0, place, column.head, self.head)
        line = 0
        for line, row in enumerate(rows, start=1):
            for place, column in enumerate(columns):
                self.cell(sheet, line, place, column.of(row), column.form)
        if line:
            sheet.autofilter(0, 0, line, len(columns) - 1)
        return sheet, line

    def cell(self, sheet: Any, line: int, place: int, value: Any, form: str) -> None:
        """One value in one of the forms; None leaves it empty."""
        if value is None:
            return
        if form == "text":
            sheet.write_string(line, place, _clean(str(value)), self.forms[form])
        elif form == "month":
            sheet.write_datetime(line, place, value, self.forms[form])
        else:
            sheet.write_number(line, place, float(value), self.forms[form])

    def chart(self, kind: dict[str, str], title: str) -> Any:
        chart = self.book.add_chart(kind)
        chart.set_title({"name": title, "overlay": False})
        chart.set_size({"width": 760, "height": 340})
        return chart


def _summary(write: _Writer, report: Report) -> None:
    head = report.head
    year, before = report.last_year
    lines = [
        ("As of", f"{head['made_at']} {head['time_zone']}", "text"), ("Currency", head["currency"], "text"),
        ("Revenue", head["amount"], "money"), ("Revenue of the last twelve months", year, "money"),
        ("Revenue of the twelve before", before, "money"), ("Orders", head["orders"], "count"),
        ("Pieces", head["quantity"], "count"), ("Customers", head["customers"], "count"),
        ("Customers who bought", head["buyers"], "count"), ("Customers who bought again", head["repeat_buyers"], "count"),
        (f"Expected in the next {EXPECTED_WEEKS} weeks", head["expected_amount"], "money"),
        ("Opportunities won, of those decided", report.won_share, "share"),
    ]  # fmt: skip
    sheet = write.book.add_worksheet("Summary")
    sheet.set_column(0, 0, 38)
    sheet.set_column(1, 1, 26)
    for place, (label, value, form) in enumerate(lines):
        sheet.write_string(place, 0, label, write.head)
        write.cell(sheet, place, 1, value, form)
    if not report.months:
        sheet.write_string(len(lines) + 1, 0, "There are no orders in bellhand_crm.orders yet.")


def _months(write: _Writer, report: Report) -> None:
    sheet, lines = write.table(
        "Months",
        [
            _Column("Month", lambda m: m.month, "month"),
            _Column("Revenue", lambda m: m.amount, "money"),
            _Column("of new customers", lambda m: m.new_amount, "money"),
            _Column("of those who came back", lambda m: m.amount - m.new_amount, "money"),
            _Column("Orders", lambda m: m.orders, "count"),
            _Column("Customers", lambda m: m.customers, "count"),
            _Column("New customers", lambda m: m.new_customers, "count"),
        ],
        report.months,
    )
    if lines:
        chart = write.chart({"type": "column", "subtype": "stacked"}, "Revenue by month")
        for column in (2, 3):
            chart.add_series({
                "name": ["Months", 0, column], "categories": ["Months", 1, 0, lines, 0],
                "values": ["Months", 1, column, lines, column], "gap": 40,
            })  # fmt: skip
        chart.set_legend({"position": "bottom"})
        sheet.insert_chart(1, 8, chart)


def _cohorts(write: _Writer, report: Report) -> None:
    ages = max((len(cohort.active) for cohort in report.cohorts), default=1)

    def share(age: int) -> Callable[[Any], Any]:
        return lambda cohort: cohort.shares[age] if age < len(cohort.shares) else None

    sheet, lines = write.table(
        "Cohorts",
        [
            _Column("First bought", lambda c: c.month, "month"),
            _Column("Customers", lambda c: c.customers, "count"),
            _Column("Revenue", lambda c: c.amount, "money"),
            _Column("Spent each", lambda c: c.amount / c.customers, "money"),
            *(_Column(f"+{age}", share(age), "share", 8) for age in range(1, ages)),
        ],
        report.cohorts,
    )
    if lines and ages > 1:
        sheet.conditional_format(1, 4, lines, 2 + ages, {"type": "2_color_scale", "min_color": "#FFFFFF", "max_color": "#5FAE9B"})  # fmt: skip


def _segments(write: _Writer, report: Report) -> None:
    sheet, lines = write.table(
        "Segments",
        [
            _Column("Segment", lambda s: s["segment"], chars=18),
            _Column("Who they are", lambda s: SEGMENTS[s["segment"]], chars=44),
            _Column("Customers", lambda s: s["customers"], "count"),
            _Column("Orders", lambda s: s["orders"], "count"),
            _Column("Revenue", lambda s: s["amount"], "money"),
            _Column("Each", lambda s: s["amount"] / s["customers"], "money"),
        ],
        report.segments,
    )
    if lines:
        chart = write.chart({"type": "bar"}, "Revenue by segment")
        chart.add_series({
            "name": ["Segments", 0, 4], "categories": ["Segments", 1, 0, lines, 0],
            "values": ["Segments", 1, 4, lines, 4], "gap": 40,
        })  # fmt: skip
        chart.set_legend({"none": True})
        chart.set_y_axis({"reverse": True})
        sheet.insert_chart(lines + 2, 0, chart)


def _customers(write: _Writer, report: Report) -> None:
    def plain(name: str) -> Callable[[Any], Any]:
        return lambda row: row[name]

    write.table(
        "Customers",
        [
            _Column("Customer", plain("id"), chars=NAME_CHARS),
            _Column("Name", plain("name"), chars=NAME_CHARS),
            _Column("Tier", plain("tier")),
            _Column("Segment", plain("segment"), chars=16),
            _Column("Revenue", plain("amount"), "money"),
            _Column("Orders", plain("orders"), "count"),
            _Column("Pieces", plain("quantity"), "count"),
            _Column("First bought", plain("first_on")),
            _Column("Last bought", plain("last_on")),
            *(_Column(name.capitalize(), plain(name), "count") for name in ("recency", "frequency", "monetary")),
            _Column(f"Expected in {EXPECTED_WEEKS} weeks", plain("expected_amount"), "money"),
        ],
        report.customers,
    )  # fmt: skip


def _opportunities(write: _Writer, report: Report) -> None:
    sheet, lines = write.table(
        "Opportunities",
        [
            _Column("Status", lambda one: one[0]),
            _Column("Opportunities", lambda one: one[1], "count", 14),
            _Column("Value", lambda one: one[2], "money"),
        ],
        report.opportunities,
    )
    chart = write.chart({"type": "bar"}, "Opportunities by status")
    chart.add_series({
        "name": ["Opportunities", 0, 1], "categories": ["Opportunities", 1, 0, lines, 0],
        "values": ["Opportunities", 1, 1, lines, 1], "gap": 40,
    })  # fmt: skip
    chart.set_legend({"none": True})
    chart.set_y_axis({"reverse": True})
    sheet.insert_chart(1, 4, chart)


def _payments(write: _Writer, report: Report) -> None:
    write.table(
        "Payments",
        [
            _Column("State", lambda one: one.state),
            _Column("Currency", lambda one: one.currency),
            _Column("Mode", lambda one: "test" if one.test else "live"),
            _Column("Payments", lambda one: one.payments, "count"),
            _Column("Amount", lambda one: one.amount, "money"),
            _Column("Refunded", lambda one: one.refunded, "money"),
        ],
        report.payments,
    )


def _mails(write: _Writer, report: Report) -> None:
    def count(state: str) -> Callable[[Any], Any]:
        return lambda one: one[1][state]

    write.table(
        "Mail",
        [
            _Column("About", lambda one: one[0].replace("_", " "), chars=18),
            *(_Column(state.capitalize(), count(state), "count") for state in MAIL_STATES),
        ],
        report.mails,
    )


def _clean(text: str) -> str:
    """Without characters that XML cannot hold, and no longer than a cell may be."""
    return "".join(c for c in text if c.isprintable() or c in "\n\t")[:32_767]


def _made_at(report: Report) -> datetime:
    return datetime.strptime(report.head["made_at"], "%Y-%m-%d %H:%M")
