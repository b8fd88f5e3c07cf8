"""F9 and F10: a database that is away for long, that takes no more connections, or that takes them and says nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress

import asyncpg

from ..client import LOST
from ..crashes import answers
from ..fault import fault
from ..returns import Costs, Returns, answer
from ..stage import Stage
from .f01_killed import longer
from .f05_crashes import END_SOME

CPU_PERCENT_MAX = 10.0
RSS_GROWTH_MB_MAX = 30.0
LOG_LINES_A_MINUTE_MAX = 120.0  # of which the first moments of a short outage are most
BUSY_SECONDS = 5.0
CONNECTIONS = 40
FROZEN_SECONDS = 12.0
ALL = 1000


@fault("F9", "the database is away (--seconds 600 for ten minutes)", seconds=30)
async def away(stage: Stage) -> None:
    daemons = await stage.daemons(2)
    returns = Returns(stage)
    async with stage.clients(30, choose=longer):
        await asyncio.sleep(BUSY_SECONDS)
        await asyncio.to_thread(stage.server.stop)
        returns.went()
        costs = Costs(daemons)
        await asyncio.sleep(stage.seconds)
        stage.figures |= costs.figures() | {"away_s": round(time.monotonic() - returns.gone[-1], 1)}
        said = {path: [await asyncio.to_thread(answer, daemon, path) for daemon in daemons] for path in ("/livez", "/readyz", "/metrics")}  # fmt: skip
        await asyncio.to_thread(stage.server.start)
        if await answers(stage):
            returns.came()
        await asyncio.sleep(BUSY_SECONDS)
    stage.figures |= returns.figures()
    stage.must(set(said["/livez"]) == {200}, "not_alive_while_away", said)
    stage.must(set(said["/readyz"]) == {503}, "ready_while_away", said)
    stage.must(set(said["/metrics"]) == {200}, "no_metrics_while_away", said)
    stage.must(stage.figures["cpu_percent"] <= CPU_PERCENT_MAX, "spins", stage.figures)
    stage.must(stage.figures["rss_growth_mb"] <= RSS_GROWTH_MB_MAX, "memory_grows", stage.figures)
    stage.must(stage.figures["log_lines_a_minute"] <= LOG_LINES_A_MINUTE_MAX, "log_flood", stage.figures)  # fmt: skip


@fault("F10", "others hold all connections", seconds=20, postgres={"max_connections": str(CONNECTIONS)})  # fmt: skip
async def too_many_connections(stage: Stage) -> None:
    daemons = await stage.daemons(3, database={"handler_connections": 2})
    log = stage.server.home / "log"
    returns = Returns(stage)
    async with stage.clients(30, choose=longer, plain=True):
        await asyncio.sleep(BUSY_SECONDS)
        hogs: list[asyncpg.Connection] = []
        stage.at_heal.callback(_let_go, hogs)
        refused = _refusals(log.read_bytes())
        returns.went()
        end = time.monotonic() + stage.seconds
        tries = 0
        while time.monotonic() < end:
            # Ours end, and the hogs take what that frees before ours come back.
            await stage.sql(END_SOME, ALL)
            tries += await _hog(stage, hogs)
            await asyncio.sleep(0.5)
        refused = _refusals(log.read_bytes()) - refused - tries
        _let_go(hogs)
        returns.came()
        await asyncio.sleep(BUSY_SECONDS)
    stage.figures |= {"hogs": len(hogs), "refused_a_second_each_daemon": round(refused / stage.seconds / len(daemons), 2)}  # fmt: skip
    stage.figures |= returns.figures()
    stage.must(refused > 0, "nobody_was_refused")


def _let_go(hogs: list[asyncpg.Connection]) -> None:
    for hog in hogs:
        hog.terminate()


async def _hog(stage: Stage, hogs: list[asyncpg.Connection]) -> int:
    """Take connections until the server refuses one; how often it did."""
    while True:
        try:
            hogs.append(
                await asyncpg.connect(
                    stage.dsn, timeout=5, server_settings={"application_name": "faults:hog"}
                )
            )
        except asyncpg.TooManyConnectionsError:
            return 1
        except LOST:
            return 0


def _refusals(log: bytes) -> int:
    return log.count(b"too many clients") + log.count(b"connection slots are reserved")


@fault("F10-frozen", "the postmaster stands still: connections open and nothing answers", seconds=45)  # fmt: skip
async def postmaster_frozen(stage: Stage) -> None:
    await stage.daemons(3)
    returns = Returns(stage)
    async with stage.clients(30, choose=longer):
        async for _ in stage.moments(3.0, 5.0, times=stage.many(3)):
            pid = stage.server.pid
            assert pid is not None, "the server does not run"
            killed = await stage.value(END_SOME, ALL)
            os.kill(pid, signal.SIGSTOP)
            stage.at_heal.callback(_go_on, pid)
            returns.went()
            await asyncio.sleep(FROZEN_SECONDS)
            _go_on(pid)
            if await answers(stage):
                returns.came()
            stage.figures["backends_killed"] = stage.figures.get("backends_killed", 0) + killed
        await asyncio.sleep(BUSY_SECONDS)
    stage.figures |= returns.figures()


def _go_on(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
