"""Errors over HTTP as RFC 9457 has them: application/problem+json that says what, why and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from aiohttp import web
from asyncpg import PostgresError, QueryCanceledError

from .db import Again, Away
from .problem_sorts import OF_SQLSTATE, SORTS

CONTENT_TYPE = "application/problem+json"
LATE = "a statement took longer than it may: Postgres is busy, or something holds a lock that it waits for"


class HttpProblem(Exception):
    """An answer that is an error. `slug` names its sort in problem_sorts.py; `errors` are (JSON pointer, what) pairs."""

    def __init__(
        self,
        slug: str,
        *,
        detail: str = "",
        hint: str = "",
        errors: Iterable[tuple[str, str]] = (),
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.sort = SORTS[slug]
        super().__init__(self.sort.title)
        self.slug = slug
        self.status = self.sort.status
        self.title = self.sort.title
        self.detail = detail
        self.hint = hint or self.sort.hint
        self.errors = list(errors)
        self.extra = extra or {}
        self.headers = headers or {}

    def body(self, path: str) -> dict[str, Any]:
        """The problem document, for a request to `path`; without one where no path was understood."""
        told: dict[str, Any] = {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "code": self.slug.replace("-", "_"),
        }
        told |= {"instance": path} if path else {}
        told |= {"detail": self.detail} if self.detail else {}
        if self.errors:
            told["errors"] = [{"pointer": place, "detail": what} for place, what in self.errors]
        told |= {"hint": self.hint} if self.hint else {}
        return told | self.extra

    def response(self, path: str) -> web.Response:
        """The answer to a request for `path`."""
        return web.Response(
            text=json.dumps(self.body(path), default=str),
            status=self.status,
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def not_found(detail: str, hint: str = "") -> HttpProblem:
    """404."""
    return HttpProblem("not-found", detail=detail, hint=hint)


def unavailable(detail: str) -> HttpProblem:
    """503, come back in a few seconds."""
    return HttpProblem("database-away", detail=detail, headers={"Retry-After": "5"})


def of_error(error: Exception) -> HttpProblem | None:
    """What an error of the database means to who asked; None if it is none of a known sort."""
    if isinstance(error, Away | Again | TimeoutError):
        late = isinstance(error.__cause__, QueryCanceledError)
        return unavailable(LATE if late else str(error) or "it did not answer in time")
    if not isinstance(error, PostgresError):
        return None
    state = error.sqlstate or ""
    said = str(getattr(error, "message", None) or error)
    detail, hint = getattr(error, "detail", None) or "", getattr(error, "hint", None) or ""
    if state in OF_SQLSTATE:
        text = f"{said}: {detail}" if detail else said
        return HttpProblem(OF_SQLSTATE[state], detail=text, hint=_for_http(hint))
    if state.startswith(("22", "23")):
        # Data that no column can hold: a NUL in a text, a number out of range, a constraint.
        return HttpProblem("invalid-value", detail=said)
    if state.startswith(("42", "3F", "25006")):
        return HttpProblem("schema-unfit", detail=said)
    return unavailable(said)


def _for_http(hint: str) -> str:
    """A hint of our SQL without what only a psql can do."""
    return "" if re.search(r"\bselect\b", hint) else hint
