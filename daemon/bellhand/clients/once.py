"""Look a thing up once, whoever wants to know: the others wait for the same answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Once(Generic[Value]):
    """One lookup a key at a time, each in a task of its own."""

    def __init__(self) -> None:
        self._asking: dict[str, asyncio.Task[Value]] = {}

    async def get(self, key: str, look_up: Callable[[], Awaitable[Value]]) -> Value:
        """What `look_up` says, asked now or already under way; its error is everybody's."""
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.ensure_future(_run(look_up))
            task.add_done_callback(lambda done: self._done(key, done))
        # One that is cancelled while it waits must not take the answer from the others.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End what is still being asked."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _done(self, key: str, task: asyncio.Task[Value]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # nobody may be left who waits for it


async def _run(look_up: Callable[[], Awaitable[Value]]) -> Value:
    return await look_up()
