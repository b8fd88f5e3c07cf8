"""Whose turn it is: so many fetches in all, so many to a host, and a pause between them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_DELAYS_MAX = 10_000


class TurnIsFar(Exception):
    """The turn would not come within `wait_seconds_max`; try again in `after_seconds`."""

    def __init__(self, after_seconds: float) -> None:
        super().__init__(f"no turn within the next {after_seconds:.0f} s")
        self.after_seconds = after_seconds


class _Host:
    """What is known of a host while somebody uses it or its pause lasts."""

    def __init__(self, width: int) -> None:
        self.gate = asyncio.Semaphore(width)
        self.users = 0
        self.next_at = 0.0


class Turns:
    """Bounds fetches; hosts that nobody asks for are forgotten, so memory stays flat."""

    def __init__(
        self,
        *,
        width: int,
        width_per_host: int,
        delay_seconds: float = 0.0,
        wait_seconds_max: float | None = None,
    ) -> None:
        self._all = asyncio.Semaphore(width)
        self._width_per_host = width_per_host
        self._delay_seconds = delay_seconds
        self._wait_seconds_max = wait_seconds_max
        self._hosts: dict[str, _Host] = {}
        self._delays: dict[str, float] = {}  # that hosts asked for, the latest last

    def slow_down(self, name: str, delay_seconds: float) -> None:
        """Leave at least so much time between two visits of this host, whoever makes them."""
        self._delays.pop(name, None)
        if delay_seconds > self._delay_seconds:
            self._delays[name] = delay_seconds
            if len(self._delays) > _DELAYS_MAX:
                del self._delays[next(iter(self._delays))]

    def back_off(self, name: str, seconds: float) -> None:
        """Let nobody visit this host for so long, those who wait already included."""
        host = self._hosts.setdefault(name, _Host(self._width_per_host))
        host.next_at = max(host.next_at, asyncio.get_running_loop().time() + seconds)
        if host.users == 0:
            self._forget_later(name, host)

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for a place at this host and then for one at all; hold both inside the block.

        Raises TurnIsFar as soon as it is sure that waiting takes too long.
        """
        host = self._hosts.setdefault(name, _Host(self._width_per_host))
        host.users += 1
        try:
            async with asyncio.timeout(self._wait_seconds_max) as patience:
                await host.gate.acquire()
                try:
                    await self._pause(name, host, patience.when())
                    await self._all.acquire()
                except BaseException:
                    host.gate.release()
                    raise
        except TimeoutError:
            self._leave(name, host)
            raise TurnIsFar(self._wait_seconds_max or 0.0) from None
        except BaseException:
            self._leave(name, host)
            raise
        try:
            yield
        finally:
            self._all.release()
            host.gate.release()
            self._leave(name, host)

    async def _pause(self, name: str, host: _Host, deadline: float | None) -> None:
        """Wait until the host may be visited again, and say when that is after this visit."""
        loop = asyncio.get_running_loop()
        # Whoever wakes looks again: another was first, or the host has asked for peace meanwhile.
        while host.next_at > loop.time():
            if deadline is not None and host.next_at > deadline:
                raise TurnIsFar(host.next_at - loop.time())
            await asyncio.sleep(host.next_at - loop.time())
        host.next_at = loop.time() + self._delays.get(name, self._delay_seconds)

    def _leave(self, name: str, host: _Host) -> None:
        host.users -= 1
        if host.users == 0:
            self._forget_later(name, host)

    def _forget_later(self, name: str, host: _Host) -> None:
        loop = asyncio.get_running_loop()

        def forget() -> None:
            if host.users == 0 and self._hosts.get(name) is host:
                if host.next_at > loop.time():
                    loop.call_at(host.next_at, forget)
                else:
                    del self._hosts[name]

        forget()
