"""Writes how far the running jobs are: once a second, in one statement, only what changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from .db import Again, Away
from .job import Job
from .metrics import Metrics
from .store import Store

WRITE_SECONDS = 1.0


class ProgressWriter:
    """Looks at the running jobs of one worker."""

    def __init__(self, store: Store, running: Mapping[int, Job], metrics: Metrics) -> None:
        self.store = store
        self.metrics = metrics
        self.running = running
        self.written: dict[int, str] = {}

    def forget(self, job: int) -> None:
        """It is settled, and the settling wrote its last progress."""
        if self.written:
            self.written.pop(job, None)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            changed = [
                (job.id, job.epoch, text)
                for job in list(self.running.values())
                if (text := job.progress_json()) is not None and self.written.get(job.id) != text
            ]
            if not changed:
                continue
            ids, epochs, texts = zip(*changed, strict=True)
            try:
                await self.store.save_progress(list(ids), list(epochs), list(texts))
            except (Away, Again):
                self.metrics.progress_written(len(ids), lost=True)
                continue  # the next look, or the settle, brings it
            self.metrics.progress_written(len(ids), lost=False)
            self.written.update(zip(ids, texts, strict=True))
            self.written = {id: text for id, text in self.written.items() if id in self.running}
