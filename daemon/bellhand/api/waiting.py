"""Waiting for jobs to change: however many wait, one statement looks for all of them, and none while nobody waits."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass

import structlog

from bellhand.db import Again, Away
from bellhand.look import Look

log = structlog.get_logger()
LOOKS_APART_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Version:
    """How a job stands, as something to compare; `over` once it will not change by itself."""

    text: str
    over: bool


GONE = Version("", True)


class Waiting:
    """Who waits for which job."""

    def __init__(self, look: Look, statement: str = "api_versions") -> None:
        self.look = look
        self.statement = statement  # ids -> id, version, over
        self._waits: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._seen: dict[int, Version] = {}
        self._looking: asyncio.Task[None] | None = None

    async def version(self, number: int) -> Version:
        """How a job stands now; GONE if there is none."""
        return (await self._versions([number])).get(number, GONE)

    async def change(self, number: int, since: Version, seconds: float) -> Version:
        """How the job stands once that is not `since` any more, or after `seconds`."""
        changed = asyncio.Event()
        self._waits[number].add(changed)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                while self._seen.get(number, since) == since:
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return since
        finally:
            self._waits[number].discard(changed)
            if not self._waits[number]:
                del self._waits[number]
        return self._seen.get(number, since)

    async def over(self, number: int, seconds: float) -> bool:
        """Whether the job is over within so many seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        version = await self.version(number)
        while not version.over and loop.time() < deadline:
            version = await self.change(number, version, deadline - loop.time())
        return version.over

    async def _look(self) -> None:
        while self._waits:
            await asyncio.sleep(LOOKS_APART_SECONDS)
            asked = list(self._waits)
            try:
                found = await self._versions(asked)
            except (Away, Again) as error:
                log.debug("waiting_is_blind", error=str(error))
                continue
            seen = {number: found.get(number, GONE) for number in asked}
            for number, version in seen.items():
                if self._seen.get(number) != version:
                    for changed in self._waits.get(number, ()):
                        changed.set()
            self._seen = seen
        self._seen = {}

    async def _versions(self, numbers: list[int]) -> dict[int, Version]:
        # An id that a failover issued twice comes twice; the live one counts.
        rows = await self.look.fetch(self.statement, numbers)
        rows.sort(key=lambda row: not row["over"])
        return {row["id"]: Version(row["version"], row["over"]) for row in rows}
