"""What a restored database would do again, told before a daemon starts on it, and held."""

# ruff: noqa: F401, F811 (fixtures are used by name)

from commands import Bellhand, bare, bellhand


def test_a_restored_database_says_what_would_happen_again_and_is_held(bellhand: Bellhand) -> None:
    """A backup of an hour ago: one job ran, others waited, schedules have ticks behind them."""
    for kind in ("a", "mail"):
        bellhand.kind(kind)
    bellhand.sql("update bellhand.kinds set side_effects = 'none' where name = 'a'")
    ran = bellhand.running()
    bellhand.sql("insert into bellhand.steps (job, name, position, state) values ($1, 'one', 1, 'completed'), ($1, 'two', 2, 'running')", ran)  # fmt: skip
    bellhand.job("mail")
    tried = bellhand.job("mail", attempts=1)
    later = bellhand.job("mail")
    bellhand.sql("update bellhand.jobs set run_at = bellhand.now() + interval '1 day' where id = $1", later)  # fmt: skip
    bellhand.over("completed", kind="a")
    bellhand.sql("""insert into bellhand.schedules (name, cron, kind, missed, next_at, paused) values
        ('all', '* * * * *', 'mail', 'all', date_trunc('minute', now()) - interval '1 hour', false),
        ('last', '0 * * * *', 'a', 'latest', date_trunc('hour', now()) - interval '5 hours', false),
        ('off', '* * * * *', 'a', 'all', now() - interval '1 hour', true), ('ahead', '* * * * *', 'a', 'all', now() + interval '1 hour', false)""")  # fmt: skip
    bellhand.sql("update bellhand.workers set beat = now() - interval '1 hour'")
    bellhand.sql("delete from bellhand.meta where name = 'system_identifier'")
    said = bellhand.ok("restore", "review", "--json").json
    assert (said["moved"], said["workers"], said["held"]) == (True, 0, [])
    (job,) = said["running"]
    assert (job["id"], job["worker"], job["steps_done"], job["step"]) == (ran, "w1", 1, "two")
    counts = {row["kind"]: tuple(row[name] for name in ("running", "begun", "due", "scheduled")) for row in said["kinds"]}  # fmt: skip
    assert counts == {"a": (1, 0, 0, 0), "mail": (0, 1, 2, 1)}
    assert {row["name"]: row["jobs"] for row in said["schedules"]} == {"all": 10, "last": 1}
    text = bellhand.ok("restore", "review")
    assert f"{ran}  a  on w1" in text.out
    assert "schedule all, due 1 h" in text.out
    assert "--hold" in text.err
    assert "a second run" not in text.out
    outside = bellhand.ok("restore", "review", "--external", "--json").json
    assert [row["kind"] for row in outside["kinds"]] == ["mail"]
    assert ([row["name"] for row in outside["schedules"]], outside["running"]) == (["all"], [])
    bellhand.sql("update bellhand.kinds set side_effects = 'external' where name = 'a'")
    assert f"{ran}  a  on w1" in bellhand.ok("restore", "review", "--external").out
    assert "! a second run does outside again what" in bellhand.ok("restore", "review").out
    assert bellhand.sql("select count(*) from bellhand.events where type like '%paused'")[0][0] == 0

    part = bellhand.ok("restore", "review", "--hold", "--kind", "mail", "--json").json
    assert part["held"] == ["bellhand resume --kind mail", "bellhand schedule resume all"]
    held = bellhand.ok("restore", "review", "--hold")
    assert "bellhand resume --kind a\n  bellhand schedule resume last" in held.err
    assert [row[0] for row in bellhand.sql("select name from bellhand.kinds where paused order by 1")] == ["a", "mail"]  # fmt: skip
    assert bellhand.ok("restore", "review", "--json").json["schedules"] == []
    assert bellhand("restore", "review", "--kind", "mial").code == 3
    for line in part["held"]:
        assert bellhand.ok(*line.split()[1:])
    assert bellhand.state(tried) == "retrying"


def test_a_database_at_work_is_said_to_be_one(bellhand: Bellhand) -> None:
    bellhand.kind()
    bellhand.running()
    assert "1 worker alive" in bellhand.ok("restore", "review").err
