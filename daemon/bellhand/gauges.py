"""Gauges of what the keeper read from the database last, so that a scrape runs no SQL.

Every daemon shows the same of the fleet; rules take the maximum over daemons. What was never read is not shown, but for the
lanes that the daemon knows, which start at 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

OTHER = "other"  # the lane of jobs of unknown kinds
LANES_MAX = 200
SCHEDULES_MAX = 200
STATES = ("pending", "scheduled", "parked", "blocked", "running")
REASONS = ("no_handler", "unknown_kind", "elsewhere", "kind_paused", "lane_paused", "dependency")
TABLES = ("jobs", "queue", "scheduled", "leases", "history", "steps", "events", "stats", "workers")

Rows = Iterable[Mapping[str, Any]]


class Sampled(Collector):
    """What was read of the lanes and of the database, and when; `slo_seconds` says how long jobs of a lane may wait."""

    def __init__(self, lanes: Iterable[str]) -> None:
        self.lanes: list[Mapping[str, Any]] = [{"lane": lane} for lane in sorted({*lanes, OTHER})]
        self.database: Mapping[str, Any] = {}
        self.lanes_at = 0.0
        self.seconds = 0.0
        self.errors = 0
        self.slo_seconds: Callable[[str], float] = lambda _lane: 0.0

    def set_lanes(self, rows: Rows, at: float) -> None:
        """What sample_lanes.sql said at `at` (seconds since 1970, by the database)."""
        found = list(rows)[:LANES_MAX]
        if all(row["lane"] != OTHER for row in found):
            found.append({"lane": OTHER})
        self.lanes, self.lanes_at = found, at

    def set_database(self, row: Mapping[str, Any]) -> None:
        """What sample_database.sql said."""
        self.database = row

    def schedules(self) -> dict[str, tuple[float | None, float | None]]:
        """By name: the last tick that was enqueued (seconds since 1970), and for how long the next one has been due."""
        found: dict[str, tuple[float | None, float | None]] = json.loads(
            self.database.get("schedules") or "{}"
        )
        return found

    def collect(self) -> Iterator[Metric]:
        yield from self._lanes()
        yield from self._canaries()
        yield from self._database()
        yield from self._schedules()
        yield _one("stats_sample_timestamp_seconds", "When the lane gauges were read, by the database.", self.lanes_at)  # fmt: skip
        yield _one("stats_sample_seconds", "How long reading the lane gauges took.", self.seconds)
        errors = CounterMetricFamily(
            "bellhand_stats_sample_errors", "Samples that could not be read."
        )
        errors.add_metric([], self.errors)
        yield errors

    def _lanes(self) -> Iterator[Metric]:
        jobs = _gauge("lane_jobs", f"Jobs of the lane: {', '.join(STATES)}.", "lane", "state")
        held_up = _gauge(
            "lane_unclaimable_jobs",
            f"Jobs that nobody may take now: {', '.join(REASONS)}.",
            "lane",
            "reason",
        )
        oldest = _gauge("lane_oldest_due_seconds", "Age of the oldest job that is due.", "lane")
        drain = _gauge("lane_drain_seconds", "Until what is pending is done, at the pace of the last ten minutes.", "lane")  # fmt: skip
        step = _gauge("lane_oldest_running_step_seconds", "Age of the step, or of the job, that is nearest to its limit.", "lane")  # fmt: skip
        limit = _gauge("lane_step_timeout_seconds", "That limit; 0 is none.", "lane")
        most = _gauge("lane_concurrency_limit", "Jobs at once over all daemons; 0 is no limit.", "lane")  # fmt: skip
        paused = _gauge("lane_paused", "1 while nothing of the lane is claimed.", "lane")
        slo = _gauge("lane_wait_slo_seconds", "How long a job may be due, by the configuration.", "lane")  # fmt: skip
        for row in self.lanes:
            lane = [row["lane"]]
            for state in STATES:
                jobs.add_metric([*lane, state], row.get(state) or 0)
            for reason, count in _held_up(row).items():
                held_up.add_metric([*lane, reason], count)
            oldest.add_metric(lane, max(0.0, row.get("oldest_due_seconds") or 0.0))
            drain.add_metric(lane, _drain_seconds(row))
            step.add_metric(lane, max(0.0, row.get("step_seconds") or 0.0))
            limit.add_metric(lane, row.get("step_limit_seconds") or 0.0)
            most.add_metric(lane, row.get("concurrency") or 0)
            paused.add_metric(lane, bool(row.get("paused")))
            slo.add_metric(lane, self.slo_seconds(row["lane"]))
        yield from (jobs, held_up, oldest, drain, step, limit, most, paused, slo)

    def _canaries(self) -> Iterator[Metric]:
        trip = _gauge("canary_roundtrip_seconds", "From the INSERT of the last canary to its settling.", "lane")  # fmt: skip
        back = _gauge("canary_last_success_timestamp_seconds", "When the last canary was settled, by the database.", "lane")  # fmt: skip
        waiting = _gauge("canary_waiting_seconds", "For how long a canary has been out; 0 while none is.", "lane")  # fmt: skip
        for row in self.lanes:
            if not row.get("has_canary"):
                continue
            waiting.add_metric([row["lane"]], max(0.0, row["canary_waiting_seconds"] or 0.0))
            if row["canary_back_at"] is not None:
                trip.add_metric([row["lane"]], row["canary_roundtrip_seconds"])
                back.add_metric([row["lane"]], row["canary_back_at"])
        yield from (trip, back, waiting)

    def _database(self) -> Iterator[Metric]:
        if not self.database:
            return
        size = _gauge("table_bytes", "Size of a table with its indexes.", "table")
        dead = _gauge("table_dead_rows", "Rows that wait for VACUUM.", "table")
        live = _gauge("table_live_rows", "Rows, as Postgres estimates.", "table")
        found = json.loads(self.database["tables"] or "{}")
        for table in TABLES:
            for family, value in zip((size, dead, live), found.get(table, (0, 0, 0)), strict=True):
                family.add_metric([table], value)
        yield from (size, dead, live)
        yield _one("oldest_transaction_seconds", "Age of the oldest transaction in this database: VACUUM removes nothing younger.",
                   self.database["oldest_transaction_seconds"])  # fmt: skip
        yield _one("retention_lag_seconds", "For how long the oldest day of history should have been gone.",
                   max(0.0, self.database["retention_late_seconds"]))  # fmt: skip
        drawn = CounterMetricFamily(
            "bellhand_jobs_enqueued", "Ids of jobs that were drawn, by all producers together."
        )
        drawn.add_metric([], self.database["ids_drawn"])
        yield drawn
        found_there = CounterMetricFamily(
            "bellhand_jobs_deduplicated",
            "Jobs that were asked for while a live one had their unique key, by all producers together; without those of a plain INSERT.",
        )
        found_there.add_metric([], self.database["duplicates"])
        yield found_there

    def _schedules(self) -> Iterator[Metric]:
        last = _gauge("schedule_last_tick_timestamp_seconds", "The last tick that was enqueued.", "schedule")  # fmt: skip
        late = _gauge("schedule_overdue_seconds", "For how long the next tick has been due.", "schedule")  # fmt: skip
        for name, (at, overdue) in self.schedules().items():
            if at is not None:
                last.add_metric([name], at)
            late.add_metric([name], max(0.0, overdue or 0.0))
        yield from (last, late)


def _held_up(row: Mapping[str, Any]) -> dict[str, int]:
    parked = json.loads(row.get("parked_by_reason") or "{}")
    counts = {reason: parked.get(reason, 0) for reason in REASONS}
    counts["dependency"] = row.get("blocked") or 0
    counts["lane_paused"] = (row.get("pending") or 0) if row.get("paused") else 0
    return counts


def _drain_seconds(row: Mapping[str, Any]) -> float:
    pending, pace = row.get("pending") or 0, row.get("pace_per_second") or 0.0
    if not pending:
        return 0.0
    return pending / pace if pace else math.inf


def _gauge(name: str, help: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"bellhand_{name}", help, labels=labels)


def _one(name: str, help: str, value: float) -> GaugeMetricFamily:
    family = _gauge(name, help)
    family.add_metric([], value)
    return family
