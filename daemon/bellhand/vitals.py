"""How a daemon is doing, for the status port, for systemd and for the gauges; looks only at memory."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from typing import Any

from . import systemd
from .api.health import Health
from .bell import Listener, Sleep
from .heartbeat import Heartbeat
from .job import Job
from .metrics import Metrics, Now
from .worker import Worker

STATUS_SECONDS = 10.0
STOP_MARGIN_SECONDS = 15.0  # for writing down how the last jobs ended


class Vitals:
    """Asks the parts of one daemon."""

    def __init__(
        self, worker: Worker, sleep: Sleep, listener: Listener, heartbeat: Heartbeat, metrics: Metrics, *, poll_seconds: float
    ) -> None:  # fmt: skip
        self.worker = worker
        self.sleep = sleep
        self.listener = listener
        self.heartbeat = heartbeat
        self.metrics = metrics
        self.drain_ends_at = 0.0
        metrics.watch(self.now)
        # A turn of the claim loop may take a whole poll; what has not turned for three stands still.
        self.turn_seconds_max = 3 * poll_seconds

    def now(self) -> Now:
        """What a scrape shows of this process."""
        worker, links = self.worker, self.worker.store.links
        return Now(
            worker.limits.concurrency,
            len(worker.running),
            sum(link.connection is not None and not link.connection.is_closed() for link in links),
            sum(max(0, link.opened - 1) for link in links),
        )

    def health(self) -> Health:
        """How things stand now."""
        worker, now = self.worker, self.worker.tools.clock()
        return Health(
            db_up=worker.up,
            schema_ok=worker.first_claim.is_set(),
            listen_up=self.sleep.listening,
            polling=self.listener.deaf,
            draining=worker.stopping or worker.drained is not None,
            worker_alive=now - worker.last_turn < self.turn_seconds_max,
            lag_seconds=now - self.heartbeat.last_beat,
        )

    def drains_within(self, seconds: float) -> None:
        """A drain began that ends after so long at the latest."""
        self.drain_ends_at = self.worker.tools.clock() + seconds
        systemd.notify("STOPPING=1", *self._stopping())

    def _stopping(self) -> list[str]:
        """How much more time systemd should give us."""
        return [f"EXTEND_TIMEOUT_USEC={int((self.drain_seconds() + STOP_MARGIN_SECONDS) * 1e6)}"]

    def drain_seconds(self) -> float:
        """For how long the drain can last from now, by what really runs: no job outlives its timeout."""
        now, jobs = self.worker.tools.clock(), list(self.worker.running.values())
        longest = max((_seconds_left(job, now) for job in jobs), default=0.0)
        return max(0.0, min(self.drain_ends_at - now, longest + self.worker.limits.kill_grace_seconds))  # fmt: skip

    async def tell_systemd(self) -> None:
        """STATUS, and WATCHDOG while the claim loop turns: a process that is merely alive is not fed."""
        interval = systemd.watchdog_seconds() or 3 * STATUS_SECONDS
        while True:
            health = self.health()
            if health.worker_alive or health.draining:
                systemd.notify("WATCHDOG=1")
            if self.worker.stopping:
                systemd.notify(*self._stopping())
            systemd.notify(f"STATUS={self.status(health)}")
            await asyncio.sleep(min(STATUS_SECONDS, interval / 3))

    def status(self, health: Health) -> str:
        """How things stand, in one line for `systemctl status`."""
        busy = f"{len(self.worker.running)}/{self.worker.limits.concurrency} busy"
        if self.worker.stopping:
            return f"{busy} · draining, {short(self.drain_seconds())} at most"
        if self.worker.drained is not None:
            return f"{busy} · drained, claims nothing: {self.worker.drained or 'no reason given'}"
        if not health.schema_ok:
            return "starting"
        if not health.db_up:
            return f"{busy} · database away, trying"
        parts = [busy, *of_lanes(self.metrics.sampled.lanes)]
        if not health.listen_up:
            parts.append("polling, the bell is silent")
        return " · ".join(parts)


def _seconds_left(job: Job, now: float) -> float:
    limit = job.timeout_seconds
    return math.inf if limit is None or not job.started else job.started + limit - now


def of_lanes(lanes: Iterable[Mapping[str, Any]]) -> list[str]:
    """What a status line says of lanes as sample_lanes.sql has them: `45 pending`, `oldest due 4m12s (leads)`, ..."""
    known = [lane for lane in lanes if lane.get("pending") is not None]
    if not known:
        return ["lanes not read yet"]
    parts = [f"{sum(lane['pending'] for lane in known)} pending"]
    oldest = max(known, key=lambda lane: lane.get("oldest_due_seconds") or 0.0)
    if (due := oldest.get("oldest_due_seconds") or 0.0) >= 1:
        parts.append(f"oldest due {short(due)} ({oldest['lane']})")
    if paused := [lane["lane"] for lane in known if lane.get("paused")]:
        parts.append(f"paused: {', '.join(paused[:3])}{' ...' if len(paused) > 3 else ''}")
    trips = [lane.get("canary_roundtrip_seconds") for lane in known]
    if slowest := max((trip for trip in trips if trip is not None), default=None):
        parts.append(f"canary {slowest * 1000:.0f} ms")
    return parts


def short(seconds: float) -> str:
    """`4m12s`, `3h05m`, `2d4h`: two units at most."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600}h"
