"""What sections of the settings are made of."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class AsWritten:
    """The mark of a field whose text in the environment is taken as it stands, not as JSON."""


def _split(value: Any) -> Any:
    """Lists in the environment: `a, b` or `["a", "b"]`."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError('a list is written a, b or ["a", "b"]') from None
    return [part.strip() for part in value.split(",") if part.strip()]


def _networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    for network in networks:
        ip_network(network)
    return networks


Names = Annotated[tuple[str, ...], AsWritten, BeforeValidator(_split)]
Networks = Annotated[Names, AfterValidator(_networks)]
Port = Annotated[int, Field(ge=1, le=65535)]
Ports = Annotated[tuple[Port, ...], AsWritten, BeforeValidator(_split)]
Rate = Annotated[float, Field(ge=1e-6, le=1e6)]  # a second; Postgres divides by it
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Priority = Annotated[int, Field(ge=1, le=10)]


class Section(BaseModel):
    # What is part of the settings is built with them; building it by itself too would double the time.
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, defer_build=True)


S = TypeVar("S", bound=Section)


def unset(_: type[S]) -> S:
    """The default of a section in which nothing is set; an instance would have it built by itself."""
    return cast(S, {})  # validated as all defaults are
