"""A PgBouncer of our own in front of the server, which pools by transaction, or by session."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from .fault import Skip
from .stage import DATABASE, Stage

START_TRIES = 200
STOP_SECONDS = 10.0
TRIES_APART_SECONDS = 0.05


class Pooler:
    """`start`, `kill`, `pause` (what runs ends, then nothing passes) and `resume`."""

    def __init__(self, program: str, folder: Path, dsn_behind: str, mode: str, address: str) -> None:  # fmt: skip
        self.program = program
        self.config = folder / "pgbouncer.ini"
        self.log = folder / "pgbouncer.log"
        self.child: asyncio.subprocess.Process | None = None
        self.port, self.address = _free_port(), address
        place = {name: values[0] for name, values in parse_qs(urlsplit(dsn_behind).query).items()}
        self.user = place["user"]
        owner = f"user = {Path(place['host']).owner()}\n" if os.geteuid() == 0 else ""
        self.config.write_text(
            f"[databases]\n{DATABASE} = host={place['host']} port={place['port']} dbname={DATABASE} user={self.user}\n"
            f"[pgbouncer]\nlisten_addr = {address}\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\nmax_client_conn = 300\ndefault_pool_size = 100\n{owner}"
        )

    @property
    def dsn(self) -> str:
        """The way through the pooler."""
        return f"postgresql://{self.user}@{self.address}:{self.port}/{DATABASE}"

    async def start(self) -> None:
        """Run it, and wait until it takes connections."""
        with self.log.open("ab") as log:
            self.child = await asyncio.create_subprocess_exec(
                self.program, str(self.config), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )  # fmt: skip
        for _ in range(START_TRIES):
            if await self._answers():
                return
            await asyncio.sleep(TRIES_APART_SECONDS)
        raise TimeoutError(f"PgBouncer does not answer; read {self.log}")

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(self.address, self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def kill(self) -> None:
        """End it at once, with all connections through it."""
        if self.child is not None:
            with suppress(ProcessLookupError):
                self.child.kill()
            async with asyncio.timeout(STOP_SECONDS):
                await self.child.wait()

    def pause(self) -> None:
        """What PAUSE at its console does."""
        assert self.child is not None
        self.child.send_signal(signal.SIGUSR1)

    def resume(self) -> None:
        """What RESUME at its console does."""
        assert self.child is not None
        with suppress(ProcessLookupError):
            self.child.send_signal(signal.SIGUSR2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def pooler(stage: Stage, *, mode: str = "transaction", address: str = "127.0.0.1") -> AsyncIterator[Pooler]:  # fmt: skip
    """A running pooler in front of the stage's server; Skip if there is no PgBouncer."""
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise Skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    made = Pooler(program, stage.folder, stage.server.dsn_for(DATABASE), mode, address)
    try:
        await made.start()
        yield made
    finally:
        await made.kill()
