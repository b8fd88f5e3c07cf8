"""Errors as RFC 9457 has them: application/problem+json, with a hint."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

CONTENT_TYPE = "application/problem+json"


class HttpProblem(Exception):
    """An answer that is an error; `slug` names its sort for good."""

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        *,
        detail: str = "",
        hint: str = "",
        **headers: str,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.hint = hint
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self, path: str) -> web.Response:
        """The answer to a request for `path`."""
        body: dict[str, Any] = {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "code": self.slug.replace("-", "_"),
            "instance": path,
        }
        body |= {"detail": self.detail} if self.detail else {}
        body |= {"hint": self.hint} if self.hint else {}
        return web.Response(
            text=json.dumps(body),
            status=self.status,
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def not_found(detail: str, hint: str = "") -> HttpProblem:
    """404."""
    return HttpProblem(404, "not-found", "There is no such thing", detail=detail, hint=hint)


def unavailable(detail: str) -> HttpProblem:
    """503, come back in a few seconds."""
    title = "The database cannot be reached"
    hint = "the daemon keeps trying; so may you"
    return HttpProblem(503, "database-away", title, detail=detail, hint=hint, Retry_After="5")
