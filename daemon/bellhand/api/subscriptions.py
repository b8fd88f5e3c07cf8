"""Subscriptions: which channel is told of which jobs, whoever enqueued them."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from asyncpg import PostgresError

from bellhand.api import told
from bellhand.api.control import one_of
from bellhand.api.given import NewSubscription
from bellhand.api.naming import fit_name
from bellhand.api.operations import answer, operation
from bellhand.callers import caller_of
from bellhand.look import Look
from bellhand.problems import HttpProblem, of_error

THING = ("not-found",)


class Subscriptions:
    """/v1/subscriptions."""

    def __init__(self, look: Look) -> None:
        self.look = look

    @operation("GET", "/v1/subscriptions", "read", answers={200: told.Subscriptions})
    async def list_subscriptions(self, request: web.Request) -> web.StreamResponse:
        """List which channels are told of which jobs."""
        return answer({"data": [*(await self._subscriptions()).values()]})

    @operation(
        "GET", "/v1/subscriptions/{subscription}", "read", answers={200: told.Subscription}, problems=THING
    )  # fmt: skip
    async def get_subscription(self, request: web.Request) -> web.StreamResponse:
        """Get one subscription."""
        return answer(await self._subscription(request))

    @operation(
        "PUT", "/v1/subscriptions/{subscription}", "operate", answers={200: told.Subscription},
        problems=("invalid-value", "in-configuration"),
    )  # fmt: skip
    async def set_subscription(
        self, request: web.Request, body: NewSubscription
    ) -> web.StreamResponse:
        """Tell a channel of jobs from now on, or change of which; one of the configuration is changed there (409)."""
        name = fit_name("subscription", request.match_info["subscription"])
        if ("late" in body.on) != (body.late_seconds is not None):
            said = 'says after how long "late" is told: give both or neither'
            raise HttpProblem("invalid-value", errors=[("#/late_seconds", said)])
        try:
            await self.look.fetch(
                "cli_subscribe", name, body.channel, body.on, body.kinds, body.late_seconds, actor=caller_of(request).actor,
            )  # fmt: skip
        except PostgresError as error:
            problem = of_error(error)
            if problem is None or problem.slug != "not-found":
                raise
            # The address is fine; what the body names is not there.
            raise HttpProblem(
                "invalid-value", detail=problem.detail, hint="see /v1/channels", errors=[("#/channel", problem.detail)],
            ) from error  # fmt: skip
        return answer(await self._subscription(request))

    @operation(
        "DELETE", "/v1/subscriptions/{subscription}", "operate", answers={204: None}, problems=(*THING, "in-configuration")
    )  # fmt: skip
    async def remove_subscription(self, request: web.Request) -> web.StreamResponse:
        """Tell a channel no more of what a subscription names. One of the configuration is taken out there (409)."""
        name, actor = request.match_info["subscription"], caller_of(request).actor
        await self.look.fetch("unsubscribe", name, actor=actor)
        return web.Response(status=204)

    async def _subscriptions(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: dict(row) for row in await self.look.fetch("api_subscriptions")}

    async def _subscription(self, request: web.Request) -> dict[str, Any]:
        name = request.match_info["subscription"]
        return one_of("subscription", name, await self._subscriptions())
