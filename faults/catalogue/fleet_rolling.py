"""An upgrade under load, machine by machine: two versions side by side, a migration in between, and one that goes too far."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from functools import partial

from ..fault import fault
from ..fleet import NEEDS_A_PERSON, Daemon
from ..hosts import hosts
from ..load import steady
from ..noticed import pickups, spread
from ..stage import READY_SECONDS, Stage
from ..versions import NEXT, command, next_version
from ..witness import read

PER_SECOND = 500
CALM_SECONDS = 8.0
HANDS = {"concurrency": 64}  # two machines must do for three


@fault("fleet-rolling", "three machines are upgraded one by one at 500 jobs a second, with a migration first", seconds=30, drain_seconds=90)  # fmt: skip
async def rolling(stage: Stage) -> None:
    path = await asyncio.to_thread(next_version, stage.folder / "next")
    machines = await stage.at_end.enter_async_context(hosts(3))
    dsn = await machines.let_in(stage)
    for host in machines.all:
        stage.daemon(dsn=dsn, worker=HANDS, options={"prefix": host.prefix})
    await stage.ready()
    old = list(stage.fleet.daemons)
    phases: dict[str, tuple[float, float]] = {}
    async with steady(stage, PER_SECOND):
        begun = time.monotonic()
        await asyncio.sleep(CALM_SECONDS)
        phases["calm"] = (begun, time.monotonic())
        await _migrate(stage, old[0], path, phases)
        await _crash(stage, old[1])
        begun = time.monotonic()
        for daemon, host in zip(old, machines.all, strict=True):
            code = await daemon.stop()
            stage.must(code == 0, "did_not_stop_cleanly", code)
            new = stage.daemon(
                dsn=dsn, worker=HANDS, env={"PYTHONPATH": path}, options={"prefix": host.prefix}
            )
            await stage.until(partial(new.said, "ready"), READY_SECONDS, f"{new.name} is ready")
        phases["roll"] = (begun, time.monotonic())
        await asyncio.sleep(CALM_SECONDS)
    await _refused(stage, old[0])
    said, ran = read(stage.said.path), read(stage.fleet.journal)
    for name, (since, until) in phases.items():
        stage.figures |= spread(f"pickup_{name}", pickups(said, ran, since, until), digits=3)
    by = Counter(event.get("code", "before") for event in ran if event["f"] == "start")
    stage.figures |= {"ran_before": by["before"], "ran_next": by[NEXT]}
    stage.must(min(by["before"], by[NEXT]) > 0, "one_version_did_nothing", dict(by))


async def _migrate(stage: Stage, daemon: Daemon, path: str, phases: dict[str, tuple[float, float]]) -> None:  # fmt: skip
    """The next version's `bellhand migrate`, while daemons of this one work."""
    begun = time.monotonic()
    code, said = await command(daemon, "migrate", path=path)
    stage.must(code == 0 and "0999_next_version" in said, "migration_failed", said)
    phases["migration"] = (begun, time.monotonic())
    stage.figures["migration_s"] = round(time.monotonic() - begun, 2)


async def _crash(stage: Stage, daemon: Daemon) -> None:
    """One that was not upgraded yet dies, and comes back on the newer schema as it is."""
    daemon.kill()
    await stage.until(
        lambda: len(daemon.said("ready")) == 2, READY_SECONDS, "N-1 starts on schema N"
    )
    stage.must(bool(daemon.said("schema_is_newer")), "not_said", "schema_is_newer")


async def _refused(stage: Stage, daemon: Daemon) -> None:
    """On a schema that does not tolerate it, a daemon ends at once and says what to run."""
    await stage.sql("update bellhand.migrations set tolerates = $1 where version = $1", NEXT)
    code, said = await command(daemon, "run")
    stage.must(code == NEEDS_A_PERSON and f"run bellhand {NEXT} or newer" in said, "not_refused", (code, said[-500:]))  # fmt: skip
