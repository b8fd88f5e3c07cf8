"""The port that daemons are asked and told over: its life, whom it lets in, how long anything may take.

What it serves stands in the modules beside this one and is given to it as routes. The guard comes before all of them: what a
handler does not say (`needs`) needs a caller with `read`, or with `operate` to change something.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from bellhand.api.connections import FIXED, HEADERS, OPTIONS, Connections
from bellhand.api.cors import Cors
from bellhand.budget import Budget, Taken
from bellhand.callers import (
    CALLER,
    LOOPBACK,
    NOBODY,
    Caller,
    Callers,
    needed,
    refuse_foreign,
    require,
)
from bellhand.errors import Problem
from bellhand.problems import HttpProblem, not_found, of_error
from bellhand.settings import Status

log = structlog.get_logger()

BODY_BYTES_MAX = 1024  # of a request that has no body to speak of
SEND_SECONDS = 30.0
CLIENT_GONE = 499  # as nginx counts them; no client ever sees it
STOP_SECONDS = 2.0
WRONG_TOKENS_PER_SECOND, WRONG_TOKENS = 0.5, 20
PROBES = frozenset({"/livez", "/readyz"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
TOKEN_PARAMETERS = frozenset(
    {"token", "access_token", "api_key", "apikey", "authorization", "auth"}
)
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
FORWARDED = (hdrs.FORWARDED, hdrs.X_FORWARDED_FOR, hdrs.VIA)
TAKEN = web.RequestKey("taken", Taken)
REQUEST = web.RequestKey("request", str)
_REQUEST = re.compile(r"[A-Za-z0-9._:-]{1,100}")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Page = Callable[[web.Request, HttpProblem], web.Response]


def _unseen(_route: str, _method: str, _code: int, _seconds: float | None) -> None:
    """Nobody counts the requests."""


class StatusPort:
    """Serves `routes` over HTTP; `start`, then `stop`.

    `page` draws problems for browsers, `refused` writes those that have a form of their own, `closing` ends what lasts long.
    """

    def __init__(
        self,
        settings: Status,
        callers: Callers,
        routes: Sequence[web.AbstractRouteDef],
        *,
        page: Page | None = None,
        refused: Callable[[web.Request, HttpProblem], web.Response | None] = lambda *_: None,
        closing: Callable[[], Awaitable[None]] | None = None,
        seen: Callable[[str, str, int, float | None], None] = _unseen,
    ) -> None:
        self.settings = settings
        self.callers = callers
        self.routes = routes
        self.page = page
        self.refused = refused
        self.closing = closing
        self.cors = Cors(settings.cors_origins)
        self.seen = seen  # of every request: the pattern of its path, its method, its status, how long the answer took
        self.port = settings.port
        self._loopback = is_loopback(settings.host)
        self._hosts = frozenset(host.lower() for host in settings.hosts)
        if not callers.closed and not (self._loopback and not self._hosts):
            raise Problem(
                f"the status port may not listen on {settings.host} without a token",
                why="other machines can reach that address",
                fix='set token under [status], or host = "127.0.0.1" and no hosts',
            )
        clock = callers.clock
        self._budget = Budget(settings.requests_per_second, settings.requests_burst, clock)
        self._wrong = Budget(WRONG_TOKENS_PER_SECOND, WRONG_TOKENS, clock)
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._connections: Connections | None = None

    # Life

    async def start(self) -> None:
        """Begin to listen; a Problem if the port is taken."""
        app = web.Application(
            middlewares=[self._guard], client_max_size=self.settings.body_bytes_max
        )
        app.on_response_prepare.append(_add_headers)
        app.on_response_prepare.append(self.cors.add_headers)
        app.on_shutdown.append(self._close)
        app.add_routes(self.routes)
        self._runner = web.AppRunner(app, shutdown_timeout=STOP_SECONDS, **OPTIONS)
        await self._runner.setup()
        assert self._runner.server
        own = self.settings
        self._connections = Connections(
            self._runner.server, own.connections_max, own.header_seconds
        )
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connections.protocol, self.settings.host, self.settings.port
            )
        except OSError as error:
            await self._runner.cleanup()
            raise Problem(
                f"the status port {self.settings.host}:{self.settings.port} cannot be opened",
                why=error.strerror or str(error),
                fix="choose one from 1024 up under [status], or give the service AmbientCapabilities=CAP_NET_BIND_SERVICE"
                if isinstance(error, PermissionError)
                else "choose another under [status], or stop what listens there; port = 0 takes any",
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and let go of everything; may be called at any time."""
        server, self._server = self._server, None
        runner, self._runner = self._runner, None
        if server is not None:
            server.close()
        if self._connections is not None:
            self._connections.stop()
        if runner is not None:
            await runner.cleanup()

    async def _close(self, _app: web.Application) -> None:
        """What lasts long ends first, or the server would wait for it."""
        if self.closing is not None:
            await self.closing()

    # The guard

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets in who may come in, bounds the time, and turns every error into one of ours."""
        if self._connections is not None:
            self._connections.heard(request.protocol)
        started = self.callers.clock()
        request[REQUEST] = _named(request)
        try:
            if (asked := self.cors.preflight(request)) is not None:
                return asked
            self._bound_body(request)
            scope, seconds = needed(request)
            async with asyncio.timeout(seconds):
                request[CALLER] = await self._admit(request)
                if scope is not None:
                    require(request, scope)
                await _read_form(request)
                async with self.callers.watched(request, seconds):
                    response = _methods(request) or await handler(request)
        except web.HTTPRedirection:
            raise
        except Exception as error:  # a boundary: one bad request must not look like a dead daemon
            if isinstance(error, ConnectionError) and _is_gone(request):
                response = web.Response(status=CLIENT_GONE)
            else:
                response = self._refusal(request, _problem(request, error))
        # A stream takes as long as somebody follows it.
        took = self.callers.clock() - started if isinstance(response, web.Response) else None
        self.seen(_route(request), request.method, response.status, took)
        return await _sent(request, response)

    def _refusal(self, request: web.Request, problem: HttpProblem) -> web.StreamResponse:
        problem.extra = {"request_id": request[REQUEST]} | problem.extra
        page = self.page if _wants_page(request) else None
        own = self.refused(request, problem)
        return own or (page(request, problem) if page else problem.response(request.path))

    def _bound_body(self, request: web.Request) -> None:
        takes_none = request.method in SAFE or request.path in PROBES
        bytes_max = BODY_BYTES_MAX if takes_none else self.settings.body_bytes_max
        if request.content_length and request.content_length > bytes_max:
            detail = f"it has {request.content_length} bytes, and {bytes_max} are the most here"
            raise HttpProblem("body-too-large", detail=detail, headers={"Connection": "close"})

    async def _admit(self, request: web.Request) -> Caller:
        """Who asks; a problem if he has no business here, or asks too often."""
        named = TOKEN_PARAMETERS.intersection(name.lower() for name in request.query)
        if named:
            raise HttpProblem("token-in-url", detail=f"the parameter {min(named)!r} looks like one")
        if request.path in PROBES and request.method in SAFE and not request.query_string:
            self._check_host(request)
            return NOBODY
        peer = f"peer:{request.remote}"
        if not self._wrong.take(peer, 0).allowed:
            raise _too_many(self._wrong.take(peer, 0))
        try:
            known = await self.callers.identify(request)
        except HttpProblem as problem:
            if problem.slug == "unauthorized":
                self._wrong.take(peer)
            raise
        by_header = known is not None and hdrs.AUTHORIZATION in request.headers
        if not by_header:
            # What a browser sends by itself (a cookie, a way to this machine) is not the same as meaning it.
            self._check_host(request)
            if known is not None or not self.cors.allows(request):
                _check_origin(request, with_cookie=known is not None)
        caller = known or self._stranger(request)
        taken = self._budget.take(peer if caller == NOBODY else caller.name)
        request[TAKEN] = taken
        if not taken.allowed:
            raise _too_many(taken)
        return caller

    def _stranger(self, request: web.Request) -> Caller:
        """Who shows nothing: on this machine everything is his unless there is a token."""
        if self.callers.closed or any(name in request.headers for name in FORWARDED):
            return NOBODY
        return LOOPBACK

    def _check_host(self, request: web.Request) -> None:
        """A page in somebody's browser can reach a loopback port under a name of its own making."""
        host = _host_of(request)
        anybody = not self._loopback and not self._hosts
        if not (anybody or is_loopback(host) or host in self._hosts):
            raise HttpProblem("misdirected", detail=f"the request is for {host!r}")


async def _read_form(request: web.Request) -> None:
    """What a form holds is kept with the request, so that one that cannot be read ends here and not in a handler."""
    is_form = request.content_type in FORMS and request.method not in SAFE
    if not is_form or hasattr(request.match_info.handler, "__operation__"):
        return
    try:
        await request.post()
    except (ValueError, LookupError) as error:  # of its encoding, or of its parts
        raise HttpProblem("bad-request", detail=f"the form cannot be read: {error}"[:200]) from None


def _methods(request: web.Request) -> web.Response | None:
    """What an address knows, for who asks with OPTIONS (RFC 9110, 9.3.7); None for every other request."""
    error = request.match_info.http_exception
    if request.method != "OPTIONS" or not isinstance(error, web.HTTPMethodNotAllowed):
        return None
    known = sorted(error.allowed_methods | {"OPTIONS"})
    return web.Response(status=204, headers={"Allow": ", ".join(known)})


async def _sent(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Sends what is ready, in bounded time: a client that does not read must not keep it for ever."""
    if isinstance(response, web.Response) and not response.prepared:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await response.prepare(request)
                await response.write_eof()
        except ConnectionError:
            pass  # it went away while we worked for it
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
    return response


def _is_gone(request: web.Request) -> bool:
    """Whether nobody is left to be told; clients go away at any moment, and that is no fault of ours."""
    return request.transport is None or request.transport.is_closing()


def _named(request: web.Request) -> str:
    """The name of a request in answers and in our log: its caller's own, or one of ours."""
    given = request.headers.get("X-Request-ID", "")
    return given if _REQUEST.fullmatch(given) else f"req_{uuid4().hex[:20]}"


def _problem(request: web.Request, error: Exception) -> HttpProblem:
    """What went wrong, in our form; what is our own fault is logged."""
    if isinstance(error, HttpProblem):
        return error
    if isinstance(error, web.HTTPNotFound):
        return not_found(f"nothing is at {request.path}")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allow = {"Allow": error.headers["Allow"].replace(",", ", ")}
        return HttpProblem("method-not-allowed", headers=allow)
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return HttpProblem("body-too-large", headers={"Connection": "close"})
    if isinstance(error, web.HTTPException):
        return HttpProblem("bad-request", detail=error.reason or "")
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        said = error.message if isinstance(error, HttpProcessingError) else str(error)
        return HttpProblem("bad-request", detail=f"the body cannot be read: {said}"[:200])
    if isinstance(error, TimeoutError) and not request.content.is_eof():
        return HttpProblem("request-timeout", headers={"Connection": "close"})
    problem = of_error(error)
    if problem is None:
        log.error("request_failed", path=request.path, request=request[REQUEST], exc_info=error)
        return HttpProblem("internal")
    if problem.status == 503:
        log.warning(
            "request_unanswered", path=request.path, request=request[REQUEST], error=problem.detail
        )
    return problem


def _check_origin(request: web.Request, *, with_cookie: bool) -> None:
    """What changes something comes from our own pages, or from a program that shows no sign of a browser."""
    if request.method not in SAFE and not refuse_foreign(request) and with_cookie:
        raise HttpProblem("foreign-origin", detail="a session without Origin and Sec-Fetch-Site")


def _too_many(taken: Taken) -> HttpProblem:
    seconds = max(1, math.ceil(taken.next_in_seconds))
    return HttpProblem("too-many-requests", headers={"Retry-After": str(seconds)})


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(FIXED)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if REQUEST in request:
        response.headers["X-Request-ID"] = request[REQUEST]
    taken = request.get(TAKEN)
    if taken is not None:
        window = max(1, round(taken.burst / taken.per_second))
        response.headers["RateLimit-Policy"] = f'"requests";q={taken.burst};w={window}'
        response.headers["RateLimit"] = (
            f'"requests";r={taken.left};t={max(1, round(taken.full_in_seconds))}'
        )


def _route(request: web.Request) -> str:
    """The pattern that the path fits, as the route was given; every path that fits none is one."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"


def _wants_page(request: web.Request) -> bool:
    """Whether a browser asks for something to look at."""
    return "text/html" in request.headers.get(hdrs.ACCEPT, "")


def _host_of(request: web.Request) -> str:
    """The host that the client asked for, without its port."""
    try:
        return (urlsplit(f"//{request.host}").hostname or "").lower()
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, by itself and not by asking anybody."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() in ("localhost", "localhost.")
