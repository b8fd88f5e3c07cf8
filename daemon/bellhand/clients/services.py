"""The outside services that jobs may call, as `job.services`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import asyncpg
import structlog
from prometheus_client import CollectorRegistry

from ..db import Again, Away, Database
from ..settings_services import Service as ServiceSettings
from ..settings_services import Services as ServicesSettings
from ..sql import query
from . import llm, payments, places, serpapi
from .guard import networks
from .llm import Llm
from .payments import Payments
from .places import Places
from .serpapi import SerpApi
from .service import Service
from .usage import OPERATIONS, Ledger, ServiceMetrics

log = structlog.get_logger()


class Services:
    """One client a service, sharing the accounting; opened when used, closed once."""

    def __init__(
        self,
        settings: ServicesSettings,
        *,
        database: Database,
        random: Callable[[], float],
        registry: CollectorRegistry,
    ) -> None:
        self._metrics = ServiceMetrics(registry)
        self._ledger = Ledger(database, self._metrics, random)
        self._link = database.link("services")
        self._looking: asyncio.Task[None] | None = None
        self._caps = _caps(settings)
        make = partial(
            Service,
            networks=networks(settings.allow_networks),
            database=database,
            ledger=self._ledger,
            random=random,
        )
        self.serpapi = SerpApi(
            make("serpapi", settings.serpapi, sign=serpapi.sign), settings.serpapi
        )
        self.places = Places(make("places", settings.places, sign=places.sign), settings.places)
        self.llm = Llm(make("openai", settings.openai, sign=llm.sign), settings.openai)
        self.payments = Payments(
            make("stripe", settings.stripe, sign=payments.sign), settings.stripe.base_url
        )

    async def reload(self, settings: ServicesSettings) -> None:
        """Take in other settings; calls under way end under those that they began with."""
        allowed = networks(settings.allow_networks)
        self.serpapi.take(settings.serpapi)
        self.places.take(settings.places)
        self.llm.take(settings.openai)
        self.payments.take(settings.stripe.base_url)
        await self.serpapi.service.reload(settings.serpapi, allowed)
        await self.places.service.reload(settings.places, allowed)
        await self.llm.service.reload(settings.openai, allowed)
        await self.payments.service.reload(settings.stripe, allowed)
        self._caps = _caps(settings)

    async def close(self) -> None:
        """Write what is not yet written, and close every connection; both bounded."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._ledger.close()
        for client in (self.serpapi, self.places):
            await client.service.close()
        await self.llm.close()
        await self.payments.close()

    def look_soon(self) -> None:
        """A breaker somewhere opened or closed, or it is time: let the gauges know."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def look(self) -> None:
        """Show how they stand; also now and then, since what is left of the caps changes without a word. May raise Away or Again."""
        for row in await self._link.fetch(query("service_states")):
            self._metrics.stands(
                row["service"],
                row["breaker"],
                paused=row["paused"],
                left_ratio=left_ratio(dict(row), self._caps.get(row["service"])),
            )

    async def _look(self) -> None:
        try:
            await self.look()
        except (Away, Again, asyncpg.PostgresError) as error:
            log.warning("service_states_unknown", error=str(error))


def _caps(settings: ServicesSettings) -> dict[str, ServiceSettings]:
    return {name: getattr(settings, name) for name in OPERATIONS}


def left_ratio(used: Mapping[str, Any], caps: ServiceSettings | None) -> float:
    """What is left of the caps of the day and the month, of the one with the least: 0 to 1."""
    if caps is None:
        return 1.0
    pairs = (
        (used["day_calls"], caps.calls_per_day_max),
        (used["month_calls"], caps.calls_per_month_max),
        (used["day_cost_microdollars"] / 1e6, caps.dollars_per_day_max),
        (used["month_cost_microdollars"] / 1e6, caps.dollars_per_month_max),
    )
    left = [
        max(0.0, 1.0 - spent / most) if most else 0.0 for spent, most in pairs if most is not None
    ]
    return min(left, default=1.0)
