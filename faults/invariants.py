"""What must hold in every history, whatever was broken: one function each, which tells (name, detail) of every breach.

The numbers I1 to I17 are those of the list of promises; order at the claim (I8) and what receivers hear (I18)
have modules of their own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from .history import CLOCKS_APART_SECONDS, NEVER, OVER, Claim, History, Run
from .order import claims_are_in_order
from .told import who_asked_is_told
from .witness import Event

Breaches = Iterator[tuple[str, Any]]
RECOVERY_SECONDS_MAX = 35.0

ROW = (
    "I",
    "U",
)  # changes of a job's own row; C and L are its lease, D is followed by an insert elsewhere

# From where a job may go where.
LEGAL: dict[str | None, frozenset[str]] = {
    None: frozenset({"pending", "blocked"}),
    "pending": frozenset({"pending", "running", "paused", "blocked", "failed", "cancelled"}),
    "blocked": frozenset({"blocked", "pending", "paused", "failed", "cancelled"}),
    "paused": frozenset({"paused", "pending", "blocked", "failed", "cancelled"}),
    "running": frozenset({"running", "pending", "paused", "completed", "failed", "cancelled"}),
}


def nothing_lost(h: History) -> Breaches:
    """I1: what was acknowledged is there, what was refused is not, nothing is there twice or out of nowhere."""
    known = set()
    for event in h.client:
        if event["f"] != "enqueue":
            continue
        known.add(event["token"])
        jobs = h.tokens.get(event["token"], [])
        if event["res"] == "ok" and not jobs:
            yield "lost_job", event["token"]
        if event["res"] in ("fail", "dup") and jobs:
            yield "phantom_job", jobs
        if len(jobs) > 1:
            yield "double_enqueue", jobs
    yield from (("unexpected_job", jobs) for token, jobs in h.tokens.items() if token not in known)
    if h.torn:
        yield "torn_witness", h.torn


def ends_as_expected(h: History) -> Breaches:
    """I1: a job whose handler can succeed completes, one that cannot fails; only a cancel changes that."""
    cancelled = {
        event["job"] for event in h.client if event["f"] == "cancel" and event["res"] != "fail"
    }
    for event in h.client:
        if event["f"] == "enqueue" and event.get("expect", "completed") != "any":
            for job in h.tokens.get(event["token"], ()):
                end = h.ends(job)
                if (
                    end in OVER
                    and end != event.get("expect", "completed")
                    and not (end == "cancelled" and job in cancelled)
                ):
                    yield "wrong_end", (job, end)


def one_run_in_a_lease(h: History) -> Breaches:
    """I2: while a worker's lease holds, nobody else runs its jobs."""
    for older, newer in overlaps(h):
        sort = overlap_sort(h, older, newer)
        if sort == "double":
            yield "double_run_inside_lease", (older.job, older.epoch, newer.epoch)


def overlaps(h: History) -> Iterator[tuple[Run, Run]]:
    """Runs of one job at the same time: of the older claim, and of the newer one.

    The older claim's run may be the one that starts later: its daemon stood still between the claim and the start.
    """
    for runs in h.runs.values():
        longest = runs[0]
        for run in runs[1:]:
            if run.start < longest.end and run.epoch != longest.epoch:
                yield (longest, run) if longest.epoch < run.epoch else (run, longest)
            if run.end > longest.end:
                longest = run


def overlap_sort(h: History, older: Run, newer: Run) -> str:
    """`zombie`: the older one's lease had run out; `abandoned`: it ignores being stopped; `undone`: the server's crash undid
    its claim, or a jump of the database's clock ended its lease; `double`: none of these, which must never be.

    What a crash undid nobody wrote down: a claim that is there was durable, and only one of somebody who came later excuses nothing.
    """
    claim = h.claim(older.job, older.epoch)
    if claim is not None and h.crashed_between(claim.begun, newer.start, "clock"):
        return "undone"
    if claim is None or claim.begun > older.start + CLOCKS_APART_SECONDS:
        return (
            "undone" if h.crashed_between(older.start - h.lease_seconds, newer.start) else "double"
        )
    if claim.ended > newer.start + CLOCKS_APART_SECONDS:
        return "double"
    if claim.ended >= h.lease_end(claim.worker, claim.ended) - CLOCKS_APART_SECONDS:
        return "zombie"
    return "abandoned" if older.stubborn else "double"


def epochs_grow(h: History) -> Breaches:
    """I3: the epoch never falls, every claim has one of its own, the job's, and one run."""
    for job, changes in h.of_job.items():
        epoch = claimed = 0
        for change in changes:
            if change["op"] == "C":
                if change["epoch"] <= claimed:
                    yield "epoch_claimed_twice", (job, change["epoch"])
                elif change["epoch"] != epoch:
                    yield "claimed_at_another_epoch", (job, epoch, change["epoch"])
                claimed = max(claimed, change["epoch"])
            elif change["op"] in ROW:
                if change["epoch"] < epoch:
                    yield "epoch_went_back", job
                epoch = max(epoch, change["epoch"])
    for job, runs in h.runs.items():
        first: dict[int, Run] = {}
        for run in runs:
            before = first.setdefault(run.epoch, run)
            if before is not run and not h.crashed_between(
                before.start - h.lease_seconds, run.start
            ):
                yield "epoch_run_twice", (job, run.epoch)


def states_are_legal(h: History) -> Breaches:
    """I4: only legal transitions; what is over stays as it is unless somebody asked for a retry. I16: no job vanishes."""
    retried = {
        event["job"] for event in h.client if event["f"] == "retry" and event["res"] != "fail"
    }
    for job, changes in h.of_job.items():
        state: str | None = None
        gone: tuple[str, int] | None = None
        for change in changes:
            new = change["state"]
            if change["op"] == "D":
                gone = (change["place"], change["xid"])
                continue
            if change["op"] == "L":
                if _left_alone(h, change):
                    yield "left_without_lease", job
                continue
            if change["op"] == "C" and state == "running":
                yield "claimed_while_leased", job
            elif state in OVER:
                if gone == ("history", change["xid"]) and job in retried and new == "pending":
                    pass
                elif change["place"] == "history" and change["op"] == "I":
                    yield "settled_twice", (job, state, new)
                else:
                    yield "terminal_changed", (job, state, new)
            elif new not in LEGAL[state]:
                yield "illegal_transition", (job, state, new)
            if gone is not None and gone[1] != change["xid"]:
                yield "vanished", job
            if new in OVER and gone is None and state not in OVER:
                yield "in_two_places", job
            state, gone = new, None
        if gone is not None:
            yield "vanished", job


def _left_alone(h: History, gone: Event) -> bool:
    """Whether a lease went while a job of it was neither over nor placed anew, before or in the same transaction.

    A rescue and a settle that comes late may cross: each had begun before the other's last change, and what the audit
    numbered later was done under locks that the other waited for.
    """
    claim = h.claim(gone["job"], gone["epoch"])
    if claim is None:
        return False
    return claim.ended == NEVER or h.spans[claim.end_xid][0] > h.spans[gone["xid"]][1]


def keys_are_unique(h: History) -> Breaches:
    """I5: at most one live job for a kind and a key."""
    live: dict[tuple[str, str], int] = {}
    for change in h.changes:
        if change.get("key") is None:
            continue
        key = (change["kind"], change["key"])
        if change["place"] == "history" or change["op"] == "D":
            if live.get(key) == change["job"]:
                del live[key]
        elif live.setdefault(key, change["job"]) != change["job"]:
            yield "key_twice", (key, live[key], change["job"])


def attempts_are_counted(h: History) -> Breaches:
    """I6: one at a time, never more than the most, never back (a retry begins anew)."""
    for job, changes in h.of_job.items():
        attempts = 0
        for change in changes:
            if change["op"] not in ROW:
                continue
            if change["op"] == "I" and change["place"] == "jobs":
                attempts = change["attempts"]
            if change["attempts"] > change["attempts_max"]:
                yield "attempts_over_max", (job, change["attempts"])
            if change["attempts"] not in (attempts, attempts + 1):
                yield "attempts_jumped", (job, attempts, change["attempts"])
            attempts = change["attempts"]


def progress_grows(h: History) -> Breaches:
    """I7: within one epoch; what an earlier attempt left does not count."""
    for job, changes in h.of_job.items():
        epoch, left, done = -1, None, None
        for change in changes:
            if change["op"] not in ROW:
                continue
            now = change.get("done")
            if change["epoch"] != epoch:
                epoch, left, done = change["epoch"], now, None
                continue
            if now is None or (done is None and now == left):
                continue
            if done is not None and now < done:
                yield "progress_back", (job, epoch, done, now)
            done = now


def ticks_fire_once(h: History) -> Breaches:
    """I9: one job for a schedule and a tick, ever."""
    fired: dict[tuple[str, str], set[int]] = defaultdict(set)
    for change in h.changes:
        if change.get("schedule"):
            fired[change["schedule"], change["tick"]].add(change["job"])
    yield from (
        ("tick_twice", (tick, sorted(jobs))) for tick, jobs in fired.items() if len(jobs) > 1
    )


def everything_ends(h: History) -> Breaches:
    """I10: after the faults every job reaches its end."""
    for job in h.of_job:
        if h.ends(job) not in OVER:
            yield "not_drained", (job, h.ends(job))


def completed_was_run(h: History) -> Breaches:
    """I11: what is completed was run to its end, at the epoch it was completed with."""
    for job, changes in h.of_job.items():
        for change in changes if h.witnessed(job) else ():
            if (
                change["place"] == "history"
                and change["op"] == "I"
                and change["state"] == "completed"
            ):
                runs = [run for run in h.runs.get(job, ()) if run.epoch == change["epoch"]]
                if not any(
                    run.settles
                    or (run.out == "ok" and run.end <= change["t"] + CLOCKS_APART_SECONDS)
                    for run in runs
                ):
                    yield "completed_without_run", (job, change["epoch"])


def lanes_keep_their_limits(h: History) -> Breaches:
    """I12: a sweep over the runs of each limited lane; a run whose claim was taken away holds no slot any more."""
    moments: dict[str, list[tuple[float, int]]] = defaultdict(list)
    limits: dict[str, int] = h.settings.get("limits", {})
    for run in h.all_runs():
        if run.lane in limits:
            claim = h.claim(run.job, run.epoch)
            end = min(run.end, claim.ended if claim else run.end)
            if end > run.start:
                moments[run.lane] += [(run.start, 1), (end, -1)]
    for lane, edges in moments.items():
        at_once = most = 0
        for _, step in sorted(edges):
            at_once += step
            most = max(most, at_once)
        if most > limits[lane]:
            yield "lane_over_limit", (lane, most, limits[lane])


def effects_happen_once(h: History) -> Breaches:
    """I13: a job that completes in its own transaction has one effect, at the epoch it was completed with; others none."""
    kinds = {run.kind for run in h.all_runs() if run.settles}
    done = {
        c["job"]: c["epoch"]
        for c in h.changes
        if c.get("kind") in kinds and c["place"] == "history" and c["state"] == "completed"
    }
    seen: Counter[int] = Counter()
    for effect in h.effects:
        seen[effect["job"]] += effect["n"]
        if done.get(effect["job"]) != effect["epoch"]:
            yield "effect_without_completion", effect["job"]
    yield from (("effect_twice", job) for job, n in seen.items() if n > 1)
    yield from (("effect_missing", job) for job in done if not seen[job])


def cancelled_does_not_start(h: History) -> Breaches:
    """I14: no claim after a cancel was acknowledged; where it was cancelled at once, no start either."""
    retried = {event["job"] for event in h.client if event["f"] == "retry"}
    for event in h.client:
        if event["f"] != "cancel" or event["res"] != "ok" or event["job"] in retried:
            continue
        if any(
            claim.begun > event["t1"] + CLOCKS_APART_SECONDS
            for claim in h.claims.get(event["job"], ())
        ):
            yield "claimed_after_cancel", event["job"]
        at_once = event["answer"] == "cancelled"
        if at_once and any(run.start > event["t1"] for run in h.runs.get(event["job"], ())):
            yield "started_after_cancel", event["job"]


def counts_are_true(h: History) -> Breaches:
    """I15: where nothing was broken, the workers' counts are the history's, in their tables and in their metrics."""
    quiet = ("born", "death", "term", "healed")
    if any(event["f"] not in quiet or event.get("code") for event in h.nemesis):
        return
    over = [c for c in h.changes if c["place"] == "history" and c["op"] == "I"]
    completed = sum(change["state"] == "completed" for change in over)
    if h.final is not None and h.final["counted"] != completed:
        yield "counts_differ", (h.final["counted"], completed)
    if h.metrics is not None:
        counted = h.metrics["finished"]
        counted = counted.get("completed", 0) + counted.get("partial", 0)
        if counted != completed:
            yield "metrics_differ", (counted, completed)


def nothing_is_left(h: History) -> Breaches:
    """I16, I17: jobs that are there or over are those that were inserted; no lease or slot of a worker that is gone."""
    if h.final is None:
        return
    inserted = len(h.of_job)
    if h.final["live"] + h.final["over"] != inserted:
        yield "not_conserved", (inserted, h.final["live"], h.final["over"])
    for what in ("dead_leases", "dead_slots"):
        if h.final[what]:
            yield what, h.final[what]


def lost_jobs_run_again(h: History) -> Breaches:
    """I17: what a lost worker held runs again, within the bound."""
    bound = h.settings.get("recovery_seconds_max", RECOVERY_SECONDS_MAX)
    for claim, seconds in recoveries(h):
        if seconds is None:
            yield "never_recovered", (claim.job, claim.epoch)
        elif seconds > bound:
            yield "recovered_late", (claim.job, claim.epoch, round(seconds, 2))


def recoveries(h: History) -> Iterator[tuple[Claim, float | None]]:
    """Each claim that a lost process held, and the seconds from its loss until the job ran again or was over (None: never)."""
    gone = {event["gone"]: event["t"] for event in reversed(h.nemesis) if "gone" in event}
    process = {beat["worker"]: beat["pid"] for beats in h.beats.values() for beat in beats}
    rescues = {
        (b["worker"], b["xid"]) for beats in h.beats.values() for b in beats if b["op"] == "D"
    }
    for job, claims in h.claims.items():
        for claim in claims:
            lost = gone.get(process.get(claim.worker, 0))
            if lost is None or not claim.begun <= lost < claim.ended or not h.witnessed(job):
                continue
            if claim.became in OVER and (claim.worker, claim.end_xid) not in rescues:
                continue  # its last statement was on its way
            starts = [
                run.start
                for run in h.runs.get(job, ())
                if run.start > lost and run.epoch > claim.epoch
            ]
            over = [
                c["t"]
                for c in h.of_job[job]
                if c["state"] in OVER and c["place"] == "history" and c["t"] > lost
            ]
            again = min([*starts, *over], default=None)
            yield claim, None if again is None else again - lost


INVARIANTS: list[Callable[[History], Breaches]] = [
    nothing_lost, ends_as_expected, one_run_in_a_lease, epochs_grow, states_are_legal, keys_are_unique, attempts_are_counted,
    progress_grows, ticks_fire_once, everything_ends, completed_was_run, lanes_keep_their_limits, effects_happen_once,
    claims_are_in_order, cancelled_does_not_start, counts_are_true, nothing_is_left, lost_jobs_run_again, who_asked_is_told,
]  # fmt: skip
