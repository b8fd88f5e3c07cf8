"""Secrets in files of their own, as systemd hands them over and as they stand beside the configuration."""

import json
import os
import socket
from pathlib import Path

import pytest

import isolated_handlers
from attempts import hands_for, result
from bellhand.cli.app import main
from bellhand.isolate.hide import can_hide
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


async def test_an_isolated_handler_sees_neither_the_secrets_of_the_service_nor_the_daemon_s_memory(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S29: it runs as the daemon's user, who may read what systemd handed over, and the daemon's environment and memory."""
    if not can_hide():
        pytest.skip("this kernel has no Landlock")
    folder, other = (
        tmp_path / "run/credentials" / f"{name}.service" for name in ("bellhand", "other")
    )
    for made in (folder, other):
        made.mkdir(parents=True)
        (made / "bellhand_dsn").write_text("postgresql://u:secret@h/d")
    (tmp_path / "there").mkdir()  # what comes to lie beside the way later is hidden too
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    monkeypatch.setenv(isolated_handlers.NOTES, str(tmp_path))
    async with hands_for(dsn, isolated_handlers.peek) as hands:
        await hands.enqueue("i.peek", json.dumps({"what": str(folder)}))
        came = result(await hands.work())
    free = {"move", "program", "system"}
    if os.geteuid() == 0:  # may look at any process's, without tracing it
        free.add("environment")
    assert {name for name, error in came.items() if not error} == free, came
