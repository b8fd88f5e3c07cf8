"""The history checker: good histories pass, and for every invariant there are bad ones that it must reject.

A history here is written as its witnesses would: `Story` keeps time, sequence numbers and transactions.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest

from faults.history import check
from faults.invariants import INVARIANTS

LEASE_SECONDS = 3.0
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


GOOD: dict[str, Callable[[], Story]] = {
    "one job": lambda: Story().ran(1).put("metrics", finished={"completed": 1}).final(),
    "info is absent": lambda: Story().client(1, "info"),
    "rolled back": lambda: Story().client(1, "fail"),
    "a zombie after the lease": lambda: taken_over(14.0, 14.5),
    "started after its lease was lost": started_after_its_lease_was_lost,
    "abandoned and stubborn": lambda: taken_over(11.0, 14.5, stubborn=True),
    "cancelled in time": cancelled_in_time,
    "retried by hand": retried_by_hand,
    "settled by its own transaction": settled_by_its_own_transaction_then_killed,
    "a rescue and a settle that cross": rescue_and_settle_that_cross,
    "a crash undid a claim": crash_of_the_server_undid_a_claim,
    "progress of an earlier attempt": progress_of_an_earlier_attempt,
    "isolated": isolated_run_knows_no_epoch,
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_is_valid(name: str) -> None:
    verdict = GOOD[name]().verdict()
    assert verdict["valid"], verdict["violations"]


# -- bad ones: what must be found, in what


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


BAD: dict[str, tuple[str, Callable[[], Story]]] = {
    "I1 acked, never there": ("lost_job", lambda: Story().ran(1).client(2)),
    "I1 rolled back, yet there": ("phantom_job", lambda: Story().client(1, "fail").db(1, "pending", "I")),
    "I1 a taken key, yet there": ("phantom_job", lambda: Story().client(1, "dup").db(1, "pending", "I")),
    "I1 one commit, two jobs": ("double_enqueue", lambda: Story().ran(1).db(2, "pending", "I", token="T1")),
    "I1 out of nowhere": ("unexpected_job", lambda: Story().db(1, "pending", "I")),
    "I1 a torn line": ("torn_witness", lambda: Story().put("torn", f="torn")),
    "I1 it should have completed": ("wrong_end", lambda: Story().inserted(1).transaction().db(1, "pending", "D").db(1, "failed", "I", "history")),
    "I1 nobody cancelled it": ("wrong_end", lambda: Story().inserted(1).transaction().db(1, "pending", "D").db(1, "cancelled", "I", "history")),
    "I2 inside the lease": ("double_run_inside_lease", lambda: taken_over(12.0, 12.5)),
    "I2 the claim still stands": ("double_run_inside_lease", lambda: Story().inserted(1).claimed(1, 1).started(1, 1).at(11).started(1, 2, W2)),
    "I2 an undone claim without a crash": ("double_run_inside_lease", lambda: Story().inserted(1).started(1, 1).at(11).claimed(1, 2, W2).started(1, 2, W2)),
    "I3 the epoch falls": ("epoch_went_back", lambda: Story().inserted(1).back(1, 5).back(1, 4)),
    "I3 two claims of one epoch": ("epoch_claimed_twice", lambda: Story().inserted(1).claimed(1, 1).back(1, 2).claimed(1, 1)),
    "I3 a claim of another epoch": ("claimed_at_another_epoch", lambda: Story().inserted(1).claimed(1, 2)),
    "I3 two runs of one epoch": ("epoch_run_twice", lambda: Story().ran(1).started(1, 1, W2)),
    "I4 over, and changed": ("terminal_changed", lambda: Story().ran(1).transaction().db(1, "completed", "D", "history").db(1, "pending", "I")),
    "I4 over twice": ("settled_twice", lambda: Story().ran(1).transaction().db(1, "failed", "I", "history")),
    "I4 from pending to completed": ("illegal_transition", lambda: Story().inserted(1).transaction().db(1, "pending", "D").db(1, "completed", "I", "history")),
    "I4 claimed, and claimed again": ("claimed_while_leased", lambda: Story().inserted(1).claimed(1, 1).claimed(1, 2, W2)),
    "I4 the lease goes, the job is nowhere": ("left_without_lease", lambda: Story().inserted(1).claimed(1, 1).transaction().lease("D", 1, 1)),
    "I4 the lease goes before the job is over": ("left_without_lease", lambda: Story().inserted(1).claimed(1, 1).transaction().lease("D", 1, 1).at(11).over(1)),
    "I4 from paused to running": ("illegal_transition", lambda: Story().inserted(1).db(1, "paused").claimed(1, 1)),
    "I4 over, and still there": ("in_two_places", lambda: Story().inserted(1).claimed(1, 1).db(1, "completed", "I", "history")),
    "I5 one key, two live jobs": ("key_twice", lambda: Story().inserted(1, key="a").inserted(2, key="a")),
    "I6 too many attempts": ("attempts_over_max", lambda: Story().inserted(1, attempts=4)),
    "I6 two attempts for one": ("attempts_jumped", lambda: Story().inserted(1).claimed(1, 1).back(1, 2, attempts=2)),
    "I6 an attempt taken back": ("attempts_jumped", lambda: Story().inserted(1).claimed(1, 1).back(1, 2, attempts=1).back(1, 3, attempts=0)),
    "I7 progress falls": ("progress_back", lambda: Story().inserted(1).claimed(1, 1).db(1, "pending", done=5).db(1, "pending", done=4)),
    "I9 one tick, two jobs": ("tick_twice", lambda: Story().inserted(1, schedule="s", tick="12:00").inserted(2, schedule="s", tick="12:00")),
    "I10 it never ends": ("not_drained", lambda: Story().inserted(1)),
    "I11 completed, never run": ("completed_without_run", lambda: Story().inserted(1).claimed(1, 1).over(1)),
    "I11 completed, but it failed": ("completed_without_run", lambda: Story().inserted(1).claimed(1, 1).started(1, 1).stopped(1, 1, out="err").over(1)),
    "I11 completed before it ended": ("completed_without_run", lambda: Story().inserted(1).claimed(1, 1).started(1, 1).over(1).at(11).stopped(1, 1)),
    "I11 completed at another epoch": ("completed_without_run", lambda: Story().inserted(1).claimed(1, 1).started(1, 1).stopped(1, 1).back(1, 2).claimed(1, 2).over(1)),
    "I12 two at once where one may": ("lane_over_limit", two_at_once_in_the_limited_lane),
    "I13 two effects": ("effect_twice", lambda: Story().ran(1, settles=True).put("effect", job=1, epoch=1, n=2)),
    "I13 no effect": ("effect_missing", lambda: Story().ran(1, settles=True)),
    "I13 an effect of a lost attempt": ("effect_without_completion", lambda: Story().ran(1, settles=True).put("effect", job=1, epoch=7, n=1)),
    "I14 started after it was cancelled": ("started_after_cancel", lambda: Story().inserted(1).client(1, f="cancel", answer="cancelled").at(11).started(1, 1)),
    "I14 claimed after it was cancelled": ("claimed_after_cancel", lambda: Story().inserted(1).client(1, f="cancel", answer="cancelling").at(11).claimed(1, 1)),
    "I15 counts that are not true": ("counts_differ", lambda: Story().ran(1).final(counted=2)),
    "I15 metrics that are not true": ("metrics_differ", lambda: Story().ran(1).put("metrics", finished={"completed": 0, "failed": 1})),
    "I16 vanished": ("vanished", lambda: Story().inserted(1).transaction().db(1, "pending", "D")),
    "I16 vanished from history": ("vanished", lambda: Story().ran(1).transaction().db(1, "completed", "D", "history")),
    "I16 moved in two transactions": ("vanished", lambda: Story().inserted(1).claimed(1, 1).transaction().db(1, "pending", "D").transaction().db(1, "completed", "I", "history")),
    "I16 more inserted than there are": ("not_conserved", lambda: Story().ran(1).final(over=0)),
    "I17 a lease of nobody": ("dead_leases", lambda: Story().ran(1).final(dead_leases=1)),
    "I17 a slot of nobody": ("dead_slots", lambda: Story().ran(1).final(dead_slots=1)),
    "I17 never run again": ("never_recovered", lambda: killed(None)),
    "I17 run again too late": ("recovered_late", lambda: killed(50.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_rejected(name: str) -> None:
    wanted, make = BAD[name]
    verdict = make().verdict()
    assert not verdict["valid"]
    assert wanted in verdict["counts"], verdict["counts"]


def test_every_breach_has_a_bad_history() -> None:
    """The names are read off the checker itself, so that a new one cannot be forgotten here."""
    import ast
    import inspect

    from faults import invariants

    def names(node: ast.AST) -> set[str]:
        found = set()
        for part in ast.walk(node):
            if isinstance(part, ast.Yield) and isinstance(part.value, ast.Tuple):
                found.add(part.value.elts[0])
            if isinstance(part, ast.YieldFrom) and isinstance(part.value, ast.GeneratorExp):
                assert isinstance(part.value.elt, ast.Tuple)
                found.add(part.value.elt.elts[0])
        return {constant.value for constant in found if isinstance(constant, ast.Constant)}

    tree = ast.parse(inspect.getsource(invariants))
    told = {function.__name__ for function in INVARIANTS}
    known = set()
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name in told:
            known |= names(function)
    known |= {"dead_leases", "dead_slots"}  # these two by a loop
    assert known == {wanted for wanted, _ in BAD.values()}


def test_figures_say_how_long_recovery_took_and_how_far_runs_overlapped() -> None:
    figures = killed(13.5).verdict()["figures"]
    assert (figures["recoveries"], figures["recovery_max_s"], figures["reruns"]) == (1, 3.5, 1)
    figures = taken_over(14.0, 14.5).verdict()["figures"]
    assert (figures["zombies"], figures["overlap_max_s"], figures["abandoned"]) == (1, 0.5, 0)
    figures = taken_over(11.0, 12.0, stubborn=True).verdict()["figures"]
    assert (figures["zombies"], figures["abandoned"]) == (0, 1)
    assert crash_of_the_server_undid_a_claim().verdict()["figures"]["undone"] == 0
    both = Story().client(1, "info").client(2, "info").db(2, "pending", "I").verdict()["figures"]
    assert (both["indeterminate"], both["recovered"]) == (2, 1)


def test_judging_takes_time_in_proportion() -> None:
    """Ten thousand jobs in a few seconds, or a soak could not be judged."""
    story = Story()
    for job in range(10_000):
        story.ran(job)
    verdict = story.final().verdict(shuffled=False)
    assert verdict["valid"]
    assert verdict["figures"]["completed"] == 10_000
