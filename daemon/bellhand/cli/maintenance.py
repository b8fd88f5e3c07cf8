"""Getting ready and staying well: check, env, version."""

from __future__ import annotations

import asyncio
import os
import platform
import shlex
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import asyncpg
from cyclopts import Parameter

from bellhand import __version__
from bellhand.cli.channels import fares
from bellhand.cli.context import Cli, Database, Given, close, connect
from bellhand.cli.errors import BAD_CONFIG, OK, UNREACHABLE, BadConfig, Unreachable, translated
from bellhand.cli.installing import CONFIG, USER
from bellhand.cli.output import paint, plain, say, say_json
from bellhand.counted import counted
from bellhand.dev.programs import MAJOR_MIN
from bellhand.errors import Problem

NOTIFY_SECONDS = 5
# What `bellhand help` shows about what is wrong in a layer, where a finding does not name a page of its own.
GUIDES = {
    "config": "errors/configuration", "environment": "errors/database-away", "live": "errors/database-away", "schema": "errors/configuration",
    "bell": "BellhandListenDown", "listen": "BellhandListenDown", "channels": "BellhandChannelFailing", "workers": "BellhandDown",
    "leases": "BellhandWorkersLost", "stalled": "BellhandLaneStalled", "horizon": "BellhandVacuumBlocked", "bloat": "BellhandTableBloat", "kinds": "BellhandNoHandler",
    "pauses": "BellhandLanePausedLong", "schedules": "BellhandScheduleMissed", "canary": "BellhandCanaryLate", "history": "BellhandRetentionLagging",
    "handlers": "doctor", "services": "doctor", "postgres": "doctor", "port": "doctor", "clock": "doctor",
}  # fmt: skip


@dataclass
class Finding:
    """One line of `check`: ok, warning or error; what is not ok has a page of `bellhand help`, named by topic or else its layer's."""

    layer: str
    what: str
    level: str = "ok"
    why: str = ""
    fix: str = ""
    docs: str = ""
    temporary: bool = False

    def __post_init__(self) -> None:
        if self.level != "ok":
            self.docs = f"bellhand help {self.docs or GUIDES[self.layer]}"


async def check(
    *,
    print_config: Annotated[
        bool, Parameter(negative=(), help="Print every setting, its value and where it is from.")
    ] = False,
    environment: Annotated[bool, Parameter(help="Whether to look at the database too.")] = True,
    cli: Given,
) -> int:
    """Check the configuration, the handlers and the database; exits 78 if one is not fit, 75 if only the database is away."""
    if print_config:
        return _print_config(cli)
    findings = await examine(cli, environment=environment)
    if cli.json:
        say_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            report_finding(finding)
    wrong = [finding for finding in findings if finding.level == "error"]
    if not wrong:
        return OK
    return UNREACHABLE if all(finding.temporary for finding in wrong) else BAD_CONFIG


async def examine(cli: Cli, *, environment: bool) -> list[Finding]:
    """Everything that `check` looks at, layer by layer; what stands on a layer that is not fit is not looked at."""
    findings: list[Finding] = []
    if _try(findings, "config", lambda: _check_config(cli)):
        from bellhand.cli import configured  # only here: it imports all that handlers need

        _try(findings, "handlers", lambda: configured.handlers(cli.settings, cli.options.config))
        _try(findings, "services", lambda: configured.services(cli.settings))
        if environment:
            try:
                findings += await _check_environment(cli)
            except Exception as error:
                problem = translated(error)
                if problem is None:
                    raise
                findings.append(_unfit(problem, cli.settings.dsn))
    return findings


def _try(findings: list[Finding], layer: str, look: Callable[[], str]) -> bool:
    try:
        findings.append(Finding(layer, look()))
    except Problem as problem:
        findings.append(_finding(layer, problem))
        return False
    return True


def _finding(layer: str, problem: Problem) -> Finding:
    return Finding(layer, problem.what, "error", problem.why, problem.fix)


def _unfit(problem: Problem, dsn: str) -> Finding:
    """What kept us from the database, with the place that was tried."""
    from bellhand.cli.config import masked_dsn  # only here: it waits for pydantic

    found = _finding("environment", problem)
    if isinstance(problem, BadConfig):
        found.docs = "bellhand help errors/configuration"
    if isinstance(problem, Unreachable):
        found.temporary = True
        found.fix = "see that Postgres runs there and lets this machine in (pg_isready with that host and port); else correct dsn"
    if not isinstance(problem, BadConfig) or "DSN" not in problem.what:
        found.why = f"{found.why}; tried {masked_dsn(dsn)}"
    return found


def report_finding(finding: Finding) -> None:
    """A finding as people read it."""
    mark = {"ok": ("ok", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}[finding.level]
    first, *more = finding.what.splitlines()
    say(f"{finding.layer:<12} {plain(first)}  {paint(*mark)}")
    told = [("why:  ", finding.why), ("fix:  ", finding.fix), ("docs: ", finding.docs)]
    rest = [("", line) for line in more] + told
    for label, text in rest:
        for line in text.splitlines():
            say(f"{'':<12}   {label}{plain(line)}")
            label = " " * len(label)


def _check_config(cli: Cli) -> str:
    settings = cli.settings
    file = cli.options.config or Path(os.environ.get("BELLHAND_CONFIG") or "")
    if os.geteuid() == 0 and file == Path("/", CONFIG, "config.toml"):
        from bellhand.cli.configured import for_the_service  # only here: it waits for pydantic

        for_the_service(file, USER)
    return f"lanes with limits: {len(settings.lanes)}, schedules: {len(settings.schedules)}"


async def _check_environment(cli: Cli) -> list[Finding]:
    layer = "postgres"
    connection = await connect(cli.settings)
    try:
        database = Database(connection, cli.settings.database.statement_seconds)
        seen = await database.row("cli_environment")
        assert seen
        where = f"{seen['database']} as {seen['role']}, version {seen['version']}"
        findings = [Finding(layer, where)]
        if seen["version_number"] // 10_000 < MAJOR_MIN:
            findings.append(
                Finding(layer, f"version {seen['version']} is too old", "error",
                        fix=f"use Postgres {MAJOR_MIN} or newer")
            )  # fmt: skip
        if seen["replica"] or seen["read_only"]:
            findings.append(
                Finding(layer, "the server is a replica or read-only", "error",
                        "the daemon writes with every claim", "point dsn at the primary")
            )  # fmt: skip
            return findings
        findings += await _check_schema(database, seen)
        findings.append(await _check_bell(cli, connection))
        findings += await _check_channels(database)
        return findings
    finally:
        await close(connection)


async def _check_schema(database: Database, seen: Any) -> list[Finding]:
    from bellhand.migrate import pending

    role, forbidden = seen["role"], "schema bellhand"
    try:
        missing = await pending(database.connection)
        rights = [] if missing else await database.rows("preflight_rights")
        forbidden = f"bellhand.{rights[0]['name']}" if rights else ""
    except asyncpg.InsufficientPrivilegeError:
        missing = []
    except Problem as problem:  # changed, or newer than this program
        return [_finding("schema", problem)]
    if forbidden and not missing:
        return [
            Finding("schema", f"role {role} may not work with {forbidden}", "error",
                    "the daemon selects, inserts, updates and deletes in every table of the schema",
                    f'as the schema\'s owner: grant bellhand_worker to "{role}"')
        ]  # fmt: skip
    if not missing:
        return [Finding("schema", "up to date")]
    return [
        Finding("schema", f"{counted(len(missing), 'file')} to apply, first {missing[0]}", "error",
                "the program and the schema belong together", "run: bellhand migrate")
    ]  # fmt: skip


async def _check_channels(database: Database) -> list[Finding]:
    """Where messages do not arrive; nothing where all is well, or the schema is not there yet."""
    try:
        rows = [dict(row) for row in await database.rows("cli_channels")]
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError):  # fmt: skip
        return []
    return [
        Finding("channels", f"{row['name']} is {fares(row)}", "warning",
                fix=f"put it right, then: bellhand channels {'enable' if row['disabled_at'] else 'test'} {row['name']}")
        for row in rows if row["disabled_at"] or row["failing_since"]
    ]  # fmt: skip


async def _check_bell(cli: Cli, connection: asyncpg.Connection[Any]) -> Finding:
    """Whether a notification sent over one connection arrives at another."""
    if cli.settings.database.pooler == "transaction":
        return Finding("bell", 'not tried: pooler = "transaction", so the daemon polls', "warning")
    heard = asyncio.Event()
    channel = f"bellhand_check_{uuid.uuid4().hex[:8]}"
    listener = await connect(cli.settings)
    try:
        async with asyncio.timeout(NOTIFY_SECONDS):
            await listener.add_listener(channel, lambda *_: heard.set())
            await Database(connection, NOTIFY_SECONDS).rows("cli_notify", channel, "check")
            await heard.wait()
    except TimeoutError:
        return Finding(
            "bell", "LISTEN is deaf here", "warning",
            "as behind a transaction pooler: nothing that is sent arrives",
            'give the daemon a direct connection, or set pooler = "transaction" to poll quietly',
        )  # fmt: skip
    finally:
        listener.terminate()
    return Finding("bell", "LISTEN works")


def _print_config(cli: Cli) -> int:
    from bellhand.cli.config import lines

    found = lines(cli.options.config, cli.settings, from_flag=bool(cli.options.dsn))
    if cli.json:
        say_json({name: {"value": value, "origin": origin} for name, value, origin in found})
    else:
        for name, value, origin in found:
            say(f"{name} = {plain(value)}  {paint('# ' + origin, 'dim')}")
    return 0


async def env(
    *,
    dsn: Annotated[
        bool, Parameter(name="--dsn", negative=(), help="Only the DSN in use, secrets included.")
    ] = False,
    cli: Given,
) -> int:
    """Print the settings as environment variables; with --dsn the DSN in use.

    While `bellhand dev` runs, that is the database it made.
    """
    if dsn:
        if cli.json:
            say_json({"dsn": cli.settings.dsn})
        else:
            say(cli.settings.dsn)
        return 0
    from bellhand.cli.config import variables

    found = variables(cli.settings)
    if cli.json:
        say_json(dict(found))
    else:
        for name, value in found:
            say(f"{name}={shlex.quote(value)}")
    return 0


async def version(*, cli: Given) -> int:
    """Print the versions of Bellhand and of what it stands on."""
    import aiohttp
    import cyclopts

    found = {
        "bellhand": __version__,
        "python": platform.python_version(),
        "asyncpg": asyncpg.__version__,
        "aiohttp": aiohttp.__version__,
        "cyclopts": cyclopts.__version__,
    }
    if cli.json:
        say_json(found)
    elif cli.quiet:
        say(__version__)
    else:
        for name, number in found.items():
            say(f"{name:<10} {number}")
    return 0
