"""The guides that come with the program: the pages of the site, but for its generated reference, for where no internet is.

A guide is named as its file is, without the ending: `how-to/service`. The site's own table says in which order they stand.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_packaged = Path(__file__).with_name("_docs")
_tree = Path(__file__).parents[2]
FOLDER = _packaged if _packaged.is_dir() else _tree / "docs"
TABLE = (_packaged if _packaged.is_dir() else _tree) / "mkdocs.yml"
_SECTION = re.compile(r"  - ([A-Z][\w ]*):(?: \[(.*)\])?")
_PAGE = re.compile(r" +- ([\w/-]+)\.md")
_MARK = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)


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
            if (path := FOLDER / f"{name}.md").is_file():
                names[name] = _title(path)
    return {heading: names for heading, names in found.items() if names}


def guide(name: str) -> str | None:
    """A guide as it was written, without the marks that its tests go by; None for what is none."""
    if not any(name in names for names in sections().values()):
        return None
    return _MARK.sub("", (FOLDER / f"{name}.md").read_text(encoding="utf-8"))


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        return next((line[2:].strip() for line in lines if line.startswith("# ")), path.stem)
