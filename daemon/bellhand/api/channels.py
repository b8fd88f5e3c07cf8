"""Channels: where notifications go, how they fare, and what to do when they do not arrive."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from asyncpg import PostgresError

from bellhand.api import told
from bellhand.api.control import one_of
from bellhand.api.given import NewChannel, Replaying, Rotating, Why
from bellhand.api.naming import fit_name
from bellhand.api.operations import answer, operation
from bellhand.api.veil import masked
from bellhand.callers import caller_of
from bellhand.look import Look
from bellhand.problems import of_error
from bellhand.resource import rfc3339

THING = ("not-found",)
TIMES = ("disabled_at", "failing_since", "retry_at")


class Channels:
    """/v1/channels."""

    def __init__(self, look: Look) -> None:
        self.look = look

    @operation("GET", "/v1/channels", "read", answers={200: told.Channels})
    async def list_channels(self, request: web.Request) -> web.StreamResponse:
        """List the channels, how they fare and of what they are told."""
        return answer({"data": await self._channels()})

    @operation("GET", "/v1/channels/{channel}", "read", answers={200: told.Channel}, problems=THING)
    async def get_channel(self, request: web.Request) -> web.StreamResponse:
        """Get one channel."""
        channels = {channel["name"]: channel for channel in await self._channels()}
        return answer(one_of("channel", request.match_info["channel"], channels))

    @operation(
        "PUT", "/v1/channels/{channel}", "admin", answers={200: told.Secret}, problems=("invalid-value", "in-configuration")
    )  # fmt: skip
    async def set_channel(self, request: web.Request, body: NewChannel) -> web.StreamResponse:
        """Make a channel, or change it. The answer has the secret of a webhook that had none: show it to the receiver."""
        name = fit_name("channel", request.match_info["channel"])
        digest = (body.digest_seconds, body.digest_max)
        try:
            row = await self._act(request, "api_set_channel", body.kind, body.address, *digest)
        except PostgresError as error:
            problem = of_error(error)
            if problem is None or problem.slug != "invalid-value":
                raise
            problem.errors = [("#/address", problem.detail)]
            raise problem from error
        return answer({"channel": name, "secret": row["secret"]})

    @operation(
        "DELETE", "/v1/channels/{channel}", "admin", answers={204: None}, problems=(*THING, "in-configuration")
    )  # fmt: skip
    async def remove_channel(self, request: web.Request) -> web.StreamResponse:
        """Take a channel out, with its secrets and subscriptions; what is under way to it fails. One of the configuration is taken out there (409)."""
        await self._act(request, "remove_channel")
        return web.Response(status=204)

    @operation(
        "POST", "/v1/channels/{channel}/rotate-secret", "admin", answers={200: told.Secret}, problems=THING
    )  # fmt: skip
    async def rotate_secret(
        self, request: web.Request, body: Rotating | None
    ) -> web.StreamResponse:
        """Give a webhook a new secret; the old one signs beside it for a day, unless keep_seconds says otherwise."""
        keep = (body or Rotating()).keep_seconds
        row = await self._act(request, "api_rotate_secret", keep)
        return answer({"channel": request.match_info["channel"], "secret": row["secret"]})

    @operation(
        "POST", "/v1/channels/{channel}/test", "operate", answers={202: told.Said}, problems=THING
    )
    async def test_channel(self, request: web.Request) -> web.StreamResponse:
        """Send a message that says that the channel works; the answer names the job that delivers it."""
        row = await self._act(request, "cli_channel_test")
        where = f"/v1/jobs/{row['job']}"
        return answer({"job": row["job"], "links": {"job": where}}, 202, {"Location": where})

    @operation(
        "POST",
        "/v1/channels/{channel}/enable",
        "operate",
        answers={200: told.Channel},
        problems=THING,
    )
    async def enable_channel(self, request: web.Request) -> web.StreamResponse:
        """Let deliveries go out again."""
        await self._act(request, "cli_channel_enable")
        return await self.get_channel(request)  # type: ignore[no-any-return]  # an operation is Any to mypy

    @operation(
        "POST",
        "/v1/channels/{channel}/disable",
        "operate",
        answers={200: told.Channel},
        problems=THING,
    )
    async def disable_channel(self, request: web.Request, body: Why | None) -> web.StreamResponse:
        """Stop deliveries; what is due meanwhile fails, and replay sends it later."""
        await self._act(request, "cli_channel_disable", body.reason if body else None)
        return await self.get_channel(request)  # type: ignore[no-any-return]  # an operation is Any to mypy

    @operation(
        "POST", "/v1/channels/{channel}/replay", "operate", answers={202: told.Said}, problems=THING
    )
    async def replay_channel(
        self, request: web.Request, body: Replaying | None
    ) -> web.StreamResponse:
        """Send again what failed for good in the last day, or in `seconds`; receivers see the same webhook-id."""
        seconds = (body or Replaying()).seconds
        row = await self._act(request, "cli_channel_replay", seconds)
        return answer({"channel": request.match_info["channel"], "jobs": row["jobs"]}, 202)

    async def _act(self, request: web.Request, statement: str, *arguments: Any) -> Any:
        actor, name = caller_of(request).actor, request.match_info["channel"]
        return await self.look.row(statement, name, *arguments, actor=actor)

    async def _channels(self) -> list[dict[str, Any]]:
        return [
            masked({n: v for n, v in row.items() if n != "now"}, "last_error")
            | {n: rfc3339(row[n]) for n in TIMES}
            for row in await self.look.fetch("cli_channels")
        ]
