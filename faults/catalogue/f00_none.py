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
        for _ in range(30):  # more than their lane may run at once
            await client.enqueue("f.limited", {"seconds": 0.1})
        await asyncio.sleep(stage.seconds / 2)
    client.drop()
