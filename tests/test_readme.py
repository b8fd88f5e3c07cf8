"""What the README shows works as it stands there."""

import ast
import asyncio
import re
import types

import asyncpg

import bellhand
from bellhand.dev import demo
from bellhand.kinds import ATTRIBUTE
from daemons import at_work, insert, until
from desk import Desk
from support import ROOT

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


async def test_the_handler_of_the_readme_runs(dsn: str, conn: asyncpg.Connection) -> None:
    (source,) = blocks("python")
    module = types.ModuleType("acme_jobs")
    exec(compile(source, "README.md", "exec"), module.__dict__)
    collect = next(value for value in vars(module).values() if hasattr(value, ATTRIBUTE))
    async with at_work(dsn, collect):
        job = await insert(
            conn, "acme.collect", '{"services": ["SEO"], "locations": ["Dhaka", "Delhi"]}'
        )
        row = await until(conn, job, "completed")
    assert row["result"] == '{"leads": 24}'
    steps = await conn.fetch(
        "select name, state from bellhand.steps where job = $1 order by position", job
    )
    assert [tuple(step) for step in steps] == [
        ("SEO in Dhaka", "completed"),
        ("SEO in Delhi", "completed"),
    ]


async def test_the_sql_of_the_readme_enqueues(conn: asyncpg.Connection) -> None:
    await Desk(conn).publish("demo.greet")
    await conn.execute("create temp table orders (id bigint)")
    plain, enqueue = blocks("sql")
    await conn.execute(plain)
    parent = await conn.fetchval("select id from bellhand.jobs")
    row = await conn.fetchrow(enqueue.strip().rstrip(";").replace("array[1]", f"array[{parent}]"))
    assert row["created"]


async def test_the_request_of_the_readme_enqueues(dsn: str, conn: asyncpg.Connection) -> None:
    (request,) = blocks("sh")
    async with at_work(dsn, demo.greet) as daemon:
        here = request.replace("127.0.0.1:7700", f"127.0.0.1:{daemon.status.port}")
        shell = await asyncio.create_subprocess_shell(
            f"set -e\n{here.replace('curl', 'curl -sSf')}"
        )
        assert await shell.wait() == 0
        assert (await until(conn, 1, "completed"))["result"] == '{"said": "Hello, Ada!"}'


async def test_the_line_of_python_of_the_readme_enqueues(conn: asyncpg.Connection) -> None:
    (line,) = (block for block in blocks("text") if block.startswith("await bellhand.enqueue("))
    await Desk(conn).publish("demo.greet")
    await eval(compile(line, "README.md", "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), {"bellhand": bellhand, "conn": conn})  # fmt: skip
    assert await conn.fetchval("select payload ->> 'name' from bellhand.jobs") == "Ada"


def test_the_table_of_commands_names_all_of_them_and_no_other() -> None:
    from bellhand.cli.commands import NAMES

    guide = (ROOT / "docs" / "how-to" / "command-line.md").read_text()
    (table,) = re.findall(r"\| command \| does \|\n(.*?)\n\n", guide, re.DOTALL)
    cells = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    named = {word for cell in cells for word in re.findall(r"`([a-z-]+)(?: [^`]*)?`", cell)}
    assert named == set(NAMES)
