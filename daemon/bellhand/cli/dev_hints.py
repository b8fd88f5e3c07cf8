"""What `bellhand dev` tells to try: where to look, how to insert, commands that fit the families that are there."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bellhand.cli.output import paint, say
from bellhand.sql import query

if TYPE_CHECKING:
    from bellhand.settings import Settings

LEADS = "bellhand.families.leads"
SEO = "bellhand.families.seo"


def say_hints(
    settings: Settings, port: int, psql: str, home: Path, website_port: int | None, watched: int
) -> None:
    """Print them; `port` is that of the pages, `website_port` that of the demo's site."""
    program = command()
    insert = query("dev_example").splitlines()[-1]
    host = settings.status.host
    lines = {
        "Pages": f"http://{host}:{port}/",
        "Insert": f'{psql} "$({program} env --dsn)"',
        "": insert,
        **_tries(settings.modules, program, website_port),
        "Look": f"{program} list · {program} status · {program} watch {watched}",
        "Status": f"http://{host}:{port}/readyz?verbose",
        "API": f"http://{host}:{port}/docs",
        "Log": short(home / "log"),
        "Stop": "Ctrl-C",
    }
    say()
    for name, text in lines.items():
        say(f"  {paint(f'{name:<8}', 'bold')}  {text}")
    say()


def _tries(modules: Sequence[str], program: str, website_port: int | None) -> dict[str, str]:
    """Work worth a try, of the families that are there; without keys the stand-ins answer."""
    search = "enqueue leads.collect services=Bakery,Plumber locations=Denver"
    crawl = f"enqueue seo.crawl url=http://127.0.0.1:{website_port}/"
    tries = {"Try": (LEADS, search)}
    if website_port is not None:  # there is a site to crawl
        tries["Crawl"] = SEO, f"{crawl} · {program} seo crawls"
    return {
        name: f"{program} {what}" for name, (family, what) in tries.items() if family in modules
    }


def command() -> str:
    """How to run this program from here."""
    program = Path(sys.argv[0])
    if program.name != "bellhand":
        return f"{Path(sys.executable).name} -m bellhand"
    if shutil.which("bellhand") == str(program):
        return "bellhand"
    try:
        return str(program.absolute().relative_to(Path.cwd()))
    except ValueError:
        return shlex.quote(str(program))


def short(path: Path) -> str:
    """The path with ~ for the home folder."""
    home = os.path.expanduser("~")
    text = str(path)
    return "~" + text[len(home) :] if text.startswith(home + os.sep) else text
