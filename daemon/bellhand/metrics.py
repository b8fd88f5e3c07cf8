"""What Prometheus scrapes. Built once by app.py and passed around.

Labels are bounded: kinds that are not ours are `other`, and no label holds an id, a message or a
host. Every known series starts at 0, so that rates are right from the first scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.metrics import disable_created_metrics
from prometheus_client.registry import Collector

from .gauges import OTHER, SCHEDULES_MAX, Sampled
from .job_counts import JobCounts

CHANNEL_STATES = ("ok", "failing", "disabled")
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CLAIM_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Now:
    """What the process knows of itself at the moment of a scrape."""

    slots: int = 0
    slots_busy: int = 0
    connections: int = 0
    reconnects: int = 0


class _Own(Collector):
    """Asks the process at every scrape: nothing here may wait."""

    def __init__(self) -> None:
        self.look: Callable[[], Now] = Now
        self.followers: Callable[[], int] = int

    def collect(self) -> Iterator[Metric]:
        now = self.look()
        for name, help, value in (
            ("worker_slots", "Jobs that may run at once.", now.slots),
            ("worker_slots_busy", "Jobs that run.", now.slots_busy),
            ("db_connections", "Connections that are open.", now.connections),
            ("sse_clients", "Who follows a stream of events.", self.followers()),
        ):
            yield GaugeMetricFamily(f"bellhand_{name}", help, value=value)
        yield CounterMetricFamily(
            "bellhand_db_reconnects", "Connections that were opened anew.", value=now.reconnects
        )


class Metrics:
    """All series of one daemon; `kinds` gives the lane of each kind that it runs.

    `sampled` is what the keeper reads from the database for the gauges.
    """

    def __init__(self, kinds: Mapping[str, str], *, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # of each counter a second series that nothing here asks for
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._jobs = JobCounts(kinds)
        self._own = _Own()
        self.followers: Callable[[], int] = int
        self.sampled = Sampled(kinds.values())
        for collector in (self._jobs, self._own, self.sampled):
            self.registry.register(collector)
        self._counters()
        self._gauges()
        self._http()
        build = Gauge(
            "bellhand_build_info",
            "Always 1; which version runs is its label.",
            ["version"],
            registry=self.registry,
        )
        build.labels(version).set(1)

    def _counters(self) -> None:
        def counter(name: str, help: str, label: str, values: Iterable[str]) -> dict[str, Counter]:
            made = Counter(f"bellhand_{name}", help, [label], registry=self.registry)
            return {value: made.labels(value) for value in values}

        kinds = self._jobs.lanes
        self._rescued = counter("jobs_rescued", "Jobs taken back.", "reason", ["worker_lost", "lease_expired"])  # fmt: skip
        self._wakeups = counter("wakeups", "Why the loop woke.", "source", ["notify", "poll"])
        self._abandoned = counter(
            "handlers_abandoned", "Handlers that ignored being cancelled.", "kind", kinds
        )
        self._stale = counter(
            "stale_results", "Outcomes refused, the job being another's.", "kind", kinds
        )
        self._progress = counter(
            "progress_writes",
            "Progress of running jobs, written once a second where it changed.",
            "result",
            ["written", "lost"],
        )
        levels = ["debug", "info", "warning", "error", "critical"]
        self._logged = counter("log_messages", "Lines logged.", "level", levels)
        self._missed = Counter(
            "bellhand_schedule_missed",
            "Ticks that no daemon enqueued within a minute.",
            ["schedule"],
            registry=self.registry,
        )
        self._schedules: set[str] = set()
        self._claimed = Counter("bellhand_claimed_jobs", "Jobs claimed.", registry=self.registry)
        self._claim_seconds = Histogram(
            "bellhand_claim_seconds",
            "How long a claim took.",
            buckets=CLAIM_BUCKETS,
            registry=self.registry,
        )

    def _gauges(self) -> None:
        def gauge(name: str, help: str) -> Gauge:
            return Gauge(f"bellhand_{name}", help, registry=self.registry)

        self._draining = gauge(
            "draining", "1 while the daemon claims nothing more: it goes down, or was drained."
        )
        self._db_up = gauge("db_up", "1 while the database answers.")
        self._listen_up = gauge(
            "listen_up", "1 while the bell can be heard; else the daemon polls."
        )
        self._channels = Gauge(
            "bellhand_channels", "Channels of notifications.", ["state"], registry=self.registry
        )
        self.set_channels({})
        self._eta_error = Gauge(
            "bellhand_eta_error_ratio",
            "How far off foretold starts and finishes were this week, as a part of the time they took.",
            ["what"],
            registry=self.registry,
        )
        self._eta_judged = Gauge(
            "bellhand_eta_judged",
            "Of how many foretold starts and finishes that is said.",
            ["what"],
            registry=self.registry,
        )
        self._eta_held = Gauge(
            "bellhand_eta_band_held_ratio",
            "How many of them fell into the band that was foretold.",
            ["what"],
            registry=self.registry,
        )

    def _http(self) -> None:
        self._requests = Counter(
            "bellhand_http_requests",
            "Requests that were answered, by the pattern of their path.",
            ["route", "method", "code"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "bellhand_http_request_seconds",
            "How long answering took.",
            ["method"],
            buckets=HTTP_BUCKETS,
            registry=self.registry,
        )

    # What the parts tell

    def settled(
        self, kind: str, outcome: str, waits: list[float], runs: list[float], *, timed_out: bool = False
    ) -> None:  # fmt: skip
        """Attempts ended and Postgres accepted it; `outcome` is a word of settle_others.sql, the rest are seconds."""
        self._jobs.settled(kind, outcome, waits, runs, timed_out=timed_out)

    def found(self, kind: str, counters: Mapping[str, float]) -> None:
        """A job is over that has counted these."""
        self._jobs.find(kind, counters)

    def step_finished(self, kind: str, outcome: str, seconds: float) -> None:
        """A step ended as `completed` or `failed`."""
        self._jobs.step_finished(kind, outcome, seconds)

    def claimed(self, n: int) -> None:
        self._claimed.inc(n)

    def observe_claim(self, seconds: float) -> None:
        self._claim_seconds.observe(seconds)

    def rescued(self, reason: str, n: int) -> None:
        self._rescued[reason].inc(n)

    def wakeup(self, source: str) -> None:
        """`notify` or `poll`."""
        self._wakeups[source].inc()

    def abandoned(self, kind: str) -> None:
        self._abandoned.get(kind, self._abandoned[OTHER]).inc()

    def stale_result(self, kind: str) -> None:
        self._stale.get(kind, self._stale[OTHER]).inc()

    def logged(self, level: str) -> None:
        """For `logs.setup(count=...)`; may be called from any thread."""
        self._logged.get(level, self._logged["error"]).inc()

    def progress_written(self, jobs: int, *, lost: bool) -> None:
        """The progress of so many jobs was written, or could not be and comes with a later one."""
        self._progress["lost" if lost else "written"].inc(jobs)

    def schedule_missed(self, schedule: str, ticks: int) -> None:
        """So many ticks of a schedule came too late, or were left out; 0 makes it known."""
        if schedule not in self._schedules and len(self._schedules) >= SCHEDULES_MAX:
            schedule = OTHER
        self._schedules.add(schedule)
        self._missed.labels(schedule).inc(ticks)

    def answered(self, route: str, method: str, code: int, seconds: float | None) -> None:
        """A request was answered; `route` is a pattern, never a path; a stream has no seconds."""
        method = method if method in METHODS else OTHER
        self._requests.labels(route, method, str(code)).inc()
        if seconds is not None:
            self._request_seconds.labels(method).observe(seconds)

    def watch(self, look: Callable[[], Now]) -> None:
        """From now on `look` is asked at every scrape; it must not wait."""
        self._own.look = look

    def follow(self, followers: Callable[[], int]) -> None:
        """`followers` says how many streams are followed now."""
        self.followers = self._own.followers = followers

    def set_calibration(self, what: str, held: float, error: float, judged: int) -> None:
        """How well `start` or `finish` was foretold, of so many."""
        self._eta_judged.labels(what).set(judged)
        self._eta_held.labels(what).set(held)
        self._eta_error.labels(what).set(error)

    def set_draining(self, draining: bool) -> None:
        self._draining.set(draining)

    def set_db_up(self, up: bool) -> None:
        self._db_up.set(up)

    def set_listen_up(self, up: bool) -> None:
        self._listen_up.set(up)

    def set_channels(self, counts: Mapping[str, int]) -> None:
        """How many channels are in each of CHANNEL_STATES."""
        for state in CHANNEL_STATES:
            self._channels.labels(state).set(counts.get(state, 0))

    def render(self) -> bytes:
        """The text that Prometheus reads; no I/O but /proc. May be called from any thread."""
        return generate_latest(self.registry)
