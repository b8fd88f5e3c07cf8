"""The outside services that jobs may call, as `job.services`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import asyncpg
import structlog
from prometheus_client import CollectorRegistry

from ..db import Again, Away, Database
from ..settings_services import Services as ServicesSettings
from ..sql import query
from . import llm, payments, places, serpapi
from .guard import networks
from .llm import Llm
from .payments import Payments
from .places import Places
from .serpapi import SerpApi
from .service import Service
from .usage import Ledger, ServiceMetrics

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
        """A breaker somewhere opened or closed: let the gauges know."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        try:
            for row in await self._link.fetch(query("service_states")):
                self._metrics.breaker(row["service"], row["breaker"])
        except (Away, Again, asyncpg.PostgresError) as error:
            log.warning("service_states_unknown", error=str(error))
