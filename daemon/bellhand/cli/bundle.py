"""`bellhand support-bundle`: what somebody who helps needs to see, without payloads, results and secrets."""

from __future__ import annotations

import io
import json
import os
import platform
import sys
import tarfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bellhand import __version__
from bellhand.cli.context import Cli, Database, Given
from bellhand.cli.errors import Refused, translated
from bellhand.cli.output import plain, say, say_json, tell

FAILURES_MAX = 100
HOUR_SECONDS = 3600.0
# Of rows these are left out wherever they stand: they are what users put into jobs.
LEFT_OUT = {"payload", "result", "schema", "notify", "owner", "tags", "address", "example"}
Gatherer = Callable[[Cli], Awaitable[Any]]


async def support_bundle(
    *,
    output: Annotated[Path, Parameter(help="The file to write; it must not be there yet.")] = Path("bellhand-support.tar.gz"),
    errors: Annotated[bool, Parameter(help="Whether to put in what failed jobs said.")] = True,
    dry_run: Annotated[bool, Parameter(negative=(), help="Only list what would be in it.")] = False,
    cli: Given,
) -> int:  # fmt: skip
    """Gather configuration, doctor's findings, lanes, workers, schedules, sizes and failures in one file, for whoever helps you.

    Passwords, tokens and keys are masked; payloads, results, owners and tags of jobs are left out. What is in it is listed first.
    """
    files: dict[str, bytes] = {}
    for name, (_, gather) in CONTENTS.items():
        if name != "failures.json" or errors:
            files[name] = await _gathered(cli, gather)
    if cli.json:
        say_json({"output": None if dry_run else str(output), "files": {name: len(text) for name, text in files.items()}})  # fmt: skip
    else:
        for name, text in files.items():
            say(f"{name:<18} {len(text):>8} bytes  {CONTENTS[name][0]}")
    if dry_run:
        return 0
    try:
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_archive(files))
    except OSError as error:
        raise Refused(f"{output} could not be written", why=str(error), fix="name another file with --output") from error  # fmt: skip
    if not cli.quiet:
        tell(f"written: {plain(output)}. Look into it before you send it: tar xzf {plain(output)}")
    return 0


async def _gathered(cli: Cli, gather: Gatherer) -> bytes:
    """What one part has to say, masked; what cannot be had says why, and the others are gathered all the same."""
    from bellhand.logs import hide_secrets, without_secrets

    try:
        found = await gather(cli)
    except Exception as error:
        problem = translated(error)
        if problem is None:
            raise
        found = {"not_to_be_had": problem.what, "why": problem.why}
    masked = hide_secrets(None, "", {"found": _without_users_data(found)})["found"]
    return (without_secrets(json.dumps(masked, indent=1, default=str)) + "\n").encode()


def _without_users_data(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_users_data(inner) for key, inner in value.items() if key not in LEFT_OUT}  # fmt: skip
    return [_without_users_data(inner) for inner in value] if isinstance(value, list) else value


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"bellhand-support/{name}")
            entry.size, entry.mode = len(text), 0o600
            archive.addfile(entry, io.BytesIO(text))
    return buffer.getvalue()


async def _versions(_: Cli) -> dict[str, str]:
    return {"bellhand": __version__, "python": sys.version, "system": platform.platform(), "program": sys.prefix}  # fmt: skip


async def _settings(cli: Cli) -> list[str]:
    from bellhand.cli.config import lines

    found = lines(cli.options.config, cli.settings, from_flag=bool(cli.options.dsn))
    return [f"{name} = {value}  # {origin}" for name, value, origin in found if not name.endswith(".payload")]  # fmt: skip


async def _findings(cli: Cli) -> list[dict[str, Any]]:
    from bellhand.cli.doctor import diagnose

    # Why a horizon is held back quotes the statement of a session, which may quote anything.
    return [asdict(finding) | ({"why": ""} if finding.layer == "horizon" else {}) for finding in await diagnose(cli)]  # fmt: skip


def _rows(*statements: tuple[str, str, tuple[Any, ...]]) -> Gatherer:
    """The rows of statements by a name for each."""

    async def gather(cli: Cli) -> dict[str, list[dict[str, Any]]]:
        async with cli.database() as database:
            return {name: await _plain_rows(database, statement, arguments) for name, statement, arguments in statements}  # fmt: skip

    return gather


async def _plain_rows(
    database: Database, statement: str, arguments: tuple[Any, ...]
) -> list[dict[str, Any]]:
    return [dict(row) for row in await database.rows(statement, *arguments)]


CONTENTS: dict[str, tuple[str, Gatherer]] = {
    "versions.json": ("of Bellhand, Python and the system", _versions),
    "settings.json": ("every setting and where it is from, secrets masked", _settings),
    "doctor.json": ("what bellhand doctor finds", _findings),
    "status.json": ("lanes, workers, outcomes of the last hour, channels", _rows(
        ("lanes", "status_lanes", ()), ("workers", "status_workers", ()), ("outcomes", "status_outcomes", (HOUR_SECONDS,)), ("channels", "cli_channels", ()))),
    "kinds.json": ("the kinds of jobs, without their schemas", _rows(("kinds", "cli_kinds", (None,)))),
    "schedules.json": ("schedules, without payloads", _rows(("schedules", "cli_schedules", ()))),
    "postgres.json": ("settings of Postgres, sizes of tables, what is applied of the schema", _rows(
        ("settings", "bundle_postgres", ()), ("sizes", "sample_database", (30,)), ("applied", "migrations_applied", ()))),
    "failures.json": ("what failed alike, and how often (--no-errors leaves it out)", _rows(("failures", "failures", (True, None, FAILURES_MAX)))),
}  # fmt: skip
