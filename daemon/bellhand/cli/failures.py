"""Looking at what fails alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from bellhand.cli.arguments import OfKind
from bellhand.cli.bulk import failure_row
from bellhand.cli.completing import failures as groups
from bellhand.cli.context import Database, Given, actor
from bellhand.cli.errors import Usage
from bellhand.cli.output import ago, paint, plain, say, say_json, table, tell
from bellhand.cli.values import seconds_of

EXAMPLES = 5
OPEN_MAX = 100  # failures.sql counts no further
LEVELS = "▁▂▃▄▅▆▇█"


async def failures(
    failure: Annotated[
        str | None,
        Parameter(help="A group, by its fingerprint or the first letters of it.", completer=groups),
    ] = None,
    /,
    *,
    kind: OfKind = None,
    muted: Annotated[
        bool, Parameter(name="--all", negative=(), help="Those that are muted too.")
    ] = False,
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=200))] = 20,
    mute: Annotated[
        str | None,
        Parameter(
            help="Do not show the group for so long: 2h, 7d, deploy (until the next one), forever, or off."
        ),
    ] = None,
    reason: Annotated[str | None, Parameter(help="Why it is muted.")] = None,
    cli: Given,
) -> int:
    """List what fails alike, the last first; or show one group: what its jobs have in common.

    Parameters
    ----------
    limit
        How many at most.
    """
    async with cli.database() as database:
        if failure is None:
            if mute:
                raise Usage("--mute needs a group", fix="bellhand failures <fingerprint> --mute 2h")
            return _list(cli, await database.rows("failures", muted, kind, limit))
        row = await failure_row(database, failure)
        if mute:
            return await _mute(cli, database, row["fingerprint"], mute, reason)
        return await _show(cli, database, row)


def _list(cli: Any, rows: Sequence[Any]) -> int:
    if cli.json:
        say_json([_plain(row) for row in rows])
    elif cli.quiet:
        for row in rows:
            say(row["fingerprint"])
    elif rows:
        table(
            ("FAILURE", "KIND", "OPEN", "ALL", "LAST", "24H", "WHAT"),
            [
                (
                    row["fingerprint"], row["kind"],
                    f"{OPEN_MAX}+" if row["open"] > OPEN_MAX else row["open"], row["jobs"],
                    ago(row["last_at"], row["now"]), trend(row["trend"]),
                    f"{'muted: ' if row['muted'] else ''}{row['error_class']}: {_short(row)}",
                )
                for row in rows
            ],
            numbers="OPEN ALL", spare="24H ALL",
        )  # fmt: skip
    else:
        tell("nothing has failed")
    return 0


def _short(row: Any) -> str:
    """The message without its class, which stands before it."""
    message = str(row["message"])
    return message.partition(": ")[2] or message


def _plain(row: Any) -> dict[str, Any]:
    found = dict(row)
    del found["now"]
    return found


def trend(counts: Sequence[int]) -> str:
    """One mark an hour, by how many there were beside the worst hour."""
    most = max(counts, default=0)
    return "".join(
        "·" if n == 0 else LEVELS[min(len(LEVELS) - 1, n * len(LEVELS) // (most + 1))]
        for n in counts
    )


async def _show(cli: Any, database: Database, row: Any) -> int:
    contrast = await database.rows("failure_contrast", row["fingerprint"])
    jobs = await database.rows("failure_jobs", row["fingerprint"], EXAMPLES)
    if cli.json:
        say_json(
            {**_plain(row), "contrast": [dict(fact) for fact in contrast]}
            | {"examples": [dict(job) for job in jobs]}
        )
        return 0
    now = row["now"]
    say(f"{paint(row['fingerprint'], 'bold')}  {plain(row['kind'])}  {plain(row['message'])}")
    say(
        f"  {row['jobs']} in all, {row['open']} still failed, "
        f"first {ago(row['first_at'], now)}, last {ago(row['last_at'], now)}"
    )
    say(f"  {trend(row['trend'])}  the last 24 hours")
    if row["muted"]:
        say(plain(f"  muted by {row['muted_by']}{': ' if row['muted_reason'] else ''}{row['muted_reason'] or ''}"))  # fmt: skip
    for fact in contrast:
        say(
            f"  {plain(fact['fact'])}: {fact['failures']} of {fact['failures_of']} failures, "
            f"{fact['successes']} of {fact['successes_of']} successes"
        )
    if not contrast:
        say("  nothing sets these apart from the jobs that completed")
    for job in jobs:
        say(f"  job {job['id']}  {ago(job['finished_at'], now)}  {plain(job['error'] or '')}")
    if row["open"] and not cli.quiet:
        tell(f"retry them: bellhand retry --failure {row['fingerprint']}")
    return 0


async def _mute(
    cli: Any, database: Database, fingerprint: str, mute: str, reason: str | None
) -> int:
    seconds = {"deploy": None, "forever": None, "off": 0.0}.get(mute, -1.0)
    if seconds == -1.0:
        seconds = seconds_of(mute, "--mute")
    until = await database.value(
        "mute_failure", fingerprint, seconds, reason, mute == "deploy", actor()
    )
    if cli.json:
        say_json({"failure": fingerprint, "muted_until": until})
    else:
        word = "muted" if seconds != 0 else "not muted any more"
        say(
            f"{fingerprint}  {word}{f' for {mute}' if seconds else ' until the next deploy' if mute == 'deploy' else ''}"
        )
    return 0
