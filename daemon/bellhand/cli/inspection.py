"""Looking at the whole: status, schedules, kinds."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Any

from cyclopts import Parameter

from bellhand.cli.again import Watch, again
from bellhand.cli.channels import fares
from bellhand.cli.completing import kinds as known_kinds
from bellhand.cli.context import Database, Given, loads
from bellhand.cli.errors import NotFound
from bellhand.cli.output import ago, duration, paint, plain, say, say_json, table, tell
from bellhand.cli.panels import group
from bellhand.cli.values import types_of
from bellhand.counted import counted
from bellhand.examples import enqueue_command, stated_examples
from bellhand.kind_figures import SECOND_RUN, kinds_told
from bellhand.stats import waits_told

WINDOW_SECONDS = 3600
COUNTED_MAX = 100_000  # lane_stats counts no further

kinds = group("kinds", "The kinds of job that the database knows.")


async def status(*, watch: Watch = False, cli: Given) -> int:
    """Show lanes, workers and what the last hour brought."""
    if watch:
        return await again(lambda: status(cli=cli))
    async with cli.database() as database:
        lanes = await _lanes_of(database)
        workers = [dict(row) for row in await database.rows("status_workers")]
        clock = await database.row("status_clock")
        channels = [dict(row) for row in await database.rows("cli_channels")]
        held = [dict(row) for row in await database.rows("status_paused_kinds")]
    assert clock
    if cli.json:
        next_schedule = {"name": clock["schedule"], "seconds": clock["schedule_seconds"]}
        say_json(
            {"now": clock["now"], "workers": workers, "lanes": lanes}
            | {"channels": [{"name": c["name"], "state": fares(c)} for c in channels]}
            | {"paused_kinds": [kind["kind"] for kind in held]}
            | {"next_schedule": next_schedule if clock["schedule"] else None}
        )
        return 0
    _workers(workers)
    if not workers and not cli.quiet:
        tell("start one with: bellhand run")
    _lanes(lanes)
    for kind in held:
        say(f"{paint('●', 'yellow')} kind {plain(kind['kind'])} is {plain(paused(kind))}")
    for channel in channels:
        if channel["disabled_at"] or channel["failing_since"]:
            say(f"{paint('●', 'red')} channel {plain(channel['name'])} {plain(fares(channel))}")
    if clock["schedule"]:
        due = duration(max(0.0, clock["schedule_seconds"]))
        say(f"next schedule: {plain(clock['schedule'])} in {due}")
    return 0


async def lanes(*, cli: Given) -> int:
    """List the lanes: what each holds, its limits, and how the last hour went."""
    async with cli.database() as database:
        found = await _lanes_of(database)
    if cli.json:
        say_json(found)
    elif cli.quiet:
        _names(lane["lane"] for lane in found)
    else:
        _lanes(found)
    return 0


async def workers(*, cli: Given) -> int:
    """List the workers that are alive, and what each is up to."""
    async with cli.database() as database:
        found = [dict(row) for row in await database.rows("status_workers")]
    if cli.json:
        say_json(found)
    elif cli.quiet:
        _names(worker["name"] for worker in found)
    else:
        _workers(found)
    return 0


async def _lanes_of(database: Database) -> list[dict[str, Any]]:
    """Lanes as status_lanes.sql has them, each with what the last hour brought."""
    lanes = [dict(row) for row in await database.rows("status_lanes")]
    outcomes = await database.rows("status_outcomes", float(WINDOW_SECONDS))
    histograms = await database.rows("lane_waits", float(WINDOW_SECONDS))
    waited = {row["lane"]: row["waits"] for row in histograms}
    by_lane: dict[str, dict[str, int]] = defaultdict(dict)
    waits: dict[str, float] = defaultdict(float)
    for row in outcomes:
        by_lane[row["lane"]][row["outcome"]] = row["jobs"]
        waits[row["lane"]] += row["wait_seconds"]
    for lane in lanes:
        lane["last_hour"] = by_lane[lane["lane"]]
        ended = sum(lane["last_hour"].values())
        lane["wait_seconds_mean"] = waits[lane["lane"]] / ended if ended else None
        lane |= waits_told(waited.get(lane["lane"]))
    return lanes


def _workers(workers: list[dict[str, Any]]) -> None:
    if not workers:
        say(f"{paint('●', 'red')} no daemon runs")
    for worker in workers:
        beat = worker["beat_seconds"]
        mark = paint("●", "yellow" if worker["draining"] or beat > 15 else "green")
        parts = [f"{mark} {plain(worker['name'])}", f"up {duration(worker['up_seconds'])}"]
        parts += [worker["version"], f"{worker['busy']}/{worker['capacity']} busy"]
        if worker["lanes"]:
            parts.append(f"lanes {', '.join(worker['lanes'])}")
        if worker["drain_asked_at"]:
            parts.append(f"drained: {worker['drain_reason'] or 'no reason given'}")
        elif worker["draining"]:
            parts.append("draining")
        parts.append(f"last beat {duration(beat)} ago")
        say("  ".join(p if "\x1b" in p and p is parts[0] else plain(p) for p in parts))


def _lanes(lanes: list[dict[str, Any]]) -> None:
    rows = []
    for lane in lanes:
        ended = lane["last_hour"]
        limits = [str(lane["concurrency"])] if lane["concurrency"] else []
        limits += [f"{lane['rate_per_second']:g}/s"] if lane["rate_per_second"] else []
        rows.append(
            (
                lane["lane"],
                *(_counted(lane[name]) for name in ("pending", "running", "scheduled", "parked")),
                duration(lane["oldest_due_seconds"]),
                ended.get("completed", 0) + ended.get("partial", 0),
                ended.get("failed", 0),
                _bound(lane["wait_p50_seconds"]),
                _bound(lane["wait_p95_seconds"]),
                " ".join(limits) or "-",
            )
        )
    heads = ("LANE", "PENDING", "RUNNING", "SCHEDULED", "PARKED", "OLDEST", "DONE/H", "FAILED/H")
    table(
        (*heads, "WAIT/P50", "WAIT/P95", "LIMIT"),
        rows,
        numbers="PENDING RUNNING SCHEDULED PARKED OLDEST DONE/H FAILED/H WAIT/P50 WAIT/P95",
        spare="PARKED SCHEDULED WAIT/P50 WAIT/P95",
    )
    # Not in the table, where a narrow terminal would cut it off.
    for lane in lanes:
        if held := paused(lane):
            say(f"{paint('●', 'yellow')} lane {plain(lane['lane'])} is {plain(held)}")


def _bound(seconds: float | str | None) -> str:
    """The upper bound of a bucket of waits."""
    return "over 1 h" if isinstance(seconds, str) else duration(seconds)


def _counted(count: int) -> str:
    return f"{COUNTED_MAX}+" if count > COUNTED_MAX else str(count)


def paused(row: Any) -> str:
    """That a lane, a kind or a schedule is paused, until when and why; empty if it is not."""
    if not row["paused"]:
        return ""
    until = (
        f" until {row['paused_until'].astimezone():%Y-%m-%d %H:%M}"
        if row.get("paused_until")
        else ""
    )
    return f"paused{until}" + (f": {row['paused_reason']}" if row.get("paused_reason") else "")


async def schedules(*, cli: Given) -> int:
    """List the schedules, the next one due first."""
    async with cli.database() as database:
        rows = await database.rows("cli_schedules")
    if cli.json:
        read = ("payload", "notify")
        found = [dict(row) | {name: loads(row[name]) for name in read} for row in rows]
        for one in found:
            del one["now"]
        say_json(found)
    elif cli.quiet:
        _names(row["name"] for row in rows)
    elif rows:
        table(
            ("NAME", "CRON", "ZONE", "KIND", "NEXT", "LAST", "JOB", ""),
            [
                (
                    *(row[name] for name in ("name", "cron", "timezone", "kind")),
                    ago(row["next_at"], row["now"]),
                    ago(row["last_at"], row["now"]),
                    row["last_job"] or "-",
                    f"error: {row['error']}" if row["error"] else paused(dict(row)),
                )
                for row in rows
            ],
        )
    else:
        tell("no schedules; bellhand schedule add, or [schedules.<name>] in the configuration")
    return 0


def _names(names: Iterable[str]) -> None:
    for name in names:
        say(plain(name))


@kinds.default
async def kinds_show(
    name: Annotated[
        str | None, Parameter(help="Show this kind and its payload.", completer=known_kinds)
    ] = None,
    /,
    *,
    cli: Given,
) -> int:
    """List the kinds, or show one with the schema of its payload."""
    async with cli.database() as database:
        rows = await database.rows("cli_kinds", None)
        stages = await database.rows("kind_stages", name)
    known = [row["name"] for row in rows]
    if name and name not in known:
        near = get_close_matches(name, known, 1)
        raise NotFound(
            f"there is no kind {name!r}",
            why="no daemon has published it to this database",
            fix=f"did you mean {near[0]}?" if near else "bellhand kinds publish",
        )
    rows = [row for row in rows if name in (None, row["name"])]
    found = [one | {"schema": loads(one["schema"])} for one in kinds_told(rows, stages)]
    if cli.json:
        say_json(found[0] if name else found)
    elif cli.quiet:
        _names(known)
    elif name:
        _show_kind(found[0])
    elif found:
        table(
            ("KIND", "LANE", "PRIORITY", "ATTEMPTS", "TIMEOUT", "EFFECTS", "WORKERS", "WHAT"),
            [
                (
                    *(one[key] for key in ("name", "lane", "priority", "attempts_max")),
                    duration(one["timeout_seconds"]),
                    one["side_effects"] or "?",
                    one["workers"],
                    paused(one) or one["summary"] or "",
                )
                for one in found
            ],
            numbers="PRIORITY ATTEMPTS WORKERS",
            spare="PRIORITY TIMEOUT ATTEMPTS EFFECTS WORKERS",
        )
    else:
        tell("no kinds yet; publish those of the configured modules with: bellhand kinds publish")
    return 0


def _show_kind(kind: dict[str, Any]) -> None:
    say(f"{paint(plain(kind['name']), 'bold')}  {plain(kind['summary'] or '')}")
    say(
        f"  lane {kind['lane']}, priority {kind['priority']}, {counted(kind['attempts_max'], 'attempt')}"
    )
    timeout = f"timeout {duration(kind['timeout_seconds'])}" if kind["timeout_seconds"] else "no timeout"  # fmt: skip
    say(f"  {timeout}, {counted(kind['workers'], 'live worker')}")
    defaults = kind["defaults"]
    if defaults["step_timeout_seconds"]:
        say(f"  timeout of a step {duration(defaults['step_timeout_seconds'])}")
    if defaults["backoff_base_seconds"] is not None:
        least, most = (duration(defaults[f"backoff_{end}_seconds"]) for end in ("base", "max"))
        say(f"  a failed attempt waits up to {least}, then twice as long each time, {most} at most")
    say(f"  {SECOND_RUN[kind['side_effects']]}")
    if held := paused(kind):
        say(f"  {plain(held)}")
    _show_times(kind)
    schema = kind["schema"] or {}
    required = schema.get("required", [])
    # The database keeps no order of its own; what must be said comes first.
    for name, field in sorted(schema.get("properties", {}).items(), key=lambda pair: pair[0] not in required):  # fmt: skip
        sort = " or ".join(sorted(types_of(field, schema) - {"null"})) or "any"
        need = "required" if name in required else f"default {json.dumps(field.get('default'))}"
        say(f"  {plain(name):<20} {sort:<10} {need}  {plain(field.get('description', ''))}")
    for example in stated_examples(schema):
        if isinstance(example, dict):
            say(f"  try it: {plain(enqueue_command(kind['name'], example))}")


def _show_times(kind: dict[str, Any]) -> None:
    measured = [("the whole run", kind["run"]), ("one step or item", kind["each_step"])]
    measured += [(one["name"], one) for one in kind["stages"]]
    rows = [
        (name, duration(one["p50_seconds"]), duration(one["p95_seconds"]), one["samples"])
        for name, one in measured
        if one
    ]
    if rows:
        table(("TAKES", "HALF WITHIN", "95 % WITHIN", "MEASURED"), rows, numbers="MEASURED")


@kinds.command
async def publish(*, cli: Given) -> int:
    """Publish the kinds of the configured modules, so that jobs of them can be inserted."""
    # Only here: it imports the handlers, with all that they import.
    from bellhand.kinds import find_kinds

    found = find_kinds(cli.settings.modules)
    text = json.dumps([kind.published() for kind in found.values()])
    async with cli.database() as database:
        await database.rows("publish_kinds", text)
    if cli.json:
        say_json(sorted(found))
    else:
        _names(sorted(found))
        tell(f"{counted(len(found), 'kind')} published")
    return 0
