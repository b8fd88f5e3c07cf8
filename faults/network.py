"""A way to Postgres that holds bytes up, loses answers, cuts and refuses, by what a connection is for.

The name of a connection (`bellhand:claim`, `faults:client`) stands in its first message, in the clear. What is held is
acknowledged to its sender, as by a middlebox, and arrives late; so does a statement that its sender has given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

CHUNK_BYTES = 65536
TRIES_APART_SECONDS = 0.01
NAME = b"application_name\0"

Which = Callable[[str], bool]


def named(*names: str) -> Which:
    """Connections with one of these names."""
    return lambda name: name in names


def daemons(name: str) -> bool:
    """Connections of daemons."""
    return name.startswith("bellhand:")


def every(_name: str) -> bool:
    """All connections."""
    return True


def none(_name: str) -> bool:
    """No connection."""
    return False


@dataclass(eq=False)
class Wire:
    """One connection; `held` passes nothing on for now, `spoilt` has lost bytes and is of no use any more."""

    ends: list[asyncio.StreamWriter]
    name: str = ""
    held: bool = False
    spoilt: bool = False


@dataclass
class Network:
    """`holding`, `muting` (answers get lost) and `refusing` say for which connections."""

    dsn_behind: str
    port: int = 0
    holding: Which = none
    muting: Which = none
    refusing: Which = none
    swallowed: int = 0
    wires: set[Wire] = field(default_factory=set)

    @property
    def dsn(self) -> str:
        """The way through here."""
        parts = urlsplit(self.dsn_behind)
        who = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{self.port}"))

    def cut(self, which: Which = every) -> int:
        """End connections; how many."""
        doomed = [wire for wire in self.wires if which(wire.name)]
        for wire in doomed:
            for end in wire.ends:
                end.transport.abort()
        return len(doomed)

    def hold_those_that_are(self, which: Which) -> list[Wire]:
        """Hold connections that exist, but none that is made later."""
        found = [wire for wire in self.wires if which(wire.name)]
        for wire in found:
            wire.held = True
        return found

    def heal(self) -> None:
        """Everything passes again; what has lost bytes is cut."""
        self.holding = self.muting = self.refusing = none
        for wire in list(self.wires):
            wire.held = False
            if wire.spoilt:
                for end in wire.ends:
                    end.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            back, onward = await asyncio.open_connection(
                "127.0.0.1", urlsplit(self.dsn_behind).port
            )
        except OSError:
            writer.close()
            return
        wire = Wire([writer, onward])
        self.wires.add(wire)
        try:
            await asyncio.gather(
                self._pass(wire, reader, onward, answers=False),
                self._pass(wire, back, writer, answers=True),
            )
        except OSError:
            pass  # one end is gone, and so is the other
        finally:
            for end in wire.ends:
                end.close()
            self.wires.discard(wire)

    async def _pass(
        self,
        wire: Wire,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        answers: bool,
    ) -> None:
        while True:
            data = await reader.read(CHUNK_BYTES)
            if not wire.name and NAME in data:
                wire.name = data.partition(NAME)[2].partition(b"\0")[0].decode()
            if self.refusing(wire.name):
                raise ConnectionError("refused")
            while wire.held or self.holding(wire.name):  # noqa: ASYNC110 (set in many places)
                await asyncio.sleep(TRIES_APART_SECONDS)
            if not data:
                break
            if answers and self.muting(wire.name):
                wire.spoilt = True
                self.swallowed += len(data)
                continue
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def network(dsn: str) -> AsyncIterator[Network]:
    """A network to the server of `dsn` (over TCP)."""
    made = Network(dsn)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.heal()
        made.cut()
        await asyncio.sleep(TRIES_APART_SECONDS)  # lets the ends see it
