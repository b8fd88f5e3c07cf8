"""What outside services were used for and what that cost: by service and by kind, today and in seven days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asyncpg import Record

from bellhand.dashboard.site import Site
from bellhand.dashboard.words import number

# Their unit is a search; a model's is a token; others are counted in calls.
SEARCHES = ("serpapi", "places")
Row = Record | Mapping[str, Any]
CAPS = ("calls_per_day_max", "calls_per_month_max", "dollars_per_day_max", "dollars_per_month_max")


@dataclass(slots=True)
class Sum:
    """What some calls came to; the cost in millionths of a dollar, None where none of them has a known price."""

    calls: int = 0
    failures: int = 0
    units_in: int = 0
    units_out: int = 0
    cost: int | None = None
    unpriced: int = 0

    def add(self, row: Row) -> None:
        """Add a row of usage_recent.sql."""
        self.calls += row["calls"]
        self.failures += row["failures"]
        self.units_in += row["units_in"]
        self.units_out += row["units_out"]
        self.unpriced += row["unpriced_calls"]
        if row["cost_microdollars"] is not None:
            self.cost = (self.cost or 0) + row["cost_microdollars"]


@dataclass(slots=True)
class Used:
    """Of one service, by one kind or by all."""

    service: str
    kind: str = ""
    today: Sum = field(default_factory=Sum)
    week: Sum = field(default_factory=Sum)

    def add(self, row: Row) -> None:
        """Add a row of usage_recent.sql: today is among the seven days."""
        self.week.add(row)
        if row["today"]:
            self.today.add(row)

    def said(self, some: Sum) -> str:
        """`87 searches, 3 failed calls, $1.32`: what it was used for, what of that went wrong, and what it cost."""
        return f"{self._units(some)}{_failed(some)}{cost(some)}" if some.calls else "-"

    def _units(self, some: Sum) -> str:
        if self.service in SEARCHES:
            return f"{number(some.units_in)} search{'' if some.units_in == 1 else 'es'}"
        if some.units_in or some.units_out:
            return f"{number(some.units_in)} tokens in, {number(some.units_out)} out"
        return _calls(some.calls)


def cost(some: Sum) -> str:
    """`, $1.32`, and what that leaves out."""
    if some.cost is None:
        return ", no price known" if some.unpriced else ""
    without = f" and {_calls(some.unpriced)} without a price" if some.unpriced else ""
    return f", {dollars(some.cost)}{without}" if some.cost or without else ""


def _failed(some: Sum) -> str:
    return f", {number(some.failures)} failed" if some.failures else ""


def _calls(count: int) -> str:
    return f"{number(count)} call{'' if count == 1 else 's'}"


def dollars(microdollars: int) -> str:
    """`$1.32`; under a cent `$0.0042`, since a call of a model costs that."""
    amount = microdollars / 1e6
    return f"${amount:,.2f}" if amount >= 0.01 or not microdollars else f"${amount:.4f}"


def used(rows: Iterable[Row]) -> list[Used]:
    """By service and kind, the dearest of each service first."""
    found: dict[tuple[str, str], Used] = {}
    for row in rows:
        key = row["service"], row["kind"]
        found.setdefault(key, Used(*key)).add(row)
    return sorted(found.values(), key=lambda one: (one.service, -(one.week.cost or 0), one.kind))


async def by_kind(site: Site) -> dict[str, list[Used]]:
    """What each kind used, service by service; kinds that used none are left out."""
    found: dict[str, list[Used]] = {}
    for one in used(await site.often("page_usage")):
        found.setdefault(one.kind, []).append(one)
    return found


async def by_service(site: Site, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """How each service stands and is limited, what all used of it, and what each kind did."""
    own, rows = settings.get("services", {}), await site.often("page_usage")
    totals: dict[str, Used] = {}
    for row in rows:
        totals.setdefault(row["service"], Used(row["service"])).add(row)
    kinds: dict[str, list[Used]] = {}
    for one in used(rows):
        kinds.setdefault(one.service, []).append(one)
    states = {row["service"]: dict(row) for row in await site.look.fetch("page_services")}
    return [
        {
            "name": name, "state": states.get(name), "used": totals.get(name, Used(name)), "kinds": kinds.get(name, []),
            "caps": [(cap.removesuffix("_max").replace("_", " "), limit) for cap in CAPS if (limit := own.get(name, {}).get(cap)) is not None],
        }
        for name in sorted({*states, *totals})
    ]  # fmt: skip
