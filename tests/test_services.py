"""What is common to outside services: keys, accounting, answers that are remembered."""

import asyncpg
import pytest
from aiohttp import web

from bellhand.outcomes import Snooze
from outside import sections, services, usage
from websites import serving

FOUND = {
    "search_metadata": {"status": "Success"},
    "local_results": [{"title": "Harbour Bakery", "phone": "+1 512 555 0100"}],
}


async def found(_: web.Request) -> web.Response:
    return web.json_response(FOUND)


async def test_a_missing_key_lets_the_job_wait_and_says_what_to_do(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with serving(("/search.json", found)) as port:
        settings = sections(port)
        settings["serpapi"]["key"] = None
        async with services(dsn, settings) as outside:
            with pytest.raises(Snooze) as caught:
                await outside.serpapi.local("bakery", "Austin")
    assert str(caught.value) == (
        "serpapi: waits for a key: set services.serpapi.key_file or BELLHAND_SERVICES__SERPAPI__KEY"
    )
    assert 60 <= caught.value.seconds <= 600
    assert await usage(conn) == []


async def test_an_answer_is_used_again_for_the_same_question_only_s4_33(
    dsn: str, conn: asyncpg.Connection
) -> None:
    async with (
        serving(("/search.json", found)) as port,
        services(dsn, sections(port, cache_seconds=60)) as outside,
    ):
        first = await outside.serpapi.local("bakery", "Austin")
        assert await outside.serpapi.local("bakery", "Austin") == first
        assert [place.title for place in first.places] == ["Harbour Bakery"]
        await outside.serpapi.local("bakery", "Dallas")
    (row,) = await usage(conn)
    assert (row["service"], row["operation"], row["calls"]) == ("serpapi", "local", 2)
    assert (row["failures"], row["units_in"], row["cost_microdollars"]) == (0, 2, 30_000)
