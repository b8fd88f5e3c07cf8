"""Everything that is served over HTTP, put together: which modules have routes, and what they share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web

from .api.health import Health
from .api.jobs import Jobs
from .api.probes import Probes, Rendered
from .api.sessions import Sessions
from .api.stats import Stats
from .api.status import StatusPort
from .callers import Callers
from .db import Database
from .look import Look
from .settings import Status


def status_port(
    settings: Status, metrics: Rendered, health: Callable[[], Health], database: Database
) -> StatusPort:
    """The port with all that is served on it; not started yet. Raises Problem for an address that needs a token."""
    look = Look(database)
    token = settings.token.get_secret_value() if settings.token else None
    callers = Callers(look, token, _clock)
    routes: list[web.RouteDef] = [
        *Probes(metrics, health).routes(),
        *Sessions(callers).routes(),
        *Jobs(look).routes(),
        *Stats(look).routes(),
    ]
    return StatusPort(settings, callers, routes)


def _clock() -> float:
    return asyncio.get_running_loop().time()
