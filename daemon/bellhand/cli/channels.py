"""Channels: where notifications go, whether they get there, and what to do when they do not."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from bellhand.cli.arguments import Channel
from bellhand.cli.context import Given, actor
from bellhand.cli.output import ago, plain, say, say_json, table, tell
from bellhand.cli.panels import group
from bellhand.cli.values import seconds_of

channels = group("channels", "Where notifications go.")


@channels.default
async def list_(*, cli: Given) -> int:
    """List the channels, how they fare and of what they are told."""
    async with cli.database() as database:
        rows = [dict(row) for row in await database.rows("cli_channels")]
    if cli.json:
        say_json([{name: value for name, value in row.items() if name != "now"} for row in rows])
    elif cli.quiet:
        for row in rows:
            say(plain(row["name"]))
    elif rows:
        table(
            ("CHANNEL", "KIND", "WHERE", "WAITING", "STATE", "TOLD OF"),
            [
                (
                    row["name"],
                    row["kind"],
                    row["address"] or "in the configuration",
                    row["waiting"],
                    fares(row),
                    "; ".join(row["told"]) or "what jobs ask for",
                )
                for row in rows
            ],
        )
    else:
        tell("no channels; write one under [notify.channels.<name>] in the configuration")
    return 0


def fares(row: dict[str, Any]) -> str:
    """How a channel fares, in a few words."""
    if row["disabled_at"]:
        return (
            f"disabled {ago(row['disabled_at'], row['now'])}: {row['disabled_reason'] or 'by hand'}"
        )
    if row["failing_since"]:
        since = ago(row["failing_since"], row["now"])
        return f"failing since {since} ({row['failures']}): {row['last_error']}"
    return "ok"


@channels.command
async def test(name: Channel, /, *, cli: Given) -> int:
    """Send a message that says that the channel works."""
    async with cli.database() as database:
        job = await database.value("cli_channel_test", name, actor())
    if cli.json:
        say_json({"job": job})
    else:
        say(f"job {job} delivers it; bellhand wait {job}")
    return 0


@channels.command
async def enable(name: Channel, /, *, cli: Given) -> int:
    """Let deliveries go out again after a channel was disabled."""
    async with cli.database() as database:
        await database.rows("cli_channel_enable", name, actor())
    return _done(cli, {"channel": name, "state": "enabled"})


@channels.command
async def disable(
    name: Channel, /, *, reason: Annotated[str | None, Parameter(help="Why.")] = None, cli: Given
) -> int:
    """Stop deliveries; what is due meanwhile fails, and can be sent later with replay."""
    async with cli.database() as database:
        await database.rows("cli_channel_disable", name, reason, actor())
    return _done(cli, {"channel": name, "state": "disabled"})


@channels.command
async def replay(
    name: Annotated[str, Parameter(help="A channel, or an address.")],
    /,
    *,
    since: Annotated[str, Parameter(help="What failed in so long: 2h, 6d.")] = "1d",
    cli: Given,
) -> int:
    """Send again what failed for good."""
    async with cli.database() as database:
        jobs = await database.value(
            "cli_channel_replay", name, float(seconds_of(since, "--since")), actor()
        )
    if cli.json:
        say_json({"channel": name, "jobs": jobs})
    else:
        say(f"{jobs} deliveries are sent again")
    return 0


def _done(cli: Any, what: dict[str, str]) -> int:
    if cli.json:
        say_json(what)
    else:
        say(f"channel {plain(what['channel'])} {what['state']}")
    return 0
