"""The report as a page: HTML that needs no other file, on screen or on paper."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

from . import charts
from .report import EXPECTED_WEEKS, RECENT_DAYS, SEGMENTS, Report

CUSTOMERS_SHOWN = 20
COHORT_AGES_PAGED = 12  # columns that fit on a page


def as_html(report: Report, *, paged: bool = False) -> str:
    """The page; `paged` for print: light, as wide as paper."""
    months = [
        (f"{month.month:%b %Y}", float(month.new_amount), float(month.amount - month.new_amount))
        for month in report.months
    ]
    ages = COHORT_AGES_PAGED if paged else None
    later_shares = [cohort.shares[1:ages] for cohort in report.cohorts]
    top = charts.ceiling(max((new + again for _, new, again in months), default=0))
    return _template().render(
        report=report,
        head=report.head,
        paged=paged,
        months=charts.columns(months, top),
        top=top,
        cohorts=list(zip(report.cohorts, later_shares, charts.shades(later_shares), strict=True)),
        ages=max((len(shares) for shares in later_shares), default=0),
        segments=_shares([float(row["amount"]) for row in report.segments]),
        meanings=SEGMENTS,
        customers=report.customers[:CUSTOMERS_SHOWN],
        stages=_shares([float(count) for _, count, _ in report.opportunities]),
        mails=[
            (purpose.replace("_", " "), sum(states.values()), charts.pieces(list(states.items())))
            for purpose, states in report.mails
        ],
        days=RECENT_DAYS,
        weeks=EXPECTED_WEEKS,
    )


def money(value: float, *, cents: bool = False) -> str:
    """An amount for people: 1,234 or 1,234.50."""
    return f"{value:,.2f}" if cents else f"{value:,.0f}"


def short(value: float) -> str:
    """An amount for a scale: 950, 1.2k, 35k, 2.5M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def percent(share: float | None) -> str:
    """A share of 1 in percent."""
    if share is None:
        return ""
    return f"{100 * share:.0f} %" if share >= 0.1 or not share else f"{100 * share:.1f} %"


def _shares(values: list[float]) -> list[float]:
    """Each of the largest."""
    largest = max(values, default=0) or 1
    return [value / largest for value in values]


@cache
def _template() -> jinja2.Template:
    loader = jinja2.FileSystemLoader(Path(__file__).with_name("templates"))
    # Names are written by strangers: everything is escaped, and nothing that is missing passes as empty.
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    environment.filters |= {"money": money, "short": short, "percent": percent, "number": lambda n: f"{n:,}"}  # fmt: skip
    return environment.get_template("report.html")
