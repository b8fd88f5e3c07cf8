"""Handlers in processes of their own: what they can do, how they end, and that nothing of them stays."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
import structlog

import isolated_handlers as handlers
from attempts import Hands, again, error, hands_for
from bellhand.errors import Problem
from bellhand.isolate import process
from bellhand.kinds import ATTRIBUTE, job_kind
from bellhand.outcomes import Completed, Ended
from daemons import at_work, insert, until
from support import ROOT, eventually

ALL = [value for value in vars(handlers).values() if hasattr(value, ATTRIBUTE)]


@pytest.fixture
async def hands(dsn: str) -> AsyncIterator[Hands]:
    async with hands_for(dsn, *ALL) as made:
        yield made


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where handlers leave word."""
    monkeypatch.setenv(handlers.NOTES, str(tmp_path))
    return tmp_path


@pytest.fixture(autouse=True)
async def nothing_stays() -> AsyncIterator[None]:
    def channels() -> list[str]:
        """Sockets and pipes; uvloop keeps a /dev/null of its own."""
        return [what for what in map(link, os.listdir("/proc/self/fd")) if "[" in what]

    def link(name: str) -> str:
        with suppress(OSError):
            return os.readlink(f"/proc/self/fd/{name}")
        return ""

    before, children = len(channels()), set(psutil.Process().children())
    yield
    left = set(psutil.Process().children()) - children
    assert not left, f"processes left: {left}"
    await eventually(lambda: len(channels()) <= before, because=f"{before=} {channels()=}")


def lines(notes: Path, name: str) -> list[str]:
    return (notes / name).read_text().split("\n")[:-1] if (notes / name).exists() else []


async def attempt(hands: Hands, kind: str, **payload: Any) -> Completed | Ended:
    """How the attempt of a new job ended; a slow machine does not get an older one's second instead."""
    id = await hands.enqueue(kind, json.dumps(payload))
    async with asyncio.timeout(40):
        end = await hands.work()
    if isinstance(end, Ended) and end.outcome in ("retry", "snooze"):
        await hands.store.pool.fetch("select bellhand.cancel($1)", id)
    return end


async def test_a_handler_runs_elsewhere_and_knows_its_job(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "BELLHAND_DSN",
        "PGPASSWORD",
        "DATABASE_URL",
        "APP_DSN",
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
    ):
        monkeypatch.setenv(name, "not for you")
    monkeypatch.setenv("SOME_BACKEND", "postgresql://me:c4nary@db/x")
    monkeypatch.setenv("HARMLESS", "yes")
    id = await hands.enqueue("i.look", '{"what": "é"}', owner="me", tags='{"a": [1]}')
    with structlog.testing.capture_logs() as logs:
        job = await hands.claim()
        end = await hands.run(job)
    assert isinstance(end, Completed)
    assert end.result
    said = json.loads(end.result)
    assert said["pid"] != os.getpid()
    assert said["job"] == [id, "i.look", str(job.key), 1, 3, "me", {"a": [1]}]
    assert said["keys"] == [str(job.key), str(job.step_key("a"))]
    assert said["payload"] == ["é", job.payload]
    assert said["environment"]["HARMLESS"] == "yes"
    assert "c4nary" not in str(said["environment"])
    assert "not for you" not in str(said["environment"])
    assert said["environment"].get("PYTHONPATH") == os.environ.get("PYTHONPATH")
    assert len(said["fds"]) < 10, "descriptors of the daemon were passed on"
    assert {"event": "hello_from_inside", "answer": 42, "log_level": "warning"} in logs
    printed = [line["text"] for line in logs if line["event"] == "handler_printed"]
    assert "a line on stdout" in printed
    assert "not � UTF-8" in printed
    assert "and no end of line" in printed
    assert all(len(text) <= 2000 for text in printed)
    assert job.state["message"] == "under way"
    assert await hands.settle(job, end) == "completed"


@pytest.mark.parametrize(("what", "told"), [("failed", "never"), ("", "Refused: not for you")])
async def test_what_fails_for_good_there_is_not_tried_again(
    hands: Hands, notes: Path, what: str, told: str
) -> None:
    id = await hands.enqueue("i.good", json.dumps({"what": what}))
    assert "once more" in error(await hands.work())
    end = await again(hands, id)
    assert isinstance(end, Ended)
    assert end.outcome == "fail"
    assert f"told: {told}" in error(end) or f"told: isolated_handlers.{told}" in error(end)
    assert lines(notes, "ran") == [""]


async def test_what_it_raises_means_the_same_as_elsewhere(hands: Hands) -> None:
    assert await attempt(hands, "i.end", what="ok") == Completed('"ok"')
    assert await attempt(hands, "i.end", what="retry") == Ended("retry", "once more", 77)
    assert await attempt(hands, "i.end", what="snooze") == Ended("snooze", "too early", 600)
    assert await attempt(hands, "i.end", what="cancelled") == Ended("cancel", "not wanted")
    assert await attempt(hands, "i.end", what="failed") == Ended("fail", "no such thing")
    for what, text in {
        "error": "KeyError: 'what \\x00 is",
        "system exit": "SystemExit: bye",
    }.items():
        end = await attempt(hands, "i.end", what=what)
        assert isinstance(end, Ended)
        assert end.outcome == "retry"
        assert text in (end.error or "")
        assert "isolated_handlers.py" in (end.error or ""), "the traceback is that of the process"
        assert "process.py" not in (end.error or "")
    for what in ("transaction", "web"):
        end = await attempt(hands, "i.end", what=what)
        assert isinstance(end, Ended)
        assert "not available to a handler with isolate=True" in (end.error or "")
    end = await attempt(hands, "i.end", what="unstorable")
    assert isinstance(end, Ended)
    assert "cannot be stored as JSON" in (end.error or "")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("_exit", "exit code 3 before the handler did\nlast words"),
        ("kill", "killed by signal 9 (SIGKILL)"),
        ("segfault", "killed by signal 11 (SIGSEGV)"),
        ("memory", "MemoryError"),
        ("junk", "broke the protocol"),
        ("close", "closed its end of the conversation"),
    ],
)
async def test_a_process_that_dies_is_a_crash(hands: Hands, what: str, said: str) -> None:
    id = await hands.enqueue("i.end", json.dumps({"what": what}))
    end = await hands.work()
    assert isinstance(end, Ended)
    assert end.outcome == "crash"
    assert said in (end.error or "")
    job = await hands.job(id)
    assert (job["attempts"], job["crashes"]) == (1, 1)


async def test_a_stopped_handler_may_clean_up(hands: Hands, notes: Path) -> None:
    await hands.enqueue("i.hang")
    job = await hands.claim()
    running = hands.start_running(job)
    await eventually(lambda: lines(notes, "started"))
    job.stop("cancel")
    assert await asyncio.wait_for(running, 30) == Ended("cancel", "cancelled while it ran")
    assert lines(notes, "cleaned up")


async def test_a_handler_that_does_not_stop_is_killed_with_all_it_started(
    hands: Hands, notes: Path
) -> None:
    for what in ("deaf", "grandchild"):
        await hands.enqueue("i.hang", json.dumps({"what": what}))
        job = await hands.claim()
        running = hands.start_running(job)
        await eventually(lambda: len(lines(notes, "started")) == 1)
        job.stop_now("timeout")
        end = await asyncio.wait_for(running, 30)
        assert end.error == "timed out after 300 s"
        (notes / "started").unlink()
    for pid in (*lines(notes, "pid"), *lines(notes, "grandchild")):
        await eventually(lambda pid=pid: gone(int(pid)))  # type: ignore[misc]


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # reparented, not ours to reap
    except psutil.NoSuchProcess:
        return True


async def test_cancelling_twice_does_not_wait_for_the_grace(
    hands: Hands, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 60.0)
    await hands.enqueue("i.hang", '{"what": "deaf"}')
    job = await hands.claim()
    running = hands.start_running(job)
    await eventually(lambda: lines(notes, "started"))
    job.stop("cancel")
    await asyncio.sleep(0.05)
    running.cancel()
    assert await asyncio.wait_for(running, 30) == Ended("cancel", "cancelled while it ran")
    assert gone(int(lines(notes, "pid")[0]))


async def test_being_stopped_while_the_process_starts_leaves_nothing(hands: Hands) -> None:
    for turns in (1, 3, 6, 12, 40):
        await hands.enqueue("i.hang")
        job = await hands.claim()
        running = hands.start_running(job)
        for _ in range(turns):
            await asyncio.sleep(0)
        job.stop("cancel")
        assert await asyncio.wait_for(running, 30) == Ended("cancel", "cancelled while it ran")


async def test_steps_that_are_done_survive_the_process(hands: Hands, notes: Path) -> None:
    id = await hands.enqueue("i.walk", '{"steps": 3, "die_in": 2}')
    end = await hands.work()
    assert isinstance(end, Ended)
    assert end.outcome == "crash"
    await hands.store.chores.fetch("select bellhand.run_now($1)", id)
    end = await hands.work()
    assert isinstance(end, Completed)
    assert json.loads(end.result or "") == {
        "first": 10_000,
        "results": [0, 1, 4],
        "counters": {"walked": 103},
    }
    assert len(lines(notes, "step 100")) == 1
    assert len(lines(notes, "step 2")) == 2
    steps = await hands.steps(id)
    assert [(name, steps[name]["state"]) for name in steps] == [
        ("first", "completed"),
        ("step 0", "completed"),
        ("step 1", "completed"),
        ("step 2", "completed"),
    ]
    assert json.loads((await hands.job(id))["progress"])["counters"] == {"walked": 103}


async def test_a_failed_step_takes_back_what_it_counted_and_runs_again(
    hands: Hands, notes: Path
) -> None:
    id = await hands.enqueue("i.walk", '{"steps": 3, "fail_in": 1}')
    job = await hands.claim()
    end = await hands.run(job)
    assert isinstance(end, Ended)
    assert end.outcome == "retry"
    assert "1 of 4 steps failed" in (end.error or "")
    assert job.counters == {"walked": 102}
    failed = (await hands.steps(id))["step 1"]
    assert failed["state"] == "failed"
    assert "ValueError: no step 1" in failed["error"]
    assert "process.py" not in failed["error"]
    await hands.settle(job, end)
    await hands.store.chores.fetch("select bellhand.run_now($1)", id)
    end = await hands.work()
    assert isinstance(end, Completed)
    assert json.loads(end.result or "")["counters"] == {"walked": 103}
    assert len(lines(notes, "step 0")) == 1


async def test_a_step_that_takes_too_long_is_stopped_over_there(hands: Hands) -> None:
    job_id = await hands.enqueue("i.slow", '{"what": "gentle"}')
    end = await hands.work()
    assert isinstance(end, Ended)
    assert "the step timed out after 0.3 s" in (end.error or "")
    assert (await hands.steps(job_id))["slow"]["state"] == "failed"


async def test_a_step_that_does_not_let_go_takes_the_process_with_it(hands: Hands) -> None:
    await hands.enqueue("i.slow", '{"what": "stuck"}')
    async with asyncio.timeout(40):
        end = await hands.work()
    assert isinstance(end, Ended)
    assert end.outcome == "crash"
    assert "a step that was stopped did not let go" in (end.error or "")


async def test_a_pause_takes_effect_at_the_next_step(hands: Hands, notes: Path) -> None:
    id = await hands.enqueue("i.pause")
    job = await hands.claim()
    running = hands.start_running(job)
    await eventually(lambda: len(lines(notes, "done")) > 2)
    job.stop("pause")
    assert await asyncio.wait_for(running, 30) == Ended("pause")
    assert 2 < len(await hands.steps(id)) < 50


async def test_a_handler_without_steps_can_look_whether_it_is_to_stop(
    hands: Hands, notes: Path
) -> None:
    for asked_before in (False, True):
        await hands.enqueue("i.check")
        job = await hands.claim()
        if asked_before:
            job.stop("drain")
        running = hands.start_running(job)
        await eventually(lambda: lines(notes, "started"))
        job.stop("drain")
        assert await asyncio.wait_for(running, 30) == Ended("release")


async def test_a_plain_function_has_the_same_names(hands: Hands) -> None:
    await hands.enqueue("i.plain")
    job = await hands.claim()
    end = await hands.run(job)
    assert isinstance(end, Ended), "a step failed, so it runs again"
    assert "invalid literal for int" in (end.error or "")
    (new,) = await hands.store.pool.fetch("select * from bellhand.jobs where kind = 'i.look'")
    assert json.loads(new["payload"]) == {"what": "next"}
    assert json.loads(new["tags"]) == {"from": "plain"}
    assert new["source"] == f"job:{job.id}"
    assert job.counters == {"counted": 4}


async def test_a_lease_lost_ends_the_process_and_writes_nothing(hands: Hands, notes: Path) -> None:
    id = await hands.enqueue("i.pause")
    job = await hands.claim()
    running = hands.start_running(job)
    await eventually(lambda: len(lines(notes, "done")) > 2)
    await hands.crash()
    again = await hands.claim()
    assert again.id == id
    end = await asyncio.wait_for(running, 30)
    assert end.outcome == "lost"
    done = len(await hands.steps(id))
    assert (await hands.run_briefly(again)) == Ended("release")
    assert len(await hands.steps(id)) >= done


async def test_the_process_dies_with_the_daemon(dsn: str, notes: Path) -> None:
    script = (
        "import asyncio, isolated_handlers, attempts, sys\n"
        "async def main():\n"
        "    async with attempts.hands_for(sys.argv[1], isolated_handlers.hang) as hands:\n"
        "        await hands.enqueue('i.hang', '{\"what\": \"deaf\"}')\n"
        "        await hands.work()\n"
        "asyncio.run(main())\n"
    )
    path = os.pathsep.join(str(ROOT / part) for part in ("daemon", "tests"))
    daemon = subprocess.Popen(
        [sys.executable, "-c", script, dsn], env={**os.environ, "PYTHONPATH": path}
    )
    try:
        await eventually(lambda: lines(notes, "started"))
    finally:
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(30)
    (pid,) = lines(notes, "pid")
    await eventually(lambda: gone(int(pid)))


async def test_a_daemon_cancels_it_and_goes_on(
    dsn: str, conn: asyncpg.Connection, notes: Path
) -> None:
    async with at_work(dsn, handlers.hang, handlers.end) as daemon:
        id = await insert(conn, "i.hang")
        await eventually(lambda: lines(notes, "started"))
        await conn.execute("select bellhand.cancel($1)", id)
        await until(conn, id, "cancelled")
        assert lines(notes, "cleaned up")
        assert not daemon.worker.running
        id = await insert(conn, "i.end", '{"what": "fine"}')
        assert (await until(conn, id, "completed"))["result"] == '"fine"'


def test_an_isolated_handler_that_nobody_could_find_is_refused_where_it_is_written() -> None:
    with pytest.raises(Problem, match="cannot be right") as refused:

        @job_kind("i.hidden", isolate=True)
        async def hidden() -> None: ...

    assert "top level of its module" in refused.value.why
