"""A run that dies in any step ends as one that does not: the same matches, nothing asked twice that was answered."""

import asyncio
from typing import Any

import asyncpg

from bellhand.families import matching
from bellhand.testing import Bellhand
from matching import CATALOGUE, SOURCES, SURE, by_word, project, serving
from outside import sections

pytest_plugins = ["testing_fixtures"]

FOUND = (
    "select s.sku, t.sku, m.method from bellhand_matching.matches m join bellhand_matching.items s on s.id = m.source_id"
    " join bellhand_matching.items t on t.id = m.target_id order by 1"
)
FARED = (
    "select i.sku, n.state, n.error from bellhand_matching.run_items n join bellhand_matching.items i on i.id = n.item_id"
    " where n.run_id = (select max(id) from bellhand_matching.runs) order by 1"
)
FORGET = "truncate bellhand_matching.matches, bellhand_matching.answers"


async def test_a_run_is_crash_safe_at_every_step(desk: Bellhand) -> None:
    """S1-20: killed when the body of a step had run and nothing was written of it, and before its own end is."""

    async def ask(statement: str) -> Any:
        connection = await asyncpg.connect(desk.dsn, timeout=10)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close(timeout=5)

    connection = await asyncpg.connect(desk.dsn, timeout=10)
    await project(connection, SOURCES, CATALOGUE)
    await connection.close(timeout=5)
    async with serving() as services:
        services.judge = by_word("iP4500")
        given = sections(services.port)

        def prove() -> None:
            desk.use(*(getattr(matching, name) for name in matching.__all__))
            desk.use_services(openai=given["openai"])
            desk.assert_crash_safe(
                "matching.run", project_id="p1", accept_confidence=SURE, ask_confidence=0,
                effects=lambda: [asyncio.run(ask(FOUND)), asyncio.run(ask(FARED))],
                at=("inside", "at the end"),
                reset=lambda: asyncio.run(ask(FORGET)),
            )  # fmt: skip

        await asyncio.to_thread(prove)
    assert len(await ask(FOUND)) >= 4
