"""Plays one fault: set up, break, heal, drain, call the roll, stop, collect, judge, write everything down."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import subprocess
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bellhand.dev.postgres import DevPostgres
from bellhand.dev.programs import Preference
from bellhand.migrate import migrate

from . import audit
from .fault import Fault, Skip
from .fleet import NEEDS_A_PERSON, ROOT
from .history import check
from .scrape import counted
from .stage import DATABASE, Stage
from .witness import Event, read, write

PATIENCE_SECONDS = 240.0  # a fault that takes so much longer than its time hangs
ROLL_CALL_SECONDS = 30.0
ROLL_CALL_NAP_SECONDS = 0.3
CONNECTIONS_MAX = {"max_connections": "300"}


@dataclass
class Verdict:
    """What came of a play; `skipped` says why there was none."""

    fault: Fault
    valid: bool
    violations: dict[str, Any]
    figures: dict[str, Any]
    folder: Path
    seconds: float = 0.0
    skipped: str = ""

    def line(self) -> str:
        """One line for people."""
        head = f"{self.fault.name:<14} {self.fault.title}"
        if self.skipped:
            return f"{head}\n{'':14} left out: {self.skipped}"
        said = "  ".join(f"{name} {value}" for name, value in self.figures.items())
        verdict = "held" if self.valid else f"BROKEN: {json.dumps(self.violations, default=str)}"
        return f"{head}\n{'':14} {verdict}  |  {said}  |  {self.seconds:.0f} s"


async def play(
    fault: Fault,
    folder: Path,
    *,
    seed: int,
    seconds: float | None = None,
    postgres: Preference = "embedded",
    prepare: Callable[[asyncpg.Connection], Awaitable[None]] | None = None,
    server: DevPostgres | None = None,
) -> Verdict:
    """Play one fault in a folder of its own and judge it; `prepare` may change the database before.

    It gets a server of its own, unless there is one already (with `CONNECTIONS_MAX`, for a fault that asks for no settings).
    """
    begun, load = time.monotonic(), os.getloadavg()[0]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    own = None
    if server is None:
        settings = CONNECTIONS_MAX | fault.postgres
        server = own = DevPostgres(
            prefer=postgres, durable=fault.durable, tcp=True, settings=settings
        )
    try:
        if own is not None:
            await asyncio.to_thread(own.start)
        dsn = await asyncio.to_thread(server.create_database, DATABASE)
        await migrate(dsn)
        stage = Stage(fault, server, folder, seed, seconds)
        try:
            await audit.install(await stage.oracle())
            if prepare is not None:
                await prepare(await stage.oracle())
            try:
                async with asyncio.timeout(stage.seconds + PATIENCE_SECONDS):
                    await fault.body(stage)
            except Skip as skip:
                return Verdict(fault, True, {}, {}, folder, skipped=str(skip))
            except Exception as error:  # a boundary: one fault that fails must not hide the others
                traceback.print_exc()
                stage.must(False, "the_fault_itself_failed", repr(error))
            finally:
                await _heal(stage)
            events = await _end(stage)
        finally:
            await stage.close()
            shutil.copy(server.home / "log", folder / "postgres.log")
    finally:
        if own is not None:
            await asyncio.to_thread(own.close)
    return _judge(stage, events, time.monotonic() - begun, load)


async def _heal(stage: Stage) -> None:
    await stage.at_heal.aclose()
    for daemon in stage.fleet.daemons:
        daemon.resume()
    stage.nemesis.saw("healed")


async def _end(stage: Stage) -> list[Event]:
    """Drain, call the roll, stop the daemons; all events."""
    healed = time.monotonic()
    await drained(stage)
    stage.figures["drained_s"] = round(time.monotonic() - healed, 1)
    if stage.fault.roll_call and stage.fleet.daemons:
        await roll_call(stage)
        await drained(stage)
    metrics = await counted(stage)
    await stop_all(stage)
    run = {
        "src": "run",
        "fault": stage.fault.name,
        "seed": stage.seed,
        "lease_seconds": stage.lease_seconds,
        "postgres": str(await stage.value("show server_version")).split()[0],
    } | stage.settings
    found = await audit.collect(await stage.oracle())
    files = (stage.said.path, stage.fleet.journal, stage.nemesis.path)
    return [run, *metrics, *(event for file in files for event in read(file)), *found]


async def stop_all(stage: Stage) -> None:
    """SIGTERM for every daemon; each must end with 0, and none may have ended by itself before."""
    codes = await asyncio.gather(*(daemon.stop() for daemon in stage.fleet.daemons))
    stage.must(all(code == 0 for code in codes), "did_not_stop_cleanly", codes)
    ended = [code for daemon in stage.fleet.daemons for code, ours in daemon.codes if not ours]
    if ended:
        stage.figures["ended_by_themselves"] = len(ended)
    stage.must(stage.fault.daemons_may_end or not ended, "daemon_ended_by_itself", ended)
    stage.must(NEEDS_A_PERSON not in ended, "needs_a_person", ended)


async def drained(stage: Stage) -> None:
    """Wait until no job is left."""

    async def nothing_left() -> bool:
        return not await stage.value("select count(*) from bellhand.jobs")

    await stage.until(nothing_left, stage.fault.drain_seconds, "nothing is left")


async def roll_call(stage: Stage) -> None:
    """Every daemon must still work: alive and deaf is the commonest failure there is."""
    client = stage.client()

    def absent() -> set[int]:
        present = {
            event["pid"]
            for event in read(stage.fleet.journal)
            if event["f"] == "start" and event["t"] > called
        }
        return {daemon.pid for daemon in stage.fleet.daemons if daemon.wanted} - present

    called = time.monotonic()
    while absent() and time.monotonic() < called + ROLL_CALL_SECONDS:
        for _ in range(16 * len(stage.fleet.daemons)):
            await client.enqueue("f.nap", {"seconds": ROLL_CALL_NAP_SECONDS})
        await asyncio.sleep(ROLL_CALL_NAP_SECONDS)
    stage.must(not absent(), "deaf_daemon", sorted(absent()))
    client.drop()


def _judge(stage: Stage, events: list[Event], seconds: float, load: float) -> Verdict:
    write(stage.folder / "events.jsonl", events)
    verdict = check(events)
    violations = verdict["counts"] | {name: details[:3] for name, details in stage.breaches.items()}
    found = {
        name: value
        for name, value in (verdict["figures"] | stage.figures).items()
        if value or name in ALWAYS
    }
    made = Verdict(stage.fault, not violations, violations, found, stage.folder, seconds)
    (stage.folder / "verdict.json").write_text(
        json.dumps(
            {
                "fault": stage.fault.name, "title": stage.fault.title, "held": made.valid, "seed": stage.seed,
                "commit": _commit(), "postgres": events[0]["postgres"], "python": platform.python_version(),
                "cores": os.cpu_count(), "load": [round(one, 2) for one in (load, os.getloadavg()[0])],
                "seconds": round(seconds, 1), "figures": verdict["figures"] | stage.figures,
                "violations": verdict["violations"] | stage.breaches,
            },
            indent=1, default=str,
        )
    )  # fmt: skip
    return made


ALWAYS = ("acked", "lost", "settled_twice", "reruns")


def _commit() -> str:
    try:
        said = subprocess.run(
            [shutil.which("git") or "git", "describe", "--always", "--dirty"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except OSError:
        return "unknown"
    return said.stdout.strip() or "unknown"
