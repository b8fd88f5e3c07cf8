"""What commands print for programs: the published shapes, chosen fields, a line each, templates; and no colours in a pipe."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from bellhand.cli.schemas import fields_of
from bellhand.cli.shapes import SHAPES
from commands import CHECKS, SCHEMA, Bellhand, bare, bellhand

pytestmark = (
    pytest.mark.slow
)  # starts processes one after another; what they ask of Postgres others ask on each version

NIGHTLY = "insert into bellhand.schedules (name, cron, kind, payload) values ('nightly', '0 3 * * *', 'a', '{}')"


@pytest.fixture
def full(bellhand: Bellhand) -> Bellhand:
    """A database with one of everything in it."""
    bellhand.kind("a", schema=SCHEMA, checks=CHECKS)
    bellhand.kind("b", "slow")
    bellhand.sql(NIGHTLY)
    bellhand.sql("select bellhand.set_channel('ops', 'email', 'ops@example.com')")
    parent = bellhand.running(kind="a", payload='{"url": "x"}')
    bellhand.sql("insert into bellhand.steps (job, name, position, state, finished_at) values ($1, 'one', 1, 'completed', now())", parent)  # fmt: skip
    bellhand.job("b", depends_on=[parent], tags='{"x": "\\u001b[31mred"}')
    bellhand.over("failed", error="ValueError: \x1b[31mno\x1b[0m", kind="b")
    bellhand.over("completed", kind="b")
    bellhand.sql("select bellhand.group_failures()")
    return bellhand


# Every command that lists or shows, and what its words are; {job} is a running one, {over} one that failed.
LOOKS = (
    "list", "list --state failed", "show {job}", "show {job} {over}", "why {job}", "why {over}", "eta", "eta {job}", "status", "schedules", "schedule",
    "kinds", "kinds a", "failures", "failures {failure}", "channels", "channels list", "undo", "token list", "check --no-environment", "check", "doctor", "env",
    "version", "migrate --dry-run", "drain --plan", "quote b", "bulk cancel --kind b", "wait {over}", "watch {over}", "support-bundle --dry-run",
    "lanes", "workers", "stats", "audit", "audit {job} --type completed", "reprioritize {job} --priority 8", "logs {job}", "help exit-codes", "help errors", "seo crawls", "crm reports", "migrate status", "restore review", "cleanup",
)  # fmt: skip


def words_of(look: str, full: Bellhand) -> list[str]:
    job, over = (full.sql(f"select max(id) from bellhand.all_jobs where state = '{state}'")[0][0] for state in ("running", "failed"))  # fmt: skip
    (failure,) = full.sql("select fingerprint from bellhand.failures")[0]
    return look.format(job=job, over=over, failure=failure).split()


def test_lists_and_shows_are_as_their_schemas_say_and_plain_in_a_pipe(
    full: Bellhand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A13, of every command that lists or shows."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for look in LOOKS:
        words = words_of(look, full)
        said = full(*words, "--json")
        name = next(name for name in (" ".join(words[:2]), words[0]) if name in SHAPES)
        TypeAdapter(SHAPES[name]).validate_json(said.out)
        known = set(fields_of(words))
        rows = said.json if isinstance(said.json, list) else [said.json]
        if known:
            assert not set().union(*(row for row in rows)) - known, (
                f"{look}: {set().union(*rows) - known} not in the schema"
            )
        text = full(*words)
        assert text.code == said.code, look
        assert "\x1b" not in text.out + text.err + said.out, look


def test_every_command_that_prints_data_has_a_schema(full: Bellhand) -> None:
    published = full.ok("schema").json
    assert published.keys() == SHAPES.keys()
    assert full.ok("schema", "lane", "limit").json == published["lane limit"]
    assert published["list"]["items"]["$ref"].endswith("/Job")
    assert full("schema", "dev").code == 3


def test_fields_are_chosen_by_name_and_by_dots(full: Bellhand) -> None:
    (job,) = full.ok("list", "--state", "running", "--json", "id,progress.steps_done").json
    assert job == {"id": job["id"], "progress.steps_done": 1}
    assert full.ok("kinds", "--json", "name").json == [{"name": "a"}, {"name": "b"}]
    assert full.ok("kinds", "--json", "b").json["name"] == "b"  # not a field, so the kind
    assert "schema" in full.ok("kinds", "--fields").out.split()
    assert full("kinds", "--json", "name,lne").err.count("did you mean 'lane'?") == 1
    assert full.ok("status", "--json", "lanes").json.keys() == {"lanes"}
    near = full("cancel", "1", "--json=idd")
    assert (near.code, full.state(int(words_of("{job}", full)[0]))) == (2, "running")


def test_a_line_each_is_an_object_each(full: Bellhand) -> None:
    lines = full.ok("list", "--ndjson").out.splitlines()
    assert [json.loads(line) for line in lines] == full.ok("list", "--json").json
    assert full.ok("list", "--ndjson", "--json", "kind", "--kind", "a").out == '{"kind": "a"}\n'


def test_a_template_makes_a_line_each(full: Bellhand) -> None:
    lines = full.ok("list", "--format", r"{kind}\t{state}|{owner}|{priority:>3}|{tags}|{{").out.splitlines()  # fmt: skip
    assert "b\tblocked||  5|" in lines[2] or any(
        line.startswith("b\tblocked||  5|") for line in lines
    )
    assert all(line.endswith("|{") for line in lines)
    assert full.ok("list", "--format={progress.steps_done:4d}|{depends_on}", "--state", "running").out == "   1|[]\n"  # fmt: skip
    failed = full.ok("list", "--format", "{error}", "--state", "failed").out
    assert failed == "ValueError: \\x1b[31mno\\x1b[0m\n"
    for template, hint in (("{idd}", "did you mean 'id'?"), ("{id", "a brace of its own"), ("{id:>>>}", "write {id:>8}")):  # fmt: skip
        wrong = full("list", "--format", template)
        assert (wrong.code, hint in wrong.err) == (2, True), wrong
    # Nothing of Python is reached through a template.
    assert full("list", "--format", "{id.__class__}").out.strip() == ""
    # A command's own --format is left alone.
    assert "--format" in full("seo", "report", "1", "--format", "docx").err
