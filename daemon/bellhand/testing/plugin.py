"""The pytest plugin: fixture `bellhand`, options `bellhand_dsn` and `bellhand_modules`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from . import DSN_VARIABLE

if TYPE_CHECKING:
    from .database import Loop, Server
    from .desk import Bellhand


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the ini file."""
    parser.addini(
        "bellhand_dsn",
        f"a Postgres server on which tests may create databases (${DSN_VARIABLE} wins); "
        "without one, tests start their own",
        default="",
    )
    parser.addini(
        "bellhand_modules", "modules whose kinds every test knows", "linelist", default=[]
    )


@pytest.fixture(scope="session")
def bellhand_loop() -> Iterator[Loop]:
    """The event loop that jobs run on, in a thread of its own."""
    # Here, because most sessions of those who have installed this need none of it.
    from .database import Loop

    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def bellhand_prepare() -> Callable[[str], None] | None:
    """Override this to make your own tables: it is called with the DSN of the template, once."""
    return None


@pytest.fixture(scope="session")
def bellhand_server(
    pytestconfig: pytest.Config,
    bellhand_loop: Loop,
    bellhand_prepare: Callable[[str], None] | None,
) -> Iterator[Server]:
    """Where the databases of the tests are."""
    from .database import Server

    dsn = os.environ.get(DSN_VARIABLE) or pytestconfig.getini("bellhand_dsn") or None
    server = Server(bellhand_loop, dsn, bellhand_prepare)
    yield server
    server.close()


@pytest.fixture
def bellhand(
    pytestconfig: pytest.Config, bellhand_loop: Loop, bellhand_server: Server
) -> Iterator[Bellhand]:
    """Jobs on a database of this test's own; see bellhand.testing.Bellhand."""
    from .desk import Bellhand

    desk = Bellhand(bellhand_loop, bellhand_server)
    try:
        if modules := pytestconfig.getini("bellhand_modules"):
            desk.use(*modules)
        yield desk
    finally:
        desk.close()
