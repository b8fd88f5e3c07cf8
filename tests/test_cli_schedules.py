"""Schedules that are made, changed and taken out by the command line."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import shlex

import pytest

from commands import CHECKS, SCHEMA, Bellhand, bare, bellhand


def test_a_schedule_is_added_changed_and_taken_out(bellhand: Bellhand) -> None:
    """Without any daemon; what its jobs would be refused for, it is refused for at once."""
    bellhand.kind("a", schema=SCHEMA, checks=CHECKS, priority=7)
    bellhand.kind("b")
    made = bellhand.ok("schedule", "add", "nightly", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--kind", "a", "url=x", "pages=3", "--json").json  # fmt: skip
    assert made["next_at"].endswith("Z")
    (row,) = bellhand.ok("schedules", "--json").json
    assert (row["payload"], row["priority"], row["missed"], row["source"]) == ({"url": "x", "pages": 3}, 7, "latest", "sql")  # fmt: skip
    assert row["next_at"] == made["next_at"]
    twice = bellhand("schedule", "add", "nightly", "--cron", "@daily", "--kind", "b")
    assert (twice.code, "--replace" in twice.err) == (1, True), twice
    said = bellhand.ok("schedule", "add", "nightly", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin", "--kind", "b", "--missed", "all", "--replace")  # fmt: skip
    assert "At 02:30 every day (Europe/Berlin), next in" in said.out
    (row,) = bellhand.ok("schedules", "--json").json
    assert (row["kind"], row["missed"], row["next_at"]) == ("b", "all", made["next_at"])
    bellhand.ok("schedule", "run", "nightly")
    bellhand.ok("schedule", "rm", "nightly")
    assert bellhand.ok("schedules", "--json").json == []
    assert len(bellhand.ok("list", "--json").json) == 1, "its job stays"
    assert bellhand("schedule", "rm", "nightly").code == 3
    events = bellhand.sql("select type, actor from bellhand.events where type like 'schedule%' order by seq")  # fmt: skip
    assert [row["type"] for row in events] == ["schedule_added", "schedule_changed", "schedule_run", "schedule_removed"]  # fmt: skip
    assert all(row["actor"].startswith("cli:") for row in events)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("x --cron '0 3 * *' --kind a url=x", "five fields"), ("x --cron '0 3 31 2 *' --kind a url=x", "day"),
        ("x --cron @daily --timezone Europe/Belin --kind a url=x", "Europe/Berlin"), ("x --cron @daily --kind aa url=x", 'unknown kind "aa"'),
        ("x --cron @daily --kind a", '"url" is missing'), ("x/y --cron @daily --kind a url=x", "names no schedule"),
        ("x --cron @daily --kind a url=x --notify nobody", "no channel"), ("x --cron @daily --kind a url=x --missed some", "some"),
        ("x --cron @daily --kind a url=x --missed-max 0", "--missed-max"), ("x --cron @daily --kind a url=x --priority 11", "priority"),
    ],
)  # fmt: skip
def test_a_schedule_that_could_not_run_is_refused(
    bellhand: Bellhand, words: str, said: str
) -> None:
    bellhand.kind("a", schema=SCHEMA, checks=CHECKS)
    refused = bellhand("schedule", "add", *shlex.split(words))
    assert (refused.code, said in refused.err) == (2, True), refused
    assert bellhand.ok("schedules", "--json").json == []


def test_schedules_of_the_configuration_are_left_to_it(bellhand: Bellhand) -> None:
    bellhand.kind("a")
    bellhand.sql("insert into bellhand.schedules (name, cron, kind, source) values ('nightly', '0 3 * * *', 'a', 'config')")  # fmt: skip
    for words in (("rm", "nightly"), ("add", "nightly", "--cron", "@daily", "--kind", "a", "--replace")):  # fmt: skip
        refused = bellhand("schedule", *words)
        assert (refused.code, '[schedules."nightly"]' in refused.err) == (1, True), refused
    (row,) = bellhand.ok("schedules", "--json").json
    assert row["cron"] == "0 3 * * *"
    # What the command line made is not the configuration's to delete.
    bellhand.ok("schedule", "add", "own", "--cron", "@daily", "--kind", "a")
    bellhand.sql("select bellhand.publish_schedules('[]')")
    assert [row["name"] for row in bellhand.ok("schedules", "--json").json] == ["own"]
