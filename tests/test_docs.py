"""What the documentation shows works: every block of it is run or read, and the site is built without a broken link."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from bellhand.cli.app import _normal, app
from bellhand.settings import Settings
from doc_pages import Block, blocks, pages, run
from support import ROOT, Server, administer

BLOCKS = [block for page in pages() for block in blocks(page)]
RUN = {"console", "sql"}
READ = {"json", "toml", "python"}
SHOWN = {"", "text", "sh", "html"}
FAMILIES = ("crm", "leads", "matching", "seo", "sites")
BIN = Path(sys.executable).parent


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


# A command line up to what a shell would take for itself.
COMMAND = re.compile(r"(?:^\$|[&|;(]|sudo|^  ) *bellhand ((?:'[^']*'|\"[^\"]*\"|[^'\"|;&<>)#\n])+)", re.MULTILINE)  # fmt: skip


def commands_told(text: str) -> set[str]:
    """What follows `bellhand` on the lines of a shell that are not run, and between backticks, where more than a command is said."""
    unrun = [block.text for block in BLOCKS if block.language == "console" and block.reason and block.text in text]  # fmt: skip
    said = [match[1] for part in unrun for match in COMMAND.finditer(part)]
    said += re.findall(r"`(?:sudo )?bellhand ([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))  # fmt: skip
    return {
        line.strip()
        for line in said
        if " " in line.strip() and not re.search(r"\.\.\.|COMMAND", line)
    }


def of(*languages: str) -> list[object]:
    return [pytest.param(block, id=block.place) for block in BLOCKS if block.language in languages]


def test_every_block_is_of_a_sort_that_is_run_read_or_meant_to_be_looked_at() -> None:
    assert len(BLOCKS) > 30
    assert {
        block.place: block.language for block in BLOCKS if block.language not in RUN | READ | SHOWN
    } == {}


@pytest.mark.parametrize("block", of("json"))
def test_json_of_the_documentation_is_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of("toml"))
def test_configuration_of_the_documentation_is_accepted(block: Block) -> None:
    Settings.model_validate(tomllib.loads(block.text))


@pytest.mark.parametrize("block", of("python"))
def test_python_of_the_documentation_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_every_command_that_is_named_is_one_with_these_options() -> None:
    """Also those that no test runs, and those between backticks; a command alone is only named, and a word in capitals stands for something."""
    of_others = ROOT / "docs" / "runbooks"  # tests/test_watching.py parses those
    named = {line: name_of(page) for page in pages() if page.parent != of_others for line in commands_told(page.read_text())}  # fmt: skip
    wrong: dict[str, str] = {}
    for line, place in named.items():
        words = [re.sub(r"^[A-Z]+$", "1", word) for word in shlex.split(line, comments=True)]
        try:
            _, bound, _ = app.meta.parse_args(
                _normal(words), exit_on_error=False, print_error=False
            )
            app.parse_args(bound.arguments["tokens"], exit_on_error=False, print_error=False)
        except CycloptsError as error:
            if "requires an argument" not in str(error):
                wrong[f"{place}: bellhand {line}"] = str(error)
    assert len(named) > 60
    assert wrong == {}


RUNNABLE = [
    page
    for page in pages()
    if any(block.language in RUN and not block.reason for block in blocks(page))
    and "<!-- run by: tests/" not in page.read_text()
]
WITH_JOBS = [page for page in RUNNABLE if "<!-- runs: jobs -->" in page.read_text()]


@pytest.fixture(scope="module")
def published(server: Server, template: str) -> Iterator[str]:
    """The name of a database that knows the kinds of all families, to copy."""
    name = f"bellhand_{uuid.uuid4().hex[:12]}"
    administer(server.dsn, f"create database {name} template {template} strategy file_copy")
    modules = json.dumps(
        [f"bellhand.families.{family}" for family in FAMILIES]
        + ["bellhand.notify", "bellhand.dev.demo"]
    )
    environment = {**os.environ, "BELLHAND_DSN": server.dsn_for(name), "BELLHAND_MODULES": modules}
    subprocess.run(
        [BIN / "bellhand", "kinds", "publish"],
        env=environment,
        cwd=ROOT / "docs",
        check=True,
        timeout=60,
    )
    yield name
    administer(server.dsn, f"drop database {name} with (force)")


def environment_of(dsn: str, server: Server, folder: Path) -> dict[str, str]:
    (folder / ".venv").symlink_to(BIN.parent)
    programs = os.pathsep.join([str(BIN), str(server.psql.parent), os.environ["PATH"]])
    return {
        "PATH": programs, "BELLHAND_DSN": dsn, "BELLHAND_DOCS_DSN": dsn, "XDG_STATE_HOME": str(folder / "state"),
        "BELLHAND_STATUS__PORT": "0", "NO_COLOR": "1", "PYTHONPATH": str(folder),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in RUNNABLE if page not in WITH_JOBS], ids=name_of)
def test_commands_and_statements_of_a_page_work_in_their_order(
    page: Path, published: str, server: Server, tmp_path: Path
) -> None:
    """No daemon runs: examples name sites of others, whom nobody may visit from here."""
    name = f"bellhand_{uuid.uuid4().hex[:12]}"
    administer(server.dsn, f"create database {name} template {published} strategy file_copy")
    run(blocks(page), tmp_path, environment_of(server.dsn_for(name), server, tmp_path))
    administer(server.dsn, f"drop database {name} with (force)")


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_JOBS, ids=name_of)
def test_a_page_that_runs_jobs_works_beside_the_daemon_of_development(
    page: Path, dsn: str, server: Server, tmp_path: Path
) -> None:
    environment = environment_of(dsn, server, tmp_path)
    with _dev(environment, tmp_path):
        run(blocks(page), tmp_path, environment)


@contextmanager
def _dev(environment: dict[str, str], folder: Path) -> Iterator[None]:
    """`bellhand dev`, ready."""
    with (folder / "dev.log").open("w+") as log:
        dev = subprocess.Popen(
            [BIN / "bellhand", "dev", "--no-demo"],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert dev.stdout is not None
            for line in dev.stdout:
                if "Ctrl-C" in line or "Try" in line:
                    break
            else:
                raise AssertionError(f"bellhand dev ended: {dev.wait()}")
            yield
        finally:
            dev.terminate()
            dev.communicate(timeout=40)


def test_the_site_is_built_without_a_broken_link(tmp_path: Path) -> None:
    """A page that is not in the navigation, a link or an anchor that leads nowhere: each is an error (--strict)."""
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr[-4000:]
    index = (tmp_path / "site" / "index.html").read_text()
    assert "Background jobs" in index
    outside = [
        line
        for line in index.splitlines()
        if 'src="http' in line or 'rel="stylesheet" href="http' in line
    ]
    assert outside == [], "a page fetches something from elsewhere"
    listed = re.findall(r"\]\((.+?)\)", (tmp_path / "site" / "llms.txt").read_text())
    built_pages = {str(page.relative_to(tmp_path / "site")) for page in tmp_path.rglob("*.html")}
    assert set(listed) == built_pages - {"404.html"}


def test_every_test_that_a_page_names_is_there() -> None:
    """Of the rows that say what is shown by which test none shows nothing; a word behind it (S0-34) stands in that file."""
    named = re.compile(r"`(?:tests/)?((?:test|real)_\w+)(?:\.py)?`(?: \((S\d-\w+)\))?")
    files = {path.stem: path.read_text() for path in (ROOT / "tests").glob("*.py")}
    missing = []
    for page in pages():
        for name, item in named.findall(page.read_text()):
            text = files.get(name, "").lower().replace("_", "-")
            if not text or item.lower() not in text:
                missing.append(f"{name_of(page)}: {name} {item}".strip())
    assert missing == []
