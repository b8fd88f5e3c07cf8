"""The server's clock is set back, by months: what was worked out before must not wait until it has caught up."""

import uuid
from typing import Any

import asyncpg

from bellhand.cron import due_ticks
from bellhand.sql import query
from desk import Desk, desk

__all__ = ["desk"]  # a fixture

AHEAD, NOW = "2030-06-01 10:00Z", "2030-01-07 09:00Z"
SCHEDULE = "insert into bellhand.schedules (name, cron, kind, next_at) values ('s', '0 * * * *', 'a', bellhand.now() + interval '1 hour')"


async def due(desk: Desk) -> list[asyncpg.Record]:
    return list(await desk.conn.fetch(query("due_schedules")))


async def test_a_lane_with_a_rate_gets_tokens_again(desk: Desk) -> None:
    await desk.lane("l", rate_per_second=1.0, rate_burst=2)
    await desk.publish("b", lane="l")
    w = await desk.worker(kinds=["b"])
    await desk.at(AHEAD)
    jobs = [await desk.insert("b") for _ in range(5)]
    assert await desk.ids(w) == jobs[:2]
    await desk.at(NOW)
    await desk.conn.execute("update bellhand.jobs set run_at = bellhand.now()")
    assert await desk.ids(w) == jobs[2:4], "a bucket, and no more"
    assert await desk.ids(w) == []
    await desk.at("2030-01-07 09:00:01Z")
    assert await desk.ids(w) == jobs[4:]


async def test_a_service_is_asked_again(desk: Desk) -> None:
    async def enter() -> tuple[Any, ...]:
        given = "s", "k", uuid.uuid4(), 1.0, 1, 0.0, 10.0, 10**9, 10**9, 10**9, 10**9
        places = ", ".join(f"${i + 1}" for i in range(len(given)))
        row = await desk.conn.fetchrow(f"select * from bellhand.service_enter({places})", *given)
        return row["verdict"], row["reason"]

    await desk.at(AHEAD)
    assert [(await enter())[0] for _ in range(2)] == ["go", "rate"]
    await desk.conn.execute("update bellhand.services set paused_key = 'k', paused_until = bellhand.now() + interval '1 hour'")  # fmt: skip
    assert (await enter())[0] == "paused"
    await desk.at(NOW)
    await enter()
    await desk.at("2030-01-07 09:00:02Z")
    assert (await enter())[0] == "go"


async def test_a_schedule_is_due_when_it_is_due(desk: Desk) -> None:
    await desk.at(AHEAD)
    await desk.conn.execute(SCHEDULE)
    assert not await due(desk)
    await desk.at(NOW)
    (row,) = await due(desk)
    ticks, following = due_ticks(
        row["cron"], "UTC", expected=row["next_at"], now=row["now"], missed="all", missed_max=9
    )
    assert (ticks, f"{following:%m-%d %H:%M}") == ([], "01-07 10:00")
    await desk.conn.fetch(query("fire_schedule"), "s", row["next_at"], ticks, following)
    assert not await due(desk)
    await desk.at("2030-01-07 10:00Z")
    assert await due(desk)


async def test_an_error_of_a_schedule_loses_no_tick(desk: Desk) -> None:
    """Its next tick was set an hour ahead: what was due meanwhile was lost, whatever `missed` said, and no alert saw that it was late."""
    await desk.at(NOW)
    await desk.conn.execute(SCHEDULE)
    await desk.at("2030-01-07 10:00Z")
    (row,) = await due(desk)
    failed = "s", "no such kind", row["next_at"]
    await desk.conn.fetch(query("schedule_error"), *failed)
    assert not await due(desk), "it is left alone for a while"
    (look,) = await desk.conn.fetch(query("look_around"), ["a"], None)
    assert look["next_tick_seconds"] == 300
    await desk.at("2030-01-07 10:05Z")
    (again,) = await due(desk)
    assert again["next_at"] == row["next_at"]
    await desk.conn.fetch(query("fire_schedule"), "s", row["next_at"], [row["next_at"]], None)
    await desk.conn.fetch(query("schedule_error"), *failed)  # of a daemon that was slower
    known = await desk.conn.fetchrow("select error, again_at from bellhand.schedules")
    assert tuple(known) == (None, None)
