"""Secrets in files of their own, as systemd hands them over and as they stand beside the configuration."""

import socket
from pathlib import Path

import pytest

from bellhand.cli.app import main
from bellhand.settings import load
from bellhand.settings_errors import SettingsError

TOKEN = "0123456789abcdef0123"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What $CREDENTIALS_DIRECTORY names."""
    made = tmp_path / "given"
    made.mkdir()
    for name in ("BELLHAND_DSN", "BELLHAND_CONFIG", "BELLHAND_STATUS__TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(made))
    return made


def test_a_file_is_a_setting_and_others_credentials_are_not_ours(folder: Path) -> None:
    (folder / "bellhand_dsn").write_text("postgresql://x@db/jobs\n")
    (folder / "bellhand_status.token").write_text(TOKEN + "\n")
    (folder / "bellhand_services.serpapi.key").write_text("k1")
    (folder / "tls-key").write_text("somebody else's")
    settings = load()
    assert settings.dsn == "postgresql://x@db/jobs"
    assert settings.status.token
    assert settings.status.token.get_secret_value() == TOKEN
    assert settings.services.serpapi.key
    assert settings.services.serpapi.key.get_secret_value() == "k1"


def test_the_environment_beats_a_credential_and_that_beats_the_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('dsn = "postgresql:///file"\n')
    (folder / "bellhand_dsn").write_text("postgresql:///credential")
    assert load(config).dsn == "postgresql:///credential"
    monkeypatch.setenv("BELLHAND_DSN", "postgresql:///environment")
    assert load(config).dsn == "postgresql:///environment"


@pytest.mark.parametrize("name", ["dns", "status.tokn"])
def test_a_name_that_is_no_setting_is_refused_by_its_name(folder: Path, name: str) -> None:
    (folder / f"bellhand_{name}").write_text("secret-value")
    with pytest.raises(SettingsError) as caught:
        load()
    assert f"the credential {name}" in str(caught.value)
    assert "secret-value" not in f"{caught.value} {caught.value.why}"


def test_by_hand_the_folder_beside_the_configuration_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("BELLHAND_DSN", raising=False)
    config = tmp_path / "config.toml"
    config.write_text("[worker]\nconcurrency = 3\n")
    assert load(config).dsn == "postgresql:///bellhand"
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/dsn").write_text("postgresql://u:hunter22@db/jobs")
    assert load(config).dsn == "postgresql://u:hunter22@db/jobs"
    assert main(["--config", str(config), "check", "--print-config"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("dsn"))
    assert line.endswith("# credential")
    assert "hunter22" not in line


def test_what_is_no_file_is_told(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as odd:
        odd.bind(str(folder / "bellhand_dsn"))
        with pytest.raises(SettingsError, match="cannot be read"):
            load()
