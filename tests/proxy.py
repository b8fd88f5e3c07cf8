"""A way to Postgres that can be made to swallow answers, and cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Passes bytes on; while `mute`, what the server says goes nowhere. `cut` closes every connection, while `down` new ones too."""

    def __init__(self, dsn: str) -> None:
        self.parts = urlsplit(dsn)
        self.mute = self.down = False
        self.swallowed = 0
        self.writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def dsn(self) -> str:
        who = self.parts.netloc.rpartition("@")[0]
        return urlunsplit(self.parts._replace(netloc=f"{who}@127.0.0.1:{self.port}"))

    def cut(self) -> None:
        for writer in self.writers:
            writer.close()

    async def go_away(self, seconds: float) -> None:
        """As a server that restarts: every connection ends, and for so long there is none."""
        self.down = True
        self.cut()
        await asyncio.sleep(seconds)
        self.down = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_server: asyncio.StreamWriter | None = None
        try:
            if self.down:
                return
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.parts.port)
            self.writers |= {writer, to_server}
            await asyncio.gather(
                self.pump(reader, to_server, False), self.pump(from_server, writer, True)
            )
        except OSError:
            pass  # one of the two is gone
        finally:
            for end in (writer, to_server):
                if end is not None:
                    end.close()
                    self.writers.discard(end)

    async def pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: bool
    ) -> None:
        try:
            while data := await reader.read(65536):
                if answers and self.mute:
                    self.swallowed += len(data)
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # the other end has gone
        finally:
            writer.close()


@asynccontextmanager
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    made = Proxy(dsn)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await asyncio.sleep(0.05)  # lets the pumps see it
