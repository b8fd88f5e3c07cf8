"""What the crm family adds to the command line; it goes with the family."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from bellhand.cli.context import Given
from bellhand.cli.errors import NotFound, Refused
from bellhand.cli.output import ago, say_json, table, tell
from bellhand.cli.panels import group
from bellhand.cli.reports import hand_out

crm = group("crm", "Reports of customers and what they buy.")


@crm.command
async def reports(
    *, limit: Annotated[int, Parameter(help="So many, the newest first.")] = 20, cli: Given
) -> int:
    """List the jobs whose reports are kept, with the formats there are."""
    async with cli.database() as database:
        rows = await database.rows("cli_crm_reports", limit)
    if cli.json:
        say_json([{name: value for name, value in row.items() if name != "now"} for row in rows])
        return 0
    if not rows:
        tell(
            "no reports; make one with: bellhand enqueue crm.generate_report formats=html,pdf,xlsx"
        )
        return 0
    table(
        ("JOB", "MADE", "BYTES", "FORMATS"),
        [
            (row["job"], ago(row["created_at"], row["now"]), f"{row['body_bytes']:,}", " ".join(row["formats"]))
            for row in rows
        ],
        numbers="JOB BYTES",
    )  # fmt: skip
    return 0


@crm.command
async def report(
    job: Annotated[int, Parameter(help="The number of the job that made it.")],
    *,
    as_: Annotated[
        Literal["html", "pdf", "xlsx"], Parameter(name="--format", help="Which of its reports.")
    ] = "html",
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), help="A new file, instead of stdout.")
    ] = None,
    cli: Given,
) -> int:
    """Write a report to a file or to stdout."""
    async with cli.database() as database:
        row = await database.row("cli_crm_report", job, as_)
        if row is None or not row["formats"]:
            raise NotFound(
                f"there is no report of job {job}", why="it made none, or newer ones took their place",
                fix="list reports with: bellhand crm reports",
            )  # fmt: skip
        if row["report"] is None:
            raise Refused(
                f"there is no {as_} report of job {job}",
                why=f"there is {', '.join(row['formats'])}",
                fix=f"make one with: bellhand enqueue crm.generate_report formats={as_}",
            )
        await hand_out(cli, database, "cli_crm_report_part", row["report"], output)
    return 0
