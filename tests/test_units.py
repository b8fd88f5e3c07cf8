"""The unit files, as systemd's own tools judge them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bellhand.settings import load
from support import ROOT

FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
EXPOSURE_MAX = 1.3

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here"
)


def analyze(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *map(str, words)],
        capture_output=True, text=True, timeout=30, check=False, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def lines(unit: Path) -> list[str]:
    return [line for line in unit.read_text().splitlines() if line and not line.startswith("#")]


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong(unit: Path, tmp_path: Path) -> None:
    """The program is not installed here, so another stands for it; nothing else is changed."""
    name = unit.name.replace("@", "@leads")
    text = unit.read_text().replace("/opt/bellhand/bin/bellhand", "/bin/true")
    (tmp_path / name).write_text(text)
    said = analyze("verify", "--man=no", tmp_path / name)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
    broken = text.replace("PrivateTmp=", "PrivateTemp=")
    (tmp_path / name).write_text(broken)
    assert "PrivateTemp" in analyze("verify", "--man=no", tmp_path / name).stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_daemon_is_exposed_to_little(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name.replace("@", "@leads")
    copy.write_text(unit.read_text())
    said = analyze("security", "--offline=true", "--no-pager", copy)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said.stdout)
    assert found, said
    assert float(found[1]) <= EXPOSURE_MAX


def test_the_daemon_of_one_lane_is_hardened_as_the_other() -> None:
    """They differ in what makes it one of several, and in nothing else."""
    whole, one = (lines(FOLDER / name) for name in ("bellhand.service", "bellhand@.service"))
    more = {line.partition("=")[0] for line in set(whole) ^ set(one)}
    assert more == {"Description", "Environment", "EnvironmentFile", "StateDirectory"}


def test_what_the_unit_of_a_lane_sets_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in lines(FOLDER / "bellhand@.service"):
        if line.startswith("Environment="):
            for word in line.partition("=")[2].split():
                name, _, value = word.partition("=")
                monkeypatch.setenv(name, value.replace("%i", "leads").replace("%H", "host"))
    settings = load()
    assert (settings.worker.lanes, settings.worker.name, settings.status.port) == (("leads",), "host-leads", 0)  # fmt: skip


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="there is no systemd here")
def test_the_user_and_the_folders_are_made(tmp_path: Path) -> None:
    """Into a tree of its own, which only root may do for systemd-tmpfiles; so there only the file is read."""
    (tmp_path / "etc").mkdir()
    said = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", FOLDER / "bellhand.sysusers"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "bellhand:" in (tmp_path / "etc/passwd").read_text()
    kinds = [line.split()[:3] for line in lines(FOLDER / "bellhand.tmpfiles")]
    assert ["d", "/etc/bellhand/credentials", "0700"] in kinds
