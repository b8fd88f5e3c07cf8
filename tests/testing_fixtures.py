"""What users get as `bellhand`, on the server of this session, as a plugin of the test modules that want it."""

from collections.abc import Iterator

import pytest

from bellhand.testing import Bellhand
from bellhand.testing.database import Loop
from bellhand.testing.database import Server as Databases
from support import Server


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture(scope="session")
def databases(loop: Loop, server: Server) -> Iterator[Databases]:
    made = Databases(loop, server.dsn, None)
    yield made
    made.close()


@pytest.fixture
def desk(loop: Loop, databases: Databases) -> Iterator[Bellhand]:
    """What users get as `bellhand`."""
    made = Bellhand(loop, databases)
    yield made
    made.close()
