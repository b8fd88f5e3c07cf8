"""The guides that come with the program, for where no internet is: the pages of the site, and the titles of its reference, which the program makes when somebody asks.

A guide is named as its file is, without the ending: `how-to/service`. The site's own table says in which order they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

_packaged = Path(__file__).with_name("_docs")
_tree = Path(__file__).parents[2]
FOLDER = _packaged if _packaged.is_dir() else _tree / "docs"
TABLE = (_packaged if _packaged.is_dir() else _tree) / "mkdocs.yml"
REFERENCE = {
    "commands": "Commands", "output": "Output for programs", "configuration": "Configuration", "handlers": "Handlers",
    "kinds": "Kinds", "sql": "SQL", "events": "Events", "metrics": "Metrics", "problems": "Problems",
}  # fmt: skip
_SECTION = re.compile(r"  - ([A-Z][\w ]*):(?: \[(.*)\])?")
_PAGE = re.compile(r" +- ([\w/-]+)\.md")
_MARK = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)
_OVERVIEW = """\
# Bellhand

> Background jobs for anything that can write a row to Postgres: an app inserts a job inside its own transaction, a daemon on a VM (Python, asyncio)
> hears of it by LISTEN, runs it and loses nothing: at least once, fenced, with steps that checkpoint.

Enqueue: `insert into bellhand.jobs (kind, payload) values ('family.verb', '{...}')`, or `select * from bellhand.enqueue('family.verb', '{...}', ...)`.
Look: `bellhand.all_jobs`. Act: `bellhand.cancel(id)`, `pause`, `resume`, `retry`, `run_now`, `change`, `purge`, `why`. What a handler logged: `bellhand.job_log(id)`. Everything else in the schema is private.
A handler is a function under `@job_kind("family.verb")` in a module that `modules` of config.toml names.
"""


@cache
def sections() -> dict[str, dict[str, str]]:
    """The guides of every part of the table: their titles by their names."""
    found: dict[str, dict[str, str]] = {}
    _, _, table = TABLE.read_text(encoding="utf-8").partition("\nnav:\n")
    names: dict[str, str] = {}
    for line in table.splitlines():
        if heading := _SECTION.fullmatch(line):
            names = found.setdefault(heading[1], {})
        listed = (heading[2] or "").split(", ") if heading else _PAGE.findall(line)
        for name in (one.removesuffix(".md") for one in listed if one):
            if is_made(name):
                names[name] = REFERENCE[name.partition("/")[2]]
            elif (path := FOLDER / f"{name}.md").is_file():
                names[name] = _title(path)
    return {heading: names for heading, names in found.items() if names}


def titles() -> dict[str, str]:
    """The titles of all guides by their names, in the order of the table."""
    return {name: title for names in sections().values() for name, title in names.items()}


def guide(name: str) -> str | None:
    """A guide as it was written, without the marks that its tests go by; None for what is none, and for the reference, which nobody wrote."""
    if name not in titles() or is_made(name):
        return None
    return _MARK.sub("", (FOLDER / f"{name}.md").read_text(encoding="utf-8"))


def is_made(name: str) -> bool:
    """Whether a guide is a page of the reference, which `bellhand.reference` makes."""
    return name.startswith("reference/")


def overview(address: Callable[[str], str]) -> str:
    """All guides by their titles, for programs that read (llmstxt.org); `address` says where one is."""
    parts = [_OVERVIEW]
    for section, names in sections().items():
        parts.append(f"\n## {section}\n\n")
        parts += (f"- [{title}]({address(name)})\n" for name, title in names.items())
    return "".join(parts)


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next((line[2:].strip() for line in lines if line.startswith("# ")), path.stem)
