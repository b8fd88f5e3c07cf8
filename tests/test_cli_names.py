"""How jobs are named: ids, keys, how keys begin, @last, stdin; and what Tab offers."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bellhand.cli.completing import complete, sort_of
from commands import Bellhand, bare, bellhand
from support import ROOT


def key_of(bellhand: Bellhand, job: int) -> str:
    return str(bellhand.sql("select key from bellhand.all_jobs where id = $1", job)[0][0])


def test_a_job_is_named_by_how_its_key_begins(bellhand: Bellhand) -> None:
    bellhand.kind()
    live, over = bellhand.job(), bellhand.over("failed")
    # Far from the others, so that few digits tell it apart.
    (far,) = bellhand.sql("select setval('bellhand.jobs_id_seq', 1000000000000)")[0]
    far = bellhand.job()
    for job, digits in ((live, 19), (over, 19), (over, 36), (far, 6), (far, 13), (far, 17)):
        begun = key_of(bellhand, job)[:digits]
        assert bellhand.ok("show", begun, "--json", "id").json == {"id": job}, begun
        assert bellhand.ok("show", begun.upper(), "--json", "id").json == {"id": job}
    assert bellhand.ok("cancel", key_of(bellhand, far)[:10], "-q").out == f"{far}\n"
    several = bellhand("why", "0000-0000")
    assert (several.code, f"{live}, {over}" in several.err) == (2, True), several
    strange = key_of(bellhand, live)[:-1]
    strange += "0" if key_of(bellhand, live)[-1] != "0" else "1"
    for word, code in ((strange, 3), ("dead-beef", 3), ("123g", 2), ("00000000-0000-4", 2), ("abc", 2)):  # fmt: skip
        assert bellhand("cancel", word).code == code, word
    assert bellhand.state(live) == "pending"


def test_the_key_of_a_job_is_found_by_ranges_of_ids_alone(bellhand: Bellhand) -> None:
    bellhand.kind()
    bellhand.sql("insert into bellhand.jobs (kind) select 'a' from generate_series(1, 3000)")
    bellhand.sql("select bellhand.prepare_history()")
    before = bellhand.sql("select sum(seq_tup_read) from pg_stat_user_tables where relname ~ '^(jobs|history)'")[0][0]  # fmt: skip
    bellhand("show", "0000")
    bellhand("show", "00000000-0001")
    bellhand.sql("select * from bellhand.jobs_beginning('1', 50)")
    bellhand.sql("select pg_stat_force_next_flush()")
    after = bellhand.sql("select sum(seq_tup_read) from pg_stat_user_tables where relname ~ '^(jobs|history)'")[0][0]  # fmt: skip
    assert after == before


def test_last_is_what_was_enqueued_last_and_a_stranger_elsewhere(bellhand: Bellhand) -> None:
    bellhand.kind()
    nobody = bellhand("show", "@last")
    assert (nobody.code, "bellhand enqueue" in nobody.err) == (2, True)
    made = bellhand.ok("enqueue", "a", "-q").out.strip()
    assert bellhand.ok("show", "@last", "--json", "id").json == {"id": int(made)}
    bellhand.sql("update bellhand.jobs set key = gen_random_uuid()")  # as in another database
    assert bellhand("cancel", "@last").code == 3
    assert bellhand.state(int(made)) == "pending"


def test_ids_come_from_stdin_as_lists_print_them(bellhand: Bellhand) -> None:
    bellhand.kind()
    jobs = [bellhand.job() for _ in range(3)]
    ids = bellhand.ok("list", "--format", "{id}").out
    assert bellhand.ok("cancel", "-", "-q", stdin=ids).out.split() == [str(n) for n in reversed(jobs)]  # fmt: skip
    table = bellhand.ok("list").out
    assert len(bellhand.ok("show", "-", "--ndjson", stdin=table).out.splitlines()) == 3


@pytest.mark.parametrize(
    ("line", "sort"),
    [
        ("show 1", "jobs"), ("--dsn x show", None), ("--dsn x cancel ", "jobs"), ("list --kind s", "kinds"),
        ("list --kind=s", "kinds"), ("pause --lane ", "lanes"), ("enqueue ", "kinds"), ("lane limit ", "lanes"),
        ("schedule run ", "schedules"), ("retry --failure a", "failures"), ("list ", None), ("channels test ", "channels"),
    ],
)  # fmt: skip
def test_what_tab_offers_depends_on_the_words_before(line: str, sort: str | None) -> None:
    assert sort_of(line.split(" ")) == sort


def test_tab_offers_live_names_and_is_silent_without_a_database(
    bellhand: Bellhand, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bellhand.kind("shop.count", "slow")
    jobs = [bellhand.job("shop.count") for _ in range(12)]
    over = bellhand.over("failed", kind="shop.count")

    def offered(*words: str) -> list[str]:
        capsys.readouterr()
        complete(words)
        begin, *lines = capsys.readouterr().out.lstrip("\n").splitlines()
        assert begin == "\x1fbegin"
        return lines

    assert offered("enqueue", "sho") == ["shop.count"]
    assert offered("list", "--lane=sl") == ["slow"]
    found = offered("show", "1")
    assert {line.partition("\t")[0] for line in found} == {str(job) for job in [*jobs, over] if str(job).startswith("1")}  # fmt: skip
    assert f"{over}\tshop.count, failed" in offered("why", "")
    assert offered("why", "@l")[0].startswith("@last")
    assert offered("list", "--state", "f") == []
    monkeypatch.setenv("BELLHAND_DSN", "postgresql://nobody@127.0.0.1:1/none")
    assert offered("show", "1") == []


def test_a_shell_really_completes(bellhand: Bellhand, tmp_path: Path) -> None:
    """The function that bellhand completion prints, asked as bash asks it, which takes --option=value apart."""
    bellhand.kind("shop.count", "slow")
    script = bellhand.ok("completion", "bash").out
    assert len(script) < 30_000, "each new shell reads it"
    (tmp_path / "my file").touch()
    wanted = {
        "enqueue sh": "shop.count", "enqueue shop.count sh": "", "list --kind = sh": "shop.count", "list --ki": "--kind", "lane li": "limit",
        "-q --qu": "--quiet", "lane limit --ra": "--rate", "lane pause sl": "slow", "schedule add x --missed la": "latest", "--config my": "my file",
        "completion z": "zsh", "seo report 1 --format =": "html pdf csv", "tok": "token", "schedule ''": "add rm run pause resume", "list --js": "--json",
    }  # fmt: skip
    ask = [
        f'COMP_WORDS=(bellhand {line}) COMP_CWORD={len(line.split())}; _bellhand; echo "${{COMPREPLY[*]}}"'
        for line in wanted
    ]
    program = f'bellhand() {{ "{sys.executable}" -m bellhand "$@"; }}\ntype() {{ return 1; }}\n'
    env = os.environ | {"PYTHONPATH": str(ROOT / "daemon"), "BELLHAND_DSN": bellhand.dsn}
    file = tmp_path / "ask"
    file.write_text("\n".join([program, script, "shopt -s nullglob", *ask]))
    done = subprocess.run(["bash", str(file)], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    assert done.stderr == ""
    assert dict(zip(wanted, done.stdout.splitlines(), strict=True)) == wanted
