"""Which other sites' pages may ask us from a browser: those that the settings name, without cookies; by default none."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import hdrs, web

METHODS = "GET, POST, PATCH, PUT, DELETE"
REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, X-Request-ID"
ANSWER_HEADERS = "Content-Location, ETag, Idempotency-Replayed, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID"
REMEMBERED_SECONDS = "600"


class Cors:
    """Cross-origin resource sharing (WHATWG Fetch, 3.2) for a list of origins."""

    def __init__(self, origins: Iterable[str]) -> None:
        self.origins = frozenset(origins)

    def allows(self, request: web.Request) -> bool:
        """Whether the page that asks is of an origin on the list."""
        return request.headers.get(hdrs.ORIGIN) in self.origins

    def preflight(self, request: web.Request) -> web.Response | None:
        """The answer to a browser that asks whether it may ask; None if that is not what it asks."""
        asks = hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        if request.method != "OPTIONS" or not asks or not self.allows(request):
            return None
        headers = {
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: METHODS,
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: REQUEST_HEADERS,
            hdrs.ACCESS_CONTROL_MAX_AGE: REMEMBERED_SECONDS,
        }
        return web.Response(status=204, headers=headers)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Says to the browser that its page may read the answer."""
        if not self.origins:
            return
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if self.allows(request):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = ANSWER_HEADERS
