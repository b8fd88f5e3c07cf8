"""Stage 3: the model decides what the verifier is not sure about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby

from bellhand.clients.errors import ServiceError
from bellhand.clients.prices import Budget

from .chunks import Undecided, reason, side_by_side
from .questions import SYSTEM, Asked, BadVerdict, Verdict, Verdicts, judged, question, tokens_max
from .run import Row, Run, fetch, item_row

# Fewer items a question may help against these.
GONE = "its candidates are not kept any more: start a new run"
SPLIT_FOR = ("truncated", "bad_answer", "too_long", "refused")


class Ai:
    """Asks about chunks, with a budget over all of them and no question twice."""

    def __init__(self, run: Run, *, candidates: int, per_question: int, accept: float, dollars_max: float | None) -> None:  # fmt: skip
        self._run = run
        self._candidates = candidates
        self._per_question = per_question
        self._accept = accept
        spent = run.row["dollars"]
        self._budget = None if dollars_max is None else Budget(max(0.0, dollars_max - spent))
        self._told_dollars = 0.0

    async def chunk(self, number: int) -> Undecided:
        """Decide what is left of a chunk: questions side by side, matches saved, failures returned."""
        asked, unasked, gone = await self._asked(number)
        known = await self._known(asked)
        new = [one for one in asked if one.item["id"] not in known]
        parts = [new[k : k + self._per_question] for k in range(0, len(new), self._per_question)]
        try:
            found = await side_by_side([self._ask(part) for part in parts])
        finally:
            await self._tell_dollars()
        verdicts: dict[int, Verdict | str] = {**known}
        for part in found:
            verdicts |= part
        return await self._settle(asked, unasked, verdicts, dict.fromkeys(gone, GONE))

    async def _asked(self, number: int) -> tuple[list[Asked], list[int], list[int]]:
        """The items of the chunk with their candidates; those whose candidates are all taken; those whose are not kept."""
        rows = await self._run.fetch("chunk_items", self._run.stage, number)
        found = await self._run.fetch("chunk_candidates", self._run.stage, number, self._candidates)
        candidates = {
            source: tuple(item_row(row) for row in group)
            for source, group in groupby(found, key=lambda row: row["source_id"])
        }
        asked = [
            Asked(item_row(row), candidates[row["id"]]) for row in rows if row["id"] in candidates
        ]
        rest = [row for row in rows if row["id"] not in candidates]
        taken = [row["id"] for row in rest if row["has_candidates"]]
        return asked, taken, [row["id"] for row in rest if not row["has_candidates"]]

    async def _known(self, asked: Sequence[Asked]) -> dict[int, Verdict]:
        """What the model has said to the same question before."""
        model = self._run.job.services.llm.model
        keys = defaultdict(list)
        for one in asked:
            keys[one.key(model)].append(one.item["id"])
        rows = await fetch(self._run.job, "known_answers", list(keys))
        return {
            item: Verdict.model_validate_json(row["answer"])
            for row in rows
            for item in keys[row["question"]]
        }

    async def _ask(self, part: Sequence[Asked]) -> dict[int, Verdict | str]:
        """The model's word on each item, or why there is none; a question that is too much is halved."""
        llm = self._run.job.services.llm
        try:
            answer = await llm.parse(
                Verdicts, system=SYSTEM, user=question(part), max_tokens=tokens_max(len(part)), budget=self._budget
            )  # fmt: skip
        except ServiceError as error:
            if error.code in SPLIT_FOR and len(part) > 1:
                half = len(part) // 2
                return await self._ask(part[:half]) | await self._ask(part[half:])
            return {one.item["id"]: reason(error) for one in part}
        told: dict[int, Verdict | str] = {}
        for one, verdict in zip(part, judged(part, answer), strict=True):
            if isinstance(verdict, BadVerdict):
                told[one.item["id"]] = f"bad_answer: {verdict}"
            else:
                told[one.item["id"]] = verdict
                own = (one.key(llm.model), llm.model, verdict.model_dump_json())
                await fetch(self._run.job, "keep_answer", *own)
        return told

    async def _tell_dollars(self) -> None:
        """Write down what was spent, also on what came to nothing."""
        if self._budget is not None and self._budget.spent > self._told_dollars:
            more, self._told_dollars = self._budget.spent - self._told_dollars, self._budget.spent
            await self._run.fetch("add_dollars", more)

    async def _settle(
        self,
        asked: list[Asked],
        unasked: list[int],
        verdicts: dict[int, Verdict | str],
        failed: Undecided,
    ) -> Undecided:
        matches: list[Row] = []
        for one in asked:
            item, verdict = one.item["id"], verdicts[one.item["id"]]
            if isinstance(verdict, str):
                failed[item] = verdict
            elif verdict.candidate and verdict.confidence >= self._accept:
                evidence = {"reason": verdict.reason, "model": self._run.job.services.llm.model}
                target = one.candidates[verdict.candidate - 1]["id"]
                matches.append({"source": item, "target": target, "confidence": verdict.confidence, "evidence": evidence})  # fmt: skip
        saved = await self._run.save("ai", matches)
        through = [one.item["id"] for one in asked if one.item["id"] not in failed]
        undecided = [item for item in [*through, *unasked] if item not in saved]
        await self._run.note_decided(undecided, len(through) + len(unasked))
        for error in set(failed.values()):
            await self._run.note_failed([item for item, why in failed.items() if why == error], error)  # fmt: skip
        return failed
