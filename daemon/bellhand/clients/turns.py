"""Whose turn it is: so many fetches in all, so many to a host, and a pause between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class _Host:
    """What is known of a host while somebody uses it or its pause lasts."""

    def __init__(self, width: int) -> None:
        self.gate = asyncio.Semaphore(width)
        self.users = 0
        self.next_at = 0.0


class Turns:
    """Bounds fetches; hosts that nobody asks for are forgotten, so memory stays flat."""

    def __init__(self, *, width: int, width_per_host: int, delay_seconds: float = 0.0) -> None:
        self._all = asyncio.Semaphore(width)
        self._width_per_host = width_per_host
        self._delay_seconds = delay_seconds
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for a place at this host and then for one at all; hold both inside the block."""
        loop = asyncio.get_running_loop()
        host = self._hosts.setdefault(name, _Host(self._width_per_host))
        host.users += 1
        try:
            async with host.gate:
                start_at = max(host.next_at, loop.time())
                host.next_at = start_at + self._delay_seconds
                if start_at > loop.time():
                    await asyncio.sleep(start_at - loop.time())
                async with self._all:
                    yield
        finally:
            host.users -= 1
            if host.users == 0:
                self._forget_later(name, host)

    def _forget_later(self, name: str, host: _Host) -> None:
        loop = asyncio.get_running_loop()

        def forget() -> None:
            if host.users == 0 and self._hosts.get(name) is host:
                del self._hosts[name]

        if host.next_at > loop.time():
            loop.call_at(host.next_at, forget)
        else:
            forget()
