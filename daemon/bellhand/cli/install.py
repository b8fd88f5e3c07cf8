"""Making a service of it on one machine, and undoing that: `bellhand install`, `bellhand uninstall`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bellhand.cli import installing
from bellhand.cli.context import Cli, Given
from bellhand.cli.errors import Refused, unreadable_dsn
from bellhand.cli.installing import (
    CONFIG,
    CREDENTIALS,
    HANDLERS,
    STATE,
    UNITS,
    USER,
    Place,
    Step,
    run,
)
from bellhand.cli.output import paint, plain, say, say_json, tell

HIDDEN_HOMES = ("/home", "/root", "/run/user", "/tmp")  # noqa: S108 (ProtectHome and PrivateTmp: the unit does not see them)
DryRun = Annotated[bool, Parameter(negative=(), help="Say what would be done; do nothing.")]
Root = Annotated[Path, Parameter(help="Install into this folder instead of /: for images.")]


def install(
    *,
    dry_run: DryRun = False,
    root: Root = Path("/"),
    program: Annotated[
        str | None, Parameter(help="Where the program is; else where this one is.")
    ] = None,
    migrate: Annotated[bool, Parameter(help="Whether to bring the schema up to date.")] = True,
    start: Annotated[bool, Parameter(help="Whether to start it now and at every boot.")] = True,
    cli: Given,
) -> int:
    """Make a service of it: user, folders, configuration, units, schema; then start it.

    The database is that of --dsn (or BELLHAND_DSN), which is kept in /etc/bellhand/credentials/dsn; without one, the one that is
    kept there. What is there already is left as it is, so it may be run again and again.
    """
    place = Place(root.resolve())
    where = program or str(Path(sys.prefix) / "bin" / "bellhand")
    if not dry_run:
        _may(place)
    if where.startswith(HIDDEN_HOMES):
        raise Refused(
            f"the service cannot run {where}",
            why="it sees no home folders and no /tmp, so that it cannot do harm there",
            fix="python3 -m venv /opt/bellhand && /opt/bellhand/bin/pip install bellhand && /opt/bellhand/bin/bellhand install",
        )
    dsn = cli.options.dsn or os.environ.get("BELLHAND_DSN") or _kept_dsn(place)
    steps = [*_files(place, where), *_secret(place, dsn)]
    if migrate and dsn:
        steps.append(Step("bring the schema of the database up to date", lambda: _migrate(dsn)))
    if place.is_booted:
        steps.append(Step("systemctl daemon-reload", lambda: run(["systemctl", "daemon-reload"])))
        if start and dsn:
            steps += [_systemctl("enable", "bellhand.service"), _systemctl("restart", "bellhand.service")]  # fmt: skip
    _carry_out(cli, steps, dry_run)
    if not cli.quiet:
        _what_next(place, dsn, started=place.is_booted and start, dry_run=dry_run)
    return 0


def uninstall(
    *,
    dry_run: DryRun = False,
    root: Root = Path("/"),
    purge: Annotated[
        bool, Parameter(negative=(), help="Its configuration, secrets and user too.")
    ] = False,
    cli: Given,
) -> int:
    """Stop the service and take it out; the database is never touched."""
    place = Place(root.resolve())
    if not dry_run:
        _may(place)
    if place.is_packaged:
        raise Refused("a package installed it", why=f"/{installing.PACKAGED_UNIT} is there", fix="apt-get remove bellhand")  # fmt: skip
    from bellhand.cli.manual import installed

    steps = []
    if place.is_booted:
        steps += [_systemctl("disable", "--now", "bellhand.service"), _systemctl("stop", "bellhand@*.service")]  # fmt: skip
    names = [*(f"etc/systemd/system/{name}" for name in UNITS), "etc/sysusers.d/bellhand.conf",
             "etc/tmpfiles.d/bellhand.conf", "usr/local/bin/bellhand", *(f"usr/local/share/{name}" for name in installed())]  # fmt: skip
    steps += [place.removal(name) for name in names]
    if purge:
        steps += [place.removal(name) for name in (CONFIG, STATE)]
        words = ["userdel", *([] if place.is_this_machine else ["--root", str(place.root)]), USER]
        gone = "" if place.group() and place.is_this_machine else "it is not there, or this is an image"  # fmt: skip
        steps.append(Step(f"remove the user {USER}", lambda: run(words), gone))
    if place.is_booted:
        steps.append(Step("systemctl daemon-reload", lambda: run(["systemctl", "daemon-reload"])))
    _carry_out(cli, steps, dry_run)
    if not cli.quiet:
        left = "" if purge else f"/{CONFIG}, /{STATE}, the user {USER} (--purge takes them too), "
        tell(f"left: {left}the program, and the database with its schema bellhand")
    return 0


def _may(place: Place) -> None:
    if place.is_this_machine and os.geteuid() != 0:
        raise Refused(
            "this needs root",
            why="it writes to /etc and tells systemd",
            fix="sudo bellhand install, or --dry-run to see what it would do",
        )


def _files(place: Place, program: str) -> list[Step]:
    """All that stands on disk; what a package has brought is left out."""
    from bellhand.cli.manual import installed  # only here: it reads the whole program

    shipped = []
    if not place.is_packaged:
        version = installing.systemd_version()
        for sort in ("sysusers", "tmpfiles"):
            text = (installing.SHIPPED / f"bellhand.{sort}").read_text(encoding="utf-8")
            shipped.append(place.file(f"etc/{sort}.d/bellhand.conf", text, 0o644))
        shipped.append(place.user())
        for name in UNITS:
            text = installing.unit(name, program, version)
            shipped.append(place.file(f"etc/systemd/system/{name}", text, 0o644))
        shipped.append(place.file("usr/local/bin/bellhand", installing.launcher(program), 0o755))
        shipped += [place.file(f"usr/local/share/{name}", text, 0o644) for name, text in installed().items()]  # fmt: skip
    return [
        *shipped,
        place.folder(CONFIG, 0o750, shared=True),
        place.folder(HANDLERS.lstrip("/"), 0o750, shared=True),
        place.folder(f"{CONFIG}/lanes", 0o750, shared=True),
        place.folder(CREDENTIALS, 0o700),
        place.file(f"{CONFIG}/config.toml", installing.starter(), 0o640, keep=True, shared=True),
    ]


def _secret(place: Place, dsn: str | None) -> list[Step]:
    return [place.file(f"{CREDENTIALS}/dsn", dsn + "\n", 0o600)] if dsn else []


def _kept_dsn(place: Place) -> str | None:
    """The database of an installation that is there; none if there is none, or we may not know."""
    try:
        return (place.root / CREDENTIALS / "dsn").read_text().strip() or None
    except OSError:
        return None


def _migrate(dsn: str) -> None:
    from bellhand.migrate import migrate

    try:
        asyncio.run(migrate(dsn))
    except ValueError as error:
        raise unreadable_dsn(error) from error


def _systemctl(*words: str) -> Step:
    return Step(f"systemctl {' '.join(words)}", lambda: run(["systemctl", *words]))


def _carry_out(cli: Cli, steps: list[Step], dry_run: bool) -> None:
    """Says every step and does it, unless it only says; a step that fails ends it, and says so."""
    if cli.json:
        say_json([{"what": step.what, "needed": not step.why_not, "why_not": step.why_not or None} for step in steps])  # fmt: skip
    for step in steps:
        if not cli.json:
            mark = paint("=", "dim") if step.why_not else paint("+", "green")
            note = paint(f"  ({step.why_not})", "dim") if step.why_not else ""
            say(f"{mark} {plain(step.what)}{note}")
        # Files and folders that are there get their owner and mode again.
        if not dry_run and (not step.why_not or step.what.startswith("keep ")):
            step.do()


def _what_next(place: Place, dsn: str | None, *, started: bool, dry_run: bool) -> None:
    if dry_run:
        tell("nothing was done; leave --dry-run out to do it")
    elif not dsn:
        tell("no database yet: sudo bellhand install --dsn postgresql://user@host/database")
    elif started:
        tell("it runs: systemctl status bellhand; bellhand doctor; journalctl -u bellhand")
    elif not place.is_booted:
        tell("systemd does not run here, so nothing was started; at the next boot: systemctl enable --now bellhand")  # fmt: skip
