"""Which ticks are due: time zones, daylight saving both ways, what was missed."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellhand.cron import due_ticks, ticks_after

BERLIN = ZoneInfo("Europe/Berlin")


def first(expression: str, zone: str, moment: datetime, count: int = 3) -> list[str]:
    return [tick.isoformat() for tick in islice(ticks_after(expression, zone, moment), count)]


def test_ticks_are_in_the_schedule_s_own_zone() -> None:
    assert first("0 9 * * 1", "Asia/Dhaka", datetime(2030, 1, 1, tzinfo=UTC), 1) == [
        "2030-01-07T09:00:00+06:00"
    ]


def test_a_daily_job_in_the_skipped_hour_runs_right_after_it() -> None:
    # On 2030-03-31 the clock in Berlin goes from 02:00 to 03:00.
    assert first("30 2 * * *", "Europe/Berlin", datetime(2030, 3, 30, 12, tzinfo=BERLIN)) == [
        "2030-03-31T03:00:00+02:00",
        "2030-04-01T02:30:00+02:00",
        "2030-04-02T02:30:00+02:00",
    ]


def test_a_daily_job_in_the_repeated_hour_runs_once() -> None:
    # On 2030-10-27 the hour from 02:00 comes twice.
    assert first("30 2 * * *", "Europe/Berlin", datetime(2030, 10, 26, 12, tzinfo=BERLIN), 2) == [
        "2030-10-27T02:30:00+02:00",
        "2030-10-28T02:30:00+01:00",
    ]


@pytest.mark.parametrize(
    "expression", ["30 2 * * *", "45 1 * * *", "*/20 2 * * *", "0-59 1-2 * * *", "59 23 * * *"]
)
@pytest.mark.parametrize(("zone", "night"), [
    ("Europe/Berlin", datetime(2030, 10, 26, 22, tzinfo=UTC)), ("America/New_York", datetime(2030, 11, 3, 3, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 10, 29, 19, tzinfo=UTC)), ("Antarctica/Troll", datetime(2030, 10, 26, 22, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 13, tzinfo=UTC)),
])  # fmt: skip
def test_no_tick_is_before_the_moment_that_was_asked_for_nor_before_another(
    zone: str, night: datetime, expression: str
) -> None:
    """Asked in the second pass of a repeated hour the library named ticks of the first, so a schedule that was resumed then was due at
    once, and looked at again and again until the hour was over; in Lord Howe it named the same ones for ever, and the loop stood still."""
    usual = list(islice(ticks_after(expression, zone, night), 200))
    for minutes in range(0, 6 * 60, 13):
        moment = night + timedelta(minutes=minutes)
        ticks = [moment, *islice(ticks_after(expression, zone, moment), 20)]
        assert all(one.astimezone(UTC) < next.astimezone(UTC) for one, next in pairwise(ticks))
        if zone != "Australia/Lord_Howe" and usual[-1].astimezone(UTC) > ticks[1].astimezone(UTC):
            assert ticks[1] in usual, "as if it had been asked before that hour"
    assert len(due_ticks(expression, zone, expected=night, now=night + timedelta(days=1), missed="all", missed_max=999)[0]) < 130  # fmt: skip


@given(
    zone=st.sampled_from(
        [
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "America/St_Johns",
            "UTC",
        ]
    ),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    year=st.integers(2010, 2035),
)
def test_a_daily_job_runs_once_each_day_that_exists(
    zone: str, hour: int, minute: int, year: int
) -> None:
    start = datetime(year, 1, 1, tzinfo=ZoneInfo(zone)) - timedelta(seconds=1)
    ticks = list(islice(ticks_after(f"{minute} {hour} * * *", zone, start), 364))
    days = [tick.astimezone(ZoneInfo(zone)).date() for tick in ticks]
    assert len(set(days)) == len(days)
    gaps = {later - earlier for earlier, later in pairwise(days)}
    # Samoa left out 2011-12-30 altogether.
    assert gaps <= (
        {timedelta(days=1), timedelta(days=2)}
        if (zone, year) == ("Pacific/Apia", 2011)
        else {timedelta(days=1)}
    )


NOON = datetime(2030, 1, 7, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("missed", "late", "expected"),
    [
        ("latest", timedelta(0), ["12:00"]),
        ("latest", timedelta(days=7), ["12:00"]),
        ("skip", timedelta(0), ["12:00"]),
        ("all", timedelta(minutes=2), ["11:58", "11:59", "12:00"]),
        ("all", timedelta(days=7), ["11:58", "11:59", "12:00"]),
    ],
)
def test_missed_ticks_follow_the_policy(missed: str, late: timedelta, expected: list[str]) -> None:
    waited_for = NOON.replace(second=0) - late
    due, following = due_ticks(
        "* * * * *", "UTC", expected=waited_for, now=NOON, missed=missed, missed_max=3
    )
    assert [f"{tick:%H:%M}" for tick in due] == expected
    assert following == NOON.replace(minute=1, second=0)


def test_skip_leaves_out_what_is_older_than_a_minute() -> None:
    due, following = due_ticks(
        "0 * * * *",
        "UTC",
        expected=NOON - timedelta(hours=3),
        now=NOON + timedelta(minutes=5),
        missed="skip",
        missed_max=3,
    )
    assert (due, following) == ([], NOON.replace(hour=13, second=0))


def test_a_new_schedule_waits_for_its_next_tick() -> None:
    assert due_ticks("0 0 1 1 *", "UTC", expected=None, now=NOON, missed="all", missed_max=9) == (
        [],
        datetime(2031, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("expression", "zone", "what"),
    [
        ("61 * * * *", "UTC", "cron expression"),
        ("* * * * *", "Mars/Base", "time zone"),
        ("0 0 31 2 *", "UTC", "cron expression"),
    ],
)
def test_nonsense_says_what_is_wrong(expression: str, zone: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        ticks_after(expression, zone, NOON)


def test_the_usual_names_are_known() -> None:
    assert first("@daily", "UTC", NOON, 1) == ["2030-01-08T00:00:00+00:00"]
