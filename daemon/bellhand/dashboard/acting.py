"""Telling one job what to do so that it can be taken back: as a bulk action of one, with the same undo."""

from __future__ import annotations

import json
from typing import Any

from asyncpg import PostgresError

from bellhand.dashboard.site import Site

ANOTHER_COUNT = "BH013"  # the job is not in a state that the action reaches
HOLD_SECONDS = 5  # what a retry waits for somebody to undo it


async def tell(site: Site, number: int, action: str, actor: str, **arguments: Any) -> int | None:
    """Tells the job: the operation that undo() takes, 0 where nothing would be brought back; None if the job cannot be told so, and was not."""
    given = arguments | ({"hold_seconds": HOLD_SECONDS} if action == "retry" else {})
    try:
        row = await site.look.row(
            "bulk_act",
            json.dumps({"ids": [number]}),
            action,
            1,
            None,
            json.dumps(given),
            actor=actor,
        )
    except PostgresError as error:
        if error.sqlstate != ANOTHER_COUNT:
            raise
        return None
    assert row
    if not row["jobs"]:
        return None
    undoable = await site.look.row("page_undoable", row["operation"])
    return int(row["operation"]) if undoable and undoable["undoable"] else 0
