"""Lanes with limits, shared by daemons on three machines: never more at once, and the limit is used."""

from __future__ import annotations

import asyncio
from typing import Any

from ..fault import fault
from ..fleet_handlers import LIMITS, PACE
from ..hosts import hosts
from ..stage import Stage
from ..witness import Event, read

NAP_SECONDS = 0.1
USED_MIN = 0.5  # of the slots while work waits; the rest is the way from one job to the next
LATE_SECONDS = 0.1  # a claim's time is that of its statement, which may have waited for the lane
CLAIMS = """
select extract(epoch from l.at)::float8 as at from faults.leases l cross join unnest(l.ids) u(id)
  join bellhand.history h on h.id = u.id where l.op = 'I' and h.kind = 'fleet.paced' order by l.at
"""


@fault(
    "fleet-limits",
    "three machines share lanes of 1, 2 and 7 jobs and one of 40 starts a second",
    seconds=20,
)
async def limits(stage: Stage) -> None:
    machines = await stage.at_end.enter_async_context(hosts(3))
    dsn = await machines.let_in(stage)
    lanes = {lane: {"concurrency": limit} for lane, limit in LIMITS.items()} | {"paced": PACE}
    for host in machines.all:
        stage.daemon(dsn=dsn, modules=["faults.fleet_handlers"], lanes=lanes, options={"prefix": host.prefix})  # fmt: skip
    stage.settings["limits"] = dict(LIMITS)
    await stage.ready()
    await asyncio.gather(
        *(_fill(stage, lane, int(limit * stage.seconds / NAP_SECONDS)) for lane, limit in LIMITS.items()),
        _fill(stage, "paced", int(PACE["rate_per_second"] * stage.seconds)),
    )  # fmt: skip
    await stage.until(lambda: _over(stage), 3 * stage.seconds + 20, "the lanes are empty")
    runs = read(stage.fleet.journal)
    for lane, limit in LIMITS.items():
        used, peak = _used(runs, lane, limit)
        stage.figures |= {f"used_{lane}": round(used, 2), f"peak_{lane}": peak}
        stage.must(used >= USED_MIN and peak == limit, "limit_not_used", (lane, used, peak))
    # Who has slots and work for them keeps them: how many machines have some is told, not demanded.
    of_seven = {run["pid"] for run in runs if run["f"] == "start" and run["lane"] == "seven"}
    stage.figures["machines_of_seven"] = len(of_seven)
    _judge_pace(stage, [row["at"] for row in await stage.sql(CLAIMS)])


async def _fill(stage: Stage, lane: str, count: int) -> None:
    client = stage.client()
    for _ in range(count):
        await client.enqueue(f"fleet.{lane}", {"seconds": NAP_SECONDS})
    client.drop()


async def _over(stage: Stage) -> bool:
    return not await stage.value("select count(*) from bellhand.jobs")


def _used(events: list[Event], lane: str, limit: int) -> tuple[float, int]:
    """Which share of the lane's slots was taken between its first start and its last, and how many at the most at once."""
    starts: dict[Any, float] = {}
    taken, at_once, peak = 0.0, 0, 0
    for event in sorted(events, key=lambda event: float(event["t"])):
        if event["f"] == "start" and event["lane"] == lane:
            starts[event["job"]] = event["t"]
            at_once += 1
            peak = max(peak, at_once)
        elif event["f"] == "stop" and event["job"] in starts:
            taken += event["t"] - starts[event["job"]]
            at_once -= 1
    seconds = max(starts.values()) - min(starts.values()) + NAP_SECONDS
    return taken / (limit * seconds), peak


def _judge_pace(stage: Stage, claims: list[float]) -> None:
    """No window of time may hold more starts than its tokens and the burst; over all the pace is kept."""
    rate, burst = PACE["rate_per_second"], PACE["rate_burst"]
    least, over = float("inf"), 0.0
    for number, at in enumerate(
        claims
    ):  # the most that any window that ends here holds beyond its tokens
        least = min(least, number - rate * at)
        over = max(over, number + 1 - rate * at - least)
    pace = (len(claims) - burst) / (claims[-1] - claims[0])
    stage.figures |= {"paced_per_s": round(pace, 1), "paced_burst": round(over, 1)}
    stage.must(over <= burst + 1 + rate * LATE_SECONDS, "lane_too_fast", over)
    stage.must(pace >= 0.9 * rate, "lane_too_slow", pace)
