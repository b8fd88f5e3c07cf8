"""Getting ready: migrate, check, env, kinds, version; and how errors look."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
import uuid
from pathlib import Path

import pytest

from bellhand import __version__
from bellhand.cli.configured import for_the_service
from bellhand.dev.state import DevState
from bellhand.errors import Problem
from commands import Bellhand, bare, bellhand

HANDLERS = '''
from bellhand import Job, job_kind

@job_kind("mine.work")
async def work(args: dict, job: Job) -> None:
    """Does it."""
'''


@pytest.fixture
def program(
    bare: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Bellhand:
    """The program without a database."""
    return Bellhand("", capsys, monkeypatch)


def test_help_is_there_for_everything(program: Bellhand) -> None:
    said = program.ok("--help")
    for word in ("enqueue", "status", "--dsn", "Exit codes"):
        assert word in said.out
    assert program.ok().out == said.out
    for command in ("list", "enqueue", "watch", "kinds", "check", "dev", "bench"):
        assert program.ok(command, "--help").out.startswith("Usage: bellhand " + command)
    assert program.ok("--version").out.strip() == __version__
    assert program.ok("version", "--json").json["bellhand"] == __version__


def test_a_wrong_word_is_answered_with_the_one_that_was_meant(program: Bellhand) -> None:
    for words, meant in ((("lst",), "list"), (("list", "--stat", "x"), "--state")):
        said = program(*words)
        assert (said.code, said.out) == (2, "")
        assert f"did you mean {meant}?" in said.err.replace('"', "")
    said = program("enqueue", "--json")
    assert said.code == 2
    assert json.loads(said.err)["exit_code"] == 2
    assert program("list", "extra").code == 2


def test_a_database_that_is_away_is_75_and_one_that_is_wrong_is_78(
    bellhand: Bellhand, empty_dsn: str
) -> None:
    away = bellhand("list", "--dsn", "postgresql://127.0.0.1:1/x")
    assert away.code == 75
    assert away.err.splitlines()[0] == "error: the database cannot be reached"
    assert away.err.splitlines()[1].startswith("why:   ConnectionRefusedError")
    unknown = bellhand("list", "--json", "--dsn", bellhand.dsn.replace("/bellhand_", "/nowhere_"))
    assert unknown.code == 78
    assert "does not exist" in json.loads(unknown.err)["why"]
    for dsn in ("nonsense", "postgresql://h:port/x", ""):
        assert bellhand("list", "--dsn", dsn).code in (78, 2), dsn
    bare = bellhand("status", "--dsn", empty_dsn)
    assert bare.code == 78
    assert "bellhand migrate" in bare.err


def test_migrate_tells_what_it_would_do_then_does_it(bellhand: Bellhand, empty_dsn: str) -> None:
    script = bellhand.ok("migrate", "sql", "--all").out
    assert "create table bellhand.jobs" in script
    pending = bellhand.ok("migrate", "--dry-run", "--dsn", empty_dsn).out.splitlines()
    assert pending[0] == "migrations/0001_core.sql"
    said = bellhand.ok("migrate", "--dsn", empty_dsn)
    assert said.out.splitlines() == pending
    assert said.err == f"{len(pending)} applied\n"
    assert bellhand.ok("migrate", "--dsn", empty_dsn, "--json").json == {"applied": []}


def test_migrate_finds_the_database_that_every_other_command_does(
    program: Bellhand, empty_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELLHAND_DEV_DIR", str(tmp_path / "dev"))
    with DevState(tmp_path / "dev") as state:
        state.publish(empty_dsn)
        pending = program.ok("migrate", "--dry-run", "-q").out
        assert program.ok("migrate", "-q").out == pending


def test_check_goes_through_its_layers_and_ends_78_when_one_is_unfit(
    bellhand: Bellhand, empty_dsn: str, tmp_path: Path
) -> None:
    said = bellhand.ok("check")
    layers = [line[0] for line in said.words]
    assert layers == ["config", "handlers", "services", "postgres", "schema", "bell"]
    found = bellhand("check", "--dsn", empty_dsn, "--json")
    assert found.code == 78
    assert [one["level"] for one in found.json] == ["ok", "ok", "ok", "ok", "error", "ok"]
    assert found.json[4]["fix"] == "run: bellhand migrate"
    assert bellhand("check", "--dsn", "postgresql://127.0.0.1:1/x").code == 75
    assert bellhand("check", "--dsn", "postgresql://127.0.0.1:1/x", "--no-environment").code == 0
    config = tmp_path / "config.toml"
    config.write_text("[worker]\nconcurency = 2\n")
    said = bellhand("check")
    assert said.code == 78
    assert 'did you mean "concurrency"?' in said.out
    config.write_text("modules = ['nowhere']\n")
    said = bellhand("check")
    assert said.code == 78
    assert "No module named 'nowhere'" in said.out
    config.write_text("[schedules.x]\ncron = '* * * * *'\nkind = 'unheard.of'\n")
    said = bellhand("check")
    assert said.code == 78
    assert "line 3: schedule x enqueues unheard.of" in said.out


def test_check_names_the_role_that_may_not_and_the_program_that_is_too_old(
    bellhand: Bellhand,
) -> None:
    role = f"plain_{uuid.uuid4().hex[:8]}"
    bellhand.sql(f"create role {role} login")
    try:
        dsn = bellhand.dsn.replace("user=postgres", f"user={role}")
        said = bellhand("check", "--dsn", dsn)
        assert (said.code, f'grant bellhand_worker to "{role}"' in said.out) == (78, True), said.out
        refused = bellhand("list", "--dsn", dsn)
        assert (refused.code, f'grant bellhand_worker to "{role}"' in refused.err) == (78, True), refused.err  # fmt: skip
    finally:
        bellhand.sql(f"drop role {role}")
    bellhand.sql("update bellhand.migrations set version = '99.0', tolerates = '99.0', checksum = 'x' where name like '%0001_core%'")  # fmt: skip
    said = bellhand("check")
    assert (said.code, "the schema is newer than this program" in said.out) == (78, True), said.out
    assert "run bellhand 99.0 or newer" in said.out


def test_check_finds_what_would_go_wrong_at_night(bellhand: Bellhand, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    head = "modules = ['bellhand.families.sites']\n[schedules.x]\ncron = '0 3 * * *'\n"
    for rest, why in (
        ("kind = 'sites.revalidat'", "line 4: schedule x enqueues sites.revalidat"),
        ("kind = 'sites.revalidat'", "did you mean sites.revalidate?"),
        (
            "kind = 'sites.revalidate'\npayload = { older_than_day = 3 }",
            "line 5: the payload of schedule x does not fit sites.revalidate",
        ),
    ):
        config.write_text(head + rest)
        said = bellhand("check", "--no-environment")
        assert (said.code, why in said.out) == (78, True), said.out
    config.write_text("[notify.channels.ops]\nkind = 'slack'\nurl_file = 'nothing'\n")
    said = bellhand("check", "--no-environment")
    assert (said.code, "[notify.channels.ops] url_file cannot be read" in said.out) == (78, True)
    config.chmod(0o600)
    with pytest.raises(Problem, match="cannot be read by nobody, whom the service runs as"):
        for_the_service(config, "nobody")
    for_the_service(Path("/etc/passwd"), "nobody")
    config.write_text(f"[services.serpapi]\nkey_file = '{tmp_path / 'nothing'}'\n")
    said = bellhand("doctor")
    assert said.code == 1
    assert "the key of serpapi cannot be read" in said.out
    (tmp_path / "nothing").write_text("a key\n")
    assert "serpapi; not set up, so that jobs which need them wait: places, openai, stripe, mail" in bellhand.ok("check").out  # fmt: skip


def test_check_shows_where_each_setting_is_from_and_no_secret(
    program: Bellhand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(
        "dsn = 'postgresql://u:hush@h/d'\n[worker]\nthreads = 3\n[lanes.slow]\nconcurrency = 1\n"
    )
    monkeypatch.setenv("BELLHAND_STATUS__TOKEN", "hushhushhushhush")
    found = program.ok("check", "--print-config", "--config", str(config), "--json").json
    assert found["dsn"] == {"value": "postgresql://u:********@h/d", "origin": f"{config}:1"}
    assert found["worker.threads"] == {"value": "3", "origin": f"{config}:3"}
    assert found["lanes.slow.concurrency"]["origin"] == f"{config}:5"
    assert found["status.token"] == {"value": "********", "origin": "BELLHAND_STATUS__TOKEN"}
    assert found["worker.concurrency"] == {"value": "64", "origin": "default"}
    said = program.ok("check", "--print-config", "--dsn", "postgresql://u:hush@h/d?password=hush")
    assert "hush@" not in said.out
    assert "=hush" not in said.out
    assert "# --dsn" in said.out


def test_env_prints_what_can_be_set(bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bellhand.ok("env", "--dsn").out == bellhand.dsn + "\n"
    assert bellhand.ok("env", "--json").json["BELLHAND_WORKER__CONCURRENCY"] == "64"
    assert "BELLHAND_WORKER__CONCURRENCY=64\n" in bellhand.ok("env").out


def test_kinds_are_published_listed_and_explained(bellhand: Bellhand, tmp_path: Path) -> None:
    (tmp_path / "mine_jobs.py").write_text(HANDLERS)
    (tmp_path / "config.toml").write_text("modules = ['mine_jobs', 'bellhand.families.sites', 'bellhand.families.leads']\n")  # fmt: skip
    assert "no kinds yet" in bellhand.ok("kinds").err
    assert bellhand("enqueue", "mine.work").code == 2
    assert "mine.work" in bellhand.ok("kinds", "publish").out
    assert "Does it." in bellhand.ok("kinds").out
    assert "business_id" in bellhand.ok("kinds", "sites.validate").out
    shown = bellhand.ok("kinds", "leads.collect").out
    assert "array or string required" in shown
    assert "try it: bellhand enqueue leads.collect 'services=Web Development,SEO'" in shown
    assert bellhand.ok("enqueue", "mine.work").code == 0
    said = bellhand("kinds", "mine.wrk")
    assert said.code == 3
    assert "did you mean mine.work?" in said.err


def test_status_and_schedules_speak_of_an_empty_database_too(bellhand: Bellhand) -> None:
    said = bellhand.ok("status")
    assert "no daemon runs" in said.out
    assert "default" in said.out
    assert "no schedules" in bellhand.ok("schedules").err
    bellhand.sql(
        "insert into bellhand.schedules (name, cron, kind, next_at) "
        "values ('nightly', '0 3 * * *', 'a', now() + interval '90 minutes')"
    )
    assert "nightly" in bellhand.ok("schedules").out
    assert bellhand.ok("schedules", "--json").json[0]["cron"] == "0 3 * * *"
    assert "next schedule: nightly in 1 h" in bellhand.ok("status").out


def test_status_counts_what_waits_and_what_runs(bellhand: Bellhand) -> None:
    bellhand.kind()
    bellhand.running()
    bellhand.job()
    bellhand.job()
    (lane,) = bellhand.ok("status", "--json").json["lanes"]
    assert (lane["pending"], lane["running"]) == (2, 1)
    assert "0/1 busy" in bellhand.ok("status").out


def test_colours_are_for_those_who_want_them(
    bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch
) -> None:
    bellhand.kind()
    bellhand.over("failed")
    assert "\x1b" not in bellhand.ok("list").out
    monkeypatch.setenv("CLICOLOR_FORCE", "1")
    assert "\x1b[31mfailed\x1b[0m" in bellhand.ok("list").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in bellhand.ok("list").out
