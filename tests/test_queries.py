"""Every statement of ours, as the server understands it: what most tests run on one version only must be good on each."""

import asyncpg

from bellhand.sql import ROOT, query

SEVERAL = "migration_begin"  # more than one statement, which none prepares; each migration runs it
NAMES = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("queries/", "")
    for path in ROOT.rglob("queries/*.sql")
    if path.stem != SEVERAL
)


async def test_each_is_understood_by_this_version(conn: asyncpg.Connection) -> None:
    """Tables, columns, functions and the types of what is given, without running any."""
    assert len(NAMES) > 300
    problems = {}
    for name in NAMES:
        try:
            await conn.prepare(query(name))
        except asyncpg.PostgresError as error:
            problems[name] = str(error)
    assert not problems
