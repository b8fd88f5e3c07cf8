"""What happened, joined from the three witnesses, and the verdict on it.

Events are dicts with `src`: run (the settings), client, handler, nemesis, db (changes of jobs), leases, workers (changes
of these), effect, hook (what a receiver of webhooks got), metrics, final. Their times are seconds of one monotonic clock. The order of what happened to one job
is the order of `seq`. That a job runs is told by its lease alone: a claim is a lease's row, and it ends when the job's
epoch moves on. Everything is sorting and one pass: O(n log n).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .witness import Event

OVER = frozenset({"completed", "failed", "cancelled"})
NEVER = float("inf")
CLOCKS_APART_SECONDS = (
    0.05  # the database's clock against ours, and a statement against its trigger
)
LIST_MAX = 5  # violations of one sort that are shown


@dataclass(slots=True)
class Claim:
    """One claim of a job: from the lease that names it to the change that places it anew or ends it."""

    job: int
    epoch: int
    worker: str
    begun: float
    ended: float = NEVER
    end_xid: int = 0
    became: str = "running"


@dataclass(slots=True)
class Run:
    """One run of a handler; one that never stopped ended when its process did."""

    job: int
    epoch: int
    kind: str
    lane: str
    pid: int
    start: float
    daemon: int
    end: float = NEVER
    out: str = "never stopped"
    stubborn: bool = False
    settles: bool = False


@dataclass
class History:
    """The joined events of one run of a fault."""

    settings: Event
    client: list[Event]
    handler: list[Event]
    nemesis: list[Event]
    changes: list[Event]  # of jobs, and claims (op C, D where a lease went), by seq
    beats: dict[str, list[Event]]  # by worker, by seq
    effects: list[Event]
    hooks: list[Event]
    final: Event | None
    metrics: Event | None = None  # what the daemons counted
    of_job: dict[int, list[Event]] = field(default_factory=dict)
    claims: dict[int, list[Claim]] = field(default_factory=dict)
    runs: dict[int, list[Run]] = field(default_factory=dict)
    tokens: dict[str, list[int]] = field(default_factory=dict)  # token -> jobs inserted with it
    spans: dict[int, tuple[int, int]] = field(
        default_factory=dict
    )  # transaction: its first and last change, by seq
    torn: int = 0

    @property
    def lease_seconds(self) -> float:
        return float(self.settings["lease_seconds"])

    def witnessed(self, job: int) -> bool:
        """Whether the handler of the job writes down its runs."""
        return self.of_job[job][0].get("kind") not in self.settings.get("unwitnessed", ())

    def claim(self, job: int, epoch: int) -> Claim | None:
        """The claim of a job at an epoch, unless a crash of the server undid it."""
        return next((claim for claim in self.claims.get(job, ()) if claim.epoch == epoch), None)

    def ends(self, job: int) -> str | None:
        """The last state of a job."""
        changes = [change for change in self.of_job.get(job, ()) if change["op"] in ("I", "U")]
        return changes[-1]["state"] if changes else None

    def all_runs(self) -> Iterator[Run]:
        for runs in self.runs.values():
            yield from runs

    def crashed_between(self, begin: float, end: float, how: str = "crash") -> bool:
        """Whether the server lost commits that were not yet durable in that time, or (`clock`) its clock jumped."""
        return any(
            event.get("server") == how and begin <= event["t"] <= end for event in self.nemesis
        )

    def lease_end(self, worker: str, before: float) -> float:
        """When the worker's lease ran out if it never beat again after `before`."""
        beats = self.beats.get(worker, [])
        at = bisect_right(beats, before, key=lambda beat: beat["t"])
        beat = next((b["beat"] for b in reversed(beats[:at]) if b["op"] != "D"), before - NEVER)
        return float(beat) + self.lease_seconds


def join(events: Iterable[Event]) -> History:
    """Sort the witnesses' events and join them by job, epoch, worker and process."""
    by: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by[event["src"]].append(dict(event))
    beats: dict[str, list[Event]] = defaultdict(list)
    for beat in sorted(by["workers"], key=lambda event: event["seq"]):
        beats[beat["worker"]].append(beat)
    history = History(
        settings=by["run"][0] if by["run"] else {"lease_seconds": 30.0},
        client=by["client"], handler=sorted(by["handler"], key=lambda event: event["t"]),
        nemesis=sorted(by["nemesis"], key=lambda event: event["t"]), changes=sorted(by["db"] + _expanded(by["leases"]), key=lambda event: event["seq"]),
        beats=beats, effects=by["effect"], hooks=by["hook"], final=by["final"][-1] if by["final"] else None, metrics=by["metrics"][-1] if by["metrics"] else None, torn=len(by["torn"]),
    )  # fmt: skip
    for event in sorted(by["db"] + by["leases"] + by["workers"], key=lambda event: event["seq"]):
        first, _ = history.spans.get(event["xid"], (event["seq"], 0))
        history.spans[event["xid"]] = (first, event["seq"])
    _claims(history)
    _runs(history)
    return history


def _expanded(leases: list[Event]) -> list[Event]:
    """A change of each job that a lease names: C when it comes, L when it goes."""
    found = []
    for lease in leases:
        op = {"I": "C", "D": "L"}.get(lease["op"], "?")
        for job, epoch in zip(lease["ids"], lease["epochs"], strict=True):
            found.append(
                lease
                | {"op": op, "place": "leases", "job": job, "epoch": epoch, "state": "running"}
            )
    return found


def _claims(history: History) -> None:
    open_claims: dict[int, Claim] = {}
    for change in history.changes:
        job = change["job"]
        history.of_job.setdefault(job, []).append(change)
        if change["op"] == "I" and change["place"] == "jobs" and change.get("token"):
            tokens = history.tokens.setdefault(change["token"], [])
            if job not in tokens:
                tokens.append(job)
        now = open_claims.get(job)
        if change["op"] == "C":
            if now is None:
                open_claims[job] = Claim(job, change["epoch"], change["worker"], change["t"])
                history.claims.setdefault(job, []).append(open_claims[job])
        elif change["op"] in ("U", "I") and now is not None:
            if change["place"] == "jobs" and change["epoch"] == now.epoch:
                change["state"] = "running"  # its lease says so
                continue
            now.ended, now.end_xid, now.became = change["t"], change["xid"], change["state"]
            del open_claims[job]


def _runs(history: History) -> None:
    died = {event["pid"]: event["t"] for event in history.nemesis if event["f"] == "death"}
    open_runs: dict[tuple[int, int | None, int], Run] = {}
    last_sign: dict[tuple[int, int], float] = {}
    for event in history.handler:
        key = (event["job"], event.get("epoch"), event["pid"])
        last_sign[event["job"], event["pid"]] = event["t"]
        if event["f"] == "start":
            run = Run(
                event["job"], _epoch(history, event), event["kind"], event["lane"], event["pid"], event["t"],
                event.get("daemon") or event["pid"], stubborn=event.get("stubborn", False), settles=event.get("settles", False),
            )  # fmt: skip
            open_runs[key] = run
            history.runs.setdefault(run.job, []).append(run)
        elif event["f"] == "stop" and key in open_runs:
            run = open_runs.pop(key)
            run.end, run.out = event["t"], event["out"]
    for run in open_runs.values():
        if run.pid in died:
            run.end = died[run.pid]
        elif run.daemon in died:  # a process of its own: it may outlive its daemon
            run.end = max(died[run.daemon], last_sign[run.job, run.pid])


def _epoch(history: History, event: Event) -> int:
    """The epoch of a run; isolated handlers are not told, so it is that of the last claim before it."""
    if event.get("epoch") is not None:
        return int(event["epoch"])
    before = [
        claim.epoch for claim in history.claims.get(event["job"], ()) if claim.begun <= event["t"]
    ]
    return before[-1] if before else 0


def check(events: Iterable[Event]) -> dict[str, Any]:
    """The verdict: valid or not, the violations by name (and how many), the figures."""
    from .figures import figures  # they build on this module
    from .invariants import INVARIANTS

    history = join(events)
    found: dict[str, list[Any]] = defaultdict(list)
    for invariant in INVARIANTS:
        for name, detail in invariant(history):
            found[name].append(detail)
    return {
        "valid": not found,
        "violations": {name: details[:LIST_MAX] for name, details in found.items()},
        "counts": {name: len(details) for name, details in found.items()},
        "figures": figures(history) | {"settled_twice": len(found.get("settled_twice", ())),
                                       "lost": len(found.get("lost_job", ()))},
    }  # fmt: skip
