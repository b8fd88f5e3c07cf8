"""Who asks over HTTP, and what he may: tokens, sessions of browsers, scopes, and how many requests each may make."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar, cast
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from asyncpg import PostgresError

from .db import Again, Away
from .look import Look
from .problems import HttpProblem

Scope = Literal["read", "enqueue", "operate", "admin"]
Needed = Scope | tuple[Scope, ...] | None
# `enqueue` alone sees what it enqueued itself: see Caller.sees.
SCOPES: dict[Scope, frozenset[Scope]] = {
    "read": frozenset({"read"}),
    "enqueue": frozenset({"enqueue"}),
    "operate": frozenset({"read", "enqueue", "operate"}),
    "admin": frozenset({"read", "enqueue", "operate", "admin"}),
}
PREFIX = "bellhand_"  # scanners of repositories find a token by it
_TOKEN = re.compile(r"bellhand_[A-Za-z0-9_-]{43}")
COOKIE = "bellhand_session"
SESSION_SECONDS = 43_200.0
FRESH_SECONDS = 2.0  # how long a token goes on working after it was revoked, at the most
STREAM_SECONDS = 5.0  # how long a stream goes on after its token was revoked or has expired, at the most, and the above
REMEMBERED_MAX = 1000
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is the token's, or `loopback`, or `nobody`."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes

    @property
    def actor(self) -> str:
        """As the audit log has it, and as bellhand.jobs.source has it for what he enqueued."""
        return f"http:{self.name}"

    def sees(self, source: str | None) -> bool:
        """Whether he may look at a job that came from there: all with `read`, else only what he enqueued himself."""
        return "read" in self.scopes or source == self.actor


NOBODY = Caller("nobody", frozenset())
LOOPBACK = Caller("loopback", SCOPES["admin"])
# Who shows the secret of crons: good where a route says so, and nowhere else.
CRON = Caller("cron", frozenset())
CONFIGURED = Caller("configured", SCOPES["admin"])  # who shows the token of the configuration
CALLER = web.RequestKey("caller", Caller)
WANTED = web.RequestKey("wanted", str)  # where a login that failed was to lead

Handler = TypeVar("Handler", bound=Callable[..., object])


def needs(scope: Needed, *, seconds: float | None = ANSWER_SECONDS) -> Callable[[Handler], Handler]:
    """Marks a handler: the scope that it needs (of several any one; None: open to everybody), and how long it may take (None: no bound).

    A handler without a mark needs `read` to be asked with GET, HEAD or OPTIONS, `operate` otherwise, and has ANSWER_SECONDS.
    """

    def mark(handler: Handler) -> Handler:
        handler.__needs__ = scope, seconds  # type: ignore[attr-defined]
        return handler

    return mark


def needed(request: web.Request) -> tuple[Needed, float | None]:
    """The scope that a request needs, and its seconds."""
    default: Scope = "read" if request.method in ("GET", "HEAD", "OPTIONS") else "operate"
    handler = request.match_info.handler
    return cast(
        tuple[Needed, float | None], getattr(handler, "__needs__", (default, ANSWER_SECONDS))
    )


def caller_of(request: web.Request) -> Caller:
    """Who asks, as the guard found out."""
    caller: Caller = request.get(CALLER, NOBODY)
    return caller


def require(request: web.Request, scope: Scope | tuple[Scope, ...]) -> Caller:
    """The caller, if he has the scope (of several any one); else the problem: 401 for nobody, 403 for somebody."""
    caller = caller_of(request)
    wanted = (scope,) if isinstance(scope, str) else scope
    if any(caller.may(one) for one in wanted):
        return caller
    if caller == NOBODY:
        raise unauthorized()
    has = ", ".join(sorted(caller.scopes))
    detail = f"this needs {' or '.join(wanted)}; {caller.name} has {has}"
    raise HttpProblem("forbidden", detail=detail)


def refuse_foreign(request: web.Request) -> bool:
    """Refuses what a browser sends for a page of another origin; returns whether it says of which origin it is at all."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get(hdrs.ORIGIN)
    if site is not None and site not in ("same-origin", "none"):
        raise HttpProblem("foreign-origin", detail=f"Sec-Fetch-Site is {site!r}")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        raise HttpProblem("foreign-origin", detail=f"Origin is {origin!r}")
    return site is not None or origin is not None


def unauthorized(detail: str = "") -> HttpProblem:
    """401."""
    challenge = {"WWW-Authenticate": 'Bearer realm="bellhand"'}
    return HttpProblem("unauthorized", detail=detail, headers=challenge)


def new_token() -> str:
    """A token of 256 random bits; only its digest is kept."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored and compared instead of a token. It has 256 bits, so it needs no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class Callers:
    """Knows callers by what they show; `configured` is the token of the configuration, which needs no database."""

    def __init__(
        self,
        look: Look,
        configured: str | None,
        clock: Callable[[], float],
        *,
        cron: str | None = None,
    ) -> None:
        self.look = look
        self.clock = clock
        self._digest = digest(configured) if configured else None
        self._cron = digest(cron) if cron else None
        self._known: OrderedDict[tuple[bytes, bool], tuple[float, Caller]] = OrderedDict()

    @property
    def closed(self) -> bool:
        """Whether everybody must show a token, even on this machine."""
        return self._digest is not None

    async def identify(self, request: web.Request) -> Caller | None:
        """Who shows a token or a session that is good; None for who shows neither.

        Raises the problem 401 for a token that is not good. What is no good in a cookie counts as nothing: it may be
        left over from yesterday.
        """
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer":
            caller = await self._of_token(token.strip())
            if caller is None:
                raise unauthorized("the token is unknown, has expired or was revoked")
            return caller
        session = request.cookies.get(COOKIE, "")
        return await self._find(digest(session), True) if _TOKEN.fullmatch(session) else None

    @asynccontextmanager
    async def watched(self, request: web.Request, seconds: float | None) -> AsyncIterator[None]:
        """While an answer without bound goes out: its connection is closed once who asked for it may no longer."""
        if seconds is not None or caller_of(request) in (NOBODY, LOOPBACK, CONFIGURED, CRON):
            yield
            return
        task = asyncio.create_task(self._watch(request))
        try:
            yield
        finally:
            task.cancel()

    async def _watch(self, request: web.Request) -> None:
        still = True
        while still:
            await asyncio.sleep(STREAM_SECONDS)
            try:
                still = await self.identify(request) == caller_of(request)
            except HttpProblem:
                still = False
            except (Away, Again, PostgresError):
                pass  # nobody can tell, and nothing new goes out meanwhile either
        if request.transport is not None:
            request.transport.close()

    async def open_session(self, token: str) -> str | None:
        """A new session that is as good as `token`, for SESSION_SECONDS at most; None if that is not good."""
        caller = await self._of_token(token)
        if caller is None:
            return None
        made = new_token()
        scopes = sorted(caller.scopes)
        await self.look.fetch(
            "open_session", digest(made), digest(token), caller.name, scopes, SESSION_SECONDS
        )
        return made

    async def close_session(self, session: str) -> None:
        """The session is over, here at once and elsewhere within FRESH_SECONDS."""
        self._known.pop((digest(session), True), None)
        await self.look.fetch("close_session", digest(session))

    async def _of_token(self, token: str) -> Caller | None:
        # Digests of one length: the time this takes tells nothing about the token.
        if self._digest and hmac.compare_digest(digest(token), self._digest):
            return CONFIGURED
        if self._cron and hmac.compare_digest(digest(token), self._cron):
            return CRON
        return await self._find(digest(token), False) if _TOKEN.fullmatch(token) else None

    async def _find(self, shown: bytes, session: bool) -> Caller | None:
        """By digest, so that what takes time depends on a hash that nobody can choose."""
        place, now = (shown, session), self.clock()
        if place in self._known:
            since, caller = self._known[place]
            if now - since < FRESH_SECONDS:
                return caller
            del self._known[place]
        row = await self.look.row("caller_of", shown, session, self._digest)
        if row is None:
            return None
        allowed = frozenset[Scope]().union(*(SCOPES[scope] for scope in row["scopes"]))
        caller = Caller(row["name"], allowed)
        self._known[place] = now, caller
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return caller
