"""How a report that is kept in parts comes out of the database: to stdout, or into a new file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from bellhand.cli.context import Cli, Database
from bellhand.cli.errors import Usage
from bellhand.cli.output import tell


async def hand_out(
    cli: Cli, database: Database, parts: str, report_id: int, output: Path | None
) -> None:
    """Write the report part by part; `parts` names the statement that reads one by its place. Raises Usage."""
    if output is None:
        await _write(database, parts, report_id, sys.stdout.buffer)
        return
    try:
        # Never over a file that is there: `x` fails instead.
        target = output.open("xb")
    except OSError as error:
        raise Usage(
            f"{output} cannot be written", why=error.strerror or str(error),
            fix="give --output a new file in a folder that is there",
        ) from error  # fmt: skip
    with target:
        written = await _write(database, parts, report_id, target)
    if not cli.quiet:
        tell(f"{written:,} bytes written to {output}")


async def _write(database: Database, parts: str, report_id: int, target: BinaryIO) -> int:
    written = place = 0
    while (body := await database.value(parts, report_id, place)) is not None:
        target.write(body)
        written, place = written + len(body), place + 1
    target.flush()
    return written
