"""F47 to F49: ticks missed while no daemon ran, several schedulers that are killed in between, daylight saving."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from bellhand.cron import due_ticks, ticks_after

from ..fault import fault
from ..stage import Stage
from .f01_killed import kills

SCHEDULE = """
insert into bellhand.schedules (name, cron, timezone, kind, missed, missed_max, next_at) values ($1, $2, $3, 'f.silent', $4, $5, $6)
"""
FIRED = "select tick from bellhand.schedule_ticks where schedule = $1 and tick <= $2 order by tick"
ROUGH = ["faults.rough_handlers"]
WEEK = timedelta(days=7)
# Zones whose daylight saving is odd, and a time of day that it skips or repeats.
DST = {
    "Europe/Berlin": "30 2 * * *", "America/New_York": "30 2 * * *", "Australia/Lord_Howe": "15 2 * * *", "America/Santiago": "30 0 * * *",
    "Asia/Kolkata": "30 2 * * *", "Africa/Casablanca": "30 2 * * *",
}  # fmt: skip


@fault("F47", "a week of missed ticks, by each policy", seconds=10)
async def missed(stage: Stage) -> None:
    now = datetime.now(UTC)
    earlier = (now - timedelta(hours=3)).replace(second=0, microsecond=0)
    daily = f"{earlier.minute} {earlier.hour} * * *"
    # (cron, policy, most) -> ticks that must be made up for; the last one of a minutely schedule is never old.
    wanted = {("* * * * *", "skip", 10): 1, ("* * * * *", "latest", 10): 1, ("* * * * *", "all", 10): 10, (daily, "skip", 10): 0,
              (daily, "latest", 10): 1, (daily, "all", 10): 8, (daily, "all", 3): 3}  # fmt: skip
    await stage.daemons(2, modules=ROUGH)
    asked = time.monotonic()
    for cron, policy, most in wanted:
        since = earlier - WEEK if cron == daily else (now - WEEK).replace(second=0, microsecond=0)
        await stage.sql(SCHEDULE, _name(cron, policy, most), cron, "UTC", policy, most, since)
    await _caught_up(stage)
    stage.figures |= {
        "schedules": len(wanted),
        "missed_each": 7 * 24 * 60,
        "caught_up_s": round(time.monotonic() - asked, 1),
    }
    for (cron, policy, most), count in wanted.items():
        fired = await stage.sql(FIRED, _name(cron, policy, most), now)
        # A minute may have passed between our look at the clock and the daemon's.
        right = {count, count - 1} if cron != daily else {count}
        stage.must(
            len(fired) in right, "ticks_against_policy", (cron, policy, most, len(fired), count)
        )


def _name(cron: str, policy: str, most: int) -> str:
    return f"{'minutely' if cron == '* * * * *' else 'daily'}-{policy}-{most}"


async def _caught_up(stage: Stage) -> None:
    await stage.sql("select bellhand.call_workers()")

    async def ahead() -> bool:
        return not await stage.value(
            "select count(*) from bellhand.schedules where next_at is null or next_at <= now() - interval '5 s'"
        )

    await stage.until(ahead, stage.fault.drain_seconds, "every schedule is ahead of the clock")
    stage.must(
        not await stage.value("select count(*) from bellhand.schedules where error is not null"),
        "schedule_error",
    )


@fault("F49", "hundreds of due schedules, several schedulers, killed all the while", seconds=40)
async def schedulers_die(stage: Stage) -> None:
    """Each schedule makes up for ten ticks in one transaction; killed between the insert and the update, none is doubled."""
    await stage.daemons(4, modules=ROUGH)
    count = stage.many(400)
    since = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=30)
    for part in range(4):
        for number in range(part * count // 4, (part + 1) * count // 4):
            await stage.sql(SCHEDULE, f"s{number}", "* * * * *", "UTC", "all", 10, since)
        await stage.sql("select bellhand.call_workers()")
        await kills(stage, stage.many(40) // 4, (0.02, 0.6))
    await _caught_up(stage)
    # No more ticks, or the drain would never end.
    await stage.sql("update bellhand.schedules set paused = true")
    doubled = await stage.value(
        "select count(*) from (select 1 from bellhand.all_jobs where source = 'schedule' group by tags having count(*) > 1) d"
    )
    least = await stage.value(
        "select min(n) from (select count(*) as n from bellhand.schedule_ticks group by schedule) c"
    )
    orphaned = await stage.value("select count(*) from bellhand.schedule_ticks where job is null")
    stage.figures |= {
        "schedules": count,
        "doubled": doubled,
        "fewest_ticks": least,
    }
    stage.must(not doubled, "tick_twice", doubled)
    stage.must(least >= 10, "ticks_lost", least)
    stage.must(not orphaned, "tick_without_job", orphaned)


@fault("F48", "daylight saving both ways, in odd zones: every day has its tick, once", seconds=20)
async def daylight_saving(stage: Stage) -> None:
    await stage.daemons(2, modules=ROUGH)
    now = datetime.now(UTC)
    begin = date(now.year - 1, now.month, 1)
    for zone, cron in DST.items():
        minute, hour = cron.split()[:2]
        first = datetime(
            begin.year, begin.month, begin.day, int(hour), int(minute), tzinfo=ZoneInfo(zone)
        )
        await stage.sql(SCHEDULE, zone.replace("/", "."), cron, zone, "all", 5000, first)
    await _caught_up(stage)
    ticks = 0
    for zone in DST:
        fired = await stage.sql(FIRED, zone.replace("/", "."), now)
        ticks += len(fired)
        days = Counter(row["tick"].astimezone(ZoneInfo(zone)).date() for row in fired)
        whole = _days(begin, now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1))
        stage.must(
            not whole - set(days), "a_day_without_its_tick", (zone, sorted(whole - set(days))[:3])
        )
        stage.must(max(days.values()) == 1, "a_day_with_two_ticks", (zone, days.most_common(2)))
    stage.figures |= {
        "zones": len(DST),
        "days_each": (now.date() - begin).days,
        "ticks": ticks,
        "far_days": _without_a_daemon(stage),
    }


def _days(first: date, last: date) -> set[date]:
    return {first + timedelta(days=n) for n in range((last - first).days + 1)}


def _without_a_daemon(stage: Stage) -> int:
    """Years of it, by the daemon's own functions: Samoa left out a day in 2011, Lord Howe moves by half an hour."""
    seen = 0
    apia = ZoneInfo("Pacific/Apia")
    begin, end = datetime(2011, 12, 1, tzinfo=apia), datetime(2012, 1, 31, tzinfo=apia)
    ticks = list(
        takewhile(lambda tick: tick < end, ticks_after("30 12 * * *", "Pacific/Apia", begin))
    )
    # The tick of the day that was left out comes right after the gap, as that of an hour does.
    extra = datetime(2011, 12, 31, 0, 0, tzinfo=apia)
    usual = [tick for tick in ticks if tick != extra]
    right = _days(date(2011, 12, 1), date(2012, 1, 30)) - {date(2011, 12, 30)}
    stage.must(extra in ticks and len(ticks) == len(usual) + 1, "samoa_left_out", ticks[27:32])
    stage.must([tick.date() for tick in usual] == sorted(right), "samoa", usual[27:32])
    for zone, cron in DST.items():
        begin = datetime(2015, 1, 1, 12, tzinfo=ZoneInfo(zone))
        end = datetime(2035, 1, 1, 12, tzinfo=ZoneInfo(zone))
        # What is due must not depend on how often one looks.
        due, _ = due_ticks(
            cron,
            zone,
            expected=next(ticks_after(cron, zone, begin)),
            now=end,
            missed="all",
            missed_max=10_000,
        )
        days = Counter(tick.astimezone(ZoneInfo(zone)).date() for tick in due)
        stage.must(
            set(days) == _days(date(2015, 1, 2), date(2035, 1, 1)) and max(days.values()) == 1,
            "far_days",
            zone,
        )
        seen += len(due)
    return seen
