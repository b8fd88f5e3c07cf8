"""What the job tables must hold: a model in plain Python that follows every call and says what each must answer.

The queue, the schedule and the parked rows are modelled row by row. `turn` counts transactions: a job's age in the queue is (turn, id), as (xid, id) is in Postgres.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

LANE_OF = {"a": "default", "b": "narrow"}
NARROW_MAX = 2
LEASE_SECONDS = 10
CRASHES_MAX = 2


class Row(NamedTuple):
    """One row of the queue."""

    lane: str
    rank: int
    turn: int
    id: int
    epoch: int

    @property
    def age(self) -> tuple[int, int]:
        return self.turn, self.id

    @property
    def place(self) -> tuple[int, int, int]:
        return self.rank, self.turn, self.id


@dataclass
class Job:
    """One job, live or over."""

    id: int
    kind: str
    rank: int
    run_at: int
    attempts_max: int
    unique_key: str | None
    policy: str
    parents: set[int]
    state: str = "pending"
    epoch: int = 1
    attempts: int = 0
    crashes: int = 0
    stop: str | None = None
    partial: bool = False
    worker: str | None = None

    @property
    def lane(self) -> str:
        return LANE_OF[self.kind]


class Refused(Exception):
    """The call must be refused as one that the job's state does not allow."""


@dataclass
class Model:
    """All that Postgres should hold."""

    now: int = 0
    turn: int = 0
    jobs: dict[int, Job] = field(default_factory=dict)
    over: dict[int, Job] = field(default_factory=dict)
    queue: list[Row] = field(default_factory=list)
    scheduled: list[tuple[int, int, int]] = field(default_factory=list)  # run_at, id, epoch
    parked: list[tuple[str, int, int]] = field(default_factory=list)  # kind, id, epoch
    leases: dict[int, tuple[str, list[tuple[int, int]]]] = field(default_factory=dict)
    beats: dict[str, int] = field(default_factory=dict)
    lanes_paused: set[str] = field(default_factory=set)
    kinds_paused: set[str] = field(default_factory=set)

    def running(self, lane: str) -> int:
        """Jobs of a lane that run at workers which have not been given up."""
        return sum(job.worker in self.beats and job.lane == lane for job in self.jobs.values())

    def owns(self, worker: str, id: int, epoch: int, lease: int) -> bool:
        """Whether a worker that believes to hold this may still write."""
        job = self.jobs.get(id)
        holder, _ = self.leases.get(lease, ("", []))
        return (
            job is not None and job.state == "running" and job.epoch == epoch and holder == worker
        )

    # -- ways in -----------------------------------------------------------------------------------

    def holder(self, kind: str, key: str | None) -> int | None:
        """The live job that has a unique key."""
        if key is None:
            return None
        live = (j.id for j in self.jobs.values() if (j.kind, j.unique_key) == (kind, key))
        return next(live, None)

    def insert(self, job: Job) -> None:
        self.jobs[job.id] = job
        if not job.parents:
            self._place(job)
            return
        job.state = "blocked"
        ended = {parent for parent in job.parents if parent not in self.jobs}
        self._release(ended)

    def _place(self, job: Job) -> None:
        if job.run_at > self.now:
            self.scheduled.append((job.run_at, job.id, job.epoch))
        else:
            self.queue.append(Row(job.lane, job.rank, self.turn, job.id, job.epoch))

    def _ready(self, job: Job) -> None:
        job.state = "pending"
        job.epoch += 1
        self._place(job)

    # -- ways out ----------------------------------------------------------------------------------

    def _finish(self, ids: Iterable[int], state: str, *, partial: bool = False) -> None:
        ids = list(ids)
        for id in ids:
            job = self.jobs.pop(id)
            job.state, job.stop, job.partial, job.worker = state, None, partial, None
            job.parents = set()
            self.over[id] = job
        self._release(set(ids))

    def _release(self, ended: set[int]) -> None:
        """Children whose parents these were: ready when no other parent is left, else by their policy."""
        fallen: dict[str, list[int]] = {"fail": [], "cancel": []}
        for child in [job for job in self.jobs.values() if job.parents & ended]:
            gone, child.parents = child.parents & ended, child.parents - ended
            fine = all(self.over[parent].state == "completed" for parent in gone)
            if not fine and child.policy != "release":
                fallen[child.policy].append(child.id)
            elif child.state == "blocked" and not child.parents:
                self._ready(child)
        for id in fallen["fail"] + fallen["cancel"]:
            self.jobs[id].parents = set()
        if fallen["fail"]:
            self._finish(fallen["fail"], "failed")
        if fallen["cancel"]:
            self._finish([id for id in fallen["cancel"] if id in self.jobs], "cancelled")

    def complete(self, ours: Iterable[int], *, partial: bool = False) -> set[int]:
        self._finish(ours, "completed", partial=partial)
        return set(ours)

    def end(self, id: int, outcome: str, wait: int = 0) -> str:
        """What becomes of an attempt that ended so, of somebody who owns the job."""
        job = self.jobs[id]
        verdict = self._verdict(job, outcome)
        job.attempts += outcome in ("retry", "crash", "fail", "crash_fail")
        job.crashes += outcome in ("crash", "crash_fail")
        job.stop = job.worker = None
        if verdict in ("retry", "crash", "snooze"):
            job.run_at = self.now + wait
        if verdict == "fail":
            self._finish([id], "failed")
        elif verdict == "cancel":
            self._finish([id], "cancelled")
        elif verdict == "pause":
            job.state = "paused"
            job.epoch += 1
        elif verdict == "park":
            job.state = "pending"
            job.epoch += 1
            self.parked.append((job.kind, id, job.epoch))
        else:
            self._ready(job)
        return verdict

    def _verdict(self, job: Job, outcome: str) -> str:
        """What an operator asked for wins over running it again."""
        if outcome in ("fail", "crash_fail"):
            return "fail"
        if outcome == "pause":  # asked for, and maybe taken back since
            return job.stop or "release"
        return "cancel" if outcome == "cancel" else job.stop or outcome

    def crash(self, held: Iterable[tuple[int, int]]) -> tuple[int, int]:
        """Attempts that died with their worker: how many, and how many of those for good."""
        ends = []
        for id in self._still_run(held):
            job = self.jobs[id]
            last = job.crashes + 1 >= CRASHES_MAX or job.attempts + 1 >= job.attempts_max
            ends.append(self.end(id, "crash_fail" if last else "crash"))
        return len(ends), ends.count("fail")

    def _still_run(self, held: Iterable[tuple[int, int]]) -> list[int]:
        """The jobs of a lease that are not over, nor placed anew."""
        return [id for id, epoch in held if id in self.jobs and self.jobs[id].epoch == epoch]

    # -- what operators ask ------------------------------------------------------------------------

    def cancel(self, id: int) -> str:
        job = self.jobs.get(id)
        if job is None:
            if self.over[id].state != "cancelled":
                raise Refused
            return "cancelled"
        if job.state == "running":
            job.stop = "cancel"
            return "cancelling"
        self._take_out(id)
        self._finish([id], "cancelled")
        return "cancelled"

    def pause(self, id: int) -> str:
        job = self._live(id)
        if job.state == "running":
            job.stop = job.stop or "pause"
            return "pausing"
        self._take_out(id)
        job.state = "paused"
        return "paused"

    def resume(self, id: int) -> str:
        job = self._live(id)
        if job.state == "running" and job.stop == "pause":
            job.stop = None
            return "running"
        if job.state != "paused":
            raise Refused
        if job.parents:
            job.state = "blocked"
            return "blocked"
        self._ready(job)
        return "pending"

    def run_now(self, id: int) -> str:
        job = self._live(id)
        if job.state != "pending":
            raise Refused
        if job.run_at > self.now:
            self._take_out(id)
            job.run_at = self.now
            self._ready(job)
        return "pending"

    def retry(self, id: int) -> str:
        if id in self.jobs:
            job = self.jobs[id]
            if job.state != "pending" or not job.attempts:
                raise Refused
            return self.run_now(id)
        job = self.over[id]
        if job.state == "completed" and not job.partial:
            raise Refused
        if self.holder(job.kind, job.unique_key) is not None:
            raise Refused
        del self.over[id]
        job.state, job.partial, job.run_at = "pending", False, self.now
        job.attempts = job.crashes = 0
        job.epoch += 1
        self.jobs[id] = job
        self._place(job)
        return "pending"

    def _take_out(self, id: int) -> None:
        """Wherever it waits."""
        self.queue = [row for row in self.queue if row.id != id]
        self.scheduled = [row for row in self.scheduled if row[1] != id]
        self.parked = [row for row in self.parked if row[1] != id]

    def _live(self, id: int) -> Job:
        if id not in self.jobs:
            raise Refused
        return self.jobs[id]

    # -- chores ------------------------------------------------------------------------------------

    def promote(self) -> int:
        due = [row for row in self.scheduled if row[0] <= self.now]
        self.scheduled = [row for row in self.scheduled if row[0] > self.now]
        for _, id, epoch in due:
            job = self.jobs[id]
            self.queue.append(Row(job.lane, job.rank, self.turn, id, epoch))
        return len(due)

    def unpark(self, kinds: Iterable[str]) -> int:
        free = {kind for kind in kinds if kind not in self.kinds_paused}
        moved = [row for row in self.parked if row[0] in free]
        self.parked = [row for row in self.parked if row[0] not in free]
        for _, id, _ in moved:
            self._place(self.jobs[id])
        return len(moved)

    def rescue(self) -> dict[str, tuple[int, int]]:
        """The workers that are given up, each with its jobs and those that failed for good."""
        lost = [w for w, beat in self.beats.items() if beat < self.now - LEASE_SECONDS]
        return {worker: self.give_up(worker) for worker in lost}

    def give_up(self, worker: str) -> tuple[int, int]:
        del self.beats[worker]
        return self.crash(self._take_leases({worker}))

    def rescue_orphans(self) -> int:
        return self.crash(
            self._take_leases({w for w, _ in self.leases.values()} - set(self.beats))
        )[0]

    def retire(self, worker: str) -> int:
        del self.beats[worker]
        return len([self.end(id, "release") for id in self._still_run(self._take_leases({worker}))])

    def _take_leases(self, workers: set[str]) -> list[tuple[int, int]]:
        taken = [lease for lease, (worker, _) in self.leases.items() if worker in workers]
        return [pair for lease in taken for pair in self.leases.pop(lease)[1]]

    # -- the claim ---------------------------------------------------------------------------------

    def claimed(self, taken: Iterable[Row], worker: str) -> list[Job]:
        """These rows left the queue: the jobs that run now."""
        started = []
        for row in taken:
            self.queue.remove(row)
            job = self.jobs[row.id]
            assert job.run_at <= self.now, f"job {job.id} started before its time"
            job.state, job.worker = "running", worker
            started.append(job)
        return started

    def judge(self, taken: list[Row], room: int, oldest: int, caps: dict[str, int]) -> None:
        """Whether a claim took what it should: `caps` is what each lane may give, 0 while it is closed."""
        left = dict(caps)
        rest = list(self.queue)
        first: list[Row] = []
        for row in sorted(rest, key=lambda row: row.age):
            if len(first) < min(oldest, room) and left[row.lane] > 0:
                first.append(row)
                left[row.lane] -= 1
        assert set(first) <= set(taken), f"the oldest {oldest} are {first}, taken were {taken}"
        more = [row for row in taken if row not in first]
        for lane, cap in left.items():
            ranked = sorted(
                (r for r in rest if r.lane == lane and r not in first), key=lambda r: r.place
            )
            got = sorted((r for r in more if r.lane == lane), key=lambda r: r.place)
            assert len(got) <= cap, f"lane {lane} gave {len(got)} more, it may give {cap}"
            assert got == ranked[: len(got)], f"lane {lane} gave {got} before {ranked[: len(got)]}"
        could = sum(min(cap, sum(r.lane == lane for r in rest)) for lane, cap in caps.items())
        assert len(taken) == min(room, could), (
            f"took {len(taken)}, could have taken {could} of {room}"
        )
