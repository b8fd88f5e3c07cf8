"""Every setting: what it is called, what it may be, what it is unless said otherwise.

An argument beats the environment (BELLHAND_WORKER__CONCURRENCY), the environment beats the credentials (a file a secret), and
those beat the configuration file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from .cron import ticks_after
from .job_links import PLACE, problem_of
from .logs import SECRET_NAME
from .settings_credentials import read_credentials
from .settings_environment import read_environment
from .settings_errors import explain, read_file, unknown_variables
from .settings_notify import Mail, Notify, Wish
from .settings_parts import Count, Names, Networks, Ports, Priority, Rate, Section, unset
from .settings_services import Services

DEFAULT_FILE = "config.toml"
TOKEN_CHARS_MIN = 16
BEATS_PER_LEASE_MIN = 3
PLAIN_KEYS = {"serpapi": "SERPAPI_KEY", "openai": "OPENAI_API_KEY"}


class Worker(Section):
    """The claiming loop of this process."""

    name: str = ""
    concurrency: PositiveInt = 64
    lanes: Names = ()
    lease_seconds: PositiveFloat = 30
    heartbeat_seconds: PositiveFloat = 5
    poll_seconds: PositiveFloat = 10
    claim_batch_max: PositiveInt = 500
    settle_batch_max: PositiveInt = 1000
    oldest_first_one_in: PositiveInt = 10
    grace_seconds: NonNegativeFloat = 60
    kill_grace_seconds: NonNegativeFloat = 5
    threads: PositiveInt = 32
    crashes_max: PositiveInt = 3

    @model_validator(mode="after")
    def _lease_outlives_lost_beats(self) -> Self:
        if self.heartbeat_seconds * BEATS_PER_LEASE_MIN > self.lease_seconds:
            raise ValueError(
                f"lease_seconds ({self.lease_seconds:g}) must be at least {BEATS_PER_LEASE_MIN} "
                f"times heartbeat_seconds ({self.heartbeat_seconds:g}), "
                "or one late heartbeat loses every job"
            )
        return self


class Database(Section):
    """How long Postgres may take, and how many connections handlers may hold."""

    connect_seconds: PositiveFloat = 10
    statement_seconds: PositiveFloat = 30
    lock_seconds: PositiveFloat = 5
    silent_seconds: PositiveInt = 20
    handler_connections: PositiveInt = 8
    pooler: Literal["auto", "direct", "session", "transaction"] = "auto"

    @model_validator(mode="after")
    def _lock_within_statement(self) -> Self:
        if self.lock_seconds >= self.statement_seconds:
            raise ValueError("lock_seconds must be less than statement_seconds, or it never counts")
        return self


class Queue(Section):
    """What the database refuses; the daemon writes these into it when it starts."""

    unknown_kinds: Literal["refuse", "hold"] = "refuse"
    payload_bytes_max: Annotated[int, Field(ge=1, le=200_000_000)] = 1_048_576


class Lane(Section):
    """Limits of one lane over all daemons; None is no limit."""

    concurrency: Count | None = None
    rate_per_second: Rate | None = None
    rate_burst: Count = 1
    wait_slo_seconds: PositiveFloat | None = None


class Schedule(Section):
    """One job that comes again and again."""

    cron: str
    timezone: str = "UTC"
    kind: str
    payload: dict[str, Any] = Field(default={})
    priority: Priority = 5
    missed: Literal["skip", "latest", "all"] = "latest"
    missed_max: PositiveInt = 10
    notify: tuple[Wish, ...] = ()

    def published(self) -> dict[str, Any]:
        """The schedule as publish_schedules.sql takes it."""
        wishes = [wish.model_dump(exclude_none=True) for wish in self.notify]
        return self.model_dump(exclude={"notify"}) | {"notify": wishes}

    @field_validator("cron")
    @classmethod
    def _is_an_expression(cls, cron: str) -> str:
        ticks_after(cron, "UTC", datetime(2000, 1, 1, tzinfo=UTC))
        return cron

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, timezone: str) -> str:
        ticks_after("* * * * *", timezone, datetime(2000, 1, 1, tzinfo=UTC))
        return timezone


class Retention(Section):
    """How many days of the past are kept."""

    history_days: PositiveInt = 30
    events_days: PositiveInt = 90
    stats_days: PositiveInt = 90
    usage_days: PositiveInt = 400


class Status(Section):
    """The port for HTTP: who is let in, and how much of it each may use."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 7700
    token: SecretStr | None = None
    hosts: Names = ()
    url: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$")] = ""
    connections_max: PositiveInt = 256
    header_seconds: PositiveFloat = 10
    body_bytes_max: Annotated[int, Field(ge=1024, le=1_000_000_000)] = 8_388_608
    requests_per_second: PositiveFloat = 50
    requests_burst: PositiveInt = 200
    cron_secret: SecretStr | None = None
    cors_origins: Names = ()
    links: Mapping[Annotated[str, Field(min_length=1, max_length=80)], str] = {}
    reveal: bool = True

    @field_validator("links")
    @classmethod
    def _are_addresses(cls, links: Mapping[str, str]) -> Mapping[str, str]:
        for template in links.values():
            if wrong := problem_of(template):
                raise ValueError(wrong)
            if any("." in name and SECRET_NAME.search(name) for name in PLACE.findall(template)):  # fmt: skip
                raise ValueError(
                    f"{template!r} would put what is secret by its name into an address"
                )
        return links

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not re.fullmatch(r"https?://[a-z0-9.\-\[\]:]+", origin):
                raise ValueError(f"{origin!r} is no origin; write it as https://app.example.com")
        return origins

    @field_validator("token", "cron_secret")
    @classmethod
    def _long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < TOKEN_CHARS_MIN:
            raise ValueError(
                f"a token has at least {TOKEN_CHARS_MIN} characters (try openssl rand -hex 32)"
            )
        return token

    @model_validator(mode="after")
    def _others_need_a_token(self) -> Self:
        if self.token is None and not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} lets other machines in, which needs a token; "
                'set status.token (or BELLHAND_STATUS__TOKEN), or keep host = "127.0.0.1"'
            )
        if self.token is None and self.hosts:
            raise ValueError(
                "hosts are names that others use, which needs a token; "
                "set status.token (or BELLHAND_STATUS__TOKEN), or leave hosts out"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Metrics(Section):
    """What Prometheus is told beyond what happens by itself, and where."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    wait_slo_seconds: PositiveFloat = 900
    canary_seconds: NonNegativeFloat = 60
    grafana_url: Annotated[str, Field(pattern=r"^(https?://[^\s?#]+)?$")] = ""


class Log(Section):
    """What is logged, and how it looks."""

    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
    completed_seconds: NonNegativeFloat = 1
    job_lines_max: NonNegativeInt = 1000
    job_bytes_max: PositiveInt = 262_144


class Web(Section):
    """How far a handler's fetches may go."""

    user_agent: Annotated[str, Field(pattern=r"^[\x20-\x7e]+$")] = "bellhand/0.1"
    seconds_max: PositiveFloat = 20
    connect_seconds: PositiveFloat = 5
    body_bytes_max: PositiveInt = 5_000_000
    redirects_max: NonNegativeInt = 5
    ports: Ports = (80, 443)
    allow_networks: Networks = ()
    connections: PositiveInt = 100
    connections_per_host: PositiveInt = 4
    host_delay_seconds: NonNegativeFloat = 0
    wait_seconds_max: PositiveFloat = 60
    obey_robots: bool = True
    robots_seconds: PositiveFloat = 3600
    crawl_delay_seconds_max: NonNegativeFloat = 30
    dns_servers: Names = ()
    dns_seconds_max: PositiveFloat = 5

    @field_validator("dns_servers")
    @classmethod
    def _are_addresses(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            address, _, port = (
                server.partition(":") if server.count(":") == 1 else (server, "", "53")
            )
            ip_address(address)
            if not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError(f"{server!r} is no address or address:port")
        return servers


class Browser(Section):
    """The browser that renders pages which are empty without one; none unless a program is named."""

    executable: str = ""
    seconds_max: PositiveFloat = 20
    quiet_seconds_max: PositiveFloat = 5
    pages: PositiveInt = 2
    requests_max: PositiveInt = 200


class Settings(BaseModel):
    """All of it; frozen, and an unknown key is an error. Made by `load`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )

    dsn: Annotated[str, Field(repr=False, min_length=1)] = "postgresql:///bellhand"
    modules: Names = (
        "bellhand.families.crm",
        "bellhand.families.leads",
        "bellhand.families.seo",
        "bellhand.families.sites",
        "bellhand.notify",
    )
    worker: Worker = unset(Worker)
    database: Database = unset(Database)
    queue: Queue = unset(Queue)
    lanes: dict[str, Lane] = {}
    schedules: dict[str, Schedule] = {}
    retention: Retention = unset(Retention)
    status: Status = unset(Status)
    metrics: Metrics = unset(Metrics)
    log: Log = unset(Log)
    web: Web = unset(Web)
    browser: Browser = unset(Browser)
    services: Services = unset(Services)
    mail: Mail = unset(Mail)
    notify: Notify = unset(Notify)

    @model_validator(mode="after")
    def _metrics_for_others_need_a_token(self) -> Self:
        own = self.metrics
        if own.port is not None and self.status.token is None and not _is_loopback(own.host):
            raise ValueError(
                f"metrics.host {own.host!r} lets other machines in, which needs a token; "
                'set status.token (or BELLHAND_STATUS__TOKEN), or keep host = "127.0.0.1"'
            )
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        own, status = self.metrics, self.status
        if own.port and (own.host, own.port) == (status.host, status.port):
            raise ValueError(
                f"metrics.port is {own.port}, and so is status.port, which has /metrics too; leave metrics.port out, or choose another"
            )
        return self

    def slo_seconds(self, lane: str) -> float:
        """How long a job of this lane may be due, as the alerts have it."""
        own = self.lanes.get(lane)
        return (own and own.wait_slo_seconds) or self.metrics.wait_slo_seconds


def load(path: Path | None = None, **arguments: Any) -> Settings:
    """Reads `path`, else $BELLHAND_CONFIG, else config.toml if there is one.

    Secrets may stand in files of their own, see settings_credentials.py; `arguments` beat all. SettingsError says all that is
    wrong, and where.
    """
    named = path or (Path(name) if (name := os.environ.get("BELLHAND_CONFIG")) else None)
    file = named or Path(DEFAULT_FILE)
    text, from_file = read_file(file, must_exist=named is not None)
    unknown_variables(Settings)
    secrets = read_credentials(named)
    from_env = read_environment(Settings)
    try:
        merged = _merged(from_file, secrets, from_env, arguments)
        return Settings(**_merged(merged, _keys_by_plain_name(merged), _cron_secret(merged)))
    except ValidationError as error:
        raise explain(error, Settings, file=file, text=text, env=from_env, secrets=secrets) from None  # fmt: skip


def _keys_by_plain_name(given: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that other programs find under these names too (S0-35), where ours name none."""
    services: Any = given.get("services")
    keys: dict[str, Any] = {}
    for name, variable in PLAIN_KEYS.items():
        own = services.get(name) if isinstance(services, Mapping) else None
        named = isinstance(own, Mapping) and {"key", "key_file"} & set(own)
        if not named and os.environ.get(variable):
            keys[name] = {"key": os.environ[variable]}
    return {"services": keys} if keys else {}


def _cron_secret(given: Mapping[str, Any]) -> dict[str, Any]:
    """The secret that apps have as CRON_SECRET (S3-07), where our own name is not used."""
    own: Any = given.get("status")
    named = isinstance(own, Mapping) and "cron_secret" in own
    secret = os.environ.get("CRON_SECRET")
    return {"status": {"cron_secret": secret}} if secret and not named else {}


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers win, key by key."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            if isinstance(value, Mapping) and isinstance(old, Mapping):
                value = _merged(old, value)
            result[key] = value
    return result
