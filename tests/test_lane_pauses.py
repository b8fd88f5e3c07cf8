"""Lanes that are paused for a while: they go on by themselves, whoever watches and whatever was restarted meanwhile."""

from datetime import UTC, datetime, timedelta

import asyncpg

from bellhand import job_kind
from daemons import at_work, insert, until
from ports import client_of
from support import eventually


@job_kind("pauses.plain", lane="slow")
async def plain(args: dict[str, str]) -> None:
    """Nothing to do."""


async def test_a_lane_that_was_paused_for_a_while_goes_on_by_itself(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with at_work(dsn, plain) as daemon, client_of(daemon.status.port) as port:
        far = datetime.now(UTC) + timedelta(hours=2)
        code, lane, _ = await port.post("/v1/lanes/slow/pause", {"reason": "the shop is down", "until": far.isoformat()})  # fmt: skip
        assert (code, datetime.fromisoformat(lane["paused_until"])) == (200, far)
        # It goes on claiming until it has heard.
        await eventually(lambda: daemon.worker.positions.paused("slow"))
        _, made, _ = await port.post("/v1/jobs", {"kind": "pauses.plain"})
        assert made["warnings"][0]["detail"] == f"lane slow is paused until {lane['paused_until']}: the shop is down"  # fmt: skip
        _, said, _ = await port.ask(f"/v1/jobs/{made['id']}/why")
        (gate,) = (one for one in said["gates"] if one["gate"] == "lane_paused")
        assert (
            f"is paused until {far:%Y-%m-%d %H:%M:%S} UTC (for another 1 h 59 min)"
            in gate["detail"]
        )
        _, page, _ = await port.ask("/lanes/slow")
        assert "goes on" in page
        _, said, _ = await port.ask("/v1/audit?type=lane_paused")
        assert datetime.fromisoformat(said["data"][0]["data"]["until"]) == far
        # Shorter now: nobody resumes it, and the poll is slower than this test.
        soon = await conn.fetchval("select bellhand.now() + interval '0.7 seconds'")
        await conn.execute("select bellhand.pause_lane('slow', null, $1)", soon)
        job = await until(conn, made["id"], "completed")
        assert job["started_at"] >= soon
        _, lane, _ = await port.ask("/v1/lanes/slow")
        assert (lane["paused"], lane["paused_reason"], lane["paused_until"]) == (False, None, None)
        _, said, _ = await port.ask("/v1/audit?type=lane_resumed")
        assert [(one["actor"], one["data"]["lane"]) for one in said["data"]] == [("bellhand", "slow")]  # fmt: skip


async def test_a_pause_outlives_restarts_and_one_whose_time_is_over_does_not(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with at_work(dsn, plain) as daemon, client_of(daemon.status.port) as port:
        code, said, _ = await port.post("/v1/lanes/slow/pause", {"until": "2020-01-01T00:00:00Z"})
        assert (code, said["code"]) == (422, "invalid_value"), said
    await conn.execute(
        "select bellhand.pause_lane('slow', null, bellhand.now() + interval '1 day')"
    )
    job = await insert(conn, "pauses.plain")
    async with at_work(dsn, plain) as daemon:
        assert daemon.worker.positions.paused("slow")
    await conn.execute(
        "update bellhand.lanes set paused_until = bellhand.now() where name = 'slow'"
    )
    async with at_work(dsn, plain):
        await until(conn, job, "completed")
