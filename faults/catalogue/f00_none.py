"""Nothing is broken: what the suite itself costs and counts, and the witnesses agree."""

from __future__ import annotations

import asyncio

from ..fault import fault
from ..stage import Stage


@fault("F0", "nothing is broken", seconds=10)
async def nothing(stage: Stage) -> None:
    await stage.daemons(2)
    async with stage.clients(60):
        await asyncio.sleep(stage.seconds)
