"""`bellhand drain --plan`: what a stop costs before it is made."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import socket
from pathlib import Path

import pytest

from bellhand.cli.draining import cost
from commands import Bellhand, bare, bellhand


def test_a_plan_counts_what_runs_here_and_what_would_run_again(bellhand: Bellhand) -> None:
    bellhand.kind("a", timeout_seconds=3600)
    job = bellhand.running(kind="a")
    elsewhere = bellhand.ok("drain", "--plan", "--json").json
    assert (elsewhere["running"], elsewhere["others"]) == (0, 1)
    bellhand.sql("update bellhand.workers set host = $1", socket.gethostname())
    bellhand.sql("update bellhand.leases set claimed_at = bellhand.now() - interval '100 seconds'")
    bellhand.sql("insert into bellhand.steps (job, name, position, state, started_at, finished_at) values ($1, 's1', 1, 'completed', bellhand.now() - interval '90 seconds', bellhand.now() - interval '40 seconds')", job)  # fmt: skip
    plan = bellhand.ok("drain", "--plan", "--json").json
    assert (plan["running"], plan["may_be_cut"], plan["steps_kept"], plan["others"]) == (1, 1, 1, 0)
    assert 40 <= plan["repeated_seconds_max"] < 60, "since its last step, not since it began"
    assert plan["seconds_max"] == 65
    said = bellhand.ok("drain", "--plan")
    assert "1 running; a stop takes at most 1 min 5 s; 1 may outlast the grace" in said.out
    assert "no daemon of another machine" in said.err


def test_a_stop_takes_no_longer_than_what_runs() -> None:
    jobs = [{"left_seconds": 12.0, "repeated_seconds": 3.0, "steps": 2}]
    assert cost(jobs, 60, 5)["seconds_max"] == 17
    assert cost([*jobs, {"left_seconds": None, "repeated_seconds": 1.0, "steps": 0}], 60, 5) == {
        "running": 2, "seconds_max": 65, "may_be_cut": 1, "repeated_seconds_max": 4.0, "steps_kept": 2}  # fmt: skip
    assert cost([], 60, 5)["seconds_max"] == 0


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs here")
def test_without_systemd_it_says_what_to_do(bellhand: Bellhand) -> None:
    said = bellhand("drain")
    assert said.code == 1
    assert "systemd does not run here" in said.err
    assert "SIGTERM" in said.err
