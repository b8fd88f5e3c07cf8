"""Tokens: who may ask over HTTP, and for what."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from bellhand.cli.context import Given, actor
from bellhand.cli.output import ago, plain, say, say_json, table, tell
from bellhand.cli.panels import group
from bellhand.cli.values import seconds_of

SHOWN_MAX = 500
Scope = Literal["read", "enqueue", "operate", "admin"]

token = group("token", "Who may ask over HTTP.")


@token.command
async def create(
    name: Annotated[str, Parameter(help="For whom: letters, digits and _ . : -")],
    /,
    *,
    scope: Annotated[
        list[Scope] | None,
        Parameter(
            help="read looks at all; enqueue enqueues, and sees its own jobs; operate does both and acts on jobs; "
            "admin may do everything. May be repeated; read if not given."
        ),
    ] = None,
    expires: Annotated[
        str | None, Parameter(help="How long it is good: 12h, 90d; for good if not given.")
    ] = None,
    cli: Given,
) -> int:
    """Make a token and print it; it is shown this once, only its digest is kept."""
    # Only here: no other command needs what serves HTTP.
    from bellhand.callers import digest, new_token

    made, scopes = new_token(), list(dict.fromkeys(scope or ["read"]))
    seconds = seconds_of(expires, "--expires") if expires else None
    async with cli.database() as database:
        await database.rows("create_token", name, scopes, digest(made), seconds, actor())
    if cli.json:
        say_json({"name": name, "scopes": scopes, "token": made})
        return 0
    say(made)
    if not cli.quiet:
        tell("send it as the header  Authorization: Bearer <token>  or log in with it at /login")
        tell(f"take it back with: bellhand token revoke {name}")
    return 0


@token.command(name="list")
async def list_(*, cli: Given) -> int:
    """List the tokens, the newest first; none of them is shown."""
    async with cli.database() as database:
        rows = [dict(row) for row in await database.rows("tokens", SHOWN_MAX)]
    if cli.json:
        say_json([{name: value for name, value in row.items() if name != "now"} for row in rows])
    elif cli.quiet:
        for row in rows:
            say(plain(row["name"]))
    elif rows:
        table(
            ("TOKEN", "SCOPES", "STATE", "MADE", "BY", "EXPIRES", "LAST USED", "SESSIONS"),
            [
                (
                    row["name"],
                    " ".join(row["scopes"]),
                    row["state"],
                    ago(row["made_at"], row["now"]),
                    row["made_by"],
                    ago(row["expires_at"], row["now"]),
                    ago(row["last_used_at"], row["now"]),
                    row["sessions"] or "",
                )
                for row in rows
            ],
        )
    else:
        tell("no tokens; make one with: bellhand token create NAME --scope operate")
    return 0


@token.command
async def revoke(name: Annotated[str, Parameter(help="A token's name.")], /, *, cli: Given) -> int:
    """Take a token back, with the sessions that were opened with it; within two seconds it opens nothing."""
    async with cli.database() as database:
        await database.rows("revoke_token", name, actor())
    if cli.json:
        say_json({"name": name, "state": "revoked"})
    else:
        say(f"token {plain(name)} revoked")
    return 0
