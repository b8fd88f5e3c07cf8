"""What the seo family adds to the command line; it goes with the family."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from bellhand.cli.context import Given, loads
from bellhand.cli.errors import NotFound, Refused
from bellhand.cli.output import ago, say_json, table, tell
from bellhand.cli.panels import group
from bellhand.cli.reports import hand_out

seo = group("seo", "Sites that were crawled, and reports of them.")


@seo.command
async def crawls(
    *, limit: Annotated[int, Parameter(help="So many, the newest first.")] = 20, cli: Given
) -> int:
    """List crawls, with the score and the issues of each and the reports there are of it."""
    async with cli.database() as database:
        rows = await database.rows("cli_seo_crawls", limit)
    if cli.json:
        found = [{**dict(row), "issues": loads(row["issues"])} for row in rows]
        for one in found:
            del one["now"]
        say_json(found)
        return 0
    if not rows:
        tell("no crawls; begin one with: bellhand enqueue seo.crawl url=https://example.com")
        return 0
    table(
        ("CRAWL", "STATE", "BEGUN", "PAGES", "LINKS", "SCORE", "ISSUES", "REPORTS", "SITE"),
        [
            (
                row["id"], row["state"], ago(row["started_at"], row["now"]), row["pages"], row["links"],
                "-" if row["score"] is None else f"{row['score']:.0f}", _issues(row["issues"]), row["reports"] or "-",
                f"{row['url']}  {row['error'] or ''}",
            )
            for row in rows
        ],
        numbers="CRAWL PAGES LINKS SCORE",
    )  # fmt: skip
    return 0


@seo.command
async def report(
    crawl: Annotated[int, Parameter(help="The number of the crawl.")],
    *,
    as_: Annotated[
        Literal["html", "pdf", "csv"], Parameter(name="--format", help="Which of its reports.")
    ] = "html",
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), help="A new file, instead of stdout.")
    ] = None,
    cli: Given,
) -> int:
    """Write the newest report of a crawl to a file or to stdout."""
    async with cli.database() as database:
        row = await database.row("cli_seo_report", crawl, as_)
        if row is None:
            raise NotFound(
                f"there is no crawl {crawl}", why="it never was, or newer ones took its place",
                fix="list crawls with: bellhand seo crawls",
            )  # fmt: skip
        if row["report"] is None:
            there = ", ".join(row["formats"])
            raise Refused(
                f"there is no {as_} report of crawl {crawl}",
                why=f"there is {there}" if there else "none was made yet",
                fix=f"make one with: bellhand enqueue seo.report crawl_id={crawl} formats='[\"{as_}\"]'",
            )
        await hand_out(cli, database, "cli_seo_report_part", row["report"], output)
    return 0


def _issues(text: str | None) -> str:
    counts = loads(text) or {}
    shown = ((counts.get(name, 0), name) for name in ("error", "warning", "notice"))
    return ", ".join(f"{n} {name}{'s' * (n > 1)}" for n, name in shown if n) or "-"
