"""Histories as their witnesses would write them: `Story` keeps time, sequence numbers and transactions."""

import random
from typing import Any

from faults.history import check

LEASE_SECONDS = 3.0
INSTANT_SECONDS = 1e-6  # no two things happen at once
W1, W2 = "worker-1", "worker-2"
PIDS = {W1: 101, W2: 102}


class Story:
    """Events as they happen; `at` moves the clock."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = [
            {"src": "run", "lease_seconds": LEASE_SECONDS, "limits": {"limited": 1}}
        ]
        self.t = 10.0
        self.seq = 0
        self.xid = 0
        self.rows: dict[int, dict[str, Any]] = {}
        for worker in (W1, W2):
            self.worker("I", worker)

    def at(self, t: float) -> "Story":
        self.t = t
        return self

    def put(self, src: str, **event: Any) -> "Story":
        self.events.append({"src": src, "t": self.t} | event)
        self.t += INSTANT_SECONDS
        return self

    def transaction(self) -> "Story":
        self.xid += 1
        return self

    # -- the witnesses

    def client(self, job: int, res: str = "ok", f: str = "enqueue", **event: Any) -> "Story":
        event = {"token": f"T{job}", "job": job, "key": None, "t0": self.t, "t1": self.t} | event
        return self.put("client", f=f, res=res, **event)

    def db(self, job: int, state: str, op: str = "U", place: str = "jobs", **row: Any) -> "Story":
        """A change of the job; what is not given stays as it was."""
        self.seq += 1
        first = {
            "epoch": 1, "attempts": 0, "attempts_max": 3, "crashes": 0, "kind": "k", "key": None,
            "token": f"T{job}", "schedule": None, "tick": None, "done": None, "stop": None, "error": None,
            "lane": 1, "priority": 5, "due": True,
        }  # fmt: skip
        self.rows[job] = self.rows.get(job, first) | row
        return self.put(
            "db",
            seq=self.seq,
            xid=self.xid,
            op=op,
            place=place,
            job=job,
            state=state,
            **self.rows[job],
        )

    def worker(self, op: str, worker: str) -> "Story":
        self.seq += 1
        self.put("workers", seq=self.seq, xid=self.xid, op=op, worker=worker, name=worker, pid=PIDS[worker], beat=self.t)  # fmt: skip
        return self

    def handler(self, f: str, job: int, epoch: int, worker: str = W1, **event: Any) -> "Story":
        known = {"kind": "k", "lane": "default", "token": f"T{job}"} if f == "start" else {}
        return self.put("handler", f=f, job=job, epoch=epoch, pid=PIDS[worker], **known | event)

    def hook(self, job: int, message: str = "", answer: str = "taken", **event: Any) -> "Story":
        """A webhook's receiver got a message about the job."""
        self.events[0]["told"] = True
        known = {"id": message or f"m{job}", "state": "completed", "signed": True}
        return self.put("hook", f="hook", job=job, answer=answer, **known | event)

    # -- what usually happens

    def inserted(self, job: int, **row: Any) -> "Story":
        return self.transaction().client(job).db(job, "pending", "I", **row)

    def lease(self, op: str, job: int, epoch: int, worker: str = W1) -> "Story":
        self.seq += 1
        return self.put("leases", seq=self.seq, xid=self.xid, op=op, lease=job * 100 + epoch, worker=worker, ids=[job], epochs=[epoch])  # fmt: skip

    def claimed(self, job: int, epoch: int, worker: str = W1) -> "Story":
        return self.transaction().lease("I", job, epoch, worker)

    def started(self, job: int, epoch: int, worker: str = W1, **traits: Any) -> "Story":
        return self.handler("start", job, epoch, worker, **traits)

    def stopped(self, job: int, epoch: int, worker: str = W1, out: str = "ok") -> "Story":
        return self.handler("stop", job, epoch, worker, out=out)

    def back(self, job: int, epoch: int, **row: Any) -> "Story":
        return self.transaction().db(job, "pending", epoch=epoch, **row)

    def over(self, job: int, state: str = "completed", **row: Any) -> "Story":
        self.transaction().db(job, "pending", "D", **row)
        return self.db(job, state, "I", "history", **row)

    def ran(self, job: int, **traits: Any) -> "Story":
        """A whole life, from 1 to 2 seconds after now."""
        begun = self.t
        self.inserted(job).at(begun + 1).claimed(job, 1).started(job, 1, **traits)
        return self.at(begun + 2).stopped(job, 1).over(job)

    def rescued(self, job: int, worker: str, epoch: int) -> "Story":
        """Its worker's row goes, and the job is ready again, in one transaction."""
        self.transaction().db(
            job, "pending", epoch=epoch, attempts=1, crashes=1, error="worker_lost: x"
        )
        return self.worker("D", worker)

    def final(self, **counts: Any) -> "Story":
        jobs = len(self.rows)
        return self.put("final", **{"live": 0, "over": jobs, "dead_leases": 0, "dead_slots": 0, "counted": jobs} | counts)  # fmt: skip

    def verdict(self, shuffled: bool = True) -> dict[str, Any]:
        events = list(self.events)
        if shuffled:  # nothing may depend on which file was read first
            random.Random(len(events)).shuffle(events)
        return check(events)


def taken_over(second_at: float, first_ends: float, **traits: Any) -> Story:
    """Worker 1 goes silent at 10 s; worker 2 runs its job from `second_at` on, and the first run ends at `first_ends`."""
    story = Story().inserted(1).claimed(1, 1).started(1, 1, **traits)
    story.at(second_at - 0.1).rescued(1, W1, 2).claimed(1, 2, W2).at(second_at).started(1, 2, W2)
    story.at(second_at + 1).stopped(1, 2, W2).over(1)
    return story.at(first_ends).stopped(1, 1).at(max(first_ends, second_at + 1)).final()


# -- good histories


def cancelled_in_time() -> Story:
    story = Story().inserted(1).at(11).client(1, f="cancel", answer="cancelled")
    story.transaction().db(1, "pending", "D").db(1, "cancelled", "I", "history")
    return story.final(counted=0)


def retried_by_hand() -> Story:
    story = Story().inserted(1).claimed(1, 1).started(1, 1).stopped(1, 1, out="err")
    story.over(1, "failed", attempts=1)
    story.events[-1]["expect"] = "any"
    story.client(1, f="retry").transaction().db(1, "failed", "D", "history")
    story.db(1, "pending", "I", attempts=0, epoch=2).claimed(1, 2).started(1, 2).stopped(1, 2)
    return story.over(1).final()


def settled_by_its_own_transaction_then_killed() -> Story:
    story = Story().inserted(1).claimed(1, 1).started(1, 1, settles=True).over(1)
    return story.put("effect", job=1, epoch=1, n=1).put("nemesis", f="death", pid=101).final()


def started_after_its_lease_was_lost() -> Story:
    """The daemon stood still between its claim and the start of the handler; another one runs the job meanwhile."""
    story = Story().inserted(1).claimed(1, 1)
    story.at(13.5).rescued(1, W1, 2).claimed(1, 2, W2).started(1, 2, W2)
    story.at(14).started(1, 1).at(14.1).stopped(1, 1, out="cancelled")
    return story.at(15).stopped(1, 2, W2).over(1).final()


def crash_of_the_server_undid_a_claim() -> Story:
    story = Story().inserted(1).started(1, 1).put("nemesis", f="server_crash", server="crash")
    story.at(11).claimed(1, 1, W2).started(1, 1, W2).at(12).stopped(1, 1, W2).over(1)
    return story.put("nemesis", f="death", pid=101).final()


def progress_of_an_earlier_attempt() -> Story:
    story = Story().inserted(1).claimed(1, 1).started(1, 1).transaction().db(1, "pending", done=7)
    story.stopped(1, 1, out="err").back(1, 2, attempts=1).claimed(1, 2).started(1, 2)
    story.db(1, "pending", stop="pause").db(1, "pending", done=2, stop=None)
    return story.db(1, "pending", done=3).stopped(1, 2).over(1).final()


def isolated_run_knows_no_epoch() -> Story:
    story = Story().inserted(1).claimed(1, 1)
    story.handler("start", 1, None, daemon=101).handler("stop", 1, None, out="ok")  # type: ignore[arg-type]
    return story.over(1).final()


def rescue_and_settle_that_cross() -> Story:
    story = Story().inserted(1).claimed(1, 1).started(1, 1).at(10.5).stopped(1, 1)
    story.transaction().lease("D", 1, 1)
    rescue = story.xid
    story.at(11).over(1)
    story.xid = rescue
    return story.worker("D", W1).final()


def passed(priority: int, waits_until: float, due: bool = True, **young: Any) -> Story:
    """Job 2 comes 1 s after job 1, and is claimed at 13 s; job 1 at `waits_until`."""
    story = Story().inserted(1, priority=priority, due=due).at(11).inserted(2, **young).at(13)
    story.claimed(2, 1, W2).started(2, 1, W2).at(13.1).stopped(2, 1, W2).over(2)
    return (
        story.at(waits_until)
        .claimed(1, 1)
        .started(1, 1)
        .at(waits_until + 0.1)
        .stopped(1, 1)
        .over(1)
        .final()
    )


def the_older_one_was_not_yet_acknowledged() -> Story:
    story = passed(10, 15.0)
    story.events[next(n for n, e in enumerate(story.events) if e["src"] == "client")]["t1"] = 12.0
    return story


def killed_in_a_handler_that_writes_nothing_down() -> Story:
    story = Story().inserted(1, kind="theirs").claimed(1, 1)
    story.events[0]["unwitnessed"] = ["theirs"]
    story.put("nemesis", f="kill", pid=101, gone=101).put("nemesis", f="death", pid=101)
    return story.at(60).rescued(1, W1, 2).claimed(1, 2, W2).over(1).final()


def two_at_once_in_the_limited_lane() -> Story:
    story = Story()
    for job in (1, 2):
        story.inserted(job).claimed(job, 1).started(job, 1, lane="limited")
    story.at(11)
    for job in (1, 2):
        story.stopped(job, 1).over(job)
    return story.final()


def killed(again_at: float | None) -> Story:
    story = Story().inserted(1).claimed(1, 1).started(1, 1)
    story.put("nemesis", f="kill", pid=101, gone=101).put("nemesis", f="death", pid=101)
    if again_at is None:
        return story
    story.at(again_at - 0.1).rescued(1, W1, 2).claimed(1, 2, W2).at(again_at).started(1, 2, W2)
    return story.at(again_at + 1).stopped(1, 2, W2).over(1).final()


# -- corners of the invariants


def failed_as_expected(**row: Any) -> Story:
    """One that uses up its attempts."""
    story = Story().client(1, expect="failed").transaction().db(1, "pending", "I", attempts_max=1)
    story.claimed(1, 1).started(1, 1, **row).stopped(1, 1, out="err")
    return story.over(1, "failed", attempts=1).final(counted=0)


def undone_by_a_crash_before_it_started() -> Story:
    """The claim went with the server's crash, its daemon knows nothing of it and starts the job."""
    story = Story().inserted(1).at(10.5).put("nemesis", f="server_crash", server="crash")
    story.at(11).started(1, 1).at(12).claimed(1, 1, W2).started(1, 1, W2).at(13).stopped(
        1, 1, W2
    ).over(1)
    return story.put("nemesis", f="death", pid=101).final()


def undone_without_a_crash(at: float, **nemesis: Any) -> Story:
    """Two runs, of which one has no claim, the first from 20 s on."""
    story = Story().at(at).put("nemesis", f="server", **nemesis)
    story.at(20).inserted(1).started(1, 1)
    return story.at(21).claimed(1, 2, W2).started(1, 2, W2)


def claimed_while_it_was_being_cancelled() -> Story:
    story = Story().inserted(1).at(11).claimed(1, 1).started(1, 1)
    story.at(11.03).client(1, f="cancel", answer="cancelling").at(11.1).stopped(
        1, 1, out="cancelled"
    )
    return story.over(1, "cancelled").final(counted=0)


def its_worker_was_killed(how: str) -> Story:
    """`after`: the job was over long before; `settling`: its last statement was on its way; `given up`: the rescue ended it;
    `zombie`: frozen, it starts what it had claimed; `retried`: it was over once, before."""
    story = Story().inserted(1)
    if how == "retried":
        story.claimed(1, 1).started(1, 1).stopped(1, 1, out="err").over(
            1, "failed", attempts=1
        ).client(1, f="retry")
        story.transaction().db(1, "failed", "D", "history").db(
            1, "pending", "I", attempts=0, epoch=2
        )
    epoch = 2 if how == "retried" else 1
    story.at(15).claimed(1, epoch)
    if how != "zombie":
        story.started(1, epoch)
    if how == "after":
        story.at(16).stopped(1, 1).over(1).at(20)
    story.at(max(story.t, 16)).put("nemesis", f="kill", pid=101, gone=101)
    if how == "zombie":
        return story.at(16.2).started(1, 1)
    story.put("nemesis", f="death", pid=101)
    if how == "settling":
        story.at(16.1).handler("stop", 1, 1, out="ok", t=15.99).over(1)
    if how == "given up":
        story.at(19.5).transaction().db(1, "pending", "D").db(
            1, "failed", "I", "history", attempts=1, crashes=1
        )
        story.worker("D", W1).events[-1]["xid"] = story.xid
    return story.final(counted=0)


def passed_by_the_second_of_three() -> Story:
    """Job 1 waits on, jobs 2 and 3 do not."""
    story = (
        Story()
        .inserted(1, priority=8)
        .at(11)
        .inserted(2, priority=8)
        .at(11.1)
        .claimed(2, 1, W2)
        .started(2, 1, W2)
    )
    story.at(11.2).inserted(3, priority=8).at(11.3).claimed(3, 1, W2).started(3, 1, W2)
    return story.at(15).claimed(1, 1).started(1, 1)


def an_older_one(state: str = "pending", res: str = "ok") -> Story:
    """It waits on while a younger one is claimed."""
    story = Story().client(1, res).transaction().db(1, state, "I", priority=9)
    return (
        story.at(11)
        .ran(2)
        .at(15)
        .db(1, "pending", epoch=2)
        .claimed(1, 2)
        .started(1, 2)
        .stopped(1, 2)
        .over(1)
        .final()
    )


def a_younger_one_leaves_unclaimed() -> Story:
    story = Story().inserted(1).at(11).inserted(2).client(2, f="cancel", answer="cancelled")
    story.transaction().db(2, "pending", "D").db(2, "cancelled", "I", "history")
    return story.at(15).claimed(1, 1).started(1, 1).at(15.1).stopped(1, 1).over(1).final(counted=1)


def a_key_is_free_again() -> Story:
    story = Story().inserted(1, key="a").claimed(1, 1).started(1, 1).at(11).stopped(1, 1).over(1)
    story.at(13).inserted(2, key="a").claimed(2, 1).started(2, 1)
    return story.at(15).stopped(2, 1).over(2).final()


def one_after_the_other_in_the_limited_lane() -> Story:
    return Story().ran(1, lane="limited").at(13).ran(2, lane="limited").final()


def started_while_it_was_being_cancelled() -> Story:
    story = Story().inserted(1).at(11).claimed(1, 1).client(1, f="cancel", answer="cancelling")
    story.at(11.01).started(1, 1).at(11.1).stopped(1, 1, out="cancelled")
    return story.over(1, "cancelled").final(counted=0)


def cancelled(res: str) -> Story:
    """After a cancel that was answered so."""
    story = Story().inserted(1).client(1, res, f="cancel", answer="cancelled")
    return (
        story.transaction()
        .db(1, "pending", "D")
        .db(1, "cancelled", "I", "history")
        .final(counted=0)
    )


def retried(res: str) -> Story:
    """Pending once more, after a retry that was answered so."""
    story = Story().ran(1).client(1, res, f="retry")
    return story.transaction().db(1, "completed", "D", "history").db(1, "pending", "I", epoch=2)


def third_run_overlaps_the_first() -> Story:
    story = (
        Story()
        .inserted(1)
        .claimed(1, 1)
        .started(1, 1)
        .at(11)
        .started(1, 1, W2)
        .at(12)
        .stopped(1, 1, W2)
    )
    return story.at(13).started(1, 2, W2).at(14).stopped(1, 2, W2).at(20).stopped(1, 1)


def counted_wrong(*saw: str, code: int = 0) -> Story:
    """More than there were, after these events."""
    story = Story().ran(1)
    for what in saw:
        story.put("nemesis", f=what, pid=101, **({"code": code} if what == "death" else {}))
    return story.final(counted=2)
