"""Changing one job and purging it, from forms on its page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from multidict import MultiMapping

from bellhand.callers import caller_of
from bellhand.dashboard.site import Site
from bellhand.problems import HttpProblem
from bellhand.resource import number_and_key

REASON_CHARS_MAX = 500
JSON_CHARS_MAX = 1_000_000
ATTEMPTS_MAX = 32_767


class Editing:
    """POST /jobs/{job}/edit and POST /jobs/{job}/purge."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def edit(self, request: web.Request) -> web.Response:
        """What was filled in is changed, the rest stays; refused if the job has changed since the page was made."""
        number = _number(request)
        form = await request.post()
        changes = changes_of(form)  # type: ignore[arg-type]  # files have no place in it, and are no text
        if changes:
            version = str(form.get("version", "")) or None
            actor = caller_of(request).actor
            await self.site.look.fetch("api_change", number, json.dumps(changes), version, actor=actor)  # fmt: skip
        return self.site.done(f"/jobs/{number}", "edit" if changes else "unchanged")

    async def purge(self, request: web.Request) -> web.Response:
        """Deletes the job for good; only for somebody who says so."""
        number = _number(request)
        form = await request.post()
        if "sure" not in form:
            raise HttpProblem("invalid-value", detail="nobody said that it is to be deleted", hint="check the box beside the button")  # fmt: skip
        reason = str(form.get("reason", ""))[:REASON_CHARS_MAX] or None
        await self.site.look.fetch("cli_purge", number, reason, actor=caller_of(request).actor)
        return self.site.done("/jobs", "purge")


def changes_of(form: MultiMapping[str]) -> dict[str, Any]:
    """The fields that hold something, as bellhand.change takes them; the problem with a pointer to each that cannot be read."""
    found: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    for name, read in (("run_at", _moment), ("attempts_max", _attempts), ("tags", _object), ("payload", _object)):  # fmt: skip
        text = str(form.get(name, "")).strip()
        if not text:
            continue
        try:
            found[name] = read(text)
        except ValueError as error:
            wrong.append((f"#/{name}", str(error)))
    if wrong:
        raise HttpProblem("invalid-value", detail="nothing was changed", errors=wrong)
    return found


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("a time is written as 2026-01-31T12:00Z") from None
    # A field for times has no zone: it says so beside it.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _attempts(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:6]) <= ATTEMPTS_MAX:
        raise ValueError(f"it is a number from 1 to {ATTEMPTS_MAX}")
    return int(text)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text[:JSON_CHARS_MAX])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"this is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError('it is an object, such as {"name": "value"}')
    return found


def _number(request: web.Request) -> int:
    try:
        return number_and_key(request.match_info["job"])[0]
    except ValueError:
        raise HttpProblem("not-found", detail="this is neither the id nor the key of a job") from None  # fmt: skip
