"""What a report of customers says, put together from the rows of the queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

MONTHS_SHOWN = 24
COHORTS_SHOWN = 18
EXPECTED_WEEKS = 26
RECENT_DAYS = 365  # of mails and payments
YEAR_MONTHS = 12
STAGES = ("new", "qualified", "proposal", "won", "lost")
MAIL_STATES = ("sent", "sending", "deferred", "bounced", "unsure")
# Currencies whose smallest unit is not a hundredth (ISO 4217).
DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}  # fmt: skip
# What segment.sql means by its words.
SEGMENTS = {
    "champions": "bought lately, often and for much",
    "loyal": "buy often and for much, not quite lately",
    "growing": "bought lately, a few times",
    "new": "bought lately for the first time",
    "need attention": "bought a few times, not quite lately",
    "about to sleep": "bought little, not quite lately",
    "at risk": "bought often and for much, long ago",
    "sleeping": "bought a few times, long ago",
    "lost": "bought little, long ago",
}
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Month:
    """What was bought in a month; `new` is of those who bought for the first time."""

    month: date
    customers: int = 0
    orders: int = 0
    amount: Decimal = Decimal(0)
    new_customers: int = 0
    new_amount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who bought for the first time in a month, and how many of them bought in each month from then on."""

    month: date
    customers: int
    active: tuple[int, ...]
    amount: Decimal

    @property
    def shares(self) -> tuple[float, ...]:
        """The same as shares of all of them; the first is 1."""
        return tuple(count / self.customers for count in self.active)


@dataclass(frozen=True, slots=True)
class Payments:
    """Payments of a currency in a state, amounts in the currency itself; `test`: of Stripe's test mode."""

    currency: str
    state: str
    test: bool
    payments: int
    amount: Decimal
    refunded: Decimal


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report; `head` is the row of report_head.sql, `customers` those of report_customers.sql."""

    head: Row
    months: tuple[Month, ...]
    cohorts: tuple[Cohort, ...]
    segments: tuple[Row, ...]
    customers: tuple[Row, ...]
    opportunities: tuple[tuple[str, int, Decimal], ...]
    mails: tuple[tuple[str, dict[str, int]], ...]
    payments: tuple[Payments, ...]

    @property
    def last_year(self) -> tuple[Decimal, Decimal | None]:
        """Revenue of the last twelve months, and of the twelve before where there were that many."""
        amounts = [month.amount for month in self.months]
        before = amounts[-2 * YEAR_MONTHS : -YEAR_MONTHS]
        whole = len(before) == YEAR_MONTHS and self.months[-2 * YEAR_MONTHS].orders
        return sum(amounts[-YEAR_MONTHS:], Decimal(0)), sum(before, Decimal(0)) if whole else None

    @property
    def won_share(self) -> float | None:
        """Of the opportunities that are decided, how many were won."""
        counts = {status: count for status, count, _ in self.opportunities}
        decided = counts["won"] + counts["lost"]
        return counts["won"] / decided if decided else None


def gather(found: Mapping[str, Sequence[Row]]) -> Report:
    """Rows as they come from the queries, by the part of the report that they are for."""
    by_status = {row["status"]: row for row in found["opportunities"]}
    by_purpose: dict[str, dict[str, int]] = {}
    for row in found["mails"]:
        by_purpose.setdefault(row["purpose"], dict.fromkeys(MAIL_STATES, 0))[row["state"]] = row["mails"]  # fmt: skip
    return Report(
        head=found["head"][0],
        months=_months([Month(**row) for row in found["months"]]),
        cohorts=_cohorts(found["cohorts"]),
        segments=tuple(found["segments"]),
        customers=tuple(found["customers"]),
        opportunities=tuple(
            (status, by_status[status]["opportunities"], by_status[status]["value"])
            if status in by_status
            else (status, 0, Decimal(0))
            for status in STAGES
        ),
        mails=tuple(sorted(by_purpose.items(), key=lambda one: -sum(one[1].values()))),
        payments=tuple(_payments(row) for row in found["payments"]),
    )


def later(month: date, months: int) -> date:
    """The month that comes so many months later."""
    years, place = divmod(month.month - 1 + months, 12)
    return date(month.year + years, place + 1, 1)


def apart(first: date, last: date) -> int:
    """How many months lie between two."""
    return 12 * (last.year - first.year) + last.month - first.month


def _payments(row: Row) -> Payments:
    currency = row["currency"].upper()
    places = -DECIMALS.get(currency, 2)
    amount, refunded = (Decimal(row[name]).scaleb(places) for name in ("amount", "refunded"))
    return Payments(currency, row["state"], row["test"], row["payments"], amount, refunded)


def _months(found: Sequence[Month]) -> tuple[Month, ...]:
    """The last MONTHS_SHOWN months up to the last one in which something was bought, those without a purchase too."""
    if not found:
        return ()
    known = {month.month: month for month in found}
    last = found[-1].month
    first = max(found[0].month, later(last, 1 - MONTHS_SHOWN))
    return tuple(
        known.get(later(first, n), Month(later(first, n))) for n in range(apart(first, last) + 1)
    )


def _cohorts(rows: Sequence[Row]) -> tuple[Cohort, ...]:
    by_cohort: dict[date, dict[date, Row]] = {}
    for row in rows:
        by_cohort.setdefault(row["cohort"], {})[row["month"]] = row
    last = max((row["last_month"] for row in rows), default=None)
    made = []
    for cohort, months in by_cohort.items():
        ages = min(apart(cohort, last), COHORTS_SHOWN - 1) if last else 0
        active = (months.get(later(cohort, age)) for age in range(ages + 1))
        made.append(
            Cohort(
                cohort, months[cohort]["customers"], tuple(row["customers"] if row else 0 for row in active),
                sum((row["amount"] for row in months.values()), Decimal(0)),
            )
        )  # fmt: skip
    return tuple(made)
