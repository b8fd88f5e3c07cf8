"""The heartbeat: keeps this worker's leases, on its own thread and connection.

A handler that blocks the loop must not lose the leases of all others. The thread only reads what is running and hands
what it hears to the loop; when it has not been able to beat for almost a lease, it says so, and the worker stops what it
runs, because somebody else may be running it by now.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog

from .db import Again, Away, Backoff, Database, Link
from .sql import query

log = structlog.get_logger()

SILENT_AFTER = 0.8  # of a lease


@dataclass(frozen=True, slots=True)
class Held:
    """What a worker holds at one moment; `since` is when it registered, by the clock of this process."""

    worker: UUID
    since: float
    draining: bool
    ids: list[int]
    epochs: list[int]
    leases: list[int]


@dataclass(frozen=True, slots=True)
class Beat:
    """What one beat brought back: `known` is False when the worker was given up, `stops` are (id, epoch, reason), `drained` is
    why it is to claim nothing more ("" without a reason), None while it may."""

    known: bool
    rescue: bool
    stops: list[tuple[int, int, str]]
    drained: str | None = None


class Heartbeat:
    """Beats every `beat_seconds` until stopped; `on_beat` and `on_silence` are called on the loop that started it."""

    def __init__(
        self, database: Database, held: Callable[[], Held | None], *, beat_seconds: float, lease_seconds: float,
        random: Callable[[], float], clock: Callable[[], float], on_beat: Callable[[Beat], None], on_silence: Callable[[], None],
    ) -> None:  # fmt: skip
        self.database = database
        self.held = held
        self.beat_seconds = beat_seconds
        self.lease_seconds = lease_seconds
        self.random = random
        self.clock = clock
        self.on_beat = on_beat
        self.on_silence = on_silence
        self.last_beat = clock()  # when the last one that was answered was asked for
        self.silence: asyncio.TimerHandle | None = None
        self.failed: asyncio.Future[None] | None = None
        self.caller: asyncio.AbstractEventLoop | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread = threading.Thread(target=self._main, name="heartbeat", daemon=True)
        self.stopped = False
        self.now: asyncio.Event | None = None

    def start(self) -> None:
        """Start beating, reporting to the running loop."""
        self.caller = asyncio.get_running_loop()
        self.failed = self.caller.create_future()
        self.thread.start()

    async def watch(self) -> None:
        """Raise what ends the thread: nobody else would hear of it."""
        assert self.failed is not None  # set by start
        await self.failed

    def unheard_seconds(self) -> float:
        """How old the last beat is."""
        return self.clock() - self.last_beat

    def beat_now(self) -> None:
        """Beat at once: somebody asked a running job to stop."""
        if self.loop is not None and self.now is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.now.set)

    async def stop(self) -> None:
        """End the thread; returns when it has ended, or after two seconds."""
        self.stopped = True
        if self.caller is None:
            return  # it never started
        self.beat_now()
        await asyncio.to_thread(self.thread.join, 2.0)

    def _main(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._run())
        except Exception as error:  # a boundary: the daemon must not live on without a heart
            self._tell(self._fail, error)

    def _fail(self, error: Exception) -> None:
        assert self.failed is not None  # set by start
        if not self.failed.done():
            self.failed.set_exception(error)

    async def _run(self) -> None:
        self.loop, self.now = asyncio.get_running_loop(), asyncio.Event()
        # A beat that takes longer than this is no good: the lease would be gone.
        quick = Database(self.database.dsn, connect_seconds=min(5.0, self.lease_seconds / 4),
                         statement_seconds=min(5.0, self.lease_seconds / 4), lock_seconds=min(2.0, self.lease_seconds / 8),
                         answer_seconds=min(2.0, self.lease_seconds / 12), silent_seconds=self.database.silent_seconds,
                         pooled=self.database.pooled, session_pooled=self.database.session_pooled, settings=self.database.settings)  # fmt: skip
        link = quick.link("heartbeat", synchronous_commit="off")
        try:
            await self._beat_on(link)
        finally:
            link.drop()

    async def _beat_on(self, link: Link) -> None:
        backoff = Backoff(self.random, first_seconds=0.2, max_seconds=self.beat_seconds)
        worker: UUID | None = None
        while not self.stopped:
            held = self.held()
            wait = self.beat_seconds
            if held is None:  # not registered: there is nothing to keep alive
                worker = None
                if self.silence is not None:
                    self.silence.cancel()
                await self._rest(0.2)
                continue
            if held.worker != worker:  # it registered, which is a beat
                worker = held.worker
                self._heard(held.since)
            asked = self.clock()
            try:
                rows = await link.fetch(
                    query("beat"), held.worker, len(held.ids), held.draining, self.lease_seconds
                )
                self._heard(asked)
                backoff.reset()
                stops = await self._stops(link, held) if rows and held.ids else []
                if rows and not held.ids and not held.draining:
                    # Nothing to keep, nothing to stop: in time for the lease, and for whoever else falls silent.
                    idle = max(self.beat_seconds, self.lease_seconds / 3)
                    wait = min(idle, max(self.beat_seconds / 10, rows[0][1] + 0.01))
                said, drained = (rows[0][0], rows[0][2]) if rows else (None, None)
                self._tell(self.on_beat, Beat(said is not None, said == "rescue", stops, drained))
            except (Away, Again) as error:
                wait = backoff.next_seconds()
                if backoff.tries == 1:
                    log.warning("heartbeat_late", error=str(error))
            await self._rest(wait)

    def _heard(self, asked: float) -> None:
        """The lease counts from when it was asked for, since nobody knows how much later it was written down."""
        self.last_beat = asked
        if self.silence is not None:
            self.silence.cancel()
        assert self.loop is not None  # set at the start of _run
        # Before the lease is up, with time for the handlers to end, and whatever a beat that is on its way waits for.
        left = self.lease_seconds * SILENT_AFTER - self.unheard_seconds()
        self.silence = self.loop.call_later(max(0.0, left), self._tell, self.on_silence)

    async def _stops(self, link: Link, held: Held) -> list[tuple[int, int, str]]:
        """What to stop; nothing while the jobs are locked, the next beat hears of it."""
        try:
            rows = await link.fetch(query("stops"), held.worker, held.ids, held.epochs, held.leases)
        except (Away, Again) as error:
            log.info("stops_not_heard", error=str(error))
            return []
        return [(row[0], row[1], row[2]) for row in rows]

    async def _rest(self, seconds: float) -> None:
        assert self.now is not None  # set at the start of _run
        try:
            async with asyncio.timeout(seconds):
                await self.now.wait()
        except TimeoutError:
            pass
        self.now.clear()

    def _tell(self, what: Callable[..., None], *args: object) -> None:
        if self.caller is not None and not self.caller.is_closed():
            self.caller.call_soon_threadsafe(what, *args)
