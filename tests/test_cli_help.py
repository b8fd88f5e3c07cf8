"""What the program says of itself: topics, errors by code, runbooks, rules for Prometheus; and what it waits for before it does."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bellhand.cli.app import app
from bellhand.cli.commands import COMMANDS, ELSEWHERE, GROUPS
from bellhand.cli.errors import CommandProblem
from bellhand.cli.manual import write
from bellhand.cli.topics import ERRORS, EXIT_CODES, TOPICS
from bellhand.problem_sorts import OF_SQLSTATE, SORTS
from bellhand.runbooks import runbooks
from commands import Bellhand, bare, bellhand
from support import ROOT


def test_every_line_of_the_list_is_what_the_command_says_of_itself() -> None:
    for _, name, where, line in COMMANDS:
        module, _, attribute = where.partition(":")
        target = getattr(importlib.import_module(f"bellhand.cli.{module}"), attribute)
        said = target.help if name in GROUPS else inspect.getdoc(target) or ""
        assert " ".join(said.split("\n\n")[0].split()) == line, name


def test_topics_and_errors_are_explained_without_a_database(
    bellhand: Bellhand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A12: every code has a text and what to do."""
    monkeypatch.setenv("BELLHAND_DSN", "postgresql://nobody@127.0.0.1:1/none")
    for topic in TOPICS:
        assert len(bellhand.ok("help", topic).out) > 200
        assert f"bellhand help {topic}" in bellhand.ok("help").out
    texts = {one["topic"]: one["text"] for one in bellhand.ok("help", "errors", "--json").json}
    assert set(texts) == {f"errors/{name}" for name in (*OF_SQLSTATE, *SORTS, *ERRORS)}
    assert min(map(len, texts.values())) > 60
    for word in ("errors/BH007", "bh007", "errors/unknown-kind", "BellhandDown"):
        assert len(bellhand.ok("help", word).out) > 60
    assert len(bellhand.ok("help", "runbooks").out.splitlines()) == len(runbooks())
    assert "guides/how-to/restore  " in bellhand.ok("help", "guides").out
    for word in ("guides/how-to/restore", "restore"):
        assert bellhand.ok("help", word).out.startswith("Back up and restore\n")
    near = bellhand("help", "exitcodes")
    assert (near.code, "did you mean exit-codes?" in near.err) == (3, True)
    assert bellhand.ok("help", "names", "--json").json["topic"] == "names"


def test_every_error_leads_to_its_text(bellhand: Bellhand) -> None:
    bellhand.kind()
    job = bellhand.over("completed")
    for words in (("retry", str(job)), ("show", "99"), ("list", "--state", "odd"), ("lst",), ("list", "--kind"), ("bulk", "cancel", "--kind", "a", "--expect", "5")):  # fmt: skip
        said = bellhand(*words)
        assert said.code in EXIT_CODES
        (topic,) = re.findall(r"^docs: +bellhand help (\S+)$", said.err, re.M)
        assert bellhand.ok("help", topic).out
        if words[0] != "retry":  # which says of each job on stdout what became of it
            said = bellhand(*words, "--ndjson")
            assert json.loads(said.err)["docs"] == f"bellhand help {topic}"
    for problem in CommandProblem.__subclasses__():
        assert problem.topic in ERRORS or problem.topic in SORTS


def test_help_of_a_command_tells_all_of_it_and_its_own_options_first(bellhand: Bellhand) -> None:
    whole = bellhand.ok("doctor", "--help").out
    assert "Nothing is changed. Each finding says" in whole
    for words in (("enqueue",), ("schedule", "add")):
        said = bellhand.ok(*words, "--help").out
        own, every = said.index("─ Options ─"), said.index("─ Options of every command ─")
        assert own < said.index("--notify") < every < said.index("--config"), words
        assert "[default: False]" not in said
    assert bellhand("enqueue", "demo.greet", "--empty-tag").code == 2
    names = [name for _, name, _, _ in COMMANDS]
    assert {there.split()[0] for there in ELSEWHERE.values()} <= set(names)
    assert not set(ELSEWHERE) & set(names)
    assert "here it is: bellhand lanes" in bellhand("queues").err


def test_a_line_of_help_or_of_tab_waits_for_nothing_it_does_not_need(bare: None) -> None:
    """Imports are what a start costs: the handlers' tools, the models of the API, the dashboard, rich's tracebacks."""
    program = "import sys; sys.argv = {words!r}\nfrom bellhand.__main__ import main\ntry: main()\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    unwanted = {
        "--help": {"bellhand.job", "bellhand.api", "bellhand.settings", "aiohttp", "pydantic", "httpx2", "lxml", "bellhand.families"},
        "__complete list --kind x": {"cyclopts", "rich", "pydantic", "structlog", "bellhand.settings"},
        "help names": {"aiohttp", "pydantic", "bellhand.job", "bellhand.api"},
        "list": {"pydantic_settings", "email.headerregistry", "aiohttp", "bellhand.job", "bellhand.api", "bellhand.families"},
    }  # fmt: skip
    for words, names in unwanted.items():
        code = program.format(words=["bellhand", *words.split()])
        done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "daemon"), "BELLHAND_DSN": "postgresql://127.0.0.1:1/x"},
                              capture_output=True, text=True, timeout=30, check=True)  # fmt: skip
        assert not names & set(done.stderr.splitlines()[-1].split()), words


def test_the_rules_lead_to_pages_that_are_there(
    bellhand: Bellhand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELLHAND_STATUS__URL", "https://jobs.example.com/")
    text = bellhand.ok("rules", "prometheus").out
    plain = (ROOT / "deploy" / "prometheus" / "rules.yml").read_text()
    assert text.count("- alert: ") == plain.count("- alert: ") == len(runbooks())
    links = re.findall(r"runbook_url: https://jobs\.example\.com/runbooks/(\w+)$", text, re.M)
    assert set(links) == set(runbooks())
    assert text.count("dashboard_url: 'https://jobs.example.com/") == len(links)
    assert "docs/runbooks/B" not in text
    file = tmp_path / "rules.yml"
    bellhand.ok("rules", "prometheus", "--url", "http://[::1]:7700", "--runbooks", "https://docs.example.com/r", "-o", str(file))  # fmt: skip
    assert "runbook_url: https://docs.example.com/r/BellhandDown" in file.read_text()
    assert bellhand("rules", "prometheus", "--url", "javascript:alert(1)").code == 2
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "rules", str(file)], check=True, capture_output=True)
        assert bellhand.ok("rules", "test").out.startswith(f"{len(links)} alerts")
    else:
        assert "apt-get install prometheus" in bellhand("rules", "test").err
    board = json.loads(bellhand.ok("rules", "grafana").out)
    shipped = json.loads((ROOT / "deploy" / "grafana" / "bellhand.json").read_text())
    box = board["templating"]["list"].pop()
    assert shipped["templating"]["list"].pop()["name"] == box["name"] == "pages"
    assert box["query"] == box["current"]["value"] == "https://jobs.example.com"
    assert board == shipped


def test_the_manual_tells_of_everything_and_is_set_without_a_warning(tmp_path: Path) -> None:
    write(tmp_path)
    text = (tmp_path / "bellhand.1").read_text()
    for _, name, _, _ in COMMANDS:
        assert rf".SS bellhand {name.replace('-', chr(92) + '-')}" in text
    settings = (tmp_path / "bellhand.toml.5").read_text()
    for line in re.findall(
        r"^(?:\[|# )?(\w+) = ", (ROOT / "config.example.toml").read_text(), re.M
    ):
        assert rf"\fB{line} = " in settings
    for page in tmp_path.iterdir():
        if shutil.which("groff"):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", "-K", "utf8", page], capture_output=True, text=True, check=True)  # fmt: skip
            assert done.stderr == ""
