"""What needs attention, in words: how bad, what, since when, how much, and where to do something about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from bellhand.counted import counted
from bellhand.dashboard.words import rough, took

MESSAGE_CHARS_MAX = 160
WAIT_SLO_SECONDS = 900.0  # where the configuration is not known
COUNTED_MAX = 100_000  # lane_stats counts no further
LATE_SECONDS = 15.0
LATELY_PARTS = 2  # the newest of a lane's parts of five minutes


@dataclass(frozen=True, slots=True)
class Trouble:
    """`is_bad`: something stands still or fails; else it is to be known. `path` and `press` lead to where it is changed, `runbook` says how."""

    is_bad: bool
    what: str
    said: str
    path: str
    press: str
    runbook: str
    since: datetime | None = None


Row = dict[str, Any]


def _silent(name: str, data: Row) -> Trouble:
    holds = f"The {counted(data['jobs'], 'job')} it holds will run elsewhere once its lease is over." if data["jobs"] else "It holds nothing."  # fmt: skip
    return Trouble(True, f"Worker {name} is silent", f"No beat from {data['host']}. {holds}", "/workers", "Workers", "BellhandWorkersLost")  # fmt: skip


def _lost(name: str, data: Row) -> Trouble:
    held = f"{counted(data['jobs'], 'job')} it held {'was' if data['jobs'] == 1 else 'were'} taken back" if data["jobs"] else "it held nothing"  # fmt: skip
    failed = f", {data['failed']} of them failed for good" if data["failed"] else ""
    return Trouble(bool(data["failed"]), f"Worker {name} was lost", f"Its beat from {data['host']} stopped; {held}{failed}.", "/workers", "Workers", "BellhandWorkersLost")  # fmt: skip


def _no_worker(kind: str, data: Row) -> Trouble:
    jobs = "more than 10,000 jobs" if data["jobs"] > 10_000 else counted(data["jobs"], "job")
    why = (
        "no live worker has its handler" if data["known"] else "no worker ever published this kind"
    )
    wait = "waits" if data["jobs"] == 1 else "wait"
    return Trouble(True, f"Nobody runs {kind}", f"{jobs} {wait}: {why}.", _search(f"kind:{kind} state:live"), "Its jobs", "BellhandNoHandler")  # fmt: skip


def _overrun(kind: str, data: Row) -> Trouble:
    one = data["jobs"] == 1
    said = f"{counted(data['jobs'], 'job')} {'runs' if one else 'run'} beyond the timeout, which did not stop {'it' if one else 'them'}: code that blocks, or a worker that hangs."
    return Trouble(True, f"{kind} does not end", said, f"/jobs/{data['job']}", f"Job {data['job']}", "BellhandLaneStalled")  # fmt: skip


def _failing(kind: str, data: Row) -> Trouble:
    share = f"{data['jobs']:,} of {data['ended']:,} that ended failed in this hour and the last"
    deploy = data["deploy"]
    after = f", first {rough(deploy['seconds'])} after the deploy of {deploy['version']}" if deploy else ""  # fmt: skip
    fresh = " It is new." if data["new"] else ""
    message = (data["message"] or "some of its steps failed").removeprefix(f"{data['error_class']}: ")[:MESSAGE_CHARS_MAX]  # fmt: skip
    bad = 2 * data["jobs"] >= data["ended"]
    return Trouble(bad, f"{kind} fails: {data['error_class']}", f"{share}{after}.{fresh} {message}", f"/failures/{quote(data['fingerprint'], safe='')}", "Compare, retry, mute", "BellhandFailureRatioHigh")  # fmt: skip


def _open(name: str, data: Row) -> Trouble:
    again = f"asked again in {rough(data['seconds'])}" if data["seconds"] else "the next call asks it again"  # fmt: skip
    error = f"{data['error'][:MESSAGE_CHARS_MAX]}; " if data["error"] else ""
    return Trouble(True, f"{name} is left alone", f"{error}{again}. Jobs that call it try again later.", "/system#services-title", "Outside services", "BellhandCircuitOpen")  # fmt: skip


def _waits(name: str, data: Row) -> Trouble:
    said = f"{data['reason'] or 'It asked to wait'}; called again in {rough(data['seconds'])}. Jobs that call it wait so long."
    return Trouble(False, f"{name} is not called", said, "/system#services-title", "Outside services", "BellhandExternalQuotaLow")  # fmt: skip


def _no_pulse(lane: str, _data: Row) -> Trouble:
    said = "A canary was sent and did not come back: jobs of this lane are not taken up, or do not end."
    return Trouble(True, f"No pulse in lane {lane}", said, _lane(lane), "The lane", "BellhandCanaryLate")  # fmt: skip


def _schedule(name: str, data: Row) -> Trouble:
    said = data["error"] or "Its tick is due and was not queued: no daemon looks at schedules."
    return Trouble(True, f"Schedule {name} missed its tick", said, "/schedules", "Schedules", "BellhandScheduleMissed")  # fmt: skip


def _drained(name: str, data: Row) -> Trouble:
    return Trouble(False, f"Worker {name} is drained", f"It claims nothing: {data['reason'] or 'no reason was given'}.", "/workers", "Let it claim again", "BellhandWorkerDrainedLong")  # fmt: skip


def _channel(name: str, data: Row) -> Trouble:
    how = "is switched off" if data["disabled"] else "does not take messages"
    waiting = f"; {counted(data['waiting'], 'message')} for it" if data["waiting"] else ""
    runbook = "BellhandChannelFailing"
    return Trouble(False, f"Channel {name} {how}", f"{(data['error'] or 'no reason is known')[:MESSAGE_CHARS_MAX]}{waiting}.", f"/runbooks/{runbook}", "What to do", runbook)  # fmt: skip


def _transaction(whose: str, data: Row) -> Trouble:
    return Trouble(False, "An old transaction holds back vacuum", f"It is open in {whose}, pid {data['pid']}.", "/system", "The database", "BellhandVacuumBlocked")  # fmt: skip


# By the sort of troubles.sql, in the order in which they are told.
SORTS: dict[str, Callable[[str, Row], Trouble]] = {
    "no_worker": _no_worker, "worker_silent": _silent, "overrun": _overrun, "no_pulse": _no_pulse, "service_open": _open, "failing": _failing,
    "schedule_missed": _schedule, "worker_lost": _lost, "service_waits": _waits, "channel": _channel, "drained": _drained, "transaction": _transaction,
}  # fmt: skip


def slo_of(settings: Row) -> Callable[[str], float]:
    """How long a job of a lane may be due, as the alerts have it: of the settings as the dashboard is given them."""
    usual = float(settings.get("metrics", {}).get("wait_slo_seconds", WAIT_SLO_SECONDS))
    lanes = settings.get("lanes", {})
    return lambda lane: float(lanes.get(lane, {}).get("wait_slo_seconds") or usual)


def late_of(settings: Row) -> float:
    """After how many seconds without a beat a worker is worth a look: an idle one beats once in a third of its lease."""
    return max(LATE_SECONDS, float(settings.get("worker", {}).get("lease_seconds", 0.0)) / 2)


def late_lanes(lanes: Iterable[Row], slo_seconds: Callable[[str], float], now: datetime) -> list[Trouble]:  # fmt: skip
    """The lanes of page_lanes.sql whose oldest job has been due for longer than it may, and what holds them up as far as limits tell."""
    return [_late(lane, slo_seconds(lane["lane"]), now) for lane in lanes
            if lane["pending"] and (lane["oldest_due_seconds"] or 0.0) > slo_seconds(lane["lane"])]  # fmt: skip


def _late(lane: Row, may_seconds: float, now: datetime) -> Trouble:
    name, jobs, due_seconds = lane["lane"], lane["pending"], lane["oldest_due_seconds"]
    waits = f"{'more than 100,000' if jobs > COUNTED_MAX else format(jobs, ',')} wait{'s' if jobs == 1 else ''}"
    said = f"{waits}, the oldest has been due for {took(due_seconds)} and may be for {rough(may_seconds)}."
    if lane["paused"]:
        until = "" if lane["paused_until"] else " Nothing of it begins until somebody resumes it."
        return Trouble(False, f"Lane {name} is paused", said + until, _lane(name), "Resume it", "BellhandLanePausedLong", lane["paused_at"])  # fmt: skip
    stands = not sum(part["done"] for part in lane["hour"][-LATELY_PARTS:])
    said = f"{said} {_held_up(lane)}{', and nothing of it was done in the last 10 minutes' if stands else ''}."
    since = now - timedelta(seconds=due_seconds - may_seconds)
    return Trouble(stands, f"Lane {name} {'stands still' if stands else 'is late'}", said, _lane(name), "Who has its slots", "BellhandLaneWaitHigh", since)  # fmt: skip


def _held_up(lane: Row) -> str:
    slots, running = lane["concurrency"], lane["running"]
    if slots and running >= slots:
        return f"All {slots} of its slots are taken" if slots > 1 else "Its only slot is taken"
    if lane["rate_per_second"]:
        return f"Its rate lets {lane['rate_per_second']:g} begin a second"
    return f"{running} of it {'runs' if running == 1 else 'run'}" if running else "Nothing of it runs"  # fmt: skip


def troubles(rows: Iterable[Row], lanes: list[Trouble]) -> list[Trouble]:
    """All of them, what is bad first; `rows` are of troubles.sql, `lanes` of late_lanes()."""
    found = list(lanes)
    for row in sorted(rows, key=lambda row: list(SORTS).index(row["sort"])):
        told = SORTS[row["sort"]](row["subject"], row["data"])
        since = datetime.fromisoformat(row["since"]) if row["since"] else None
        found.append(replace(told, since=since))
    return sorted(found, key=lambda one: not one.is_bad)


def _lane(name: str) -> str:
    return f"/lanes/{quote(name, safe='')}"


def _search(text: str) -> str:
    return f"/jobs?{urlencode({'q': text})}"
