"""Everything that is served over HTTP, put together: which modules have routes, and what they share."""

from __future__ import annotations

import asyncio
import random as random_module
from collections.abc import Callable, Sequence
from typing import Any

from .api.acting import Acting
from .api.channels import Channels
from .api.control import Control
from .api.deploys import Deploys
from .api.docs import Docs
from .api.events import Events
from .api.exports import Exported, Exports
from .api.health import Health
from .api.insight import BULK_SECONDS, Insight
from .api.jobs import Jobs
from .api.live import Watch
from .api.logs import Logs
from .api.making import BATCH_SECONDS, Making
from .api.operations import operations_of, routes_of
from .api.probes import Probes, Rendered
from .api.public import Public
from .api.records import Records
from .api.reveal import Reveal
from .api.schedules import Schedules
from .api.seeds import Seeds, refused
from .api.sessions import Sessions
from .api.similar import Beside
from .api.stats import Stats
from .api.status import StatusPort
from .api.subscriptions import Subscriptions
from .api.terminal import Terminal
from .api.waiting import Waiting
from .callers import Callers
from .dashboard.routes import routes as page_routes
from .dashboard.site import Site
from .db import Database
from .look import Look
from .settings import Settings, Status

Origins = Sequence[tuple[str, str, str]]  # (`worker.concurrency`, `64`, `default`), secrets masked


def status_port(
    settings: Status,
    metrics: Rendered,
    health: Callable[[], Health],
    database: Database,
    random: Callable[[], float] = random_module.random,
    *,
    shown: dict[str, Any] | None = None,
    origins: Origins = (),
) -> StatusPort:
    """The port with all that is served on it; not started yet. Raises Problem for an address that needs a token.

    `shown` is the whole configuration as JSON without secrets, `origins` the same one by one with where each is from, for the pages.
    """
    look, patient = Look(database), Look(database, links=1, statement_seconds=BULK_SECONDS)
    batches = Look(database, links=2, statement_seconds=BATCH_SECONDS)
    token = settings.token.get_secret_value() if settings.token else None
    cron = settings.cron_secret.get_secret_value() if settings.cron_secret else None
    callers = Callers(look, token, _clock, cron=cron)
    waiting = Waiting(look)
    # Who watches keeps a connection; the rest is for everybody else.
    watch = Watch(look, random, followers_max=settings.connections_max * 3 // 4)
    metrics.follow(lambda: len(watch.followers))
    exports = Exports(database, _leads_exported)
    logs, jobs = Logs(look), Jobs(look, waiting)
    described = (
        Probes(metrics, health), Making(look, batches, waiting), jobs, Acting(look), Control(look), Schedules(look), Channels(look),
        Subscriptions(look), Stats(look), Records(look), Insight(look, patient), Deploys(look), Beside(look), logs, exports,
        Reveal(look, allowed=settings.reveal),
    )  # fmt: skip
    routes = [route for one in described for route in routes_of(one)]
    routes += Sessions(callers).routes()
    routes += Events(look, watch, logs.waiting).routes()
    routes += Public(look, watch).routes()
    routes += Seeds(look, watch, cron=cron is not None).routes()
    routes += Docs(operations_of(routes)).routes()
    site = Site(look, patient)
    site.grafana = (shown or {}).get("metrics", {}).get("grafana_url", "")
    routes += page_routes(site, shown or {}, origins, beside=Terminal(look, jobs.get_job).beside)

    async def closing() -> None:
        exports.close()
        logs.close()
        await watch.close()

    return StatusPort(
        settings, callers, routes, page=site.refusal, refused=refused, closing=closing, seen=metrics.answered
    )  # fmt: skip


def metrics_port(
    settings: Settings, metrics: Rendered, health: Callable[[], Health], database: Database
) -> StatusPort | None:
    """A port for /livez, /readyz and /metrics alone, with the same token, if one is wanted; not started yet."""
    own = settings.metrics
    if own.port is None:
        return None
    served = settings.status.model_copy(update={"host": own.host, "port": own.port})
    token = served.token.get_secret_value() if served.token else None
    probes = routes_of(Probes(metrics, health))
    return StatusPort(served, Callers(Look(database), token, _clock), probes, seen=metrics.answered)


def _leads_exported() -> Exported:
    # Only when somebody exports: a daemon that runs no jobs of that family spares 0.2 s of its start and 10 MB.
    from .families.leads.export import exported

    return exported


def _clock() -> float:
    return asyncio.get_running_loop().time()
