"""What only we have, from the command line: quotes, times, failures, bulk actions and their undoing."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json

import pytest

from commands import CHECKS, SCHEMA, Bellhand, bare, bellhand

RUNS = """
insert into bellhand.history (id, key, kind, payload, priority, run_at, depends_policy, source, created_at, state, epoch, attempts,
  crashes, started_at, partial, finished_at)
select nextval('bellhand.jobs_id_seq'), gen_random_uuid(), 'a', '{}', 5, now(), 'cancel', 'sql', now(), 'completed', 1, 0, 0,
  t - interval '60 s', false, t from (select now() - n * interval '1 minute' as t from generate_series(1, 30) n) x
"""
WORKER = (
    "insert into bellhand.workers (id, name, host, pid, version, kinds, lanes, capacity) "
    "values (gen_random_uuid(), 'w1', 'h', 1, '0', '{a}', '{}', 1)"
)


def measured(bellhand: Bellhand) -> None:
    bellhand.kind()
    bellhand.sql(RUNS)
    bellhand.sql("select bellhand.learn_now()")


def test_a_quote_says_when_and_enqueues_nothing(bellhand: Bellhand) -> None:
    measured(bellhand)
    bellhand.sql(WORKER)
    said = bellhand.ok("quote", "a", "n=1")
    assert said.out.startswith("0 jobs would stand before it in lane default\nstarts at once")
    assert "done in about 60 s (60 s to 6" in said.out.replace("1 min", "60 s")
    assert "30 runs of its kind" in said.out
    assert "no live job is its duplicate" in said.out
    assert bellhand.sql("select count(*) from bellhand.jobs")[0][0] == 0
    taken = bellhand.job(unique_key="k")
    again = bellhand.ok("quote", "a", "--unique-key", "k")
    assert f"see job {taken}" in again.out
    assert "warning: a live job has this unique key" in again.err
    as_json = bellhand.ok("quote", "a", "--unique-key", "k", "--json").json
    assert (as_json["duplicate_of"], as_json["warnings"]) == (taken, ["duplicate"])


def test_a_quote_is_refused_as_an_enqueue_is(bellhand: Bellhand) -> None:
    bellhand.kind("sites.look", schema=SCHEMA, checks=CHECKS)
    for words in (("sites.look", "pages=3"), ("sites.lok", "url=x")):
        quoted, enqueued = bellhand("quote", *words), bellhand("enqueue", *words)
        assert (quoted.code, quoted.err) == (enqueued.code, enqueued.err)


def test_eta_and_show_and_enqueue_tell_the_times(bellhand: Bellhand) -> None:
    measured(bellhand)
    bellhand.sql(WORKER)
    made = bellhand.ok("enqueue", "a")
    assert "done in about 60 s" in made.out.replace("1 min", "60 s")
    job = made.out.split()[1]
    assert "starts at once" in bellhand.ok("eta", job).out
    foretold = bellhand.ok("eta", job, "--json").json["eta"]
    assert foretold["confidence"] == "fair"
    assert foretold["starts_low"] <= foretold["starts_at"] <= foretold["finishes_at"]
    assert bellhand.ok("show", job, "--json", "eta").json["eta"]["basis"] == foretold["basis"]
    assert "eta" in bellhand.ok("show", job).out
    over = bellhand.over("failed")
    assert bellhand.ok("eta", str(over)).out.startswith("it is failed since ")
    assert "nothing was judged yet" in bellhand.ok("eta").err
    bellhand.sql(
        "insert into bellhand.eta_scores values (now()::date, 'a', 'finish', 412, 358, 10, 41.2)"
    )
    said = bellhand.ok("eta")
    assert said.words[1] == ["a", "finish", "412", "87%", "10", "44", "10%"]
    assert "the band held for 87% of 412 in the last seven days" in said.err


def test_failures_are_listed_shown_muted_and_retried(bellhand: Bellhand) -> None:
    bellhand.kind()
    for n in range(3):
        bellhand.over("failed", error=f"ValueError: row {n}", payload='{"n": 1}')
    other = bellhand.over("failed", error="TypeError: \x1b[31mno")
    bellhand.sql("select bellhand.learn_now()")
    listed = {row["message"]: row for row in bellhand.ok("failures", "--json").json}
    group = listed["ValueError: row <n>"]
    assert (group["jobs"], group["open"], sum(group["trend"])) == (3, 3, 3)
    out = bellhand.ok("failures").out
    assert "ValueError: row <n>" in out
    assert "\x1b" not in out
    short = group["fingerprint"][:6]
    shown = bellhand.ok("failures", short)
    assert "3 in all, 3 still failed" in shown.out
    assert f"bellhand retry --failure {group['fingerprint']}" in shown.err
    look = bellhand("retry", "--failure", short)
    assert look.code == 7
    assert look.out.splitlines()[0] == "3 jobs match (a 3)  failed 3"
    assert "--expect 3" in look.err
    wrong = bellhand("retry", "--failure", short, "--expect", "2")
    assert (wrong.code, wrong.err.splitlines()[0]) == (7, "error: 3 jobs match, not 2")
    done = bellhand.ok("retry", "--failure", short, "--expect", "3", "--reason", "fixed")
    assert done.out == "3 jobs told to retry  operation 1\n"
    assert bellhand.ok("failures", "--json").json[-1]["open"] in (0, 1)
    assert bellhand.ok("undo", "1").out == "3 jobs as before\n"
    assert bellhand("undo", "1").code == 1
    bellhand.ok("failures", short, "--mute", "2h", "--reason", "known")
    assert [row["jobs"] for row in bellhand.ok("failures", "--json").json] == [1]
    assert len(bellhand.ok("failures", "--all", "--json").json) == 2
    said = bellhand.ok("failures", short, "--mute", "deploy").out
    assert said == f"{group['fingerprint']}  muted until the next deploy\n"
    bellhand.ok("failures", short, "--mute", "off")
    assert len(bellhand.ok("failures", "-q").words) == 2
    assert bellhand("failures", "zzz").code == 3
    assert bellhand.state(other) == "failed"


def test_bulk_takes_the_filters_that_list_has(bellhand: Bellhand) -> None:
    bellhand.kind("a")
    bellhand.kind("b", lane="other")
    mine, others, b = bellhand.job(owner="me"), bellhand.job(owner="you"), bellhand.job("b")
    assert bellhand("bulk", "cancel", "--owner", "me", "--json").json["examples"] == [mine]
    assert bellhand("bulk", "cancel", "--lane", "other", "--json").json["examples"] == [b]
    assert (
        bellhand("bulk", "pause", "--state", "queued", "--since", "1h", "--json").json["jobs"] == 3
    )
    assert bellhand("bulk", "run-now", "--kind", "a").code == 0, "nothing is scheduled"
    bellhand.ok("bulk", "reprioritize", str(mine), str(b), "--priority", "9", "--expect", "2")
    priorities = {row[0]: row[1] for row in bellhand.sql("select id, priority from bellhand.jobs")}
    assert priorities == {mine: 9, others: 5, b: 9}
    bellhand.ok("bulk", "cancel", "--kind", "a", "--expect", "2", "--reason", "a mistake", "-q")
    (row, _) = bellhand.ok("undo", "--json").json
    assert (row["action"], row["jobs"], row["reason"], row["undoable"]) == (
        "cancel",
        2,
        "a mistake",
        True,
    )
    assert row["actor"].startswith("cli:")
    listed = bellhand.ok("undo").words
    assert listed[0][:5] == ["ID", "WHEN", "WHO", "ACTION", "JOBS"]
    bellhand.ok("undo", str(row["id"]))
    assert bellhand.state(mine) == "pending"


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("bulk", "cancel"), 2, "the filter names no jobs"),
        (("bulk", "erase", "--kind", "a"), 2, '"erase" is no action'),
        (("bulk", "cancel", "--state", "pendin"), 2, "pendin"),
        (("bulk", "retry", "--state", "running"), 2, "cannot be told to retry"),
        (("bulk", "reprioritize", "--kind", "a"), 2, "needs a priority"),
        (("undo", "77"), 3, "there is no operation 77"),
        (("retry", "1", "--failure", "x"), 2, "give either jobs or --failure"),
        (("failures", "--mute", "2h"), 2, "--mute needs a group"),
    ],
)
def test_what_makes_no_sense_is_refused(
    bellhand: Bellhand, words: tuple[str, ...], code: int, what: str
) -> None:
    said = bellhand(*words)
    assert said.code == code, said
    assert what in said.err.splitlines()[0]
    assert "Traceback" not in said.err
    assert json.loads(bellhand(*words, "--json").err)["exit_code"] == code
