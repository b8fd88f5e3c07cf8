"""Settings: three sources in their order, and every mistake answered with its place."""

import os
import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from bellhand.settings import Settings, load
from bellhand.settings_errors import SettingsError
from support import ROOT

EXAMPLE = ROOT / "config.example.toml"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration from where the tests run."""
    for name in list(os.environ):
        if name.startswith("BELLHAND_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def refused(tmp_path: Path, text: str) -> SettingsError:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(file)
    return caught.value


def plain(settings: Settings) -> dict[str, object]:
    return settings.model_dump(mode="json")


def test_an_argument_beats_the_environment_which_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text(
        "dsn = 'file'\n[worker]\nconcurrency = 1\nthreads = 1\nclaim_batch_max = 1\n"
    )
    monkeypatch.setenv("BELLHAND_WORKER__THREADS", "2")
    monkeypatch.setenv("BELLHAND_WORKER__CLAIM_BATCH_MAX", "2")
    settings = load(worker={"claim_batch_max": 3})
    worker = settings.worker
    assert (worker.concurrency, worker.threads, worker.claim_batch_max) == (1, 2, 3)
    assert settings.dsn == "file"
    assert worker.lease_seconds == 30, "what nobody set keeps its default"


def test_the_environment_takes_lists_and_sections_with_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BELLHAND_MODULES", "acme.jobs, bellhand.families.sites")
    monkeypatch.setenv("BELLHAND_WORKER__LANES", '["sites"]')
    monkeypatch.setenv("BELLHAND_WEB__PORTS", "80,8080")
    monkeypatch.setenv("BELLHAND_LANES__SITES__CONCURRENCY", "4")
    settings = load()
    assert settings.modules == ("acme.jobs", "bellhand.families.sites")
    assert settings.worker.lanes == ("sites",)
    assert settings.web.ports == (80, 8080)
    assert settings.lanes["sites"].concurrency == 4


def test_bellhand_config_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text("dsn = 'other'")
    monkeypatch.setenv("BELLHAND_CONFIG", str(tmp_path / "other.toml"))
    assert load().dsn == "other"
    monkeypatch.setenv("BELLHAND_CONFIG", "missing.toml")
    with pytest.raises(SettingsError, match=r"no file missing\.toml"):
        load()


def test_settings_cannot_be_changed() -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.worker.concurrency = 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[worker]\n\nconcurency = 3",
            'line 3: [worker] concurency is not a setting; did you mean "concurrency"?',
        ),
        ("[wroker]\nthreads = 3", 'line 1: wroker is not a setting; did you mean "worker"?'),
        (
            "heartbeat_secs = 3",
            "line 1: heartbeat_secs is not a setting; did you mean [worker] heartbeat_seconds?",
        ),
        (
            "[lanes.seo]\nconcurency = 2",
            'line 2: [lanes.seo] concurency is not a setting; did you mean "concurrency"?',
        ),
        (
            "[log]\ncolour = 'red'",
            "line 2: [log] colour is not a setting; there is format, level",
        ),
        (
            "worker.concurrency = 'many'",
            "line 1: [worker] concurrency: Input should be a valid int",
        ),
        (
            "[worker]\nconcurrency = 0",
            "line 2: [worker] concurrency: Input should be greater than 0",
        ),
        (
            "[worker]\nlease_seconds = 10",
            "line 2: [worker]: lease_seconds (10) must be at least 3 times",
        ),
        ("[lanes.slow]\nrate_per_second = 1e-320", "line 2: [lanes.slow] rate_per_second"),
        ("[lanes.slow]\nrate_per_second = inf", "line 2: [lanes.slow] rate_per_second"),
        ("[database]\nlock_seconds = 60", "line 2: [database]: lock_seconds must be less than"),
        ("[status]\nhost = '0.0.0.0'", "line 2: [status]: host '0.0.0.0' lets other machines in"),
        ("[status]\ntoken = 'x'", "line 2: [status] token: a token has at least 16 characters"),
        (
            "[web]\nallow_networks = ['10.0.0.1/8']",
            "line 2: [web] allow_networks: 10.0.0.1/8 has host",
        ),
        ("[web]\nports = [80, 99999]", "line 2: [web] ports: Input should be less than or equal"),
        (
            "[schedules.a]\nkind = 'k'\ncron = 'at noon'",
            "line 3: [schedules.a] cron: cron expression 'at noon' does not parse",
        ),
        (
            "[schedules.a]\nkind = 'k'\ncron = '@daily'\ntimezone = 'Europe/Berln'",
            "line 4: [schedules.a] timezone: unknown time zone 'Europe/Berln'; did you mean Europe/Berlin?",
        ),
        ("[schedules.a]\nkind = 'k'", "line 1: [schedules.a] cron: Field required"),
        ("\n[lane.seo]\nconcurrency = 2", 'line 2: lane is not a setting; did you mean "lanes"?'),
        ("\n[[schedules]]\ncron = '@daily'", "line 2: [schedules]: Input should be"),
        (
            "[notify.subscriptions.f]\nchannel = 'x'\non = ['failed']",
            "line 1: [notify]: subscription f names channel x",
        ),
        ("[metrics]\nport = 7700", "line 2: metrics.port is 7700, and so is status.port"),
        ("dsn = nonsense", "is not TOML"),
    ],
)
def test_a_mistake_is_answered_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    problem = refused(tmp_path, text)
    assert said in problem.what
    assert str(tmp_path / "config.toml") in problem.what
    assert problem.why
    assert problem.fix
    assert problem.exit_code == 78


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    problem = refused(tmp_path, "dns = 'x'\n[log]\nlevel = 'loud'\n")
    assert len(problem.what.splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "BELLHAND_WORKER__CONCURENCY",
            "3",
            "CONCURENCY is not a setting; did you mean BELLHAND_WORKER__CONCURRENCY?",
        ),
        (
            "BELLHAND_WROKER__THREADS",
            "3",
            "BELLHAND_WROKER__THREADS sets nothing; did you mean BELLHAND_WORKER__THREADS?",
        ),
        ("BELLHAND_STATUS_PORT", "80", "did you mean BELLHAND_STATUS__PORT?"),
        ("BELLHAND_DNS", "x", "BELLHAND_DNS sets nothing; did you mean BELLHAND_DSN?"),
        (
            "BELLHAND_STATUS__HOST",
            "0.0.0.0",
            "the variable BELLHAND_STATUS__HOST: host '0.0.0.0' lets",
        ),
        ("BELLHAND_WORKER__THREADS", "x", "the variable BELLHAND_WORKER__THREADS: Input should be"),
        ("BELLHAND_WORKER__LANES", "[", "a list is written"),
        ("BELLHAND_LANES", "3", "BELLHAND_LANES"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert said in caught.value.what


def test_secrets_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLHAND_DSN", "postgresql://me:hunter2@db/x")
    monkeypatch.setenv("BELLHAND_STATUS__TOKEN", "hunter2-hunter2-hunter2")
    assert "hunter2" not in repr(load()) + str(load())
    monkeypatch.setenv("BELLHAND_STATUS__TOKEN", "hunter2")
    monkeypatch.setenv("BELLHAND_WORKER__THREADS", "hunter2")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_no_token(host: str) -> None:
    assert load(status={"host": host}).status.token is None


def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes makes some of the names of services, and a shell script has its own."""
    for name, value in {
        "BELLHAND_STATUS_PORT": "tcp://10.0.0.1:80", "BELLHAND_PORT": "80", "BELLHAND_SERVICE_HOST": "10.0.0.1",
        "BELLHAND_DSN_OLD": "x", "BELLHAND_TEST_DSN": "x",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert load() == Settings()


def test_metrics_for_other_machines_need_the_token_too(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[metrics]\nhost = '0.0.0.0'\nport = 7701")
    with pytest.raises(SettingsError) as caught:
        load(file)
    said = "line 2: metrics.host '0.0.0.0' lets other machines in, which needs a token"
    assert said in str(caught.value)
    file.write_text(file.read_text() + "\n[status]\ntoken = '0123456789abcdef'")
    assert load(file).metrics.port == 7701


def test_other_machines_get_in_with_a_token() -> None:
    assert load(status={"host": "0.0.0.0", "token": "x" * 32}).status.host == "0.0.0.0"


# The example is a contract: it says all there is, and changes nothing when used as it is.


def uncommented() -> str:
    """The example with the settings that are commented out put in force."""
    return re.sub(r"^# (?=\[|[a-z_]+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)


def test_the_example_changes_nothing() -> None:
    assert plain(load(EXAMPLE)) == plain(load())


def test_the_example_can_be_used_with_everything_switched_on(tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text(uncommented())
    settings = load(tmp_path / "all.toml")
    assert settings.lanes["sites"].rate_burst == 1
    assert settings.schedules["nightly"].missed == "latest"
    assert settings.status.token


def test_the_example_has_every_setting_and_no_other() -> None:
    said = tomllib.loads(uncommented())

    def compare(model: type[BaseModel], part: dict[str, object], where: str) -> None:
        assert set(part) == set(model.model_fields), where
        for name, field in model.model_fields.items():
            value = part[name]
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                assert isinstance(value, dict)
                compare(field.annotation, value, name)

    compare(Settings, said, "the top")
    lanes, schedules = said["lanes"], said["schedules"]
    compare(Settings.model_fields["lanes"].annotation.__args__[1], lanes["sites"], "lanes")
    compare(Settings.model_fields["schedules"].annotation.__args__[1], schedules["nightly"], "cron")


def test_the_example_says_what_each_setting_is_for_in_one_sentence() -> None:
    lines = EXAMPLE.read_text().splitlines()
    for before, line in pairwise(lines):
        if re.match(r"(# )?[a-z_]+ = ", line):
            assert re.fullmatch(r"# [A-Z1\"].*[.]", before), f"no sentence above {line!r}"
