"""The stages without a key: identifiers, and texts that are alike."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

from bellhand.outcomes import LeaseLost

from .assignment import one_to_one
from .embeddings import Titles, load_vectors
from .process import ComparingProcess, comparing
from .run import Run

BLOCK_ITEMS = 500
KEPT_CANDIDATES = 5
BLOCK_SECONDS = 1_800.0  # the first block waits for the comparison of everything


async def match_identifiers(run: Run, *, last: bool) -> None:
    """Stage 1: pairs with the same identifier, which nobody else of their side has."""

    async def match() -> int:
        pairs = [
            {**dict(row), "evidence": json.loads(row["evidence"])}
            for row in await run.fetch("identifier_pairs")
        ]
        saved = await run.save("identifier", pairs)
        await run.note(total, [])
        return len(saved)

    total = await run.waiting()
    await run.begin_stage(1, total, last=last)
    await run.job.step("match identifiers", match)


async def match_texts(
    run: Run,
    *,
    last: bool,
    verifier: str | None,
    exclusive: bool,
    accept: float,
    memory_bytes_max: int,
    embeddings: bool,
    embedding_dollars_max: float | None,
) -> None:
    """Stage 2: the nearest of the catalogue for each item, judged by the verifier, best pairs first.

    With `embeddings` those nearest by the vectors of their titles are judged too.
    """
    total = await run.waiting()
    await run.begin_stage(2, total, last=last)
    model = None
    if embeddings:
        told = await run.job.step("embed titles", Titles(run, embedding_dollars_max).embed)
        model = told["model"]
    async with AsyncExitStack() as stack:
        compare = _Compare(run, stack, verifier, memory_bytes_max, model)
        blocks = await run.job.step("plan comparing", compare.plan)
        named = {tuple(block): f"compare items {block[0]} to {block[1]}" for block in blocks}
        found = await run.job.each(
            named, compare.block, name=lambda block: named[block], timeout_seconds=BLOCK_SECONDS
        )
    if None in found:
        # One-to-one over a part would give targets away that belong to somebody else.
        raise RuntimeError("not every item could be compared; its steps say why")

    async def assign() -> int:
        rows = await run.fetch("likely_pairs", accept)
        pairs = [(row["source_id"], row["target_id"], row["confidence"]) for row in rows]
        if exclusive:
            chosen = await asyncio.to_thread(one_to_one, pairs, accept)
        else:
            best = {source: (source, target, p) for source, target, p in sorted(pairs, key=lambda pair: pair[2])}  # fmt: skip
            chosen = list(best.values())
        matches = [{"source": s, "target": t, "confidence": p} for s, t, p in chosen]
        saved = await run.save("fuzzy", matches)
        await run.note(0, [])
        return len(saved)

    await run.job.step("assign partners", assign)


class _Compare:
    """The comparing process of this attempt, started when the first block asks for it."""

    def __init__(
        self,
        run: Run,
        stack: AsyncExitStack,
        verifier: str | None,
        memory_bytes_max: int,
        embedding_model: str | None,
    ) -> None:
        self.run = run
        self._embedding_model = embedding_model
        self._stack = stack
        self._verifier = verifier
        self._memory_bytes_max = memory_bytes_max
        self._process: ComparingProcess | None = None
        self._places: list[int] = []

    async def plan(self) -> list[list[int]]:
        """The blocks, by the ids of their first and last item: the same in every attempt."""
        ids = [row["id"] async for page in self.run.items("source") for row in page]
        parts = (ids[k : k + BLOCK_ITEMS] for k in range(0, len(ids), BLOCK_ITEMS))
        return [[part[0], part[-1]] for part in parts]

    async def block(self, ends: tuple[int, int]) -> int:
        """Judge the candidates of the items between two ids and store the best."""
        process = await self._started()
        places = [k for k, item in enumerate(self._places) if ends[0] <= item <= ends[1]]
        if not places:
            return 0
        found: list[dict[str, Any]] = await process.ask(
            "score", start=places[0], stop=places[-1] + 1, most=KEPT_CANDIDATES
        )
        own = (self.run.job.epoch, json.dumps(found))
        if not await self.run.fetch("store_candidates", *own):
            raise LeaseLost
        await self.run.note(len(places), [])
        return len(found)

    async def _started(self) -> ComparingProcess:
        if self._process is None:
            process = await self._stack.enter_async_context(comparing(self._memory_bytes_max))
            self._places = []
            for side in ("source", "catalogue"):
                async for page in self.run.items(side):
                    await process.ask("load", side=side, items=page)
                    if self._embedding_model is not None:
                        await load_vectors(self.run, process, side, page, self._embedding_model)
                    if side == "source":
                        self._places += [row["id"] for row in page]
            pairs = await process.ask("compare", verifier=self._verifier)
            self.run.job.log.info("catalogues_compared", items=len(self._places), pairs=pairs)
            self._process = process
        return self._process
