"""Vectors of titles: asked for once by text and model, kept, and handed to the comparing process."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import struct
from base64 import b64encode
from collections.abc import Iterable, Sequence

from bellhand.clients.errors import ServiceError
from bellhand.clients.prices import Budget
from bellhand.outcomes import LeaseLost

from .chunks import reason
from .process import ComparingProcess
from .run import Row, Run, fetch

TITLE_CHARS_MAX = 300
TITLES_PER_CALL = 256
VECTOR_NUMBERS_MAX = 4_096
LOAD_ITEMS = 250  # a line to the comparing process stays below 3 MB


class Titles:
    """Sees to it that the titles of a run have vectors, within a budget over all its attempts."""

    def __init__(self, run: Run, dollars_max: float | None) -> None:
        self._run = run
        self._llm = run.job.services.llm
        # Read once: a reload in the middle must not file one model's vectors under another's name.
        self._model = self._llm.embedding_model
        spent = run.row["embedding_dollars"]
        self._budget = None if dollars_max is None else Budget(max(0.0, dollars_max - spent))
        self._told_dollars = 0.0
        self._why: str | None = None

    async def embed(self) -> Row:
        """What there is now: {model, items, without_vector, titles_asked, why}; `why` says what went wrong, if anything did.

        A service that fails, or a budget that is spent, ends the asking and not the run: what is known is used. Raises
        Snooze where the service has to be waited for, as for a key.
        """
        told: Row = {"model": self._model, "items": 0, "without_vector": 0, "titles_asked": 0}
        for side in ("catalogue", "source"):  # what stops halfway helps the sources it did reach
            async for page in self._run.items(side):
                texts = texts_of(page)
                known = await self._known(texts.values())
                new = {key_of(text): text for text in texts.values()}
                new = {key: text for key, text in new.items() if key not in known}
                # In order, or two runs that store the same could wait for each other.
                keys = sorted(new)
                for start in range(0, len(keys), TITLES_PER_CALL):
                    part = keys[start : start + TITLES_PER_CALL]
                    if self._why is None:
                        told["titles_asked"] += len(part)
                        known |= await self._ask(part, [new[key] for key in part])
                told["items"] += len(page)
                told["without_vector"] += len(page) - sum(key_of(t) in known for t in texts.values())  # fmt: skip
        await fetch(self._run.job, "forget_vectors")
        told["why"] = self._why
        if self._why is not None:
            self._run.job.log.warning("embeddings_incomplete", **told)
        if not await self._run.fetch("note_embeddings", self._run.job.epoch, json.dumps(told)):
            raise LeaseLost
        return told

    async def _known(self, texts: Iterable[str]) -> set[bytes]:
        rows = await fetch(self._run.job, "use_vectors", self._model, [key_of(text) for text in texts])  # fmt: skip
        return {row["text_hash"] for row in rows}

    async def _ask(self, keys: Sequence[bytes], texts: Sequence[str]) -> set[bytes]:
        """Have these embedded and keep the vectors; which of them there are now."""
        self._run.job.progress(message=f"embedding {len(texts)} titles")
        try:
            vectors = await self._llm.embed(texts, model=self._model, budget=self._budget)
        except ServiceError as error:
            self._why = reason(error)
            return set()
        finally:
            await self._tell_dollars()
        packed = await asyncio.to_thread(lambda: [pack(vector) for vector in vectors])
        kept = {key: vector for key, vector in zip(keys, packed, strict=True) if vector}
        if len(kept) < len(keys):
            self._why = f"bad_answer: {len(keys) - len(kept)} vectors of {len(keys)} are of no use"
        await fetch(self._run.job, "keep_vectors", self._model, list(kept), list(kept.values()))
        return set(kept)

    async def _tell_dollars(self) -> None:
        """Write down what was spent, also on what came to nothing."""
        if self._budget is not None and self._budget.spent > self._told_dollars:
            more, self._told_dollars = self._budget.spent - self._told_dollars, self._budget.spent
            await self._run.fetch("add_embedding_dollars", more)


async def load_vectors(run: Run, process: ComparingProcess, side: str, page: Sequence[Row], model: str) -> None:  # fmt: skip
    """Hand the vectors of these items that are known to the comparing process."""
    for start in range(0, len(page), LOAD_ITEMS):
        keys = {item: key_of(text) for item, text in texts_of(page[start : start + LOAD_ITEMS]).items()}  # fmt: skip
        rows = await fetch(run.job, "vectors", model, list(set(keys.values())))
        vectors = {row["text_hash"]: b64encode(row["vector"]).decode() for row in rows}
        known = {item: vectors[key] for item, key in keys.items() if key in vectors}
        if known:
            await process.ask("vectors", side=side, items=list(known), vectors=list(known.values()))


def texts_of(rows: Iterable[Row]) -> dict[int, str]:
    """What is embedded, by the item: its title, its brand before it if that is not in it; nothing of a blank title."""
    texts = {}
    for row in rows:
        title, brand = " ".join(row["title"].split()), " ".join((row["brand"] or "").split())
        if brand.casefold() not in title.casefold():
            title = f"{brand} {title}"
        if title:
            texts[row["id"]] = title[:TITLE_CHARS_MAX]
    return texts


def key_of(text: str) -> bytes:
    """By what a text's vector is found again."""
    return hashlib.sha256(text.encode()).digest()


def pack(vector: Sequence[float]) -> bytes | None:
    """The vector with length 1, two bytes a number (IEEE 754 half precision, little-endian); None if it is of no use.

    Three digits are enough to tell which are near, and halve what is stored and moved.
    """
    length = math.hypot(*vector)
    if not 0 < length < math.inf or len(vector) > VECTOR_NUMBERS_MAX:
        return None
    return struct.pack(f"<{len(vector)}e", *(number / length for number in vector))
