"""F36: a job that kills its daemon, again and again, among jobs that did nothing wrong."""

from __future__ import annotations

import asyncio
from collections import Counter

from ..fault import fault
from ..stage import Stage
from ..witness import read

CRASHES_MAX = 3
WAYS = ("exit", "kill", "abort", "segv")


@fault(
    "F36",
    "jobs that kill their daemon are given up; their neighbours go on",
    seconds=40,
    daemons_may_end=True,
)
async def poison(stage: Stage) -> None:
    await stage.daemons(3, worker={"crashes_max": CRASHES_MAX}, modules=["faults.rough_handlers"])
    client = stage.client()
    neighbours: list[int] = []
    killers: list[int] = []
    for number in range(stage.many(8)):
        for _ in range(12):
            job = await client.enqueue("f.nap", {"seconds": 0.6})
            neighbours += [job] if job else []
        job = await client.enqueue(
            "f.kills", {"how": WAYS[number % len(WAYS)], "seconds": 0.2}, expect="failed"
        )
        killers += [job] if job else []
        await asyncio.sleep(stage.seconds / stage.many(8))
    client.drop()

    async def killers_over() -> bool:
        over = "select count(*) from bellhand.history where kind = 'f.kills'"
        return bool(await stage.value(over) == len(killers))

    await stage.until(killers_over, stage.fault.drain_seconds, "the killers are given up")
    runs = Counter(event["job"] for event in read(stage.fleet.journal) if event["f"] == "start")
    stage.must(
        all(runs[job] == CRASHES_MAX for job in killers),
        "not_given_up_in_time",
        [runs[job] for job in killers],
    )
    rows = await stage.sql(
        "select max(crashes) as crashes, max(attempts) as attempts, count(*) filter (where attempts > 0) as charged, "
        "count(*) filter (where state = 'failed') as failed from bellhand.all_jobs where id = any ($1)", neighbours
    )  # fmt: skip
    stage.figures |= {
        "killers": len(killers), "runs_each": CRASHES_MAX, "neighbours": len(neighbours), "neighbours_charged": rows[0]["charged"],
        "most_attempts": rows[0]["attempts"], "neighbours_failed": rows[0]["failed"],
        "neighbours_hit": sum(runs[job] > 1 for job in neighbours),
    }  # fmt: skip
    stage.must(not rows[0]["failed"], "neighbours_failed", dict(rows[0]))
