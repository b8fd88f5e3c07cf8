"""Builds dist/bellhand_<version>_<architecture>.deb: `make deb`.

A venv under /opt/bellhand that holds the program and all it stands on, made for the Python of the system that builds it. A
package that took its libraries from Debian would wait for Debian: most of them are older there than what the program needs.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
HOME = "opt/bellhand"
PYTHON = "python3.{1}".format(*sys.version_info)
CONTROL = """\
Package: bellhand
Version: {version}
Architecture: {architecture}
Maintainer: The Bellhand authors <bellhand@localhost>
Depends: {python}, systemd
Suggests: postgresql
Section: admin
Priority: optional
Installed-Size: {kilobytes}
Description: background jobs for anything that can write a row to Postgres
 A daemon that claims jobs from a table, runs them, and shows how they do.
"""


def build(out: Path, extras: str) -> Path:
    """Makes the package in `out` and returns its path."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _venv(tree, Path(folder), extras)
        _files(tree)
        version = _version(tree)
        architecture = _said("dpkg", "--print-architecture")
        kilobytes = sum(file.lstat().st_size for file in tree.rglob("*")) // 1024
        control = tree / "DEBIAN"
        control.mkdir()
        (control / "control").write_text(
            CONTROL.format(version=version, architecture=architecture, python=PYTHON, kilobytes=kilobytes)
        )  # fmt: skip
        (control / "conffiles").write_text("/etc/bellhand/config.toml\n")
        for script in ("postinst", "prerm", "postrm"):
            _put(HERE / script, control / script, 0o755)
        made = out / f"bellhand_{version}_{architecture}.deb"
        out.mkdir(exist_ok=True)
        _run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", tree, made)
        return made


def _venv(tree: Path, scratch: Path, extras: str) -> None:
    """What `python -m venv` makes, without pip and with the place where it will be."""
    home = tree / HOME
    packages = home / "lib" / PYTHON / "site-packages"
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", scratch)
    (wheel,) = scratch.glob("bellhand-*.whl")
    wanted = f"bellhand[{extras}] @ {wheel.as_uri()}" if extras else str(wheel)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    _run(*pip, "--no-compile", "--only-binary=:all:", "--target", packages, wanted)
    shutil.rmtree(packages / "bin", ignore_errors=True)
    # Compiled here, so that nothing is written there that the package would not take away again.
    checked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(packages, quiet=2, stripdir=str(tree), prependdir="/", invalidation_mode=checked)  # fmt: skip
    (home / "pyvenv.cfg").write_text(
        "home = /usr/bin\ninclude-system-site-packages = false\nversion = {}.{}.{}\n".format(*sys.version_info)
    )  # fmt: skip
    (home / "bin").mkdir()
    for name in ("python", "python3"):
        (home / "bin" / name).symlink_to(f"/usr/bin/{PYTHON}")
    program = home / "bin" / "bellhand"
    program.write_text(f"#!/{HOME}/bin/python\nfrom bellhand.__main__ import main\n\nmain()\n")
    program.chmod(0o755)


def _files(tree: Path) -> None:
    """Units, user, folders and configuration, as `bellhand install` has them; by its own words where it makes them."""
    sys.path.insert(0, str(ROOT / "daemon"))
    from bellhand.cli import installing, manual

    for name in installing.UNITS:
        _put(installing.SHIPPED / name, tree / "usr/lib/systemd/system" / name)
    for sort in ("sysusers", "tmpfiles"):
        _put(installing.SHIPPED / f"bellhand.{sort}", tree / f"usr/lib/{sort}.d/bellhand.conf")
    _write(tree / "etc/bellhand/config.toml", installing.starter(), 0o640)
    (tree / "etc/bellhand").chmod(0o750)
    _write(tree / "usr/bin/bellhand", installing.launcher(installing.PROGRAM), 0o755)
    for name, text in manual.installed().items():
        _write(tree / "usr/share" / name, text, 0o644)
    for page in (tree / "usr/share/man").rglob("bellhand*"):
        _run("gzip", "-9n", page)
    _put(ROOT / "LICENSE", tree / "usr/share/doc/bellhand/copyright")


def _version(tree: Path) -> str:
    (found,) = (tree / HOME).glob("lib/*/site-packages/bellhand-*.dist-info")
    return found.name.removeprefix("bellhand-").removesuffix(".dist-info")


def _put(source: Path, target: Path, mode: int = 0o644) -> None:
    _write(target, source.read_text(encoding="utf-8"), mode)


def _write(target: Path, text: str, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    target.chmod(mode)


def _run(*words: object) -> None:
    subprocess.run([str(word) for word in words], cwd=ROOT, check=True)


def _said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    os.umask(0o022)
    print(build(ROOT / "dist", os.environ.get("EXTRAS", "fast")))
