"""The status port: is it alive, is it ready, what does Prometheus want, how does one job stand.

It answers from memory where it can. What needs the database goes over two connections of its own,
each statement bounded, so that no scraper can take anything from the workers.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, Protocol, cast
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from aiohttp import hdrs, web
from asyncpg import PostgresError, Record

from bellhand import __version__
from bellhand.api.health import Health as Health
from bellhand.api.problems import HttpProblem, not_found, unavailable
from bellhand.api.resource import id_of_key, resource, rfc3339
from bellhand.db import Again, Away, Database, Link
from bellhand.errors import Problem
from bellhand.settings import Status
from bellhand.sql import query
from bellhand.states import OVER

log = structlog.get_logger()

STATEMENT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
LINKS = 2
CONNECTIONS_MAX = 64
BODY_BYTES_MAX = 1024
HEADER_BYTES_MAX = 8192
HEADERS_MAX = 64
KEEP_ALIVE_SECONDS = 75.0
STATS_FRESH_SECONDS = 1.0
STATS_WINDOW_SECONDS = 3600.0
COUNTED_MAX = 100_000  # lane_stats counts no further
STOP_SECONDS = 2.0
ID_MAX = 2**63 - 1
PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"
HEADERS = {
    "Server": f"bellhand/{__version__}",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
}
PROBES = frozenset({"/livez", "/readyz"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Rendered(Protocol):
    """What can be written in Prometheus' text format without I/O."""

    def render(self) -> bytes: ...


class StatusPort:
    """Serves health, metrics and jobs over HTTP; `start`, then `stop`."""

    def __init__(
        self,
        settings: Status,
        metrics: Rendered,
        health: Callable[[], Health],
        database: Database,
    ) -> None:
        self.settings = settings
        self.metrics = metrics
        self.health = health
        self.port = settings.port
        self._digest = _digest(settings.token.get_secret_value()) if settings.token else None
        self._loopback = is_loopback(settings.host)
        if not self._loopback and self._digest is None:
            raise Problem(
                f"the status port may not listen on {settings.host} without a token",
                why="other machines can reach that address",
                fix='set token under [status], or host = "127.0.0.1"',
            )
        self._links: asyncio.Queue[Link] = asyncio.Queue()
        for _ in range(LINKS):
            timeout = str(int(STATEMENT_SECONDS * 1000))
            self._links.put_nowait(database.link("status", statement_timeout=timeout))
        self._stats: tuple[float, dict[str, Any]] | None = None
        self._counting = asyncio.Lock()
        self._arriving: set[asyncio.BaseProtocol] = set()
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    # Life

    async def start(self) -> None:
        """Begin to listen; a Problem if the port is taken."""
        app = web.Application(middlewares=[self._guard], client_max_size=BODY_BYTES_MAX)
        app.on_response_prepare.append(_add_headers)
        app.add_routes(
            [
                web.get("/livez", self._livez),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                web.get("/v1/jobs/{job}", self._job),
                web.get("/v1/stats", self._get_stats),
            ]
        )
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=STOP_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            lingering_time=0,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
        await self._runner.setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._protocol, self.settings.host, self.settings.port
            )
        except OSError as error:
            await self._runner.cleanup()
            raise Problem(
                f"the status port {self.settings.host}:{self.settings.port} cannot be opened",
                why=error.strerror or str(error),
                fix="choose another under [status], or stop what listens there; port = 0 takes any",
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and let go of everything; may be called at any time."""
        server, self._server = self._server, None
        runner, self._runner = self._runner, None
        if server is not None:
            server.close()
        if runner is not None:
            await runner.cleanup()

    def _protocol(self) -> asyncio.BaseProtocol:
        assert self._runner
        assert self._runner.server
        if len(self._arriving.union(self._runner.server.connections)) >= CONNECTIONS_MAX:
            return _Busy()
        # The server knows a connection only once it is made, a turn or two of the loop from now.
        arriving = self._runner.server()
        self._arriving.add(arriving)
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._arriving.discard, arriving)
        return arriving

    # Who may ask

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets in who may come in, bounds the time, and turns every error into one of ours."""
        try:
            self._admit(request)
            async with asyncio.timeout(ANSWER_SECONDS):
                return await handler(request)
        except HttpProblem as problem:
            return problem.response(request.path)
        except web.HTTPNotFound:
            hint = "there are /livez, /readyz, /metrics, /v1/jobs/{id} and /v1/stats"
            return not_found(f"nothing is at {request.path}", hint).response(request.path)
        except web.HTTPMethodNotAllowed as error:
            title, allowed = "This port only tells", error.headers["Allow"]
            refusal = HttpProblem(405, "method-not-allowed", title, Allow=allowed)
            return refusal.response(request.path)
        except web.HTTPException as error:
            title = error.reason or "Bad request"
            return HttpProblem(error.status, "bad-request", title).response(request.path)
        except (Away, Again, TimeoutError, PostgresError) as error:
            log.warning("status_unanswered", path=request.path, error=str(error))
            return unavailable(str(error) or "it did not answer in time").response(request.path)
        except Exception:  # a boundary: one bad request must not look like a dead daemon
            log.exception("status_failed", path=request.path)
            return HttpProblem(500, "internal", "Something is wrong here").response(request.path)

    def _admit(self, request: web.Request) -> None:
        if request.content_length and request.content_length > BODY_BYTES_MAX:
            raise HttpProblem(
                413, "body-too-large", "Nothing here takes a body", Connection="close"
            )
        if self._knows_token(request):
            return
        probe = request.path in PROBES and not request.query_string
        # A page in somebody's browser can reach a loopback port under a name of its own making.
        if self._loopback and not is_loopback(_host_of(request)):
            raise HttpProblem(
                421,
                "misdirected",
                "This host is not served here",
                detail=f"the request is for {_host_of(request)!r}",
                hint="ask for localhost or 127.0.0.1, or send the token",
            )
        if self._digest and not probe:
            raise HttpProblem(
                401,
                "unauthorized",
                "This needs the token",
                hint="send the header Authorization: Bearer <token>",
                WWW_Authenticate='Bearer realm="bellhand"',
            )

    def _knows_token(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if self._digest is None or scheme.lower() != "bearer":
            return False
        # Digests of one length: the time this takes tells nothing about the token.
        return hmac.compare_digest(_digest(token.strip()), self._digest)

    # What they get

    async def _livez(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        health = self.health()
        if "verbose" in request.query:
            lines = [
                f"[{'+' if fine else '-'}]{name} {word}" for name, fine, word in health.checks()
            ]
            text = "\n".join([*lines, "ready" if health.ready else "not ready"])
        else:
            text = "ok" if health.ready else "not ready"
        return web.Response(text=text + "\n", status=200 if health.ready else 503)

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=self.metrics.render(), headers={hdrs.CONTENT_TYPE: PROMETHEUS_TEXT}
        )

    async def _job(self, request: web.Request) -> web.Response:
        number, key = _named(request.match_info["job"])
        rows = await self._fetch("status_jobs", [number])
        found = next((row for row in rows if key is None or row["key"] == key), None)
        if found is None:
            raise not_found(
                f"there is no job {request.match_info['job']}",
                "it was never committed, or retention has removed it",
            )
        positions = await self._fetch("status_position", number)
        job = resource(found, positions[0] if positions else None)
        pause = {} if job["state"] in OVER else {"Retry-After": "1"}
        return _json(job, pause)

    async def _get_stats(self, _request: web.Request) -> web.Response:
        clock = asyncio.get_running_loop().time
        async with self._counting:  # however many ask, one counts
            if self._stats is None or clock() - self._stats[0] > STATS_FRESH_SECONDS:
                self._stats = clock(), await self._count()
        return _json(self._stats[1])

    async def _count(self) -> dict[str, Any]:
        lanes = [dict(row) for row in await self._fetch("status_lanes")]
        workers = [dict(row) for row in await self._fetch("status_workers")]
        outcomes = await self._fetch("status_outcomes", STATS_WINDOW_SECONDS)
        clock = (await self._fetch("status_clock"))[0]
        for lane in lanes:
            ended = [row for row in outcomes if row["lane"] == lane["lane"]]
            lane["last_hour"] = {row["outcome"]: row["jobs"] for row in ended}
        places = ("pending", "scheduled", "running", "parked")
        totals: dict[str, int] = {}
        for row in outcomes:
            totals[row["outcome"]] = totals.get(row["outcome"], 0) + row["jobs"]
        return {
            "as_of": rfc3339(clock["now"]),
            "jobs": {place: sum(lane[place] for lane in lanes) for place in places},
            "counted_max": COUNTED_MAX,
            "last_hour": totals,
            "lanes": lanes,
            "workers": [{**w, "started_at": rfc3339(w["started_at"])} for w in workers],
            "next_schedule": {"name": clock["schedule"], "in_seconds": clock["schedule_seconds"]}
            if clock["schedule"]
            else None,
        }

    async def _fetch(self, name: str, *arguments: Any) -> list[Record]:
        """One of our statements over one of our connections."""
        link = await self._links.get()
        try:
            return await link.fetch(query(name), *arguments)
        finally:
            self._links.put_nowait(link)


class _Busy(asyncio.Protocol):
    """Turns a connection away when there are too many: the daemon needs its file handles."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from it
        transport.write(
            b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        transport.close()


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _json(value: Any, headers: dict[str, str] | None = None) -> web.Response:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return web.Response(text=text, content_type="application/json", headers=headers)


def _named(word: str) -> tuple[int, UUID | None]:
    """The id, and the key if it was named by that."""
    if word.isascii() and word.isdigit() and 0 < int(word[:20]) <= ID_MAX:
        return int(word), None
    try:
        key = UUID(word)
        number = id_of_key(key)
    except ValueError:
        number = None
    if number is None:
        raise HttpProblem(
            400,
            "bad-job-id",
            "This is no job's name",
            detail=f"{word[:100]!r} is neither an id nor a key",
            hint="use the id or the key that the insert returned",
        )
    return number, key


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _host_of(request: web.Request) -> str:
    """The host that the client asked for, without its port."""
    try:
        return urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, by itself and not by asking anybody."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() in ("localhost", "localhost.")
