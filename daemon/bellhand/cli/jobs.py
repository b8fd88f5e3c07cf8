"""Looking at jobs: list, show, why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from asyncpg import Record
from cyclopts import Parameter
from cyclopts.validators import Number

from bellhand.cli.again import Watch, again
from bellhand.cli.arguments import Job, Jobs, OfKind, OfLane
from bellhand.cli.context import Cli, Database, Given, loads
from bellhand.cli.errors import NotFound
from bellhand.cli.inside import ids_listed
from bellhand.cli.naming import find, name_of, names_of
from bellhand.cli.output import (
    ago,
    bar,
    duration,
    eta_line,
    event_told,
    paint,
    painted_state,
    plain,
    say,
    say_json,
    state_of,
    table,
    tell,
)
from bellhand.cli.values import moment_of, states_of
from bellhand.counted import counted
from bellhand.resource import resource, rfc3339
from bellhand.states import OVER, PARTIAL, STATES

TROUBLE = frozenset({"failed", "cancelled", PARTIAL})
EVENTS_SHOWN = 30
STEPS_SHOWN = 40
ERROR_CHARS_SHOWN = 2000
FORETOLD_MAX = 500  # jobs of a list whose position and times are looked up
STEP_MARKS = {"completed": ("✓", "green"), "failed": ("!", "red"), "running": ("▸", "blue")}


Holding = Annotated[list[str] | None, Parameter(help="Whose payload holds this: site.id=5; may be repeated.", negative=())]  # fmt: skip


async def list_(
    *,
    state: Annotated[
        list[str] | None,
        Parameter(help=f"One of {', '.join((*STATES, PARTIAL))}, live, over; may be repeated."),
    ] = None,
    kind: OfKind = None,
    lane: OfLane = None,
    owner: str | None = None,
    since: Annotated[
        str | None,
        Parameter(help="Made, or over, since then: 2h, 1d, or a time as 2026-01-31T12:00."),
    ] = None,
    payload: Holding = None,
    oldest: Annotated[
        bool, Parameter(negative=(), help="The oldest first; those that are not over before the others, and --since is when they were made.")
    ] = False,
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=10_000))] = 20,
    watch: Watch = False,
    cli: Given,
) -> int:  # fmt: skip
    """List jobs, the newest first, or with --oldest the oldest.

    Parameters
    ----------
    owner
        Only this owner's.
    limit
        How many at most.
    """
    if watch:
        return await again(lambda: list_(state=state, kind=kind, lane=lane, owner=owner, since=since, payload=payload, oldest=oldest, limit=limit, cli=cli))  # fmt: skip
    wanted = _states(state)
    async with cli.database() as database:
        moment = moment_of(since, "--since") if since else None
        if isinstance(moment, float):
            moment = await database.value("cli_ago", moment)
        match = (await _kinds(database, kind, lane), owner, moment)
        rows = await _rows(database, wanted, match, limit, payload or (), oldest=oldest)
        foretold, places = await _outlook(database, cli, rows)
        if kind and not rows and await database.row("cli_kinds", kind) is None:
            tell(f"there is no kind {plain(kind)}; a kind is named whole, see: bellhand kinds")
    found = [resource(row, places.get(row["id"]), foretold.get(row["id"])) for row in rows]
    if cli.json:
        say_json(found)
    elif cli.quiet:
        for row in rows:
            say(str(row["id"]))
    elif rows:
        _table(found, rows[0]["now"])
    else:
        asked = state or kind or lane or owner or since or payload
        tell("no jobs match" if asked else "no jobs yet")
    return 0


async def _outlook(
    database: Database, cli: Cli, rows: list[Record]
) -> tuple[dict[int, Record], dict[int, Record]]:
    """What is foretold of those that are not over, and their places, by id; nothing where neither is shown."""
    live = [row["id"] for row in rows if row["state"] not in OVER][:FORETOLD_MAX]
    if not live or cli.quiet or not cli.prints("eta", "position"):
        return {}, {}
    foretold = {row["job"]: row for row in await database.rows("eta", live)}
    return foretold, {row["id"]: row for row in await database.rows("watch_positions", live)}


def _table(jobs: list[dict[str, Any]], now: datetime) -> None:
    heads = ("ID", "STATE", "KIND", "PROGRESS", "ATTEMPT", "AGE", "DONE", "WHAT")
    table(heads, [_line(job, now) for job in jobs], numbers="ID", spare="DONE ATTEMPT")


async def _rows(
    database: Database, wanted: frozenset[str], match: tuple[list[str] | None, str | None, Any], limit: int, payload: Sequence[str],
    *, oldest: bool,
) -> list[Any]:  # fmt: skip
    """The jobs to list, in their order."""
    if payload or oldest:
        ids = await ids_listed(database, payload, wanted, *match, limit, oldest=oldest)
    else:
        ids = await _candidates(database, wanted, match, limit)
    rows = await database.rows("status_jobs", ids)
    if oldest:
        rows.sort(key=lambda row: ids.index(row["id"]))
    return [row for row in rows if _shown(row, wanted)][:limit]


def _states(words: list[str] | None) -> frozenset[str]:
    if not words:
        return frozenset({*STATES, PARTIAL})
    found = states_of(words)
    if "completed" in found and not {PARTIAL} & set(words):
        found.add(PARTIAL)
    return frozenset(found)


def _shown(row: Any, wanted: frozenset[str]) -> bool:
    """A job may have moved on between the two looks."""
    return (PARTIAL if row["partial"] else row["state"]) in wanted


async def _kinds(database: Database, kind: str | None, lane: str | None) -> list[str] | None:
    """The kinds that are asked for; None for all. A job is in the lane of its kind."""
    if lane is None:
        return None if kind is None else [kind]
    row = await database.row("cli_kinds_of_lane", lane)
    if row is None:
        raise NotFound(f"there is no lane {lane}", fix="bellhand lanes")
    return [name for name in row["kinds"] if kind in (None, name)]


async def _candidates(
    database: Database,
    wanted: frozenset[str],
    match: tuple[list[str] | None, str | None, Any],
    limit: int,
) -> list[int]:
    """Ids by the cheapest way to each sort of state; each way returns `limit` at most."""
    ids: set[int] = set()
    live, over = wanted & set(STATES) - OVER, wanted & (OVER | {PARTIAL})
    if live == {"running"}:
        ids |= {row[0] for row in await database.rows("cli_list_running", *match, limit)}
    elif live:
        ids |= {row[0] for row in await database.rows("cli_list_live", list(live), *match, limit)}
    if over and over <= TROUBLE:
        rows = await database.rows("cli_list_trouble", list(over), *match, limit)
        ids |= {row[0] for row in rows}
    elif over:
        states = list(over & OVER)
        ids |= {row[0] for row in await database.rows("cli_list_over", states, *match, limit)}
    return sorted(ids)


def _line(job: dict[str, Any], now: datetime) -> tuple[object, ...]:
    progress = job["progress"]
    percent = percent_said(progress)
    what = (job["error"] or "").splitlines() if job["state"] != "completed" else []
    message = what[-1] if what else progress["message"] or ""
    moment = datetime.fromisoformat(job["finished_at"] or job["created_at"])
    state = state_of(job)
    if state in ("scheduled", "retrying"):
        moment = datetime.fromisoformat(job["run_at"])
    attempt = f"{job['attempt']}/{job['attempts_max'] or '?'}"
    done = job["eta"] and job["eta"]["finishes_at"]
    when = ago(max(now, datetime.fromisoformat(done)), now) if done else ""
    return job["id"], state, job["kind"], percent, attempt, ago(moment, now), when, message[:200]


async def show(*jobs: Jobs, cli: Given) -> int:
    """Show jobs in full: what was asked, how far it is, what happened to it."""
    wanted = names_of(jobs)
    found = []
    async with cli.database() as database:
        for name in wanted:
            row = await find(database, name)
            number = row["id"]
            position = await database.row("status_position", number)
            foretold = await database.row("eta", [number])
            job = resource(row, position, foretold)
            job["steps"] = [step_of(step) for step in await database.rows("steps", number)]
            events = await database.rows("cli_events", number, EVENTS_SHOWN)
            job["events"] = [{**dict(event), "data": loads(event["data"])} for event in events]
            found.append(job)
            if not cli.json:
                _show(job, row["now"], await database.rows("cli_parents", number))
                if foretold is not None:
                    say(f"  {paint('eta       ', 'dim')}  {eta_line(foretold, row['now'])}")
                if not cli.quiet and job["allowed_actions"]:
                    actions = ", ".join(job["allowed_actions"]).replace("_", "-")
                    tell(f"  can be told to: {actions}")
    if cli.json:
        say_json(found[0] if len(found) == 1 else found)
    return 0


def step_of(row: Any) -> dict[str, Any]:
    """A row of steps.sql as JSON has it."""
    step = dict(row)
    for name in ("result", "counters"):
        step[name] = loads(step[name])
    for name in ("started_at", "finished_at"):
        step[name] = rfc3339(step[name])
    return step


def _show(job: dict[str, Any], now: datetime, parents: list[Any]) -> None:
    say(headline(job))
    facts = {
        "key": job["key"],
        "lane": f"{job['lane'] or 'none'}, priority {job['priority']}",
        "owner": job["owner"],
        "tags": json.dumps(job["tags"], ensure_ascii=False) if job["tags"] else None,
        "unique key": job["unique_key"],
        "payload": json.dumps(job["payload"], ensure_ascii=False),
        "created": _when(job["created_at"], now),
        "due": _when(job["run_at"], now) if job["run_at"] != job["created_at"] else None,
        "started": _when(job["started_at"], now),
        "finished": _when(job["finished_at"], now),
        "worker": job["worker"],
        "waits for": ", ".join(f"{p['id']} ({p['kind']}, {p['state']})" for p in parents),
        "result": None if job["result"] is None else json.dumps(job["result"], ensure_ascii=False),
    }
    if job["position"]:
        place = job["position"]
        facts["position"] = f"{place['ahead']} before it, of {place['queue_length']} in its lane"
    for name, value in facts.items():
        if value:
            say(f"  {paint(f'{name:<10}', 'dim')}  {plain(value)}")
    for line in steps_lines(job):
        say(f"  {line}")
    for line in (job["error"] or "")[-ERROR_CHARS_SHOWN:].splitlines():
        say(f"  {paint('error', 'red')}       {plain(line)}")
    for event in job["events"]:
        said = plain(f"{event['type']} by {event['actor']}  {event_told(event['data'])}")
        say(f"  {paint(ago(event['at'], now).rjust(16), 'dim')}  {said}")


def headline(job: dict[str, Any]) -> str:
    """`12  sites.validate  running  attempt 1/3  ████░░░░  4/6  63 %` in one line."""
    parts = [paint(str(job["id"]), "bold"), plain(job["kind"]), painted_state(state_of(job))]
    if job["attempt"]:
        parts.append(f"attempt {job['attempt']}/{job['attempts_max'] or '?'}")
    progress = job["progress"]
    if progress["percent"] is not None:
        parts.append(bar(progress["percent"]))
        unit = "items" if progress["items_total"] else "steps"
        total = progress[f"{unit}_total"]
        if total and job["state"] != "completed":
            parts.append(f"{progress[f'{unit}_done'] or 0:g}/{total:g}")
        parts.append(percent_said(progress))
    elif said := percent_said(progress):
        parts.append(said)
    parts += [f"{value:g} {plain(name)}" for name, value in progress["counters"].items()]
    return "  ".join(parts)


def percent_said(progress: dict[str, Any]) -> str:
    """`63 %`; `finishing` where 99 % would say nothing; `2 steps done` where nobody knows how many there are."""
    percent, done = progress["percent"], progress["steps_done"]
    if progress["ending"] or percent is not None:
        return progress["ending"] or f"{percent:.0f} %"
    return f"{counted(done, 'step')} done" if done else ""


def steps_lines(job: dict[str, Any]) -> list[str]:
    """One line a step: mark, name, how long it took, what it counted or why it failed."""
    lines = []
    for step in job["steps"][:STEPS_SHOWN]:
        mark, style = STEP_MARKS[step["state"]]
        took = ""
        if step["finished_at"]:
            ended = datetime.fromisoformat(step["finished_at"])
            took = duration((ended - datetime.fromisoformat(step["started_at"])).total_seconds())
        counts = ", ".join(f"{value:g} {name}" for name, value in (step["counters"] or {}).items())
        error = (step["error"] or "").splitlines()
        note = error[-1] if error and step["state"] == "failed" else counts
        lines.append(f"{paint(mark, style)} {plain(step['name']):<40} {took:>10}  {plain(note)}")
    if len(job["steps"]) > STEPS_SHOWN:
        lines.append(f"  and {counted(len(job['steps']) - STEPS_SHOWN, 'more step')}")
    return lines


def _when(moment: str | None, now: datetime) -> str | None:
    if moment is None:
        return None
    parsed = datetime.fromisoformat(moment)
    return f"{parsed.astimezone().isoformat(sep=' ', timespec='seconds')}  ({ago(parsed, now)})"


async def why(job: Job, /, *, cli: Given) -> int:
    """Say why a job stands where it stands, and what would change that."""
    name = name_of(job)
    async with cli.database() as database:
        row = await find(database, name)
        number = row["id"]
        gates = [dict(gate) for gate in await database.rows("cli_why", number)]
    found = resource(row)
    if cli.json:
        say_json({"id": number, "kind": found["kind"], "state": found["state"], "gates": gates})
        return 0
    say(headline(found))
    for index, gate in enumerate(gates, start=1):
        say(f"  {index}. {paint(gate['gate'], 'bold')}  {plain(gate['detail'])}")
        if gate["fix"]:
            say(f"     {paint('fix:', 'dim')} {plain(gate['fix'])}")
    return 0
