"""The bell: a latch that Postgres, a finished job or a timer rings, and the sleep that loses no ring.

A worker that finds nothing stays awake a moment, then says that it sleeps and looks once more after every transaction
that may have read "awake" has ended (docs/decisions.md has the proof): only then is silence trusted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from .db import Away, Backoff, Database, describe
from .sql import query
from .store import Store

log = structlog.get_logger()

CHANNEL = "bellhand"
AWAKE_SECONDS = 0.012  # at 500 jobs a second few gaps are longer; one job in a while is met by the bell, at once
AWAKE_POLL_SECONDS = 0.002
FLAG_POLLS = 1.5  # for how long the flag says that we sleep; it is renewed a quarter earlier
TIMER_EARLY_SECONDS = 0.01  # a wait may end so much too soon: uvloop's timers count ms
DEAF_POLL_SECONDS_MAX = 1.0
PROBE_SECONDS = 20.0
PROBE_ANSWER_SECONDS = 5.0
NOTIFY_QUEUE_MAX = 0.5  # ring.sql does not ring above it either


class Bell:
    """A latch: however often it rings, one wait returns."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Let the current wait, or the next one, return at once."""
        if not self._rung.is_set():  # most rings are: every job that ends rings
            self._rung.set()

    async def wait(self, seconds: float) -> bool:
        """Return once the bell has rung since the last wait, or after `seconds`; whether it rang."""
        if not self._rung.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._rung.wait()
            except TimeoutError:
                pass
        # Cleared before the claim that follows: a ring can be early, never lost.
        rang = self._rung.is_set()
        self._rung.clear()
        return rang


class Sleep:
    """Decides how long to wait after each claim, and tells Postgres when somebody must ring.

    `seconds_after` returns the wait; `sound` means that every insert from now on rings.
    """

    def __init__(self, store: Store, poll_seconds: float, clock: Callable[[], float]) -> None:
        self.store = store
        self.poll_seconds = poll_seconds
        self.clock = clock
        self.listening = False  # False: nobody hears a NOTIFY, so we poll
        self.token = 0
        self.xid = 0
        self.until = 0.0
        self.idle_since = 0.0
        self.sound = False
        self.naps = 0

    async def seconds_after(self, work: bool, xmin: int) -> float:
        """How long to wait after a claim that got work or none, with oldest running transaction `xmin`.

        A canary is no work: it does not wake who sleeps, so the flag stays up, and what comes after it rings as before.
        """
        now = self.clock()
        if work:
            self.idle_since = now
            await self._wake()
            return AWAKE_POLL_SECONDS
        if not self.listening:
            quiet = (now - self.idle_since) / 4
            return min(self.poll_seconds, DEAF_POLL_SECONDS_MAX, max(AWAKE_POLL_SECONDS, quiet))
        if now - self.idle_since < AWAKE_SECONDS:
            return AWAKE_POLL_SECONDS
        if self._renew_at() <= now:
            self.flag_is_up(*await self.store.fall_asleep(self.poll_seconds * FLAG_POLLS), now)
            return self._renew_at() - now if self.sound else 0.0  # 0: a look, now that it is up
        self.sound = self.sound or xmin > self.xid
        if self.sound:
            return self._renew_at() - now
        # Somebody's older transaction is still open; look again soon, and ever less often.
        self.naps += 1
        return min(0.5, 0.005 * 2.0 ** min(self.naps, 10))

    def flag_seconds(self) -> float | None:
        """For how long the flag should be up from the next claim on, whose statement can say so too; None: it need not."""
        due = (
            self.sound and self.listening and self._renew_at() <= self.clock() + TIMER_EARLY_SECONDS
        )
        return self.poll_seconds * FLAG_POLLS if due else None

    def flag_is_up(self, token: int, xid: int, was_up: bool, asked: float) -> None:
        """Postgres was told, at `asked` by our clock, that we sleep."""
        self.token, self.xid = token, xid
        # A flag that never went down rang for everything since the look before this: the silence is as sound as it was.
        self.sound = self.sound and was_up and self.clock() < self.until
        self.until = asked + self.poll_seconds * FLAG_POLLS
        self.naps = 0

    def _renew_at(self) -> float:
        return self.until - self.poll_seconds / 4

    async def _wake(self) -> None:
        if self.token:
            token, self.token, self.until = self.token, 0, 0.0
            await self.store.wake_up(token)

    def forget(self) -> None:
        """The connection was lost or the listener is new: whatever was agreed holds no more."""
        self.token, self.until, self.sound = 0, 0.0, False


class Listener:
    """Keeps one connection listening, for ever: LISTEN first, then one ring, since something may have been missed.

    It sends itself a notification now and then, because a connection may be open and deaf; one that does not come back is
    dropped. When even a fresh connection is deaf (a transaction pooler), it says so and leaves the polling to the worker.
    """

    def __init__(
        self,
        database: Database,
        *,
        heard: Callable[[str], None],
        random: Callable[[], float],
        on_change: Callable[[bool], None],
    ) -> None:
        self.database = database
        self.heard = heard
        self.on_change = on_change
        self.backoff = Backoff(random)
        self.answered = asyncio.Event()
        self.nonce = ""
        self.random = random
        self.deaf = False
        self.settled = asyncio.Event()  # it is known whether we hear or must poll

    def _on_notify(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if payload == self.nonce:
            self.answered.set()
        elif not str(payload).startswith("probe:"):
            self.heard(str(payload))

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            connection = None
            try:
                connection = await self.database.connect("listen")
                await self._listen(connection)
                if not self.deaf:
                    log.warning("listener_lost", error="its connection has ended")
            except (
                Away,
                OSError,
                TimeoutError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
            ) as error:
                if self.backoff.tries == 0:  # once an outage, not once a try
                    log.warning("listener_lost", error=describe(error))
            finally:
                self.on_change(False)
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(30.0 if self.deaf else self.backoff.next_seconds())

    async def _listen(self, connection: asyncpg.Connection) -> None:
        gone = asyncio.Event()
        connection.add_termination_listener(lambda _connection: gone.set())
        async with asyncio.timeout(self.database.connect_seconds):
            await connection.add_listener(CHANNEL, self._on_notify)
        # Behind a pooler the probe may come back by chance, over the connection that both happened to use.
        if self.database.pooled or not await self._probe(connection, gone):
            if not self.deaf:
                log.warning(
                    "bell_is_deaf",
                    why="LISTEN works here but nothing arrives, as behind a transaction pooler",
                    fix="give the daemon a direct connection (or a session pool); it polls meanwhile",
                )
            self.deaf = True
            self.settled.set()
            return
        self.deaf = False
        self.backoff.reset()
        self.settled.set()
        self.on_change(True)
        self.heard("soon")
        while not gone.is_set():
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await gone.wait()
            except TimeoutError:
                if not await self._probe(connection, gone):
                    log.warning(
                        "listener_deaf", why="a notification sent to ourselves did not come back"
                    )
                    return

    async def _probe(self, connection: asyncpg.Connection, gone: asyncio.Event) -> bool:
        """Send ourselves a notification; whether it came back in time."""
        self.answered.clear()
        self.nonce = f"probe:{self.random():.17f}"
        try:
            async with asyncio.timeout(PROBE_ANSWER_SECONDS):
                if await connection.fetchval(query("probe_bell"), CHANNEL, self.nonce, NOTIFY_QUEUE_MAX):  # fmt: skip
                    raise Away(
                        "the server's queue of notifications is full: "
                        "a session that listens does not read it, perhaps idle in a transaction"
                    )
                await self.answered.wait()
        except TimeoutError:
            return False
        return not gone.is_set()
