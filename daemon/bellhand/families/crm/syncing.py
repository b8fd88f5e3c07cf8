"""Customers from an HTTP source, page by page: each page with where the next one is in one commit, so that a pass goes on where it stopped."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from yarl import URL

from bellhand.clients.errors import WebError
from bellhand.clients.page import Page
from bellhand.clients.retry_after import retry_after_seconds
from bellhand.job import Job
from bellhand.outcomes import Failed, Retry, Snooze

from .mapping import PageError, Rows, read_page
from .sending import row

PAGE_BYTES_MAX = 10_000_000
PAGE_SECONDS_MAX = 60.0
APPLY_SECONDS_MAX = 60.0
ASK_AGAIN_SECONDS = 60.0
COUNTS = ("created", "updated", "unchanged", "repeated", "bad", "deleted")


class Fault(Exception):
    """A page that may well come when it is asked for again."""


async def sync(job: Job, name: str) -> dict[str, Any]:
    """Read the source from its first page, or from where this job stopped, to its last; then delete softly whom it lacks."""
    begun = await row(job, "begin_sync", name, job.id)
    if begun["verdict"] == "bad":
        raise Failed(begun["reason"])
    if begun["verdict"] == "wait":
        raise Snooze(ASK_AGAIN_SECONDS, begun["reason"])
    pages, cursor, read_all = begun["pages"], begun["cursor"], begun["read_all"]
    while not read_all:
        job.check()
        number = pages + 1
        if number > begun["pages_max"]:
            await _give_up(job, begun, f"it has more than {begun['pages_max']} pages (pages_max)")
        try:
            page = await _page(job, begun, number, cursor)
        except Fault as error:
            if number > begun["pages"] + 1:
                # A long pass meets many faults; where it gets on between them they burn no attempts.
                raise Snooze(ASK_AGAIN_SECONDS, str(error)) from error
            raise Retry(str(error)) from error
        last = _is_last(begun, page)
        applied = await row(
            job, "apply_page", begun["id"], number, json.dumps(page.good), json.dumps(page.bad), page.cursor, last,
            seconds=APPLY_SECONDS_MAX,
        )  # fmt: skip
        if applied["verdict"] == "stale":
            raise Retry(f"page {number} of source {name} has been taken in by another attempt")
        if applied["verdict"] == "loop":
            await _give_up(job, begun, applied["reason"])
        pages, cursor, read_all = number, page.cursor, last
        read = sum(applied[count] for count in COUNTS)
        job.progress(done=read, stage=f"page {number}", message=f"{read} customers read")
    return await _finish(job, begun)


async def _page(job: Job, begun: Any, number: int, cursor: str | None) -> Rows:
    """A page, read; raises Fault, Snooze, Retry or Failed where it cannot be had now, so, or at all."""
    where = f"page {number} of source {begun['name']}"
    headers = {"Accept": "application/json"}
    if begun["token"]:
        headers["Authorization"] = f"Bearer {begun['token']}"
    try:
        answer = await job.web.get(
            str(_address(begun, number, cursor)), headers=headers, whole=True, follow=False,
            seconds_max=PAGE_SECONDS_MAX, body_bytes_max=PAGE_BYTES_MAX,
        )  # fmt: skip
    except WebError as error:
        if error.after_seconds is not None:
            raise Snooze(error.after_seconds, f"{where}: {error}") from error
        raise (Fault if error.retryable else Failed)(f"{where}: {error}") from error
    await _look(job, begun, where, number, answer)
    fields = json.loads(begun["fields"])
    cursor_at = begun["cursor_at"] if begun["paging"] == "cursor" else None
    try:
        # Ten megabytes of JSON take a while.
        return await asyncio.to_thread(
            read_page, answer.body, fields, rows_at=begun["rows_at"], cursor_at=cursor_at
        )
    except PageError as error:
        raise Fault(f"{where}: {error}") from error


async def _look(job: Job, begun: Any, where: str, number: int, answer: Page) -> None:
    """Raise what another status than 200, or half an answer, means."""
    status = answer.status
    if status == 200 and not answer.truncated:
        return
    asked = retry_after_seconds(answer.headers)
    if status == 429 or (status == 503 and asked is not None):
        seconds = ASK_AGAIN_SECONDS if asked is None else asked
        raise Snooze(seconds, f"{where}: it asks for patience (HTTP {status})")
    if answer.truncated or status >= 500 or status == 408:
        why = "the answer broke off" if answer.truncated else f"HTTP {status}"
        raise Fault(f"{where}: {why}")
    if status in (401, 403):
        raise Failed(f"{where}: it refuses the token (HTTP {status}); enter another one into bellhand_crm.sources and retry")  # fmt: skip
    if 300 <= status < 400:
        to = answer.headers.get("Location", "nowhere")[:500]
        raise Failed(f"{where}: it leads to {to} (HTTP {status}); enter that as url, if it is right")  # fmt: skip
    if number > 1:
        # Its cursor may be too old: the next attempt begins at the first page.
        await _give_up(job, begun, f"{where} is refused (HTTP {status})")
    raise Failed(f"{where}: HTTP {status}")


def _address(begun: Any, number: int, cursor: str | None) -> URL:
    asked: dict[str, str] = {}
    if begun["paging"] == "page":
        asked[begun["page_parameter"]] = str(number - 1 + begun["page_first"])
    elif begun["paging"] == "cursor" and cursor is not None:
        asked[begun["cursor_parameter"]] = cursor
    if begun["size_parameter"]:
        asked[begun["size_parameter"]] = str(begun["page_rows"])
    return URL(begun["url"]).update_query(asked)


def _is_last(begun: Any, page: Rows) -> bool:
    if begun["paging"] == "page":
        return len(page) == 0 or len(page) < (begun["page_rows"] or 0)
    return page.cursor is None


async def _give_up(job: Job, begun: Any, why: str) -> None:
    await row(job, "give_up_sync", begun["id"], why)
    raise Retry(f"the pass over source {begun['name']} cannot go on: {why}; the next one begins at its first page")  # fmt: skip


async def _finish(job: Job, begun: Any) -> dict[str, Any]:
    """End the pass and the job in one commit."""
    result: dict[str, Any] = {"source": begun["name"], "sync_id": begun["id"]}
    async with job.transaction(result) as conn:
        done = await row(job, "finish_sync", begun["id"], conn=conn, seconds=APPLY_SECONDS_MAX)
        if done["verdict"] == "too_many":
            raise Failed(done["reason"])
        result |= {name: done[name] for name in ("pages", *COUNTS)}
        if done["nameless"]:
            result["why_none_deleted"] = f"{done['nameless']} rows had no readable id"
    return result
