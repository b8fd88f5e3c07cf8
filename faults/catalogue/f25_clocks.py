"""F25 and F26: wall clocks that are wrong or jump: those of daemons, and that of the database."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from ..fault import Skip, fault
from ..stage import Stage
from ..witness import read
from .f01_killed import longer

JUMPS = ("+0", "-1h", "+1h", "+400d", "-400d", "+30s", "-30s")
TICKS = {"every_minute": {"cron": "* * * * *", "kind": "f.quick", "missed": "all", "missed_max": 10}}  # fmt: skip
LATER = """
insert into bellhand.jobs (kind, payload, run_at) values ('f.quick', '{}', bellhand.now() + $1::float8 * interval '1 s') returning id
"""
TICKED = "select count(*) from bellhand.all_jobs where source = 'schedule'"
DELAYS_SECONDS = (1.0, 4.0)
EARLY_SECONDS = 0.05  # two clocks that are read one after the other


@fault("F25", "the wall clocks of daemons are wrong by up to 400 days, and jump", seconds=65)
async def daemons_clocks(stage: Stage) -> None:
    library = _libfaketime()
    clock = stage.folder / "clock"
    clock.write_text("+0\n")
    # Monotonic clocks never jump; the fault is a wrong date, as after a restored snapshot. Without the last of these libfaketime 0.9.10
    # makes waits with a monotonic deadline too long: a thread got the interpreter from one that computes after 1.8 s, not after 5 ms.
    wrong = {
        "LD_PRELOAD": str(library), "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }  # fmt: skip
    stage.daemon(schedules=TICKS)
    stage.daemon(schedules=TICKS, env=wrong | {"FAKETIME": "+400d"})
    stage.daemon(schedules=TICKS, env=wrong | {"FAKETIME": "-1h"})
    jumper = stage.daemon(schedules=TICKS, env=wrong | {"FAKETIME_TIMESTAMP_FILE": str(clock)})
    await stage.ready()
    due: dict[int, float] = {}
    jumps = 0
    began = time.monotonic()
    async with stage.clients(30, choose=longer):
        async for _ in stage.moments(0.5, 2.0):
            clock.write_text(stage.dice.choice(JUMPS) + "\n")
            jumps += 1
            delay = stage.dice.uniform(*DELAYS_SECONDS)
            asked = time.monotonic()
            due[await stage.value(LATER, delay)] = asked + delay
        await asyncio.sleep(DELAYS_SECONDS[1])
    clock.write_text("+0\n")
    lateness = _lateness(stage, due)
    minutes = (time.monotonic() - began) / 60
    ticks = await stage.value(TICKED)
    stage.must(bool(lateness), "nothing_ran_later")
    stage.must(min(lateness, default=0) >= -EARLY_SECONDS, "ran_early", min(lateness, default=0))
    stage.must(ticks <= minutes + 2, "ticks_of_wrong_clocks", (ticks, minutes))
    lost = sum(len(daemon.said("worker_lost")) for daemon in stage.fleet.daemons)
    stage.must(lost == 0, "a_wrong_clock_cost_a_lease", lost)
    years = {line["at"][:4] for line in jumper.said("attempt_ended")}
    stage.must(len(years) > 1, "no_clock_jumped", sorted(years))
    stage.figures |= {"jumps": jumps, "later": len(lateness), "late_max_s": round(max(lateness, default=0), 3), "ticks": ticks}  # fmt: skip


def _libfaketime() -> Path:
    for library in Path("/usr/lib").glob("*/faketime/libfaketime.so.1"):
        return library
    raise Skip("libfaketime is not installed (Debian: apt-get install libfaketime)")


def _lateness(stage: Stage, due: dict[int, float]) -> list[float]:
    """Seconds from when each job was due to its start; negative is early."""
    return [
        event["t"] - due[event["job"]]
        for event in read(stage.fleet.journal)
        if event["f"] == "start" and event["job"] in due
    ]


# The product takes time from one function; here it adds what a table says, and the trigger takes that off again.
CLOCK = """
create table faults.clock (ahead interval not null, highest interval not null);
insert into faults.clock values ('0', '0');
grant select on faults.clock to public;
grant usage on schema faults to public;
create or replace function bellhand.now() returns timestamptz language sql stable as
  'select pg_catalog.statement_timestamp() + (select ahead from faults.clock)';
create or replace function faults.saw_worker() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  w record;
begin
  if tg_op = 'DELETE' then w := old; else w := new; end if;
  insert into faults.workers (op, worker, name, pid, beat) values (left(tg_op, 1), w.id, w.name, w.pid, w.beat - (select ahead from faults.clock));
  return null;
end $$;
"""
FOLLOW_SECONDS = 1.5
FOLLOW_STEP_SECONDS = 0.005
DATABASE_JUMPS = ("1 hour", "-1 hour", "10 minutes", "-10 seconds", "5 seconds", "2 days", "-1 day")


@fault("F26", "the database's clock jumps by up to two days, forward and back", seconds=45)
async def database_clock(stage: Stage) -> None:
    """Played where the product asks for the time; a jump forward ends all leases at once, and the epochs must hold."""
    await (await stage.oracle()).execute(CLOCK)
    daemons = await stage.daemons(3)
    jumps = 0
    async with stage.clients(30, choose=longer):
        async for _ in stage.moments(2.0, 5.0):
            await _jump(stage, f"ahead + interval '{stage.dice.choice(DATABASE_JUMPS)}'")
            jumps += 1
        await asyncio.sleep(4.0)
    # What was to run at a time that a jump back has put far off runs at that time: let it come.
    await _jump(stage, "highest")
    lost = sum(len(daemon.said("worker_lost")) for daemon in daemons)
    stage.figures |= {"jumps": jumps, "workers_given_up": lost}


async def _jump(stage: Stage, ahead: str) -> None:
    """Set the clock, and tell the checker until the beats have followed.

    Until its next beat a worker is taken for lost, and what it claims meanwhile too: as after a crash that undoes
    claims, both may run a job then, and only one may settle it.
    """
    stage.nemesis.saw("clock_jumps", to=ahead, server="clock")
    await stage.sql(
        f"update faults.clock set ahead = {ahead}, highest = greatest(highest, {ahead}) returning ahead"
    )
    end = time.monotonic() + FOLLOW_SECONDS
    while time.monotonic() < end:
        stage.nemesis.saw("clock_jumped", server="clock")
        await asyncio.sleep(FOLLOW_STEP_SECONDS)
