"""What is hidden of a job, for an admin who says why: asked for one job at a time, written down before it is answered, kept by nobody."""

from __future__ import annotations

import json
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from bellhand.api.given import Body, Plain
from bellhand.api.naming import job_row
from bellhand.api.operations import answer, operation
from bellhand.api.told import Told
from bellhand.callers import caller_of
from bellhand.look import Look
from bellhand.problems import HttpProblem

NOT_KEPT = {"Cache-Control": "no-store"}


class Revealing(Body):
    """What it is needed for."""

    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S"), Plain]
    """Kept in the audit log, with who asked."""


class Revealed(Told):
    """Of a job what is hidden elsewhere, as it is."""

    id: int
    key: str
    payload: dict[str, Any]
    result: Any
    error: str | None


class Reveal:
    """POST /v1/jobs/{job}/reveal, where the settings allow it."""

    def __init__(self, look: Look, *, allowed: bool) -> None:
        self.look = look
        self.allowed = allowed

    @operation(
        "POST", "/v1/jobs/{job}/reveal", "admin", answers={200: Revealed},
        problems=("bad-job-id", "not-found", "purged", "invalid-value", "reveal-off"),
    )  # fmt: skip
    async def reveal(self, request: web.Request, body: Revealing) -> web.StreamResponse:
        """Get payload, result and error of a job with nothing hidden, for a reason.

        The reason stands in the audit log (`revealed`) before this is answered. The answer is `no-store`. `reveal = false` under [status]
        turns it off (403).
        """
        if not self.allowed:
            raise HttpProblem("reveal-off")
        row = await job_row(self.look, request, "api_jobs")
        shown = await self.look.row(
            "reveal", row["id"], body.reason, actor=caller_of(request).actor
        )
        assert shown
        return answer({
            "id": row["id"], "key": str(row["key"]), "payload": json.loads(shown["payload"]),
            "result": json.loads(shown["result"] or "null"), "error": shown["error"],
        }, headers=NOT_KEPT)  # fmt: skip
