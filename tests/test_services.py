"""What is common to outside services: keys, accounting, answers that are remembered, where a key may go."""

# ruff: noqa: F401 (fixtures are used by name)

import asyncio
import gzip
import sys

import asyncpg
import pytest
from aiohttp import web
from pydantic import ValidationError

from bellhand.clients.errors import ServiceError
from bellhand.outcomes import Snooze
from bellhand.settings_services import Services as Settings
from outside import _impatient, sections, services, usage
from support import ROOT
from websites import redirect, serving

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


# Where a key may go


async def never(_: web.Request) -> web.Response:
    raise AssertionError("nobody may come here")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1"])
async def test_a_service_inside_is_refused_unless_it_is_listed(dsn: str, host: str) -> None:
    async with serving(("/search.json", never)) as port:
        settings = sections(port)
        settings["allow_networks"] = []
        for scheme in ("http", "https"):
            settings["serpapi"]["base_url"] = f"{scheme}://{host}:{port}"
            async with services(dsn, settings) as outside:
                with pytest.raises(ServiceError, match=r"services\.allow_networks") as caught:
                    await outside.serpapi.local("bakery", "Austin")
            assert (caught.value.code, caught.value.retryable, caught.value.sick) == ("blocked", False, False)  # fmt: skip


async def test_without_encryption_a_key_goes_to_listed_networks_only(dsn: str) -> None:
    """Also where the address is a public one, which a fetch of the open web may ask."""
    settings = sections(80, connect_seconds=0.2)
    settings["serpapi"]["base_url"] = "http://93.184.215.14"
    async with services(dsn, settings) as outside:
        with pytest.raises(ServiceError, match="or use https") as caught:
            await outside.serpapi.local("bakery", "Austin")
    assert caught.value.code == "blocked"


async def test_a_redirect_is_not_followed_with_the_key(dsn: str) -> None:
    async with (
        serving(("/search.json", redirect("/elsewhere")), ("/elsewhere", never)) as port,
        services(dsn, sections(port)) as outside,
    ):
        with pytest.raises(ServiceError, match="correct its base_url"):
            await outside.serpapi.local("bakery", "Austin")


async def test_a_bomb_is_not_unpacked(dsn: str) -> None:
    packed = gzip.compress(b" " * 50_000_000)

    async def bomb(_: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})  # fmt: skip

    async with (
        serving(("/search.json", bomb)) as port,
        services(dsn, sections(port, retries_max=0)) as outside,
    ):
        with pytest.raises(ServiceError) as caught:
            await outside.serpapi.local("bakery", "Austin")
    assert caught.value.code in ("bad_answer", "too_large")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("serpapi.com", "an address looks like"),
        ("ftp://serpapi.com", "an address looks like"),
        ("https://serpapi.com?api_key=x", "an address looks like"),
        ("https://key@serpapi.com", "does not belong in the address"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused_at_the_start(address: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(serpapi={"base_url": address})


async def test_a_daemon_that_calls_nobody_does_not_load_the_package_of_the_model() -> None:
    """It takes half a second and tens of megabytes."""
    code = "import sys, bellhand.app; print([m for m in sys.modules if m in ('openai', 'httpx2')])"
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=ROOT / "daemon"
    )
    out, _ = await run.communicate()
    assert out.strip() == b"[]"
