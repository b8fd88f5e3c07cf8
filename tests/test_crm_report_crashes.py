"""Figures and reports whose job dies in any step: the same in the end, each report once and whole."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg

from bellhand.families import crm
from bellhand.testing import Bellhand
from test_crm_analytics import enter

pytest_plugins = ["testing_fixtures"]

ORDERS = [
    (f"c{n % 7}", datetime(2026, 1 + n % 5, 3, tzinfo=UTC), Decimal(n), 1) for n in range(1, 40)
]
FIGURES = "select customer_id, cohort, orders, amount, segment from bellhand_crm.customer_figures order by 1"
COHORTS = "select * from bellhand_crm.cohort_months order by 1, 2"
REPORTS = (
    "select r.format, count(*), bool_and(r.body_bytes = (select sum(octet_length(p.body)) from bellhand_crm.report_parts p where p.report_id = r.id))"
    " from bellhand_crm.reports r group by 1 order by 1"
)
FORGET = (
    "with a as (delete from bellhand_crm.reports), b as (delete from bellhand_crm.cohort_months), c as (delete from bellhand_crm.customer_months),"
    " d as (delete from bellhand_crm.customer_figures) update bellhand_crm.analytics set months_time_zone = null"
)


async def test_a_report_is_crash_safe_at_every_step(desk: Bellhand) -> None:
    async def ask(statement: str) -> Any:
        connection = await asyncpg.connect(desk.dsn, timeout=10)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close(timeout=5)

    connection = await asyncpg.connect(desk.dsn, timeout=10)
    await enter(connection, ORDERS)
    await connection.close(timeout=5)

    def prove() -> None:
        desk.clock.set(
            "2026-06-01 12:00Z"
        )  # what customers may be expected to spend depends on the moment
        desk.use(crm.generate_report, crm.update_analytics)
        desk.assert_crash_safe(
            "crm.generate_report", formats=["html", "xlsx"],
            effects=lambda: [asyncio.run(ask(one)) for one in (FIGURES, COHORTS, REPORTS)],
            at=("inside", "at the end"),
            reset=lambda: asyncio.run(ask(FORGET)),
        )  # fmt: skip

    await asyncio.to_thread(prove)
    assert await ask(REPORTS) == [("html", 1, True), ("xlsx", 1, True)]
    assert len(await ask(FIGURES)) == 7
