"""Enqueuing one job by hand."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from cyclopts import Parameter

from bellhand.cli.arguments import Kind
from bellhand.cli.completing import jobs
from bellhand.cli.context import Given, loads
from bellhand.cli.naming import names_of, numbers_of, remember
from bellhand.cli.output import ago, eta_line, paint, plain, say, say_json, tell
from bellhand.cli.values import moment_of, pairs_of, payload_of, wish_of
from bellhand.resource import rfc3339

SOURCE = "cli"
DependsOn = Annotated[
    list[str] | None,
    Parameter(help="Jobs to wait for; may be repeated, or 1,2,3.", completer=jobs),
]


async def enqueue(
    kind: Kind,
    /,
    *payload: Annotated[
        str,
        Parameter(
            help="key=value words (key:=json for raw JSON), one JSON object, or - for stdin."
        ),
    ],
    unique_key: Annotated[
        str | None, Parameter(help="If a live job of the kind has it, that one is returned.")
    ] = None,
    run_at: Annotated[
        str | None, Parameter(help="Not before: 10m, 2h, or a time as 2026-01-31T12:00.")
    ] = None,
    priority: Annotated[int | None, Parameter(help="10 first, 1 last; else the kind's.")] = None,
    owner: Annotated[str | None, Parameter(help="Whose job it is.")] = None,
    tag: Annotated[list[str] | None, Parameter(help="key=value; may be repeated.")] = None,
    depends_on: DependsOn = None,
    attempts_max: Annotated[int | None, Parameter(help="How many attempts in all.")] = None,
    timeout_seconds: Annotated[
        float | None, Parameter(help="How long one attempt may take.")
    ] = None,
    notify: Annotated[
        list[str] | None,
        Parameter(
            help="Whom to tell how it ends: a channel or an address, as ops, or ops=failed,late:10m; may be repeated."
        ),
    ] = None,
    cli: Given,
) -> int:
    """Enqueue a job and print its id."""
    words = [word for one in depends_on or () for word in one.split(",")]
    waits_for = names_of(words) if words else []
    tags = pairs_of(tag, "--tag") if tag else None
    wishes = json.dumps([wish_of(word) for word in notify]) if notify else None
    moment = moment_of(run_at, "--run-at") if run_at else None
    async with cli.database() as database:
        parents = await numbers_of(database, waits_for) or None
        registered = await database.row("cli_kinds", kind)
        schema = loads(registered["schema"]) if registered else None
        body = json.dumps(payload_of(payload, schema))
        if isinstance(moment, float):
            moment = await database.value("cli_ago", -moment)
        made = await database.row(
            "enqueue", kind, body, unique_key, moment, priority, attempts_max, timeout_seconds,
            json.dumps(tags) if tags else None, owner, parents, "cancel", wishes, SOURCE,
        )  # fmt: skip
        assert made
        remember(made["key"])
        position = await database.row("status_position", made["id"])
        foretold = await database.row("eta", [made["id"]])
        if made["created"] and not cli.json and not cli.quiet:
            await database.rows("foretell", [made["id"]])
    _report(cli, kind, made, moment, position, registered)
    if foretold and foretold["starts_at"] and not cli.json and not cli.quiet:
        say(eta_line(foretold, foretold["now"]))
    return 0


def _report(
    cli: Any, kind: str, made: Any, moment: datetime | None, position: Any, registered: Any
) -> None:
    number = made["id"]
    unhandled = registered is None or not registered["workers"]
    if cli.json:
        warnings = [{"code": "no_worker"}] if unhandled else []
        say_json(
            {"id": number, "key": made["key"], "kind": kind, "created": made["created"]}
            | {"run_at": rfc3339(moment), "warnings": warnings}
        )
    elif cli.quiet:
        say(str(number))
    else:
        parts = ["queued" if made["created"] else "exists", paint(str(number), "bold"), plain(kind)]
        if moment and registered:
            parts.append(f"due {ago(moment, registered['now'])}")
        elif position:
            ahead = "1000+" if position["ahead"] is None else position["ahead"]
            parts.append(f"{ahead} before it in lane {registered['lane']}")
        say("  ".join(parts))
    if not cli.quiet and not cli.json:
        if unhandled:
            tell(f"warning: no live worker handles {plain(kind)}; start one with: bellhand run")
        tell(f"watch   bellhand watch {number}      cancel  bellhand cancel {number}")
