"""`bellhand restore review`: what a restored database would do again, before a daemon starts on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from bellhand.cli.completing import kinds
from bellhand.cli.context import Database, Given, actor
from bellhand.cli.errors import NotFound
from bellhand.cli.output import ago, paint, plain, say, say_json, table, tell
from bellhand.cli.panels import group
from bellhand.counted import counted
from bellhand.cron import due_ticks
from bellhand.kind_figures import SECOND_RUN
from bellhand.resource import rfc3339

ALIVE_SECONDS = 60.0
RUNNING_MAX = 1000
RUNNING_SHOWN = 20
SAFE = ("none", "keyed")  # kinds that may run a second time
REASON = "restore review"

restore = group("restore", "After the database was restored: what would happen again.")


@restore.command
async def review(
    *,
    hold: Annotated[bool, Parameter(negative=(), help="Pause these kinds, and schedules that would catch up, until somebody resumes them.")] = False,
    kind: Annotated[list[str] | None, Parameter(help="Only of this kind; may be repeated.", completer=kinds)] = None,
    external: Annotated[bool, Parameter(negative=(), help="Only of kinds that would do outside again what they did, or do not say.")] = False,
    cli: Given,
) -> int:  # fmt: skip
    """Say what ran when a restored database was backed up, what would run a second time, and which schedules will catch up.

    Meant for before the first daemon starts on it. Whatever finished after the backup is not over in it: the database cannot know. Changes
    nothing but with --hold.
    """
    async with cli.database() as database:
        clock = await database.row("restore_clock", ALIVE_SECONDS)
        assert clock
        running = [dict(row) for row in await database.rows("restore_running", RUNNING_MAX)]
        found = [dict(row) for row in await database.rows("restore_kinds")]
        schedules = _catching_up(await database.rows("cli_schedules"))
        if kind:
            _known(kind, [row["kind"] for row in found])
            found = [row for row in found if row["kind"] in kind]
            running = [row for row in running if row["kind"] in kind]
            schedules = [row for row in schedules if row["kind"] in kind]
        if external:
            safe = {r["name"] for r in await database.rows("cli_kinds", None) if r["side_effects"] in SAFE}  # fmt: skip
            found, running, schedules = ([row for row in rows if row["kind"] not in safe] for rows in (found, running, schedules))  # fmt: skip
        held = await _hold(database, found, schedules) if hold else []
    if cli.json:
        say_json({**dict(clock), "running": running, "kinds": found, "schedules": schedules, "held": held} | {
            name: rfc3339(clock[name]) for name in ("now", "backup_at")
        })  # fmt: skip
        return 0
    _show(clock, running, found, schedules)
    if not cli.quiet:
        _advise(clock, held, hold=hold)
    return 0


def _known(asked: Sequence[str], there: Sequence[str]) -> None:
    for name in asked:
        if name not in there:
            raise NotFound(
                f"no job of kind {name!r} is waiting or running",
                why=f"there are {', '.join(there) or 'none'}",
                fix="bellhand restore review",
            )


def _catching_up(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The schedules that would enqueue something at once for ticks that lie behind, and how many jobs."""
    found = []
    for row in rows:
        if row["paused"] or row["next_at"] is None or row["next_at"] > row["now"]:
            continue
        try:
            ticks, _ = due_ticks(
                row["cron"], row["timezone"], expected=row["next_at"], now=row["now"], missed=row["missed"], missed_max=row["missed_max"]
            )  # fmt: skip
        except ValueError:
            continue  # one that cannot be read enqueues nothing; doctor tells of it
        found.append({"name": row["name"], "kind": row["kind"], "due_since": row["next_at"], "missed": row["missed"], "jobs": len(ticks)})  # fmt: skip
    return found


async def _hold(database: Database, found: list[dict[str, Any]], schedules: list[dict[str, Any]]) -> list[str]:  # fmt: skip
    """Pauses the kinds that daemons have published, and the schedules; returns how each is resumed."""
    held = []
    published = {row["name"] for row in await database.rows("cli_kinds", None)}
    for row in found:
        if row["kind"] in published and not row["paused"]:
            await database.rows("cli_pause_kind", row["kind"], REASON, actor())
            held.append(f"bellhand resume --kind {row['kind']}")
    for row in schedules:
        await database.rows("api_pause_schedule", row["name"], True, REASON, actor())
        held.append(f"bellhand schedule resume {row['name']}")
    return held


def _show(clock: Any, running: list[dict[str, Any]], found: list[dict[str, Any]], schedules: list[dict[str, Any]]) -> None:  # fmt: skip
    now = clock["now"]
    say(
        f"last sign of life   {ago(clock['backup_at'], now)}: what happened since then is not in this database"
    )
    say(
        f"running then        {len(running)}: each starts again at its last step; what the step that was cut off did outside, it does again"
    )
    for row in running[:RUNNING_SHOWN]:
        behind = f"{counted(row['steps_done'], 'step')} done" + (f", in step {row['step']}" if row["step"] else "")  # fmt: skip
        say(
            plain(
                f"  {row['id']}  {row['kind']}  on {row['worker'] or 'a worker that is gone'}, claimed {ago(row['claimed_at'], now)}, {behind}"
                + _mark(row)
            )
        )
    if len(running) > RUNNING_SHOWN:
        say(f"  and {len(running) - RUNNING_SHOWN} more")
    if found:
        say("not over, by kind: those that finished after the backup are among them, and would run a second time")  # fmt: skip
        heads = ("KIND", "EFFECTS", "RUNNING", "BEGUN", "DUE", "SCHEDULED", "BLOCKED", "HELD", "OLDEST", "NEWEST", "")  # fmt: skip
        table(heads, [(
            row["kind"], row["side_effects"] or "?", *(row[name] for name in ("running", "begun", "due", "scheduled", "blocked", "held")),
            ago(row["oldest"], now), ago(row["newest"], now), "paused" if row["paused"] else "",
        ) for row in found], numbers="RUNNING BEGUN DUE SCHEDULED BLOCKED HELD OLDEST NEWEST")  # fmt: skip
    for row in schedules:
        what = f"{row['jobs']} of {row['kind']}" if row["jobs"] else "nothing"
        say(plain(f"schedule {row['name']}, due {ago(row['due_since'], now)}, catches up with {what} (missed = {row['missed']})"))  # fmt: skip


def _mark(row: dict[str, Any]) -> str:
    """Says of a job that what its last step did outside may be done twice."""
    return "" if row["side_effects"] in SAFE else f"  ! {SECOND_RUN[row['side_effects']]}"


def _advise(clock: Any, held: list[str], *, hold: bool) -> None:
    if clock["workers"]:
        tell(paint(f"warning: {counted(clock['workers'], 'worker')} alive: what was due has begun already", "yellow"))  # fmt: skip
    if clock["moved"]:
        tell(
            "restored on another server: the first daemon that starts places every waiting job anew"
        )
    if held:
        tell("held until somebody has looked (bellhand list --kind ..., then bellhand cancel what is done already):")  # fmt: skip
        for line in held:
            tell(f"  {plain(line)}")
        tell("ticks that a paused schedule lets pass do not come back")
    elif not hold:
        tell("hold all of it until somebody has looked: bellhand restore review --hold")
        tell("only what may be done twice outside: bellhand restore review --external --hold")
