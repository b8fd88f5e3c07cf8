"""Watching and waiting: what the exit code tells, and what Ctrl-C does not do."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
import signal
import threading
import time
from collections.abc import Callable

from commands import PROCESS_SECONDS, Bellhand, bare, bellhand, process


def test_the_exit_code_of_wait_tells_how_it_went(bellhand: Bellhand) -> None:
    bellhand.kind()
    done, failed = str(bellhand.over("completed")), str(bellhand.over("failed", error="no"))
    partial, waiting = str(bellhand.over("completed", partial=True)), str(bellhand.job())
    assert bellhand("wait", done).code == 0
    assert bellhand("wait", partial).code == 0
    assert bellhand("wait", done, failed).code == 5
    assert bellhand("watch", str(bellhand.over("cancelled"))).code == 5
    said = bellhand("wait", waiting, "--timeout", "1500ms")
    assert said.code == 6
    assert f"{waiting} is pending" in said.err
    assert bellhand("wait", "987654").code == 3
    assert bellhand("watch", waiting, "--timeout", "soon").code == 2


def test_wait_returns_when_the_job_is_over(bellhand: Bellhand) -> None:
    bellhand.kind()
    job = bellhand.job()
    finish = threading.Timer(
        0.5, bellhand.sql, ("select bellhand.finish(array[$1::bigint], 'failed', 'no')", job)
    )
    finish.start()
    said = bellhand("wait", str(job), "--json", "--timeout", "60s")
    finish.join()
    assert said.code == 5
    assert (said.json["id"], said.json["state"], said.json["error"]) == (job, "failed", "no")


def test_watch_prints_a_line_a_change_where_nobody_looks(
    bellhand: Bellhand, process: Callable[..., object]
) -> None:
    bellhand.kind()
    job = bellhand.running()
    progress = "update bellhand.jobs set progress = $2 where id = $1"
    watching = process("watch", str(job))
    lines = [watching.stdout.readline()]
    for done in (1, 4):
        bellhand.sql(progress, job, f'{{"done": {done}, "total": 4}}')
        lines.append(watching.stdout.readline())
    bellhand.sql("select bellhand.finish(array[$1::bigint], 'cancelled', 'no')", job)
    out, _ = watching.communicate(timeout=PROCESS_SECONDS)
    assert watching.returncode == 5
    assert [("running" in line, "25 %" in line) for line in lines[:2]] == [
        (True, False),
        (True, True),
    ]
    assert lines[2].endswith("4/4  finishing\n")
    assert "cancelled" in out
    assert out.count("\n") == 1
    assert "\x1b" not in "".join(lines) + out


def test_ctrl_c_stops_watching_and_not_the_job(
    bellhand: Bellhand, process: Callable[..., object]
) -> None:
    bellhand.kind()
    job = bellhand.running()
    watching = process("watch", str(job))
    assert watching.stdout.readline().split()[:3] == [str(job), "a", "running"]
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=PROCESS_SECONDS)
    assert watching.returncode == 130
    assert f"stopped watching; {job} is running" in err
    assert bellhand.state(job) == "running"


def test_a_reader_that_has_seen_enough_is_no_error(
    bellhand: Bellhand, process: Callable[..., object]
) -> None:
    bellhand.kind()
    bellhand.sql("insert into bellhand.jobs (kind) select 'a' from generate_series(1, 5000)")
    listing = process("list", "--limit", "5000")
    listing.stdout.readline()
    listing.stdout.close()
    assert listing.stderr.read() == ""
    assert listing.wait(PROCESS_SECONDS) in (0, 1)
