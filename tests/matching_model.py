"""What a language model makes of the labelled pairs, with the very questions of the AI stage."""

import asyncio
from typing import Any

import openai

from bellhand.families.matching.item import Item
from bellhand.families.matching.questions import (
    SYSTEM,
    Asked,
    Verdict,
    Verdicts,
    judged,
    question,
    tokens_max,
)
from matching_data import Labelled

PAIRS_PER_QUESTION = 10
QUESTIONS_AT_ONCE = 8
# F1 as others published it (libem's benchmark, zero-shot, one pair a question): Abt-Buy, Walmart-Amazon.
PUBLISHED = {
    "GPT-4": (0.939, 0.895),
    "GPT-4o": (0.944, 0.889),
    "GPT-4o-mini": (0.847, 0.793),
    "GPT-3.5-turbo": (0.262, 0.513),
}


def row_of(item: Item) -> dict[str, Any]:
    """An item as a row of bellhand_matching.items."""
    fields = ("title", "sku", "brand", "price", "description")
    return {name: getattr(item, name) for name in fields} | {"attributes": dict(item.attributes)}


async def judge_pairs(
    client: openai.AsyncOpenAI, model: str, data: Labelled, split: str = "test"
) -> tuple[list[bool], list[bool]]:
    """For each pair of the split whether the model says it is one, and whether it is; no answer is a no."""
    pairs = data.splits[split]
    asked = [Asked(row_of(data.sources[s]), (row_of(data.targets[t]),)) for (s, t), _ in pairs]
    gate = asyncio.Semaphore(QUESTIONS_AT_ONCE)

    async def ask(part: list[Asked]) -> list[bool]:
        async with gate:
            answer = await client.chat.completions.parse(
                model=model,
                messages=[
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": question(part)},
                ],
                max_completion_tokens=tokens_max(len(part)),
                response_format=Verdicts,
            )
        parsed = answer.choices[0].message.parsed or Verdicts(verdicts=[])
        return [isinstance(one, Verdict) and one.candidate == 1 for one in judged(part, parsed)]

    parts = [asked[k : k + PAIRS_PER_QUESTION] for k in range(0, len(asked), PAIRS_PER_QUESTION)]
    said = [one for answers in await asyncio.gather(*map(ask, parts)) for one in answers]
    return said, [label == 1 for _, label in pairs]
