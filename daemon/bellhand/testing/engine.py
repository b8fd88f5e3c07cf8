"""The daemon's own parts, one job at a time: what the fixture runs jobs with, and lets die."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..bell import Bell, Sleep
from ..blocking import use_threads
from ..clients.hooks import Hooks
from ..clients.mail import Mail
from ..clients.services import Services
from ..clients.web import Web, WebLimits
from ..db import Database, HandlerPool
from ..job import Job, Tools
from ..keeper import Keeper
from ..kinds import Kind
from ..limits import Limits
from ..metrics import Metrics
from ..outcomes import Completed, Ended
from ..positions import Positions
from ..settings import Retention
from ..settings_notify import Mail as MailSettings
from ..settings_notify import Notify
from ..settings_services import Services as ServicesSettings
from ..settle import Settler
from ..sql import query
from ..stats import Tally
from ..store import Store
from ..worker import Worker

LEASE_SECONDS = 30.0
CRASHES_MAX = 30_000
THREADS = 256  # those of attempts that died stay until the end of the test
PROMOTE_LIMIT = 1_000
GRACE_SECONDS = 5.0
LOCAL = ("127.0.0.0/8", "::1/128")
ANY_PORT = tuple(range(1, 65536))

RETURNED = ("", "returned")
OnStep = Callable[[Job, str, str], Awaitable[None] | None]


@dataclass
class Place(Positions):
    """Claim positions that see one place in the queue: how `run` runs its own job and no other."""

    place: tuple[int, int, int, int] | None = None

    def where(self, room: int, oldest: int = 0) -> list[list[Any]]:
        """See Positions.where."""
        whole = super().where(room, oldest)
        if self.place is None or self.place[0] not in whole[5]:
            return [[], [], [], [], [], *whole[5:]]
        lane, rank, xid, id = self.place
        return [[lane], [rank], [rank], [xid], [id], *whole[5:]]


class Life:
    """One worker from its registration to its death; what it runs is written down as in the daemon."""

    def __init__(
        self, dsn: str, now: str | None, kinds: dict[str, Kind], web: Web, services: ServicesSettings,
        mail: MailSettings, on_step: OnStep | None,
    ) -> None:  # fmt: skip
        self.database = Database(dsn, settings={"bellhand.now": now} if now else {})
        self.store = Store(self.database, HandlerPool(self.database, 16))
        self.kinds = kinds
        self.metrics = Metrics(
            {kind.name: kind.lane for kind in kinds.values()}, version=__version__
        )
        self.services = Services(
            services, database=self.database, random=random.random, registry=self.metrics.registry
        )
        self.mail = Mail(mail)
        self.hooks = Hooks(Notify(allow_networks=LOCAL, ports=ANY_PORT))
        tools = Tools(self.store, random.random, time.monotonic, web, on_step, self.services, self.mail, self.hooks)  # fmt: skip
        self.settler = Settler(
            self.store, batch_max=100, random=random.random, on_settled=self._settled
        )
        sleep = Sleep(self.store, 10.0, time.monotonic)
        limits = Limits(
            concurrency=1,
            claim_batch_max=1,
            oldest_first_one_in=10,
            kill_grace_seconds=GRACE_SECONDS,
            claim_seconds=LEASE_SECONDS,
            unheard_seconds_max=LEASE_SECONDS,
            crashes_max=CRASHES_MAX,
        )
        self.worker = Worker(
            tools, self.settler, Bell(), sleep, kinds, Place(), self.metrics, limits
        )
        self.keeper = Keeper(
            self.store, kinds, canary_seconds=0, lease_seconds=LEASE_SECONDS, crashes_max=CRASHES_MAX,
            retention=Retention(), hear=self.worker.hear, at_rest=lambda: False, metrics=self.metrics,
            tally=Tally(self.worker.id), random=random.random,
            clock=time.monotonic,
        )  # fmt: skip
        self.settling: asyncio.Task[None] | None = None
        self.last: int | None = None  # the job that ended last

    def _settled(self, job: Job, outcome: str, end: Completed | Ended) -> None:
        if outcome != "park":
            self.last = job.id

    async def start(self) -> None:
        """Register, as a daemon does."""
        await self.store.publish([kind.published() for kind in self.kinds.values()], [], [])
        own: tuple[Any, ...] = ("testing", "testing", 0, __version__, list(self.kinds), [], 1)
        await self.store.register_worker(*own)
        self.settling = asyncio.create_task(self.settler.run())

    async def look(self) -> None:
        """The chores that bring jobs forth: cron, what was parked or blocked, what is due."""
        await self.keeper.look_around()
        await self.keeper.fire_schedules()
        await self.store.promote(PROMOTE_LIMIT, None)

    async def claim(self, only: int | None) -> bool:
        """Claim one job that is ready, or this one, and start it."""
        positions = self.worker.positions
        assert isinstance(positions, Place)
        plain = Positions(lanes=positions.lanes, known=positions.known)
        if only is not None:
            row = await self.store.chores.fetch(query("testing_place"), only)
            if not row:
                return False
            self.worker.positions = Place(
                lanes=plain.lanes, known=plain.known, place=tuple(row[0].values())
            )
        else:
            self.worker.positions = plain
        try:
            claimed, *_ = await self.worker._claim(1)
        finally:
            self.worker.positions = positions
        return claimed > 0

    async def finish(self) -> None:
        """Wait until what was claimed has ended and is written down."""
        if tasks := self.tasks():
            await asyncio.wait(tasks)
        await self.settler.idle.wait()

    def jobs(self) -> list[Job]:
        """What runs now."""
        return list(self.worker.running.values())

    def tasks(self) -> set[asyncio.Task[None]]:
        """The tasks of what runs now."""
        return {job.task for job in self.jobs() if job.task is not None}

    async def die(self) -> None:
        """As kill -9 would have it: nothing more reaches the database."""
        if self.settling is not None:
            self.settling.cancel()
        await self.services.close()
        await self.mail.close()
        await self.hooks.close()
        for link in self.database.links:
            link.drop()
        for job in self.jobs():
            if self.kinds[job.kind].isolate and job.task is not None:
                # The second one kills the process without waiting for what it has to say.
                job.stop_now("lost")
                await asyncio.sleep(0)
                job.task.cancel()
                await asyncio.wait({job.task}, timeout=GRACE_SECONDS)

    async def retire(self) -> None:
        """Leave in order."""
        await self.store.retire_worker()
        await self.die()

    async def bury(self) -> None:
        """End what still runs; what it does now comes too late for anybody."""
        tasks = self.tasks()
        for job in self.jobs():
            job.stop_now("lost")
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        await self.die()


class Engine:
    """Everything async behind the fixture; used on its own loop only."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.kinds: dict[str, Kind] = {}
        self.now: str | None = None
        self.life: Life | None = None
        self.dead: list[Life] = []
        self.web = Web(WebLimits(allow_networks=LOCAL, ports=ANY_PORT))
        self.service_settings = ServicesSettings(allow_networks=LOCAL)
        self.mail_settings = MailSettings()
        use_threads(THREADS)

    async def alive(self) -> Life:
        """The worker, registered."""
        if self.life is None:
            self.life = await self.new_life(None)
        return self.life

    async def new_life(self, on_step: OnStep | None) -> Life:
        """Another worker."""
        life = Life(self.dsn, self.now, self.kinds, self.web, self.service_settings, self.mail_settings, on_step)  # fmt: skip
        await life.start()
        return life

    async def restart(self) -> None:
        """Another worker with the clock and the kinds of now."""
        life, self.life = self.life, None
        if life is not None:
            await life.retire()

    async def fetch(self, name: str, *args: Any) -> list[Any]:
        """Run one of the statements of sql/queries."""
        return await (await self.alive()).store.chores.fetch(query(name), *args)

    async def run(self, only: int | None = None) -> int | None:
        """Run one job that is ready, or this one, and return its id; None when there is none."""
        life = await self.alive()
        await life.look()
        life.last = None
        while life.last is None:
            if not await life.claim(only):
                return None
            await life.finish()
        return life.last

    async def run_until(self, job: int, last: tuple[str, str]) -> bool:
        """Run this job until a step says `last`, and die there; False if it ends before.

        RETURNED dies after the handler has returned and before that is written down.
        """
        reached = asyncio.Event()
        frozen: set[str] = set()

        async def on_step(_job: Job, name: str, what: str) -> None:
            if (name, what) == last:
                reached.set()
            # Steps that run beside it may still be written, unless the body is where it dies.
            if reached.is_set() and (what != "ran" or last[1] == "ran"):
                frozen.add(name)
                await asyncio.Event().wait()  # for ever: a dead process runs nothing more

        await self.restart()
        life = await self.new_life(on_step)
        self.dead.append(life)
        if last == RETURNED and life.settling is not None:
            life.settling.cancel()
        await life.look()
        if await life.claim(job):
            await self._until(reached, life, frozen)
        died = reached.is_set() or last == RETURNED
        if not died:
            await life.finish()
        await life.die()
        # Its lease runs out at once, without moving the clock of the test.
        await (await self.alive()).store.rescue(-1.0, CRASHES_MAX)
        await self.restart()
        return died

    async def _until(self, reached: asyncio.Event, life: Life, frozen: set[str]) -> None:
        """Wait until the job has ended, or all that runs of it is frozen."""
        while (tasks := life.tasks()) and not reached.is_set():
            death = asyncio.ensure_future(reached.wait())
            await asyncio.wait({*tasks, death}, return_when=asyncio.FIRST_COMPLETED)
            death.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                while not all(  # noqa: ASYNC110 (nobody says when the last one freezes)
                    frozen.issuperset(job.steps_running) for job in life.jobs()
                ):
                    await asyncio.sleep(0.002)

    async def record(self, job: int) -> list[tuple[str, str]]:
        """Run this job once, undisturbed; every moment at which it could have died."""
        moments: list[tuple[str, str]] = []
        await self.restart()
        life = self.life = await self.new_life(lambda _job, *moment: moments.append(moment))
        await life.look()
        if await life.claim(job):
            await life.finish()
        await self.restart()
        return [*moments, RETURNED]

    async def bury(self) -> None:
        """Let go of the attempts that died; what they do now comes too late."""
        dead, self.dead = self.dead, []
        for life in dead:
            await life.bury()

    async def close(self) -> None:
        """End everything."""
        await self.bury()
        if self.life is not None:
            await self.life.bury()
        await self.web.close()
