"""Where a fault is played: a Postgres of its own, daemons that are started again, clients, and what a fault may ask for."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from bellhand.dev.postgres import DevPostgres

from .client import LOST, Choose, Client, usual
from .fault import Fault
from .fleet import Daemon, Fleet
from .handlers import LIMIT, LIMITED
from .witness import Witness

DATABASE = "bellhand"
WORKER: dict[str, Any] = {
    "lease_seconds": 3.0, "heartbeat_seconds": 0.5, "poll_seconds": 5.0, "grace_seconds": 8.0, "kill_grace_seconds": 1.0,
    "concurrency": 16, "crashes_max": 1000,
}  # fmt: skip
READY_SECONDS = 40.0
PATIENCE_SECONDS = 60.0
TRIES_APART_SECONDS = 0.05


class Stage:
    """One play of one fault."""

    def __init__(
        self,
        fault: Fault,
        server: DevPostgres,
        folder: Path,
        seed: int,
        seconds: float | None = None,
    ) -> None:
        self.fault = fault
        self.server = server
        self.folder = folder
        self.seed = seed
        self.seconds = seconds or fault.seconds
        self.dice = random.Random(seed)
        self.dsn = server.dsn_for(DATABASE)
        self.said = Witness(folder / "client.jsonl", "client")
        self.nemesis = Witness(folder / "nemesis.jsonl", "nemesis")
        self.fleet = Fleet(folder, self.nemesis, self.dice)
        self.lease_seconds = WORKER["lease_seconds"]
        self.settings: dict[str, Any] = {"limits": {LIMITED: LIMIT}}
        self.figures: dict[str, Any] = {}
        self.breaches: dict[str, list[Any]] = {}
        self.at_heal = (
            AsyncExitStack()
        )  # what must be undone when the fault is over, before the drain
        self.at_end = AsyncExitStack()  # what the daemons need for as long as they live
        self._oracle: asyncpg.Connection | None = None
        self._clients = 0

    def many(self, count: int) -> int:
        """So many in the fault's own time, fewer in less."""
        return max(3, round(count * self.seconds / self.fault.seconds))

    def must(self, holds: bool, what: str, detail: Any = None) -> None:
        """What this fault claims beyond the invariants."""
        if not holds:
            self.breaches.setdefault(what, []).append(detail)

    # -- the cast ----------------------------------------------------------------------------------------------------

    def daemon(
        self, *, worker: dict[str, Any] | None = None, dsn: str | None = None, env: dict[str, str] | None = None,
        modules: Iterable[str] = (), options: dict[str, Any] | None = None, **sections: Any,
    ) -> Daemon:  # fmt: skip
        """Start one more; `worker` and `sections` are of its configuration, `options` of its process."""
        own = (
            WORKER
            | {"name": f"daemon{len(self.fleet.daemons)}", "lease_seconds": self.lease_seconds}
            | (worker or {})
        )
        self.lease_seconds = own["lease_seconds"]
        given = {
            "dsn": dsn or self.dsn, "modules": ["faults.handlers", *modules], "worker": own, "status": {"port": 0},
            "metrics": {"canary_seconds": 0},  # the invariants count jobs
            "log": {"format": "json"}, "lanes": {LIMITED: {"concurrency": LIMIT}},
        } | sections  # fmt: skip
        return self.fleet.add(given, env, **(options or {}))

    async def daemons(self, count: int, **how: Any) -> list[Daemon]:
        """Start so many, and wait until each is ready."""
        made = [self.daemon(**how) for _ in range(count)]
        await self.ready()
        return made

    async def ready(self) -> None:
        """Wait until every daemon has said so once."""
        for one in self.fleet.daemons:
            await self.until(partial(one.said, "ready"), READY_SECONDS, f"{one.name} is ready")

    @asynccontextmanager
    async def clients(
        self,
        per_second: float,
        *,
        count: int = 2,
        choose: Choose = usual,
        dsn: str | None = None,
        plain: bool = False,
    ) -> AsyncIterator[list[Client]]:
        """So many clients that together insert at that rate, until the block ends."""
        stop = asyncio.Event()
        made = [self.client(dsn) for _ in range(count)]
        tasks = [
            asyncio.create_task(one.work(per_second / count, choose, stop, plain=plain))
            for one in made
        ]
        try:
            yield made
        finally:
            stop.set()
            done, late = await asyncio.wait(tasks, timeout=30)
            for task in late:
                task.cancel()
            self.must(not late, "client_hangs")
            for task in done:
                task.result()

    def client(self, dsn: str | None = None) -> Client:
        """One client that does nothing by itself."""
        self._clients += 1
        return Client(dsn or self.dsn, self.said, self.seed * 1000 + self._clients)

    # -- time --------------------------------------------------------------------------------------------------------

    async def moments(
        self, least: float, most: float, times: int | None = None
    ) -> AsyncIterator[int]:
        """Random moments, so many seconds apart, for the fault's time (and so many at the most)."""
        end = time.monotonic() + self.seconds
        number = 0
        while time.monotonic() < end and (times is None or number < times):
            await asyncio.sleep(self.dice.uniform(least, most))
            yield number
            number += 1

    async def until(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        """What `condition` (plain or async) says once it is true; None, and a breach, if it is not in time."""
        deadline = time.monotonic() + seconds
        while True:
            said = condition()
            if isinstance(said, Awaitable):
                said = await said
            if said:
                return said
            if time.monotonic() > deadline:
                self.must(False, "not_in_time", f"{what} (within {seconds:g} s)")
                return None
            await asyncio.sleep(TRIES_APART_SECONDS)

    # -- the database, seen from outside --------------------------------------------------------------------------------

    async def sql(
        self, statement: str, *args: Any, patience_seconds: float = PATIENCE_SECONDS
    ) -> list[asyncpg.Record]:
        """Rows of a statement, tried again while the database is away."""
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                return await (await self.oracle()).fetch(statement, *args, timeout=30)
            except LOST:
                if self._oracle is not None:
                    self._oracle.terminate()
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)

    async def value(self, statement: str, *args: Any) -> Any:
        """The first column of the first row."""
        return (await self.sql(statement, *args))[0][0]

    async def oracle(self) -> asyncpg.Connection:
        """Our own connection, which no fault may touch (application_name faults:oracle)."""
        if self._oracle is None or self._oracle.is_closed():
            self._oracle = await asyncpg.connect(
                self.dsn,
                timeout=10,
                command_timeout=60,
                statement_cache_size=0,
                server_settings={"application_name": "faults:oracle"},
            )
        return self._oracle

    async def close(self) -> None:
        """Nothing of this play goes on."""
        await self.fleet.end()
        await self.at_end.aclose()
        if self._oracle is not None:
            self._oracle.terminate()
        self.said.close()
        self.nemesis.close()
