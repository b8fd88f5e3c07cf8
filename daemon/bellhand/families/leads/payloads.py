"""What the jobs of the leads family are asked to do."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from .country import known_country
from .exclusions import rule_of
from .fold import fold

TEXT_CHARS_MAX = 200
_SEPARATOR = re.compile(r"[;\n]")


def _split(value: Any) -> Any:
    """Text is a list with commas between; with a semicolon or a line break in it, with these."""
    if isinstance(value, str):
        return _SEPARATOR.split(value) if _SEPARATOR.search(value) else value.split(",")
    return value


def _distinct(values: list[str]) -> list[str]:
    """Each once, whatever its case and spaces, in the order given; raises ValueError for none."""
    found: dict[str, str] = {}
    for value in values:
        text = " ".join(value.split())
        if len(text) > TEXT_CHARS_MAX:
            raise ValueError(f"{text[:50]!r}... has more than {TEXT_CHARS_MAX} characters")
        if text:
            found.setdefault(fold(text) or text, text)
    return list(found.values())


def _some(values: list[str]) -> list[str]:
    if not values:
        raise ValueError('name at least one, as a list or as text: "Web Development, SEO"')
    return values


def _rules(values: list[str]) -> list[str]:
    for value in values:
        rule_of(value)
    return values


# At the INSERT a list or a text may come; what is in it is looked at before the job starts.
_SCHEMA = WithJsonSchema({"type": ["array", "string"], "minItems": 1, "minLength": 1})
Texts = Annotated[
    list[str], BeforeValidator(_split), AfterValidator(_distinct), AfterValidator(_some), _SCHEMA
]
RuleTexts = Annotated[
    list[str],
    BeforeValidator(_split),
    AfterValidator(_distinct),
    AfterValidator(_rules),
    WithJsonSchema({"type": ["array", "string"]}),
]


class Collect(BaseModel):
    """Every service in every location; `country` (ISO 3166) is for phone numbers without a country code."""

    model_config = ConfigDict(extra="forbid")

    services: Texts = Field(examples=[["Web Development", "SEO"]])
    locations: Texts = Field(examples=[["Dhaka", "Singapore"]])
    source: Literal["serpapi", "places", "both"] = "both"
    pages_max: int = Field(default=3, ge=1, le=50)
    concurrency: int = Field(default=1, ge=1, le=16)
    country: str | None = None
    exclusions: RuleTexts = []
    enrich: bool = False
    enrich_cost_max: float = Field(default=1.0, ge=0, le=10_000)
    good_lead: str | None = Field(default=None, max_length=2000)

    @field_validator("country")
    @classmethod
    def _known(cls, country: str | None) -> str | None:
        return None if country is None else known_country(country)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Service by service, each in all locations."""
        return [(service, place) for service in self.services for place in self.locations]


class Advertiser(BaseModel):
    """A business that may run ads: by name or domain, and from where one searches."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, min_length=1, max_length=500)
    domain: str | None = Field(default=None, min_length=3, max_length=253)
    location: str = Field(min_length=1, max_length=TEXT_CHARS_MAX)

    @model_validator(mode="after")
    def _one_of_them(self) -> Advertiser:
        if self.name is None and self.domain is None:
            raise ValueError("give a name or a domain")
        return self


class CheckAds(BaseModel):
    """Which businesses to look for among the ads; `searches_max` bounds the searches for each."""

    model_config = ConfigDict(extra="forbid")

    lead_ids: list[int] = Field(default=[], max_length=10_000)
    businesses: list[Advertiser] = Field(
        default=[],
        max_length=10_000,
        examples=[[{"name": "Corner Bakery", "location": "Singapore"}]],
    )
    searches_max: int = Field(default=2, ge=1, le=5)

    @model_validator(mode="after")
    def _some(self) -> CheckAds:
        if not self.lead_ids and not self.businesses:
            raise ValueError("give lead_ids or businesses")
        return self
