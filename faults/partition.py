"""A network of our own with a link that can be taken down, so that packets vanish and nobody is told.

A network namespace holds the far end; a process in it passes what arrives on to the server's socket, which all
namespaces share as a file. Needs root and iproute2.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from .fault import Skip
from .fleet import ROOT

PORT = 5432
NEAR, FAR = "10.213.{net}.1", "10.213.{net}.2"
COMMAND_SECONDS = 20.0
RELAY_READY_SECONDS = 20.0
CHUNK_BYTES = 65536


class Partition:
    """`down` and `up`; `dsn` leads through the link."""

    def __init__(self) -> None:
        mark = os.getpid()
        self.space = f"bhf{mark}"
        self.near, self.far = f"bhn{mark}", f"bhf{mark}"
        net = mark % 250 + 1
        self.near_address, self.far_address = NEAR.format(net=net), FAR.format(net=net)
        self.relay: asyncio.subprocess.Process | None = None

    def dsn(self, user: str, database: str) -> str:
        """The way through the link; the server trusts whoever comes over its socket."""
        return f"postgresql://{user}@{self.far_address}:{PORT}/{database}"

    async def down(self) -> None:
        """From now on packets vanish."""
        await _run("ip", "netns", "exec", self.space, "ip", "link", "set", self.far, "down")

    async def up(self) -> None:
        """Packets arrive again."""
        await _run("ip", "netns", "exec", self.space, "ip", "link", "set", self.far, "up")

    async def build(self, socket: Path) -> None:
        """Namespace, link and relay."""
        inside = ("ip", "netns", "exec", self.space)
        await _run("ip", "netns", "add", self.space)
        await _run(
            "ip", "link", "add", self.near, "type", "veth", "peer", "name", self.far, "netns", self.space
        )  # fmt: skip
        await _run("ip", "addr", "add", f"{self.near_address}/30", "dev", self.near)
        await _run("ip", "link", "set", self.near, "up")
        await _run(*inside, "ip", "addr", "add", f"{self.far_address}/30", "dev", self.far)
        await _run(*inside, "ip", "link", "set", self.far, "up")
        self.relay = await asyncio.create_subprocess_exec(
            *inside, sys.executable, "-m", __name__, self.far_address, str(socket),
            cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self.relay.stdout is not None
        async with asyncio.timeout(RELAY_READY_SECONDS):
            await self.relay.stdout.readline()

    async def remove(self) -> None:
        """Nothing of it is left."""
        if self.relay is not None:
            with suppress(ProcessLookupError):
                self.relay.kill()
            await self.relay.wait()
        for command in (("ip", "link", "del", self.near), ("ip", "netns", "del", self.space)):
            with suppress(Skip):
                await _run(*command)


async def _run(*command: str) -> None:
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(COMMAND_SECONDS):
        said, _ = await child.communicate()
    if child.returncode:
        raise Skip(f"no network of our own: {' '.join(command)}: {said.decode().strip()}")


@asynccontextmanager
async def partition(socket: Path) -> AsyncIterator[Partition]:
    """A link to the server that listens at `socket`; Skip where that cannot be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        raise Skip("a network namespace needs root and iproute2")
    made = Partition()
    try:
        await made.build(socket)
        yield made
    finally:
        await made.remove()


async def _relay(address: str, socket: str) -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, onward = await asyncio.open_unix_connection(socket)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, onward), carry(back, writer))

    server = await asyncio.start_server(serve, address, PORT)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_relay(*sys.argv[1:]))
