"""What the leads family adds to the command line; it goes with the family."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bellhand.cli.completing import jobs
from bellhand.cli.context import Given
from bellhand.cli.errors import Usage
from bellhand.cli.naming import name_of, number_of
from bellhand.cli.output import tell
from bellhand.cli.panels import group
from bellhand.cli.values import moment_of
from bellhand.counted import counted

leads = group("leads", "The leads that jobs collected.")


@leads.command
async def export(
    *,
    job: Annotated[str | None, Parameter(help="Only what this job found.", completer=jobs)] = None,
    since: Annotated[
        str | None, Parameter(help="Only what was seen since then: 2h, 1d, 2026-01-31T12:00.")
    ] = None,
    search: Annotated[
        str | None, Parameter(help="Only with this in name, domain, address or category.")
    ] = None,
    excluded: Annotated[
        bool, Parameter(negative=(), help="Only excluded ones; without it, only the others.")
    ] = False,
    everything: Annotated[
        bool, Parameter(name="--all", negative=(), help="Excluded ones and others.")
    ] = False,
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), help="A new file, instead of stdout.")
    ] = None,
    cli: Given,
) -> int:
    """Write leads as CSV, or with --json as JSON."""
    # Only here: other commands should not wait for the family's imports.
    from bellhand.families.leads.export import exported

    named = name_of(job) if job else None
    moment = moment_of(since, "--since") if since else None
    lines = 0
    async with cli.database() as database:
        number = await number_of(database, named) if named else None
        if isinstance(moment, float):
            moment = await database.value("cli_ago", moment)
        try:
            # Never over a file that is there: `x` fails instead.
            target = output.open("x", encoding="utf-8", newline="") if output else sys.stdout
        except OSError as error:
            raise Usage(
                f"{output} cannot be written",
                why=error.strerror or str(error),
                fix="give --output a new file in a folder that is there",
            ) from error
        try:
            async for text in exported(
                database.connection,
                as_json=cli.json,
                job_id=number,
                since=moment,
                excluded=None if everything else excluded,
                words=search,
            ):
                target.write(text)
                lines += text.count("\n")
        finally:
            if output:
                target.close()
    if output and not cli.quiet:
        tell(f"{counted(max(0, lines - 1), 'line')} written to {output}")
    return 0
