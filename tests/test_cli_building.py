"""Something to begin with: a configuration, a handler, a run without a queue; and looks again and again."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
import signal
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from bellhand import __version__
from bellhand.cli.context import Database
from bellhand.cli.tour import OBJECTIVES, Tour
from bellhand.settings import Settings
from commands import Bellhand, bare, bellhand, process

pytestmark = (
    pytest.mark.slow
)  # starts processes one after another; what they ask of Postgres others ask on each version

Process = Callable[..., subprocess.Popen[str]]


def test_init_writes_every_setting_and_nothing_over_what_is_there(
    bellhand: Bellhand, tmp_path: Path
) -> None:
    assert bellhand.ok("init").out == "config.toml\n"
    text = (tmp_path / "config.toml").read_text()
    assert Settings.model_validate(tomllib.loads(text)) == Settings()
    again = bellhand("init")
    assert (again.code, "config.toml could not be written" in again.err) == (1, True)
    assert (tmp_path / "config.toml").read_text() == text


def test_a_new_handler_runs_without_a_queue_and_its_test_passes(
    bare: None, process: Process, tmp_path: Path
) -> None:
    """In processes of their own: what runs a handler there starts a database of its own."""

    def said(*words: str) -> tuple[int, str, str]:
        program = process(*words)
        out, err = program.communicate(timeout=60)
        return program.returncode, out, err

    code, out, err = said("new", "handler", "shop.count_all")
    assert (code, out) == (0, "shop.py\ntest_shop.py\n"), err
    assert "bellhand exec shop.count_all --module shop" in err
    assert said("new", "handler", "shop.other")[0] == 1, "what is there stays"
    assert said("new", "handler", "../x")[0] == 2
    compile((tmp_path / "test_shop.py").read_text(), "test_shop.py", "exec")
    # As `bellhand repro` writes it; the pages of the documentation run one with a payload that is typed.
    job = {"kind": "shop.count_all", "payload": {"items": ["a", "b"]}, "redacted": [], "versions": {"bellhand": __version__}}  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    code, out, err = said("exec", "--job-file", "job.json", "--module", "shop", "--really", "--json")  # fmt: skip
    assert code == 0, err
    done = json.loads(out)
    assert (done["state"], done["result"], done["counters"]) == ("completed", {"done": ["A", "B"]}, {"items": 2})  # fmt: skip
    assert [step["name"] for step in done["steps"]] == ["item a", "item b"]
    code, _, err = said("exec", "shop.count_al", "--module", "shop")
    assert (code, "did you mean shop.count_all?" in err) == (3, True)


def test_jobs_are_reprioritized_and_the_audit_says_by_whom(bellhand: Bellhand) -> None:
    bellhand.kind()
    job, over = bellhand.job(), bellhand.over("completed")
    said = bellhand("reprioritize", str(job), str(over), "--priority", "9")
    assert (said.code, said.out) == (1, f"{job}  priority 9\n")
    assert bellhand.ok("show", str(job), "--json", "priority").json == {"priority": 9}
    bellhand.ok("pause", str(job))
    (event,) = bellhand.ok("audit", str(job), "--type", "paused", "--json").json
    assert event["actor"].startswith("cli:")
    assert "paused" in bellhand.ok("audit", "--actor", event["actor"]).out
    assert bellhand.ok("audit", "--type", "nothing").out == ""


def test_stats_are_what_the_workers_counted(bellhand: Bellhand) -> None:
    bellhand.kind()
    bellhand.sql("insert into bellhand.stats (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram) "
                 "values (date_trunc('minute', now()), 'a', 'completed', gen_random_uuid(), 3, 6, 12, '{}'), "
                 "(date_trunc('minute', now()), 'a', 'fail', gen_random_uuid(), 1, 2, 4, '{}')")  # fmt: skip
    assert {row["outcome"]: row["jobs"] for row in bellhand.ok("stats", "--json").json} == {"completed": 3, "failed": 1}  # fmt: skip
    (line,) = bellhand.ok("stats").out.splitlines()[1:]
    assert line.split("ago")[1].split() == ["3", "1", "0", "0", "2.0", "s", "4.0", "s"]
    assert bellhand("stats", "--every", "10s").code == 2
    assert bellhand.ok("stats", "--kind", "b").out == ""


def test_a_list_is_watched_until_ctrl_c(bellhand: Bellhand, process: Process) -> None:
    bellhand.kind()
    job = bellhand.job()
    watching = process("list", "--watch", "--format", "{id} {state}")
    assert watching.stdout is not None
    assert watching.stdout.readline() == f"{job} pending\n"
    bellhand.ok("pause", str(job))
    assert watching.stdout.readline() == f"{job} paused\n"
    watching.send_signal(signal.SIGINT)
    assert watching.wait(40) == 130


def test_the_tour_ticks_off_what_has_really_happened(
    bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bellhand.cli.tour.LOOKS_APART_SECONDS", 0.0)
    for kind in ("demo.x", "own.kind"):
        bellhand.kind(kind)
    watching: list[int] = []

    async def walk() -> None:
        connection = await asyncpg.connect(bellhand.dsn, timeout=10)
        database = Database(connection, 10)
        try:
            tour = Tour(database, ["own.kind"], "bellhand", "http://h/", lambda: len(watching))
            await tour.begin()
            await tour.look()
            assert tour.done == set()
            await asyncio.to_thread(bellhand.job, "demo.x", source="schedule")
            job = await asyncio.to_thread(bellhand.job, "demo.x", source="cli")
            await tour.look()
            assert tour.done == {"queued"}
            watching.append(1)
            await tour.look()
            watching.clear()
            await asyncio.to_thread(bellhand.ok, "cancel", str(job))
            await tour.look()
            await asyncio.to_thread(bellhand.ok, "retry", str(job))
            again = Tour(database, ["own.kind"], "bellhand", "http://h/", lambda: 0)
            await again.begin()  # as after a kill: what was done stays done
            assert again.done == {"queued", "watched", "cancelled", "retried"}
            saved = await asyncio.to_thread(bellhand.over, "completed", kind="demo.x")
            await again.look()
            assert len(again.done) == 4, "that one never lost its worker"
            await connection.execute("update bellhand.history set crashes = 1 where id = $1", saved)
            await asyncio.to_thread(bellhand.over, "completed", kind="own.kind")
            await again.look()
            assert again.done == set(OBJECTIVES)
            await tour.begin()
            assert tour.done == set(), "who has been to its end begins anew"
        finally:
            await connection.close(timeout=5)

    asyncio.run(walk())
