"""F16 to F18: nobody rings: the listener's connection is gone, or open and deaf, or the server's queue of notifications is full."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import asyncpg

from ..fault import Skip, fault
from ..network import named, network
from ..noticed import noticed, pickups, spread
from ..stage import DATABASE, WORKER, Stage
from ..witness import read

RARE_PER_SECOND = 4.0  # so that workers sleep in between
LISTENERS = "select count(*) from pg_stat_activity where application_name = 'bellhand:listen'"
END_LISTENERS = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'bellhand:listen'"
BACK_SECONDS = 20.0
AFTER_FULL_SECONDS = 45.0  # who found the queue full looks again after 30 s, and polls until then
DEAF_SECONDS = 40.0  # a probe every 20 s, which waits 5 s for itself; and the machine may be slow
PICKUP_SECONDS_MAX = WORKER["poll_seconds"] * 1.25 + 3.0  # and what a slow machine adds
QUEUE_PAGES = 64
NOTIFY_BYTES = 7000
FULL_MAX = 1000
LONG_SECONDS = 6.0


def short(dice: random.Random) -> tuple[str, dict[str, Any]]:
    """Jobs that leave the workers idle."""
    return dice.choice(["f.quick", "f.nap"]), {"seconds": 0.05}


async def _listening(stage: Stage, within_seconds: float = BACK_SECONDS) -> float | None:
    """Seconds until every daemon has a listening connection."""
    began = time.monotonic()

    async def all_there() -> bool:
        return bool(await stage.value(LISTENERS) >= len(stage.fleet.daemons))

    await stage.until(all_there, within_seconds, "the listeners are back")
    return time.monotonic() - began


@fault("F16", "only the listening connections end, or cannot be made; all others are fine", seconds=60)  # fmt: skip
async def listener_only(stage: Stage) -> None:
    way = await stage.at_end.enter_async_context(network(stage.server.dsn_for(DATABASE, tcp=True)))
    stage.at_heal.callback(way.heal)
    await stage.daemons(2, dsn=way.dsn)
    back: list[float] = []
    began = time.monotonic()
    async with stage.clients(RARE_PER_SECOND, choose=short, plain=True):
        async for number in stage.moments(1.0, 4.0):
            if number % 2:
                way.refusing = named("bellhand:listen")
                way.cut(named("bellhand:listen"))
                await asyncio.sleep(stage.dice.uniform(2.0, 8.0))
                way.heal()
            else:
                await stage.value(END_LISTENERS)
            back.append(await _listening(stage) or 0.0)
    stage.figures |= {"losses": len(back)} | spread("listening_again", back)
    _picked_up(stage, began)


def _picked_up(stage: Stage, since: float) -> None:
    waits = pickups(read(stage.said.path), read(stage.fleet.journal), since, time.monotonic())
    stage.figures |= spread("pickup", waits, digits=3)
    stage.must(max(waits, default=0.0) <= PICKUP_SECONDS_MAX, "picked_up_late", max(waits, default=0.0))  # fmt: skip


@fault("F16-asleep", "one daemon is awake and full, the other asleep with free hands", seconds=60)
async def asleep_beside_a_full_one(stage: Stage) -> None:
    """The first job wakes one, or both; the rest must wake whoever still sleeps, long before its poll."""
    hands = WORKER["concurrency"]
    await stage.daemons(2, worker={"poll_seconds": 10.0})
    client = stage.client()
    late: list[float] = []
    for _ in range(stage.many(6)):
        await asyncio.sleep(stage.dice.uniform(1.0, 2.0))  # both fall asleep
        began = time.monotonic()
        await client.enqueue("f.nap", {"seconds": LONG_SECONDS, "parts": 1})
        await asyncio.sleep(0.02)  # the one that has it is awake, and has said so
        for _ in range(2 * hands - 1):
            await client.enqueue("f.nap", {"seconds": LONG_SECONDS, "parts": 1})
        await asyncio.sleep(LONG_SECONDS + 1.0)
        late += pickups(read(stage.said.path), read(stage.fleet.journal), began, time.monotonic())

        async def over() -> bool:
            return not await stage.value("select count(*) from bellhand.jobs")

        await stage.until(over, 2 * LONG_SECONDS, "the round is over")
    client.drop()
    stage.figures |= spread("pickup", late, digits=3)
    stage.must(max(late) < LONG_SECONDS - 1.0, "slept_beside_waiting_jobs", max(late))


@fault("F17", "the listening connection is open and deaf, behind a middlebox that acknowledges all", seconds=60)  # fmt: skip
async def half_open(stage: Stage) -> None:
    way = await stage.at_end.enter_async_context(network(stage.server.dsn_for(DATABASE, tcp=True)))
    stage.at_heal.callback(way.heal)
    daemons = await stage.daemons(2, dsn=way.dsn)
    found: list[float] = []
    began = time.monotonic()
    async with stage.clients(RARE_PER_SECOND, choose=short, plain=True):
        while not found or time.monotonic() < began + stage.seconds - DEAF_SECONDS / 2:
            await asyncio.sleep(stage.dice.uniform(1.0, 3.0))
            since = time.monotonic()
            held = way.hold_those_that_are(named("bellhand:listen"))

            def all_know(since: float = since) -> list[float]:
                knowing = noticed(daemons, "listener_deaf", since, time.monotonic())
                return knowing if len(knowing) == len(daemons) else []

            found += await stage.until(all_know, DEAF_SECONDS, "a deaf listener is found out") or []
            for wire in held:
                wire.held = False
            await _listening(stage)
    stage.figures |= spread("found_out", found)
    _picked_up(stage, began)


@fault("F18", "the server's queue of notifications is full, because somebody listens and does not read", seconds=40)  # fmt: skip
async def queue_full(stage: Stage) -> None:
    if (await stage.oracle()).get_server_version().major < 17:
        raise Skip("the length of the queue can be set from Postgres 17 on")
    await stage.sql(f"alter system set max_notify_queue_pages = {QUEUE_PAGES}")
    await asyncio.to_thread(stage.server.stop)
    await asyncio.to_thread(stage.server.start)
    daemons = await stage.daemons(2)
    idle = await asyncpg.connect(stage.dsn, timeout=10)
    stage.at_heal.callback(idle.terminate)
    await idle.execute("listen flood")
    await idle.execute("begin")
    began = time.monotonic()
    async with stage.clients(RARE_PER_SECOND, choose=short, plain=True):
        await asyncio.sleep(2.0)
        usage = await _fill(stage)
        full = time.monotonic()
        await asyncio.sleep(stage.seconds / 2)
        await stage.value(END_LISTENERS)  # and it cannot even probe itself any more
        await asyncio.sleep(stage.seconds / 2)
        over = time.monotonic()
        idle.terminate()
        await asyncio.sleep(1.0)
        back = await _listening(stage, AFTER_FULL_SECONDS)
    refused = [
        event
        for event in read(stage.said.path)
        if event["f"] == "enqueue" and event["res"] == "fail" and full <= event["t"] <= over
    ]
    stage.must(not refused, "enqueue_refused", refused[:3])
    stage.must(not any(daemon.codes for daemon in daemons), "a_daemon_ended")
    stage.figures |= {"usage": round(usage, 3), "refused": len(refused), "listening_again_s": round(back or 0.0, 2)}  # fmt: skip
    _picked_up(stage, began)


async def _fill(stage: Stage) -> float:
    """Notify until the server refuses; how full the queue is then (0 to 1)."""
    conn = await asyncpg.connect(stage.dsn, timeout=10)
    try:
        for number in range(FULL_MAX):
            await conn.execute(f"select pg_notify('flood', '{number}' || repeat('x', {NOTIFY_BYTES}))")  # fmt: skip
        stage.must(False, "queue_did_not_fill")
    except asyncpg.ProgramLimitExceededError:
        pass
    finally:
        conn.terminate()
    return float(await stage.value("select pg_notification_queue_usage()"))
