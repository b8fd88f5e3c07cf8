"""What calls to outside services used and cost: counted for Prometheus, written into bellhand.usage, none of it twice."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ..db import Again, Away, Backoff, Database
from ..logs import current
from ..outcomes import storable
from ..sql import query

log = structlog.get_logger()

# How a call can end, as metrics and errors name it.
CODES = (
    *("ok", "cached", "bad_answer", "bad_request", "blocked", "cancelled", "connect", "dns", "key_refused", "other"),
    *("quota", "rate_limited", "timeout", "tls", "too_large", "too_long", "truncated", "unavailable"),
)  # fmt: skip
OPERATIONS = {
    "serpapi": ("local", "ads", "search"),
    "places": ("search",),
    "openai": ("parse", "embed"),
    "stripe": ("create", "confirm", "retrieve", "cancel", "refund", "refunds"),
}
SECONDS_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
RECORD_SECONDS_MAX = 5.0  # a caller waits no longer for its call to be written down
CLOSE_SECONDS = 5.0
ERROR_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Used:
    """What one call used: tokens of a model, searches of a search service; its estimated cost in millionths of a dollar, which
    nobody knows where it is not `priced`."""

    units_in: int = 0
    units_out: int = 0
    cost_microdollars: int = 0
    priced: bool = True


NOTHING = Used()


@dataclass(frozen=True, slots=True)
class Pause:
    """The service wants no call with this key for so long."""

    seconds: float
    reason: str
    key: str


@dataclass(slots=True)
class Call:
    """One request that went out, and how it ended."""

    service: str
    operation: str = ""  # empty: a probe that was called off before it went out
    code: str = "cancelled"
    seconds: float = 0.0
    used: Used = NOTHING
    alive: bool | None = None  # whether the service itself is well; None: not known
    error: str = ""
    ticket: uuid.UUID | None = None  # of a probe
    pause: Pause | None = None
    failures_max: int = 5
    open_seconds: float = 30.0
    kind: str = ""
    owner: str = ""

    def __post_init__(self) -> None:
        job = current.get()
        if job is not None:
            self.kind = job.kind
            self.owner = getattr(job, "owner", None) or ""


@dataclass(slots=True)
class Meter:
    """What the calls made inside a `metered` block came to; answers remembered from before cost nothing."""

    calls: int = 0
    cost_microdollars: int = 0


_meter: ContextVar[Meter | None] = ContextVar("meter", default=None)


@contextmanager
def metered() -> Iterator[Meter]:
    """Count the calls that this task makes inside the block, for a job that tells what it cost."""
    token = _meter.set(meter := Meter())
    try:
        yield meter
    finally:
        _meter.reset(token)


class ServiceMetrics:
    """The series of outside services; labels are ours alone, so their number is bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "bellhand_external_requests",
            "Requests to outside services, and answers remembered from before (`cached`).",
            ["service", "operation", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "bellhand_external_request_seconds",
            "How long calls to outside services took.",
            ["service", "operation"],
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self._units = Counter(
            "bellhand_external_units",
            "Tokens or searches that were used.",
            ["service", "direction"],
            registry=registry,
        )
        self._cost = Counter(
            "bellhand_external_cost_dollars",
            "What the calls cost, estimated by the prices in the settings.",
            ["service"],
            registry=registry,
        )
        self._open = Gauge(
            "bellhand_circuit_open",
            "1 while nobody calls the service, because it failed.",
            ["service"],
            registry=registry,
        )
        self._paused = Gauge(
            "bellhand_external_paused",
            "1 while nobody calls the service, because it asked to wait.",
            ["service"],
            registry=registry,
        )
        self._left = Gauge(
            "bellhand_external_quota_remaining_ratio",
            "What is left of the caps of this day and month, of the one with the least; 1 without caps.",
            ["service"],
            registry=registry,
        )
        for service, operations in OPERATIONS.items():
            self._cost.labels(service)
            self._open.labels(service)
            self._paused.labels(service)
            self._left.labels(service).set(1)
            for direction in ("in", "out"):
                self._units.labels(service, direction)
            for operation in operations:
                self._seconds.labels(service, operation)
                for code in CODES:
                    self._calls.labels(service, operation, code)

    def called(self, call: Call) -> None:
        """A request ended."""
        code = call.code if call.code in CODES else "other"
        self._calls.labels(call.service, call.operation, code).inc()
        if code != "cached":
            self._seconds.labels(call.service, call.operation).observe(call.seconds)
        self._units.labels(call.service, "in").inc(call.used.units_in)
        self._units.labels(call.service, "out").inc(call.used.units_out)
        self._cost.labels(call.service).inc(call.used.cost_microdollars / 1e6)

    def stands(self, service: str, breaker: str, *, paused: bool, left_ratio: float) -> None:
        """How a service stands: its breaker (`closed`, `half_open`, `open`), whether it asked to wait, what is left of the caps."""
        if service in OPERATIONS:
            self._open.labels(service).set(breaker != "closed")
            self._paused.labels(service).set(paused)
            self._left.labels(service).set(left_ratio)


@dataclass(slots=True)
class _Batch:
    """Calls that wait to be written; once it is under way its number stays, so that it counts once."""

    number: int
    calls: list[Call] = field(default_factory=list)
    written: asyncio.Event = field(default_factory=asyncio.Event)


class Ledger:
    """Writes calls down in batches: those that ended while the last batch was under way go together."""

    def __init__(
        self, database: Database, metrics: ServiceMetrics, random: Callable[[], float]
    ) -> None:
        self._link = database.link("usage", synchronous_commit="on")
        self.metrics = metrics
        self._random = random
        self._writer = uuid.uuid4()
        self._open = _Batch(1)
        self._under_way: list[Call] = []
        self._writing: asyncio.Task[None] | None = None

    def add(self, call: Call) -> asyncio.Event:
        """Count a call, and have it written; the event tells when it is."""
        self.metrics.called(call)
        meter = _meter.get()
        if meter is not None:
            meter.calls += 1
            meter.cost_microdollars += call.used.cost_microdollars
        return self._queue(call)

    def call_off(self, probe: Call) -> None:
        """Say that this probe never went out."""
        self._queue(probe)

    def _queue(self, call: Call) -> asyncio.Event:
        batch = self._open
        batch.calls.append(call)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return batch.written

    async def wait(self, written: asyncio.Event, service: str) -> None:
        """Wait until a call is written; while the database is away go on after a while, it will be."""
        try:
            async with asyncio.timeout(RECORD_SECONDS_MAX):
                await written.wait()
        except TimeoutError:
            log.warning("usage_delayed", service=service, why="the database does not answer")

    async def close(self) -> None:
        """Write what waits, for a bounded time; what could not be written is logged, to be entered by hand."""
        if self._writing is None or self._writing.done():
            return
        await asyncio.wait({self._writing}, timeout=CLOSE_SECONDS)
        if not self._writing.done():
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
            lost = usage_of([*self._under_way, *self._open.calls])
            log.error("usage_lost", why="the database does not answer", calls=lost)

    async def _write(self) -> None:
        while self._open.calls:
            batch, self._open = self._open, _Batch(self._open.number + 1)
            self._under_way = batch.calls
            usage, health = usage_of(batch.calls), health_of(batch.calls)
            await self._patiently(batch.number, json.dumps(usage), json.dumps(health))
            self._under_way = []
            batch.written.set()

    async def _patiently(self, number: int, usage: str, health: str) -> None:
        backoff = Backoff(self._random)
        while True:
            try:
                await self._link.fetch(query("record_calls"), self._writer, number, usage, health)
                return
            except (Away, Again, asyncpg.PostgresError) as error:
                if backoff.tries == 0:
                    log.warning("usage_delayed", error=str(error))
                await asyncio.sleep(backoff.next_seconds())


def usage_of(calls: list[Call]) -> list[dict[str, Any]]:
    """The rows of bellhand.usage that these calls add to, each once."""
    rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for call in (call for call in calls if call.operation):
        key = (call.service, call.operation, call.kind, call.owner)
        names = dict(zip(("service", "operation", "kind", "owner"), key, strict=True))
        zeros = dict.fromkeys(("calls", "failures", "units_in", "units_out", "cost", "unpriced"), 0)
        row = rows.setdefault(key, {**names, **zeros})
        row["calls"] += 1
        row["failures"] += call.code != "ok"
        row["units_in"] += call.used.units_in
        row["units_out"] += call.used.units_out
        row["cost"] += call.used.cost_microdollars
        row["unpriced"] += not call.used.priced
    return list(rows.values())


def health_of(calls: list[Call]) -> list[dict[str, Any]]:
    """What service_fared.sql is told of each service, in the order of their names."""
    found: dict[str, dict[str, Any]] = {}
    for call in calls:
        new = {"service": call.service, "cost": 0, "alive": False, "sick": 0}
        one = found.setdefault(call.service, new)
        one["cost"] += call.used.cost_microdollars
        one["failures_max"], one["open_seconds"] = call.failures_max, call.open_seconds
        if call.alive:
            one["alive"], one["sick"] = True, 0
        elif call.alive is False:
            one["sick"] += 1
            one["error"] = storable(call.error)[:ERROR_CHARS_MAX]
        if call.ticket is not None:
            one["ticket"], one["passed"] = str(call.ticket), call.alive
        if call.pause is not None:
            one["pause_seconds"] = call.pause.seconds
            one["pause_reason"] = storable(call.pause.reason)[:ERROR_CHARS_MAX]
            one["pause_key"] = call.pause.key
    return [found[name] for name in sorted(found)]
