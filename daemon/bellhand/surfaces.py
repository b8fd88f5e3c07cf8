"""Everything that is served over HTTP, put together: which modules have routes, and what they share."""

from __future__ import annotations

import asyncio
import random as random_module
from collections.abc import Callable

from aiohttp import web

from .api.events import Events
from .api.health import Health
from .api.jobs import Jobs
from .api.live import Watch
from .api.probes import Probes, Rendered
from .api.public import Public
from .api.sessions import Sessions
from .api.stats import Stats
from .api.status import StatusPort
from .callers import Callers
from .db import Database
from .look import Look
from .settings import Status


def status_port(
    settings: Status,
    metrics: Rendered,
    health: Callable[[], Health],
    database: Database,
    random: Callable[[], float] = random_module.random,
) -> StatusPort:
    """The port with all that is served on it; not started yet. Raises Problem for an address that needs a token."""
    look = Look(database)
    token = settings.token.get_secret_value() if settings.token else None
    cron = settings.cron_secret.get_secret_value() if settings.cron_secret else None
    callers = Callers(look, token, _clock, cron=cron)
    watch = Watch(look, random)
    routes: list[web.RouteDef] = [
        *Probes(metrics, health).routes(),
        *Sessions(callers).routes(),
        *Events(look, watch).routes(),
        *Public(look, watch).routes(),
        *Jobs(look).routes(),
        *Stats(look).routes(),
    ]
    return StatusPort(settings, callers, routes, closing=watch.close)


def _clock() -> float:
    return asyncio.get_running_loop().time()
