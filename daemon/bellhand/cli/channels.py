"""Channels: where notifications go, whether they get there, and what to do when they do not."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from bellhand.cli.arguments import Channel
from bellhand.cli.context import Given, actor
from bellhand.cli.output import ago, plain, said, say, say_json, table, tell
from bellhand.cli.panels import group
from bellhand.cli.values import STDIN, seconds_of, wish_of
from bellhand.counted import counted

DIGEST_SECONDS, DIGEST_MAX = 300, 10  # as set_channel.sql has them

channels = group(
    "channels",
    "Where notifications go: mail, Slack, Discord, webhooks. `bellhand webhook` is the same.",
)


@channels.command(name="list")
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
        tell("no channels; write one under [notify.channels.<name>] in the configuration, or: bellhand channels add")  # fmt: skip
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
async def add(
    name: Annotated[str, Parameter(help="Its name; one that is there is changed.")],
    address: Annotated[str, Parameter(help="https://... for webhooks and chats, else a mail address; - reads it from stdin, for one that is a secret.")],
    /,
    *,
    kind: Annotated[Literal["webhook", "slack", "discord", "email"], Parameter(help="What is there.")] = "webhook",
    on: Annotated[str | None, Parameter(help="Of what it is told from now on: failed,late:10m. Without, only of what jobs name it for.")] = None,
    of: Annotated[str, Parameter(help="With --on: of jobs of these kinds.")] = "*",
    cli: Given,
) -> int:  # fmt: skip
    """Make a channel in the database, or change one; a webhook's secret is printed once, for the receiver to verify with.

    Those under [notify.channels] in the configuration are changed there; their addresses and secrets stay out of the database.
    """
    where = sys.stdin.readline().strip() if address == STDIN else address
    wish = wish_of(f"{name}={on}", "--on") if on else None
    async with cli.database() as database, database.connection.transaction():
        digest = (DIGEST_SECONDS, DIGEST_MAX)
        secret = await database.value("api_set_channel", name, kind, where, *digest, actor())
        if wish is not None:
            await database.rows(
                "cli_subscribe", name, name, wish["on"], of, wish.get("late_seconds"), actor()
            )
    if cli.json:
        say_json({"channel": name, "secret": secret})
        return 0
    if secret is not None:
        say(secret)
    if not cli.quiet:
        tell(f"channel {plain(name)} is there" + ("; its secret is shown this once" if secret else ""))  # fmt: skip
        tell(f"try it   bellhand channels test {plain(name)}")
    return 0


@channels.command(name="rm")
async def remove(name: Channel, /, *, cli: Given) -> int:
    """Take a channel out, with its secrets and of what it is told; one of the configuration is taken out there."""
    async with cli.database() as database:
        await database.rows("remove_channel", name, actor())
    return _done(cli, {"channel": name, "state": "removed"})


@channels.command
async def rotate_secret(
    name: Channel,
    /,
    *,
    keep: Annotated[str, Parameter(help="How long the old one signs beside it: 1h, 1d.")] = "1d",
    cli: Given,
) -> int:
    """Give a webhook a new secret and print it; the old one signs beside it for a day."""
    async with cli.database() as database:
        secret = await database.value("api_rotate_secret", name, seconds_of(keep, "--keep"), actor())  # fmt: skip
    return said(cli.json, {"channel": name, "secret": secret}, secret)


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
        say(f"{counted(jobs, 'delivery', 'deliveries')} sent again")
    return 0


def _done(cli: Any, what: dict[str, str]) -> int:
    if cli.json:
        say_json(what)
    else:
        say(f"channel {plain(what['channel'])} {what['state']}")
    return 0
