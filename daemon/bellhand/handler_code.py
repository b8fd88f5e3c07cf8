"""Which code a daemon runs: a digest of its handlers' sources, so that a deploy shows without anybody telling of it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from .kinds import Kind

DIGITS = 12
FILES_MAX = 2_000  # of one package; what is beyond is no handler's
FOREIGN = frozenset({"__pycache__", "node_modules", "site-packages"})


def code_digest(kinds: Iterable[Kind]) -> str:
    """The same for the same sources, wherever they lie: of each handler's package, or of the folder of a module that is in none.

    Only files that can be read count; Bellhand's own engine is told by its version.
    """
    found = hashlib.sha256()
    for name, files in sorted(_sources(kinds).items()):
        for path in files:
            try:
                body = path.read_bytes()
            except OSError:
                continue
            found.update(f"{name} {path.name} {len(body)}\n".encode())
            found.update(body)
    return found.hexdigest()[:DIGITS]


def _sources(kinds: Iterable[Kind]) -> dict[str, list[Path]]:
    """The files of each package, or of each folder of loose modules, in order."""
    found: dict[str, list[Path]] = {}
    for module in {kind.handler.__module__ for kind in kinds}:
        loaded = sys.modules.get(module)
        file = getattr(loaded, "__file__", None)
        package = getattr(loaded, "__package__", None) or ""
        if file is None or package == __package__:
            continue
        folder = Path(file).parent
        found[package or folder.name] = list(_files(folder, deep=bool(package)))
    return found


def _files(folder: Path, *, deep: bool) -> Iterator[Path]:
    """The Python sources of a folder, in order; of a package those below it too, but no environment that lies there."""
    left = FILES_MAX
    waiting = [folder]
    while waiting and left > 0:
        try:
            entries = sorted(waiting.pop().iterdir())
        except OSError:
            continue
        for entry in entries:
            if (
                deep
                and entry.is_dir()
                and entry.name not in FOREIGN
                and not entry.name.startswith(".")
            ):
                waiting.append(entry)
            elif entry.suffix == ".py" and left > 0:
                left -= 1
                yield entry
