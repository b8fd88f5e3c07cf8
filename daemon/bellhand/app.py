"""The composition root: builds everything, runs it side by side, and takes it down in order.

Nothing else in the package constructs collaborators. A background task that ends with an error takes the daemon down
with exit code 1: systemd starts it again, where half a daemon would look alive and do nothing.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random as random_module
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog

from . import __version__, canary, systemd
from .bell import Bell, Listener, Sleep
from .blocking import use_threads
from .clients.hooks import Hooks
from .clients.mail import Mail
from .clients.services import Services
from .clients.web import BrowserLimits, Web, WebLimits
from .db import Again, Away, Database, HandlerPool
from .ended import Counts
from .errors import Problem
from .heartbeat import Beat, Heartbeat
from .job import Job, Tools
from .joblog import JobLines
from .keeper import Keeper, every
from .kinds import Kind, find_kinds
from .limits import Limits
from .logs import count_levels, set_level
from .metrics import Metrics
from .outcomes import Completed, Ended
from .positions import Positions
from .preflight import wait_for_database
from .progress import ProgressWriter
from .registration import Registration
from .settings import Settings, load
from .settle import Settler
from .stats import Tally
from .store import Store
from .surfaces import Origins, metrics_port, status_port
from .vitals import Vitals
from .worker import Worker

log = structlog.get_logger()
SERVICES_SECONDS = 60.0
EXIT_HARD = 75  # the drain did not end in time


class Daemon:
    """One process: a worker, what keeps it alive, and the status port."""

    def __init__(
        self, settings: Settings, *, kinds: dict[str, Kind] | None = None, config: Path | None = None,
        random: Callable[[], float] = random_module.random, origins: Origins = (),
    ) -> None:  # fmt: skip
        self.settings = settings
        self.config = config
        self.random = random
        self.clock = time.monotonic
        use_threads(settings.worker.threads)
        self.kinds = find_kinds(settings.modules) if kinds is None else kinds
        self.metrics = Metrics({kind.name: kind.lane for kind in self.kinds.values()}, version=__version__)  # fmt: skip
        self.metrics.sampled.slo_seconds = lambda lane: self.settings.slo_seconds(lane)
        if settings.metrics.canary_seconds:  # it is no work, and counted nowhere
            self.kinds = {**self.kinds, canary.NAME: canary.KIND}
        self.database = _database(settings)
        self.pool = HandlerPool(self.database, settings.database.handler_connections)
        self.store = Store(self.database, self.pool)
        self.web = Web(WebLimits(**settings.web.model_dump()), browser=BrowserLimits(**settings.browser.model_dump()))  # fmt: skip
        self.services = Services(settings.services, database=self.database, random=random, registry=self.metrics.registry)  # fmt: skip
        self.mail, self.hooks = Mail(settings.mail), Hooks(settings.notify)
        tools = Tools(self.store, random, self.clock, self.web, self._stepped, self.services, self.mail, self.hooks)  # fmt: skip
        self.bell = Bell()
        self.sleep = Sleep(self.store, settings.worker.poll_seconds, self.clock)
        self.settler = Settler(self.store, batch_max=settings.worker.settle_batch_max, random=random,
                               logged_seconds=settings.log.completed_seconds, on_settled=self._settled, on_written=self._written)  # fmt: skip
        self.worker = Worker(tools, self.settler, self.bell, self.sleep, self.kinds, Positions(frozenset(settings.worker.lanes)),
                             self.metrics, _limits(settings), lambda: self.heartbeat.unheard_seconds())  # fmt: skip
        self.registration = Registration(self.worker, settings, random)
        self.tally = Tally(self.worker.id)
        self.counts = Counts(self.metrics, self.tally)
        self.keeper = Keeper(
            self.store, self.kinds, canary_seconds=settings.metrics.canary_seconds, lease_seconds=settings.worker.lease_seconds,
            crashes_max=settings.worker.crashes_max, retention=settings.retention, hear=self.worker.hear,
            at_rest=lambda: self.sleep.sound, metrics=self.metrics, tally=self.tally, random=random, clock=self.clock,
        )  # fmt: skip
        self.listener = Listener(self.database, heard=self._heard, random=random, on_change=self._listening)  # fmt: skip
        self.heartbeat = Heartbeat(
            self.database, self.registration.held, beat_seconds=settings.worker.heartbeat_seconds, lease_seconds=settings.worker.lease_seconds,
            random=random, clock=self.clock, on_beat=self._beat, on_silence=self._silence,
        )  # fmt: skip
        self.vitals = Vitals(self.worker, self.sleep, self.listener, self.heartbeat, self.metrics,
                             poll_seconds=settings.worker.poll_seconds)  # fmt: skip
        self.status = status_port(settings.status, self.metrics, self.vitals.health, self.database, random, shown=settings.model_dump(mode="json"), origins=origins)  # fmt: skip
        own = metrics_port(settings, self.metrics, self.vitals.health, self.database)
        self.ports = [self.status, *([own] if own else [])]
        self.exit_hard_after: Callable[[float], None] = _no_exit  # a process of its own sets it
        self.ready = asyncio.Event()
        self.stop_asked = asyncio.Event()
        self.hurry = asyncio.Event()
        self.progress = ProgressWriter(self.store, self.worker.running, self.metrics)
        self.lines = JobLines(self.store, settings.log, self.worker.running, self.clock, random)
        self.reloading: set[asyncio.Task[None]] = set()

    # -- life

    async def run(self) -> int:
        """Work until told to stop; the exit code. Raises Problem for what only a person can put right."""
        try:
            for port in self.ports:
                await port.start()
            stopped_early = asyncio.create_task(self.stop_asked.wait())
            prepared = asyncio.create_task(self._prepare())
            await asyncio.wait({stopped_early, prepared}, return_when=asyncio.FIRST_COMPLETED)
            if not prepared.done():
                prepared.cancel()
                await asyncio.gather(prepared, return_exceptions=True)
                return 0
            stopped_early.cancel()
            await prepared
            return await self._work()
        finally:
            await self.heartbeat.stop()
            for port in self.ports:
                await port.stop()
            await self.web.close()
            await self.services.close()
            await self.mail.close()
            await self.hooks.close()
            for link in self.database.links:
                link.drop()
            systemd.notify("STOPPING=1")

    async def _work(self) -> int:
        """Everything side by side until told to stop; one that ends by itself is a fault, and takes all down."""
        asyncio.get_running_loop().set_exception_handler(_callback_failed)
        stop = asyncio.create_task(self.stop_asked.wait())
        loop = asyncio.create_task(self.worker.run())
        side = [asyncio.ensure_future(what) for what in (self._announce(), *self._beside())]
        try:
            await self._until(stop, [loop, *side])
            if not stop.done():
                self.hurry.set()
            await self._drain(loop)
            return 0 if stop.done() else 1
        finally:
            for task in (stop, loop, *side):
                task.cancel()
            await asyncio.gather(stop, loop, *side, return_exceptions=True)

    async def _until(self, stop: asyncio.Task[Any], others: list[asyncio.Future[Any]]) -> None:
        """Return when told to stop, or when one of the others has failed."""
        waiting = {stop, *others}
        while not stop.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stop}:
                if task.exception() is not None:
                    log.critical(
                        "part_failed",
                        exc_info=task.exception(),
                        note="the whole daemon stops: half of one would look alive",
                    )
                    return

    async def _prepare(self) -> None:
        """Everything before the first claim; waits for a database that is away."""
        await wait_for_database(self.database, self.random)
        self.worker.hear(await self.registration.enter())
        self.services.look_soon()
        self.heartbeat.start()

    def _beside(self) -> list[Awaitable[None]]:
        return [
            self.heartbeat.watch(),
            self.registration.keep(),
            self.listener.run(),
            self.settler.run(),
            self.progress.run(),
            self.lines.run(),
            self.vitals.tell_systemd(),
            every(SERVICES_SECONDS, self.services.look, Bell(), self.random),
            *self.keeper.chores(),
        ]

    async def _announce(self) -> None:
        """Say READY once we listen (or know that we must poll) and have claimed for the first time."""
        await self.worker.first_claim.wait()
        await self.listener.settled.wait()
        self.ready.set()
        systemd.notify("READY=1", f"STATUS={self.vitals.status(self.vitals.health())}")
        log.info("ready", kinds=len(self.kinds), listening=self.sleep.listening, status_port=self.status.port)  # fmt: skip

    async def _drain(self, loop: asyncio.Task[None]) -> None:
        """Claim no more, let what runs end, hand back the rest; the heartbeat goes on until the last handler ended."""
        own, grace = self.settings.worker, self.settings.worker.grace_seconds
        self.worker.stopping = True
        self.vitals.drains_within(grace + own.kill_grace_seconds)
        self.metrics.set_draining(True)
        log.info("draining", running=len(self.worker.running), grace_seconds=grace)
        self.registration.leaving()
        self.bell.ring()
        # The claim that may be on its way first: what it brings must hear of the drain too.
        over = asyncio.create_task(self.worker.claims_over.wait())
        await asyncio.wait({loop, over}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        if not over.done():
            loop.cancel()
        self.worker.stop_all("drain", now=False)
        self.worker.note_idle()
        hurry = asyncio.create_task(self.hurry.wait())
        ended = asyncio.create_task(self.worker.idle.wait())
        await asyncio.wait({hurry, ended}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        self.exit_hard_after(own.kill_grace_seconds + 15)
        self.worker.stop_all("drain")
        await asyncio.wait({ended}, timeout=own.kill_grace_seconds + 5)
        for task in (hurry, ended, over):
            task.cancel()
        handed_back = 0
        try:
            async with asyncio.timeout(8):
                await self.settler.idle.wait()
                await self.lines.flush()
                await self.keeper.write_stats()
                handed_back = await self.registration.leave()
        except (TimeoutError, Away, Again) as error:
            log.warning("left_without_goodbye", why=str(error) or "the database does not answer", unsettled=self.settler.backlog,
                        note="the lease runs out and the jobs run again")  # fmt: skip
        log.info("stopped", handed_back=handed_back)

    # -- what the parts tell each other ------------------------------------------------------------------------------

    def _heard(self, payload: str) -> None:
        """A NOTIFY arrived."""
        self.metrics.wakeup("notify")
        self.bell.ring()
        if payload != "":
            self.keeper.promote_bell.ring()
        if payload == "services":
            self.services.look_soon()
        if payload == "look":
            self.keeper.look_bell.ring()
            self.heartbeat.beat_now()

    def _listening(self, up: bool) -> None:
        self.sleep.listening = up
        self.sleep.forget()
        self.metrics.set_listen_up(up)
        self.bell.ring()

    def _beat(self, beat: Beat) -> None:
        self.metrics.set_db_up(True)
        if not beat.known:
            self.registration.lost()
            return
        if beat.rescue:
            self.keeper.somebody_is_silent()
        self.worker.stop_some(beat)

    def _silence(self) -> None:
        """Almost a lease without a beat: others may take our jobs any moment, so stop them and hand them back when we can."""
        self.metrics.set_db_up(False)
        why = "no heartbeat got through"
        log.error("lease_running_out", jobs=len(self.worker.running), why=why)
        self.worker.stop_all("silence")

    def _stepped(self, job: Job, _name: str, what: str) -> None:
        """A step starts, ran, or is written down."""
        if what in ("completed", "failed"):
            self.metrics.step_finished(job.kind, what, job.step_seconds)

    def _settled(self, job: Job, outcome: str, end: Completed | Ended) -> None:
        """Postgres accepted (or fenced) how an attempt ended: count it."""
        self.progress.forget(job.id)
        if job.kind == canary.NAME:
            self.keeper.canary_bell.ring()
            return
        if outcome == "lost":
            self.metrics.stale_result(job.kind)
            return
        self.counts.add(job, outcome, end)
        if isinstance(end, Ended) and outcome in ("retry", "snooze", "crash"):
            self.keeper.due_in(end.wait_seconds)

    def _written(self) -> None:
        """A batch of outcomes is durable: they are counted together, and there may be room again."""
        self.counts.written()
        self.lines.settled()
        self.worker.room_again()

    # -- the outside -------------------------------------------------------------------------------------------------

    def catch_signals(self) -> None:
        """This process is ours: SIGTERM and SIGINT drain, a second one hurries, SIGHUP reloads, and nothing (a handler in
        C code, a thread) keeps it alive once the drain is over."""
        self.exit_hard_after = _exit_hard_after
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)

    def stop(self) -> None:
        """The first call drains; a second one checkpoints at once."""
        if self.stop_asked.is_set():
            self.hurry.set()
        self.stop_asked.set()

    def _reload_soon(self) -> None:
        task = asyncio.create_task(self.reload())
        self.reloading.add(task)
        task.add_done_callback(self.reloading.discard)

    async def reload(self) -> None:
        """Take in the configuration again: limits, lanes, schedules, services, mail, channels, log level. A bad one changes nothing."""
        # A READY before the first, or while draining, would not be true.
        if told := self.ready.is_set() and not self.worker.stopping:
            systemd.notify("RELOADING=1")
        try:
            settings = load(self.config)
        except Problem as problem:
            note = "the old configuration stays in force"
            log.error("reload_refused", error=str(problem), note=note)
        else:
            self.settings = settings
            self.worker.limits = _limits(settings)
            self.mail.reload(settings.mail)
            self.hooks.reload(settings.notify)
            await self.services.reload(settings.services)
            set_level(settings.log.level)
            self.settler.logged_seconds = settings.log.completed_seconds
            try:
                await self.registration.publish(settings)
            except (Away, Again) as error:
                log.warning("reload_delayed", error=str(error))
            self.keeper.look_bell.ring()
            log.info("reloaded", concurrency=settings.worker.concurrency)
        finally:  # however it went: until READY systemd takes it to be reloading, and refuses to reload again
            if told:
                systemd.notify("READY=1")


def _database(settings: Settings) -> Database:
    own = settings.database
    return Database(
        settings.dsn, connect_seconds=own.connect_seconds, statement_seconds=own.statement_seconds,
        lock_seconds=own.lock_seconds, silent_seconds=own.silent_seconds, pooled=own.pooler == "transaction", session_pooled=own.pooler == "session",
    )  # fmt: skip


def _limits(settings: Settings) -> Limits:
    own = settings.worker
    return Limits(
        own.concurrency, own.claim_batch_max, own.oldest_first_one_in, own.kill_grace_seconds, own.lease_seconds * 0.8,
        own.lease_seconds / 2, own.crashes_max,
    )  # fmt: skip


def _callback_failed(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An error that no task was there to take: a handler's stray task, or a fault of ours; never silent."""
    log.error("unhandled_error", note=str(context.get("message")), exc_info=context.get("exception"))  # fmt: skip


def _no_exit(_seconds: float) -> None:
    """In somebody else's process nothing is ours to end."""


def _exit_hard_after(seconds: float) -> None:
    timer = threading.Timer(seconds, os._exit, (EXIT_HARD,))
    timer.daemon = True
    timer.start()


def collect_garbage_seldom() -> None:
    """What is loaded stays, and jobs that complete leave no cycles: collecting at every 700 objects costs a quarter of the hot path."""
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


def run(settings: Settings, *, config: Path | None = None, origins: Origins = ()) -> int:
    """Run a daemon in this process until it is told to stop; the exit code."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(_run(settings, config, origins))
    return uvloop.run(_run(settings, config, origins))


async def _run(settings: Settings, config: Path | None, origins: Origins) -> int:
    daemon = Daemon(settings, config=config, origins=origins)
    daemon.catch_signals()
    count_levels(daemon.metrics.logged)
    collect_garbage_seldom()
    return await daemon.run()
