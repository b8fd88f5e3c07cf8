"""How a daemon is doing, for the status port, for systemd and for the gauges; looks only at memory."""

from __future__ import annotations

import asyncio

from . import systemd
from .api.health import Health
from .bell import Listener, Sleep
from .heartbeat import Heartbeat
from .metrics import Metrics, Now
from .worker import Worker

STATUS_SECONDS = 10.0


class Vitals:
    """Asks the parts of one daemon."""

    def __init__(
        self, worker: Worker, sleep: Sleep, listener: Listener, heartbeat: Heartbeat, metrics: Metrics, *, poll_seconds: float
    ) -> None:  # fmt: skip
        self.worker = worker
        self.sleep = sleep
        self.listener = listener
        self.heartbeat = heartbeat
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
            draining=worker.stopping,
            worker_alive=now - worker.last_turn < self.turn_seconds_max,
            lag_seconds=now - self.heartbeat.last_beat,
        )

    async def tell_systemd(self) -> None:
        """STATUS, and WATCHDOG while the claim loop turns: a process that is merely alive is not fed."""
        interval = systemd.watchdog_seconds() or 3 * STATUS_SECONDS
        while True:
            health = self.health()
            if health.worker_alive:
                systemd.notify("WATCHDOG=1")
            busy, slots = len(self.worker.running), self.worker.limits.concurrency
            database = "database up" if health.db_up else "database away, trying"
            draining = " · draining" if health.draining else ""
            systemd.notify(f"STATUS={busy}/{slots} busy · {database}{draining}")
            await asyncio.sleep(min(STATUS_SECONDS, interval / 3))
