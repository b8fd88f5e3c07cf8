"""A daemon makes itself known: what its code and configuration say, and that it lives."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

import structlog

from . import __version__
from .db import Again, Away, Backoff
from .handler_code import code_digest
from .heartbeat import Held
from .settings import Lane, Settings
from .store import Surroundings
from .worker import Worker

log = structlog.get_logger()


class Registration:
    """The entry of one worker in the database; `held` is None while there is none."""

    def __init__(self, worker: Worker, settings: Settings, random: Callable[[], float]) -> None:
        self.worker = worker
        self.store = worker.store
        self.settings = settings
        self.random = random
        self.gone = asyncio.Event()
        self.goodbye: asyncio.Task[None] | None = None
        self.left = False
        self.code = ""  # of the handlers, once it was read

    async def enter(self) -> Surroundings:
        """Everything a database must know before the first claim; waits while it is away."""
        backoff = Backoff(self.random)
        while True:
            try:
                await self.publish(self.settings)
                placed = await self.store.rebuild_queue()
                if placed is not None:
                    log.warning(
                        "queue_rebuilt",
                        jobs=placed,
                        why="the database was restored or moved to another cluster",
                    )
                await self.store.prepare_history()
                around = await self.store.look_around(list(self.worker.kinds))
                await self._register()
                return around
            except (Away, Again) as error:
                log.warning("start_delayed", error=str(error))
                await asyncio.sleep(backoff.next_seconds())

    async def publish(self, settings: Settings) -> None:
        """Publish kinds, lanes, schedules, channels and what the insert trigger reads; again after a reload."""
        self.settings = settings
        kinds = [kind.published() for kind in self.worker.kinds.values()]
        known = dict(settings.lanes)
        if any(kind["lane"] == "notify" for kind in kinds):
            known.setdefault("notify", Lane(concurrency=settings.notify.concurrency))
        lanes = [{"name": name, **lane.model_dump()} for name, lane in known.items()]
        schedules = [{"name": name, **one.published()} for name, one in settings.schedules.items()]
        await self.store.publish(kinds, lanes, schedules)
        shown = {"kind", "digest_seconds", "digest_max"}
        await self.store.publish_channels(
            [{"name": name, **one.model_dump(include=shown)} for name, one in settings.notify.channels.items()],
            [{"name": name, **one.model_dump()} for name, one in settings.notify.subscriptions.items()],
        )  # fmt: skip
        for name, value in settings.queue.model_dump().items():
            await self.store.set_meta(name, str(value))

    def lost(self) -> None:
        """Another daemon gave us up: `keep` enters anew, under a new name. Who has left misses its entry too, in its last beat."""
        if not self.left:
            self.worker.given_up()
            self.gone.set()

    def leaving(self) -> None:
        """The daemon goes down: the others are told, and nothing waits for that."""
        self.goodbye = asyncio.create_task(self._say_goodbye())

    async def _say_goodbye(self) -> None:
        with suppress(Away, Again):  # its beats say it too
            await self.store.start_draining()

    async def leave(self) -> int:
        """Hand back what is still ours and take out our entry; how many jobs that were. Raises Away, Again."""
        self.left = True
        return await self.store.retire_worker()

    def held(self) -> Held | None:
        """What the heartbeat keeps alive; called from its thread."""
        return self.worker.held() if self.worker.registered.is_set() else None

    async def keep(self) -> None:
        """Enter anew whenever it is lost, for ever; waits while the database is away. What else goes wrong ends the daemon: without
        an entry it would live and claim nothing."""
        while True:
            await self.gone.wait()
            self.gone.clear()
            backoff = Backoff(self.random)
            while not self.worker.registered.is_set():
                try:
                    await self._register()
                except (Away, Again):
                    await asyncio.sleep(backoff.next_seconds())

    async def _register(self) -> None:
        own, host = self.settings.worker, socket.gethostname()
        asked = self.worker.tools.clock()
        await self.store.register_worker(
            own.name or host, host, os.getpid(), __version__, list(self.worker.kinds), list(own.lanes), own.concurrency
        )  # fmt: skip
        if self.worker.drained is not None:  # under another name; a drain is of the process
            await self.store.drain(self.worker.drained)
        # Read once: what lies on the disk later may be the next deploy, which this process does not run.
        self.code = self.code or await asyncio.to_thread(code_digest, self.worker.kinds.values())
        if await self.store.note_deploy(self.code):
            log.info("deployed", version=__version__, code=self.code)
        self.worker.registered_at = asked
        self.worker.registered.set()
