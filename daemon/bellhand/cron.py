"""Cron expressions: which ticks a schedule has missed, and when it is due next.

Wall-clock rules across daylight saving are those of Debian's cron, by cronsim: a daily job runs once a day always; one
in the hour that is skipped runs right after it, one in the hour that is repeated runs in its first pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

LATE_SECONDS = 60
PAST_TICKS_MAX = 200  # more than a repeated hour has minutes
GO_ON_AFTER = timedelta(minutes=30)
ALIASES = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip


def ticks_after(expression: str, timezone: str, moment: datetime) -> Iterator[datetime]:
    """The ticks after an aware moment, for ever, in that time zone; ValueError says what is wrong with the input."""
    return _ever_later(_read(expression, timezone, moment), expression, timezone, moment)


def _read(expression: str, timezone: str, moment: datetime) -> CronSim:
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = get_close_matches(timezone, available_timezones(), 1, 0.8)
        raise ValueError(
            f"unknown time zone {timezone!r}; "
            + (f"did you mean {near[0]}?" if near else "use a name such as Europe/Berlin or UTC")
        ) from error
    try:
        return CronSim(ALIASES.get(expression.strip(), expression), moment.astimezone(zone))
    except CronSimError as error:
        raise ValueError(
            f"cron expression {expression!r} does not parse: {error}; "
            "it has five fields: minute hour day-of-month month day-of-week"
        ) from error


def _ever_later(
    ticks: CronSim, expression: str, timezone: str, moment: datetime
) -> Iterator[datetime]:
    """Only what is later than all before it. Asked within an hour that is repeated, cronsim begins with ticks of its first pass; where
    the clock goes back by half an hour (Lord Howe) it goes round and round."""
    last, past = moment.astimezone(UTC), 0
    while True:
        tick = next(ticks, None)
        if tick is None:
            return
        if tick.astimezone(UTC) > last:
            last, past = tick.astimezone(UTC), 0
            yield tick
            continue
        past += 1
        if past == PAST_TICKS_MAX:
            moment, past = max(moment, last) + GO_ON_AFTER, 0
            ticks = _read(expression, timezone, moment)


def in_words(expression: str) -> str:
    """`At 03:00 every day`; ValueError as of ticks_after."""
    begin = datetime(2000, 1, 1, tzinfo=UTC)  # any: the words do not depend on it
    return str(_read(expression, "UTC", begin).explain())


def _last_ticks(
    expression: str, timezone: str, expected: datetime, now: datetime, most: int
) -> list[datetime]:
    """The last `most` ticks from `expected` to `now`, looked for from the end: years of minutes would hold up the loop."""
    window = timedelta(hours=1)
    while True:
        begin = max(expected, now - window)
        due = [expected] if begin == expected else []
        for tick in ticks_after(expression, timezone, begin):
            if tick > now:
                break
            due.append(tick)
        if begin == expected or len(due) >= most:
            return due[-most:]
        window *= 4


def late_ticks(expression: str, timezone: str, expected: datetime | None, now: datetime) -> int:
    """How many ticks from `expected` on were due for more than a minute by `now`; counted up to 100."""
    if expected is None or (now - expected).total_seconds() <= LATE_SECONDS:
        return 0
    return len(
        _last_ticks(expression, timezone, expected, now - timedelta(seconds=LATE_SECONDS), 100)
    )


def due_ticks(
    expression: str,
    timezone: str,
    *,
    expected: datetime | None,
    now: datetime,
    missed: str,
    missed_max: int,
) -> tuple[list[datetime], datetime | None]:
    """The ticks to enqueue now, oldest first, and the next one after `now` (None: never again).

    `expected` is the tick that the schedule was waiting for (None: it is new, and nothing is due). A tick that is due
    is not missed unless another one has come since: `skip` enqueues the last tick only if it is at most a minute old,
    `latest` the last one, `all` the last `missed_max`.
    """
    ticks = ticks_after(expression, timezone, now)
    next_tick = next(ticks, None)
    if expected is None or expected > now:
        return [], next_tick  # it was later before the clock was set back
    due = _last_ticks(expression, timezone, expected, now, missed_max)
    if missed == "all":
        return due, next_tick
    if missed == "skip" and (now - due[-1]).total_seconds() > LATE_SECONDS:
        return [], next_tick
    return due[-1:], next_tick
