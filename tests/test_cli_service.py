"""Health, logs, completion, top, lanes and schedules on the command line."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import asyncio
import json
import os
import pty
import shutil
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from bellhand.cli.top import picture
from commands import Bellhand, Said, bare, bellhand
from daemons import at_work
from process_handlers import nap
from support import ROOT


async def test_health_is_what_readyz_says(
    bellhand: Bellhand, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(dsn, nap) as daemon:
        monkeypatch.setenv("BELLHAND_STATUS__PORT", str(daemon.status.port))
        ready = await asyncio.to_thread(bellhand, "health", "--ready")
        assert (ready.code, len(ready.out.splitlines())) == (0, 1), ready
        daemon.worker.stopping = True
        draining = await asyncio.to_thread(bellhand, "health", "--json")
        assert (draining.code, draining.json["status"], draining.json["ok"]) == (1, 503, False)
        assert (await asyncio.to_thread(bellhand, "health", "--live")).code == 0
        daemon.worker.stopping = False
    assert (await asyncio.to_thread(bellhand, "health", "--live", "--ready")).code == 2
    gone = await asyncio.to_thread(bellhand, "health")
    assert gone.code == 1
    assert "no answer from 127.0.0.1" in gone.out


def test_a_lane_is_limited_at_once_unless_the_configuration_does(bellhand: Bellhand) -> None:
    bellhand.kind("a", "slow")
    said = bellhand.ok("lane", "limit", "slow", "--concurrency", "4", "--rate", "2.5").out
    assert said == "lane slow limited: concurrency 4, rate_per_second 2.5\n"
    (row,) = bellhand.sql("select concurrency, rate_per_second from bellhand.lanes where name = 'slow'")  # fmt: skip
    assert (row[0], row[1]) == (4, 2.5)
    bellhand.ok("lane", "limit", "slow", "--concurrency", "none")
    assert bellhand.sql("select concurrency from bellhand.lanes where name = 'slow'")[0][0] is None
    bellhand.ok("lane", "pause", "slow", "--reason", "the cat")
    assert "paused: the cat" in bellhand.ok("status").out
    told = bellhand.ok("lane", "pause", "slow", "--for", "2h", "--json").json
    ((left,),) = bellhand.sql("select paused_until - bellhand.now() from bellhand.lanes where name = 'slow'")  # fmt: skip
    assert 7100 < left.total_seconds() <= 7200, told
    assert "paused until" in bellhand.ok("lanes").out
    bellhand.ok("lane", "pause", "slow", "--until", "2999-01-31T12:00Z")
    assert bellhand("lane", "pause", "slow", "--until", "2020-01-31T12:00").code == 2
    assert bellhand("lane", "pause", "slow", "--until", "2999-01-31", "--for", "2h").code == 2
    bellhand.ok("lane", "resume", "slow")
    for words, code in ((("slow",), 2), (("slow", "--rate", "-1"), 2), (("slwo", "--rate", "1"), 3)):  # fmt: skip
        assert bellhand("lane", "limit", *words).code == code, words
    bellhand.sql("update bellhand.lanes set source = 'config' where name = 'slow'")
    refused = bellhand("lane", "limit", "slow", "--rate", "1")
    assert (refused.code, "[lanes.slow]" in refused.err) == (1, True), refused
    event, *_ = bellhand.sql("select actor from bellhand.events where type = 'lane_paused'")
    assert event[0].startswith("cli:")


def test_a_schedule_is_run_paused_and_resumed(bellhand: Bellhand) -> None:
    bellhand.kind("a")
    bellhand.sql("insert into bellhand.schedules (name, cron, kind, payload) values ('nightly', '0 3 * * *', 'a', '{\"x\": 1}')")  # fmt: skip
    made = bellhand.ok("schedule", "run", "nightly", "--json").json
    job = bellhand.ok("show", str(made["id"]), "--json").json
    assert (job["kind"], job["payload"]) == ("a", {"x": 1})
    bellhand.ok("schedule", "pause", "nightly", "--reason", "holidays")
    assert "paused" in bellhand.ok("schedule").out
    bellhand.ok("schedule", "resume", "nightly")
    assert "paused" not in bellhand.ok("schedules").out
    assert bellhand("schedule", "run", "nihgtly").code == 3


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_completes_is_fit_for_the_shell(bellhand: Bellhand, shell: str) -> None:
    text = bellhand.ok("completion", shell).out
    assert "doctor" in text
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=text, text=True, capture_output=True, check=False)  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")


def test_logs_asks_the_journal_by_its_fields(bare: None, tmp_path: Path) -> None:
    """Another program stands for journalctl, and says how it was called."""
    program = tmp_path / "journalctl"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    env = os.environ | {"PATH": str(tmp_path), "PYTHONPATH": str(ROOT / "daemon")}
    env["PATH"] += ":/usr/bin:/bin"

    def asked(*words: str) -> list[str]:
        done = subprocess.run([sys.executable, "-m", "bellhand", "logs", *words], env=env, capture_output=True, text=True, check=False)  # fmt: skip
        return done.stdout.splitlines() or done.stderr.splitlines()

    assert asked("42", "--journal", "-f", "-n", "5", "--level", "warning", "--kind", "seo.crawl") == [
        "--identifier=bellhand", "--lines=5", "--no-hostname", "--follow", "--priority=4", "JOB_ID=42", "KIND=seo.crawl"]  # fmt: skip
    assert "is not the id of a job" in asked("42 _UID=0", "--journal")[0]


def test_top_without_a_terminal_is_one_look(bellhand: Bellhand) -> None:
    bellhand.kind("a", "slow")
    job = bellhand.running(kind="a")
    bellhand.job("a")
    said = bellhand.ok("top")
    assert "1 daemon " in said.out
    assert "\x1b" not in said.out
    lines = said.words
    assert ["slow", "1", "1", "0", "0"] in [line[:5] for line in lines]
    assert str(job) in [line[0] for line in lines if line]


def test_top_on_a_terminal_redraws_leaves_by_q_and_leaves_it_as_it_was(bellhand: Bellhand) -> None:
    mine, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    env = os.environ | {"PYTHONPATH": str(ROOT / "daemon"), "TERM": "xterm", "BELLHAND_DSN": bellhand.dsn}  # fmt: skip
    child = subprocess.Popen([sys.executable, "-m", "bellhand", "top", "--every", "0.2"],
                             stdin=theirs, stdout=theirs, stderr=theirs, env=env)  # fmt: skip
    shown, until = b"", time.monotonic() + 60
    try:
        while shown.count(b"LANE") < 3 and time.monotonic() < until:
            shown += os.read(mine, 65536)
        os.write(mine, b"q")
        assert child.wait(30) == 0
        while b"\x1b[?1049l" not in shown:
            shown += os.read(mine, 65536)
        assert termios.tcgetattr(theirs) == before
    finally:
        child.kill()
        child.wait(10)
        os.close(mine)
        os.close(theirs)
    assert b"\x1b[?1049h" in shown
    assert b"no daemon runs" in shown


def test_the_screen_is_never_wider_nor_higher_than_the_terminal() -> None:
    worker = {"name": "w\x1b[2J" * 9, "busy": 3, "capacity": 8, "beat_seconds": 1.0, "draining": False, "drain_asked_at": None, "up_seconds": 60.0, "version": "1"}  # fmt: skip
    lanes = [{"lane": f"lane{n}", "pending": 1, "running": 0, "scheduled": 0, "parked": 0, "oldest_due_seconds": None,
              "paused": True, "paused_reason": "x" * 200} for n in range(40)]  # fmt: skip
    lines = picture([worker], lanes, [], width=60, height=20)
    assert len(lines) == 19
    assert max(map(len, lines)) <= 60
    assert "\x1b[2J" not in "".join(lines)
