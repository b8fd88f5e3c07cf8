"""A steady load: so many jobs a second, in few commits, each job known to the history by its token."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from .client import LOST
from .stage import Stage

COMMITS_PER_SECOND = 20
INSERT = """
insert into bellhand.jobs (kind, payload) select $1, jsonb_build_object('token', t, 'seconds', $3::float8) from unnest($2::text[]) t
"""
STATEMENT_SECONDS = 10.0


@asynccontextmanager
async def steady(stage: Stage, per_second: int, *, kind: str = "f.nap", seconds: float = 0.02) -> AsyncIterator[None]:  # fmt: skip
    """Until the block ends; a commit whose answer got lost counts as nobody knows."""
    stop = asyncio.Event()
    task = asyncio.create_task(_insert(stage, per_second // COMMITS_PER_SECOND, kind, seconds, stop))  # fmt: skip
    try:
        yield
    finally:
        stop.set()
        await task


async def _insert(stage: Stage, count: int, kind: str, seconds: float, stop: asyncio.Event) -> None:
    conn: asyncpg.Connection | None = None
    due = time.monotonic()
    while not stop.is_set():
        tokens = [str(uuid.uuid4()) for _ in range(count)]
        begun, result = time.monotonic(), "ok"
        try:
            if conn is None:
                result = "fail"  # until there is a connection nothing can have been written
                conn = await asyncpg.connect(stage.dsn, timeout=5)
                result = "ok"
            await conn.execute(INSERT, kind, tokens, seconds, timeout=STATEMENT_SECONDS)
        except LOST:
            result = "info" if result == "ok" else "fail"
            if conn is not None:
                conn.terminate()
            conn = None
        now = time.monotonic()
        for token in tokens:
            stage.said.saw("enqueue", t=now, t0=begun, t1=now, token=token, job=None, kind=kind, key=None, res=result, expect="completed", error=None)  # fmt: skip
        due += 1 / COMMITS_PER_SECOND
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    if conn is not None:
        conn.terminate()
