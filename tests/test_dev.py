"""`bellhand dev` and `bellhand run` as processes: what starts, what it shows, how it ends."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import signal
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from bellhand.cli.dev_hints import LEADS, SEO, _tries
from bellhand.dev.postgres import dsn_of
from commands import PROCESS_SECONDS, Bellhand, bare, bellhand, process

Process = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where development keeps its things in this test."""
    home = tmp_path_factory.mktemp("development")
    monkeypatch.setenv("BELLHAND_DEV_DIR", str(home))
    monkeypatch.setenv("BELLHAND_STATUS__PORT", "0")
    # Nobody answers there, and tests ask nobody else.
    monkeypatch.setenv("BELLHAND_WEB__DNS_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("BELLHAND_WEB__DNS_SECONDS_MAX", "0.2")
    return home


@pytest.fixture
def program(
    bare: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path
) -> Bellhand:
    """The program without a configured database."""
    return Bellhand("", capsys, monkeypatch)


def wait_for_line(program: subprocess.Popen[str], word: str) -> list[str]:
    """What it prints up to the line with `word`."""
    assert program.stdout
    lines = []
    for line in program.stdout:
        lines.append(line)
        if word in line:
            return lines
    raise AssertionError(f"no {word!r} in:\n{''.join(lines)}")


@pytest.mark.timeout(120)
def test_one_command_shows_a_database_a_daemon_and_every_sort_of_ending(
    program: Bellhand, process: Process, home: Path
) -> None:
    run = process("dev", "--until-demo-done")
    started = wait_for_line(run, "Ctrl-C")
    for part in ("postgres", "schema", "handlers", "worker", "demo"):
        assert any(f"✓ {part}" in line for line in started), started
    program.dsn = program.ok("env", "--dsn").out.strip()
    assert program.dsn == dsn_of(home / "postgres")
    greeting = program.ok("enqueue", "demo.greet", "name=Ada", "-q").out.strip()
    refused = program("dev")
    assert refused.code == 78
    assert "development runs already" in refused.err
    assert program("wait", greeting, "--timeout", "20s").code == 0
    assert program.ok("show", greeting, "--json", "result").json == {
        "result": {"said": "Hello, Ada!"}
    }
    out, err = run.communicate(timeout=PROCESS_SECONDS)
    assert (run.returncode, err) == (0, ""), out + err
    endings = {
        line.split()[2]: line for line in out.splitlines() if line.startswith(("✓", "✗", "!"))
    }
    assert "completed  attempt 2  1800 sales" in endings["demo.report"]
    assert "partial  3 letters" in endings["demo.letters"]
    assert "completed" in endings["demo.summary"]
    assert "3 pages_read  3 emails_found" in endings["sites.emails"]
    assert "2 socials_found" in endings["sites.socials"]
    assert "\x1b" not in out
    # It has all stopped: nobody has a database any more.
    assert dsn_of(home / "postgres") is None
    assert program.ok("env", "--dsn").out == "postgresql:///bellhand\n"


@pytest.mark.timeout(120)
def test_ctrl_c_stops_development_and_its_data_is_there_the_next_time(
    program: Bellhand, process: Process, home: Path
) -> None:
    run = process("dev", "--no-demo")
    wait_for_line(run, "Ctrl-C")
    job = program.ok("enqueue", "demo.greet", "--run-at", "1d", "-q").out.strip()
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=PROCESS_SECONDS)
    assert (run.returncode, out.splitlines()[-1], err) == (0, "stopped", "")
    assert dsn_of(home / "postgres") is None
    run = process("dev", "--no-demo", "--for-seconds", "3")
    started = wait_for_line(run, "Ctrl-C")
    assert any("up to date" in line for line in started)
    assert program.ok("list", "-q").out.split()[-1] == job
    out, err = run.communicate(timeout=PROCESS_SECONDS)
    assert (run.returncode, err) == (0, "")


def test_development_leaves_databases_alone_that_are_not_its_own(
    bellhand: Bellhand, home: Path
) -> None:
    bellhand.kind()
    job = bellhand.job()
    said = bellhand("dev", "--for-seconds", "1")
    assert said.code == 78
    assert "holds jobs already" in said.err
    bellhand.sql("delete from bellhand.jobs")
    bellhand.sql("insert into bellhand.meta values ('mode', 'production')")
    said = bellhand("dev", "--for-seconds", "1")
    assert said.code == 78
    assert "its mode is 'production'" in said.err
    assert job


def test_run_serves_until_it_is_told_to_stop(
    bare: None, dsn: str, process: Process, tmp_path: Path
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(f"dsn = '{dsn}'\nmodules = []\n[status]\nport = 0\n[log]\nformat = 'json'\n")
    run = process("run", "--config", str(config))
    (*_, ready) = wait_for_line(run, '"ready"')
    port = ready.partition('"status_port":')[2].split("}")[0].split(",")[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz?verbose", timeout=10) as answer:
        assert b"[+]worker ok" in answer.read()
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=PROCESS_SECONDS)
    assert (run.returncode, err) == (0, ""), out
    assert '"stopped"' in out


def test_run_ends_78_when_only_a_person_can_help(
    bare: None, empty_dsn: str, process: Process, tmp_path: Path
) -> None:
    cases = {
        ("run", "--dsn", empty_dsn): "bellhand migrate",
        ("run", "--dsn", "nonsense"): "DSN",
    }
    (tmp_path / "config.toml").write_text("modules = []\n[status]\nport = 0\n")
    for words, fix in cases.items():
        run = process(*words)
        _, err = run.communicate(timeout=PROCESS_SECONDS)
        assert run.returncode == 78, err
        assert fix in err
        assert "Traceback" not in err


def test_without_a_demo_no_crawl_of_its_site_is_proposed() -> None:
    """It read http://127.0.0.1:None/."""
    assert set(_tries((LEADS, SEO), "bellhand", 7)) == {"Try", "Crawl"}
    assert set(_tries((LEADS, SEO), "bellhand", None)) == {"Try"}
