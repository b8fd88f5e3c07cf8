"""`bellhand install` and `uninstall`, into a folder that stands for a machine."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from bellhand.cli import installing
from bellhand.settings import load
from commands import Bellhand, bare, bellhand

__all__ = ["bare", "bellhand"]

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-sysusers") is None, reason="there is no systemd here"
)
PROGRAM = "/opt/bellhand/bin/bellhand"
SECRETS = "etc/bellhand/credentials"


def tree(root: Path) -> dict[str, tuple[str, str]]:
    """What is in a folder: mode and text by name."""
    found = {}
    for path in sorted(root.rglob("*")):
        text = path.read_text() if path.is_file() else ""
        found[str(path.relative_to(root))] = (stat.filemode(path.stat().st_mode), text)
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    made = tmp_path / "machine"
    (made / "etc").mkdir(parents=True)
    return made


def test_dry_it_says_all_and_does_nothing(bellhand: Bellhand, machine: Path) -> None:
    before = tree(machine)
    said = bellhand.ok("install", "--root", str(machine), "--program", PROGRAM, "--dry-run")
    assert tree(machine) == before
    done = bellhand.ok("install", "--root", str(machine), "--program", PROGRAM)
    assert done.out == said.out, "what it does is what it said"
    for word in ("bellhand.service", "bellhand@.service", "config.toml", "credentials/dsn (0600)", "the user bellhand", "the schema"):  # fmt: skip
        assert word in said.out, word
    assert bellhand.dsn not in said.out + done.out + done.err


def test_it_is_fit_to_run_and_keeps_secrets(
    bellhand: Bellhand, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bellhand.ok("install", "--root", str(machine), "--program", "/srv/bellhand/bin/bellhand")
    found = tree(machine)
    assert found[f"{SECRETS}/dsn"] == ("-rw-------", bellhand.dsn + "\n")
    assert found[SECRETS][0] == "drwx------"
    assert found["etc/bellhand/config.toml"][0] == "-rw-r-----"
    assert "/srv/bellhand/bin/bellhand run" in found["etc/systemd/system/bellhand.service"][1]
    assert "bellhand" in found["etc/passwd"][1]
    if os.geteuid() == 0:
        group = (machine / "etc/bellhand/config.toml").stat().st_gid
        assert group == installing.Place(machine).group() != 0
    monkeypatch.delenv("BELLHAND_DSN")
    settings = load(machine / "etc/bellhand/config.toml")
    assert settings.dsn == bellhand.dsn
    assert settings == load(dsn=bellhand.dsn), "every setting is at its default"


def test_again_it_changes_nothing_and_what_people_wrote_is_theirs(
    bellhand: Bellhand, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("install", "--root", str(machine), "--program", PROGRAM)
    bellhand.ok(*words)
    config = machine / "etc/bellhand/config.toml"
    config.write_text("[worker]\nconcurrency = 3\n")
    unit = machine / "etc/systemd/system/bellhand.service"
    unit.write_text(unit.read_text() + "# old\n")
    monkeypatch.delenv("BELLHAND_DSN")  # it is kept
    said = bellhand.ok(*words)
    assert config.read_text() == "[worker]\nconcurrency = 3\n"
    assert "# old" not in unit.read_text()
    todo = [line for line in said.out.splitlines() if line.startswith("+")]
    assert todo == ["+ replace /etc/systemd/system/bellhand.service (0644)", "+ bring the schema of the database up to date"]  # fmt: skip
    before = tree(machine)
    bellhand.ok(*words)
    assert tree(machine) == before


def test_it_migrates(bellhand: Bellhand, machine: Path, empty_dsn: str) -> None:
    bellhand.ok("--dsn", empty_dsn, "install", "--root", str(machine), "--program", PROGRAM)
    bellhand.dsn = empty_dsn
    assert bellhand.sql("select count(*) from bellhand.jobs")[0][0] == 0


def test_uninstall_takes_out_what_install_made_and_says_what_it_leaves(
    bellhand: Bellhand, machine: Path
) -> None:
    bellhand.ok("install", "--root", str(machine), "--program", PROGRAM)
    said = bellhand.ok("uninstall", "--root", str(machine))
    left = {name for name, (_, text) in tree(machine).items() if "bellhand" in name}
    assert {name.partition("/bellhand")[2].partition("/")[0] for name in left} == {""}
    assert f"{SECRETS}/dsn" in left
    assert "/etc/bellhand" in said.err
    assert "the database" in said.err
    bellhand.ok("uninstall", "--root", str(machine), "--purge")
    assert not [name for name in tree(machine) if "bellhand" in name]
    assert bellhand.sql("select count(*) from bellhand.jobs")[0][0] == 0, "the database is there"


def test_a_program_that_the_service_could_not_see_is_refused(
    bellhand: Bellhand, machine: Path
) -> None:
    program = Path("/home", "me", ".local/bin/bellhand")
    said = bellhand("install", "--root", str(machine), "--program", str(program))
    assert said.code == 1
    assert "/opt/bellhand" in said.err
    assert list(tree(machine)) == ["etc"]


def test_a_package_keeps_its_units(bellhand: Bellhand, machine: Path) -> None:
    unit = machine / installing.PACKAGED_UNIT
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\n")
    bellhand.ok("install", "--root", str(machine), "--program", PROGRAM)
    assert not (machine / "etc/systemd/system").exists()
    assert (machine / SECRETS / "dsn").exists()
    said = bellhand("uninstall", "--root", str(machine))
    assert said.code == 1
    assert "apt-get remove" in said.err


@pytest.mark.parametrize("name", installing.UNITS)
def test_reloads_are_waited_for_where_systemd_can(name: str) -> None:
    old, new = (installing.unit(name, PROGRAM, version) for version in (252, 253))
    assert old == (installing.SHIPPED / name).read_text()
    assert "\nType=notify\n" in old
    assert "\nExecReload=" in old
    assert "\nType=notify-reload\n" in new
    assert "ExecReload" not in new.replace("without ExecReload", "")
