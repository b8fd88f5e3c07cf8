"""What is shipped works anywhere: the wheel, in a fresh environment, run from another folder."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from bellhand import __version__, sql
from bellhand.guides import is_made, titles
from bellhand.migrate import script
from support import ROOT

pytestmark = pytest.mark.timeout(180)
SECONDS = 120


def run(*command: object, folder: Path) -> str:
    """Runs a program in a folder, without what the environment says about Bellhand or Python."""
    outside = {n: v for n, v in os.environ.items() if not n.startswith(("BELLHAND_", "PYTHON"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=outside,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, folder=ROOT)
    (made,) = out.glob("bellhand-*.whl")
    return made


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that holds the wheel and sees our dependencies."""
    home = tmp_path_factory.mktemp("fresh")
    venv.create(home, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    where = ["--python", home / "bin" / "python"]
    run(*pip, *where, "install", "--no-deps", "--no-index", wheel, folder=home)
    (packages,) = home.glob("lib/python*/site-packages")
    # Only the folder itself is added: what its own .pth files add, such as this checkout, is not.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


def test_the_wheel_holds_the_program_its_sql_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = {f"bellhand/_sql/{path.relative_to(sql.ROOT)}" for path in sql.ROOT.rglob("*.sql")}
    assert shipped <= names
    assert "bellhand/py.typed" in names
    units = {f"bellhand/_systemd/{name}" for name in ("bellhand.service", "bellhand@.service", "config.example.toml")}  # fmt: skip
    assert units <= names, "what `bellhand install` writes"
    assert "bellhand/_prometheus/rules.yml" in names
    guides = {f"bellhand/_docs/{name}.md" for name in titles() if not is_made(name)}
    assert {"bellhand/_docs/mkdocs.yml", *guides} <= names
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"bellhand", f"bellhand-{__version__}.dist-info"}


def test_it_runs_its_own_copy_from_anywhere(programs: Path, tmp_path: Path) -> None:
    ask = "import bellhand, bellhand.sql; print(bellhand.__file__, bellhand.sql.ROOT)"
    said = run(programs / "python", "-c", ask, folder=tmp_path)
    package, home = map(Path, said.split())
    assert package.is_relative_to(programs.parent)
    assert home == package.parent / "_sql"


def test_its_help_and_its_schema_come_from_anywhere(programs: Path, tmp_path: Path) -> None:
    assert "migrate" in run(programs / "bellhand", "--help", folder=tmp_path)
    printed = run(programs / "bellhand", "migrate", "sql", "--all", folder=tmp_path)
    assert printed.strip() == script().strip()
    assert "bellhand" in run(programs / "python", "-m", "bellhand", "--help", folder=tmp_path)
