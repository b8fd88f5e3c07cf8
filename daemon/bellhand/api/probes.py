"""Is it alive, is it ready, what does Prometheus want: answered from memory, without the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Protocol

from aiohttp import hdrs, web
from pydantic import ConfigDict

from bellhand import __version__
from bellhand.api import told
from bellhand.api.given import Query
from bellhand.api.health import Health as Health
from bellhand.api.operations import answer, operation
from bellhand.callers import require

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Rendered(Protocol):
    """What can be written in Prometheus' text format without I/O, and hears of every request."""

    def render(self) -> bytes: ...

    def follow(self, followers: Callable[[], int]) -> None: ...

    def answered(self, route: str, method: str, code: int, seconds: float | None) -> None: ...


class Probing(Query):
    """Whoever probes may say what he likes: some balancers put a number behind every address."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")


class Readiness(Probing):
    """How much to say."""

    verbose: str | None = None


class Version(told.Told):
    """Which program this is."""

    bellhand: str


class Probes:
    """/livez, /readyz, /metrics, /version."""

    def __init__(self, metrics: Rendered, health: Callable[[], Health]) -> None:
        self.metrics = metrics
        # Thousands of series take tens of milliseconds, which the claim loop needs; and a scrape must not wait behind what
        # handlers compute in the loop's own threads.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="metrics")
        self.health = health

    @operation("GET", "/livez", None, answers={200: str})
    async def get_livez(self, request: web.Request, query: Probing) -> web.StreamResponse:
        """Whether the process answers at all: restart it if not."""
        return web.Response(text="ok\n")

    @operation("GET", "/readyz", None, answers={200: str, 503: str}, problems=("unauthorized",))
    async def get_readyz(self, request: web.Request, query: Readiness) -> web.StreamResponse:
        """Whether new work is welcome here; with `verbose` (which needs `read`) each part says how it is."""
        health = self.health()
        if query.verbose is not None:
            require(request, "read")
            lines = [
                f"[{'+' if fine else '-'}]{name} {word}" for name, fine, word in health.checks()
            ]
            text = "\n".join([*lines, "ready" if health.ready else "not ready"])
        else:
            text = "ok" if health.ready else "not ready"
        return web.Response(text=text + "\n", status=200 if health.ready else 503)

    @operation("GET", "/metrics", "read", answers={200: str})
    async def get_metrics(self, request: web.Request, query: Probing) -> web.StreamResponse:
        """What this daemon measures, in Prometheus' text format."""
        text = await asyncio.get_running_loop().run_in_executor(self._thread, self.metrics.render)
        return web.Response(body=text, headers={hdrs.CONTENT_TYPE: PROMETHEUS_TEXT})

    @operation("GET", "/version", "read", answers={200: Version})
    async def get_version(self, request: web.Request) -> web.StreamResponse:
        """Which Bellhand this is."""
        return answer({"bellhand": __version__})
