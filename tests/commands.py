"""The command line as tests use it: one call a command, in this process or in one of its own."""

import asyncio
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog

from bellhand.cli.app import main
from bellhand.dev.postgres import place_of
from bellhand.sql import query
from support import ROOT

PROCESS_SECONDS = 40
SCHEMA = {
    "type": "object",
    "properties": {
        "url": {"type": "string"},
        "pages": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "deep": {"type": "boolean"},
        "more": {"type": "object"},
    },
    "required": ["url"],
}
CHECKS = [
    {"key": "url", "required": True, "types": ["string"]},
    {"key": "pages", "required": False, "types": ["integer"]},
]
KIND = {"priority": 5, "attempts_max": 3, "timeout_seconds": 60, "schema": None, "checks": None}


@dataclass
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def words(self) -> list[list[str]]:
        return [line.split() for line in self.out.splitlines()]


class Bellhand:
    """The program, pointed at one database."""

    def __init__(self, dsn: str, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch):
        self.dsn = dsn
        self.capsys = capsys
        self.patch = patch

    def __call__(self, *words: str, stdin: str = "") -> Said:
        """Runs a command in this process; the exit code is what the program would exit with."""
        self.patch.setattr(sys, "stdin", io.StringIO(stdin))
        self.capsys.readouterr()
        code = main(words)
        out, err = self.capsys.readouterr()
        return Said(code, out, err)

    def ok(self, *words: str, stdin: str = "") -> Said:
        """The same for one that must succeed."""
        said = self(*words, stdin=stdin)
        assert said.code == 0, said
        return said

    def sql(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.dsn, timeout=10)
            try:
                return await connection.fetch(statement, *arguments, timeout=10)
            finally:
                await connection.close(timeout=5)

        return asyncio.run(run())

    def kind(self, name: str = "a", lane: str = "default", **more: Any) -> None:
        self.sql(query("publish_kinds"), json.dumps([KIND | {"name": name, "lane": lane} | more]))

    def job(self, kind: str = "a", **columns: Any) -> int:
        columns = {"kind": kind} | columns
        places = ", ".join(f"${i + 1}" for i in range(len(columns)))
        names = ", ".join(columns)
        sql = f"insert into bellhand.jobs ({names}) values ({places}) returning id"
        return int(self.sql(sql, *columns.values())[0][0])

    def state(self, job: int) -> str:
        return str(self.sql("select state from bellhand.all_jobs where id = $1", job)[0][0])

    def over(
        self, state: str, *, partial: bool = False, error: str | None = None, **columns: Any
    ) -> int:
        """A job that has ended so, as if a worker had run it."""
        job = self.job(**columns)
        self.sql("select bellhand.take_out($1)", job)
        self.sql("select bellhand.finish(array[$1::bigint], 'failed', $2)", job, error)
        self.sql(
            "update bellhand.history set state = $2, partial = $3 where id = $1",
            job,
            state,
            partial,
        )
        return job

    def running(self, **columns: Any) -> int:
        """A job that a worker (of nobody) has claimed."""
        job = self.job(**columns)
        self.sql(
            "with w as (insert into bellhand.workers (id, name, host, pid, version, kinds, lanes, "
            "capacity) values (gen_random_uuid(), 'w1', 'h', 1, '0', '{a}', '{}', 1) returning id), "
            "q as (delete from bellhand.queue where id = $1 returning id) "
            "insert into bellhand.leases (worker, ids, epochs) select w.id, array[q.id], '{1}' "
            "from w, q",
            job,
        )
        return job


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing of where the tests run: no configuration, no terminal, no development database."""
    for name in list(os.environ):
        if name.startswith("BELLHAND_"):
            monkeypatch.delenv(name)
    for name in ("CLICOLOR_FORCE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BELLHAND_DEV_DIR", str(tmp_path / "dev"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    yield
    structlog.reset_defaults()
    # Under root the data of `bellhand dev` lies where the server's user may go, and does not go with the test's folder.
    shutil.rmtree(place_of(Path(os.environ["BELLHAND_DEV_DIR"]) / "postgres"), ignore_errors=True)


@pytest.fixture
def bellhand(
    bare: None, dsn: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Bellhand:
    """The program, pointed at a fresh migrated database."""
    monkeypatch.setenv("BELLHAND_DSN", dsn)
    return Bellhand(dsn, capsys, monkeypatch)


@pytest.fixture
def process(bare: None) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the program in a process of its own; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, **variables: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, "-m", "bellhand", *words],
            env=os.environ
            | {"PYTHONPATH": str(ROOT / "daemon"), "PYTHONUNBUFFERED": "1"}
            | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        if program.poll() is None:
            program.kill()
        program.communicate(timeout=PROCESS_SECONDS)
