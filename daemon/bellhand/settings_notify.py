"""Settings of what tells people and programs how jobs end: the mail server, channels, subscriptions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)

from .settings_parts import Names, Networks, Port, Ports, Section

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
JobTold = Literal["completed", "partial", "failed", "cancelled", "late"]
Told = JobTold | Literal["disabled"]
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TEN_YEARS_SECONDS = 316_224_000


class Mail(Section):
    """The server that takes our mail; without a host jobs that send mail wait."""

    host: str = ""
    port: Port = 587
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca_file: Path | None = None
    user: str = ""
    password: SecretStr | None = None
    password_file: Path | None = None
    sender: str = ""
    seconds_max: PositiveFloat = 60
    message_bytes_max: PositiveInt = 10_000_000
    connection_messages_max: PositiveInt = 100
    connection_idle_seconds: NonNegativeFloat = 30

    @field_validator("sender")
    @classmethod
    def _is_an_address(cls, sender: str) -> str:
        if sender:
            # Only here: few have one, and it takes a parser of mail along.
            from email.headerregistry import Address
            from email.utils import parseaddr

            name, address = parseaddr(sender)
            try:
                Address(name, addr_spec=address)
            except (ValueError, IndexError) as error:
                raise ValueError(
                    f"a sender looks like Bellhand <jobs@example.com>: {error}"
                ) from None
        return sender

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.host and not self.sender:
            raise ValueError("a host needs a sender, such as Bellhand <jobs@example.com>")
        if self.user and self.tls == "none" and self.host not in LOOPBACK:
            raise ValueError('with tls = "none" the password would go over the wire in the clear')
        return self


class Channel(Section):
    """Where notifications go; of address, url and url_file one says where."""

    kind: Literal["email", "slack", "discord", "webhook"]
    address: str | None = None
    url: SecretStr | None = None
    url_file: Path | None = None
    secret: SecretStr | None = None
    secret_file: Path | None = None
    digest_seconds: Annotated[int, Field(ge=1, le=86_400)] = 300
    digest_max: Annotated[int, Field(ge=0, le=1000)] = 10

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        mail = self.kind == "email"
        if mail != bool(self.address) or mail == bool(self.url or self.url_file):
            where = "address" if mail else "url or url_file"
            raise ValueError(f"a channel of kind {self.kind} has {where}, and no other")
        if (self.kind == "webhook") != bool(self.secret or self.secret_file):
            raise ValueError(
                "a webhook has secret or secret_file (whsec_...), and nothing else has"
            )
        return self


class Wish(Section):
    """Whom jobs tell how they end: a channel or an address; see notify_problem.sql."""

    to: Annotated[str, Field(min_length=1, max_length=254)]
    on: Annotated[tuple[JobTold, ...], Field(min_length=1)]
    late_seconds: Annotated[float, Field(gt=0, le=TEN_YEARS_SECONDS)] | None = None

    @model_validator(mode="after")
    def _late_says_when(self) -> Self:
        _seconds_go_with_late(self.on, self.late_seconds)
        return self


class Subscription(Section):
    """Who wants to know about jobs, by kind and by how they end."""

    channel: Name
    on: Annotated[tuple[Told, ...], Field(min_length=1)]
    kinds: Annotated[str, Field(pattern=r"^[a-z0-9_.:*-]{1,100}$")] = "*"
    late_seconds: Annotated[float, Field(gt=0, le=TEN_YEARS_SECONDS)] | None = None

    @model_validator(mode="after")
    def _late_says_when(self) -> Self:
        _seconds_go_with_late(self.on, self.late_seconds)
        return self


def _seconds_go_with_late(told: tuple[str, ...], late_seconds: float | None) -> None:
    if ("late" in told) != (late_seconds is not None):
        raise ValueError('late_seconds says after how long "late" is told: give both or neither')


class Notify(Section):
    """How notifications go out."""

    link: str = ""
    concurrency: PositiveInt = 16
    seconds_max: PositiveFloat = 20
    connect_seconds: PositiveFloat = 5
    ports: Ports = (80, 443)
    allow_networks: Networks = ()
    failing_hours_max: PositiveFloat = 120
    mail_domains: Names = ()
    channels: dict[Name, Channel] = Field(default={})
    subscriptions: dict[Name, Subscription] = Field(default={})

    @model_validator(mode="after")
    def _channels_exist(self) -> Self:
        for name, one in self.subscriptions.items():
            if one.channel not in self.channels:
                raise ValueError(
                    f"subscription {name} names channel {one.channel}, which [notify.channels] "
                    f"does not have; there is {', '.join(self.channels) or 'none'}"
                )
        return self

    @field_validator("link")
    @classmethod
    def _has_a_place(cls, link: str) -> str:
        if link and ("{id}" not in link and "{key}" not in link):
            raise ValueError("a link has {id} or {key} in it: https://example.com/jobs/{id}")
        return link
