"""Logging in with a browser: a token in a form becomes a cookie that scripts cannot read and other sites cannot use."""

from __future__ import annotations

import re

from aiohttp import hdrs, web

from bellhand.callers import COOKIE, SESSION_SECONDS, WANTED, Callers, needs, unauthorized

LOCAL = re.compile(r"/(?![/\\])[\x21-\x7e]*")
TOKEN_CHARS_MAX = 200


class Sessions:
    """POST /login, POST /logout; the pages draw the form."""

    def __init__(self, callers: Callers) -> None:
        self.callers = callers

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/login", self._login), web.post("/logout", self._logout)]

    @needs(None)
    async def _login(self, request: web.Request) -> web.Response:
        form = await request.post()
        token = str(form.get("token", "")).strip()
        session = None
        if 0 < len(token) <= TOKEN_CHARS_MAX:
            session = await self.callers.open_session(token)
        where = str(form.get("next", "/"))
        if session is None:
            request[WANTED] = where
            raise unauthorized("the token is unknown, has expired or was revoked")
        response = _see_other(where)
        response.set_cookie(
            COOKIE, session, max_age=int(SESSION_SECONDS), path="/", httponly=True,
            samesite="Strict", secure=_over_tls(request),
        )  # fmt: skip
        return response

    @needs(None)
    async def _logout(self, request: web.Request) -> web.Response:
        if session := request.cookies.get(COOKIE):
            await self.callers.close_session(session)
        response = _see_other("/")
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return response


def _see_other(where: str) -> web.Response:
    """To a place of our own, never to another site."""
    place = where if LOCAL.fullmatch(where) else "/"
    return web.Response(status=303, headers={hdrs.LOCATION: place})


def _over_tls(request: web.Request) -> bool:
    """A proxy before us says so."""
    return request.secure or request.headers.get(hdrs.X_FORWARDED_PROTO, "") == "https"
