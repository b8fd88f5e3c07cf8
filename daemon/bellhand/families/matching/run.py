"""One run over a project, in the database: what waits, what was found, how far it is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg

from bellhand.job import Job
from bellhand.outcomes import LeaseLost
from bellhand.sql import query

from .item import Item, item_from

STATEMENT_SECONDS = 30.0
PAGE_ITEMS = 2_000
SAVE_AT_ONCE = 1_000
ERROR_CHARS_MAX = 500

STAGES = {1: "Identifiers", 2: "Fuzzy Matching", 3: "AI Matching", 4: "Web Search"}
Row = dict[str, Any]


class Run:
    """The rows of one job's run; only the attempt that began last writes them, others get LeaseLost."""

    def __init__(self, job: Job, row: Row) -> None:
        self.job = job
        self.id: int = row["id"]
        self.row = row
        self.stage = 0
        self.last = False

    @classmethod
    async def begin(cls, job: Job, project_id: str, job_type: str, options: Row) -> Run:
        """The run of this job, with what an earlier attempt has done."""
        own = (project_id, job.id, job.key, job.epoch, job_type, json.dumps(options))
        rows = await fetch(job, "begin_run", *own)
        if not rows:
            raise LeaseLost
        run = cls(job, dict(rows[0]))
        job.log.info(
            "matching_begins",
            project=project_id,
            job_type=job_type,
            unmatched=run.row["total_items"],
        )
        return run

    async def fetch(self, name: str, *args: Any) -> list[Any]:
        """The rows of a statement about this run."""
        return await fetch(self.job, name, self.id, *args)

    async def begin_stage(self, stage: int, total: int, *, last: bool) -> None:
        """From here on it is in this stage, with so many items to go through."""
        self.stage, self.last = stage, last
        own = (self.job.epoch, stage, STAGES[stage], total, last)
        if not await self.fetch("begin_stage", *own):
            raise LeaseLost
        self.job.progress(stage=f"{stage} {STAGES[stage]}", message=f"{total} items")
        self.job.log.info("matching_stage", stage=stage, name=STAGES[stage], items=total)

    async def waiting(self) -> int:
        """How many items have no match yet and were not given up."""
        (row,) = await self.fetch("run")
        return int(row["waiting"])

    async def save(self, method: str, matches: Sequence[Row]) -> set[int]:
        """Propose matches ({source, target, confidence, evidence}); the sources of those that could be made."""
        saved: set[int] = set()
        for start in range(0, len(matches), SAVE_AT_ONCE):
            part = json.dumps(list(matches[start : start + SAVE_AT_ONCE]))
            (row,) = await self.fetch("save_matches", self.job.epoch, self.stage, method, part)
            if row[0] is None:
                raise LeaseLost
            saved |= set(row[0])
        for match in matches[:SAVE_AT_ONCE]:
            if match["source"] in saved:
                self.job.log.debug("match_found", method=method, **{k: match[k] for k in ("source", "target", "confidence")})  # fmt: skip
        return saved

    async def note(self, done: int, items: Sequence[Row]) -> None:
        """Note how items fared ({item, state, error}) of which `done` are through with this stage."""
        noted = json.dumps([item | {"error": (item.get("error") or "")[:ERROR_CHARS_MAX] or None} for item in items])  # fmt: skip
        rows = await self.fetch("note_items", self.job.epoch, self.stage, done, noted)
        if not rows:
            raise LeaseLost
        row = self.row = dict(rows[0])
        said = f"{row['processed_items']} of {row['total_items']} items, {row['matches_found']} matches"
        self.job.progress(message=said)

    async def note_decided(self, undecided: Sequence[int], done: int) -> None:
        """Those are through with this stage without a match; after the last one they are unmatched."""
        state = "unmatched" if self.last else "waiting"
        await self.note(done, [{"item": item, "state": state} for item in undecided])

    async def note_failed(self, items: Sequence[int], error: str) -> None:
        """Those were in trouble, and why; a retry of the job tries them again, and no others."""
        await self.note(0, [{"item": item, "state": "failed", "error": error} for item in items])

    async def finish(self, conn: asyncpg.Connection) -> None:
        """It is over, in the transaction that completes the job; what still waits has no match."""
        own = (self.id, self.job.epoch)
        if not await conn.fetch(_query("finish_run"), *own, timeout=STATEMENT_SECONDS):
            raise LeaseLost

    async def items(self, side: str) -> AsyncIterator[list[Row]]:
        """The items of a side that take part, page by page."""
        last = 0
        while rows := await self.fetch("items_page", side, last, PAGE_ITEMS):
            last = rows[-1]["id"]
            yield [item_row(row) for row in rows]


async def fetch(job: Job, name: str, *args: Any) -> list[Any]:
    """The rows of one of this family's statements."""
    async with job.connection() as conn:
        rows: list[asyncpg.Record] = await conn.fetch(_query(name), *args, timeout=STATEMENT_SECONDS)  # fmt: skip
    return rows


def item_row(row: Any) -> Row:
    """An item's row as plain values."""
    return {name: row[name] for name in ("id", "sku", "title", "brand", "price", "description")} | {
        "attributes": json.loads(row["attributes"])
    }


def item_of(row: Any) -> Item:
    """An item's row as it is compared."""
    return item_from(item_row(row))


def _query(name: str) -> str:
    return query(f"families/matching/{name}")
