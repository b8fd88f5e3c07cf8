"""The Postgres that tests run on: one server a session, one fresh database a test.

$BELLHAND_TEST_PG chooses `embedded` (the wheel, the default) or `system` (the distribution's);
$BELLHAND_TEST_DSN uses a server that runs already; $BELLHAND_TEST_LOOP may be `uvloop`.
"""

import asyncio
import gc
import logging
import os
import re
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog

from bellhand.dev.postgres import DevPostgres
from bellhand.dev.programs import NoPostgres
from bellhand.migrate import migrate
from support import ROOT, Administrator, GivenServer, Server

CHOICE = os.environ.get("BELLHAND_TEST_PG", "embedded")


def pytest_configure() -> None:
    # A shell that runs us in the background ignores SIGINT, and so would every program we start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end, so the collector of garbage need not go through it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What a test sets up for its own logging must not speak in the next one."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


# What stands on the engine and asks little of the version of Postgres or of the loop: `make test` runs it once, on the older version,
# whose SQL the newer one takes (test_queries.py asks both about every statement).
FAMILIES = re.compile(
    r"test_(accuracy|api|callers|crm|emails|hooks|lead|llm|mail|matching|notify|phones|places|seed_|seo|serpapi|services|site|socials|standins|tickets|webhooks"
    r"|bellhand_js|cli_|dev|editing|install|page|payments_client|quote|readme|reveal|security_(code|json|secrets|sql|terminal)|testing)"
)

BROWSER = {
    "test_browser.py",
    "test_pages_browser.py",
    "test_pages_keys.py",
    "test_pages_tabs.py",
    "test_progress_browser.py",
}


# Each takes half a minute or more: begun last, one would keep the run waiting while the other process has nothing to do.
LONGEST = (
    "faults_smoke", "model", "fleet", "docs", "bench", "processes", "accuracy", "crash_safety", "outages", "security_sql", "dev",
    "cli_shapes", "cli_building", "matching_crashes", "api_promises", "webhooks", "testing", "emails",
)  # fmt: skip


def _begins(item: pytest.Item) -> int:
    """When the item's file has its turn: the longest first, the others as they come (which is random)."""
    name = item.path.stem.removeprefix("test_")
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Marks before anybody asks for them (-m does), the order after everybody else has made his."""
    for item in items:
        if item.path.name in BROWSER:
            item.add_marker(pytest.mark.browser)
        if {"server", "private_server"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.database)
            # What is slow runs on the first version only, so it must not be left out there.
            if FAMILIES.match(item.path.name) and not item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.family)
    yield
    items.sort(key=_begins)


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    if os.environ.get("BELLHAND_TEST_LOOP") == "uvloop":
        import uvloop

        return {"uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


def _own_server(**options: Any) -> DevPostgres:
    if CHOICE not in ("embedded", "system"):
        pytest.exit(f"BELLHAND_TEST_PG is embedded or system, not {CHOICE!r}", 4)
    server = DevPostgres(prefer=CHOICE, durable=False, **options)
    try:
        server.start()
    except NoPostgres as problem:
        pytest.exit(str(problem), 4)
    if ("pginstall" in server.programs.parts) != (CHOICE == "embedded"):
        server.close()
        pytest.exit(f"no {CHOICE} Postgres here, only the one in {server.programs}", 4)
    return server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of the session, for what needs its psql or a database of its own."""
    if given := os.environ.get("BELLHAND_TEST_DSN"):
        yield GivenServer(given)
        return
    own = _own_server()
    try:
        yield own
    finally:
        own.close()


@pytest.fixture(scope="session")
def administrator(server: Server) -> Iterator[Administrator]:
    """Makes and drops the databases of the tests."""
    made = Administrator(server.dsn)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="session")
def template(server: Server, administrator: Administrator) -> Iterator[str]:
    """The name of a migrated database to copy; nobody may be connected to it."""
    name = f"bellhand_template_{uuid.uuid4().hex[:12]}"
    administrator(f"create database {name}")
    try:
        asyncio.run(migrate(server.dsn_for(name)))
        yield name
    finally:
        administrator(f"drop database {name} with (force)")


@pytest.fixture
def empty_dsn(server: Server, administrator: Administrator) -> Iterator[str]:
    """A fresh database without the schema."""
    name = f"bellhand_{uuid.uuid4().hex[:12]}"
    administrator(f"create database {name} strategy file_copy")
    yield server.dsn_for(name)
    administrator(f"drop database {name} with (force)")


@pytest.fixture
def dsn(server: Server, administrator: Administrator, template: str) -> Iterator[str]:
    """A fresh migrated database."""
    name = f"bellhand_{uuid.uuid4().hex[:12]}"
    administrator(f"create database {name} template {template} strategy file_copy")
    yield server.dsn_for(name)
    administrator(f"drop database {name} with (force)")


@pytest.fixture
async def conn(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to `dsn`."""
    connection = await asyncpg.connect(dsn, timeout=10)
    yield connection
    await connection.close(timeout=5)


@pytest.fixture
def private_server() -> Iterator[DevPostgres]:
    """A server that the test may stop, kill and start; it listens on TCP too."""
    own = _own_server(tcp=True)
    try:
        yield own
    finally:
        own.close()


@pytest.fixture
def private_dsn(private_server: DevPostgres) -> str:
    """A migrated database on `private_server`."""
    dsn = private_server.create_database("bellhand")
    asyncio.run(migrate(dsn))
    return dsn


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real pages and payloads that is not part of this repository."""
    folder = Path(os.environ.get("BELLHAND_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set BELLHAND_TEST_DATA to where it is")
    return folder.resolve()
