"""Where the SQL lives: beside this file in a wheel, at the top of the tree in a checkout."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

_packaged = Path(__file__).with_name("_sql")
ROOT = _packaged if _packaged.is_dir() else Path(__file__).parents[2] / "sql"


@cache
def query(name: str) -> str:
    """The statement of that name, `claim` or `families/sites/save_site`; else FileNotFoundError."""
    folder, _, stem = name.rpartition("/")
    return (ROOT / folder / "queries" / f"{stem}.sql").read_text(encoding="utf-8")


def scripts() -> Iterator[tuple[str, str]]:
    """What makes the schema, in the order of running it, as (`migrations/0001_core.sql`, its text).

    The core comes first, then each family; functions come after the migrations they stand on.
    """
    homes = [ROOT, *sorted(p for p in (ROOT / "families").glob("*") if p.is_dir())]
    for home in homes:
        for folder in ("migrations", "functions"):
            for path in sorted((home / folder).glob("*.sql")):
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
