"""All stand-ins on one port of loopback, with the websites of their businesses beside them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from . import openai, places, serpapi, stripe
from .faults import Fault, Faults, spoiled
from .sites import Sites

HOST = "127.0.0.1"
STOP_SECONDS = 0.2
CALLS_MAX = 1_000
BODY_BYTES_MAX = 10_000_000
PATHS = {
    "/search.json": "serpapi",
    "/search": "serpapi",
    "/v1/places:searchText": "places",
    "/v1/chat/completions": "openai",
    "/v1/embeddings": "openai",
}
ERRORS: dict[str, Callable[[Fault], web.Response]] = {
    "serpapi": serpapi.failed,
    "places": places.failed,
    "openai": openai.failed,
    "stripe": stripe.failed,
}
# An answer of its own, not the right one spoiled.
SAID = ("rate", "quota", "refused", "error", "unavailable")
SPOILED = ("truncated", "malformed", "reset", "moved", "large")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came: when (by the loop's clock), to which service, with what."""

    at: float
    service: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


@dataclass(slots=True)
class StandIns:
    """What is running: where, what goes wrong next, and what was asked."""

    port: int
    sites: Sites
    faults: Faults = field(default_factory=Faults)
    stripe: stripe.Account = field(default_factory=stripe.Account)
    calls: deque[Asked] = field(default_factory=lambda: deque(maxlen=CALLS_MAX))

    @property
    def settings(self) -> dict[str, Any]:
        """The section `services` that leads here."""
        base = f"http://{HOST}:{self.port}"
        return {
            "allow_networks": ["127.0.0.0/8"],
            "serpapi": {"base_url": base, "key": "stand-in"},
            "places": {"base_url": f"{base}/v1", "key": "stand-in"},
            "openai": {"base_url": f"{base}/v1", "key": "stand-in"},
            "stripe": {"base_url": base, "key": "sk_test_stand-in"},
        }

    def asked(self, service: str) -> list[Asked]:
        """The requests that came for one service."""
        return [one for one in self.calls if one.service == service]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer to any request: of a service, of a site, or to somebody who orders a fault."""
        host = ((request.transport and request.transport.get_extra_info("sockname")) or (HOST,))[0]
        if host != HOST:
            return self.sites.page(host)
        service = "stripe" if request.path.startswith(stripe.PATHS) else PATHS.get(request.path)
        if service is None:
            return await self._order(request)
        at, body = asyncio.get_running_loop().time(), await request.text()
        self.calls.append(Asked(at, service, request.path, dict(request.query), dict(request.headers), body))  # fmt: skip
        fault = self.faults.take(service)
        # An error of Stripe's can be one that it remembers, and its slowness lets requests meet.
        if fault is not None and not (service == "stripe" and fault.name in stripe.OWN_FAULTS):
            if fault.name == "slow":
                await asyncio.sleep(fault.seconds)
            elif fault.name in SAID or fault.name in ("too_long", "busy"):
                return ERRORS[service](fault)
        answer = await self._right(service, request, fault)
        if fault is not None and fault.name in SPOILED:
            return await spoiled(request, answer, fault)
        return answer

    async def _right(self, service: str, request: web.Request, fault: Fault | None) -> web.Response:
        if service == "stripe":
            return await self.stripe.answer(request, fault)
        match request.path:
            case "/v1/places:searchText":
                return await places.search(request, self.sites)
            case "/v1/chat/completions":
                return await openai.chat(request, fault)
            case "/v1/embeddings":
                return await openai.embeddings(request)
            case _:
                return await serpapi.search(request, self.sites)

    async def _order(self, request: web.Request) -> web.Response:
        """POST /faults {service, fault, times, seconds} orders one; DELETE takes all back."""
        if request.path != "/faults":
            return web.Response(text="A stand-in of SerpApi, Places, OpenAI and Stripe; POST /faults orders a fault.", status=404)  # fmt: skip
        if request.method == "DELETE":
            self.faults.clear()
            return web.json_response({"faults": "none"})
        try:
            asked = await request.json()
            times, seconds = int(asked.get("times", 1)), float(asked.get("seconds", 0))
            self.faults.set(asked["service"], asked["fault"], times=times, seconds=seconds)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        return web.json_response({"ordered": asked["fault"], "times": times})


@asynccontextmanager
async def served(*, websites: bool = False) -> AsyncIterator[StandIns]:
    """Serves them on a free port; with `websites` the businesses' sites are there too, else their names lead nowhere."""
    running: list[StandIns] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        return await running[0].answer(request)

    app = web.Application(client_max_size=BODY_BYTES_MAX)
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]] = handle
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        port = runner.addresses[0][1]
        running.append(StandIns(port, Sites(runner if websites else None, port)))
        yield running[0]
    finally:
        await runner.cleanup()
