"""A database, the daemon and a demo in one command: to see it work, to write handlers against."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shlex
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from bellhand import __version__
from bellhand.cli.board import CLEAR_LINE, Board
from bellhand.cli.context import Cli, Database, Given, close, connect
from bellhand.cli.dev_hints import command, say_hints, short
from bellhand.cli.errors import FAILED, BadConfig, Refused
from bellhand.cli.output import duration, paint, say
from bellhand.cli.run import logging
from bellhand.cli.tour import SHIPPED, Tour
from bellhand.counted import counted
from bellhand.dev.state import DevState, folder

if TYPE_CHECKING:
    from bellhand.app import Daemon
    from bellhand.dev.standins.server import StandIns
    from bellhand.settings import Settings

DEMO = "bellhand.dev.demo"
MATCHING = "bellhand.families.matching"
SITES = "bellhand.families.sites"
BUSINESS = "Harbour Bakery (demo)"
LOOKS_APART_SECONDS = 0.15
READY_SECONDS = 30
STOP_SECONDS = 30
GRACE_SECONDS = 3.0
SOON_SECONDS = 4.0
LEASE = {"lease_seconds": 6.0, "heartbeat_seconds": 2.0}
MODE = "development"
SERVER = "postgres"  # its folder, in that of development


@dataclass
class Checklist:
    """Tells what started, and how long that took."""

    since: float = field(default_factory=time.monotonic)

    def done(self, what: str, note: str) -> None:
        """One more thing is there."""
        now = time.monotonic()
        say(f"  {paint('✓', 'green')} {what:<10} {note:<60} {duration(now - self.since):>7}")
        self.since = now


async def dev(
    *,
    demo: Annotated[bool, Parameter(help="Whether to enqueue the jobs of the demo.")] = True,
    for_seconds: Annotated[
        float | None, Parameter(help="Stop after so long.", validator=Number(gt=0))
    ] = None,
    until_demo_done: Annotated[
        bool, Parameter(negative=(), help="Stop when the jobs of the demo are over.")
    ] = False,
    tour: Annotated[
        bool, Parameter(negative=(), help="Six things to try, ticked off as they happen.")
    ] = False,
    cli: Given,
) -> int:
    """Run a database of its own, the daemon and a demo, until Ctrl-C.

    With a dsn in the configuration, or --dsn, it uses that one instead, unless it holds jobs
    that are not development's.
    """
    home = folder()
    with DevState(home) as state:
        say(f"bellhand {__version__} · development, all of it in {short(home)}")
        checklist = Checklist()
        with _database(cli, home, checklist) as (dsn, psql):
            await _prepare(cli, dsn, home, checklist)
            state.publish(dsn)
            code = await _run(
                cli, dsn, psql, home, checklist, (demo, for_seconds, until_demo_done, tour)
            )
    say("stopped")
    return code


async def _run(
    cli: Cli,
    dsn: str,
    psql: str,
    home: Path,
    checklist: Checklist,
    how: tuple[bool, float | None, bool, bool],
) -> int:
    """The daemon over a database that is ready; its log goes to a file, the terminal is ours."""
    demo, for_seconds, until_demo_done, tour = how
    async with _website() as port, _stand_ins() as stand_ins:
        settings = _settings(cli, dsn, port, stand_ins, hurry=tour)
        if settings.services.allow_networks != cli.configured.services.allow_networks:
            checklist.done("services", f"stand-ins at http://127.0.0.1:{stand_ins.port}")
        with (home / "log").open("w") as log, logging(settings.log, log):
            async with _working(settings, cli, checklist) as (daemon, ended):
                run = _Run(daemon, settings, psql, home, port if demo else None, tour)
                return await run.until(ended, for_seconds, until_demo_done, checklist)


@contextmanager
def _database(cli: Cli, home: Path, checklist: Checklist) -> Iterator[tuple[str, str]]:
    """The DSN, and the psql to use: the configured database, else one of our own."""
    if "dsn" in cli.configured.model_fields_set:
        yield cli.configured.dsn, "psql"
        return
    # Only here: with a configured database it may not even be installable.
    from bellhand.dev.postgres import DevPostgres
    from bellhand.dev.programs import major_version

    with ExitStack() as stack:
        server = stack.enter_context(DevPostgres(home / SERVER))
        dsn = server.create_database("bellhand")
        version = major_version(server.programs)
        checklist.done(f"postgres {version}", "a server of its own, on a socket only")
        yield dsn, "psql" if shutil.which("psql") else shlex.quote(str(server.psql))


async def _prepare(cli: Cli, dsn: str, home: Path, checklist: Checklist) -> None:
    """The schema, and the mark that this database is for development; refuses any other."""
    from bellhand.dev.postgres import place_of
    from bellhand.migrate import MigrationChanged, SchemaTooNew, migrate
    from bellhand.settings import Settings

    connection = await connect(Settings(dsn=dsn))
    try:
        database = Database(connection, 10)
        seen = await database.row("cli_environment")
        if seen and seen["migrated"]:
            await _refuse_production(database)
        try:
            applied = await migrate(dsn)
        except (MigrationChanged, SchemaTooNew) as problem:
            if "dsn" not in cli.configured.model_fields_set:
                whose = shlex.quote(str(place_of(home / SERVER)))
                problem.fix = f"to begin anew, without the jobs that are in it: rm -r {whose}"
            raise
        await database.rows("set_meta", "mode", MODE)
    finally:
        await close(connection)
    checklist.done(
        "schema", f"{counted(len(applied), 'file')} applied" if applied else "up to date"
    )


async def _refuse_production(database: Database) -> None:
    seen = await database.row("dev_mode")
    assert seen
    if seen["mode"] == MODE or (seen["mode"] is None and not seen["used"]):
        return
    raise BadConfig(
        "this database is not for development",
        why=f"its mode is {seen['mode']!r}" if seen["mode"] else "it holds jobs already",
        fix="leave dsn out, so that development makes a database of its own; "
        f"or, if you are sure, write the row ('mode', '{MODE}') into bellhand.meta",
    )


@asynccontextmanager
async def _website() -> AsyncIterator[int]:
    from bellhand.dev.website import served

    async with served() as port:
        yield port


@asynccontextmanager
async def _stand_ins() -> AsyncIterator[StandIns]:
    from bellhand.dev.standins.server import served

    async with served(websites=True) as stand_ins:
        yield stand_ins


def _services(given: Settings, stand_ins: StandIns) -> dict[str, Any]:
    """A stand-in for each service that nobody has configured: no key is needed to see it work."""
    services: dict[str, Any] = stand_ins.settings
    inside = services.pop("allow_networks")
    for name in list(services):
        if {"key", "key_file", "base_url"} & getattr(given.services, name).model_fields_set:
            del services[name]
    if services:
        services["allow_networks"] = [*given.services.allow_networks, *inside]
    return services


def _settings(
    cli: Cli, dsn: str, website_port: int, stand_ins: StandIns, *, hurry: bool
) -> Settings:
    """The configured settings, and what the demo needs on top; in a hurry a daemon that was killed is given up soon."""
    from bellhand.settings import load

    given = cli.configured
    arguments: dict[str, Any] = {
        "dsn": dsn,
        "modules": _modules(given),
        "web": {
            "ports": [*given.web.ports, website_port, stand_ins.port],
            "allow_networks": [*given.web.allow_networks, "127.0.0.0/8"],
        },
        "services": _services(given, stand_ins),
    }
    if "grace_seconds" not in given.worker.model_fields_set:
        arguments["worker"] = {"grace_seconds": GRACE_SECONDS}
    if hurry and not {"lease_seconds", "heartbeat_seconds"} & given.worker.model_fields_set:
        arguments.setdefault("worker", {}).update(LEASE)
    if "port" not in given.status.model_fields_set and _taken(given.status.host, given.status.port):
        arguments["status"] = {"port": 0}
    return load(cli.options.config, **arguments)


def _taken(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def _modules(given: Settings) -> list[str]:
    """The configured ones and the demo; where none are, also the family whose libraries are an extra, if they are there."""
    asked = "modules" in given.model_fields_set
    libraries = all(importlib.util.find_spec(name) for name in ("numpy", "scipy"))
    more = [DEMO] if asked or not libraries else [MATCHING, DEMO]
    return [*given.modules, *(name for name in more if name not in given.modules)]


@asynccontextmanager
async def _working(
    settings: Settings, cli: Cli, checklist: Checklist
) -> AsyncIterator[tuple[Daemon, asyncio.Task[int]]]:
    """The daemon, ready; on leaving it drains and ends."""
    from bellhand.app import Daemon
    from bellhand.logs import count_levels

    daemon = Daemon(settings, config=cli.options.config)
    count_levels(daemon.metrics.logged)
    modules = ", ".join(name.rpartition(".")[2] for name in settings.modules)
    checklist.done("handlers", f"{counted(len(daemon.kinds), 'kind')} of {modules}")
    daemon.catch_signals()
    ended = asyncio.create_task(daemon.run())
    ready = asyncio.create_task(daemon.ready.wait())
    try:
        tasks = {ended, ready}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=READY_SECONDS)
        if ended.done():
            ended.result()  # raises what went wrong, if anything did
        elif not ready.done():
            raise Refused(f"the daemon was not ready within {READY_SECONDS} s", fix="see its log")
        else:
            slots = settings.worker.concurrency
            heard = "woken by LISTEN" if daemon.sleep.listening else "polling"
            checklist.done("worker", f"{counted(slots, 'job')} at once, {heard}")
        yield daemon, ended
    finally:
        ready.cancel()
        if not ended.done():
            daemon.stop()
            await asyncio.wait({ended}, timeout=STOP_SECONDS)


@dataclass
class _Run:
    """The time between start and stop: the demo, and the board that shows it."""

    daemon: Daemon
    settings: Settings
    psql: str
    home: Path
    website_port: int | None  # None: no demo
    guided: bool = False
    last: int = 0

    async def until(
        self,
        ended: asyncio.Task[int],
        for_seconds: float | None,
        until_demo_done: bool,
        checklist: Checklist,
    ) -> int:
        """Shows what happens until told to stop; the exit code."""
        connection = await connect(self.settings)
        database = Database(connection, self.settings.database.statement_seconds)
        board = Board(database, self.daemon.worker.id, await database.value("dev_last_job"))
        end = time.monotonic() + for_seconds if for_seconds else None
        try:
            ours: set[int] = set()
            if self.website_port and not ended.done():
                ours = await self._enqueue(database, board)
                checklist.done("demo", f"{counted(len(ours), 'job')} queued, and one a minute")
            say_hints(
                self.settings,
                self.daemon.status.port,
                self.psql,
                self.home,
                self.website_port,
                self.last or 1,
            )
            tour = await self._tour(database) if self.guided else None
            while not ended.done() and (end is None or time.monotonic() < end):
                await board.look()
                if tour is not None:
                    await tour.look(CLEAR_LINE if board.live else "")
                if until_demo_done and ours <= board.ended.keys():
                    failed = [n for n in ours if board.ended[n] in ("failed", "cancelled")]
                    return FAILED if failed else 0
                await asyncio.wait({ended}, timeout=LOOKS_APART_SECONDS)
            return ended.result() if ended.done() else 0
        finally:
            board.close()
            await close(connection)

    async def _enqueue(self, database: Database, board: Board) -> set[int]:
        """One job of each sort that there is to see; their ids."""
        before = board.last_id
        self.last = report = await _enqueue(database, "demo.report")
        await _enqueue(database, "demo.letters")
        await _enqueue(database, "demo.summary", {"name": "the board"}, depends_on=[report])
        await database.rows("dev_tick")
        soon = await database.value("cli_ago", -SOON_SECONDS)
        await _enqueue(database, "demo.greet", {"name": "whoever waited"}, run_at=soon)
        if SITES in self.settings.modules:
            website = f"http://127.0.0.1:{self.website_port}/"
            await database.rows("dev_business", BUSINESS, website)
        rows = await database.rows("dev_new_jobs", before, 100)
        return {row["id"] for row in rows}

    async def _tour(self, database: Database) -> Tour:
        own = [
            name
            for name, kind in self.daemon.kinds.items()
            if not kind.handler.__module__.startswith(SHIPPED)
        ]
        page = f"http://{self.settings.status.host}:{self.daemon.status.port}/"
        tour = Tour(database, own, command(), page, self.daemon.metrics.followers)
        await tour.begin()
        return tour


async def _enqueue(
    database: Database,
    kind: str,
    payload: dict[str, Any] | None = None,
    *,
    run_at: Any = None,
    depends_on: list[int] | None = None,
) -> int:
    row = await database.row(
        "enqueue", kind, json.dumps(payload or {}), None, run_at, None, None, None, None, "demo",
        depends_on, "cancel", None, "cli",
    )  # fmt: skip
    assert row
    return int(row["id"])
