"""What is written down: the audit log, tokens, and what may be forgotten."""

from __future__ import annotations

import json

from aiohttp import web

from bellhand.api import told
from bellhand.api.given import AuditQuery, Cleanup, NewToken
from bellhand.api.naming import named
from bellhand.api.operations import answer, operation
from bellhand.api.veil import masked_all
from bellhand.callers import caller_of, digest, new_token
from bellhand.look import Look
from bellhand.resource import ID_MAX, rfc3339

WALK = 10_000
TOKENS_SHOWN = 500
PARTITIONS_MAX = 100
BATCHES_MAX = 20
TIMES = ("made_at", "expires_at", "revoked_at", "last_used_at")


class Records:
    """/v1/audit, /v1/tokens, /v1/maintenance."""

    def __init__(self, look: Look) -> None:
        self.look = look

    @operation("GET", "/v1/audit", "read", answers={200: told.AuditPage})
    async def list_events(self, request: web.Request, query: AuditQuery) -> web.StreamResponse:
        """What happened to whom and who did it, the latest first. Jobs that simply went well are not in it one by one."""
        walk = WALK if query.type or query.actor else query.limit
        match = (query.cursor or ID_MAX, query.type, query.actor, query.limit, walk)
        if query.job:
            rows = await self.look.fetch("api_audit_of_job", *match, named(query.job)[0])
        else:
            rows = await self.look.fetch("api_audit", *match)
        found = [row for row in rows if row["seq"] is not None]
        full = len(found) == query.limit
        following = found[-1]["seq"] if full else rows[0]["reached"] if rows[0]["more"] else None
        events = [
            {name: row[name] for name in ("seq", "type", "job", "kind", "actor")}
            | {"at": rfc3339(row["at"]), "data": masked_all(json.loads(row["data"] or "null"))}
            for row in found
        ]
        cursor = None if following is None else str(following)
        return answer({"data": events, "has_more": cursor is not None, "next_cursor": cursor})

    @operation("GET", "/v1/tokens", "admin", answers={200: told.Tokens})
    async def list_tokens(self, request: web.Request) -> web.StreamResponse:
        """List the tokens, the newest first; what opens anything is not kept and not told."""
        rows = await self.look.fetch("tokens", TOKENS_SHOWN)
        shown = ("name", "scopes", "state", "made_by", "sessions")
        return answer(
            {
                "data": [
                    {n: row[n] for n in shown} | {n: rfc3339(row[n]) for n in TIMES} for row in rows
                ]
            }
        )

    @operation("POST", "/v1/tokens", "admin", answers={201: told.Said}, problems=("wrong-state",))
    async def create_token(self, request: web.Request, body: NewToken) -> web.StreamResponse:
        """Make a token. It is in this answer and nowhere else."""
        token = new_token()
        made = (body.name, list(body.scopes), digest(token), body.expires_seconds)
        await self.look.fetch("create_token", *made, actor=caller_of(request).actor)
        return answer({"name": body.name, "scopes": body.scopes, "token": token}, 201)

    @operation("DELETE", "/v1/tokens/{name}", "admin", answers={204: None}, problems=("not-found",))
    async def revoke_token(self, request: web.Request) -> web.StreamResponse:
        """Take a token back, with the sessions that were opened with it; daemons hear of it within two seconds."""
        await self.look.fetch(
            "revoke_token", request.match_info["name"], actor=caller_of(request).actor
        )
        return web.Response(status=204)

    @operation("POST", "/v1/maintenance/cleanup", "admin", answers={200: told.Said}, seconds=60)
    async def cleanup(self, request: web.Request, body: Cleanup) -> web.StreamResponse:
        """Forget what is older than so many days now, instead of when the keeper comes to it.

        Whole days of history go at once; events and statistics in batches, so `more` may ask to be called again.
        """
        dropped: list[str] = []
        for _ in range(PARTITIONS_MAX):
            row = await self.look.row("drop_history", body.history_days)
            if row is None or row[0] is None:
                break
            dropped.append(row[0])
        deleted, more = 0, True
        for _ in range(BATCHES_MAX):
            row = await self.look.row("delete_old", body.events_days, body.stats_days)
            assert row
            deleted += row[0]
            if not (more := row[0] > 0):
                break
        days = sorted(set(dropped))
        return answer(
            {"history": days, "deleted": deleted, "more": more or len(dropped) == PARTITIONS_MAX}
        )
