"""Settings of the outside services: where they are, what they cost, how far calls may go."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
)

from .settings_parts import Networks, Rate, Section, unset

CacheSeconds = Annotated[float, Field(ge=0, le=30 * 86_400)]


class Service(Section):
    """How an outside service is called; None is no limit, no key lets its jobs wait."""

    base_url: str
    key: SecretStr | None = None
    key_file: Path | None = None
    rate_per_second: Rate | None = None
    rate_burst: PositiveInt = 1
    concurrency: PositiveInt = 4
    seconds_max: PositiveFloat = 30
    connect_seconds: PositiveFloat = 5
    answer_bytes_max: PositiveInt = 10_000_000
    retries_max: Annotated[int, Field(ge=0, le=5)] = 2
    breaker_failures: PositiveInt = 5
    breaker_seconds: PositiveFloat = 30
    cache_seconds: CacheSeconds = 0
    calls_per_day_max: NonNegativeInt | None = None
    calls_per_month_max: NonNegativeInt | None = None
    dollars_per_day_max: NonNegativeFloat | None = None
    dollars_per_month_max: NonNegativeFloat | None = None

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, base_url: str) -> str:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise ValueError("an address looks like https://example.com/v1")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a key does not belong in the address; set key_file")
        return base_url.rstrip("/")

    @field_validator("key")
    @classmethod
    def _empty_is_none(cls, key: SecretStr | None) -> SecretStr | None:
        return key if key is not None and key.get_secret_value().strip() else None


class SerpApi(Service):
    """Google's search results by serpapi.com; see its page on the engine for what the parameters do."""

    base_url: str = "https://serpapi.com"
    rate_per_second: Rate | None = 5
    rate_burst: PositiveInt = 5
    seconds_max: PositiveFloat = 60
    cache_seconds: CacheSeconds = 3600
    engine: Literal["google_local", "google_maps"] = "google_local"
    language: str = "en"
    dollars_per_search: NonNegativeFloat = 0.015


class Places(Service):
    """Google's Places API (New), text search."""

    base_url: str = "https://places.googleapis.com/v1"
    rate_per_second: Rate | None = 10
    rate_burst: PositiveInt = 10
    language: str = "en"
    dollars_per_search: NonNegativeFloat = 0.035


class Price(Section):
    """Dollars for a million tokens; when that was so, and who says so."""

    input: NonNegativeFloat
    cached_input: NonNegativeFloat | None = None
    output: NonNegativeFloat = 0
    as_of: date | None = None
    source: str = ""


def _listed(input: float, cached_input: float | None = None, output: float = 0) -> Price:
    return Price(
        input=input,
        cached_input=cached_input,
        output=output,
        as_of=date(2026, 5, 7),
        source="developers.openai.com/api/docs/pricing, by way of others' lists: compare",
    )


# What estimates begin with; settings replace and add by model.
PRICES = {
    "gpt-4.1": _listed(2.0, 0.5, 8.0),
    "gpt-4.1-mini": _listed(0.4, 0.1, 1.6),
    "gpt-4.1-nano": _listed(0.1, 0.025, 0.4),
    "gpt-4o": _listed(2.5, 1.25, 10.0),
    "gpt-4o-mini": _listed(0.15, 0.075, 0.6),
    "gpt-5": _listed(1.25, 0.125, 10.0),
    "gpt-5-mini": _listed(0.25, 0.025, 2.0),
    "gpt-5-nano": _listed(0.05, 0.005, 0.4),
    "text-embedding-3-large": _listed(0.13),
    "text-embedding-3-small": _listed(0.02),
}


class OpenAi(Service):
    """OpenAI's API, or another that speaks it."""

    base_url: str = "https://api.openai.com/v1"
    rate_per_second: Rate | None = 8
    rate_burst: PositiveInt = 8
    concurrency: PositiveInt = 8
    seconds_max: PositiveFloat = 120
    model: str = "gpt-4.1-mini"
    embedding_model: str = "text-embedding-3-small"
    prices: dict[str, Price] = Field(default={})

    @field_validator("prices")
    @classmethod
    def _with_those_we_know(cls, own: dict[str, Price]) -> dict[str, Price]:
        return PRICES | own


class Stripe(Service):
    """Payments by Stripe; whether a key is for tests or for real money, the key itself says."""

    base_url: str = "https://api.stripe.com"
    rate_per_second: Rate | None = 20
    rate_burst: PositiveInt = 20
    concurrency: PositiveInt = 8
    seconds_max: PositiveFloat = 80  # what a bank takes at most


class Services(Section):
    """Outside services; `allow_networks` lists CIDRs that their addresses may lie in although not public."""

    allow_networks: Networks = ()
    serpapi: SerpApi = unset(SerpApi)
    places: Places = unset(Places)
    openai: OpenAi = unset(OpenAi)
    stripe: Stripe = unset(Stripe)
