"""F38 to F40: handlers that block the loop, ignore being stopped, leave things behind."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from ..fault import fault
from ..stage import Stage
from ..witness import read

GAPS = """
select max(gap) from (
  select extract(epoch from beat - lag(beat) over (partition by worker order by seq))::float8 as gap from faults.workers where op <> 'D') g
"""
LEFT = (
    "task", "forgotten task", "task that raises", "thread", "transaction", "lock", "setting", "listen", "broken statement",
)  # fmt: skip
ROUGH = ["faults.rough_handlers"]
QUICK_SECONDS = 8.0
SLOTS, STUCK_SECONDS = 6, 10.0
HOW = ("suppress", "shield", "finally")  # the latter two end when they are told once more


@fault(
    "F38",
    "handlers that do not let the loop go: the heartbeat's own thread keeps the leases",
    seconds=30,
)
async def blocked(stage: Stage) -> None:
    """Twice the lease for what lets the interpreter go now and then; a third of it for what holds its lock all the while."""
    await stage.daemons(2, modules=ROUGH)
    lease = stage.lease_seconds
    client = stage.client()
    jobs = []
    async with stage.clients(10):
        for how, seconds in (
            ("sleep", 2 * lease),
            ("spin", 2 * lease),
            ("regex", lease / 3),
            ("json", lease),
        ):
            for _ in range(stage.many(4) // 2):
                jobs.append(
                    await client.enqueue("f.blocks", {"how": how, "seconds": seconds}, priority=10)
                )
            await asyncio.sleep(stage.seconds / 4)
    client.drop()
    await _over(stage, [job for job in jobs if job])
    events = [event for event in read(stage.fleet.journal) if event["job"] in jobs]
    longest = max((b["t"] - a["t"] for a, b in _pairs(events)), default=0.0)
    again = sum(event["f"] == "start" for event in events) - len(jobs)
    gap = await stage.value(GAPS)
    stage.figures |= {
        "blocked": len(jobs),
        "longest_s": round(longest, 1),
        "beat_gap_max_s": round(gap, 2),
        "run_again": again,
    }
    stage.must(longest > lease, "nothing_blocked", longest)
    stage.must(again == 0, "lease_lost_while_blocked", again)


def _pairs(events: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    starts = {(event["job"], event["epoch"]): event for event in events if event["f"] == "start"}
    return [
        (starts[event["job"], event["epoch"]], event)
        for event in events
        if event["f"] == "stop" and (event["job"], event["epoch"]) in starts
    ]


async def _over(stage: Stage, jobs: list[int], seconds: float | None = None) -> None:
    async def all_over() -> bool:
        return not await stage.value("select count(*) from bellhand.jobs where id = any ($1)", jobs)

    await stage.until(all_over, seconds or stage.fault.drain_seconds, "these jobs are over")


@fault(
    "F38-held",
    "one that holds the interpreter for longer than the lease: it is taken over, its result refused",
    seconds=25,
)
async def held(stage: Stage) -> None:
    await stage.daemons(2, modules=ROUGH)
    client = stage.client()
    async with stage.clients(10):
        for _ in range(stage.many(2) - 1):
            await client.enqueue(
                "f.blocks", {"how": "regex", "seconds": 3.5 * stage.lease_seconds}, priority=10
            )
            await asyncio.sleep(stage.seconds / 2)
    client.drop()
    await stage.until(lambda: not _hanging(stage), 60, "the blocking handler has ended")


def _hanging(stage: Stage) -> bool:
    events = [event for event in read(stage.fleet.journal) if event.get("epoch")]
    begun = {
        (e["job"], e["epoch"]) for e in events if e["f"] == "start" and e.get("kind") == "f.blocks"
    }
    return bool(begun - {(e["job"], e["epoch"]) for e in events if e["f"] == "stop"})


@fault("F39", "handlers that ignore being stopped give their slots back", seconds=20)
async def stubborn(stage: Stage) -> None:
    """As many of them as the one daemon has slots; its grace is a second, they go on for ten."""
    (daemon,) = await stage.daemons(1, worker={"concurrency": SLOTS, "threads": 64}, modules=ROUGH)
    stage.figures["after_timeout_s"] = await _slots_come_back(stage, "failed")
    stage.figures["after_cancel_s"] = await _slots_come_back(stage, "cancelled")
    stage.figures["abandoned_by_the_daemon"] = len(daemon.said("handler_ignores_cancel"))
    await asyncio.sleep(STUCK_SECONDS)  # until the last of them has ended by itself


async def _slots_come_back(stage: Stage, end: str) -> float:
    """Fill all slots with handlers that hang, which time out or are cancelled; seconds until others have run."""
    client = stage.client()
    jobs = []
    for number in range(SLOTS):
        kind = "f.stubborn_thread" if number == SLOTS - 1 else "f.stubborn"
        payload = {"how": HOW[number % len(HOW)], "seconds": STUCK_SECONDS}
        job = await client.enqueue(kind, payload, expect=end, priority=10)
        jobs += [job] if job else []
    if end == "cancelled":
        await _all_started(stage, jobs)
        for job in jobs:
            await client.act("cancel", job)
    begun = time.monotonic()
    quick = [await client.enqueue("f.quick", {}) for _ in range(SLOTS)]
    await _over(stage, [job for job in quick if job], QUICK_SECONDS)
    seconds = round(time.monotonic() - begun, 2)
    await _over(stage, jobs)
    client.drop()
    return seconds


async def _all_started(stage: Stage, jobs: list[int]) -> None:
    def started() -> bool:
        events = read(stage.fleet.journal)
        return set(jobs) <= {event["job"] for event in events if event["f"] == "start"}

    await stage.until(started, 20, "the stubborn ones run")


@fault(
    "F40", "handlers that leave tasks, threads, transactions, locks and settings behind", seconds=20
)
async def left_behind(stage: Stage) -> None:
    await stage.daemons(1, modules=ROUGH, database={"handler_connections": 4})
    client = stage.client()
    inspectors = []
    async with stage.clients(15):
        for _ in range(stage.many(15)):
            for what in LEFT:
                await client.enqueue("f.leaves", {"what": what})
                inspectors.append(await client.enqueue("f.inspects", {}))
            await asyncio.sleep(stage.seconds / stage.many(15))
        await _over(stage, [job for job in inspectors if job])
        idle = await stage.value(
            "select count(*) from pg_stat_activity where state like 'idle in transaction%' and application_name = 'bellhand:handler' and now() - state_change > interval '5 s'"
        )
        connections = await stage.value(
            "select count(*) from pg_stat_activity where application_name = 'bellhand:handler'"
        )
    client.drop()
    found = await stage.sql(
        "select result::text from bellhand.history where kind = 'f.inspects' and result is not null"
    )
    seen = {row["result"] for row in found}
    stage.figures |= {
        "left_behind": len(inspectors),
        "connections": connections,
        "sorts_of_connection_seen": len(seen),
    }
    stage.must(idle == 0, "transaction_left_open", idle)
    stage.must(connections <= 4, "connections_leak", connections)
    for one in map(json.loads, seen):
        clean = (
            not (one["locks"] or one["open"] or one["channels"] or one["temporary"])
            and one["timeout"] == "30s"
        )
        stage.must(clean and "nowhere" not in one["path"], "connection_not_clean", one)
