"""Nothing is broken: what the suite itself costs and counts, and the witnesses agree."""

from __future__ import annotations

import asyncio

from ..fault import fault
from ..stage import Stage


@fault("F0", "nothing is broken", seconds=10)
async def nothing(stage: Stage) -> None:
    await stage.daemons(2)
    client = stage.client()
    async with stage.clients(60):
        await asyncio.sleep(stage.seconds / 2)
        for number in range(60):  # more than their lane may run at once, so that they wait in order
            await client.enqueue("f.limited", {"seconds": 0.1}, priority=(10, 1, 5)[number % 3])
        await asyncio.sleep(stage.seconds / 2)
    client.drop()
