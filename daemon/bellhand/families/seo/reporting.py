"""The kind that writes reports of an analysis: HTML, PDF and CSV, kept in parts beside the crawl."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import asyncpg
from pydantic import Field

from bellhand.clients.pdf import NoPdf, pdf_of
from bellhand.job import Job
from bellhand.kinds import job_kind
from bellhand.outcomes import Failed
from bellhand.sql import query

from . import report
from .payloads import Payload

STATEMENT_SECONDS = 30.0
PART_BYTES = 1024 * 1024
REPORT_BYTES_MAX = 200_000_000
ROWS_AT_ONCE = 2000
Format = Literal["html", "pdf", "csv"]


class Reporting(Payload):
    """Which crawl, and what is to be made of its analysis."""

    crawl_id: int = Field(ge=1, examples=[7])
    formats: list[Format] = Field(default=["html"], min_length=1, max_length=3)


@job_kind("seo.report", lane="seo", attempts_max=3, timeout_seconds=900, side_effects="none")
async def make_reports(args: Reporting, job: Job) -> dict[str, Any] | None:
    """Write reports of a crawl that was analyzed: HTML, PDF, CSV; each replaces the older one of its format."""
    writing = _Writing(job, args.crawl_id)
    made: dict[str, int] = {}
    left_out: dict[str, str] = {}
    for name in dict.fromkeys(args.formats):
        try:
            made[name] = await job.step(name, writing.write, name)
        except NoPdf as error:
            left_out[name] = str(error)
    if not made:
        raise Failed("; ".join(left_out.values()))
    result = {"crawl_id": args.crawl_id, "reports": made, "left_out": left_out}
    async with job.transaction(result) as conn:
        shown = await conn.fetchval(
            _query("finish_reports"), args.crawl_id, list(made.values()), timeout=STATEMENT_SECONDS
        )
        if shown != len(made):
            raise RuntimeError("another job has begun reports of this crawl and took these away")
    return result


class _Writing:
    """The reports of one crawl, each written part by part."""

    def __init__(self, job: Job, crawl_id: int) -> None:
        self.job = job
        self.crawl_id = crawl_id

    async def write(self, format_name: Format) -> int:
        """Write one report; its id."""
        head, whole = await self._gathered()
        ways: dict[str, Callable[[_Parts], Coroutine[Any, Any, None]]] = {
            "html": lambda parts: _add_html(parts, whole),
            "pdf": lambda parts: _add_pdf(parts, whole),
            "csv": lambda parts: self._add_csv(parts, head["analysis_id"]),
        }
        async with self.job.connection() as conn:
            report_id = await conn.fetchval(
                _query("begin_report"), self.crawl_id, head["analysis_id"], self.job.id, format_name,
                timeout=STATEMENT_SECONDS,
            )  # fmt: skip
        parts = _Parts(self.job, report_id)
        await ways[format_name](parts)
        await parts.close()
        self.job.count("bytes", parts.bytes)
        return int(report_id)

    async def _gathered(self) -> tuple[Any, report.Report]:
        async with self.job.connection() as conn:
            head = await conn.fetchrow(
                _query("report_head"), self.crawl_id, timeout=STATEMENT_SECONDS
            )
            if head is None:
                raise Failed(f"crawl {self.crawl_id} has no analysis: enqueue seo.analyze first")
            examples = await conn.fetch(
                _query("report_examples"), head["analysis_id"], report.EXAMPLES_MAX,
                timeout=STATEMENT_SECONDS,
            )  # fmt: skip
            history = await conn.fetch(
                _query("report_history"), head["site_id"], self.crawl_id, report.HISTORY_MAX,
                timeout=STATEMENT_SECONDS,
            )  # fmt: skip
            figures = await conn.fetchrow(
                _query("report_figures"), self.crawl_id, timeout=STATEMENT_SECONDS
            )
        whole = report.gather(
            dict(head), map(dict, examples), [dict(row) for row in history], dict(figures or {})
        )
        return head, whole

    async def _add_csv(self, parts: "_Parts", analysis_id: int) -> None:
        await parts.add(report.csv_head())
        async with self.job.connection() as conn, conn.transaction():
            # One connection for reading and writing: who holds one and waits for another may wait for ever.
            parts.conn = conn
            cursor = await conn.cursor(
                _query("report_issues"), analysis_id, timeout=STATEMENT_SECONDS
            )
            while rows := await cursor.fetch(ROWS_AT_ONCE, timeout=STATEMENT_SECONDS):
                await parts.add(report.csv_rows(map(dict, rows)))
            await parts.close()
            parts.conn = None


async def _add_html(parts: "_Parts", whole: report.Report) -> None:
    html = await asyncio.to_thread(report.as_html, whole)
    await parts.add(html.encode("utf-8", "replace"))


async def _add_pdf(parts: "_Parts", whole: report.Report) -> None:
    html = await asyncio.to_thread(report.as_html, whole, paged=True)
    await parts.add(await pdf_of(html))


class _Parts:
    """Cuts what is added into parts and stores each as soon as it is full."""

    def __init__(self, job: Job, report_id: int) -> None:
        self.job = job
        self.report_id = report_id
        self.bytes = 0
        self.conn: asyncpg.Connection | None = None  # where one is held anyway
        self._place = 0
        self._waiting = bytearray()

    async def add(self, body: bytes) -> None:
        self.bytes += len(body)
        if self.bytes > REPORT_BYTES_MAX:
            raise Failed(
                f"the report has more than {REPORT_BYTES_MAX:,} bytes; read the issues from bellhand_seo.issues"
            )
        self._waiting += body
        while len(self._waiting) >= PART_BYTES:
            await self._store(PART_BYTES)

    async def close(self) -> None:
        if self._waiting:
            await self._store(len(self._waiting))

    async def _store(self, size: int) -> None:
        part = bytes(self._waiting[:size])
        del self._waiting[:size]
        place, self._place = self._place, self._place + 1
        if self.conn is not None:
            await self._insert(self.conn, place, part)
            return
        async with self.job.connection() as conn:
            await self._insert(conn, place, part)

    async def _insert(self, conn: asyncpg.Connection, place: int, part: bytes) -> None:
        await conn.execute(
            _query("add_report_part"), self.report_id, place, part, timeout=STATEMENT_SECONDS
        )


def _query(name: str) -> str:
    return query(f"families/seo/{name}")
