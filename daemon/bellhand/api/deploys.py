"""Deploys: found by daemons as they enter with other code, or told by whoever deploys."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from aiohttp import web
from asyncpg import Record
from pydantic import Field

from bellhand.api.given import Body, Moment, Plain, Query
from bellhand.api.operations import answer, operation
from bellhand.api.told import Told
from bellhand.callers import caller_of
from bellhand.look import Look
from bellhand.resource import rfc3339


class NewDeploy(Body):
    """What was deployed."""

    version: Annotated[str, Field(min_length=1, max_length=100), Plain]
    """A version, a tag or a commit."""
    note: Annotated[str, Field(max_length=500), Plain] | None = None
    """What is new in it."""
    at: Moment | None = None
    """When; else now."""


class DeploysQuery(Query):
    """How many."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50


class Deploy(Told):
    """When the code that runs jobs changed; `code` is a digest of the handlers' sources, null where somebody told of it."""

    id: int
    at: datetime
    version: str
    code: str | None
    note: str | None
    actor: str


class DeploysPage(Told):
    data: list[Deploy]


class Deploys:
    """/v1/deploys."""

    def __init__(self, look: Look) -> None:
        self.look = look

    @operation("GET", "/v1/deploys", "read", answers={200: DeploysPage})
    async def list_deploys(self, request: web.Request, query: DeploysQuery) -> web.StreamResponse:
        """List the newest deploys: daemons find them by their version and their handlers' sources, scripts may tell of others."""
        rows = await self.look.fetch("api_deploys", query.limit)
        return answer({"data": [_told(row) for row in rows]})

    @operation("POST", "/v1/deploys", "operate", answers={201: Deploy})
    async def add_deploy(self, request: web.Request, body: NewDeploy) -> web.StreamResponse:
        """Tell of a deploy, so that charts show when it was; those of the daemons' own code they find themselves."""
        actor = caller_of(request).actor
        row = await self.look.row("api_add_deploy", body.version, body.note, body.at, actor=actor)
        assert row
        return answer(_told(row), 201)


def _told(row: Record) -> dict[str, object]:
    return dict(row) | {"at": rfc3339(row["at"])}
