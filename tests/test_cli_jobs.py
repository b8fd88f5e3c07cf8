"""Jobs from the command line: what is asked, what is seen."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json

from commands import CHECKS, SCHEMA, Bellhand, bare, bellhand


def test_enqueue_reads_key_value_words_by_the_schema_of_the_kind(bellhand: Bellhand) -> None:
    bellhand.kind("sites.look", lane="sites", schema=SCHEMA, checks=CHECKS)
    words = ("url=https://x.org/?a=b", "pages=3", "tags=x, y", "deep=true", 'more={"a": 1}')
    said = bellhand.ok("enqueue", "sites.look", *words, "rest=7", "raw:=[1]", "--json")
    (row,) = bellhand.sql("select * from bellhand.jobs")
    assert (said.json["id"], said.json["key"]) == (row["id"], str(row["key"]))
    assert json.loads(row["payload"]) == {
        "url": "https://x.org/?a=b", "pages": 3, "tags": ["x", "y"], "deep": True,
        "more": {"a": 1}, "rest": 7, "raw": [1],
    }  # fmt: skip
    assert row["source"] == "cli"


def test_enqueue_passes_everything_on(bellhand: Bellhand) -> None:
    bellhand.kind()
    parent = bellhand.job()
    said = bellhand.ok(
        "enqueue", "a", '{"n": 1}', "--priority", "9", "--owner", "me", "--tag", "x=1", "--tag",
        "y=2", "--depends-on", str(parent), "--attempts-max", "2", "--timeout-seconds", "1.5",
        "--unique-key", "k", "-q",
    )  # fmt: skip
    (row,) = bellhand.sql("select * from bellhand.jobs where id = $1", int(said.out))
    assert json.loads(row["payload"]) == {"n": 1}
    assert json.loads(row["tags"]) == {"x": "1", "y": "2"}
    assert (row["priority"], row["owner"], row["attempts_max"]) == (9, "me", 2)
    assert (row["timeout_seconds"], row["unique_key"], row["state"]) == (1.5, "k", "blocked")


def test_jobs_are_listed_by_what_their_payload_holds(bellhand: Bellhand) -> None:
    for kind in ("a", "b"):
        bellhand.kind(kind)
    jobs = [bellhand.job(kind, payload=json.dumps({"site": {"id": n}, "to": "x y"})) for n in (1, 2) for kind in ("a", "b")]  # fmt: skip

    def listed(*words: str) -> list[int]:
        return [int(line) for line in bellhand.ok("list", "-q", "--payload", *words).out.split()]

    assert listed("site.id=2") == [jobs[3], jobs[2]]
    assert listed("site.id=2", "--kind", "a") == [jobs[2]]
    assert listed("to=x y", "--limit", "3") == jobs[:0:-1]
    assert listed("to=x y", "--payload", "site.id=1", "--state", "pending") == [jobs[1], jobs[0]]
    assert listed("site=1") == []
    assert bellhand.ok("list", "--payload", "site.id=3").err == "no jobs match\n"
    refused = bellhand("list", "--payload", "site")
    assert (refused.code, "PATH=VALUE" in refused.err) == (2, True)


def test_a_list_of_a_kind_that_is_none_says_so(bellhand: Bellhand) -> None:
    bellhand.kind("seo.crawl")
    assert "no kind" not in bellhand.ok("list", "--kind", "seo.crawl").err
    for kind in ("seo.*", "seo"):
        assert (
            f"there is no kind {kind}; a kind is named whole"
            in bellhand.ok("list", "--kind", kind).err
        )


def test_a_list_of_a_lane_has_the_jobs_of_its_kinds(bellhand: Bellhand) -> None:
    bellhand.kind()
    bellhand.kind("seo.crawl", lane="seo")
    crawl, other = int(bellhand.ok("enqueue", "seo.crawl", "-q").out), bellhand.job()
    assert [one["id"] for one in bellhand.ok("list", "--lane", "seo", "--json", "id").json] == [crawl]  # fmt: skip
    assert other not in [one["id"] for one in bellhand.ok("list", "--lane", "seo", "--json").json]
    assert not bellhand.ok("list", "--lane", "seo", "--kind", "a", "--json").json
    unknown = bellhand("list", "--lane", "soe")
    assert (unknown.code, "there is no lane soe" in unknown.err) == (3, True)


def test_enqueue_says_whom_to_tell(bellhand: Bellhand) -> None:
    bellhand.kind()
    bellhand.kind("notify.slack", lane="notify")
    bellhand.kind("notify.email", lane="notify")
    bellhand.sql("select bellhand.set_channel('ops', 'slack', 'https://chat.example/x')")
    wishes = ("--notify", "ops", "--notify", "ann@example.com=failed,late:10m")
    job = int(bellhand.ok("enqueue", "a", *wishes, "-q").out)
    (row,) = bellhand.sql("select notify from bellhand.jobs where id = $1", job)
    assert json.loads(row["notify"]) == [
        {"to": "ops", "on": ["completed", "failed"]},
        {"to": "ann@example.com", "on": ["failed", "late"], "late_seconds": 600},
    ]
    unsaid = bellhand("enqueue", "a", "--notify", "ops=late")
    assert (unsaid.code, "late:10m" in unsaid.err) == (2, True)
    nobody = bellhand("enqueue", "a", "--notify", "oops=failed")
    assert nobody.code != 0
    assert 'there is no channel "oops"; there is ops' in nobody.err


def test_enqueue_with_a_unique_key_returns_the_job_that_has_it(bellhand: Bellhand) -> None:
    bellhand.kind()
    first = bellhand.ok("enqueue", "a", "--unique-key", "k", "--json").json
    second = bellhand.ok("enqueue", "a", "--unique-key", "k", "--json").json
    assert (first["created"], second["created"]) == (True, False)
    assert first["id"] == second["id"]


def test_enqueue_says_what_nobody_handles(bellhand: Bellhand) -> None:
    bellhand.kind()
    said = bellhand.ok("enqueue", "a")
    assert "no live worker handles a" in said.err
    assert "no live worker" not in said.out
    assert bellhand.ok("enqueue", "a", "--json").json["warnings"] == [{"code": "no_worker"}]


def test_enqueue_waits_for_its_time(bellhand: Bellhand) -> None:
    bellhand.kind()
    soon = bellhand.ok("enqueue", "a", "--run-at", "1h30m", "-q").out
    fixed = bellhand.ok("enqueue", "a", "--run-at", "2031-02-03T04:05Z", "-q").out
    (wait,) = bellhand.sql(
        "select extract(epoch from run_at - now()) from bellhand.jobs where id = $1", int(soon)
    )[0]
    assert 5300 < wait <= 5400
    (row,) = bellhand.sql("select * from bellhand.jobs where id = $1", int(fixed))
    assert row["run_at"].isoformat() == "2031-02-03T04:05:00+00:00"
    assert bellhand.ok("list", "--state", "delayed", "--json", "id").json == [
        {"id": int(fixed)}, {"id": int(soon)},
    ]  # fmt: skip


def test_enqueue_takes_the_payload_from_stdin(bellhand: Bellhand) -> None:
    bellhand.kind()
    bellhand.ok("enqueue", "a", "-", stdin='{"big": true}')
    assert bellhand.sql("select payload from bellhand.jobs")[0][0] == '{"big": true}'


REFUSED = [
    (("sites.look", "pages=3"), "payload does not fit", '"url" is missing'),
    (("sites.look", "url=x", "pages=many"), "payload does not fit", "must be integer"),
    (("sites.lok", "url=x"), "unknown kind", 'Did you mean "sites.look"'),
    (("sites.look", "url=x", "--priority", "12"), "outside 1 to 10", "10 runs first"),
    (("sites.look", "url=x", "--depends-on", "999"), "job 999, which does not exist", ""),
    (("sites.look", "url=x", "--attempts-max", "0"), "refused", "attempts_positive"),
    (("sites.look", "url=x", "--unique-key", "k" * 600), "refused", "key_length"),
    (("sites.look", "url"), "neither key=value nor", ""),
    (("sites.look", "{oops"), "not JSON", "quote it"),
    (("sites.look", "[1]"), "must be a JSON object", "it is list"),
    (("sites.look", "url:=x"), "does not hold JSON", ""),
    (("sites.look", "url=x", "--tag", "x"), "is not key=value", ""),
    (("sites.look", "url=x", "--run-at", "soon"), "--run-at cannot be read", "10m"),
    (("sites.look", "url=x", "--run-at", "2031-13-01"), "--run-at cannot be read", ""),
    (("sites.look", "url=x", "--priorty", "1"), "unknown option", "--priority"),
    (("sites.look", "url=x", "--priority", "high"), "--priority", "int"),
    (("sites.look", r'{"url": "\u0000"}'), "refused", ""),
]


def test_enqueue_refuses_what_does_not_fit_and_says_why(bellhand: Bellhand) -> None:
    bellhand.kind("sites.look", schema=SCHEMA, checks=CHECKS)
    for words, what, why in REFUSED:
        said = bellhand("enqueue", *words)
        assert (said.code, said.out) == (2, ""), (words, said)
        first = said.err.splitlines()[0]
        assert first.startswith("error: "), words
        assert what in first, words
        assert why in said.err, words
    assert bellhand.sql("select count(*) from bellhand.jobs")[0][0] == 0


def test_list_shows_the_newest_first_and_only_what_was_asked_for(bellhand: Bellhand) -> None:
    bellhand.kind("a")
    bellhand.kind("b")
    first = bellhand.job("a", owner="me")
    second = bellhand.job("b")
    third = bellhand.over("failed", kind="a", error="it broke\nutterly")
    head, *lines = bellhand.ok("list").words
    assert head[:3] == ["ID", "STATE", "KIND"]
    assert [line[:3] for line in lines] == [
        [str(third), "failed", "a"], [str(second), "pending", "b"], [str(first), "pending", "a"],
    ]  # fmt: skip
    assert lines[0][-1] == "utterly"
    assert bellhand.ok("list", "--kind", "b", "-q").out == f"{second}\n"
    assert bellhand.ok("list", "--owner", "me", "-q").out == f"{first}\n"
    assert bellhand.ok("list", "--limit", "1", "-q").out == f"{third}\n"
    assert bellhand.ok("list", "--oldest", "-q").out == f"{first}\n{second}\n{third}\n"
    assert bellhand.ok("list", "--state", "failed", "--since", "1h", "-q").out == f"{third}\n"
    bellhand.sql("update bellhand.history set finished_at = now() - interval '2 days'")
    bellhand.sql(
        "update bellhand.jobs set created_at = now() - interval '2 days' where id = $1", first
    )
    assert bellhand.ok("list", "--since", "1d", "-q").out == f"{second}\n"
    assert bellhand.ok("list", "--kind", "b", "--owner", "you").err == "no jobs match\n"


def test_list_takes_every_word_that_people_have_for_a_state(bellhand: Bellhand) -> None:
    bellhand.kind()
    parent = bellhand.job()
    jobs = {
        "pending": parent,
        "blocked": bellhand.job(depends_on=[parent]),
        "running": bellhand.running(),
        "completed": bellhand.over("completed"),
        "partial": bellhand.over("completed", partial=True),
        "failed": bellhand.over("failed"),
        "cancelled": bellhand.over("cancelled"),
        "paused": bellhand.job(),
        "retrying": bellhand.job(),
    }
    bellhand.ok("pause", str(jobs["paused"]))
    bellhand.sql("update bellhand.jobs set attempts = 1 where id = $1", jobs["retrying"])
    words = {
        "queued": "pending", "Waiting": "pending", "processing": "running", "in-progress": "running",
        "active": "running", "FAILURE": "failed", "error": "failed", "canceled": "cancelled",
        "RETRY": "retrying", "held": "paused", "partial": "partial", "blocked": "blocked",
    }  # fmt: skip
    for word, state in words.items():
        said = bellhand.ok("list", "--state", word, "-q")
        assert said.out.split() == [str(jobs[state])], word
    assert len(bellhand.ok("list", "--state", "success", "-q").out.split()) == 2
    both = bellhand.ok("list", "--state", "running,failed", "-q").out.split()
    assert both == [str(jobs["failed"]), str(jobs["running"])]
    assert len(bellhand.ok("list", "--state", "live", "-q").out.split()) == 5
    assert len(bellhand.ok("list", "--state", "over", "-q").out.split()) == 4


def test_list_names_the_state_that_was_meant(bellhand: Bellhand) -> None:
    said = bellhand("list", "--state", "runing")
    assert (said.code, said.out) == (2, "")
    assert "did you mean 'running'?" in said.err


def test_json_has_the_fields_that_were_asked_for(bellhand: Bellhand) -> None:
    bellhand.kind()
    job = bellhand.job()
    assert bellhand.ok("list", "--json", "id,state").json == [{"id": job, "state": "pending"}]
    assert bellhand.ok("list", "--json=kind").json == [{"kind": "a"}]
    assert bellhand.ok("show", "--json", "state", str(job)).json == {"state": "pending"}
    whole = bellhand.ok("show", str(job), "--json").json
    assert whole["allowed_actions"] == ["cancel", "pause"]
    assert whole["position"]["ahead"] == 0
    assert whole["links"]["self"] == f"/v1/jobs/{whole['key']}"
    assert whole["created_at"].endswith("Z")
    said = bellhand("list", "--json", "id,sate")
    assert said.code == 2
    assert json.loads(said.err)["fix"] == "did you mean 'state'?"


def test_show_tells_the_whole_story_of_a_job(bellhand: Bellhand) -> None:
    bellhand.kind()
    job = bellhand.running(payload='{"secret\\n": "\\u001b[31m"}', owner="me")
    bellhand.sql(
        "insert into bellhand.steps (job, name, position, state, error, counters, finished_at) values "
        "($1, 'first', 1, 'completed', null, '{\"leads\": 3}', now()), "
        "($1, 'second', 2, 'failed', E'no\\nanswer', null, now())",
        job,
    )
    bellhand.ok("cancel", str(job), "--reason", "enough")
    said = bellhand.ok("show", str(job))
    for wanted in (
        "cancelling",
        "attempt 1/3",
        "✓ first",
        "3 leads",
        "! second",
        "answer",
        "owner",
    ):
        assert wanted in said.out, wanted
    assert "cancel_asked by cli:" in said.out
    assert "reason enough" in said.out
    assert "\x1b" not in said.out


def test_a_job_is_found_by_its_key_and_by_no_other(bellhand: Bellhand) -> None:
    bellhand.kind()
    job = bellhand.job()
    key = str(bellhand.sql("select key from bellhand.jobs")[0][0])
    assert bellhand.ok("show", key, "--json", "id").json == {"id": job}
    assert bellhand.ok("why", key).code == 0
    other = key[:-1] + ("0" if key[-1] != "0" else "1")
    assert bellhand("show", other).code == 3
    assert bellhand("cancel", other).code == 3
    assert bellhand.state(job) == "pending"


def test_position_counts_what_is_before_a_job(bellhand: Bellhand) -> None:
    bellhand.kind()
    bellhand.sql("insert into bellhand.jobs (kind) select 'a' from generate_series(1, 1100)")
    (low,) = bellhand.sql("select min(id) from bellhand.jobs")[0]
    urgent = bellhand.job(priority=9)
    ahead = {
        job: bellhand.ok("show", str(job), "--json", "position").json["position"]["ahead"]
        for job in (urgent, low, low + 10, low + 1050)
    }
    assert ahead == {urgent: 0, low: 1, low + 10: 11, low + 1050: "1000+"}


def test_why_names_the_gate_and_the_command_that_opens_it(bellhand: Bellhand) -> None:
    bellhand.kind()
    job = str(bellhand.job())
    assert "no_worker" in bellhand.ok("why", job).out
    bellhand.ok("pause", job)
    said = bellhand.ok("why", job, "--json").json
    assert (said["state"], said["gates"][0]["gate"]) == ("paused", "paused")
    assert said["gates"][0]["fix"] == f"bellhand resume {job}"
    assert bellhand("why", "987654").code == 3
