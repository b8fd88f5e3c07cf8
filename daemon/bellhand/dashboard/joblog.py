"""What the handler of a job logged, as a part of the job's page: the newest lines that fit what is asked for."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from bellhand.look import Look

LEVELS = ("debug", "info", "warning", "error", "critical")
TONES = {"warning": "warning", "error": "error", "critical": "error"}
LINES = {"100": 100, "1000": 1000}
WORDS_CHARS_MAX = 200
STEP_CHARS_MAX = 500


async def log_of(look: Look, request: web.Request, job: int) -> dict[str, Any]:
    """The lines, oldest first, what was asked for, and how many lines of the job are not kept."""
    query = request.query
    level = query.get("level", "")
    step, words = query.get("step", "")[:STEP_CHARS_MAX], query.get("find", "")[:WORDS_CHARS_MAX]
    most = LINES.get(query.get("lines", ""), 100)
    chosen = (level if level in LEVELS else "debug", _text(step), None, None, _text(words))
    rows = await look.fetch("job_log", job, *chosen, 0, 0, True, most)
    # Asked only where there can be any.
    dropped = await look.row("job_lines_dropped", job) if rows else None
    return {
        "lines": [dict(row) | {"fields": json.loads(row["fields"]), "tone": TONES.get(row["level"], "none")} for row in rows[-most:]],
        "more": len(rows) > most, "most": most, "dropped": dropped["lines"] if dropped else 0,
        "level": level if level in LEVELS else "", "step": step, "find": words, "levels": LEVELS,
        "asked": bool(level or step or words),
    }  # fmt: skip


def _text(text: str) -> str | None:
    """What no line can hold finds nothing, without asking Postgres, which takes no NUL."""
    return text.replace("\0", "�") or None
