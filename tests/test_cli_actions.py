"""Telling jobs, lanes and kinds what to do, from the command line."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json

import pytest

from commands import Bellhand, bare, bellhand


def events(bellhand: Bellhand, job: int) -> list[tuple[str, str]]:
    rows = bellhand.sql("select type, actor from bellhand.events where job = $1 order by seq", job)
    return [(row["type"], row["actor"]) for row in rows]


def test_cancel_takes_what_waits_and_asks_what_runs(bellhand: Bellhand) -> None:
    bellhand.kind()
    waiting, running = bellhand.job(), bellhand.running()
    said = bellhand.ok("cancel", str(waiting), str(running), "--reason", "enough")
    assert said.words == [[str(waiting), "cancelled"], [str(running), "cancelling"]]
    assert bellhand.state(waiting) == "cancelled"
    (error,) = bellhand.sql("select error from bellhand.history")[0]
    assert error == "enough"
    assert bellhand.sql("select stop from bellhand.jobs")[0][0] == "cancel"


def test_the_log_of_events_knows_who_did_it(bellhand: Bellhand) -> None:
    bellhand.kind()
    job = bellhand.job()
    bellhand.ok("pause", str(job))
    bellhand.ok("resume", str(job))
    bellhand.ok("cancel", str(job))
    bellhand.ok("retry", str(job))
    types, actors = zip(*events(bellhand, job), strict=True)
    assert types == ("paused", "resumed", "cancelled", "retried")
    assert all(actor.startswith("cli:") for actor in actors)


def test_one_job_that_cannot_does_not_keep_the_others_from_it(bellhand: Bellhand) -> None:
    bellhand.kind()
    over, waiting = bellhand.over("completed"), bellhand.job()
    said = bellhand("cancel", "987654", str(over), str(waiting))
    assert said.code == 1
    assert said.out == f"{waiting}  cancelled\n"
    assert "there is no job 987654" in said.err
    assert f"job {over} is completed" in said.err
    assert bellhand.state(waiting) == "cancelled"
    assert bellhand("cancel", "987654", "987655").code == 3


def test_a_job_in_the_wrong_state_is_refused_with_a_reason(bellhand: Bellhand) -> None:
    bellhand.kind()
    job = bellhand.over("completed")
    for words in (("cancel",), ("pause",), ("resume",), ("retry",), ("run-now",)):
        said = bellhand(*words, str(job), "--json")
        assert said.code == 1, words
        assert said.json[0]["id"] == job
        assert "is completed" in said.json[0]["error"]
        assert bellhand(*words, "987654").code == 3


def test_ids_come_from_stdin_as_list_prints_them(bellhand: Bellhand) -> None:
    bellhand.kind()
    jobs = [bellhand.job() for _ in range(3)]
    said = bellhand.ok("cancel", "-", stdin=bellhand.ok("list").out)
    assert len(said.words) == 3
    assert {bellhand.state(job) for job in jobs} == {"cancelled"}
    said = bellhand.ok("retry", "-", stdin=bellhand.ok("list", "-q").out)
    assert {bellhand.state(job) for job in jobs} == {"pending"}
    assert bellhand("cancel", "-", stdin="").code == 2


def test_what_is_no_id_is_a_usage_error(bellhand: Bellhand) -> None:
    for word in ("abc", "0", "-1", "1.5", "99999999999999999999", "١٢", str(2**63)):
        assert bellhand("cancel", word).code == 2, word
    assert bellhand("cancel").code == 2


def test_run_now_does_not_wait_for_the_time(bellhand: Bellhand) -> None:
    bellhand.kind()
    job = bellhand.ok("enqueue", "a", "--run-at", "1d", "-q").out.strip()
    assert bellhand.state(int(job)) == "scheduled"
    bellhand.ok("run-now", job)
    assert bellhand.state(int(job)) == "pending"


def test_a_lane_and_a_kind_are_paused_with_a_reason_and_resumed(
    bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch
) -> None:
    bellhand.kind("a", lane="slow")
    assert bellhand.ok("pause", "--lane", "slow", "--reason", "too hot").out == "lane slow paused\n"
    bellhand.ok("pause", "--kind", "a", "--reason", "a bug")
    (lane,) = (
        row for row in bellhand.ok("status", "--json").json["lanes"] if row["lane"] == "slow"
    )
    assert (lane["paused"], lane["paused_reason"]) == (True, "too hot")
    assert bellhand.ok("kinds", "a", "--json").json["paused_reason"] == "a bug"
    assert "bellhand bulk cancel --kind" in bellhand("cancel", "--kind", "a").err
    monkeypatch.setenv("COLUMNS", "80")
    status = bellhand.ok("status").out
    assert "PARKED" not in status.splitlines()[1], (
        "what says nothing goes, before what says more is cut"
    )
    assert all(len(line) <= 80 for line in status.splitlines())
    assert "● lane slow is paused: too hot" in status
    assert "● kind a is paused: a bug" in status
    bellhand.ok("resume", "--lane", "slow", "--kind", "a")
    assert "paused" not in bellhand.ok("status").out + bellhand.ok("kinds").out
    assert bellhand("pause", "--lane", "nowhere").code == 3
    said = bellhand("pause", "--kind", "b", "--json")
    assert (said.code, json.loads(said.err)["code"]) == (2, "BH001")
    assert bellhand("pause", "1", "--lane", "slow").code == 2
