"""Leads as CSV or JSON, a row at a time."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

import asyncpg

from .keep import statement

ROWS_PER_FETCH = 500
STATEMENT_SECONDS = 60.0

COLUMNS = (
    *("id", "name", "phone", "phone_shown", "website", "domain", "listing", "address", "country"),
    *("category", "rating", "reviews", "latitude", "longitude", "place_id", "ai_category"),
    *("fit_score", "summary", "excluded", "runs_ads", "website_status", "emails", "socials"),
    *("services", "locations", "sources", "first_seen_at", "last_seen_at"),
)
_ACTIVE = ("=", "+", "-", "@", "\t", "\r")
_PHONE = re.compile(r"\+\d{4,15}")


async def exported(
    conn: asyncpg.Connection,
    *,
    as_json: bool,
    job_id: int | None = None,
    since: datetime | None = None,
    excluded: bool | None = False,
    words: str | None = None,
) -> AsyncGenerator[str, None]:
    """The leads as text, in pieces: RFC 4180 CSV with a head, or a JSON array, one lead a line.

    All from one snapshot, through a cursor: memory does not grow with the number of leads. `words`
    are looked for as the page of leads does.
    """
    write = _json_rows if as_json else _csv_rows
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        cursor = await conn.cursor(
            statement("export"), job_id, since, excluded, words, timeout=STATEMENT_SECONDS
        )
        # Not before it is clear that the leads can be read: who serves it has a status to send first.
        yield "[" if as_json else _csv_rows([COLUMNS])
        first = True
        while rows := await cursor.fetch(ROWS_PER_FETCH, timeout=STATEMENT_SECONDS):
            # 500 rows take some 10 ms to write, which no claim should wait for.
            text = await asyncio.to_thread(write, [[row[name] for name in COLUMNS] for row in rows])
            yield text.removeprefix(",") if as_json and first else text
            first = False
    if as_json:
        yield "\n]\n"


def cell(value: Any) -> str:
    """A value as a cell of CSV that no spreadsheet takes for a formula.

    Text that begins with = + - @, a tab or a return gets an apostrophe in front (OWASP, CSV
    injection). But a phone number in E.164, a plus and digits alone, stays as it is: it can call
    nothing, and what imports it needs it whole. Numbers are numbers, lists are joined with "; ".
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    text = "; ".join(value) if isinstance(value, list) else str(value)
    if text.startswith(_ACTIVE) and not _PHONE.fullmatch(text):
        return "'" + text
    return text


def _csv_rows(rows: Any) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def _json_rows(rows: Any) -> str:
    return "".join(
        ",\n" + json.dumps(dict(zip(COLUMNS, row, strict=True)), default=_plain, ensure_ascii=False)
        for row in rows
    )


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
