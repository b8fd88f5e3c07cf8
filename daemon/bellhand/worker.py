"""The core loop: claim what there is room for, hand it out, sleep until the bell.

One job's way through this file: `run` claims it, `_start` makes it a task, `_carry` runs it (attempt.py) and hands its
outcome to the settler (settle.py). Nothing else touches a running job but `stop_some`, which the heartbeat calls, and the
deadlines.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from asyncpg import Record

from . import canary
from .attempt import attempt, stopped
from .bell import Bell, Sleep
from .db import Again, Away, Backoff, Trouble
from .deadlines import Deadlines
from .heartbeat import Beat, Held
from .job import Job, Tools
from .kinds import Kind
from .limits import Limits
from .logs import current
from .metrics import Metrics
from .outcomes import Ended
from .positions import ByAge, Positions
from .settle import Settler
from .store import Surroundings
from .suspects import Suspects

log = structlog.get_logger()

HINTS_EVERY_CLAIMS = 8
GATHER_SECONDS = 0.002
RING_OTHERS_APART_SECONDS = 1.0
# Then answers from Postgres are looked at: a whole batch would keep them waiting.
BEGIN_AT_ONCE = 100


class Worker:
    """One claiming loop. Collaborators come from app.py."""

    def __init__(
        self, tools: Tools, settler: Settler, bell: Bell, sleep: Sleep, kinds: dict[str, Kind], positions: Positions,
        metrics: Metrics, limits: Limits, unheard_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:  # fmt: skip
        self.tools = tools
        self.store = tools.store
        self.settler = settler
        self.bell = bell
        self.sleep = sleep
        self.kinds = kinds
        self.positions = positions
        self.metrics = metrics
        self.limits = limits
        self.unheard_seconds = unheard_seconds  # since the last beat
        self.store.worker = uuid.uuid4()
        self.running: dict[int, Job] = {}
        self.zombies: set[asyncio.Task[None]] = set()
        self.paused_kinds: frozenset[str] = frozenset()
        self.deadlines = Deadlines(tools.clock, self._expire)
        self.backoff = Backoff(tools.random)
        self.suspects = Suspects(self.store, self._begin, self.running, self.leaves)
        self.stopping = False
        self.drained: str | None = None  # why an operator told it to claim nothing more
        self.up = False  # the last claim reached the database
        self.claims = 0
        self.started_jobs = 0
        self.by_age = ByAge()
        self.full = False  # the loop waits for room
        self.more = False  # the last claim got all it asked for
        self.rang_at = float("-inf")
        self.unsure = False  # an answer to a claim may have got lost
        self.wait_seconds = 0.0  # until a rate-limited lane has its next token
        self.last_turn = tools.clock()
        self.first_claim = asyncio.Event()
        self.registered = asyncio.Event()
        self.registered_at = float("-inf")
        self.claims_over = asyncio.Event()  # it stops, and no claim is on its way
        self.idle = asyncio.Event()  # nothing runs, and nothing will be claimed

    @property
    def id(self) -> uuid.UUID:
        """What its leases are under; another after it was given up."""
        assert self.store.worker is not None  # set in __init__
        return self.store.worker

    # -- the loop ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Claim and hand out until told to stop; then give back the slots of what ends (see app.py for what runs)."""
        while not self.stopping:
            self.last_turn = self.tools.clock()
            await self.registered.wait()
            room = self.room()
            self.full = room == 0
            if self.full:
                await self._rest()
                continue
            try:
                self._heard_within(self.limits.unheard_seconds_max)
                await self._hand_back_unknown()
                claimed, work, xmin = await self._claim(room)
                seconds = 0.0 if claimed == room else await self.sleep.seconds_after(work, xmin)
            except (Away, Again) as error:
                await self._claim_failed(error)
                continue
            self.more = claimed == room
            if claimed == room:
                # The queue is deep. With hands still free the next claim is under way while these jobs run; with few,
                # some more end first, since a claim of one costs as much as one of ten.
                if self.room() < self.limits.concurrency // 8:
                    await asyncio.sleep(GATHER_SECONDS)
            else:
                if self.wait_seconds:
                    seconds = min(seconds, self.wait_seconds)
                if not await self.bell.wait(seconds) and seconds > 1.0:
                    self.metrics.wakeup("poll")
        self.claims_over.set()
        while self.running:
            await self._rest()

    async def _rest(self) -> None:
        """Wait for the bell; a worker that will claim nothing keeps no slots of limited lanes from others meanwhile."""
        if self.leaves() and self.positions.spare:
            try:
                await self._claim(0)
            except (Away, Again) as error:
                await self._claim_failed(error)
        else:
            await self._ring_others()
        await self.bell.wait(self.sleep.poll_seconds)

    def _heard_within(self, seconds: float) -> None:
        """Raise Away if the last beat is older: what is claimed now might be given to others before it has ended."""
        unheard = min(self.unheard_seconds(), self.tools.clock() - self.registered_at)
        if unheard > seconds:
            raise Away(f"the last heartbeat is {unheard:.1f} s old")

    async def _ring_others(self) -> None:
        """Every hand is full and there may be more: who sleeps with free hands was told that somebody is awake."""
        if not self.more or self.tools.clock() < self.rang_at + RING_OTHERS_APART_SECONDS:
            return
        self.more, self.rang_at = False, self.tools.clock()
        try:
            await self.store.ring_others()
        except (Away, Again) as error:
            log.info("others_not_rung", error=str(error))

    def room(self) -> int:
        """How many jobs to claim now: free hands, less what piles up because it cannot be settled; none beside a suspect, or drained."""
        if self.suspects.any or self.leaves():
            return 0
        unsettled = max(0, self.settler.backlog - 2 * self.settler.batch_max)
        free = self.limits.concurrency - len(self.running) - unsettled
        return max(0, min(free, self.limits.claim_batch_max))

    async def _claim(self, room: int) -> tuple[int, bool, int]:
        """Claim and start up to `room` jobs; how many there were, whether any is work, and the oldest transaction running at the look."""
        self.claims += 1
        if self.claims % HINTS_EVERY_CLAIMS == 1 and self.positions.known:
            self.positions.advance(await self.store.advance_hints(*self.positions.columns()))  # type: ignore[arg-type]
        oldest = self.by_age.oldest(room, self.limits.oldest_first_one_in)
        started = self.tools.clock()
        asleep = self.sleep.flag_seconds()
        where = self.positions.where(room, oldest)
        head, *rows = await self.store.claim(room, oldest, where, asleep)
        if asleep is not None:
            self.sleep.flag_is_up(head["token"], head["xid"], head["was_up"], started)
        seconds = self.tools.clock() - started
        self.metrics.observe_claim(seconds)
        if seconds > self.limits.claim_seconds:  # we stood still: it may be somebody else's by now
            raise Away(f"the answer to a claim took {seconds:.1f} s")
        self._heard_within(self.limits.claim_seconds)
        if self.positions.are_of_before(self.store.claims_life):
            self.bell.ring()  # this look may have passed by jobs: look again at once
        jobs = [row for row in rows if row[0] is not None]
        self.wait_seconds = min(
            (row["wait_seconds"] for row in rows if row[0] is None), default=0.0
        )
        fresh = self.positions.took([(row[2], row[3]) for row in jobs])
        self.by_age.took(oldest, len(jobs), self.limits.oldest_first_one_in)
        if not self.up:
            log.info("claiming", worker=str(self.id))
            self.up = True
            self.first_claim.set()
        self.backoff.reset()
        if head["lease"] is not None:
            self.settler.leased(head["lease"], len(jobs))
        self._start(jobs, head["lease"])
        for lane, rank in fresh:
            await self.store.note_rank(lane, rank)
        return len(jobs), any(row[4] != canary.NAME for row in jobs), head["xmin"]

    async def _hand_back_unknown(self) -> None:
        """A claim whose answer got lost may have given us jobs that nobody runs while our heartbeat keeps them."""
        if not self.unsure:
            return
        ours = list(self.running.values())
        known = {job.lease for job in ours} | self.settler.unsettled()
        handed_back, lost = await self.store.hand_back_unknown(
            [job.id for job in ours], [job.epoch for job in ours], list(known)
        )
        if handed_back:
            log.warning("claim_answer_was_lost", handed_back=handed_back)
        for job in ours:
            if job.id in lost and self.running.get(job.id) is job:
                log.warning("claim_was_undone", job=job.id, kind=job.kind)
                job.stop_now("lost")
                self._bury_if_it_hangs(job)
        self.unsure = False

    async def _claim_failed(self, error: Away | Again) -> None:
        """The database is away: forget what was agreed with it and come back with patience. A lane is locked: try again."""
        if isinstance(error, Again):
            log.warning("claim_waited_for_a_lock", error=str(error))
            await asyncio.sleep(GATHER_SECONDS)
            return
        self.unsure = True
        self.sleep.forget()
        wait = self.backoff.next_seconds()
        if self.up or self.backoff.tries == 1:
            what = "claim_refused" if isinstance(error, Trouble) else "database_away"
            log.warning(what, error=str(error), wait_seconds=round(wait, 2))
            self.up = False
        await asyncio.sleep(wait)

    # -- one job -----------------------------------------------------------------------------------------------------

    def _start(self, rows: Sequence[Record], lease: int) -> None:
        jobs: list[Job] = []
        suspects: list[Job] = []
        for row in rows:
            name: str = row[4]
            kind = self.kinds.get(name)
            if kind is None or name in self.paused_kinds:
                self._park(row, lease, kind)
                continue
            job = Job(row, lease, kind, self.tools)
            if (old := self.running.get(job.id)) is not None:  # lost, and not yet ended
                old.stop_now("lost")
                self._abandon(old)
            self.running[job.id] = job
            if job.crashes and job.crashes >= self.limits.crashes_max - 1:
                suspects.append(job)
            else:
                jobs.append(job)
        self.started_jobs += len(rows)
        self.metrics.claimed(len(rows))
        self.suspects.add(suspects, jobs)

    def _begin(self, jobs: list[Job]) -> None:
        """Make tasks of some, of the others at the loop's next turn; one that is told to stop meanwhile never runs."""
        loop = asyncio.get_running_loop()
        now = self.tools.clock()
        for job in jobs[:BEGIN_AT_ONCE]:
            kind = self.kinds[job.kind]
            job.started = now
            limit = job.timeout_seconds
            if limit is not None:
                self.deadlines.arm(job, limit, now)
            job.task = loop.create_task(self._carry(job, kind, limit))
        if len(jobs) > BEGIN_AT_ONCE:
            loop.call_soon(self._begin, jobs[BEGIN_AT_ONCE:])

    async def _carry(self, job: Job, kind: Kind, limit: float | None) -> None:
        current.set(job)
        end = await attempt(job, kind, self.tools.random)
        if job.abandoned:
            log.warning("zombie_ended", note="its outcome is dropped: the job went on without it")
            return
        if limit is not None:
            self.deadlines.disarm(job, limit)
        self._end(job, end)

    def _end(self, job: Job, end: Any) -> None:
        del self.running[job.id]
        self.suspects.ended(job)
        self.note_idle()
        job.ran_seconds = self.tools.clock() - job.started
        self._free_lane(job.lane_id)
        self.settler.add(job, end)
        self.room_again()

    def leaves(self) -> bool:
        """Whether it claims nothing more: it stops, or was drained."""
        return self.stopping or self.drained is not None

    def room_again(self) -> None:
        """Claim at once if the loop waits for room; else every job that ends would cost an empty claim."""
        if self.full:
            self.bell.ring()

    def _park(self, row: Record, lease: int, kind: Kind | None) -> None:
        """Nobody here may run it now: leave it where a worker with the handler, or the kind's resume, finds it."""
        job = Job(row, lease, kind or Kind(row[4], _nothing), self.tools)
        self._free_lane(row[2])
        self.settler.add(job, Ended("park", "no_handler" if kind is None else "kind_paused"))

    def note_idle(self) -> None:
        """Set `idle` if the drain is over."""
        if self.stopping and not self.running:
            self.idle.set()

    def _free_lane(self, lane: int) -> None:
        use = self.positions.lanes.get(lane)
        if use is not None:
            use.running -= 1
            if use.lane.concurrency is not None:
                self.bell.ring()

    def _expire(self, job: Job) -> None:
        """A deadline passed: the job's own, or the grace after it was told to stop."""
        if job.id not in self.running or self.running[job.id] is not job or job.abandoned:
            return
        if job.stopping is None:
            job.stop_now("timeout")
            self._bury_if_it_hangs(job)
        else:
            self._abandon(job)

    def _bury_if_it_hangs(self, job: Job) -> None:
        self.deadlines.arm(job, self.limits.kill_grace_seconds, self.tools.clock())

    def _abandon(self, job: Job) -> None:
        """It ignores being cancelled: free its slot and go on without it. What it still writes is fenced."""
        task = job.task
        if task is not None and task.done():
            return
        if task is not None and job.begun:  # else it ends as soon as it begins, and does nothing
            log.error("handler_ignores_cancel", job=job.id, kind=job.kind, stopping=job.stopping,
                      where=[str(frame) for frame in task.get_stack(limit=3)])  # fmt: skip
            self.metrics.abandoned(job.kind)
            self.zombies.add(task)
            task.add_done_callback(self.zombies.discard)
        end = stopped(job, self.kinds[job.kind], self.tools.random)
        job.abandoned = True
        self._end(job, end)

    # -- what others ask of it ---------------------------------------------------------------------------------------

    def held(self) -> Held:
        """What the heartbeat keeps alive; called from its thread."""
        # What its own transaction has completed is no longer ours to keep, nor to be told lost.
        jobs = [job for job in list(self.running.values()) if not job.settling]
        return Held(self.id, self.registered_at, self.stopping, [job.id for job in jobs], [job.epoch for job in jobs],
                    [job.lease for job in jobs])  # fmt: skip

    def stop_some(self, beat: Beat) -> None:
        """Stop the jobs that the heartbeat heard about, and claim no more if an operator asked for that."""
        if beat.drained != self.drained:
            log.info("undrained" if beat.drained is None else "drained", reason=beat.drained)
            self.drained = beat.drained
            self.metrics.set_draining(self.drained is not None)
            self.bell.ring()
        if self.drained is not None:  # also what a claim brought that was on its way
            self.stop_all("drain", now=False)
        for id, epoch, reason in beat.stops:
            job = self.running.get(id)
            if job is None or job.epoch != epoch or job.stopping is not None or job.settling:
                continue
            log.info("job_stopping", job=id, kind=job.kind, reason=reason)
            job.stop(reason)
            if job.stopping is not None:
                self._bury_if_it_hangs(job)
        self.suspects.next()

    def stop_all(self, reason: str, *, now: bool = True) -> None:
        """Stop everything that runs: at once, or each at its next step."""
        for job in list(self.running.values()):
            if now:
                job.stop_now(reason)
                self._bury_if_it_hangs(job)
            else:
                job.stop(reason)
        self.suspects.next()

    def given_up(self) -> None:
        """Another daemon took our jobs: stop them all and go on under a new name."""
        log.error("leases_lost", worker=str(self.id), jobs=len(self.running))
        self.stop_all("lost")
        self.registered.clear()  # first, since the heartbeat looks from its thread
        self.store.worker, self.store.generation = uuid.uuid4(), 0
        for use in self.positions.lanes.values():
            use.held = 0

    def hear(self, surroundings: Surroundings) -> None:
        """Take in lanes and pauses; there is something to claim only if they changed."""
        changed = self.positions.update(surroundings.lanes)
        if changed or self.paused_kinds != surroundings.paused_kinds:
            self.paused_kinds = surroundings.paused_kinds
            self.bell.ring()


def _nothing() -> None:
    """Stands for the handler of a kind that this worker does not know."""
