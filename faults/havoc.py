"""What a soak does to its daemons and its server: small faults, each over in seconds. `@havoc` registers another one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg

from .client import LOST
from .fleet import Daemon
from .stage import Stage

Action = Callable[[Stage], Awaitable[None]]
ACTIONS: dict[str, Action] = {}
END_SOME = """
select pg_terminate_backend(pid) from (select pid from pg_stat_activity
  where application_name like 'bellhand:%' and datname = current_database() order by random() limit $1) p
"""
CANCEL_ALL = """
select pg_cancel_backend(pid) from pg_stat_activity
where application_name like 'bellhand:%' and datname = current_database() and state = 'active'
"""


def havoc(action: Action) -> Action:
    """Register an action under its own name."""
    ACTIONS[action.__name__] = action
    return action


def mortal(stage: Stage) -> Daemon | None:
    """One that may be killed: the first daemon is spared, so that its memory can be watched."""
    able = [d for d in stage.fleet.daemons[1:] if d.pid and d.pid not in d.stopped]
    return stage.dice.choice(able) if able else None


@havoc
async def kill(stage: Stage) -> None:
    """kill -9 of one or two."""
    for _ in range(stage.dice.choice([1, 1, 2])):
        if victim := mortal(stage):
            victim.kill()


@havoc
async def freeze(stage: Stage) -> None:
    """Stand still, for more or less than a lease; the spared one too."""
    if (victim := stage.fleet.any()) is None:
        return
    seconds = stage.dice.choice([1.0, 2.5, 5.0, 8.0])
    pid = victim.signal(signal.SIGSTOP, gone=seconds > stage.lease_seconds + 2)
    await asyncio.sleep(seconds)
    if victim.pid == pid:
        victim.resume()


@havoc
async def terminate(stage: Stage) -> None:
    """SIGTERM, as a deploy does."""
    if victim := mortal(stage):
        victim.signal(signal.SIGTERM)


@havoc
async def reload(stage: Stage) -> None:
    """SIGHUP, some of them at once."""
    for daemon in stage.fleet.daemons:
        if daemon.said("ready"):
            daemon.signal(signal.SIGHUP)


@havoc
async def backends_killed(stage: Stage) -> None:
    """Some connections of ours end."""
    await stage.sql(END_SOME, stage.dice.randint(1, 8))


@havoc
async def statements_cancelled(stage: Stage) -> None:
    """Whatever runs is cancelled, for a while."""
    for _ in range(20):
        await stage.sql(CANCEL_ALL)
        await asyncio.sleep(0.05)


@havoc
async def jobs_locked(stage: Stage) -> None:
    """Somebody's migration locks the table."""
    await _holding(
        stage, "lock table bellhand.jobs in access exclusive mode", stage.dice.uniform(0.5, 4.0)
    )


@havoc
async def rows_locked(stage: Stage) -> None:
    """Somebody forgets a transaction with locks on rows."""
    sql = "select from bellhand.jobs order by id limit 20 for update"
    await _holding(stage, sql, stage.dice.uniform(1.0, 6.0))


@havoc
async def horizon_pinned(stage: Stage) -> None:
    """Somebody's transaction stays open."""
    await _holding(stage, "select pg_current_xact_id()", stage.dice.uniform(5.0, 20.0))


async def _holding(stage: Stage, sql: str, seconds: float) -> None:
    with suppress(*LOST, asyncpg.PostgresError):
        conn = await asyncpg.connect(
            stage.dsn, timeout=5, command_timeout=10, statement_cache_size=0,
            server_settings={"application_name": "faults:havoc", "lock_timeout": "5000"},
        )  # fmt: skip
        try:
            async with conn.transaction():
                await conn.execute(sql)
                await asyncio.sleep(seconds)
        finally:
            conn.terminate()


@havoc
async def server_restarted(stage: Stage) -> None:
    """The server stops and comes back."""
    await asyncio.to_thread(stage.server.stop)
    await asyncio.sleep(stage.dice.uniform(0.0, 5.0))
    await asyncio.to_thread(stage.server.start)


@havoc
async def server_crashed(stage: Stage) -> None:
    """The server is gone at once; what was not yet durable is lost."""
    await asyncio.to_thread(stage.server.stop, immediate=True)
    stage.nemesis.saw("server_crash", server="crash")
    await asyncio.sleep(stage.dice.uniform(0.0, 5.0))
    await asyncio.to_thread(stage.server.start)


@havoc
async def burst(stage: Stage) -> None:
    """A few hundred jobs at once."""
    client = stage.client()
    for _ in range(300):
        await client.enqueue("f.quick", {})
    client.drop()


@havoc
async def nothing(stage: Stage) -> None:
    """Some peace."""
    await asyncio.sleep(stage.dice.uniform(1.0, 10.0))
