"""The kind that writes reports of customers: HTML, PDF and XLSX, kept in parts in the database."""

from __future__ import annotations

import asyncio
from typing import Any

from bellhand.clients.pdf import NoPdf, pdf_of
from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Failed
from bellhand.sql import query

from .analytics import count_customers
from .page import as_html
from .payloads import Format, Reporting
from .report import COHORTS_SHOWN, MONTHS_SHOWN, RECENT_DAYS, Report, gather
from .sheets import as_xlsx

STATEMENT_SECONDS = 30.0
PART_BYTES = 1024 * 1024
REPORT_BYTES_MAX = 50_000_000


@job_kind(
    "crm.generate_report", lane="crm", attempts_max=3, timeout_seconds=1800, side_effects="none"
)
async def generate_report(args: Reporting, job: Job) -> dict[str, Any]:
    """Bring the figures up to date, and write them as HTML, PDF or a workbook."""
    await count_customers(job)
    made: dict[str, int] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(args.formats):
        try:
            made[name] = await job.step(name, _write, job, name, args)
        except NoPdf as error:
            left_out[name] = str(error)
    if not made:
        raise Failed("; ".join(left_out.values()))
    return {"reports": made, "left_out": left_out}


async def _write(job: Job, name: Format, args: Reporting) -> int:
    """Write one report; its id."""
    report = await _gathered(job, args.customers_max)
    if name == "xlsx":
        body = await asyncio.to_thread(as_xlsx, report)
    else:
        html = await asyncio.to_thread(as_html, report, paged=name == "pdf")
        body = await pdf_of(html) if name == "pdf" else html.encode("utf-8", "replace")
    if len(body) > REPORT_BYTES_MAX:
        raise Failed(f"the report has {len(body):,} bytes, more than {REPORT_BYTES_MAX:,}: ask for fewer customers_max")  # fmt: skip
    job.count("bytes", len(body))
    parts = [body[start : start + PART_BYTES] for start in range(0, len(body), PART_BYTES)]
    async with job.connection() as conn:
        kept = await conn.fetchval(
            _query("save_report"), job.id, name, parts, args.reports_kept, timeout=STATEMENT_SECONDS
        )
    return int(kept)


async def _gathered(job: Job, customers_max: int) -> Report:
    """All parts as of one moment."""
    wanted = {
        "head": (), "months": (MONTHS_SHOWN,), "cohorts": (COHORTS_SHOWN,), "segments": (),
        "customers": (customers_max,), "opportunities": (), "mails": (RECENT_DAYS,), "payments": (RECENT_DAYS,),
    }  # fmt: skip
    found = {}
    async with (
        job.connection() as conn,
        conn.transaction(isolation="repeatable_read", readonly=True),
    ):
        for part, values in wanted.items():
            rows = await conn.fetch(_query(f"report_{part}"), *values, timeout=STATEMENT_SECONDS)
            found[part] = [dict(row) for row in rows]
    return await asyncio.to_thread(gather, found)


def _query(name: str) -> str:
    return query(f"families/crm/{name}")
