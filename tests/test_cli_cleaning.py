"""`bellhand cleanup`: what it names is what goes, and nothing goes unless it is meant."""

# ruff: noqa: F401, F811 (fixtures are used by name)

from datetime import timedelta

from commands import Bellhand, bare, bellhand


def test_cleanup_names_whole_days_and_drops_them_only_with_yes(bellhand: Bellhand) -> None:
    bellhand.kind()
    live = bellhand.job()
    (day,) = bellhand.sql("select (now() at time zone 'UTC')::date - 9")[0]
    old = f"history_{day:%Y%m%d}"
    bellhand.sql(f"create table bellhand.{old} partition of bellhand.history for values from ('{day}') to ('{day + timedelta(days=1)}')")  # fmt: skip
    assert bellhand.ok("cleanup", "--json").json["days"] == [], "30 days are kept"
    assert "nothing to drop" in bellhand.ok("cleanup").err
    said = bellhand("cleanup", "--history-days", "7", "--json")
    assert said.code == 7
    names = [one["name"] for one in said.json["days"]]
    assert old in names
    assert not said.json["done"]
    again = bellhand("cleanup", "--history-days", "7")
    assert old in again.out
    assert "1 day of history and logs older than 7 days; nothing was deleted yet" in again.err
    assert "say it again with --yes" in again.err
    done = bellhand.ok("cleanup", "--history-days", "7", "--yes", "--json").json
    assert (done["done"], [one["name"] for one in done["days"]]) == (True, names)
    assert bellhand.ok("cleanup", "--history-days", "7", "--yes", "--json").json["days"] == []
    assert bellhand.sql("select from bellhand.jobs where id = $1", live), "what is not over stays"
    assert bellhand("cleanup", "--history-days", "0").code == 2
