"""How the pages say things: times, durations, counts, progress; also for those who hear them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bellhand.logs import without_secrets

LINE_CHARS_MAX = 200
LATE_SECONDS = 3.0


def moment(value: datetime | str) -> datetime:
    """The moment of a text as the job resource writes it."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def iso(value: datetime | str) -> str:
    """For machines: RFC 3339 in UTC."""
    return moment(value).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc(value: datetime | str) -> str:
    """For people: 2026-01-31 12:00:00 UTC."""
    return f"{moment(value).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(value: datetime | str, now: datetime) -> str:
    """`4 min ago` or `in 2 h`, by the clock of the database."""
    seconds = (now - moment(value)).total_seconds()
    # The clock of a page is up to 2 s old: what happened since is not to come.
    if -LATE_SECONDS < seconds < 1.5:
        return "now"
    said = rough(abs(seconds))
    return f"{said} ago" if seconds > 0 else f"in {said}"


def rough(seconds: float) -> str:
    """A duration in its largest unit: `90 s`, `12 min`, `3 h`, `2 d`."""
    for unit, size, below in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 129600)):
        if seconds < below:
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds / 86400)} d"


def took(seconds: float | None) -> str:
    """A duration to read exactly: `40 ms`, `1.8 s`, `4 min 12 s`, `2 h 5 min`."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def number(value: float | None) -> str:
    """`12,304`; a fraction keeps two digits."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


def size(count: int | None) -> str:
    """Bytes as `4.1 GB`."""
    left = float(count or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if left < 1000:
            return f"{left:.0f} {unit}" if unit == "B" else f"{left:.1f} {unit}"
        left /= 1000
    return f"{left:.1f} TB"


def last_line(text: str) -> str:
    """The line of an error that says what it is: a traceback ends with it."""
    lines = text.strip().splitlines() or [""]
    return without_secrets(lines[-1])[:LINE_CHARS_MAX]


def steps_said(job: dict[str, Any]) -> str:
    """`63 % · 4/6`, beside a bar; `finishing · 6/6` once all is behind it; `2 steps done` where nobody knows how many there are."""
    progress = job["progress"]
    percent = progress["percent"]
    # Of a partial job 100 % would say too much.
    said = progress["ending"] or ("" if percent is None or job["partial"] else f"{percent:.0f} %")
    counted = _counted(job)
    if counted:
        return " · ".join(filter(None, (said, f"{counted[0]:g}/{counted[1]:g}")))
    done = progress["steps_done"]
    return said or (f"{done} step{'' if done == 1 else 's'} done" if done else "")


def spoken(job: dict[str, Any]) -> str:
    """`63 percent, 4 of 6 steps`: what a bar is for those who hear it."""
    progress = job["progress"]
    percent = progress["percent"]
    parts = [progress["ending"] or ("" if percent is None else f"{percent:.0f} percent")]
    if counted := _counted(job):
        parts.append(f"{counted[0]:g} of {counted[1]:g}{counted[2]}")
    if progress["steps_failed"]:
        parts.append(f"{progress['steps_failed']} step{'' if progress['steps_failed'] == 1 else 's'} failed")  # fmt: skip
    return ", ".join(filter(None, parts))


def _counted(job: dict[str, Any]) -> tuple[float, float, str] | None:
    """How much is done of how much, and of what; None where that would contradict a job that completed."""
    progress = job["progress"]
    for done, total, unit in (
        ("items_done", "items_total", ""),
        ("steps_done", "steps_total", " steps"),
    ):
        if progress[total]:
            whole = job["state"] == "completed" and not job["partial"]
            behind = progress[done] or 0
            return None if whole and behind < progress[total] else (behind, progress[total], unit)
    return None


def shown(job: dict[str, Any]) -> str:
    """The state as people name it: a job that ended with failed steps is `partial`."""
    return "partial" if job["partial"] else str(job["state"])


def lasted(job: dict[str, Any], now: datetime) -> float | None:
    """Seconds that the last attempt ran, so far if it runs."""
    if not job["started_at"] or job["state"] in ("pending", "scheduled", "retrying"):
        return None
    end = moment(job["finished_at"]) if job["finished_at"] else now
    return max(0.0, (end - moment(job["started_at"])).total_seconds())


def within(bound: float | None) -> str:
    """The bound of a histogram's bucket."""
    if bound is None:
        return "-"
    if bound == float("inf"):
        return "over 1 h"
    return took(bound) if bound < 60 else rough(bound)


FILTERS = {
    "moment": moment, "iso": iso, "utc": utc, "ago": ago, "rough": rough, "took": took,
    "number": number, "size": size, "last_line": last_line, "steps_said": steps_said,
    "spoken": spoken, "within": within, "hide": without_secrets,
}  # fmt: skip
