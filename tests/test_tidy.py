"""The rules of the house, checked: who imports whom, how long things are, where time comes from."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from jsonschema_rs import validator_for

from bellhand.cli.values import payload_of
from bellhand.examples import enqueue_command, examples_of
from bellhand.kinds import find_kinds
from support import ROOT

PACKAGE = ROOT / "daemon" / "bellhand"
SQL = ROOT / "sql"
MODULES = sorted(PACKAGE.rglob("*.py"))
STATEMENTS = sorted(SQL.rglob("*.sql"))
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

# From the ground up: a module imports from its own layer or from below. Groups side by side in one
# layer never import one another. A folder covers what is in it.
LAYERS: list[dict[str, str]] = [
    {
        "pure": "alert_rules budget canary counted cron drain_cost errors event_sorts examples guides handler_code job_links journal kind_figures kinds lean migration_locks outcomes priorities problem_sorts resource runbooks sql states stats systemd"
    },
    {
        "tools": "db gauges job_counts logs metrics problems producer reach settings settings_credentials settings_environment settings_errors settings_notify settings_parts settings_services"
    },
    {"database": "bell callers gone look migrate positions preflight store tickets"},
    {"what handlers see": "clients job steps"},
    {
        "engine": "attempt blocking deadlines ended heartbeat isolate isolated joblog keeper limits progress settle suspects worker",
        "api": "api",
        "dashboard": "dashboard",
        "families": "families",
        "notify": "notify",
    },
    {"root": "app registration surfaces vitals"},
    {"surface": "__main__ cli dev reference testing"},
]
PLACES = {
    module: (level, group)
    for level, groups in enumerate(LAYERS)
    for group, modules in groups.items()
    for module in modules.split()
}
# A family knows what every user's module knows, and these besides.
FAMILY_MAY_IMPORT = {"clients", "errors", "job", "kinds", "outcomes", "sql"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    """`clients.web` for daemon/bellhand/clients/web.py; the package itself is ``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in MODULES}


def for_types_only(path: Path) -> set[ast.AST]:
    """What stands under `if TYPE_CHECKING` and never happens."""
    return {
        inner
        for node in ast.walk(tree(path))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }


def imported(path: Path, *, types: bool = True) -> Iterator[str]:
    """Modules of ours that this one imports, wherever in it."""
    here = ["bellhand", *path.relative_to(PACKAGE).parts[:-1]]
    left_out = set() if types else for_types_only(path)
    for node in (node for node in ast.walk(tree(path)) if node not in left_out):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            if origin == "bellhand" or origin.startswith("bellhand."):
                origin = origin.removeprefix("bellhand").removeprefix(".")
                for alias in node.names:
                    inner = f"{origin}.{alias.name}".removeprefix(".")
                    yield inner if inner in NAMES else origin
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("bellhand."):
                    yield alias.name.removeprefix("bellhand.")


def module_id(path: Path) -> str:
    return name_of(path) or "__init__"


every_module = pytest.mark.parametrize("path", MODULES, ids=module_id)


@every_module
def test_imports_go_down(path: Path) -> None:
    name = name_of(path)
    if not name:
        return  # the public names come from anywhere
    room = name.partition(".")[0]
    assert room in PLACES, f"give {room} a place in LAYERS"
    level, group = PLACES[room]
    for other in imported(path):
        if not other:
            continue  # the public names
        target = other.partition(".")[0]
        assert target in PLACES, f"give {target} a place in LAYERS"
        other_level, other_group = PLACES[target]
        assert other_level <= level, f"{name} may not import {other}: that is higher"
        if other_level == level:
            assert other_group == group, f"{name} may not import {other}: that is its neighbour"


@every_module
def test_families_meet_through_jobs_only(path: Path) -> None:
    name = name_of(path)
    if not name.startswith("families."):
        return
    family = ".".join(name.split(".")[:2])
    for other in imported(path):
        ours = other == family or other.startswith(f"{family}.")
        allowed = not other or ours or other.partition(".")[0] in FAMILY_MAY_IMPORT
        assert allowed, f"{name} may not import {other}"


def test_imports_form_no_circle() -> None:
    graph = {
        name_of(path): set(imported(path, types=False)) - {"", name_of(path)} for path in MODULES
    }
    del graph[""]  # the public names come from anywhere
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_files_can_be_read_in_one_go() -> None:
    for path in texts():
        if path.suffix in (".py", ".sql"):
            lines = len(path.read_text().splitlines())
            assert lines <= FILE_LINES_MAX, f"{path.relative_to(ROOT)} has {lines} lines"


@every_module
def test_functions_fit_on_a_screen(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


@every_module
def test_a_module_says_what_it_is(path: Path) -> None:
    if path.read_text().strip():
        assert ast.get_docstring(tree(path)), "a module opens with a sentence"


@every_module
def test_time_comes_from_postgres(path: Path) -> None:
    """Waits use the monotonic clock, durations too; what the time is, only bellhand.now() says."""
    wall = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow")}
    wall |= {("datetime", "today"), ("date", "today"), ("time", "localtime"), ("time", "gmtime")}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            assert (owner, node.attr) not in wall, f"line {node.lineno}: ask bellhand.now()"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            assert not {alias.name for alias in node.names} & {"time", "time_ns"}


@every_module
def test_waiting_is_done_with_asyncio_timeout(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute):
            assert node.attr != "wait_for", f"line {node.lineno}: wait_for can lose a cancellation"


@every_module
def test_catching_everything_is_explained(path: Path) -> None:
    lines = path.read_text().splitlines()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            if re.search(r"\b(Base)?Exception\b", caught) and "raise" not in ast.unparse(node):
                said = "".join(lines[node.lineno - 2 : node.lineno + 1])
                told = "#" in said or re.search(r"\blog\.", ast.unparse(node))
                assert told, f"line {node.lineno}: log it, or say why this is a boundary"


def test_kinds_that_come_along_say_what_they_do_outside_and_give_an_example() -> None:
    families = [
        f"bellhand.families.{path.parent.name}" for path in PACKAGE.glob("families/*/handlers.py")
    ]
    found = find_kinds([*families, "bellhand.notify"])
    said = {name: kind.side_effects for name, kind in found.items()}
    assert None not in said.values()
    assert (said["crm.process_payment"], said["notify.slack"], said["seo.crawl"]) == (
        "keyed", "external", "none",
    )  # fmt: skip
    for name, kind in (found | find_kinds(["bellhand.dev.demo", "bellhand.canary"])).items():
        examples = examples_of(kind)
        assert examples, f"{name} has no example: give a field `examples`"
        for payload in examples:
            taken = kind.arguments(json.dumps(payload))  # raises if its type does not take it
            schema = kind.published()["schema"]
            assert not schema or validator_for(schema).is_valid(payload), name
            # The line that is shown for a shell says the same.
            _, _, shown, *words = shlex.split(enqueue_command(name, payload))
            typed = json.dumps(payload_of(words, schema))
            assert (shown, kind.arguments(typed)) == (name, taken)


# SQL


@every_module
def test_sql_lives_in_files(path: Path) -> None:
    statement = re.compile(
        r"\s*(select\s.+\sfrom|select \w+\.?\w*(?=\()|insert into|update \w+(\.\w+)? set"
        r"|delete from|with \w+ as|create (or replace |unique )?(table|function|index|view|role)"
        r"|(alter|drop) table)",
        re.I | re.S,
    )
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not statement.match(node.value), f"line {node.lineno}: put it into sql/"


def test_every_file_of_sql_opens_with_a_sentence() -> None:
    for path in STATEMENTS:
        first = path.read_text().partition("\n")[0]
        assert re.match(r"-- [A-Z`$].{10,}", first), f"{path.relative_to(ROOT)}: {first!r}"


def test_migrations_are_numbered_without_gaps() -> None:
    for folder in {path.parent for path in STATEMENTS if path.parent.name == "migrations"}:
        numbers = [path.name.partition("_")[0] for path in sorted(folder.glob("*.sql"))]
        assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)], folder


def test_functions_are_named_as_their_files() -> None:
    for path in STATEMENTS:
        if path.parent.name == "functions":
            pattern = rf"create (or replace )?(function|view|procedure) \w+\.{path.stem}\b"
            assert re.search(pattern, path.read_text()), path.relative_to(ROOT)


@cache
def strings(paths: tuple[Path, ...]) -> tuple[set[str], list[re.Pattern[str]]]:
    """What is written in these modules as text, and as patterns what is put together there."""
    plain: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for path in paths:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                plain.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+"
                    for part in node.values
                ]
                if any(re.search(r"\w{3}", part.replace(r"\w+", "")) for part in parts):
                    patterns.append(re.compile("".join(parts)))
    return plain, patterns


def test_every_query_is_used() -> None:
    for path in STATEMENTS:
        if path.parent.name != "queries":
            continue
        home = path.parent.parent
        users = MODULES
        name = path.stem
        if home != SQL:
            users = [m for m in MODULES if m.is_relative_to(PACKAGE / "families" / home.name)]
        plain, patterns = strings(tuple(users))
        used = name in plain or any(p.fullmatch(name) for p in patterns)
        assert used, f"nobody runs {path.relative_to(ROOT)}"


@every_module
def test_every_query_that_is_asked_for_exists(path: Path) -> None:
    parts = path.relative_to(PACKAGE).parts
    for node in ast.walk(tree(path)):
        if not (
            isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
        ):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        name = str(node.args[0].value)
        if called == "query":
            folder, _, stem = name.rpartition("/")
        elif called == "_query" and parts[0] == "families":
            folder, stem = f"families/{parts[1]}", name
        else:
            continue
        assert (SQL / folder / "queries" / f"{stem}.sql").exists(), f"line {node.lineno}: {name}"


# The tree


def texts() -> Iterator[Path]:
    """Every file of ours that holds text."""
    names = {".py", ".sql", ".toml", ".md", ".yml", ".yaml", ".service", ".sh", ""}
    for top in ("daemon", "sql", "tests", "deploy", "docs", "bench", ".ci"):
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and path.suffix in names and "__pycache__" not in path.parts:
                yield path
    here = (path for path in ROOT.glob("*") if path.is_file() and path.name != ".git")
    yield from (path for path in here if path.suffix in names)


def test_nothing_in_the_tree_knows_the_machine_it_was_made_on() -> None:
    folders = "|".join(("home/\\w", "root/", "work/", "Users/"))
    foreign = re.compile(rf"(?<![\w.~/])/(?:{folders})")
    for path in texts():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            assert not foreign.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TO" + "DO|FIX" + "ME|X" + "XX)\\b")
    for path in texts():
        assert not later.search(path.read_text(errors="replace")), path.relative_to(ROOT)


def test_the_source_root_is_not_a_package() -> None:
    assert not (ROOT / "daemon" / "__init__.py").exists(), "another package is called daemon"
