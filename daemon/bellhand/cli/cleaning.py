"""`bellhand cleanup`: forget now what retention would forget later, or what it would keep."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from bellhand.cli.context import Database, Given
from bellhand.cli.errors import OK, UNCONFIRMED
from bellhand.cli.output import plain, say, say_json, tell
from bellhand.counted import counted

Days = Annotated[int | None, Parameter(validator=Number(gte=1, lte=36_500))]


async def cleanup(
    *,
    history_days: Days = None,
    events_days: Days = None,
    stats_days: Days = None,
    yes: Annotated[
        bool, Parameter(negative=(), help="Do it; without it, only say what would go.")
    ] = False,
    cli: Given,
) -> int:
    """Forget what is older than so many days now, instead of when the daemon comes to it.

    Whole days of history go, with the steps and logs of their jobs, for good; so it wants --yes, and exits 7 without it, or 0 if nothing is that old. Jobs that are
    not over are never touched. What is not given is as [retention] has it, so that without options nothing goes that should not be gone.

    Parameters
    ----------
    history_days
        How many days jobs that are over are kept.
    events_days
        How many days the audit log is kept.
    stats_days
        How many days the counts behind charts are kept.
    """
    kept = cli.settings.retention
    history = history_days or kept.history_days
    async with cli.database() as database:
        old = [dict(row) for row in await database.rows("cli_old_days", history)]
        deleted = 0
        if yes:
            await _drop(database, history)
            deleted = await _delete(database, events_days or kept.events_days, stats_days or kept.stats_days)  # fmt: skip
    nothing = not old and events_days is None and stats_days is None
    if cli.json:
        say_json({"history_days": history, "days": old, "done": yes, "deleted": deleted})
    else:
        for day in old:
            say(
                f"{plain(day['name'])}  about {counted(day['rows'], 'row')}  {day['bytes'] / 1e6:,.1f} MB"
            )
        if yes:
            tell(f"{counted(len(old), 'day')} of history and logs dropped, {counted(deleted, 'event or count', 'events and counts')} deleted")  # fmt: skip
        elif nothing:
            tell(f"nothing to drop: no day of history or logs is older than {counted(history, 'day')}")  # fmt: skip
        else:
            tell(f"{counted(len(old), 'day')} of history and logs older than {counted(history, 'day')}; nothing was deleted yet, and nothing brings it back: say it again with --yes")  # fmt: skip
    return OK if yes or nothing else UNCONFIRMED


async def _drop(database: Database, days: int) -> None:
    """A partition at a time, so that nobody waits for long."""
    while await database.value("drop_history", days) is not None:
        pass


async def _delete(database: Database, events_days: int, stats_days: int) -> int:
    """In batches; how many rows went."""
    deleted = 0
    while gone := await database.value("delete_old", events_days, stats_days):
        deleted += gone
    return deleted
