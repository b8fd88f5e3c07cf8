"""Looking at how it went: outcomes over time, and who did what."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from bellhand.cli.arguments import JOB, OfKind
from bellhand.cli.completing import jobs
from bellhand.cli.context import Given, loads
from bellhand.cli.errors import Usage
from bellhand.cli.naming import name_of, number_of
from bellhand.cli.output import ago, duration, event_told, plain, say_json, table, tell
from bellhand.cli.values import seconds_of

BUCKETS_MAX = 1500
LAST_SEQ = 2**63 - 1
WALKED_MAX = 20_000


async def stats(
    *,
    kind: OfKind = None,
    since: Annotated[str, Parameter(help="How far back: 6h, 7d.")] = "1d",
    every: Annotated[str, Parameter(help="How long a bucket is: 10m, 1h.")] = "1h",
    cli: Given,
) -> int:
    """Show how attempts ended over time, and how long jobs waited and ran."""
    seconds, bucket = seconds_of(since, "--since"), int(seconds_of(every, "--every"))
    if bucket < 60 or seconds / bucket > BUCKETS_MAX:
        raise Usage(f"{since} in buckets of {every} cannot be shown", why=f"a bucket has a minute or more, and there are {BUCKETS_MAX} at most", fix="--every 1h")  # fmt: skip
    async with cli.database() as database:
        rows = [dict(row) for row in await database.rows("api_series", seconds, bucket, kind)]
        now = await database.value("cli_ago", 0.0)
    if cli.json:
        say_json(rows)
        return 0
    if not rows:
        tell("nothing ended in that time")
        return 0
    buckets: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    times: dict[Any, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        buckets[row["at"]][row["outcome"]] += row["jobs"]
        times[row["at"]][0] += row["wait_seconds"]
        times[row["at"]][1] += row["run_seconds"]
    lines = []
    for at, ended in buckets.items():
        done, tries = ended["completed"] + ended["partial"], sum(ended.values())
        wait, ran = (duration(total / tries) for total in times[at])
        again = ended["retry"] + ended["crash"]
        lines.append((ago(at, now), done, ended["failed"], ended["cancelled"], again, wait, ran))
    table(("FROM", "DONE", "FAILED", "CANCELLED", "TRIED AGAIN", "MEAN WAIT", "MEAN RUN"), lines, numbers="DONE FAILED CANCELLED")  # fmt: skip
    return 0


async def audit(
    job: Annotated[str | None, Parameter(help=f"{JOB}; else of all.", completer=jobs)] = None,
    /,
    *,
    sort: Annotated[str | None, Parameter(name="--type", help="Only of this type, as lane_paused.")] = None,
    actor: Annotated[str | None, Parameter(help="Only by this one, as cli:ada, or http:ci for the token ci.")] = None,
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=1000), help="How many at most.")] = 50,
    cli: Given,
) -> int:  # fmt: skip
    """Show what happened and who did it, the latest first."""
    name = name_of(job) if job else None
    asked = (LAST_SEQ, sort, actor, limit, WALKED_MAX)
    async with cli.database() as database:
        if name:
            rows = await database.rows("api_audit_of_job", *asked, await number_of(database, name))
        else:
            rows = await database.rows("api_audit", *asked)
        now = await database.value("cli_ago", 0.0)
    kept = ("seq", "at", "type", "job", "kind", "actor", "data")
    found = [{field: row[field] for field in kept} | {"data": loads(row["data"])} for row in rows if row["seq"]]  # fmt: skip
    if cli.json:
        say_json(found)
    elif found:
        table(
            ("WHEN", "WHO", "WHAT", "JOB", "KIND", "MORE"),
            [(ago(one["at"], now), one["actor"], one["type"], one["job"] or "", one["kind"] or "", plain(event_told(one["data"]))) for one in found],
            numbers="JOB",
        )  # fmt: skip
    else:
        tell("nothing of that sort is kept" if job or sort or actor else "nothing has happened yet")
    if rows and rows[0]["more"] and (sort or actor) and not cli.quiet:
        tell(f"looked at the latest {WALKED_MAX} events only")
    return 0
