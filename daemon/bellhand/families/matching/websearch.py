"""Stage 4: what the web says about an item names a catalogue entry's model number."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence

from bellhand.clients.errors import ServiceError
from bellhand.clients.serpapi import WebResult

from .chunks import Undecided, reason, side_by_side
from .item import Item, codes_of, item_from, plain, words_of
from .run import Row, Run, item_of

CODE_CHARS_MIN = 5
WORDS_SHARE_MIN = 0.6  # of the item's words that a result must have to be about the item
QUERY_CHARS_MAX = 200
LINKS_SHOWN = 3
CONFIDENCE_MAX = 0.9

Index = dict[str, int]


class WebSearch:
    """Searches for items, with the catalogue's model numbers at hand."""

    def __init__(self, run: Run, *, accept: float) -> None:
        self._run = run
        self._accept = accept
        self._index: asyncio.Task[Index] | None = None

    async def chunk(self, number: int) -> Undecided:
        """Search for what is left of a chunk, all at once."""
        index = await self._codes()
        rows = await self._run.fetch("chunk_items", self._run.stage, number)
        failed: Undecided = {}

        async def one(row: Row) -> Row | None:
            item = item_of(row)
            try:
                results = await self._run.job.services.serpapi.search(search_words(item))
            except ServiceError as error:
                failed[row["id"]] = reason(error)
                return None
            found = decide(item, results, index)
            return found and {"source": row["id"], **found}

        found = [match for match in await side_by_side([one(row) for row in rows]) if match]
        saved = await self._run.save(
            "web_search", [match for match in found if match["confidence"] >= self._accept]
        )
        through = [row["id"] for row in rows if row["id"] not in failed]
        await self._run.note_decided([item for item in through if item not in saved], len(through))
        for item, error in failed.items():
            await self._run.note_failed([item], error)
        return failed

    async def _codes(self) -> Index:
        if self._index is None:
            self._index = asyncio.create_task(self._read_catalogue())
        return await asyncio.shield(self._index)

    async def _read_catalogue(self) -> Index:
        owners: dict[str, set[int]] = defaultdict(set)
        async for page in self._run.items("catalogue"):
            await asyncio.to_thread(add_codes, owners, page)
        return {code: next(iter(ids)) for code, ids in owners.items() if len(ids) == 1}

    async def close(self) -> None:
        """Let go of the catalogue, also in the middle of reading it."""
        if self._index is not None:
            self._index.cancel()
            await asyncio.gather(self._index, return_exceptions=True)


def add_codes(owners: dict[str, set[int]], rows: Iterable[Row]) -> None:
    """Who has which model number; one that several have tells nothing."""
    for row in rows:
        for code in item_from(row).codes:
            if len(code) >= CODE_CHARS_MIN:
                owners[code].add(row["id"])


def search_words(item: Item) -> str:
    """What to search for: brand, title and model number, each once."""
    parts = [item.title]
    if item.brand and item.brand.casefold() not in item.title.casefold():
        parts.insert(0, item.brand)
    if item.sku and item.sku.casefold() not in item.title.casefold():
        parts.append(item.sku)
    return " ".join(" ".join(parts).split())[:QUERY_CHARS_MAX]


def decide(item: Item, results: Sequence[WebResult], index: Index) -> Row | None:
    """The one catalogue entry that results about this item name most, or None.

    Each result counts once for each entry; n of them make a confidence of n / (n + 1).
    """
    votes: dict[int, list[WebResult]] = defaultdict(list)
    for result in results:
        text = plain(f"{result.title} {result.snippet or ''}")
        if about(item, text):
            for target in {index[code] for code in codes_of(text) if code in index}:
                votes[target].append(result)
    ranked = sorted(votes, key=lambda target: -len(votes[target]))
    if not ranked or (len(ranked) > 1 and len(votes[ranked[0]]) == len(votes[ranked[1]])):
        return None
    best = votes[ranked[0]]
    return {
        "target": ranked[0],
        "confidence": min(CONFIDENCE_MAX, len(best) / (len(best) + 1)),
        "evidence": {"results": len(best), "links": [one.link for one in best[:LINKS_SHOWN]]},
    }


def about(item: Item, text: str) -> bool:
    """Whether a result speaks of this item: by its model number, or by most of its words."""
    words = words_of(text)
    own = frozenset(item.words)
    if any(len(code) >= CODE_CHARS_MIN for code in item.codes & codes_of(text)):
        return True
    return bool(own) and len(own & words) / len(own) >= WORDS_SHARE_MIN
