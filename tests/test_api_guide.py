"""docs/api.md: each of its lines runs as it stands there, one after the other, and answers as it says."""

import asyncio
import json
import os
import re
import shutil
from typing import Any

import asyncpg
import pytest
from pydantic import BaseModel

from bellhand import job_kind
from bellhand.sql import query
from daemons import at_work, until
from ports import make
from support import ROOT

GUIDE = (ROOT / "docs" / "api.md").read_text()
SHELL = """
curl() { case " $* " in *" -s "*) command curl "$@";; *) command curl -sS -w '\\n%{http_code}\\n' "$@";; esac; }
"""
DONE = "---done---"


class Greeting(BaseModel):
    name: str


@job_kind("demo.greet", side_effects="none")
async def greet(args: Greeting) -> dict[str, str]:
    return {"said": f"hello {args.name}"}


def lines() -> list[tuple[str, str]]:
    """(command, what the guide says that it answers)."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            else:
                found[-1] = (found[-1][0], line.removeprefix("→ "))
    return found


class Shell:
    """One bash for all lines: what one sets, the next one finds."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def run(self, command: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{command}\necho; echo {DONE}\n".encode())
        said: list[str] = []
        while (line := (await self.process.stdout.readline()).decode()) != f"{DONE}\n":
            assert line, "the shell ended"
            said.append(line)
        return "".join(said)


def holds(told: Any, wanted: Any) -> bool:
    """Whether all that is wanted is in it; lists must begin so."""
    if isinstance(wanted, dict):
        return isinstance(told, dict) and all(
            k in told and holds(told[k], v) for k, v in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            len(told) >= len(wanted)
            and all(map(holds, told, wanted))
            and (bool(wanted) or not told)
        )
    return bool(told == wanted)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
async def test_every_line_of_the_guide_runs(dsn: str, conn: asyncpg.Connection) -> None:
    token = await make(conn, "guide", "enqueue")
    status = {"port": 0, "requests_burst": 1000}
    async with at_work(dsn, greet, worker={"name": "main"}, status=status) as daemon:
        one = {
            "name": "nightly",
            "cron": "0 3 * * *",
            "timezone": "UTC",
            "kind": "demo.greet",
            "payload": {"name": "x"},
            "priority": 5,
            "missed": "latest",
        }
        await conn.fetch(query("publish_schedules"), json.dumps([one | {"missed_max": 1}]))
        process = await asyncio.create_subprocess_exec(
            "bash", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "TOKEN": token},
        )  # fmt: skip
        shell = Shell(process)
        await shell.run(SHELL)
        ran = 0
        for command, wanted in lines():
            if command.startswith("bellhand "):
                continue  # tests/test_cli_tokens.py
            said = await shell.run(
                command.replace("http://127.0.0.1:7700", f"http://127.0.0.1:{daemon.status.port}")
            )
            if wanted:
                check(command, said, wanted)
                ran += 1
            if '"owner": "u_17"' in command:
                await until(conn, 1, "completed")
        assert process.stdin
        process.stdin.close()
        await process.wait()
    assert ran > 50


def check(command: str, said: str, wanted: str) -> None:
    code, _, shape = wanted.partition(" ")
    text, _, status = said.strip().rpartition("\n")
    assert status.strip() == code, (command, said)
    if shape:
        assert holds(json.loads(text), json.loads(shape)), (command, said)
