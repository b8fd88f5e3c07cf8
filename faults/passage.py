"""A way to Postgres that knows what each connection is for, and breaks it at the moment it is told.

The daemon names its connections (`bellhand:claim`, `bellhand:settle`, ...); the name stands in the first message, in the
clear. So a trap can be set for the next statement of the settler: kill the daemon before the statement arrives, once it
was sent, or once it was answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

ROLES = ("claim", "settle", "keep", "handler", "heartbeat", "listen")
MOMENTS = ("before", "sent", "answered")
CHUNK_BYTES = 65536
SENT_SECONDS = 0.02  # for the statement to be on its way, but mostly not at its end


@dataclass
class Trap:
    """What happens to the next statement of a role: `spring` is called, and neither side hears more of the other.

    `before`: the server does not get it. `sent`: it gets it, but its answer goes nowhere. `answered`: the same, and the
    spring waits for the answer, so that the commit is certain.
    """

    role: str
    moment: str
    spring: Callable[[], object]
    sprung: asyncio.Event = field(default_factory=asyncio.Event)


class Passage:
    """Passes bytes between daemons and a server; `trap` is for the next statement that fits."""

    def __init__(self, dsn: str) -> None:
        self.parts = urlsplit(dsn)
        self.port = 0
        self.trap: Trap | None = None
        self.writers: set[asyncio.StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def dsn(self) -> str:
        """The way through here."""
        who = self.parts.netloc.rpartition("@")[0]
        return urlunsplit(self.parts._replace(netloc=f"{who}@127.0.0.1:{self.port}"))

    def cut(self) -> None:
        """Close every connection."""
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a daemon."""
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.parts.port)
        except OSError:
            writer.close()
            return
        ends = {writer, to_writer}
        self.writers |= ends
        link = _Connection(self)
        try:
            await asyncio.gather(link.up(reader, to_writer), link.down(to_reader, writer))
        except OSError:
            pass  # one end is gone, and so is the other
        finally:
            for end in ends:
                end.close()
            self.writers -= ends


class _Connection:
    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.role = ""
        self.ready = False  # signed in: what comes now are statements
        self.caught: Trap | None = None

    async def up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if not self.role and b"application_name" in data:
                self.role = data.partition(b"bellhand:")[2].partition(b"\0")[0].decode()
            trap = self.passage.trap
            if trap is not None and self.ready and trap.role == self.role:
                self.passage.trap, self.caught = None, trap
                if trap.moment == "before":
                    self._spring(trap)
                    return
                writer.write(data)
                await writer.drain()
                if trap.moment == "sent":
                    await asyncio.sleep(SENT_SECONDS)
                    self._spring(trap)
                    return
                continue
            writer.write(data)
            await writer.drain()
        writer.close()

    async def down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            # ReadyForQuery, idle: the last six bytes of what the server says when it waits for us.
            self.ready = self.ready or data.endswith(b"Z\0\0\0\5I")
            if self.caught is not None:
                if self.caught.moment == "answered" and not self.caught.sprung.is_set():
                    self._spring(self.caught)
                continue
            writer.write(data)
            await writer.drain()
        writer.close()

    def _spring(self, trap: Trap) -> None:
        trap.spring()
        trap.sprung.set()


@asynccontextmanager
async def passage(dsn: str) -> AsyncIterator[Passage]:
    """A passage to the server of `dsn` (over TCP)."""
    made = Passage(dsn)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await asyncio.sleep(0)  # lets the ends see it
