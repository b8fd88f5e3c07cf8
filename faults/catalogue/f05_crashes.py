"""F5 to F8: connections and servers that end: backends, all backends, the server, the postmaster."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ..crashes import answers, crash, kill_postmaster
from ..fault import fault
from ..returns import Returns
from ..stage import Stage
from .f01_killed import longer

END_SOME = """
select count(pg_terminate_backend(pid)) from (
  select pid from pg_stat_activity where application_name like 'bellhand:%' order by random() limit $1) p
"""
ANY_BACKEND = """
select coalesce((select pid from pg_stat_activity where application_name like 'bellhand:%' order by random() limit 1), 0)
"""
BUSY_SECONDS = (2.5, 4.0)  # between two crashes


@fault("F5", "backends killed at random every 200 ms", seconds=60)
async def backends_killed(stage: Stage) -> None:
    await stage.daemons(3)
    killed = 0
    async with stage.clients(40, choose=longer):
        async for _ in stage.moments(0.2, 0.2):
            stage.nemesis.saw("backends_killed")
            killed += await stage.value(END_SOME, stage.dice.randint(1, 3))
    stage.figures["backends_killed"] = killed
    stage.must(killed > 0, "nothing_was_killed")


@fault("F6", "kill -9 of one backend, so that all are ended and the server recovers", seconds=45, durable=True)  # fmt: skip
async def backend_crashes(stage: Stage) -> None:
    await stage.daemons(3)
    returns = Returns(stage)
    async with stage.clients(40, choose=longer):
        async for _ in stage.moments(*BUSY_SECONDS):
            pid = await stage.value(ANY_BACKEND)
            if not pid:
                continue
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            returns.went()
            # Until the postmaster has reaped it the others go on, and may still commit.
            await _recovering(stage)
            stage.nemesis.saw("backend_killed", server="crash")
            if await answers(stage):
                returns.came()
        await asyncio.sleep(BUSY_SECONDS[1])
    stage.figures |= returns.figures()


async def _recovering(stage: Stage) -> None:
    """Wait until our own connection is gone, as all are when one backend has crashed."""
    oracle = await stage.oracle()
    await stage.until(oracle.is_closed, 10, "all backends end")


@fault("F7", "pg_ctl stop -m immediate and start, again and again", seconds=60, durable=True)
async def stopped_at_once(stage: Stage) -> None:
    await _crashing(stage, crash, stage.many(8))


@fault("F8", "kill -9 of the postmaster, then start", seconds=45, durable=True)
async def postmaster_killed(stage: Stage) -> None:
    await _crashing(stage, kill_postmaster, stage.many(6))


async def _crashing(stage: Stage, how: Callable[[Stage], Awaitable[None]], times: int) -> None:
    """Crash, stay away for 0 to 2 s, return; so many times."""
    await stage.daemons(3)
    returns = Returns(stage)
    async with stage.clients(40, choose=longer):
        async for _ in stage.moments(*BUSY_SECONDS, times=times):
            returns.went()
            await how(stage)
            await asyncio.sleep(stage.dice.uniform(0.0, 2.0))
            await asyncio.to_thread(stage.server.start)
            if await answers(stage):
                returns.came()
        await asyncio.sleep(BUSY_SECONDS[1])
    stage.figures |= returns.figures()
