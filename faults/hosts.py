"""Machines of a fleet: network namespaces with names of their own on one bridge, at which Postgres listens.

A machine is cut off in one of the WAYS and comes back. Needs root and iproute2.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from .fault import Skip
from .stage import DATABASE, Stage

# The machine's own link is down, which it sees; packets vanish both ways; those to it vanish; those from it do.
WAYS = ("link", "packets", "answers", "questions")
NOBODY = "02:00:00:00:00:01"
# The bridge's own: else it takes the lowest of its ports', and forgets who was cut off when that port leaves.
BRIDGE = "02:00:00:00:00:02"
COMMAND_SECONDS = 20.0


class CommandFailed(Exception):
    """One of the commands for networks; what it said."""


@dataclass(frozen=True)
class Host:
    """One machine; a process started with `prefix` before its command runs there."""

    name: str
    space: str
    port: str  # its end at the bridge
    address: str
    prefix: tuple[str, ...]


class Hosts:
    """All machines; `address` is the bridge's, where Postgres listens, `second` another, for a replica."""

    def __init__(self, count: int) -> None:
        mark = os.getpid()
        self.bridge = f"bhb{mark}"
        self.net = f"10.214.{mark % 250 + 1}"
        self.address, self.second = f"{self.net}.1", f"{self.net}.254"
        self.all = [self._host(f"host{number}", f"{mark}x{number}", number + 2) for number in range(count)]  # fmt: skip

    def _host(self, name: str, mark: str, number: int) -> Host:
        inside = ("ip", "netns", "exec", f"bhs{mark}")
        named = ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name)
        return Host(name, f"bhs{mark}", f"bhp{mark}", f"{self.net}.{number}", (*inside, *named))

    async def build(self) -> None:
        """Bridge, namespaces and what connects them."""
        await _run("ip", "link", "add", self.bridge, "address", BRIDGE, "type", "bridge")
        for address in (self.address, self.second):
            await _run("ip", "addr", "add", f"{address}/24", "dev", self.bridge)
        await _run("ip", "link", "set", self.bridge, "up")
        for host in self.all:
            await _run("ip", "netns", "add", host.space)
            await _run("ip", "link", "add", host.port, "type", "veth", "peer", "name", "eth0", "netns", host.space)  # fmt: skip
            await _run("ip", "link", "set", host.port, "master", self.bridge, "up")
            await self._inside(host, "addr", "add", f"{host.address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                await self._inside(host, "link", "set", device, "up")

    async def remove(self) -> None:
        """Nothing of it is left."""
        for what in (*(("netns", "del", host.space) for host in self.all), ("link", "del", self.bridge)):  # fmt: skip
            with suppress(CommandFailed):
                await _run("ip", *what)

    async def cut(self, host: Host, way: str) -> None:
        """Cut a machine off in one of the WAYS."""
        match way:
            case "link":
                await self._inside(host, "link", "set", "eth0", "down")
            case "packets":
                await _run("ip", "link", "set", host.port, "nomaster")
            case "answers":
                await _run("ip", "neigh", "replace", host.address, "lladdr", NOBODY, "dev", self.bridge, "nud", "permanent")  # fmt: skip
            case "questions":
                await self._inside(host, "neigh", "replace", self.address, "lladdr", NOBODY, "dev", "eth0", "nud", "permanent")  # fmt: skip

    async def heal(self, host: Host, way: str) -> None:
        """Undo that."""
        match way:
            case "link":
                await self._inside(host, "link", "set", "eth0", "up")
            case "packets":
                await _run("ip", "link", "set", host.port, "master", self.bridge)
            case "answers":
                await _run("ip", "neigh", "del", host.address, "dev", self.bridge)
            case "questions":
                await self._inside(host, "neigh", "del", self.address, "dev", "eth0")

    async def _inside(self, host: Host, *command: str) -> None:
        await _run("ip", "-n", host.space, *command)

    async def let_in(self, stage: Stage) -> str:
        """Make the stage's server listen at the bridge too; the DSN by which the machines reach it."""
        own = stage.server
        own.settings["listen_addresses"] = f"127.0.0.1,{self.address}"
        with (own.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {self.net}.0/24 scram-sha-256\n")
            rules.write(f"host replication all {self.net}.0/24 scram-sha-256\n")
        await asyncio.to_thread(own.stop)
        await asyncio.to_thread(own.start)
        return self.at_bridge(own.dsn_for(DATABASE, tcp=True), self.address)

    @staticmethod
    def at_bridge(dsn: str, *addresses: str) -> str:
        """A DSN of servers at 127.0.0.1 as the machines need it: each at one of these addresses."""
        parts = urlsplit(dsn)
        first, *others = parts.netloc.split("127.0.0.1")
        netloc = first + "".join(a + rest for a, rest in zip(addresses, others, strict=True))
        return parts._replace(netloc=netloc).geturl()


async def _run(*command: str) -> None:
    child = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )  # fmt: skip
    async with asyncio.timeout(COMMAND_SECONDS):
        said, _ = await child.communicate()
    if child.returncode:
        raise CommandFailed(f"{' '.join(command)}: {said.decode().strip()}")


@asynccontextmanager
async def hosts(count: int) -> AsyncIterator[Hosts]:
    """So many machines; Skip where they cannot be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("unshare") is None:
        raise Skip("machines of our own need root, iproute2 and util-linux")
    made = Hosts(count)
    try:
        try:
            await made.build()
        except CommandFailed as error:
            raise Skip(f"no machines of our own: {error}") from error
        yield made
    finally:
        await made.remove()
