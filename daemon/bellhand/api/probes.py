"""Is it alive, is it ready, what does Prometheus want: answered from memory, without the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from aiohttp import hdrs, web

from bellhand import __version__
from bellhand.api.health import Health as Health
from bellhand.api.operations import answer
from bellhand.callers import needs, require

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Rendered(Protocol):
    """What can be written in Prometheus' text format without I/O."""

    def render(self) -> bytes: ...


class Probes:
    """/livez, /readyz, /metrics, /version."""

    def __init__(self, metrics: Rendered, health: Callable[[], Health]) -> None:
        self.metrics = metrics
        self.health = health

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/livez", self._livez),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._metrics),
            web.get("/version", self._version),
        ]

    @needs(None)
    async def _livez(self, request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    @needs(None)
    async def _readyz(self, request: web.Request) -> web.Response:
        health = self.health()
        if "verbose" in request.query:
            require(request, "read")
            lines = [
                f"[{'+' if fine else '-'}]{name} {word}" for name, fine, word in health.checks()
            ]
            text = "\n".join([*lines, "ready" if health.ready else "not ready"])
        else:
            text = "ok" if health.ready else "not ready"
        return web.Response(text=text + "\n", status=200 if health.ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            body=self.metrics.render(), headers={hdrs.CONTENT_TYPE: PROMETHEUS_TEXT}
        )

    async def _version(self, request: web.Request) -> web.Response:
        return answer({"bellhand": __version__})
